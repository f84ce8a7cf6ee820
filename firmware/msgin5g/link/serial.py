# CoAP over a UART, or over USB, in SLIP frames with a check sequence (slip.py). There is one peer, at the other end.
#
#     SerialLink(endpoint, machine.UART(1, 115200, timeout=0, rxbuf=2048))
#     SerialLink(endpoint, sys.stdin.buffer, sys.stdout.buffer, waits=True)
#                                         the board's own USB; micropython.kbd_intr(-1) first: a frame may hold Ctrl-C
#
# waits: for streams whose readinto() returns when all that it asks for is there: those are read octet by octet. What
# else is on the line, such as the messages of a board that starts, is noise: counted in `broken` and passed over.

import asyncio
import select

from .common import Link
from .slip import Deframer, Framer

_PEER = ("serial",)
# Octets that are read or written at once, and read before other tasks have a turn.
_CHUNK = 64
_MOST_AT_ONCE = 1024
# Before a line that takes nothing is tried again, in ms.
_PAUSE = 50
# Datagrams that wait for the line. More are lost; to the endpoint it is on the way.
_MOST_UNSENT = 8


class SerialLink(Link):
    def __init__(self, endpoint, stream, output=None, waits=False, most_octets=1280):
        super().__init__(endpoint, most_octets)
        self._source = stream
        self._output = output or stream
        self._chunk = memoryview(bytearray(1 if waits else _CHUNK))
        self._poller = select.poll()
        self._poller.register(stream, select.POLLIN)
        self._deframer = Deframer(most_octets, self._on_frame)
        self._framer = Framer()
        self._unsent = []
        self._to_write = asyncio.Event()

    @property
    def broken(self):
        # Frames that did not arrive as they were sent, and noise.
        return self._deframer.broken

    def resolve(self, host=None, port=None):
        return _PEER

    def broadcast(self, port=None):
        return _PEER

    def connect(self, address):
        pass

    def start(self):
        super().start()
        self._tasks.append(asyncio.create_task(self._write()))  # type: ignore[arg-type]

    def _drain(self):
        chunk = self._chunk
        taken = 0
        while taken < _MOST_AT_ONCE and self._readable():
            try:
                count = self._source.readinto(chunk)
            except OSError:
                # Unplugged: perhaps not for ever.
                break
            if not count:
                break
            self._deframer.feed(chunk, count)
            taken += count
        self.oversized = self._deframer.oversized
        return taken

    def _readable(self):
        # Makes no garbage, unlike poll().
        for _ in self._poller.ipoll(0):
            return True
        return False

    def _on_frame(self, buffer, size):
        try:
            self.endpoint.receive(buffer, size, _PEER, self.now())
        except Exception as error:
            # What came with it in one piece is not lost.
            self._failed(error)

    def _send(self, datagram, address):
        if len(datagram) > self.most_octets or len(self._unsent) >= _MOST_UNSENT:
            return False
        self._unsent.append(datagram)
        self._to_write.set()
        return True

    async def _write(self):
        chunk = memoryview(bytearray(_CHUNK))
        while True:
            if not self._unsent:
                self._to_write.clear()
                await self._to_write.wait()
            try:
                self._framer.start(self._unsent.pop(0))
                count = self._framer.fill(chunk)
                while count:
                    written = 0
                    while written < count:
                        yield asyncio.core._io_queue.queue_write(self._output)  # type: ignore[attr-defined]
                        more = self._output.write(chunk[written:count])
                        if not more:
                            # Nobody takes it, though there is said to be room.
                            await asyncio.sleep_ms(_PAUSE)
                        written += more or 0
                    count = self._framer.fill(chunk)
            except Exception as error:
                if isinstance(error, OSError):
                    self.errors += 1
                else:
                    self._failed(error)
                await asyncio.sleep_ms(_PAUSE)
