"""The SQLite store: the memory of duplicates, what survives, bounds."""

import contextlib
import signal
import sqlite3
import stat
import subprocess
import sys
from typing import Any

import pytest
from msgin5g.coap.numbers import CBOR, JSON
from msgin5g.delivery import HIGH, LOW, MIDDLE
from msgin5g.registry import Registered
from msgin5g.store import Full

import host_tools.store
from host_tools.store import REMEMBERED, SqliteStore


class Clock:
    def __init__(self):
        self.seconds = 1_800_000_000

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    store = SqliteStore(tmp_path / "store.sqlite", 10, clock)
    yield store
    # Some tests close or break it themselves.
    with contextlib.suppress(sqlite3.Error):
        store.close()


def put(store, message_id="m-1", hop="ue-2", originator="ue-1", kind="MSG", segment=0, **options) -> Any:
    return store.put(hop, originator, kind, message_id, segment, b"{}", **options)


def reopened(store, clock, most_messages=10):
    store.close()
    return SqliteStore(store.path, most_messages, clock)


def test_what_was_put_is_pending_oldest_first(store):
    for number in range(5):
        put(store, f"m-{number}", expires=number, report=bool(number & 1))
    put(store, "elsewhere", hop="ue-3")
    items = store.pending("ue-2", -1, 3)
    assert [item.message_id for item in items] == ["m-0", "m-1", "m-2"]
    assert [(item.expires, item.report) for item in items] == [(0, False), (1, True), (2, False)]
    assert (items[0].hop, items[0].originator, items[0].kind, items[0].body) == ("ue-2", "ue-1", "MSG", b"{}")
    rest = store.pending("ue-2", items[-1].key, 10)
    assert [item.message_id for item in rest] == ["m-3", "m-4"]
    assert len(store) == 6
    assert sorted(store.hops()) == ["ue-2", "ue-3"]
    assert store.depth("ue-2") == 5


def test_by_priority_and_by_segment(store, clock):
    for number in range(6):
        put(store, f"m-{number}", priority=(LOW, HIGH)[number & 1], segment=number)
    store = reopened(store, clock)
    high = store.pending("ue-2", -1, 2, HIGH)
    assert [(item.message_id, item.priority, item.segment) for item in high] == [
        ("m-1", HIGH, 1),
        ("m-3", HIGH, 3),
    ]
    assert [item.message_id for item in store.pending("ue-2", high[-1].key, 2, HIGH)] == ["m-5"]
    assert [item.message_id for item in store.pending("ue-2", -1, 4)] == ["m-0", "m-1", "m-2", "m-3"]
    assert not store.pending("ue-2", -1, 10, MIDDLE)
    store.close()


ALL_OF = f"SELECT * FROM messages WHERE {host_tools.store._ONE}"


@pytest.mark.parametrize(
    ("query", "values", "plan"),
    [
        (host_tools.store._PENDING, 4, "messages_by_priority (hop=? AND priority=? AND key>?)"),
        (host_tools.store._PENDING_OF, 6, "messages_by_priority (hop=? AND priority=? AND key>? AND key<?)"),
        (host_tools.store._EXPIRED, 2, "messages_by_expiry (expires<?)"),
        (ALL_OF, 4, "messages_by_originator (originator=? AND message_id=?)"),
    ],
)
def test_what_is_looked_for_has_an_index_however_many_there_are(store, query, values, plan):
    found = store._execute(f"EXPLAIN QUERY PLAN {query}", (1,) * values).fetchall()
    assert [step[3] for step in found] == [f"SEARCH messages USING INDEX {plan}"]
    store.close()


# Tables as the first version made them.
VERSION_1 = """
CREATE TABLE messages (
    key INTEGER PRIMARY KEY, hop TEXT NOT NULL, originator TEXT NOT NULL, kind TEXT NOT NULL,
    message_id TEXT NOT NULL, body BLOB NOT NULL, expires INTEGER, report INTEGER NOT NULL
);
CREATE INDEX messages_by_hop ON messages (hop, key);
INSERT INTO messages VALUES (7, 'ue-2', 'ue-1', 'MSG', 'm-7', x'7b7d', 5, 1);
CREATE TABLE registered (ue_service_id TEXT PRIMARY KEY, address TEXT NOT NULL, via TEXT, body BLOB) WITHOUT ROWID;
INSERT INTO registered VALUES ('ue-2', '["192.0.2.1", 5683]', NULL, x'7b7d');
"""


def test_a_file_of_the_first_version_is_taken_over(tmp_path):
    path = tmp_path / "store.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(VERSION_1)
    for _ in range(2):
        store = SqliteStore(path)
        (item,) = store.pending("ue-2", -1, 10, MIDDLE)
        assert (item.key, item.message_id, item.body, item.expires) == (7, "m-7", b"{}", 5)
        assert (item.priority, item.segment) == (MIDDLE, 0)
        (entry,) = store.registered()
        assert (entry.address, entry.content_format) == (("192.0.2.1", 5683), JSON)
        assert not store._execute("SELECT 1 FROM sqlite_master WHERE name = 'messages_by_hop'").fetchall()
        store.close()


