# A number in a file, for boards: whatever happens while it is saved, it is not less afterwards.

import os

_DAMAGED = -1


class FileStorage:
    def __init__(self, path):
        self._path = path
        self._new = path + ".new"

    def load(self):
        # The number; None when none was ever saved. ValueError: there is a file and no number in it, and to begin
        # anew would use numbers again.
        old, new = _read(self._path), _read(self._new)
        number = max(old, new)
        if old == _DAMAGED and number <= 0:
            raise ValueError("%s is damaged: this device needs new keys" % self._path)
        return number if number > 0 else None

    def save(self, number):
        with open(self._new, "w") as file:
            file.write("%d\n" % number)
        if hasattr(os, "sync"):
            os.sync()
        os.rename(self._new, self._path)


def _read(path):
    try:
        with open(path) as file:
            text = file.read(32)
    except OSError:
        return 0
    return int(text) if text.endswith("\n") and text[:-1].isdigit() else _DAMAGED
