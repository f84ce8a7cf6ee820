"""The serial ports of a process: named ones, and those that match patterns, as they are plugged in and pulled.

:class:`Links` puts ports beside a UDP socket under one endpoint. :class:`PortWatch` looks once a second for ports that
match the patterns of the settings, and gives each to the links that it is for.
"""

from __future__ import annotations

import asyncio
import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog

from host_tools.link import now
from host_tools.serial_link import MISSING, MOST_OCTETS, SerialPort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from msgin5g.coap.endpoint import Endpoint

_log = structlog.get_logger("msgin5g.serial")

# Ports of one process; more are counted, and not opened.
MOST_PORTS = 64
# Seconds between two looks for ports that have come.
_LOOK_INTERVAL = 1.0


class Plan(NamedTuple):
    """What the settings say of a port, or of all that match a pattern.

    Attributes:
        path: of the device; with ``*``, ``?`` or ``[`` a pattern.
        baud: bits a second.
        most_octets: the longest datagram that is carried.
        kind: of port: :class:`SerialPort`, or a subclass for something else at its other end.
    """

    path: str
    baud: int = 115200
    most_octets: int = MOST_OCTETS
    kind: type[SerialPort] = SerialPort

    @property
    def is_pattern(self) -> bool:
        """Is it a pattern?"""
        return glob.has_magic(self.path)

    def port(self, path: str) -> SerialPort:
        """A port at a path."""
        return self.kind(path, self.baud, self.most_octets)


class Links:
    """An endpoint as its UDP link sees it, with serial ports beside: give it to UdpLink instead of the endpoint.

    The UDP link goes on to own the timer and the batches. What a port brings becomes part of a batch, and what is for a
    port leaves where a batch does: after the commit.

    Args:
        endpoint: the endpoint of all of them.
        ports: the serial ports; :meth:`add` adds more.

    Attributes:
        on_opened: called with a port that was opened.
    """

    def __init__(self, endpoint: Endpoint, ports: Sequence[SerialPort] = ()) -> None:
        self.endpoint = endpoint
        self.ports: list[SerialPort] = []
        self.on_opened: Callable[[SerialPort], None] = lambda _port: None
        self.timer = endpoint.timer
        self.receive = endpoint.receive
        self.handle_timer = endpoint.handle_timer
        self.occupancy = endpoint.occupancy
        # The second member of an address on a port is its path, which no UDP port is.
        self._by_path: dict[str, SerialPort] = {}
        self._flush: Callable[[], None] | None = None
        for port in ports:
            self.add(port)

    @property
    def counters(self) -> dict[str, int]:
        """The endpoint's."""
        return self.endpoint.counters

    def port_at(self, address: tuple) -> SerialPort | None:
        """The port at whose other end an address is."""
        return self._by_path.get(address[1])

    def add(self, port: SerialPort) -> None:
        """Take a port in; it is opened at once when the links are started."""
        self.ports.append(port)
        self._by_path[port.path] = port
        port.receive = self._received
        port.on_opened = lambda: self.on_opened(port)
        if self._flush:
            port.after = self._flush
            port.start()

    def remove(self, port: SerialPort) -> None:
        """Close a port and forget it."""
        port.close()
        self.ports.remove(port)
        del self._by_path[port.path]

    def start(self, flush: Callable[[], None]) -> None:
        """Open the ports; ``flush`` is the UDP link's."""
        self._flush = flush
        for port in self.ports:
            port.after = flush
            port.start()

    def close(self) -> None:
        """Close the ports."""
        self._flush = None
        for port in self.ports:
            port.close()

    def datagrams_to_send(self) -> Sequence[tuple[bytes | bytearray, tuple]]:
        """Hand their datagrams to the ports; returns those for UDP."""
        if not self.ports:
            return self.endpoint.datagrams_to_send()
        for_udp = []
        for datagram, address in self.endpoint.datagrams_to_send():
            port = self._by_path.get(address[1])
            if port:
                port.send(datagram, address)
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

    def status(self) -> list[dict[str, Any]]:
        """What an operator sees of each port: :meth:`SerialPort.status`."""
        return [port.status() for port in self.ports]

    def _received(self, data: bytearray | bytes, size: int, address: tuple) -> None:
        self.endpoint.receive(data, size, address, now())


class PortWatch:
    """Finds the ports of plans, as long as it runs, and adds each to its links.

    A device may match several patterns, under several names: it belongs to the name that the settings say in full, else
    to the longest pattern.

    Args:
        plans: each with the links that its ports are for.

    Attributes:
        ignored: ports that match a pattern and are more than there may be.
    """

    def __init__(self, plans: Iterable[tuple[Plan, Links]]) -> None:
        plans = list(plans)
        self._named = [(plan.port(plan.path), links) for plan, links in plans if not plan.is_pattern]
        self._patterns = sorted(
            ((plan, links) for plan, links in plans if plan.is_pattern),
            key=lambda planned: -len(planned[0].path),
        )
        self._found: dict[str, tuple[SerialPort, Links]] = {}
        # Names that were there at the last look. A device gets several, one after the other, and then its owner: it
        # waits until none of them is new.
        self._settled: set[str] | None = None
        # Paths of ports that were not there at the last look.
        self._absent: set[str] = set()
        self.ignored = 0
        self._ignoring: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        for port, links in self._named:
            links.add(port)

    def start(self) -> None:
        """Look now, and from now on, in the running event loop."""
        if self._patterns or self._named:
            self._look_again()

    def close(self) -> None:
        """Look no more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Add the ports that have come; open those that have come back."""
        known = [*self._named, *self._found.values()]
        absent = {port.path for port, _ in known if not Path(port.path).exists()}
        for port, _ in known:
            if port.path in self._absent - absent:
                port.try_now()
        self._absent = absent
        # Which device a name stands for is the system's affair, and may change: it is asked each time.
        taken = {os.path.realpath(port.path) for port, _ in known if port.path not in absent}
        matches = [
            (path, os.path.realpath(path), plan, links)
            for plan, links in self._patterns
            for path in sorted(glob.glob(plan.path))  # noqa: PTH207 (relative or not, as the settings say)
        ]
        settled = self._settled
        fresh = {device for path, device, _, _ in matches if settled is not None and path not in settled}
        self._settled = {path for path, _, _, _ in matches}
        for path, device, plan, links in matches:
            if device not in fresh | taken and path not in self._found:
                taken.add(device)
                self._add(plan, links, path)

    def _add(self, plan: Plan, links: Links, path: str) -> None:
        if len(self._named) + len(self._found) >= MOST_PORTS and not self._forget_one():
            if path not in self._ignoring:
                self._ignoring.add(path)
                self.ignored += 1
                _log.warning("serial port ignored", port=path, reason=f"{MOST_PORTS} are there already")
            return
        port = plan.port(path)
        self._found[path] = (port, links)
        links.add(port)

    def _forget_one(self) -> bool:
        # One that was found and is not there any more.
        for path, (port, links) in self._found.items():
            if port.state == MISSING and not Path(path).exists():
                links.remove(port)
                del self._found[path]
                return True
        return False

    def _look_again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LOOK_INTERVAL, self._look_again)
        self.look()
