"""The clocks of a gateway and a server: the time of day, which may jump, and the time that messages are held by.

A message is held for as long as it is to be held, whatever becomes of the clock on the wall: somebody sets it, it is
found to be wrong, or a box without a battery starts in 1970. So what is stored goes by a clock of its own, which only
ever goes on. It differs from the time of day by an offset, which takes up each jump and is kept in the store. While a
process does not run, time passes as the time of day says it, but never backwards. Dates that people and UEs state are
times of day; how long it is until then is what counts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from host_tools.store import SqliteStore

_SCHEMA = "CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY, offset REAL NOT NULL)"
# Seconds that the time of day may be off before that is a jump; smaller differences are followed.
_SMALL = 2.0
# A time before that has not been set: 2020, in seconds since 1970.
_LEAST = 1_577_836_800

_log = structlog.get_logger("msgin5g.clock")


def elapsed() -> float:
    """Seconds since the system has started, asleep or not: it never jumps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Both clocks.

    Args:
        wall: the time of day, in seconds since 1970.
        passed: seconds that have passed since some moment.

    Attributes:
        jumps: how often the time of day has jumped since the process has started.
        on_jump: called with the seconds by which it has.
    """

    def __init__(self, wall: Callable[[], float] = time.time, passed: Callable[[], float] = elapsed) -> None:
        self.jumps = 0
        self.on_jump: Callable[[float], None] = lambda _seconds: None
        self.wall = wall
        self._passed = passed
        self._offset = 0.0
        self._base = wall() - passed()
        self._store: SqliteStore | None = None

    def held(self) -> float:
        """What expiration times in a store go by: seconds since 1970 as long as the time of day does not jump."""
        return self._base + self._passed()

    def known(self) -> float | None:
        """The time of day; None where it has not been set."""
        wall = self.wall()
        return wall if wall >= _LEAST else None

    def keep(self, store: SqliteStore) -> None:
        """Go on from where the clock of a store was; to be called once, before anything is stored."""
        store.add_tables(_SCHEMA)
        self._store = store
        rows = store.rows("SELECT offset FROM clock")
        self._offset = rows[0][0] if rows else 0.0
        wall = self.wall()
        latest = store.last_written()
        if wall - self._offset < latest - _SMALL:
            _log.warning(
                "the clock has gone back while nothing ran", seconds=round(wall - self._offset - latest)
            )
            self._take(wall - latest)
        self._base = wall - self._offset - self._passed()
        if self.known() is None:
            _log.warning("the clock is not set: windows of UEs are not looked at, dates are wrong")

    def look(self) -> None:
        """Has the time of day jumped? To be called every second."""
        wall = self.wall()
        seconds = wall - self._offset - self.held()
        if abs(seconds) <= _SMALL:
            self._base += seconds
            return
        self.jumps += 1
        _log.warning("the clock has jumped; what is stored is held as long as before", seconds=round(seconds))
        self._take(self._offset + seconds)
        self.on_jump(seconds)

    def _take(self, offset: float) -> None:
        self._offset = offset
        if self._store is not None:
            self._store.change("INSERT OR REPLACE INTO clock VALUES (1, ?)", (offset,))
