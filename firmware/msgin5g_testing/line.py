# A UART that is a terminal of this machine: what a read finds is what has come, as with timeout=0 on a board.

import io
import select

_POLL, _POLLIN, _POLLOUT = 3, 1, 4


class Line(io.IOBase):
    def __init__(self, path):
        self._stream = open(path, "r+b")
        try:
            import termios

            termios.setraw(self._stream.fileno())
        except ImportError:
            pass
        self._poller = select.poll()
        self._poller.register(self._stream, select.POLLIN)

    def any(self):
        return bool(self._poller.poll(0))

    def readinto(self, buffer, size=None):
        view = memoryview(buffer)
        count = 0
        while count < (size or len(buffer)) and self.any():
            octet = self._stream.read(1)
            if not octet:
                break
            view[count] = octet[0]
            count += 1
        return count or None

    def read(self, size=-1):
        buffer = bytearray(size if size >= 0 else 256)
        count = self.readinto(buffer)
        return count and bytes(buffer[:count])

    def write(self, octets, size=None):
        return self._stream.write(octets if size is None else memoryview(octets)[:size])

    def ioctl(self, request, flags):
        if request != _POLL:
            return -1
        return flags & ((_POLLIN if self.any() else 0) | _POLLOUT)
