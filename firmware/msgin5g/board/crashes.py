# How often the board has started without running well: from the third time on it is in safe mode, in which the
# application is left alone, and everything that can replace it works.

_FILE = "crashes"
_MOST = 3


class Crashes:
    def __init__(self, file=_FILE):
        self._file = file
        self.count = 0

    def begin(self):
        # To be called at each start. True: this one is to be in safe mode.
        try:
            with open(self._file) as file:
                self.count = min(int(file.read() or 0), 99)
        except (OSError, ValueError):
            self.count = 0
        safe = self.count >= _MOST
        self._write(self.count + 1)
        return safe

    def well(self):
        # It has run well for long enough, or somebody has asked for a restart.
        self.count = 0
        self._write(0)

    def _write(self, count):
        try:
            with open(self._file, "w") as file:
                file.write(str(count))
        except OSError:
            # A flash that is full must not keep the board from starting.
            pass
