"""A gateway's link to its server on several ports.

An endpoint has 65,536 Message IDs for its peer in EXCHANGE_LIFETIME (RFC 7252, 4.4), and what counts as an endpoint is
an address with its port: from each further port a gateway can send as much again. To the endpoint that it drives, the
server is at several addresses: its own, and for each further port one more, with the number of that port behind it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from host_tools.link import OUT, UdpLink

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


class PortsLink(UdpLink):
    """An endpoint on several UDP sockets.

    Args:
        endpoint: the endpoint to drive.
        host: address to bind to.
        ports: how many ports there are.
        on_batch: see UdpLink.
    """

    def __init__(
        self, endpoint: Any, host: str, ports: int, on_batch: Callable[[], None] | None = None
    ) -> None:
        super().__init__(endpoint, host, 0, on_batch)
        # As a socket names its peers.
        self._length = 4 if ":" in host else 2
        self._further: list[socket.socket] = [
            self._bound(self._socket.family, (host, 0)) for _ in range(ports - 1)
        ]

    def ways(self, address: tuple) -> list[tuple]:
        """The addresses of a peer, one for each port that it can be spoken to from."""
        return [address, *((*address, number) for number in range(len(self._further)))]

    def start(self) -> None:
        """See UdpLink."""
        super().start()
        for number, one in enumerate(self._further):
            asyncio.get_running_loop().add_reader(one, self._drain_from, one, (number,))

    def _shut(self) -> None:
        for one in self._further:
            if self._loop:
                self._loop.remove_reader(one)
            one.close()
        super()._shut()

    def _send(self, datagram: bytes | bytearray, address: tuple) -> bool:
        if len(address) == self._length:
            return super()._send(datagram, address)
        try:
            self._further[address[-1]].sendto(datagram, address[:-1])
        except OSError:
            # No room in the socket's buffer, or no route: the endpoint retransmits.
            self.errors += 1
        if self.on_datagram is not None:
            self.on_datagram(OUT, datagram, address[:-1])
        return True
