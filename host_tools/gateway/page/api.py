"""The gateway for programs, with the operator key as bearer token: its state as JSON, what passes as a stream."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from sse_starlette import EventSourceResponse
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from host_tools.gateway.state import State
    from host_tools.gateway.watch import Seen

# Streams at once, of the page and of programs together.
MOST_STREAMS = 64
# Seconds between two looks at what has passed.
_INTERVAL = 0.5


class Streams:
    """Server-sent events to those who watch, until they go or the gateway stops."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self._open = 0

    def __len__(self) -> int:
        return self._open

    def respond(self, events: AsyncIterator[dict[str, Any]]) -> Response:
        """A response that is a stream of events."""
        if self._open >= MOST_STREAMS:
            return PlainTextResponse(
                f"{self._open} watch already; close a page.\n", 503, {"Retry-After": "30"}
            )
        return EventSourceResponse(
            self._counted(events), send_timeout=30, headers={"Cache-Control": "no-store"}
        )

    async def pause(self, seconds: float) -> bool:
        """Wait; True while the stream is to go on."""
        try:
            await asyncio.wait_for(self.stopped.wait(), seconds)
        except TimeoutError:
            return True
        return False

    async def _counted(self, events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        self._open += 1
        try:
            async for event in events:
                yield event
        finally:
            self._open -= 1


def routes(state: State, streams: Streams) -> list[Route]:
    """Routes for an application."""
    watch = state.watch

    async def snapshot(_request: Request) -> Response:
        return JSONResponse(state.snapshot())

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
