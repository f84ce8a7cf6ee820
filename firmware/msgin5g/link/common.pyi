"""What all links of a board do the same way, under MicroPython's asyncio."""

import asyncio
from collections.abc import Callable
from typing import Any

class Link:
    """A link that drives one CoAP endpoint."""

    endpoint: Any
    most_octets: int
    szx: int
    errors: int
    """Datagrams that were not sent."""
    oversized: int
    """Datagrams received that were too long."""
    on_error: Callable[[Any], object]
    """Called with an exception that nobody has caught; none ends a link. Prints it."""
    before_send: Callable[[], object]
    on_renewed: Callable[[], object]
    _tasks: list[asyncio.Task[Any]]
    _peer: Any
    _source: Any
    def __init__(self, endpoint: Any, most_octets: int) -> None: ...
    def now(self) -> int: ...
    def start(self) -> None: ...
    def close(self) -> None: ...
    def flush(self) -> None: ...
    async def _receive(self) -> None: ...
    def _on_timer(self) -> None: ...
    def _failed(self, error: Exception) -> None: ...
