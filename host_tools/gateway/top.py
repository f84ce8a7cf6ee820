"""The UEs of a gateway in an order of interest, for `msgin5g top`: ``GET /api/devices``."""

from __future__ import annotations

import json
from dataclasses import asdict
from heapq import nlargest
from typing import TYPE_CHECKING

from msgin5g import gateway_operator
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from host_tools.gateway.devices import DeviceTable
from host_tools.gateway.sparingly import Sparingly

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from host_tools.gateway.process import GatewayProcess
    from host_tools.gateway.watch import Watch

# UEs in one answer.
MOST = 500
SORTS = ("seen", "queue", "took", "name")


def routes(process: GatewayProcess, watch: Watch) -> list[Route]:
    """Routes for an application. Query parameters: ``sort``, ``search`` (part of the name) and ``most``."""
    table = DeviceTable(process, watch)

    def waiting(ue: str) -> int:
        return sum(gateway_operator.queue(process.gateway, ue))

    def by_name(search: str, most: int) -> list[str]:
        return table.names(search, "", "", most)

    def largest(values: dict[str, float], search: str, most: int) -> list[str]:
        return nlargest(most, (ue for ue in values if search in ue), key=values.__getitem__)

    def by_queue(search: str, most: int) -> list[str]:
        # Who has the same is in the order of names.
        names = sorted(entry.ue_service_id for entry in process.gateway.registry)
        return nlargest(most, (ue for ue in names if search in ue), key=waiting)

    orders: dict[str, Callable[[str, int], list[str]]] = {
        "seen": lambda search, most: largest(watch.last_seen, search, most),
        "took": lambda search, most: largest(watch.took, search, most),
        "queue": by_queue,
        "name": by_name,
    }
    names = Sparingly(lambda sort, search, most: orders[sort](search, most))

    async def devices(request: Request) -> Response:
        query = request.query_params
        sort, search, most = query.get("sort", "name"), query.get("search", ""), query.get("most", "50")
        if sort not in orders:
            return PlainTextResponse(f"sort: expected one of {', '.join(SORTS)}\n", 400)
        if not most.isdecimal() or not 1 <= int(most[:9]) <= MOST:
            return PlainTextResponse(f"most: expected 1 to {MOST}\n", 400)
        rows = table.rows(names(sort, search[:255], int(most)))
        # ASCII, whatever a name has in it.
        return Response(json.dumps({"devices": [asdict(row) for row in rows]}), media_type="application/json")

    return [Route("/api/devices", devices)]
