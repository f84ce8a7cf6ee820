"""Bounds of single devices, beside the device registry: what one of them may send, where it is not what all may.

``msgin5g limit`` writes them; the gateway that serves the devices may run meanwhile, and takes note within a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from host_tools.store import SqliteStore

SCHEMA = """
CREATE TABLE IF NOT EXISTS device_limits (
    ue_service_id TEXT PRIMARY KEY,
    requests_per_second INTEGER,
    messages INTEGER
) WITHOUT ROWID;
"""
_SELECT = "SELECT ue_service_id, requests_per_second, messages FROM device_limits ORDER BY 1"


class Limit(NamedTuple):
    """Bounds of one device; None where it has none of its own.

    Attributes:
        ue_service_id: whose.
        requests_per_second: of its requests; more are answered 4.29.
        messages: that it has sent and that are still here, and that wait for it; beyond that 5.03.
    """

    ue_service_id: str
    requests_per_second: int | None = None
    messages: int | None = None


def of_all(database: sqlite3.Connection) -> list[Limit]:
    """All bounds, by name."""
    database.execute(SCHEMA)
    return [Limit(*row) for row in database.execute(_SELECT)]


def put(database: sqlite3.Connection, limit: Limit) -> None:
    """Set the bounds of a device, in place of those it has; without any it has none of its own any more."""
    database.execute(SCHEMA)
    if limit.requests_per_second is None and limit.messages is None:
        database.execute("DELETE FROM device_limits WHERE ue_service_id = ?", (limit.ue_service_id,))
    else:
        database.execute("INSERT OR REPLACE INTO device_limits VALUES (?, ?, ?)", limit)


class Limits:
    """The bounds, in a process that keeps them.

    Args:
        store: has them.
        apply: called with both tables, by UE Service ID: requests in a second; messages.
    """

    def __init__(self, store: SqliteStore, apply: Callable[[dict[str, int], dict[str, int]], None]) -> None:
        store.add_tables(SCHEMA)
        self._store = store
        self._apply = apply
        self._version = -1
        self.look()

    def look(self) -> None:
        """Have they been changed by somebody else? To be called every second."""
        version = self._store.foreign_changes()
        if version == self._version:
            return
        self._version = version
        limits = [Limit(*row) for row in self._store.rows(_SELECT)]
        self._apply(
            {
                one.ue_service_id: one.requests_per_second
                for one in limits
                if one.requests_per_second is not None
            },
            {one.ue_service_id: one.messages for one in limits if one.messages is not None},
        )
