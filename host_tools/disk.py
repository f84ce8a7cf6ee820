"""The disk under a store: whether the store can be opened, and how much space is left.

A commit must never meet a full disk: what it can't write ends the process. So a store takes nothing more while there is
less space than a reserve; what it has goes on, and makes room.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import TYPE_CHECKING

import structlog

from host_tools.settings_base import SettingsError
from host_tools.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from host_tools.settings import GatewaySettings, ServerSettings

_log = structlog.get_logger("msgin5g.store")

_INTERVAL = 1.0
# Space that has to be there again before anything is taken: so much more than the reserve, in eighths of it.
_MORE = 1
# What SQLite says about a file that is damaged, or none of its own.
_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_NO_SPACE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def opened(settings: GatewaySettings | ServerSettings) -> SqliteStore:
    """The store of a gateway or a server.

    Raises:
        SettingsError: it can't be used; with its file, what is the matter, and the way out.
    """
    path = settings.database
    try:
        return SqliteStore(path, settings.most_messages, most_octets=settings.most_octets)
    except sqlite3.Error as error:
        raise SettingsError(f"{path}: {error}{_way_out(path, error)}") from error
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error


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


class Disk:
    """Looks how much space is left on the disk of a store, and keeps the store from using the last of it.

    Args:
        store: the store; its ``disk_low`` is set here.
        reserve: octets that are left free.

    Attributes:
        free: octets that the process may still use, as of the last look.
    """

    def __init__(self, store: SqliteStore, reserve: int) -> None:
        self._store = store
        self._reserve = reserve
        self.free = 0
        self.look()

    def look(self) -> None:
        """Look once."""
        try:
            found = os.statvfs(self._store.path.parent)
        except OSError as error:
            # It says nothing about the file, which is open.
            _log.warning(
                "the disk can't be asked", folder=str(self._store.path.parent), reason=error.strerror
            )
            return
        self.free = found.f_bavail * found.f_frsize
        was_low = self._store.disk_low
        needed = self._reserve + self._reserve * _MORE // 8 if was_low else self._reserve
        self._store.disk_low = self.free < needed
        if self._store.disk_low and not was_low:
            _log.error(
                "the disk is nearly full, nothing new is taken: make room on it, or set `reserve_octets`",
                folder=str(self._store.path.parent),
                free=self.free,
                reserve_octets=self._reserve,
            )
        elif was_low and not self._store.disk_low:
            _log.info("the disk has room again", folder=str(self._store.path.parent), free=self.free)

    async def watch(self) -> None:
        """Look every second, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            self.look()

    def counts(self) -> dict[str, float]:
        """For the log and for /metrics."""
        return {
            "store_octets": self._store.octets,
            "disk_free_octets": self.free,
            "disk_low": self._store.disk_low,
        }
