"""What an endpoint of a gateway has received lately: known for its lifetime, within bounds, and in little memory."""

import random

import pytest
from msgin5g import ticks
from msgin5g.coap.recent import Recent as Portable

from host_tools.recent import Recent

LIFETIME = 247000
DAY = 86400 * 1000


def test_knows_a_key_for_its_lifetime_and_what_it_was_answered():
    recent = Recent(LIFETIME, 1000, 1000)
    assert not recent.knows(1, 0)
    assert recent.add(1, 0)
    assert recent.knows(1, LIFETIME - 1)
    assert recent.answer(1) is None
    recent.keep_answer(1, bytearray(b"ack"))
    recent.keep_answer(1, b"response")
    assert recent.answer(1) == b"response"
    recent.keep_answer(2, b"of nobody")
    assert recent.answer(2) is None
    assert not recent.knows(1, LIFETIME)
    assert (len(recent), recent.octets) == (0, 0)


def test_tells_when_the_oldest_expire_across_the_wrap_of_the_clock():
    recent = Recent(LIFETIME, 1000, 1000)
    assert recent.expire(0) is None
    start = ticks.PERIOD - 1000
    recent.add(1, start)
    later = ticks.add(start, LIFETIME // 2)
    recent.add(2, later)
    assert recent.expire(later) == ticks.add(start, LIFETIME)
    assert recent.expire(ticks.add(start, LIFETIME)) == ticks.add(later, LIFETIME)
    assert recent.expire(ticks.add(later, LIFETIME)) is None


@pytest.mark.parametrize("days", [1, 3, 5, 6])
def test_does_not_take_what_is_days_old_for_a_duplicate(days):
    recent = Recent(LIFETIME, 4, 1000)
    recent.add(1, 0)
    assert not recent.knows(1, ticks.add(0, days * DAY))


def test_bounded_in_keys():
    recent = Recent(LIFETIME, 10_000, 1 << 20)
    for key in range(30_000):
        recent.add(key, 0)
        assert len(recent) <= 10_000
    assert recent.shed + len(recent) == 30_000
    assert all(recent.knows(key, 0) for key in range(30_000 - 7_500, 30_000))
    assert not recent.knows(0, 0)


def test_bounded_in_octets_and_what_is_longer_pushes_out_no_other():
    recent = Recent(LIFETIME, 1000, 1000)
    for key in range(100):
        recent.add(key, 0)
        recent.keep_answer(key, bytes(90))
        assert recent.octets <= 1000
    assert recent.answer(99) == bytes(90)
    assert recent.knows(93, 0)
    assert not recent.knows(50, 0)
    recent.add(200, 1)
    recent.keep_answer(200, bytes(1001))
    assert not recent.knows(200, 2)
    assert not recent.add(200, 2)
    assert recent.knows(200, 3)
    assert recent.answer(200) is None


def test_knows_what_the_portable_one_knows():
    mine, other = Recent(LIFETIME, 1 << 20, 1 << 20), Portable(LIFETIME, 1 << 20, 1 << 20)
    chance = random.Random(4)
    now = 0
    for _ in range(20_000):
        now += chance.randrange(20)
        key = chance.randrange(1, 300) << 16 | chance.randrange(100)
        known = other.knows(key, now)
        # Up to 128 ms longer there.
        if known != mine.knows(key, now):
            assert not other.knows(key, now + 128)
            continue
        if known:
            assert mine.answer(key) == other.answer(key)
            continue
        answer = now.to_bytes(8, "big")
        for recent in (mine, other):
            recent.add(key, now)
            recent.keep_answer(key, answer)


@pytest.mark.parametrize("step", [1, 1 << 16, 1 << 20])
def test_keys_that_follow_each_other_cost_no_more(step):
    recent = Recent(LIFETIME, 40_000, 1 << 20)
    for number in range(40_000):
        recent.add(number * step, 0)
    for generation in recent._generations:
        longest = run = 0
        for key in generation.table:
            run = run + 1 if key else 0
            longest = max(longest, run)
        assert longest < 1000


def test_a_message_id_may_come_again_when_its_time_is_over_though_its_neighbours_is_not():
    recent = Recent(LIFETIME, 1000, 1000)
    recent.add(1, 0)
    recent.keep_answer(1, b"old")
    recent.add(2, 1000)
    assert not recent.knows(1, LIFETIME)
    assert recent.knows(2, LIFETIME)
    recent.add(1, LIFETIME)
    assert recent.answer(1) is None
    recent.keep_answer(1, b"new")
    assert recent.knows(1, 2 * LIFETIME - 1)
    assert recent.answer(1) == b"new"
    assert not recent.knows(1, 2 * LIFETIME)
