"""What a gateway and a server do from time to time: forget old identities, tell the log what has been counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from host_tools.store import SqliteStore

_INTERVAL = 60.0


async def housekeep(store: SqliteStore, snapshot: Callable[[], Mapping[str, float]], log) -> None:  # noqa: ANN001 (structlog's logger is dynamic)
    """Run until cancelled; counters are logged when they have changed, without those that are zero."""
    told: dict[str, float] = {}
    while True:
        await asyncio.sleep(_INTERVAL)
        while store.purge():
            store.commit()
            await asyncio.sleep(0)
        store.commit()
        counts = {key: value for key, value in snapshot().items() if value}
        if counts != told:
            log.info("counters", **counts)
            told = counts
