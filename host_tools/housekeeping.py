"""What a gateway and a server do with their store: take it, commit, forget old identities; and tell their counts."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import sqlite3
from typing import TYPE_CHECKING

from host_tools.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TextIO

    from host_tools.store import SqliteStore

_INTERVAL = 60.0
# New objects between two looks of the garbage collector, etc.: its default of 700 is for small programs.
_GC_THRESHOLDS = (50_000, 20, 50)


def take(database: Path) -> TextIO:
    """Take a database for this process, until what is returned is closed: two would answer for the same messages.

    Raises:
        SettingsError: another process has it, or its folder can't be written to.
    """
    path = database.with_name(database.name + ".lock")
    try:
        path.touch(mode=0o600)
        file = path.open("w", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise
    except BlockingIOError:
        raise SettingsError(f"{database}: another process works with it") from None
    except OSError as error:
        raise SettingsError(f"{database}: {error.strerror}") from error
    return file


def commit(store: SqliteStore) -> None:
    """Make everything so far durable, before anything is acknowledged.

    Raises:
        SystemExit: it can't be. Whatever is not acknowledged is sent again to the process that follows this one.
    """
    try:
        store.commit()
    except sqlite3.Error as error:
        raise SystemExit(
            f"{store.path}: {error}; nothing can be stored, so nothing more is accepted"
        ) from error


async def housekeep(store: SqliteStore, snapshot: Callable[[], Mapping[str, float]], log) -> None:  # noqa: ANN001 (structlog's logger is dynamic)
    """Run until cancelled; counters are logged when they have changed, without those that are zero."""
    # What is there at the start stays: the collector need not look at it again.
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    told: dict[str, float] = {}
    while True:
        await asyncio.sleep(_INTERVAL)
        while store.purge():
            commit(store)
            await asyncio.sleep(0)
        commit(store)
        counts = {key: value for key, value in snapshot().items() if value}
        if counts != told:
            log.info("counters", **counts)
            told = counts
