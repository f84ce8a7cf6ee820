# CoAP over UDP under MicroPython's asyncio. (The host has its own adapter: host_tools/link.py.)
#
# asyncio here has no datagram support. What it has is the poller under its streams: yielding queue_read(s)
# suspends a task until s is readable, as MicroPython's own aioespnow does it. The socket is then drained,
# since some ports queue only four datagrams.

import asyncio
import socket
import time

from .. import ticks

# The longest a timer may be late: one that is armed while another is slept for waits so long at most.
_SLICE_MS = 200


class UdpLink:
    def __init__(self, endpoint, most_octets=1280, local_port=None):
        self.endpoint = endpoint
        self.errors = 0
        self._buffer_size = most_octets
        self._armed = asyncio.Event()
        self._tasks = ()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        if local_port is not None:
            self._socket.bind(socket.getaddrinfo("0.0.0.0", local_port)[0][-1])

    def resolve(self, host, port):
        # An address as receive() will report it: opaque bytes on the Unix port, a tuple on boards.
        return _hashable(socket.getaddrinfo(host, port)[0][-1])

    def now(self):
        return time.ticks_ms() & (ticks.PERIOD - 1)

    def start(self):
        self._tasks = (asyncio.create_task(self._receive()), asyncio.create_task(self._watch()))

    def close(self):
        for task in self._tasks:
            task.cancel()
        self._tasks = ()
        self._socket.close()

    def flush(self):
        # To be called after every call into the endpoint.
        for datagram, address in self.endpoint.datagrams_to_send():
            try:
                self._socket.sendto(datagram, address)
            except OSError:
                # No network, no buffer: to the endpoint the datagram is lost on the way, and it retransmits.
                self.errors += 1
        if self.endpoint.timer() is not None:
            self._armed.set()

    async def _receive(self):
        while True:
            yield asyncio.core._io_queue.queue_read(self._socket)
            self._drain()
            self.flush()

    def _drain(self):
        while True:
            try:
                data, address = self._socket.recvfrom(self._buffer_size)
            except OSError:
                # Nothing more to read, or an ICMP error that says what the timeout will say as well.
                return
            self.endpoint.receive(data, len(data), _hashable(address), self.now())

    async def _watch(self):
        while True:
            await self._armed.wait()
            self._armed.clear()
            deadline = self.endpoint.timer()
            while deadline is not None:
                await asyncio.sleep_ms(max(0, min(_SLICE_MS, ticks.diff(deadline, self.now()))))
                self.endpoint.handle_timer(self.now())
                self.flush()
                deadline = self.endpoint.timer()


def _hashable(address):
    return bytes(address) if isinstance(address, (bytes, bytearray)) else address
