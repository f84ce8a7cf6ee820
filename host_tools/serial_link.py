"""CoAP over serial ports, in the frames of ``msgin5g.link.slip``: the gateway's end of ``msgin5g.link.serial``.

A port is a character device: a UART, a USB adapter, a board's own USB port, a pseudo-terminal. It may be unplugged and
plugged in again at any time. At its other end is one peer, whose address is ``("serial", path)``.

:class:`Links` puts ports beside a UDP socket under one endpoint.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import termios
from collections import deque
from typing import TYPE_CHECKING

import structlog
from msgin5g.link.slip import Deframer, Framer

from host_tools.link import IN, OUT, now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msgin5g.coap.endpoint import Endpoint

_log = structlog.get_logger("msgin5g.serial")

# The longest datagram that is carried: what a board takes.
MOST_OCTETS = 1280
# Octets that wait for a line that takes none. Frames beyond that are lost, and retransmitted by the endpoint.
_MOST_UNSENT = 16384
# Octets that are read before others have a turn.
_MOST_AT_ONCE = 4096
# Seconds before a port that can't be opened is tried again: doubled each time, from the first to the last.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0


def speed(baud: int) -> int:
    """The constant of termios for a baud rate.

    Raises:
        ValueError: there is none; the message says which there are.
    """
    constant = getattr(termios, f"B{baud}", None)
    if constant is None or baud <= 0:
        known = sorted(int(name[1:]) for name in vars(termios) if name[0] == "B" and name[1:].isdecimal())
        raise ValueError(f"expected one of {', '.join(map(str, known[1:]))}")
    return constant


def frame(datagram: bytes | bytearray) -> bytes:
    """A datagram as it goes over the line."""
    framer = Framer()
    framer.start(datagram)
    buffer = bytearray(2 * len(datagram) + 8)
    return bytes(buffer[: framer.fill(buffer)])


class SerialPort:
    """One serial port, kept open as long as it is there.

    Args:
        path: of the device.
        baud: bits a second; a USB port and a pseudo-terminal take any.
        most_octets: the longest datagram that is carried.

    Attributes:
        address: the peer at its other end, for the endpoint.
        receive: called with (buffer, size, address) for each datagram; the buffer is used again.
        after: called after each reading that brought any.
        opened: how often it was opened; more than once means that it was away.
        errors: datagrams that were not sent: not there, too long, or nobody reads them.
        on_datagram: as of :class:`~host_tools.link.UdpLink`; None when nobody watches.
    """

    def __init__(self, path: str, baud: int = 115200, most_octets: int = MOST_OCTETS) -> None:
        self.path = path
        self.address = ("serial", path)
        self.receive: Callable[[bytearray, int, tuple], None] = lambda _buffer, _size, _address: None
        self.after: Callable[[], None] = lambda: None
        self.opened = 0
        self.errors = 0
        self.on_datagram: Callable[[str, bytes | bytearray, tuple], None] | None = None
        self._speed = speed(baud)
        self.most_octets = most_octets
        self._deframer = Deframer(most_octets, self._on_frame)
        self._descriptor: int | None = None
        self._unsent: deque[bytes] = deque()
        self._unsent_octets = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._pause = _FIRST_PAUSE
        self._told = ""

    @property
    def is_open(self) -> bool:
        """Whether it is there."""
        return self._descriptor is not None

    def start(self) -> None:
        """Open it, now or as soon as it is there, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._open()

    def close(self) -> None:
        """Let it go for good."""
        self._forget()
        if self._retry:
            self._retry.cancel()
        self._loop = None

    def send(self, datagram: bytes | bytearray) -> None:
        """Send a datagram, or count it as lost."""
        if self._descriptor is None or len(datagram) > self.most_octets:
            self.errors += 1
            return
        octets = frame(datagram)
        if self._unsent_octets + len(octets) > _MOST_UNSENT:
            self.errors += 1
            return
        self._unsent.append(octets)
        self._unsent_octets += len(octets)
        if self.on_datagram is not None:
            self.on_datagram(OUT, datagram, self.address)
        self._write()

    def counts(self) -> dict[str, int]:
        """Counters, and whether it is there."""
        return {
            "open": int(self.is_open),
            "opened": self.opened,
            "broken": self._deframer.broken,
            "oversized": self._deframer.oversized,
            "errors": self.errors,
        }

    def _open(self) -> None:
        self._retry = None
        try:
            self._descriptor = _opened(self.path, self._speed)
        except OSError as error:
            reason = str(error.strerror)
            if reason != self._told:
                _log.warning("serial port can't be opened", port=self.path, reason=reason)
                self._told = reason
            self._try_again()
            return
        self.opened += 1
        self._told = ""
        _log.info("serial port opened", port=self.path)
        assert self._loop
        self._loop.add_reader(self._descriptor, self._read)

    def _try_again(self) -> None:
        if self._loop and self._retry is None:
            self._retry = self._loop.call_later(self._pause, self._open)
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)

    def _lost(self, reason: str) -> None:
        _log.warning("serial port lost", port=self.path, reason=reason)
        self._forget()
        self._try_again()

    def _forget(self) -> None:
        if self._descriptor is None:
            return
        if self._loop:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = None
        self.errors += len(self._unsent)
        self._unsent.clear()
        self._unsent_octets = 0
        # What has come of a frame goes with it: the next one begins with an END.
        self._deframer.feed(b"\xc0", 1)

    def _read(self) -> None:
        assert self._descriptor is not None
        try:
            octets = os.read(self._descriptor, _MOST_AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(str(error.strerror))
            return
        if not octets:
            self._lost("end of file")
            return
        # A port that opens and closes at once is not there yet: only what it says proves that it is.
        self._pause = _FIRST_PAUSE
        self._deframer.feed(octets, len(octets))
        self.after()

    def _on_frame(self, buffer: bytearray, size: int) -> None:
        self.receive(buffer, size, self.address)
        if self.on_datagram is not None:
            self.on_datagram(IN, bytes(buffer[:size]), self.address)

    def _write(self) -> None:
        if self._descriptor is None or self._loop is None:
            return
        try:
            while self._unsent:
                written = os.write(self._descriptor, self._unsent[0])
                self._unsent_octets -= written
                octets = self._unsent.popleft()
                if written < len(octets):
                    self._unsent.appendleft(octets[written:])
                    break
        except BlockingIOError:
            pass
        except OSError as error:
            self._lost(str(error.strerror))
            return
        if self._unsent:
            self._loop.add_writer(self._descriptor, self._write)
        else:
            self._loop.remove_writer(self._descriptor)


def _opened(path: str, speed_constant: int) -> int:
    # The device in raw mode, 8N1, for this process alone.
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        attributes = termios.tcgetattr(descriptor)
        # No echo, no lines, no signals, no flow control, nothing translated.
        attributes[0] = termios.IGNBRK
        attributes[1] = 0
        attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        attributes[3] = 0
        attributes[4] = attributes[5] = speed_constant
        attributes[6][termios.VMIN] = 1
        attributes[6][termios.VTIME] = 0
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    except termios.error as error:
        os.close(descriptor)
        raise OSError(*error.args) from error
    except BlockingIOError as error:
        os.close(descriptor)
        raise OSError(errno.EBUSY, "another process uses it") from error
    return descriptor


class Links:
    """An endpoint as its UDP link sees it, with serial ports beside: give it to UdpLink instead of the endpoint.

    The UDP link goes on to own the timer and the batches. What a port brings becomes part of a batch, and what is for a
    port leaves where a batch does: after the commit.

    Args:
        endpoint: the endpoint of all of them.
        ports: the serial ports.
    """

    def __init__(self, endpoint: Endpoint, ports: Sequence[SerialPort]) -> None:
        self.endpoint = endpoint
        self.ports = ports
        self.timer = endpoint.timer
        self.receive = endpoint.receive
        self.handle_timer = endpoint.handle_timer
        self.occupancy = endpoint.occupancy
        self._by_address = {port.address: port for port in ports}

    @property
    def counters(self) -> dict[str, int]:
        """The endpoint's."""
        return self.endpoint.counters

    def port_at(self, address: tuple) -> SerialPort | None:
        """The port at whose other end an address is."""
        return self._by_address.get(address)

    def start(self, flush: Callable[[], None]) -> None:
        """Open the ports; ``flush`` is the UDP link's."""
        for port in self.ports:
            port.receive = self._received
            port.after = flush
            port.start()

    def close(self) -> None:
        """Close the ports."""
        for port in self.ports:
            port.close()

    def datagrams_to_send(self) -> Sequence[tuple[bytes | bytearray, tuple]]:
        """Hand their datagrams to the ports; returns those for UDP."""
        if not self.ports:
            return self.endpoint.datagrams_to_send()
        for_udp = []
        for datagram, address in self.endpoint.datagrams_to_send():
            port = self._by_address.get(address)
            if port:
                port.send(datagram)
            else:
                for_udp.append((datagram, address))
        return for_udp

    def counts(self) -> dict[str, int]:
        """Counters of all ports together."""
        sums: dict[str, int] = {}
        for port in self.ports:
            for name, value in port.counts().items():
                sums[f"serial_{name}"] = sums.get(f"serial_{name}", 0) + value
        return sums

    def _received(self, buffer: bytearray, size: int, address: tuple) -> None:
        self.endpoint.receive(buffer, size, address, now())
