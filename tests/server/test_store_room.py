"""How much the store takes: octets, and a disk that is nearly full."""

from typing import Any

import pytest
from msgin5g import wire
from msgin5g.store import Full

from host_tools.store import NoSpace, SqliteStore

UP = ""


def put(store, number, octets=100, hop=UP) -> Any:
    return store.put(hop, "ue@x", wire.MSG, f"m-{number}", 0, b"x" * octets)


def test_octets_have_a_bound(tmp_path):
    store = SqliteStore(tmp_path / "a.sqlite", most_octets=1000)
    items = [put(store, number) for number in range(9)]
    put(store, 9, 50)
    assert store.octets == 950 and store.room(50) == 1 and store.room() == 50 and store.room(60) == 0
    with pytest.raises(Full):
        put(store, 10)
    assert store.lacks(100) == 50 and store.lacks(50) == 0
    # What is known is no message more.
    assert put(store, 9) is None
    store.remove(items[0])
    assert store.octets == 850
    # Taken out already: that makes no more room.
    store.remove(items[0])
    assert store.octets == 850 and put(store, 10)


def test_octets_are_counted_again_at_the_start_and_with_each_change(tmp_path):
    store = SqliteStore(tmp_path / "a.sqlite", most_octets=1000)
    item = put(store, 1)
    put(store, 2, 300)
    item = store.replace(item, b"longer" * 50, None)
    assert store.octets == 600
    store.close()
    store = SqliteStore(tmp_path / "a.sqlite", most_octets=1000)
    assert store.octets == 600 and len(store) == 2
    store.remove(item)
    assert store.octets == 300


def test_nothing_is_taken_where_the_disk_is_nearly_full(tmp_path):
    store = SqliteStore(tmp_path / "a.sqlite")
    item = put(store, 1)
    store.disk_low = True
    with pytest.raises(NoSpace):
        put(store, 2)
    assert store.room() == 0 and put(store, 1) is None
    # What is there goes on.
    assert [one.message_id for one in store.pending(UP, -1, 10)] == ["m-1"]
    store.remove(item)
    store.commit()
    store.disk_low = False
    assert put(store, 2)


def test_the_next_of_one_originator(tmp_path):
    store = SqliteStore(tmp_path / "a.sqlite")
    keys = {}
    for number in range(12):
        who = "ab"[number % 2]
        item: Any = store.put(UP, who, wire.MSG, f"m-{number}", 0, b"x", priority=1 + (number == 4))
        keys[number] = item.key
    found = store.pending_of(UP, "a", keys[0], keys[8], 10, 1)
    assert [item.message_id for item in found] == ["m-2", "m-6", "m-8"]
    assert [item.message_id for item in store.pending_of(UP, "a", -1, keys[11], 2, 1)] == ["m-0", "m-2"]
    assert store.pending_of(UP, "c", -1, keys[11], 2, 1) == []


def test_what_takes_the_place_of_what_goes_has_room_on_a_disk_that_is_nearly_full(tmp_path):
    # A report on a message that has failed, even where it is longer.
    store = SqliteStore(tmp_path / "a.sqlite", most_octets=1000)
    items = [put(store, number, 500) for number in range(2)]
    store.commit()
    store.disk_low = True
    store.remove(items[0])
    report = put(store, 3, 700)
    assert report and store.octets == 1200
    # One for one, and not later.
    with pytest.raises(Full):
        put(store, 4, 500)
    store.commit()
    store.remove(items[1])
    store.commit()
    store.remove(report)
    store.commit()
    with pytest.raises(NoSpace):
        put(store, 5)
