"""What an operator asks a process over HTTP: ``/healthz``, and ``/metrics`` in Prometheus' text format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import UntypedMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.core import Metric
    from starlette.requests import Request


class _Counts(Collector):
    # Collects when asked: the core counts in plain dicts, and needs to know nothing of Prometheus.
    def __init__(self, prefix: str, snapshot: Callable[[], Mapping[str, float]]) -> None:
        self._prefix = prefix
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for name, value in self._snapshot().items():
            yield UntypedMetricFamily(
                f"msgin5g_{self._prefix}_{name}", name.replace("_", " "), value=float(value)
            )


def routes(
    prefix: str,
    snapshot: Callable[[], Mapping[str, float]],
    healthy: Callable[[], bool],
    *further: Collector,
) -> list[Route]:
    """Routes for an application.

    Args:
        prefix: ``server`` or ``gateway``: the metrics are called ``msgin5g_<prefix>_<counter>``.
        snapshot: everything that is counted.
        healthy: whether the process can do its work.
        further: collectors of what is more than a number with a name.
    """
    registry = CollectorRegistry()
    for collector in (_Counts(prefix, snapshot), *further):
        registry.register(collector)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n" if healthy() else "not ready\n", 200 if healthy() else 503)

    return [Route("/metrics", metrics), Route("/healthz", healthz)]
