"""What keeps the messages of a gateway or a server: the store, the clock they are held by, and the disk under it."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

from host_tools.clock import Clock
from host_tools.disk import Disk
from host_tools.settings_base import SettingsError
from host_tools.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from host_tools.settings import GatewaySettings, ServerSettings

_INTERVAL = 1.0
# What SQLite says about a file that is damaged, or none of its own.
_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_NO_SPACE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def opened(settings: GatewaySettings | ServerSettings, clock: Clock) -> SqliteStore:
    """The store of a gateway or a server, held by a clock.

    Raises:
        SettingsError: it can't be used; with its file, what is the matter, and the way out.
    """
    path = settings.database
    try:
        store = SqliteStore(path, settings.most_messages, clock.held, most_octets=settings.most_octets)
        clock.keep(store)
    except sqlite3.Error as error:
        raise SettingsError(f"{path}: {error}{_way_out(path, error)}") from error
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    return store


def _way_out(path: Path, error: sqlite3.Error) -> str:
    # The code's first octet is the kind, the others are details.
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in _DAMAGED:
        files = f"{path.name}, {path.name}-wal and {path.name}-shm"
        return (
            f". Move {files} away and put a copy back, or start without: the messages in it are lost then, and devices"
            f" have to be enrolled anew. `sqlite3 {path.name} .recover` may save some of it"
        )
    if kind in _READ_ONLY:
        return f". {path.name}, the files beside it and their folder have to be writable, and the disk too"
    if kind in _NO_SPACE:
        return f". Make room on the disk, or move {path.name} and what is beside it to another one and set `database`"
    return ""


class Keeper:
    """The store of a process, with what looks after it.

    Args:
        settings: of the gateway or the server.

    Attributes:
        store: the store.
        clock: the time of day, and what the store goes by.
        disk: the space that is left.

    Raises:
        SettingsError: the store can't be used.
    """

    def __init__(self, settings: GatewaySettings | ServerSettings) -> None:
        self.clock = Clock()
        self.store = opened(settings, self.clock)
        self.disk = Disk(self.store, settings.reserve_octets)

    async def watch(self, *looks: Callable[[], None]) -> None:
        """Look at clock and disk, and whatever else is to be looked at, every second, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            for look in (self.clock.look, self.disk.look, *looks):
                look()

    def counts(self) -> dict[str, float]:
        """For the log and for /metrics."""
        return {"clock_jumps": self.clock.jumps, **self.disk.counts()}
