"""Server-sent events to those who watch, a bounded number of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sse_starlette import EventSourceResponse
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Streams at once, of the page and of programs together.
MOST_STREAMS = 64


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
