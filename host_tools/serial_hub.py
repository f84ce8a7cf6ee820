"""Serial ports without a UDP socket beside them: what :class:`~host_tools.link.UdpLink` is to its endpoint."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgin5g import ticks

from host_tools.link import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from host_tools.serial_ports import Links


class SerialHub:
    """The timer and the batches of an endpoint that has serial ports alone.

    Args:
        links: the endpoint with its ports.
        on_batch: called after each batch; it must call :meth:`transmit`.
    """

    def __init__(self, links: Links, on_batch: Callable[[], None] | None = None) -> None:
        self._links = links
        self._on_batch = on_batch or self.transmit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._flushing = False

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.flush()

    def close(self) -> None:
        """Stop; the ports are their owner's."""
        if self._timer:
            self._timer.cancel()
        self._loop = None

    def flush(self) -> None:
        """To be called after a call into the endpoint; what it made leaves at the end of this turn of the loop."""
        if self._loop and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._end_batch)

    def transmit(self) -> None:
        """Send what the endpoint has to send, and set the timer for what it waits for."""
        self._links.datagrams_to_send()
        due = self._links.timer()
        if self._loop is None or due is None:
            return
        if self._timer:
            if ticks.diff(self._timer_at, due) <= 0:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._loop.call_later(max(0, ticks.diff(due, now())) / 1000, self._on_timer)

    def counts(self) -> dict[str, int]:
        """Counters and occupancy of the endpoint."""
        return {**self._links.counters, **self._links.occupancy()}

    def _end_batch(self) -> None:
        self._flushing = False
        if self._loop:
            self._on_batch()

    def _on_timer(self) -> None:
        self._timer = None
        self._links.handle_timer(now())
        self._end_batch()
