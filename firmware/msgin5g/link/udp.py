# CoAP over UDP under MicroPython's asyncio. (The host has its own adapter: host_tools/link.py.)
#
# asyncio here has no datagram support. What it has is the poller under its streams: yielding queue_read(s) suspends
# a task until s is readable, as MicroPython's own aioespnow does it. The socket is then drained, since some ports
# queue only four datagrams.

import asyncio
import gc
import socket
import sys
import time

from .. import ticks

# The longest a timer may be late: one that is armed while another is slept for waits so long at most.
_SLICE_MS = 200
# Datagrams that are taken before other tasks have a turn.
_MOST_AT_ONCE = 16
# There is no use in asking for less: the shortest acknowledgement of a message fits, a message does not.
_LEAST_OCTETS = 200


class UdpLink:
    # Datagrams of more than most_octets are counted in `oversized` and dropped. A device that only asks needs no
    # local_port.
    def __init__(self, endpoint, most_octets=1280, local_port=None):
        self.endpoint = endpoint
        self.errors = 0
        self.oversized = 0
        # How often less than most_octets had to do for a datagram.
        self.short_of_memory = 0
        # on_error(exception): nobody has caught it. It must not end the link.
        self.on_error = sys.print_exception
        self._most_octets = most_octets
        self._peer = None
        self._armed = asyncio.Event()
        self._tasks = ()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._receive_from = self._socket
        if local_port is not None:
            self._socket.bind(socket.getaddrinfo("0.0.0.0", local_port)[0][-1])

    def resolve(self, host, port):
        # An address as receive() will report it: opaque bytes on the Unix port, a tuple on boards.
        return _hashable(socket.getaddrinfo(host, port)[0][-1])

    def connect(self, address):
        # Nobody else is spoken to from here on: the socket drops what comes from others.
        self._peer = address
        self._socket.connect(address)

    def now(self):
        return time.ticks_ms() & (ticks.PERIOD - 1)  # type: ignore[operator]

    def start(self):
        # A coroutine here, though `yield` makes it something else on CPython.
        receive = asyncio.create_task(self._receive())  # type: ignore[arg-type]
        self._tasks = (receive, asyncio.create_task(self._watch()))
        self.flush()

    def close(self):
        for task in self._tasks:
            task.cancel()
        self._tasks = ()
        self._socket.close()

    def flush(self):
        # To be called after every call into the endpoint.
        for datagram, address in self.endpoint.datagrams_to_send():
            if not self._sent(datagram, address) and not self._sent(datagram, address):
                # No network, no buffer: to the endpoint the datagram is lost on the way, and it retransmits.
                self.errors += 1
        if self.endpoint.timer() is not None:
            self._armed.set()

    def _sent(self, datagram, address):
        # A connected socket may tell here what became of the last one, and not send this one.
        try:
            self._socket.sendto(datagram, address)
        except OSError:
            return False
        return True

    async def _receive(self):
        while True:
            yield asyncio.core._io_queue.queue_read(self._socket)  # type: ignore[attr-defined]
            try:
                self._drain()
                self.flush()
            except Exception as error:
                self._failed(error)

    def _drain(self):
        for _ in range(_MOST_AT_ONCE):
            try:
                data, address, whole = self._read()
            except OSError:
                # Nothing more to read, or an ICMP error that says what the timeout will say as well.
                return
            if whole:
                self.endpoint.receive(data, len(data), address, self.now())
            else:
                self.oversized += 1

    def _read(self):
        # One datagram, where it is from, and whether that is all of it: one octet more than is taken shows that there
        # was more. (readinto() would not do: it fills its buffer from several.)
        #
        # A heap in pieces may not have that many octets in a row, and never again. Most datagrams are much shorter, so
        # less is asked for then: a board must not go deaf.
        octets = self._most_octets + 1
        while True:
            try:
                if self._peer is not None:
                    data, address = self._receive_from.recv(octets), self._peer
                else:
                    data, address = self._receive_from.recvfrom(octets)
                    address = _hashable(address)
                return data, address, len(data) < octets
            except MemoryError:
                if octets < _LEAST_OCTETS:
                    raise
                self.short_of_memory += 1
                octets -= octets >> 2

    async def _watch(self):
        while True:
            await self._armed.wait()
            self._armed.clear()
            deadline = self.endpoint.timer()
            while deadline is not None:
                await asyncio.sleep_ms(max(0, min(_SLICE_MS, ticks.diff(deadline, self.now()))))
                try:
                    self.endpoint.handle_timer(self.now())
                    self.flush()
                except Exception as error:
                    self._failed(error)
                deadline = self.endpoint.timer()

    def _failed(self, error):
        # Out of memory, most likely: to the endpoint the datagram is lost, and whoever sent it sends it again.
        self.errors += 1
        gc.collect()
        self.on_error(error)


def _hashable(address):
    return bytes(address) if isinstance(address, (bytes, bytearray)) else address
