"""What is remembered of the traffic: bounded, and right when somebody looks."""

from types import SimpleNamespace

import pytest
from msgin5g import messages, wire
from msgin5g.delivery import Item

from host_tools.gateway import sparingly, watch
from host_tools.gateway.sparingly import Sparingly
from host_tools.gateway.watch import DOWN, UP, Watch

UE, AS = "ue@a", "as@a"


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watched(clock):
    return Watch(100, 3, clock)


def item(key, hop=UE, body=b"{}", kind=wire.MSG):
    return Item(key, hop, AS if hop else UE, kind, f"id-{key}", body)


def seen(watched, word, one):
    watched.on_traffic(word, one, one.hop or one.originator, 0)


def test_how_long_a_message_took(watched, clock):
    for key in range(100):
        seen(watched, "stored", item(100 + key))
    for key in range(100):
        clock.now += 0.25
        seen(watched, "delivered", item(100 + key))
    assert watched.percentiles(DOWN) == {"count": 100, "last": 25.0, "p50": 12.5, "p99": 24.75}
    assert watched.percentiles(UP) == {"count": 0, "last": None, "p50": None, "p99": None}
    assert watched.took == {UE: 25.0} and watched.last_seen[UE] == clock.now
    assert next(watched.newest()).seconds == 25.0


def test_a_message_from_before_the_start_has_no_time(watched):
    seen(watched, "delivered", item(7))
    assert watched.percentiles(DOWN)["count"] == 0 and next(watched.newest()).seconds is None


def test_a_clock_that_is_set_back_makes_no_message_early(watched, clock):
    seen(watched, "stored", item(100))
    clock.now -= 3600
    seen(watched, "delivered", item(100))
    assert watched.percentiles(DOWN)["last"] == 0.0
    assert len(watched.per_minute()[UP]) == watch.MINUTES


def test_since_when_the_oldest_waits(watched, clock):
    begun = clock.now
    for key in range(100, 100 + watch._TIMED + 10):
        if key % 10000 == 0:
            clock.now += 60
        seen(watched, "stored", item(key))
    assert watched.stored_at(99) is None
    # Its own time is overwritten, that of its minute is known.
    assert watched.stored_at(100) == begun
    assert watched.stored_at(20005) == begun + 120
    assert watched.stored_at(100 + watch._TIMED) == clock.now


def test_messages_of_each_minute(watched, clock):
    seen(watched, "stored", item(100))
    clock.now += 120
    seen(watched, "stored", item(101, hop=""))
    seen(watched, "stored", item(102, hop=""))
    counts = watched.per_minute()
    assert counts[DOWN][-3:] == [1, 0, 0] and counts[UP][-3:] == [0, 0, 2]
    for _ in range(2 * watch.MINUTES):
        clock.now += 60
        seen(watched, "stored", item(103))
    assert sum(watched.per_minute()[DOWN]) == watch.MINUTES == len(watched._minutes)


def test_what_was_seen_is_bounded_and_numbered(watched):
    for key in range(watch._MOST_SEEN + 50):
        seen(watched, "stored", item(key))
    newest = list(watched.newest())
    assert len(newest) == watch._MOST_SEEN
    assert [one.number for one in watched.since(watched.number - 2)] == [watched.number - 1, watched.number]
    assert newest[0].number == watched.number and newest[0].message_id == f"id-{watch._MOST_SEEN + 49}"
    assert len(watched.since(0)) == watch._MOST_SEEN


def test_a_long_body_is_not_remembered_but_its_length(watched):
    seen(watched, "stored", item(100, body=b"x" * 60000))
    one = next(watched.newest())
    assert (one.octets, one.body, one.peer()) == (60000, None, None)


def test_who_is_at_the_other_end(watched):
    elements = messages.message((wire.UE, UE), (wire.AS, AS), "m-1", True, False)
    for hop, peer in (("", AS), (UE, UE)):
        seen(watched, "stored", item(100, hop, messages.encode(elements)))
        assert next(watched.newest()).peer() == peer
    seen(watched, "stored", item(101, "", b"no JSON"))
    assert next(watched.newest()).peer() is None
    seen(watched, "stored", item(102, "", b"{}", wire.DEREG))
    assert next(watched.newest()).peer() is None


def test_an_event_is_remembered_with_its_details(watched, clock):
    watched.on_event("client registered", {"ue": UE, "address": ("10.0.0.1", 5683), "cause": None})
    one = next(watched.newest())
    assert (one.word, one.ue, one.direction) == ("client registered", UE, None)
    assert one.message_id == "address ('10.0.0.1', 5683)"
    assert watched.last_seen == {UE: clock.now}


def test_ues_that_were_heard_are_bounded(watched):
    for number in range(5):
        watched.on_traffic("heard", None, f"ue-{number}", 0)
    assert list(watched.last_seen) == ["ue-2", "ue-3", "ue-4"]


def test_what_is_expensive_is_computed_sparingly(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(
        sparingly, "time", SimpleNamespace(monotonic=lambda: now[0], thread_time=lambda: now[0])
    )
    calls = []

    def compute(name):
        calls.append(name)
        now[0] += 0.125
        return len(calls)

    walk = Sparingly(compute)
    assert [walk("a"), walk("a"), walk("b"), walk("a")] == [1, 1, 2, 1]
    now[0] += 12.5
    assert walk("a") == 3
    for name in range(100):
        walk(str(name))
    assert len(walk._results) == 64
