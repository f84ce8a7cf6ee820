"""A clock that jumps, goes back or was never set: what is stored is held as long as it was to be held."""

from typing import Any

import pytest
from msgin5g import messages, wire

from host_tools.clock import Clock
from host_tools.server.service import Service
from host_tools.server.topics import Topics
from host_tools.settings import Topics as Bounds
from host_tools.store import SqliteStore

DAY = 86400
START = 1_800_000_000


class Time:
    """What the system says, which a test sets."""

    def __init__(self, wall=START):
        self.seconds = wall
        self.passed = 1000.0

    def wall(self):
        return self.seconds

    def go_on(self, seconds):
        self.seconds += seconds
        self.passed += seconds

    def clock(self):
        return Clock(self.wall, lambda: self.passed)


class Kept:
    """A store, its clock and a service; reopened as by a process that follows."""

    def __init__(self, path, wall=START):
        self.path = path / "a.sqlite"
        self.time = Time(wall)
        self.open()

    def open(self):
        self.clock = self.time.clock()
        self.store = SqliteStore(self.path, wall_clock=self.clock.held)
        self.clock.keep(self.store)
        self.service = Service(self.store, self.clock.wall, held_clock=self.clock.held)

    def restart(self, wall, passed=20):
        self.store.close()
        self.time.seconds, self.time.passed = wall, passed
        self.open()

    def put(self, number, stated=None, flag=True) -> Any:
        elements = messages.message((wire.AS, "as"), (wire.UE, "ue"), f"m-{number}", flag, False)
        if stated is not None:
            messages.set_expiration(elements, stated)
        return self.service.put(elements, b"{}")

    def expired(self):
        self.clock.look()
        return [item.message_id for item in self.store.expired(self.clock.held(), 10)]


@pytest.mark.parametrize("jump", [DAY, -DAY, 40 * DAY, -60 * 365 * DAY])
def test_a_jump_changes_nothing_of_how_long_a_message_is_held(tmp_path, jump):
    kept = Kept(tmp_path)
    kept.put(1)
    kept.put(2, stated=START + 3600)
    kept.time.seconds += jump
    assert kept.expired() == []
    # By the new clock, in an hour.
    kept.put(3, stated=int(kept.time.seconds) + 3600)
    kept.time.go_on(3590)
    assert kept.expired() == []
    kept.time.go_on(20)
    assert sorted(kept.expired()) == ["m-2", "m-3"]
    kept.time.go_on(DAY - 3600)
    assert sorted(kept.expired()) == ["m-1", "m-2", "m-3"]
    assert kept.clock.jumps == 1


def test_a_jump_outlives_a_restart(tmp_path):
    kept = Kept(tmp_path)
    kept.put(1, stated=START + 3600)
    kept.time.seconds += 10 * DAY
    kept.clock.look()
    kept.restart(kept.time.seconds)
    assert kept.expired() == []
    kept.time.go_on(3700)
    assert kept.expired() == ["m-1"]


def test_time_passes_while_nothing_runs(tmp_path):
    kept = Kept(tmp_path)
    kept.put(1, stated=START + 3600)
    kept.restart(START + 4000)
    assert kept.expired() == ["m-1"] and kept.clock.jumps == 0


def test_a_box_without_a_battery(tmp_path):
    kept = Kept(tmp_path)
    kept.put(1, stated=START + 3600)
    # It starts in 1970, and is told the time a minute later.
    kept.restart(20)
    assert kept.clock.known() is None and kept.expired() == []
    kept.put(2, stated=START + 3 * 3600)
    kept.time.go_on(60)
    kept.time.seconds = START + 7200
    assert kept.expired() == [] and kept.clock.known() == START + 7200
    kept.time.go_on(3590)
    assert kept.expired() == ["m-1"]
    # Nobody knew when that would be: it is held as long as anything is.
    kept.time.go_on(6 * DAY)
    assert kept.expired() == ["m-1"]
    kept.time.go_on(DAY)
    assert sorted(kept.expired()) == ["m-1", "m-2"]


def test_duplicates_are_remembered_over_a_jump(tmp_path):
    kept = Kept(tmp_path)
    item = kept.put(1)
    kept.store.remove(item)
    kept.store.commit()
    kept.time.seconds += 100 * DAY
    kept.clock.look()
    while kept.store.purge():
        pass
    assert kept.put(1) is None
    kept.restart(kept.time.seconds)
    assert kept.put(1) is None


def test_small_differences_are_followed(tmp_path):
    kept = Kept(tmp_path)
    kept.put(1, stated=START + 3600)
    for _ in range(100):
        kept.time.go_on(1)
        kept.time.seconds += 0.5
        kept.clock.look()
    assert kept.clock.jumps == 0 and kept.clock.held() == kept.time.wall()


def test_subscriptions_end_when_their_time_has_passed_and_say_it_as_a_date(tmp_path):
    kept = Kept(tmp_path)
    topics = Topics(kept.service, Bounds())
    ue = (wire.UE, "ue-1")
    assert topics.subscribe(ue, ["t"], START + 3600) == START + 3600
    kept.time.seconds += DAY
    kept.clock.look()
    topics.expire()
    assert topics.ends(ue, "t") == START + DAY + 3600
    assert topics.subscribe(ue, ["u"], START + DAY + 60) == START + DAY + 60
    kept.time.go_on(61)
    topics.expire()
    assert topics.ends(ue, "u") is None and topics.ends(ue, "t")
