"""How much space is left on the disk of a store.

A commit must never meet a full disk: what it can't write ends the process. So a store takes nothing more while there is
less space than a reserve; what it has goes on, and makes room.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from host_tools.store import SqliteStore

_log = structlog.get_logger("msgin5g.store")

# Space that has to be there again before anything is taken: so much more than the reserve, in eighths of it.
_MORE = 1


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
        """To be called every second."""
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

    def counts(self) -> dict[str, float]:
        """For the log and for /metrics."""
        return {
            "store_octets": self._store.octets,
            "disk_free_octets": self.free,
            "disk_low": self._store.disk_low,
        }
