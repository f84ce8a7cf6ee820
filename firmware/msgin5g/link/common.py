# What all links of a board do the same way, under MicroPython's asyncio: see __init__.py for their shape.
#
# asyncio here has no datagram support. What it has is the poller under its streams: yielding queue_read(s) suspends
# a task until s is readable, as MicroPython's own aioespnow does it. The source is then drained, since some ports
# queue only four datagrams.
#
# A link has a _source that can be polled, _drain() which takes what it has to tell, and _send(datagram, address).

import asyncio
import gc
import sys
import time

from .. import ticks
from ..coap import block

# The longest a timer may be late: one that is armed while another is slept for waits so long at most.
_SLICE_MS = 200
# Pauses when the source says that it is readable and is not: closed, unplugged, or about an error. In ms.
_SHORTEST_PAUSE = 5
_LONGEST_PAUSE = 1000


class Link:
    def __init__(self, endpoint, most_octets):
        self.endpoint = endpoint
        self.most_octets = most_octets
        self.szx = block.szx_for(most_octets)
        self.errors = 0
        self.oversized = 0
        self.on_error = sys.print_exception
        self.before_send = _nothing
        # Called when the peer may see this side at another address from now on.
        self.on_renewed = _nothing
        self._peer = None
        self._source = None
        self._armed = asyncio.Event()
        self._tasks = []

    def now(self):
        return time.ticks_ms() & (ticks.PERIOD - 1)  # type: ignore[operator]

    def start(self):
        # A coroutine here, though `yield` makes it something else on CPython.
        receive = asyncio.create_task(self._receive())  # type: ignore[arg-type]
        self._tasks = [receive, asyncio.create_task(self._watch())]
        self.flush()

    def close(self):
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    def flush(self):
        datagrams = self.endpoint.datagrams_to_send()
        if datagrams and self._ready_to_send(len(datagrams)):
            for datagram, address in datagrams:
                try:
                    if not self._send(datagram, address):  # type: ignore[attr-defined]
                        # No network, no buffer: to the endpoint it is lost on the way, and it retransmits.
                        self.errors += 1
                except Exception as error:
                    self._failed(error)
        if self.endpoint.timer() is not None:
            self._armed.set()

    def _ready_to_send(self, count):
        try:
            self.before_send()
        except Exception as error:
            self.errors += count - 1
            self._failed(error)
            return False
        return True

    async def _receive(self):
        pause = _SHORTEST_PAUSE
        while True:
            taken = 0
            try:
                yield asyncio.core._io_queue.queue_read(self._source)  # type: ignore[attr-defined]
                taken = self._drain()  # type: ignore[attr-defined]
                self.flush()
            except Exception as error:
                self._failed(error)
            if taken:
                pause = _SHORTEST_PAUSE
            else:
                await asyncio.sleep_ms(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def _watch(self):
        while True:
            await self._armed.wait()
            self._armed.clear()
            deadline = self.endpoint.timer()
            while deadline is not None:
                await asyncio.sleep_ms(max(0, min(_SLICE_MS, ticks.diff(deadline, self.now()))))
                try:
                    self._on_timer()
                except Exception as error:
                    self._failed(error)
                deadline = self.endpoint.timer()

    def _on_timer(self):
        self.endpoint.handle_timer(self.now())
        self.flush()

    def _failed(self, error):
        # Out of memory, most likely: to the endpoint the datagram is lost, and whoever sent it sends it again.
        self.errors += 1
        gc.collect()
        try:
            self.on_error(error)
        except Exception:
            # Told as well as it can be.
            pass


def _nothing():
    pass
