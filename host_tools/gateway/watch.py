"""What passes a gateway, remembered for its operator: messages and events, who was heard when, how long it took.

Everything is bounded, and costs the same for each message however many UEs there are; what is shown is worked out when
somebody looks.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_right
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from msgin5g import messages, wire
from msgin5g.delivery import Item

from host_tools.gateway.metrics import Times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UP, DOWN = "up", "down"

# Messages and events that are remembered, and the longest body among them.
_MOST_SEEN = 1000
_LONGEST_BODY = 4096
# Messages whose time of storing is known to the second, a power of two; of older ones it is known to the minute.
_TIMED = 1 << 16
_MOST_MARKS = 8 * 24 * 60
# Delivery times that percentiles are taken of.
_MOST_TIMES = 1000
# Minutes that are counted.
MINUTES = 60


class Seen(NamedTuple):
    """A message at one point of its way, or an event.

    Attributes:
        number: grows by one with each.
        at: seconds since 1970.
        word: ``stored``, ``delivered``, ``expired`` or ``flushed``; of an event, what happened.
        direction: ``up`` or ``down``; None for an event.
        ue: UE Service ID that it is of or for; None for the gateway itself.
        kind: Message Type; None for an event.
        message_id: its Message ID; the details of an event.
        octets: of its body.
        seconds: from stored to delivered, where that is known.
        body: as it is stored, unless it is long.
    """

    number: int
    at: float
    word: str
    direction: str | None
    ue: str | None
    kind: str | None
    message_id: str
    octets: int = 0
    seconds: float | None = None
    body: bytes | None = None

    def peer(self) -> str | None:
        """Who is at the other end, behind the server; None when that is not known."""
        if self.body is None or self.direction is None or self.kind in (wire.REG, wire.DEREG):
            return None
        return _peer(self.body, self.direction)


@lru_cache(maxsize=_MOST_SEEN)
def _peer(body: bytes, direction: str) -> str | None:
    try:
        elements = messages.decode(body)
    except messages.BadMessage:
        return None
    of = messages.recipient if direction == UP else messages.originator
    return of(elements)[1]


class Watch:
    """Watches a gateway.

    Args:
        next_key: the key that the store gives next: what has a lower one was stored before.
        most_ues: bound of the UEs whose last sign of life is known; the one that has been known longest goes.
        clock: seconds since 1970.

    Attributes:
        started: when, in seconds since 1970.
        last_seen: UE Service ID -> its last sign of life, in seconds since 1970.
        took: UE Service ID -> seconds that the last message for it waited.
        times: direction -> seconds from stored to delivered, of the last messages.
        histograms: direction -> the same of all messages, for /metrics.
    """

    def __init__(self, next_key: int, most_ues: int, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._most_ues = most_ues
        self.started = clock()
        self.last_seen: dict[str, float] = {}
        self.took: dict[str, float] = {}
        self.times: dict[str, deque[float]] = {side: deque(maxlen=_MOST_TIMES) for side in (UP, DOWN)}
        self.histograms = {side: Times() for side in (UP, DOWN)}
        # (when, word, the item or what an event says, UE, seconds), and how many there were in all.
        self._seen: deque[tuple[float, str, Item | str, str | None, float | None]] = deque(maxlen=_MOST_SEEN)
        self._number = 0
        # When the newest messages were stored, each in the slot of its key.
        self._keys = array("q", bytes(8 * _TIMED))
        self._at = array("d", bytes(8 * _TIMED))
        # The first key of each minute, and when that was.
        self._marks: deque[tuple[int, float]] = deque([(next_key, self.started)], maxlen=_MOST_MARKS)
        # Minute -> how many messages were stored in it, up and down; the one that passes, and its end.
        self._minutes: dict[int, list[int]] = {}
        self._minute = [0, 0]
        self._minute_begins = self._minute_ends = 0.0

    # -- what happens

    def on_traffic(self, word: str, item: Item | None, ue: str, _now: int) -> None:
        """See Gateway.on_traffic."""
        at = self._clock()
        if item is None:
            self._heard(ue, at)
            return
        seconds = None
        if word == "stored":
            slot = item.key % _TIMED
            self._keys[slot] = item.key
            self._at[slot] = at
            if not self._minute_begins <= at < self._minute_ends:
                self._begin_minute(item.key, at)
            self._minute[1 if item.hop else 0] += 1
        elif word == "delivered":
            seconds = self._delivered(item, ue, at)
        if len(item.body) > _LONGEST_BODY:
            item = _without_body(item)
        self._number += 1
        self._seen.append((at, word, item, ue, seconds))

    def on_event(self, word: str, detail: dict[str, Any]) -> None:
        """See Gateway.on_event."""
        at = self._clock()
        ue = detail.get("ue")
        if word == "client registered":
            self._heard(detail["ue"], at)
        told = ", ".join(
            f"{key} {value}" for key, value in detail.items() if key != "ue" and value is not None
        )
        self._number += 1
        self._seen.append((at, word, told, ue, None))

    def _heard(self, ue: str, at: float) -> None:
        if ue not in self.last_seen and len(self.last_seen) >= self._most_ues:
            oldest = next(iter(self.last_seen))
            del self.last_seen[oldest]
            self.took.pop(oldest, None)
        self.last_seen[ue] = at

    def _delivered(self, item: Item, ue: str, at: float) -> float | None:
        if item.hop:
            self._heard(ue, at)
        slot = item.key % _TIMED
        if self._keys[slot] != item.key:
            return None
        # A clock that was set back makes no message early.
        seconds = max(0.0, at - self._at[slot])
        if item.hop:
            self.times[DOWN].append(seconds)
            self.took[ue] = seconds
        else:
            self.times[UP].append(seconds)
        return seconds

    def _begin_minute(self, key: int, at: float) -> None:
        minute = int(at // 60)
        self._minute_begins, self._minute_ends = minute * 60.0, minute * 60.0 + 60
        self._marks.append((key, at))
        self._minute = self._minutes.setdefault(minute, [0, 0])
        while len(self._minutes) > MINUTES:
            del self._minutes[next(iter(self._minutes))]

    # -- what an operator sees of it

    @property
    def number(self) -> int:
        """Of the newest that was seen."""
        return self._number

    def since(self, number: int) -> list[Seen]:
        """What was seen after a number, oldest first, as far as it is remembered."""
        newer = min(self._number - number, len(self._seen))
        return [self._nth(back) for back in range(newer, 0, -1)]

    def newest(self) -> Iterator[Seen]:
        """What was seen, newest first."""
        return (self._nth(back) for back in range(1, len(self._seen) + 1))

    def _nth(self, back: int) -> Seen:
        at, word, what, ue, seconds = self._seen[-back]
        number = self._number + 1 - back
        if isinstance(what, str):
            return Seen(number, at, word, None, ue, None, what)
        body = what.body
        size = what.size if isinstance(what, _Large) else len(body)
        direction = DOWN if what.hop else UP
        return Seen(number, at, word, direction, ue, what.kind, what.message_id, size, seconds, body or None)

    def stored_at(self, key: int) -> float | None:
        """When a message was stored, to the minute at least; None for before the gateway was started."""
        slot = key % _TIMED
        if self._keys[slot] == key:
            return self._at[slot]
        marks = list(self._marks)
        place = bisect_right(marks, key, key=lambda mark: mark[0])
        return marks[place - 1][1] if place else None

    def percentiles(self, direction: str) -> dict[str, float | int | None]:
        """How many delivery times are known, the last one, and percentiles, in seconds."""
        times = self.times[direction]
        if not times:
            return {"count": 0, "last": None, "p50": None, "p99": None}
        order = sorted(times)
        return {
            "count": len(order),
            "last": times[-1],
            "p50": order[(len(order) - 1) // 2],
            "p99": order[(len(order) - 1) * 99 // 100],
        }

    def per_minute(self) -> dict[str, list[int]]:
        """Messages stored in each of the last minutes, the one that is passing last."""
        this = int(self._clock() // 60)
        nothing = [0, 0]
        counts = [self._minutes.get(minute, nothing) for minute in range(this - MINUTES + 1, this + 1)]
        return {UP: [count[0] for count in counts], DOWN: [count[1] for count in counts]}


class _Large(Item):
    # Whose body is too long to be remembered: size is what it had.
    size = 0


def _without_body(item: Item) -> Item:
    large = _Large(item.key, item.hop, item.originator, item.kind, item.message_id, b"")
    large.size = len(item.body)
    return large
