"""What a gateway and a server do with their store: commit, forget old identities; and tell the log what was counted."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from host_tools.store import SqliteStore

_INTERVAL = 60.0


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
