# The smallest link of an Application Client: a UDP socket, waited for in poll().

import socket
import time

from . import ticks


class Link:
    def __init__(self, client, host, port):
        self.client = client
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # From here on nobody else is heard.
        self._socket.connect(socket.getaddrinfo(host, port)[0][-1])

    def now(self):
        return time.ticks_ms() & (ticks.PERIOD - 1)  # type: ignore[operator]

    def poll(self, milliseconds, most_octets=256):
        # Sends what there is to send, waits for a datagram at most so long, and handles it. A longer one is cut off.
        due = self.client.timer()
        if due is not None:
            milliseconds = max(1, min(milliseconds, ticks.diff(due, self.now())))
        self._socket.settimeout(milliseconds / 1000)
        try:
            for datagram, _ in self.client.datagrams_to_send():
                self._socket.send(datagram)
            data = self._socket.recv(most_octets)
            self.client.receive(data, len(data), None, self.now())
        except OSError:
            # Nothing came, or there is no network. What matters is sent again.
            pass
        self.client.handle_timer(self.now())