def test_a_file_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "store.sqlite"
    SqliteStore(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=3")
    with pytest.raises(sqlite3.DatabaseError, match=r"store\.sqlite was written by a newer msgin5g"):
        SqliteStore(path)


def test_a_duplicate_is_known_while_stored_and_after(store):
    item = put(store)
    assert put(store) is None
    store.remove(item)
    assert put(store) is None
    assert len(store) == 0
    assert store.knows("ue-2", "ue-1", "MSG", "m-1", 0)
    assert not store.knows("ue-2", "ue-1", "MSG", "m-2", 0)


@pytest.mark.parametrize(
    "different",
    [{"hop": "x"}, {"originator": "x"}, {"kind": "IMDN"}, {"message_id": "x"}, {"segment": 1}],
    ids=str,
)
def test_what_differs_in_anything_is_no_duplicate(store, different):
    assert put(store)
    assert put(store, **different)


def test_removed_twice_counts_once(store):
    item = put(store)
    put(store, "m-2")
    store.remove(item)
    store.remove(item)
    assert len(store) == 1


def test_keys_are_never_given_twice_while_it_runs(store):
    # SQLite gives a key again when the highest one is free; what is under way goes by its key.
    first = put(store, "m-1")
    store.remove(first)
    second = put(store, "m-2")
    assert second.key > first.key
    store.remove(first)
    assert len(store) == 1
    assert [item.message_id for item in store.pending("ue-2", first.key, 10)] == ["m-2"]


def test_it_says_when_it_is_full_and_knows_duplicates_even_then(store):
    items = [put(store, f"m-{number}") for number in range(10)]
    with pytest.raises(Full):
        put(store, "m-10")
    assert put(store, "m-3") is None
    store.remove(items[0])
    assert put(store, "m-10")


def test_what_was_committed_is_there_after_reopening(store, clock):
    item = put(store, expires=5, report=True)
    gone = put(store, "m-2")
    store.remove(gone)
    store.save_registered(Registered("ue-1", ("192.0.2.1", 5683), "gateway", b"{}", CBOR))
    store.save_application_server("r-1", "as@a", "{}")
    store = reopened(store, clock)
    back = store.pending("ue-2", -1, 10)
    assert [vars(one) | {"report": bool(one.report)} for one in back] == [vars(item)]
    assert len(store) == 1
    assert put(store) is None
    assert put(store, "m-2") is None
    (entry,) = store.registered()
    assert vars(entry) == vars(Registered("ue-1", ("192.0.2.1", 5683), "gateway", b"{}", CBOR))
    assert store.application_servers() == [("r-1", "as@a", "{}")]
    store.remove_registered("ue-1")
    store.remove_application_server("r-1")
    store = reopened(store, clock)
    assert store.registered() == []
    assert store.application_servers() == []
    store.close()


def test_what_was_not_committed_is_not_known_either(store, clock):
    put(store, "m-1")
    store.commit()
    put(store, "m-2")
    store._database.close()
    store = SqliteStore(store.path, 10, clock)
    assert [item.message_id for item in store.pending("ue-2", -1, 10)] == ["m-1"]
    assert put(store, "m-2") is not None
    store.close()


def test_a_registration_replaces_the_one_before(store):
    store.save_registered(Registered("ue-1", ("192.0.2.1", 1), None, None))
    store.save_registered(Registered("ue-1", ("2001:db8::1", 2, 0, 0), "gateway", b"x"))
    (entry,) = store.registered()
    assert (entry.address, entry.via, entry.body) == (("2001:db8::1", 2, 0, 0), "gateway", b"x")


def test_an_application_server_has_one_registration(store):
    store.save_application_server("r-1", "as@a", "1")
    store.save_application_server("r-2", "as@a", "2")
    assert store.application_servers() == [("r-2", "as@a", "2")]


def test_expired_ones_come_in_the_order_of_their_expiration(store):
    put(store, "never")
    for number in (3, 1, 2, 9):
        put(store, f"m-{number}", expires=number)
    assert [item.message_id for item in store.expired(3, 10)] == ["m-1", "m-2", "m-3"]
    assert [item.message_id for item in store.expired(3.9, 2)] == ["m-1", "m-2"]


def test_identities_are_forgotten_when_they_are_old(store, clock):
    put(store, "old")
    store.commit()
    clock.seconds += REMEMBERED
    put(store, "young")
    store.commit()
    assert store.purge() == 0
    assert store.knows("ue-2", "ue-1", "MSG", "old", 0)
    clock.seconds += 1
    assert store.purge() == 1
    assert store.purge() == 0
    assert not store.knows("ue-2", "ue-1", "MSG", "old", 0)
    assert store.knows("ue-2", "ue-1", "MSG", "young", 0)
    store = reopened(store, clock)
    assert not store.knows("ue-2", "ue-1", "MSG", "old", 0)
    assert store.knows("ue-2", "ue-1", "MSG", "young", 0)
    store.close()


def test_what_is_removed_twice_counts_once(store):
    item, other = put(store, "m-1"), put(store, "m-2")
    store.commit()
    for _ in range(2):
        store.remove(item)
        assert len(store) == 1 and store.octets == len(other.body) and store.uncommitted
    store.commit()
    # Nor does it count when it is not there any more.
    store.remove(item)
    store.commit()
    assert len(store) == 1 and store.octets == len(other.body) and not store.uncommitted
    assert [one.message_id for one in store.pending("ue-2", -1, 9)] == ["m-2"]


def test_what_is_removed_before_it_was_written_is_not_there_after(store):
    store.remove(put(store, "m-1"))
    assert store.pending("ue-2", -1, 9) == []
    assert put(store, "m-1") is None


def test_rows_of_forgotten_identities_are_purged_some_at_a_time(store, clock):
    for number in range(1200):
        store.remove(put(store, f"m-{number}"))
        # Writes what was put.
        store.hops()
    store.commit()
    clock.seconds += REMEMBERED + 1
    put(store, "young")
    steps = []
    while step := store.purge():
        steps.append(step)
    assert sum(steps) == 1200 and max(steps) == 500
    store.commit()
    assert store._execute("SELECT count(*) FROM known").fetchone() == (1,)
    # Rows are numbered on: the next purge does not take younger ones for those.
    put(store, "younger")
    store.commit()
    assert store.purge() == 0


def test_identities_are_bounded_in_number(tmp_path, clock):
    store = SqliteStore(tmp_path / "store.sqlite", 10_000, clock, most_known=100)
    for number in range(2500):
        store.remove(put(store, f"m-{number}"))
        store.hops()
    while store.purge():
        pass
    for _ in range(2):
        assert 75 < len(store.duplicates) <= 100
        assert not store.knows("ue-2", "ue-1", "MSG", "m-2399", 0)
        assert store.knows("ue-2", "ue-1", "MSG", "m-2425", 0)
        assert store.knows("ue-2", "ue-1", "MSG", "m-2499", 0)
        store = reopened(store, clock)
    store.close()


def test_what_was_put_can_be_removed_and_found_before_it_is_committed(store):
    item = put(store, "m-1", expires=1)
    put(store, "m-2", expires=2)
    assert store.knows("ue-2", "ue-1", "MSG", "m-1", 0)
    assert put(store, "m-1") is None
    store.remove(item)
    put(store, "m-3", expires=3)
    assert store.depth("ue-2") == len(store) == 2
    assert [item.message_id for item in store.expired(9, 10)] == ["m-2", "m-3"]
    put(store, "m-4", hop="ue-3")
    assert sorted(store.hops()) == ["ue-2", "ue-3"]
    assert all(store.knows("ue-2", "ue-1", "MSG", f"m-{number}", 0) for number in (1, 2, 3))


def test_only_its_owner_can_read_it(store):
    put(store)
    store.commit()
    files = list(store.path.parent.iterdir())
    assert {file.name for file in files} >= {"store.sqlite", "store.sqlite-wal"}
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_full_disk_ends_it(store):
    put(store, "m-1")
    store.commit()
    put(store, "m-2")
    store._execute("PRAGMA max_page_count=1")
    store.put("ue-2", "ue-1", "MSG", "m-3", 0, b"x" * 100_000)
    # Nothing of this must become durable, now or later.
    for _ in range(2):
        with pytest.raises(sqlite3.Error):
            store.commit()
    store._database.close()
    store = SqliteStore(store.path, 10)
    assert [item.message_id for item in store.pending("ue-2", -1, 10)] == ["m-1"]
    assert put(store, "m-3") is not None
    store.close()


def test_a_full_disk_that_shows_in_between_ends_it_too(store):
    item = put(store, "m-1")
    store._execute("PRAGMA max_page_count=1")
    store.put("ue-2", "ue-1", "MSG", "m-2", 0, b"x" * 100_000)
    store.remove(item)
    with pytest.raises(sqlite3.Error):
        store.hops()
    for _ in range(2):
        with pytest.raises(sqlite3.Error):
            store.commit()


WRITER = """
import sys
from pathlib import Path
from host_tools.store import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
for number in range(1_000_000):
    store.put("ue-2", "ue-1", "MSG", f"m-{number}", 0, b"x" * 200)
    if number % 10 == 9:
        store.commit()
        print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_what_it_committed(tmp_path):
    path = tmp_path / "store.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        committed = [int(writer.stdout.readline()) for _ in range(20)][-1]
        writer.send_signal(signal.SIGKILL)
        # What it wrote before the signal reached it.
        committed = [int(line) for line in writer.stdout.read().splitlines() if line][-1:] or [committed]
    store = SqliteStore(path)
    found = [item.message_id for item in store.pending("ue-2", -1, 2_000_000)]
    assert len(found) == len(store) > committed[0]
    assert found == [f"m-{number}" for number in range(len(found))]
    assert len(found) % 10 == 0
    assert store._execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert put(store, "m-5") is None
    store.close()
