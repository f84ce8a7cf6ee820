# The log of a board: printed, and kept on flash in two files that take turns, so that it is there after a crash and
# never takes more than its room. What is not serious is written some lines at a time, since flash wears.

import os

_NAMES = ("log.0", "log.1")
_LINES_AT_ONCE = 8


class Log:
    # seconds() -> of the clock, or since the start while it is not set. octets: of both files.
    def __init__(self, seconds, folder="", octets=16384, echo=print):
        self.lost = 0
        self._seconds = seconds
        self._current, self._older = [folder + name for name in _NAMES]
        self._octets = octets >> 1
        self._echo = echo
        self._lines = []

    def tell(self, *words):
        self._add("I", words)

    def complain(self, *words):
        self._add("W", words)
        self.flush()

    def crash(self, error, *words):
        # An exception, with where it came from.
        import io
        import sys

        text = io.StringIO()
        if hasattr(sys, "print_exception"):
            sys.print_exception(error, text)  # type: ignore[arg-type]
        else:
            text.write(repr(error))  # type: ignore[attr-defined]
        self._add("E", list(words) + [text.getvalue().strip()])  # type: ignore[attr-defined]
        self.flush()

    def _add(self, level, words):
        line = "%d %s %s" % (self._seconds(), level, " ".join([str(word) for word in words]))
        # One line each, whatever a name holds.
        line = line.replace("\r", "").replace("\n", "\n  ")
        self._echo(line)
        self._lines.append(line)
        if len(self._lines) >= _LINES_AT_ONCE:
            self.flush()

    def flush(self):
        lines = self._lines
        self._lines = []
        if not lines:
            return
        text = "\n".join(lines) + "\n"
        try:
            if self._size() + len(text) > self._octets:
                self._turn()
            with open(self._current, "a") as file:
                file.write(text[-self._octets :])
        except OSError:
            self.lost += len(lines)

    def _size(self):
        try:
            return os.stat(self._current)[6]
        except OSError:
            return 0

    def _turn(self):
        try:
            os.remove(self._older)
        except OSError:
            pass
        try:
            os.rename(self._current, self._older)
        except OSError:
            pass
