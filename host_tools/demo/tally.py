"""Keeps count of every message of the demo: sent, delivered, reported, and how long that took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import quantiles

Kind = str


@dataclass
class Tally:
    """Messages by Message ID.

    Attributes:
        kinds: what each was an example of, such as "UE to AS"; those sent.
        deliveries: how often each reached its recipient's application.
        reports: how often its sender was told so.
        milliseconds: from sending it to that report.
        failures: Failure Cause of those that failed.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    deliveries: Counter[str] = field(default_factory=Counter)
    reports: Counter[str] = field(default_factory=Counter)
    milliseconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def sent(self, message_id: str, kind: Kind) -> None:
        """A message was given to its client or server."""
        self.kinds[message_id] = kind

    def delivered(self, message_id: str) -> None:
        """It reached the application it was for."""
        self.deliveries[message_id] += 1

    def reported(self, message_id: str, milliseconds: float) -> None:
        """Its sender got the delivery status report, so long after sending it."""
        self.reports[message_id] += 1
        self.milliseconds[message_id] = milliseconds

    def failed(self, message_id: str, cause: str | None) -> None:
        """Its sender was told that it will not be delivered."""
        self.failures[message_id] = cause or "no cause given"

    def of(self, kind: Kind | None = None) -> Totals:
        """Totals for a kind, or for all."""
        mine = [message_id for message_id, its in self.kinds.items() if kind in (None, its)]
        return Totals(
            sent=len(mine),
            delivered=sum(self.deliveries[message_id] > 0 for message_id in mine),
            duplicates=sum(max(0, self.deliveries[message_id] - 1) for message_id in mine),
            reports=sum(self.reports[message_id] > 0 for message_id in mine),
            milliseconds=sorted(self.milliseconds[one] for one in mine if one in self.milliseconds),
        )

    def complete(self, kind: Kind) -> bool:
        """Is the fate of all messages of a kind known?"""
        totals = self.of(kind)
        return totals.delivered == totals.reports == totals.sent


@dataclass
class Totals:
    """Counts of messages, and their times from sending to report, in ascending order."""

    sent: int
    delivered: int
    duplicates: int
    reports: int
    milliseconds: list[float]

    @property
    def lost(self) -> int:
        """Sent and not delivered."""
        return self.sent - self.delivered

    def percentile(self, percent: int) -> float | None:
        """So many percent took no longer than this; None when nothing was measured."""
        if len(self.milliseconds) < 2:
            return self.milliseconds[0] if self.milliseconds else None
        return quantiles(self.milliseconds, n=100, method="inclusive")[percent - 1]
