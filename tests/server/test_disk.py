"""A disk that is nearly full, full, read-only, or has a damaged file on it."""

import os
import resource
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest
from msgin5g import wire
from msgin5g.store import Full

from host_tools import housekeeping, keeper
from host_tools.clock import Clock
from host_tools.disk import Disk
from host_tools.settings import ServerSettings
from host_tools.settings_base import SettingsError
from host_tools.store import SqliteStore


def settings(tmp_path, **more):
    return ServerSettings(database=tmp_path / "server.sqlite", **more)


def put(store, number, octets=100):
    return store.put("", "ue", wire.MSG, f"m-{number}", 0, b"x" * octets)


def test_a_disk_that_is_nearly_full(tmp_path, monkeypatch):
    free = 1000

    def statvfs(_folder):
        return SimpleNamespace(f_bavail=free, f_frsize=1024)

    store = SqliteStore(tmp_path / "a.sqlite")
    monkeypatch.setattr(os, "statvfs", statvfs)
    disk = Disk(store, 800 * 1024)
    assert put(store, 1) and not store.disk_low and disk.counts()["disk_free_octets"] == 1000 * 1024
    free = 799
    disk.look()
    with pytest.raises(Full):
        put(store, 2)
    # Not again with the first octet that is free.
    free = 850
    disk.look()
    assert store.disk_low and disk.counts()["disk_low"]
    free = 901
    disk.look()
    assert put(store, 2)


def test_a_disk_that_cannot_be_asked_changes_nothing(tmp_path, monkeypatch):
    def statvfs(_folder):
        raise OSError(5, "Input/output error")

    store = SqliteStore(tmp_path / "a.sqlite")
    disk = Disk(store, 1)
    monkeypatch.setattr(os, "statvfs", statvfs)
    disk.look()
    assert put(store, 1)


def test_a_full_disk_ends_the_process_and_nothing_that_was_committed_is_lost(tmp_path):
    path = tmp_path / "a.sqlite"
    store = SqliteStore(path)
    store._database.execute("PRAGMA max_page_count=60")
    committed = 0

    def fill():
        nonlocal committed
        for number in range(10000):
            put(store, number, 1000)
            housekeeping.commit(store)
            committed = number + 1

    with pytest.raises(SystemExit, match=r"a\.sqlite: database or disk is full; nothing can be stored"):
        fill()
    assert 5 < committed < 200
    store._database.close()
    store = SqliteStore(path)
    assert [item.message_id for item in store.pending("", -1, 1000)] == [f"m-{n}" for n in range(committed)]


FULL_FILE = """
import resource, signal, sys
from pathlib import Path
from host_tools.housekeeping import commit
from host_tools.store import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
for number in range(100000):
    store.put("", "ue", "MSG", f"m-{number}", 0, b"x" * 1000)
    commit(store)
    print(number, flush=True)
"""


def test_a_file_that_cannot_grow_ends_the_process_with_a_reason(tmp_path):
    if not hasattr(resource, "RLIMIT_FSIZE"):
        pytest.skip("no limit of a file's size here")
    path = tmp_path / "a.sqlite"
    ended = subprocess.run(
        [sys.executable, "-c", FULL_FILE, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode and "nothing can be stored" in ended.stderr
    store = SqliteStore(path)
    told = [f"m-{number}" for number in ended.stdout.split()]
    # What was told is there, and at most the one that was under way.
    there = [item.message_id for item in store.pending("", -1, 100_000)]
    assert told and there[: len(told)] == told and len(there) <= len(told) + 1


@pytest.mark.parametrize(
    "garbage", [b"this is no database" * 300, bytes(8192), b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_file_is_named_with_the_way_out(tmp_path, garbage):
    (tmp_path / "server.sqlite").write_bytes(garbage)
    with pytest.raises(
        SettingsError, match=r"server\.sqlite: .*Move server\.sqlite.* away and put a copy back"
    ):
        keeper.opened(settings(tmp_path), Clock())
    assert (tmp_path / "server.sqlite").read_bytes() == garbage


def test_a_file_with_a_damaged_page_is_named_when_it_is_read(tmp_path):
    path = tmp_path / "server.sqlite"
    store = SqliteStore(path)
    for number in range(300):
        put(store, number, 2000)
    store.close()
    octets = bytearray(path.read_bytes())
    for page in range(2, len(octets) // 4096):
        octets[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(octets)
    with pytest.raises(SettingsError, match=r"server\.sqlite: .*malformed.* put a copy back"):
        keeper.opened(settings(tmp_path), Clock())


def test_a_file_that_cannot_be_written_is_named_with_the_way_out(tmp_path, monkeypatch):
    keeper.opened(settings(tmp_path), Clock()).close()
    connect = sqlite3.connect

    def read_only(path, **more):
        # As the disk of a box whose medium has failed: root may write to any file.
        return connect(f"file:{path}?mode=ro", uri=True, **more)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(
        SettingsError, match=r"server\.sqlite: attempt to write a readonly database.*writable"
    ):
        keeper.opened(settings(tmp_path), Clock())


def test_the_bounds_of_the_settings_hold(tmp_path):
    kept = keeper.Keeper(settings(tmp_path, most_octets=65536, reserve_octets=0))
    for number in range(65):
        assert put(kept.store, number, 1000)
    with pytest.raises(Full):
        put(kept.store, 65, 1000)
    assert kept.counts()["store_octets"] == 65000 and not kept.counts()["disk_low"]
    kept.store.close()
    kept = keeper.Keeper(settings(tmp_path, reserve_octets=1 << 60))
    assert kept.counts()["disk_low"] and kept.store.room() == 0
