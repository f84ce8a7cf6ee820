"""What /metrics has of a gateway besides its counters: delivery times, and what waits by priority."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from msgin5g.delivery import HIGH, LOW, MIDDLE
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from host_tools.gateway.sparingly import Sparingly

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric

    from host_tools.store import SqliteStore

# Seconds, from a board that listens to one that sleeps until tomorrow.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
_PRIORITIES = {HIGH: "high", MIDDLE: "middle", LOW: "low"}
_COUNT = "SELECT hop = '', priority, count(*) FROM messages GROUP BY 1, 2"


class Times:
    """Delivery times in one direction, as a histogram.

    Attributes:
        untimed: messages that were delivered and that nobody knows how long they took.
    """

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum = 0.0
        self.untimed = 0

    def add(self, seconds: float | None) -> None:
        """One more; None for one whose time is not known."""
        if seconds is None:
            self.untimed += 1
            return
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self._sum += seconds

    def add_to(self, family: HistogramMetricFamily, direction: str) -> None:
        """Put them into a family of metrics."""
        names = [*(f"{bound:g}" for bound in _BOUNDS), "+Inf"]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        family.add_metric([direction], buckets, self._sum)


class GatewayMetrics(Collector):
    """A collector for Prometheus' client.

    Args:
        store: what messages wait in.
        times: direction -> delivery times; empty where nobody watches.
    """

    def __init__(self, store: SqliteStore, times: Mapping[str, Times]) -> None:
        self._store = store
        self._times = times
        # It reads as much of the index as there are messages.
        self._counted = Sparingly(self._count)

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        waiting = GaugeMetricFamily(
            "msgin5g_gateway_queue_messages",
            "messages that wait, by direction (up: for the server) and priority; counted the more rarely the more"
            " there are",
            labels=["direction", "priority"],
        )
        for labels, count in self._counted().items():
            waiting.add_metric(labels, count)
        yield waiting
        if not self._times:
            return
        times = HistogramMetricFamily(
            "msgin5g_gateway_delivery_seconds",
            "seconds from stored in the gateway to accepted by the server (up) or the UE (down)",
            labels=["direction"],
        )
        untimed = GaugeMetricFamily(
            "msgin5g_gateway_delivery_untimed",
            "messages delivered that are in no bucket of msgin5g_gateway_delivery_seconds: stored too long ago",
            labels=["direction"],
        )
        for direction, one in self._times.items():
            one.add_to(times, direction)
            untimed.add_metric([direction], one.untimed)
        yield times
        yield untimed

    def _count(self) -> dict[tuple[str, str], int]:
        counts = {(side, name): 0 for side in ("up", "down") for name in _PRIORITIES.values()}
        for is_up, priority, count in self._store.rows(_COUNT):
            counts["up" if is_up else "down", _PRIORITIES[priority]] = count
        return counts
