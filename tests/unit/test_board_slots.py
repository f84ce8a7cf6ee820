# Slots: which application is started, through updates, trials and what goes wrong with them.

import json
import sys

from flash import folder, write
from msgin5g.board import slots
from msgin5g.board.slots import Slots

SENDER = ["AS", "updates@lab", "m-1"]


def root():
    return folder().rpartition("/")[0] + "/"


def switched(place, version=1):
    one = Slots(place)
    write(one.spare(), "app.py", b"%d" % version)
    one.switch(version, "aa", SENDER)
    return Slots(place)


def passed(place, version=1):
    one = switched(place, version)
    assert one.begin()
    one.well()
    return Slots(place)


def test_a_board_without_updates_has_none():
    one = Slots(root())
    path = sys.path[:]
    assert one.begin() and not one.on_trial and one.active == "" and one.version == 0
    one.use_path()
    assert sys.path == path


def test_an_update_is_on_trial_and_passes():
    place = root()
    one = switched(place, 7)
    assert (one.active, one.previous, one.version, one.sender) == ("a", "", 7, SENDER)
    assert one.on_trial and one.begin()
    one.well()
    one = Slots(place)
    assert not one.on_trial and one.outcome == slots.INSTALLED and one.active == "a"
    one.told()
    assert Slots(place).sender is None


def test_it_is_imported_from_its_slot():
    one = switched(root())
    path = sys.path[:]
    one.use_path()
    assert sys.path[0].endswith("/a")
    sys.path[:] = path


def test_slots_take_turns():
    place = root()
    assert [passed(place, version).active for version in (1, 2, 3)] == ["a", "b", "a"]
    assert Slots(place).previous == "b"


def test_a_trial_has_two_starts():
    place = root()
    passed(place, 1)
    switched(place, 2)
    assert Slots(place).begin() and Slots(place).begin()
    one = Slots(place)
    assert not one.begin()
    assert one.active == "a" and one.outcome == slots.BACK and "crashed" in one.why
    again = Slots(place)
    assert again.begin() and again.active == "a" and again.version == 2 and again.sender == SENDER


def test_the_first_update_goes_back_to_what_was_deployed():
    place = root()
    one = switched(place)
    one.begin()
    one.back("not registered")
    assert Slots(place).active == "" and Slots(place).why == "not registered"
    assert Slots(place).spare().endswith("/a")


def test_the_spare_slot_is_emptied_however_deep():
    import os

    place = root()
    spare = Slots(place).spare()
    os.mkdir(spare + "/lib")
    os.mkdir(spare + "/lib/deep")
    write(spare + "/lib/deep", "x.py", b"x")
    assert os.listdir(Slots(place).spare()) == []


def test_one_that_is_deployed_by_hand_is_used():
    place = root()
    passed(place, 5)
    Slots(place).leave()
    one = Slots(place)
    assert one.active == "" and one.version == 5 and one.outcome == slots.INSTALLED
    switched(place, 6).leave()
    one = Slots(place)
    assert one.active == "" and one.outcome == slots.BACK and "put onto the board" in one.why


def test_a_file_that_is_damaged_is_none():
    for text in (
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"active": "../x"}',
        b'{"active": "a", "previous": "", "version": "1"}',
        b"\xff",
    ):
        place = root()
        write(place[:-1], "slot", text)
        one = Slots(place)
        assert one.begin() and one.active == "" and one.version == 0


def test_what_was_not_renamed_counts_when_nothing_else_is_there():
    place = root()
    state = {"active": "b", "previous": "a", "version": 3, "starts": 0, "outcome": "installed"}
    write(place[:-1], "slot.new", json.dumps(state).encode())
    assert Slots(place).active == "b"
    # And is not what is written over next.
    write(place[:-1], "slot.new", b"{")
    assert Slots(place).active == "b"


def test_what_was_not_renamed_counts_for_nothing_beside_another():
    place = root()
    passed(place, 1)
    write(place[:-1], "slot.new", b'{"active": "b", "previous": "a", "version": 3, "starts": 0}')
    assert Slots(place).active == "a" and Slots(place).version == 1
