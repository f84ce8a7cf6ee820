"""CoAP over UDP under CPython's asyncio: the host's counterpart of ``msgin5g.link.udp``.

A batch is everything that one wake-up brings: the datagrams that wait in the socket, or the timers that are due.
After each batch ``on_batch`` is called once, and only there do datagrams leave: a process commits its store first, so
that nothing is acknowledged before it is durable, and one commit serves the whole batch. A commit that fails ends the
link: what was to be acknowledged must not leave with the next batch.

asyncio's own datagram transport is not used: it allocates 256 KiB for every datagram it reads.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgin5g import ticks
from msgin5g.coap import block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# One batch takes so many datagrams at most, so that timers and HTTP are not starved by a flood.
_MOST_DATAGRAMS = 1024
# The longest datagram that is taken; a longer one is counted and dropped.
_LONGEST_DATAGRAM = 2048
_SOCKET_BUFFER = 4 << 20
# "All CoAP Nodes" (RFC 7252, 12.8).
_ALL_COAP_NODES = "224.0.1.187"
_ALL_COAP_NODES_V6 = "ff02::fd"
# Directions, for who watches a link.
IN = "in"
OUT = "out"
# Datagrams that wait for room in the socket's buffer. More are lost, and retransmitted by the endpoint.
_MOST_UNSENT = 4096


def now() -> int:
    """Ticks of this process: milliseconds that wrap (msgin5g.ticks)."""
    return int(time.monotonic() * 1000) & (ticks.PERIOD - 1)


@contextmanager
def naming(host: str, port: int) -> Iterator[None]:
    """The system's errors about an address don't say which; they do from here on."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}: {host}:{port}") from error


def anywhere(host: str, port: int) -> str:
    """What to bind to in order to reach a host: ``"::"`` when it has an IPv6 address, or that first of all."""
    with naming(host, port):
        family = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][0]
    return "::" if family == socket.AF_INET6 else "0.0.0.0"


