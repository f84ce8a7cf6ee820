"""A file of the store that is damaged or read-only: what was committed is never told to be gone, and nothing is told to
be stored that is not."""

import random
import sqlite3

import pytest

from host_tools.store import SqliteStore

PAGE = 4096


def put(store, number):
    return store.put("ue-2", "ue-1", "MSG", f"m-{number}", 0, b"%d" % number * 200)


@pytest.fixture
def path(tmp_path):
    """A file with 2,000 messages."""
    store = SqliteStore(tmp_path / "store.sqlite")
    for number in range(2000):
        put(store, number)
    store.close()
    return store.path


def damage(path, pages):
    """Nonsense in the middle of the file, where the messages are."""
    octets = bytearray(path.read_bytes())
    middle = len(octets) // PAGE // 2 * PAGE
    octets[middle : middle + pages * PAGE] = random.Random(1).randbytes(pages * PAGE)
    path.write_bytes(octets)


def test_damage_is_noticed_at_the_start(path):
    damage(path, 1)
    with pytest.raises(sqlite3.DatabaseError):
        SqliteStore(path)


def test_damage_that_comes_while_it_runs_ends_it_when_it_is_read(path):
    store = SqliteStore(path)
    store._execute("PRAGMA shrink_memory")
    damage(path, 1)
    with pytest.raises(sqlite3.DatabaseError):
        store.pending("ue-2", -1, 2000)
    put(store, 5000)
    # It can't be sure of anything any more, and acknowledges nothing.
    with pytest.raises(sqlite3.DatabaseError):
        store.commit()
    store._database.close()


def test_a_disk_that_becomes_read_only_ends_it(path):
    store = SqliteStore(path)
    put(store, 5000)
    store._execute("PRAGMA query_only=1")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            store.commit()
    store._database.close()
    store = SqliteStore(path)
    assert len(store) == 2000 and not store.knows("ue-2", "ue-1", "MSG", "m-5000", 0)
    store.close()


def test_whatever_is_damaged_no_other_message_is_made_of_it(path):
    # Each flipped octet is noticed, or costs nothing but what it is in.
    chance = random.Random(2)
    good = path.read_bytes()
    for _ in range(40):
        octets = bytearray(good)
        octets[chance.randrange(100, len(octets))] ^= 1 << chance.randrange(8)
        path.write_bytes(octets)
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)
        try:
            store = SqliteStore(path)
            items = store.pending("ue-2", -1, 5000)
            store.close()
        except sqlite3.DatabaseError:
            continue
        except (ValueError, TypeError, UnicodeDecodeError) as error:
            pytest.fail(f"not told as damage: {error!r}")
        assert len(items) >= 1900
