"""The gateway for programs, with the operator key as bearer token: its state as JSON, what passes as a stream."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from host_tools.gateway.page.streams import Streams
    from host_tools.gateway.state import State
    from host_tools.gateway.watch import Seen

# Seconds between two looks at what has passed.
_INTERVAL = 0.5


def routes(state: State, streams: Streams) -> list[Route]:
    """Routes for an application."""
    watch = state.watch

    async def snapshot(_request: Request) -> Response:
        # ASCII, whatever a name has in it.
        return Response(json.dumps(state.snapshot()), media_type="application/json")

    async def passing() -> AsyncIterator[dict[str, Any]]:
        number = watch.number
        while await streams.pause(_INTERVAL):
            for seen in watch.since(number):
                number = seen.number
                yield {
                    "event": "event" if seen.direction is None else "message",
                    "data": json.dumps(_members(seen)),
                }

    async def events(_request: Request) -> Response:
        return streams.respond(passing())

    async def capture(request: Request) -> Response:
        return await state.process.recorders.respond(request, _address_of)

    def _address_of(ue: str) -> Any:
        entry = state.process.gateway.registry.get(ue)
        return entry.address if entry else None

    return [
        Route("/api/state", snapshot),
        Route("/api/events", events),
        Route("/api/capture", capture),
    ]


def _members(seen: Seen) -> dict[str, Any]:
    return {
        "number": seen.number,
        "at": seen.at,
        "word": seen.word,
        "direction": seen.direction,
        "ue": seen.ue,
        "peer": seen.peer(),
        "kind": seen.kind,
        # An event has no Message ID.
        "detail" if seen.direction is None else "message_id": seen.message_id,
        "octets": seen.octets,
        "seconds": seen.seconds,
    }
