"""What somebody on the way between a board and its gateway can do: hear all, and send as if it was either of them."""

import asyncio
import socket
from typing import Any


class Tap:
    """Between a board and its gateway: keeps what goes up and down; can come to the gateway from another port, as a NAT
    does."""

    def __init__(self, gateway):
        self.up = []
        self.down = []
        # (datagram) -> what arrives just before it.
        self.ahead_of = None
        self._gateway = gateway
        self._client: Any = None
        self._loop = asyncio.get_running_loop()
        self._below = self._bound(self._from_board)
        self.address = self._below.getsockname()
        self._above = self._bound(self._from_gateway)

    def _bound(self, on_readable):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.bind(("127.0.0.1", 0))
        self._loop.add_reader(one, on_readable)
        return one

    def rebind(self):
        self._loop.remove_reader(self._above)
        self._above.close()
        self._above = self._bound(self._from_gateway)

    def send_up(self, datagram):
        """As if the board had sent it."""
        self._above.sendto(datagram, self._gateway)

    def send_down(self, datagram):
        """As if the gateway had sent it."""
        self._below.sendto(datagram, self._client)

    def _from_board(self):
        datagram, self._client = self._below.recvfrom(4096)
        self.up.append(datagram)
        self._pass_on(self.send_up, datagram)

    def _from_gateway(self):
        datagram = self._above.recv(4096)
        self.down.append(datagram)
        self._pass_on(self.send_down, datagram)

    def _pass_on(self, send, datagram):
        if self.ahead_of:
            send(self.ahead_of(datagram))
        send(datagram)

    def close(self):
        for one in (self._below, self._above):
            self._loop.remove_reader(one)
            one.close()
