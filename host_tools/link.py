"""CoAP over UDP under CPython's asyncio: the host's counterpart of ``msgin5g.link.udp``.

A batch is everything that one wake-up brings: the datagrams that wait in the socket, or the timers that are due.
After each batch ``on_batch`` is called once, and only there do datagrams leave: a process commits its store first, so
that nothing is acknowledged before it is durable, and one commit serves the whole batch.

asyncio's own datagram transport is not used: it allocates 256 KiB for every datagram it reads.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from msgin5g import ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgin5g.coap.endpoint import Endpoint

# One batch takes so many datagrams at most, so that timers and HTTP are not starved by a flood.
_MOST_DATAGRAMS = 1024
# The longest datagram that is taken; a longer one is counted and dropped.
_LONGEST_DATAGRAM = 2048
_SOCKET_BUFFER = 4 << 20


def now() -> int:
    """Ticks of this process: milliseconds that wrap (msgin5g.ticks)."""
    return int(time.monotonic() * 1000) & (ticks.PERIOD - 1)


class UdpLink:
    """An endpoint on a UDP socket, IPv4 or IPv6.

    Args:
        endpoint: the endpoint to drive.
        host: address to bind to.
        port: port to bind to; 0 for any free one.
        on_batch: called after each batch instead of :meth:`transmit`; it must call :meth:`transmit`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        host: str = "0.0.0.0",  # noqa: S104 (a gateway listens on all its interfaces unless told otherwise)
        port: int = 0,
        on_batch: Callable[[], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.errors = 0
        self.oversized = 0
        self._on_batch = on_batch or self.transmit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: int | None = None
        self._flushing = False
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER)
        self._socket.bind(address)

    @property
    def address(self) -> tuple[str, int]:
        """Where it is bound."""
        return self._socket.getsockname()[:2]

    def resolve(self, host: str, port: int) -> tuple:
        """An address as the endpoint will see datagrams come from it."""
        return socket.getaddrinfo(host, port, self._socket.family, socket.SOCK_DGRAM)[0][4]

    def now(self) -> int:
        """Ticks, for calls into the endpoint."""
        return now()

    def start(self) -> None:
        """Begin to receive, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._drain)
        self.flush()

    def close(self) -> None:
        """Stop, and close the socket."""
        if self._loop:
            self._loop.remove_reader(self._socket)
        if self._timer:
            self._timer.cancel()
        self._loop = None
        self._socket.close()

    def flush(self) -> None:
        """To be called after a call into the endpoint; what it made leaves at the end of this turn of the loop."""
        if self._loop and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def transmit(self) -> None:
        """Send what the endpoint has to send, and set the timer for what it waits for."""
        sendto = self._socket.sendto
        for datagram, address in self.endpoint.datagrams_to_send():
            try:
                sendto(datagram, address)
            except OSError:
                # No route, no buffer: to the endpoint the datagram is lost on the way, and it retransmits.
                self.errors += 1
        self._set_timer()

    def counts(self) -> dict[str, int]:
        """Counters and occupancy of the endpoint, and of the socket."""
        return {
            **self.endpoint.counters,
            **self.endpoint.occupancy(),
            "socket_errors": self.errors,
            "oversized": self.oversized,
        }

    def _flush(self) -> None:
        self._flushing = False
        if self._loop:
            self._on_batch()

    def _drain(self) -> None:
        receive = self.endpoint.receive
        recvfrom = self._socket.recvfrom
        at = now()
        for _ in range(_MOST_DATAGRAMS):
            try:
                data, address = recvfrom(_LONGEST_DATAGRAM + 1)
            except BlockingIOError:
                break
            except OSError:
                # An ICMP error about something sent earlier: the timeout will say the same.
                self.errors += 1
                continue
            if len(data) > _LONGEST_DATAGRAM:
                self.oversized += 1
                continue
            receive(data, len(data), address, at)
        self._on_batch()

    def _set_timer(self) -> None:
        due = self.endpoint.timer()
        if self._loop is None or due is None or (due == self._timer_at and self._timer):
            return
        if self._timer:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._loop.call_later(max(0, ticks.diff(due, now())) / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.endpoint.handle_timer(now())
        self._on_batch()
