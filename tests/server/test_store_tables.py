"""The SQLite store: what the server keeps beside messages, in one commit with them."""

import contextlib
import sqlite3

import pytest

from host_tools.store import SqliteStore

COLOURS = "CREATE TABLE IF NOT EXISTS colours (name TEXT PRIMARY KEY, value INTEGER)"


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "store.sqlite", 10)
    yield store
    with contextlib.suppress(sqlite3.Error):
        store.close()


def reopened_after_a_power_cut(store):
    store._database.close()
    return SqliteStore(store.path, 10)


def test_what_is_remembered_is_a_duplicate_from_then_on_and_no_message(store):
    message = ("g", "ue-1", "MSG", "m-1", 0)
    assert store.remember(*message)
    assert not store.remember(*message)
    assert store.put(*message, b"{}") is None
    assert store.knows(*message)
    assert len(store) == 0
    assert store.uncommitted


def test_what_is_remembered_is_durable_with_the_commit(store):
    store.remember("g", "ue-1", "MSG", "m-1", 0)
    store.commit()
    store.remember("g", "ue-1", "MSG", "m-2", 0)
    assert store.uncommitted
    again = reopened_after_a_power_cut(store)
    assert again.knows("g", "ue-1", "MSG", "m-1", 0)
    assert not again.knows("g", "ue-1", "MSG", "m-2", 0)
    again.close()


def test_room_is_what_is_left(store):
    assert store.room() == 10
    item = store.put("ue-2", "ue-1", "MSG", "m-1", 0, b"{}")
    assert store.room() == 9
    store.remove(item)
    assert store.room() == 10


def test_tables_of_others_share_the_commit(store):
    store.add_tables(COLOURS)
    store.add_tables(COLOURS)
    store.put("ue-2", "ue-1", "MSG", "m-1", 0, b"{}")
    store.change("INSERT INTO colours VALUES (?, ?)", ("red", 1), ("green", 2))
    store.commit()
    store.put("ue-2", "ue-1", "MSG", "m-2", 0, b"{}")
    store.change("DELETE FROM colours WHERE name = ?", ("red",))
    assert store.rows("SELECT name FROM colours") == [("green",)]
    again = reopened_after_a_power_cut(store)
    assert again.rows("SELECT name FROM colours ORDER BY name") == [("green",), ("red",)]
    assert len(again) == 1
    again.close()


def test_messages_by_what_they_are(store):
    store.put("ue-2", "ue-1", "MSG", "m-1", 0, b"{}")
    store.put("ue-3", "ue-1", "MSG", "m-1", 0, b"{}")
    store.put("ue-3", "ue-9", "MSG", "m-1", 0, b"{}")
    found = store.items_where("originator = ? AND message_id = ?", ("ue-1", "m-1"))
    assert [item.hop for item in found] == ["ue-2", "ue-3"]


def test_a_replaced_message_is_the_newest(store):
    first = store.put("ue-2", "ue-1", "MSG", "m-1", 0, b"old", 10, True)
    store.put("ue-2", "ue-1", "MSG", "m-2", 0, b"{}")
    changed = store.replace(first, b"new", 20)
    assert len(store) == 2
    _, last = store.pending("ue-2", -1, 10)
    assert (last.key, last.body, last.expires, last.report) == (changed.key, b"new", 20, True)
    assert store.put("ue-2", "ue-1", "MSG", "m-1", 0, b"old") is None
