# The link of an Application Client over a serial line, in the frames of link/slip.py, waited for in poll().

import select
import time

from . import ticks
from .link.slip import Deframer, Framer

# Octets that are read or written at once, and read before the timer has a turn.
_CHUNK = 64
_MOST_AT_ONCE = 1024
# How often a line that takes nothing is tried, and the pause between, in ms.
_ATTEMPTS = 20
_PAUSE = 10


class Link:
    # stream, output: a machine.UART or a file; output is stream when not given. waits: for streams whose readinto()
    # returns when all that it asks for is there.
    def __init__(self, client, stream, output=None, waits=False, most_octets=256):
        self.client = client
        # Messages that were not sent: the line takes nothing.
        self.errors = 0
        self._stream = stream
        self._output = output or stream
        self._chunk = memoryview(bytearray(1 if waits else _CHUNK))
        self._out = memoryview(bytearray(_CHUNK))
        self._poller = select.poll()
        self._poller.register(stream, select.POLLIN)
        self._framer = Framer()
        self._deframer = Deframer(most_octets, self._on_frame)

    @property
    def broken(self):
        # Frames that did not arrive as they were sent, and noise.
        return self._deframer.broken

    def now(self):
        return time.ticks_ms() & (ticks.PERIOD - 1)  # type: ignore[operator]

    def poll(self, milliseconds):
        # Sends what there is to send, waits for octets at most so long, and handles what has come whole.
        due = self.client.timer()
        if due is not None:
            milliseconds = max(1, min(milliseconds, ticks.diff(due, self.now())))
        for datagram, _ in self.client.datagrams_to_send():
            self._write(datagram)
        taken = 0
        try:
            while taken < _MOST_AT_ONCE and self._poller.poll(0 if taken else milliseconds):
                count = self._stream.readinto(self._chunk)
                if not count:
                    break
                self._deframer.feed(self._chunk, count)
                taken += count
        except OSError:
            # Unplugged: perhaps not for ever. What matters is sent again.
            pass
        if not taken:
            # A line that has hung up says that it can be read, and has nothing.
            time.sleep_ms(1)
        self.client.handle_timer(self.now())

    def _on_frame(self, buffer, size):
        self.client.receive(bytes(memoryview(buffer)[:size]), size, None, self.now())

    def _write(self, datagram):
        self._framer.start(datagram)
        count = self._framer.fill(self._out)
        while count:
            if not self._put(self._out[:count]):
                self.errors += 1
                break
            count = self._framer.fill(self._out)

    def _put(self, octets):
        # Has the line taken them all?
        for _ in range(_ATTEMPTS):
            try:
                octets = octets[self._output.write(octets) or 0 :]
            except OSError:
                return False
            if not octets:
                return True
            time.sleep_ms(_PAUSE)
        return False
