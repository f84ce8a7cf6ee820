# The memory of what was received: RFC 7252, 4.5, within bounds.

from msgin5g import ticks
from msgin5g.coap.recent import Recent

LIFETIME = 247000
DAY = 86400 * 1000


def test_knows_a_key_for_its_lifetime():
    recent = Recent(LIFETIME, 4, 1000)
    assert not recent.knows(1, 0)
    recent.add(1, 0)
    assert recent.knows(1, LIFETIME - 1)
    assert not recent.knows(1, LIFETIME)
    assert len(recent) == 0


def test_keeps_the_answer():
    recent = Recent(LIFETIME, 4, 1000)
    recent.add(1, 0)
    assert recent.answer(1) is None
    recent.keep_answer(1, b"ack")
    assert recent.answer(1) == b"ack"
    recent.keep_answer(1, b"response")
    assert recent.answer(1) == b"response" and recent.octets == 8


def test_an_answer_to_what_is_not_known_is_not_kept():
    recent = Recent(LIFETIME, 4, 1000)
    recent.keep_answer(1, b"ack")
    assert recent.answer(1) is None and recent.octets == 0


def test_expires_across_the_wrap_of_the_clock():
    recent = Recent(LIFETIME, 4, 1000)
    start = ticks.PERIOD - 1000
    recent.add(1, start)
    assert recent.knows(1, ticks.add(start, LIFETIME - 1))
    assert not recent.knows(1, ticks.add(start, LIFETIME))


def test_does_not_take_what_is_days_old_for_a_duplicate():
    for days in (1, 3, 4, 5, 6):
        recent = Recent(LIFETIME, 4, 1000)
        recent.add(1, 0)
        assert not recent.knows(1, ticks.add(0, days * DAY)), days


def test_tells_when_the_oldest_expires():
    recent = Recent(LIFETIME, 4, 1000)
    assert recent.expire(0) is None
    recent.add(1, 0)
    recent.add(2, 500)
    assert recent.expire(100) == LIFETIME
    assert recent.expire(LIFETIME) == LIFETIME + 500
    assert recent.expire(LIFETIME + 500) is None


def test_bounded_in_entries():
    recent = Recent(LIFETIME, 4, 1000)
    for key in range(1000):
        assert not recent.knows(key, 0)
        recent.add(key, 0)
        recent.keep_answer(key, b"ab")
    assert len(recent) == 4 and recent.octets == 8
    assert recent.shed == 996
    assert not recent.knows(995, 0) and recent.knows(996, 0)


def test_bounded_in_octets():
    recent = Recent(LIFETIME, 100, 1000)
    for key in range(100):
        recent.add(key, 0)
        recent.keep_answer(key, bytes(90))
    assert recent.octets <= 1000 and len(recent) == 11
    assert recent.shed == 89
    assert recent.knows(99, 0) and not recent.knows(88, 0)


def test_an_answer_longer_than_all_there_is_pushes_out_no_other():
    recent = Recent(LIFETIME, 4, 100)
    recent.add(1, 0)
    recent.keep_answer(1, b"ack")
    recent.add(2, 1)
    recent.keep_answer(2, bytes(101))
    assert recent.answer(1) == b"ack" and recent.shed == 1
    # It is acted on again, and may be answered by less then.
    assert not recent.knows(2, 2)
    recent.add(2, 2)
    assert recent.knows(2, 3) and recent.answer(2) is None
    recent.keep_answer(2, b"short")
    assert recent.octets == 8
    assert recent.expire(LIFETIME + 5) is None
    assert recent.octets == 0 and len(recent) == 0
