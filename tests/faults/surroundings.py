"""What processes of the campaign believe of their clock and their disk: a clock that jumps, a disk that gets full.

A file says by how many seconds the clock is wrong and whether the disk has no space left; each process that goes by it
has it mapped into its memory.
"""

import mmap
import os
import struct
import time
from pathlib import Path

_LAYOUT = struct.Struct("<d?")


class Surroundings:
    """How those of one process are changed from outside.

    Args:
        path: of the file; it is made.
    """

    def __init__(self, path):
        self.path = path
        self._seconds = 0.0
        self._full = False
        self._write()

    def jump(self, seconds):
        """Let its clock be wrong by so much from now on."""
        self._seconds = seconds
        self._write()

    def fill(self, full):
        """Let the file system say that there is no space left, or that there is some."""
        self._full = full
        self._write()

    def _write(self):
        self.path.touch()
        with self.path.open("r+b") as file:
            file.write(_LAYOUT.pack(self._seconds, self._full))


def enter(path):
    """Go by them, in this process: to be called before anything else takes what it is about to replace."""
    with Path(path).open("rb") as file:
        octets = mmap.mmap(file.fileno(), _LAYOUT.size, access=mmap.ACCESS_READ)
    right, found = time.time, os.statvfs

    def statvfs(path):
        fields = list(found(path))
        if _LAYOUT.unpack_from(octets)[1]:
            # f_bfree, f_bavail
            fields[3:5] = 0, 0
        return os.statvfs_result(fields)

    time.time = lambda: right() + _LAYOUT.unpack_from(octets)[0]
    os.statvfs = statvfs