class UdpLink:
    """An endpoint on a UDP socket, IPv4 or IPv6.

    Args:
        endpoint: the endpoint to drive, or what looks like one and has more below: serial ports, DTLS.
        host: address to bind to.
        port: port to bind to; 0 for any free one.
        on_batch: called after each batch instead of :meth:`transmit`; it must call :meth:`transmit`.

    Attributes:
        most_octets: the longest datagram that it takes.
        szx: the largest CoAP block (RFC 7959) that fits into one.
        before_send: called before anything is sent; when it raises, nothing is, and the link closes.
        errors: datagrams that could not be sent, and errors that the network reported.
        oversized: datagrams that were too long and dropped; never is a truncated one processed.
        on_failure: called with the exception when ``on_batch`` has failed and the link has closed. Unless it is set,
            the event loop's exception handler gets it.
        on_datagram: called with (direction, datagram, address) for each datagram that was received and has been dealt
            with (IN), and for each that is sent (OUT); None when nobody watches.
    """

    def __init__(
        self,
        endpoint: Any,
        host: str = "0.0.0.0",
        port: int = 0,
        on_batch: Callable[[], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.most_octets = _LONGEST_DATAGRAM
        self.szx = block.LARGEST_SZX
        self.before_send: Callable[[], None] | None = None
        self.errors = 0
        self.oversized = 0
        self.on_failure: Callable[[Exception], None] | None = None
        self.on_datagram: Callable[[str, bytes | bytearray, tuple], None] | None = None
        self._on_batch = on_batch or self.transmit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._flushing = False
        self._unsent: deque[tuple[bytes | bytearray, tuple]] = deque(maxlen=_MOST_UNSENT)
        with naming(host, port):
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = self._bound(family, address)
        # Connecting changes what the socket says about itself.
        self._address = self._socket.getsockname()

    def _bound(self, family: int, address: tuple) -> socket.socket:
        # A new socket, bound to an address.
        one = socket.socket(family, socket.SOCK_DGRAM)
        one.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            one.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER)
        if family == socket.AF_INET6:
            # "::" takes IPv4 as well, as ::ffff:192.0.2.1.
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        with naming(*address[:2]):
            one.bind(address)
        return one

    @property
    def address(self) -> tuple[str, int]:
        """Where it is bound."""
        return self._socket.getsockname()[:2]

    def resolve(self, host: str, port: int) -> tuple:
        """An address as the endpoint will see datagrams come from it."""
        family = self._socket.family
        flags = socket.AI_V4MAPPED if family == socket.AF_INET6 else 0
        with naming(host, port):
            return socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM, flags=flags)[0][4]

    def broadcast(self, port: int, group: str | None = None) -> tuple:
        """Where everybody in reach hears it: "All CoAP Nodes", or another group or broadcast address."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        v6 = self._socket.family == socket.AF_INET6
        return self.resolve(group or (_ALL_COAP_NODES_V6 if v6 else _ALL_COAP_NODES), port)

    def join(self, interface: str) -> None:
        """Hear what is sent to "All CoAP Nodes" on a network interface, IPv6 too where the socket takes it.

        Raises:
            OSError: there is no such interface, or it can't; the message names it.
        """
        try:
            index = socket.if_nametoindex(interface)
            anywhere = socket.inet_aton("0.0.0.0")
            group = struct.pack("@4s4si", socket.inet_aton(_ALL_COAP_NODES), anywhere, index)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            if self._socket.family == socket.AF_INET6:
                group = struct.pack("@16sI", socket.inet_pton(socket.AF_INET6, _ALL_COAP_NODES_V6), index)
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        except OSError as error:
            # if_nametoindex() has no error number.
            number = error.errno or errno.ENODEV
            raise OSError(number, f"{os.strerror(number)}: network interface {interface}") from error

    def connect(self, address: tuple | None) -> None:
        """Take datagrams from this address only; None: from all again, at the port that it had."""
        if address is not None:
            self._socket.connect(address)
            return
        family = self._socket.family
        if self._loop:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._socket.close()
        self._unsent.clear()
        self._socket = self._bound(family, self._address)
        if self._loop:
            self._loop.add_reader(self._socket, self._drain)

    def now(self) -> int:
        """Ticks, for calls into the endpoint."""
        return now()

    def start(self) -> None:
        """Begin to receive, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._drain)
        self.flush()

    def close(self) -> None:
        """Stop, and close the socket. What was flushed leaves before, in a last batch."""
        if self._flushing:
            self._flush()
        self._shut()

    def _shut(self) -> None:
        # Whatever is put off is dropped; may be done twice.
        if self._loop:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        if self._timer:
            self._timer.cancel()
        self._loop = None
        self._unsent.clear()
        self._socket.close()

    def flush(self) -> None:
        """To be called after a call into the endpoint; what it made leaves at the end of this turn of the loop."""
        if self._loop and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def transmit(self) -> None:
        """Send what the endpoint has to send, and set the timer for what it waits for."""
        datagrams: Sequence[tuple[bytes | bytearray, tuple]] = self.endpoint.datagrams_to_send()
        if datagrams and self.before_send:
            self.before_send()
        if self._unsent:
            self._put_off(datagrams)
        else:
            for place, (datagram, address) in enumerate(datagrams):
                if not self._send(datagram, address):
                    self._put_off(datagrams[place:])
                    break
        self._set_timer()

    def _send(self, datagram: bytes | bytearray, address: tuple) -> bool:
        # False when there is no room in the socket's buffer.
        try:
            self._socket.sendto(datagram, address)
        except BlockingIOError:
            return False
        except OSError:
            # A connected socket may tell here what became of the last one, and not send this one. If it is not
            # that, but no route or no memory, the datagram is lost on the way to the endpoint, and it retransmits.
            try:
                self._socket.sendto(datagram, address)
            except OSError:
                self.errors += 1
        if self.on_datagram is not None:
            self.on_datagram(OUT, datagram, address)
        return True

    def _put_off(self, datagrams: Sequence[tuple[bytes | bytearray, tuple]]) -> None:
        self.errors += max(0, len(self._unsent) + len(datagrams) - _MOST_UNSENT)
        self._unsent.extend(datagrams)
        if self._loop:
            self._loop.add_writer(self._socket, self._send_unsent)

    def _send_unsent(self) -> None:
        # They were in a batch that is durable.
        while self._unsent and self._send(*self._unsent[0]):
            self._unsent.popleft()
        if not self._unsent and self._loop:
            self._loop.remove_writer(self._socket)

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
        self._end_batch()

    def _end_batch(self) -> None:
        if self._loop is None:
            return
        try:
            self._on_batch()
        except Exception as error:
            # Not close(): nothing leaves after a batch that failed.
            self._shut()
            if self.on_failure is None:
                raise
            self.on_failure(error)

    def _drain(self) -> None:
        self._drain_from(self._socket, ())

    def _drain_from(self, one: socket.socket, port: tuple) -> None:
        # port: what tells, behind an address, which of several sockets it is.
        receive = self.endpoint.receive
        recvfrom = one.recvfrom
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
            receive(data, len(data), address + port, at)
            if self.on_datagram is not None:
                self.on_datagram(IN, data, address)
        # Not at once: what other links bring in the same turn of the loop is one batch with it.
        self.flush()

    def _set_timer(self) -> None:
        # A timer that fires too early finds nothing due, and is set again.
        due = self.endpoint.timer()
        if self._loop is None or due is None:
            return
        if self._timer:
            if ticks.diff(self._timer_at, due) <= 0:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._loop.call_later(max(0, ticks.diff(due, now())) / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.endpoint.handle_timer(now())
        self._end_batch()
