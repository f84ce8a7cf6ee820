"""CoAP over serial ports, in the frames of ``msgin5g.link.slip``: the gateway's end of ``msgin5g.link.serial``.

A port is a character device: a UART, a USB adapter, a board's own USB port, a pseudo-terminal. It may be unplugged and
plugged in again at any time. At its other end is one peer, whose address is ``("serial", path)``.

``serial_ports.py`` has the ports of a process, as they come and go.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import grp
import os
import pwd
import termios
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from msgin5g import ticks
from msgin5g.link.slip import Deframer, Framer

from host_tools.link import IN, OUT, now

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger("msgin5g.serial")

# The longest datagram that is carried: what a board takes.
MOST_OCTETS = 1280
# What is at the other end of a port.
CLIENT = "client"
# States of a port.
OPEN = "open"
MISSING = "missing"
BUSY = "busy"
FORBIDDEN = "no permission"
FAILED = "failed"
# ms without an octet after which the rest of a frame does not come any more.
_LONGEST_GAP = 1000
# Octets that wait for a line that takes none. Frames beyond that are lost, and retransmitted by the endpoint.
_MOST_UNSENT = 16384
# Octets that are read before others have a turn.
_MOST_AT_ONCE = 4096
# What follows a datagram in its frame.
_FCS_OCTETS = 2
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


class Frames(Deframer):
    """Frames out of octets, with what was wrong with those that were dropped.

    Attributes:
        noise: what was never a frame: too short, or with an escape that no frame has.
        crc_errors: frames whose check sequence is wrong.
        half_frames: frames that began and did not end, because the port went or the line fell silent.
    """

    def __init__(self, most_octets: int, on_frame: Callable[[bytearray, int], None]) -> None:
        super().__init__(most_octets, on_frame)
        self.noise = 0
        self.crc_errors = 0
        self.half_frames = 0

    def give_up(self) -> None:
        """The rest of what has begun does not come any more."""
        if self._size:
            self.half_frames += 1
        self._size = 0
        self._escaped = self._bad = False

    def _end(self) -> None:
        noise = self._bad or self._escaped or self._size <= _FCS_OCTETS
        broken = self.broken
        super()._end()
        if self.broken > broken:
            self.noise += noise
            self.crc_errors += not noise


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
        on_opened: called when it was opened.
        state: OPEN, MISSING, BUSY, FORBIDDEN or FAILED; ``reason`` says more of the last three.
        opened: how often it was opened; more than once means that it was away.
        errors: datagrams that were not sent: not there, too long, or nobody reads them.
        on_datagram: as of :class:`~host_tools.link.UdpLink`; None when nobody watches.
    """

    carries = CLIENT

    def __init__(self, path: str, baud: int = 115200, most_octets: int = MOST_OCTETS) -> None:
        self.path = path
        self.address: tuple = ("serial", path)
        self.receive: Callable[[bytearray | bytes, int, tuple], None] = lambda _data, _size, _address: None
        self.after: Callable[[], None] = lambda: None
        self.on_opened: Callable[[], None] = lambda: None
        self.state = MISSING
        self.reason = ""
        self.opened = 0
        self.errors = 0
        self.received = self.sent = 0
        self.on_datagram: Callable[[str, bytes | bytearray, tuple], None] | None = None
        self.baud = baud
        self._speed = speed(baud)
        self.most_octets = most_octets
        self._frames = self._deframer(most_octets)
        self._descriptor: int | None = None
        self._unsent: deque[bytes] = deque()
        self._unsent_octets = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._pause = _FIRST_PAUSE
        self._told = self._failed_with = ""
        # Ticks of the last octet, once there was one.
        self._heard: int | None = None

    def _deframer(self, most_octets: int) -> Frames:
        return Frames(most_octets, self._on_frame)

    @property
    def is_open(self) -> bool:
        """Whether it is there."""
        return self._descriptor is not None

    def packet_size(self, _address: tuple) -> int:
        """Octets of the longest datagram for a peer at its other end."""
        return self.most_octets

    def layer_2_id(self) -> str:
        """Of the radio at its other end; "" where there is none."""
        return ""

    def start(self) -> None:
        """Open it, now or as soon as it is there, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._open()

    def try_now(self) -> None:
        """Open it without waiting for the next attempt: it seems to be there again."""
        if self._loop and self._descriptor is None:
            if self._retry:
                self._retry.cancel()
            self._pause = _FIRST_PAUSE
            self._open()

    def close(self) -> None:
        """Let it go for good."""
        self._forget()
        if self._retry:
            self._retry.cancel()
        self._loop = None

    def send(self, datagram: bytes | bytearray, address: tuple | None = None) -> None:
        """Send a datagram, or count it as lost."""
        if self._descriptor is None or len(datagram) > self.packet_size(address or self.address):
            self.errors += 1
            return
        if self._put(self.wrapped(datagram, address)):
            self.sent += 1
            if self.on_datagram is not None:
                self.on_datagram(OUT, datagram, address or self.address)

    def wrapped(self, datagram: bytes | bytearray, _address: tuple | None) -> bytes | bytearray:
        """What of a datagram goes into a frame."""
        return datagram

    def counts(self) -> dict[str, int]:
        """Counters, and whether it is there."""
        return {
            "open": int(self.is_open),
            "opened": self.opened,
            "broken": self._frames.broken,
            "noise": self._frames.noise,
            "crc_errors": self._frames.crc_errors,
            "half_frames": self._frames.half_frames,
            "oversized": self._frames.oversized,
            "errors": self.errors,
        }

    def status(self) -> dict[str, Any]:
        """What an operator sees of it; ``heard``: seconds since the last octet came, or None."""
        return {
            "port": self.path,
            "carries": self.carries,
            "state": self.state,
            "reason": self.reason,
            "baud": self.baud,
            "packet_size": self.packet_size(self.address),
            "heard": None if self._heard is None else ticks.age(self._heard, now()) // 1000,
            "received": self.received,
            "sent": self.sent,
            **self.counts(),
        }

    def _put(self, content: bytes | bytearray) -> bool:
        octets = frame(content)
        if self._unsent_octets + len(octets) > _MOST_UNSENT:
            self.errors += 1
            return False
        self._unsent.append(octets)
        self._unsent_octets += len(octets)
        self._write()
        return True

    def _open(self) -> None:
        self._retry = None
        try:
            self._descriptor = _opened(self.path, self._speed)
        except OSError as error:
            self._not_opened(error)
            self._try_again()
            return
        self.opened += 1
        self.state, self.reason = OPEN, ""
        self._told = self._failed_with = ""
        _log.info("serial port opened", port=self.path, carries=self.carries)
        assert self._loop
        self._loop.add_reader(self._descriptor, self._read)
        self.on_opened()

    def _not_opened(self, error: OSError) -> None:
        # Told once, with the way out. A device that has just been plugged in has the right owner a moment later: so of
        # that the second attempt tells.
        self.state, self.reason = _explained(self.path, error)
        again = self._failed_with == self.reason
        self._failed_with = self.reason
        if self.reason != self._told and (again or self.state != FORBIDDEN):
            _log.warning("serial port can't be opened", port=self.path, reason=self.reason)
            self._told = self.reason

    def _try_again(self) -> None:
        if self._loop and self._retry is None:
            self._retry = self._loop.call_later(self._pause, self._open)
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)

    def _lost(self, reason: str) -> None:
        _log.warning("serial port lost", port=self.path, reason=reason)
        self._forget()
        self.state, self.reason = MISSING, reason
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
        self._frames.give_up()

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
        at = now()
        if self._heard is not None and ticks.age(self._heard, at) > _LONGEST_GAP:
            self._frames.give_up()
        self._heard = at
        self._frames.feed(octets, len(octets))
        self.after()

    def _on_frame(self, buffer: bytearray, size: int) -> None:
        self._take(buffer, size, self.address)

    def _take(self, data: bytearray | bytes, size: int, address: tuple) -> None:
        self.received += 1
        self.receive(data, size, address)
        if self.on_datagram is not None:
            self.on_datagram(IN, bytes(data[:size]), address)

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


def _explained(path: str, error: OSError) -> tuple[str, str]:
    # The state of a port that can't be opened, and why, with the way out.
    if error.errno in {errno.ENOENT, errno.ENXIO, errno.ENODEV}:
        return MISSING, str(error.strerror)
    if error.errno == errno.EBUSY:
        return BUSY, f"another process uses it; `fuser {path}` says which"
    if error.errno in {errno.EACCES, errno.EPERM}:
        group, user = _group(path), _user()
        return (
            FORBIDDEN,
            f"{user} is not in group {group}: `sudo usermod -aG {group} {user}`, then log in again",
        )
    if error.errno == errno.ENOTTY:
        return FAILED, "no serial port"
    return FAILED, str(error.strerror)


def _group(path: str) -> str:
    # The one that may use it.
    try:
        return grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "dialout"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


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
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY)) from error
    return descriptor
