"""The relay of a gateway process: sockets towards the server, and what drives :class:`~host_tools.ue_relay.UeRelay`."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from msgin5g import wire

from host_tools.link import UdpLink, naming, now
from host_tools.serial_hub import SerialHub
from host_tools.settings import host_and_port
from host_tools.ue_relay import UeRelay

if TYPE_CHECKING:
    from collections.abc import Callable

    from host_tools.serial_ports import Links
    from host_tools.settings import GatewaySettings

# Datagrams of one device that are taken before others have a turn.
_MOST_AT_ONCE = 16
_LONGEST_DATAGRAM = 2048


class Relaying:
    """A relay that runs.

    Args:
        settings: the gateway's.
        random_bits: ``random_bits(n)`` has n of them.

    Attributes:
        core: what relays.
        link: what drives it, once :meth:`drive` was called.
        errors: datagrams that could not be sent to the server, and errors that the network reported.
    """

    def __init__(self, settings: GatewaySettings, random_bits: Callable[[int], int]) -> None:
        one = settings.relay
        self.settings = settings
        self.errors = 0
        self.link: UdpLink | SerialHub | None = None
        self._links: Links | None = None
        host, port = host_and_port(one.server or settings.server, "relay.server", wire.PORT)
        with naming(host, port):
            self._family, _, _, _, self._server = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.core = UeRelay(
            lambda on_datagram: _Socket(self, on_datagram),
            one.most_devices,
            one.idle * 1000,
            one.most_datagrams_per_second,
        )
        if one.server_service_id:
            self.core.answer_selections(
                settings.ue_service_id, one.server_service_id, random_bits, self._packet_size
            )

    def drive(self, links: Links) -> None:
        """Make what drives it, with the serial ports that there are."""
        one = self.settings.relay
        self._links = links
        if one.port is None:
            self.link = SerialHub(links)
        else:
            self.link = UdpLink(links, self.settings.host, one.port)
            for interface in self.settings.multicast:
                self.link.join(interface)

    def start(self) -> Callable[[], None]:
        """Begin to relay, in the running event loop; returns what its serial ports are to call."""
        assert self.link
        self.link.start()
        return self.link.flush

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it is bound; None when it has serial ports alone."""
        return self.link.address if isinstance(self.link, UdpLink) else None

    def close(self) -> None:
        """Stop."""
        if self.link:
            self.link.close()
        self.core.close()

    def counts(self) -> dict[str, int]:
        """Counters and occupancy."""
        return {**(self.link.counts() if self.link else {}), "server_errors": self.errors}

    def _packet_size(self, address: tuple) -> int:
        port = self._links.port_at(address) if self._links else None
        return port.packet_size(address) if port else _LONGEST_DATAGRAM

    def connected(self) -> socket.socket:
        """A socket towards the server."""
        one = socket.socket(self._family, socket.SOCK_DGRAM)
        one.setblocking(False)
        try:
            one.connect(self._server)
        except OSError:
            one.close()
            raise
        return one


class _Socket:
    # Of one device, towards the server.
    def __init__(self, relaying: Relaying, on_datagram: Callable[[bytes, int], None]) -> None:
        self._relaying = relaying
        self._on_datagram = on_datagram
        self._socket = relaying.connected()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._drain)

    def send(self, datagram: bytes) -> None:
        # An error is about the one before, and this one was not sent.
        for _ in range(2):
            try:
                self._socket.send(datagram)
            except OSError:
                self._relaying.errors += 1
            else:
                return

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _drain(self) -> None:
        at = now()
        for _ in range(_MOST_AT_ONCE):
            try:
                self._on_datagram(self._socket.recv(_LONGEST_DATAGRAM), at)
            except BlockingIOError:
                break
            except OSError:
                # The server is not there.
                self._relaying.errors += 1
        if self._relaying.link:
            self._relaying.link.flush()
