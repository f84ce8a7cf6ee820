"""When UEs are there: the windows in which they can be spoken to, and registrations that nobody renews."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from msgin5g import availability, messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgin5g.registry import Registered

_NOTHING: dict[int, Any] = {}
# Entries of a heap that may be out of date, beyond as many as there are others.
_STALE = 64


class Windows:
    """The Communication Availability of UEs that are at the server itself (TS 23.554, 8.2.1).

    A UE behind a gateway is always open: the gateway holds what is for it.

    Args:
        wall_clock: seconds since 1970.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        # UE Service ID -> the registration that was read, and what it says.
        self._schedules: dict[str, tuple[Registered, dict[int, Any]]] = {}
        # When somebody waits for a window to open, the time and the UE; and the other way round.
        self._next: list[tuple[float, str]] = []
        self._awaited: dict[str, float] = {}

    def is_open(self, entry: Registered) -> bool:
        """Can it be spoken to now? If not, it will be among the :meth:`opened`."""
        schedule = self._schedule(entry)
        if not schedule:
            return True
        is_open, change = availability.open_at(schedule, self._wall_clock())
        if not is_open and change is not None and self._awaited.get(entry.ue_service_id) != change:
            self._awaited[entry.ue_service_id] = change
            heapq.heappush(self._next, (change, entry.ue_service_id))
            if len(self._next) > 2 * len(self._awaited) + _STALE:
                # Most of them are of registrations that others have replaced.
                self._next = [(at, ue) for ue, at in self._awaited.items()]
                heapq.heapify(self._next)
        return is_open

    def opens(self, entry: Registered) -> float | None:
        """When the next window opens, in seconds since 1970; None where one is open."""
        is_open, change = availability.open_at(self._schedule(entry), self._wall_clock())
        return None if is_open else change

    def wants_storing(self, entry: Registered) -> bool:
        """Does it want what comes for it while it is away?"""
        return availability.wants_storing(self._schedule(entry))

    def forget(self, ue_service_id: str) -> None:
        """It is not registered any more."""
        self._schedules.pop(ue_service_id, None)
        self._awaited.pop(ue_service_id, None)

    def clock_jumped(self) -> None:
        """Whoever waits is among the next :meth:`opened`, and may find that it is to wait again."""
        self._awaited = dict.fromkeys(self._awaited, 0.0)
        self._next = [(0.0, ue) for ue in self._awaited]

    def opened(self) -> list[str]:
        """UE Service IDs of those whose window has opened since the last time."""
        opened = []
        wall = self._wall_clock()
        while self._next and self._next[0][0] <= wall:
            change, ue = heapq.heappop(self._next)
            # Another time may have been set meanwhile, by another registration.
            if self._awaited.get(ue) == change:
                del self._awaited[ue]
                opened.append(ue)
        return opened

    def _schedule(self, entry: Registered) -> dict[int, Any]:
        if entry.via:
            return _NOTHING
        known = self._schedules.get(entry.ue_service_id)
        if known is None or known[0] is not entry:
            known = self._schedules[entry.ue_service_id] = entry, _read(entry)
        return known[1]


def _read(entry: Registered) -> dict[int, Any]:
    try:
        return availability.of(messages.decode(entry.body)) or _NOTHING
    except messages.BadMessage:
        # Stored by a version that took what this one does not.
        return _NOTHING


class Lifetimes:
    """Who has given a sign of life lately. The clock begins anew when the server does.

    Args:
        wall_clock: seconds since 1970.
        lifetime: seconds of silence after which a registration ends.
    """

    def __init__(self, wall_clock: Callable[[], float], lifetime: int) -> None:
        self._wall_clock = wall_clock
        self._lifetime = lifetime
        # Whoever has been silent for longest is first.
        self._heard: OrderedDict[str, float] = OrderedDict()

    def heard(self, ue_service_id: str) -> None:
        """It is there."""
        self._heard[ue_service_id] = self._wall_clock()
        self._heard.move_to_end(ue_service_id)

    def forget(self, ue_service_id: str) -> None:
        """It is not registered any more."""
        self._heard.pop(ue_service_id, None)

    def ended(self, most: int) -> list[str]:
        """Those whose time is over, who are forgotten by that."""
        ended = []
        before = self._wall_clock() - self._lifetime
        while self._heard and len(ended) < most:
            ue, at = next(iter(self._heard.items()))
            if at > before:
                break
            del self._heard[ue]
            ended.append(ue)
        return ended
