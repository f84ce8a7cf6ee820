# One number that must not be forgotten, in two small files that are written in turn: while one is written the other
# holds the number before. For what is persisted ahead in strides, such as OSCORE's sender sequence number.

import os
import struct
from binascii import crc32

from .durable import sync, sync_folder

# How often it was saved, the number, CRC-32 of both.
_LAYOUT = "<III"
_MAGIC = 0x354D4743


class Counter:
    # path: of the files, without what tells them apart: ".0" and ".1". Their folder exists.
    def __init__(self, path):
        self._path = path
        self._saved = 0
        # After load(): one file is damaged. Either a save() was cut off, and counts for nothing, or it is what was
        # saved last: whoever must not use a number twice leaves out as many as one save() may have gone ahead.
        self.doubtful = False

    def load(self):
        # What was saved last, None when there is nothing. ValueError when both files are damaged: whatever it was, to
        # begin anew would be to use numbers again.
        number = None
        self._saved = 0
        self.doubtful = False
        damaged = 0
        for which in (0, 1):
            self.doubtful = False
            found = self._read(which)
            damaged += self.doubtful
            if found and found[0] > self._saved:
                self._saved, number = found
        if damaged > 1:
            raise ValueError(self._path + " is damaged")
        self.doubtful = damaged == 1
        return number

    def save(self, number):
        # Durable when it returns; OSError when it may not be: then what was saved before still is. 0 to 2 ** 32 - 1.
        saved = self._saved + 1
        octets = struct.pack("<II", saved, number)
        with open(self._name(saved & 1), "wb") as file:
            octets += struct.pack("<I", crc32(octets, _MAGIC))
            if file.write(octets) != len(octets):
                raise OSError(28, "written in part")
            sync(file)
        sync_folder(self._path.rpartition("/")[0] or ".")
        self._saved = saved

    def _name(self, which):
        return f"{self._path}.{which}"

    def _read(self, which):
        try:
            os.stat(self._name(which))
        except OSError:
            return None
        try:
            with open(self._name(which), "rb") as file:
                octets = file.read(13)
            if len(octets) == 12:
                saved, number, crc = struct.unpack(_LAYOUT, octets)
                if crc == crc32(octets[:8], _MAGIC) and saved & 1 == which:
                    return saved, number
        except OSError:
            pass
        self.doubtful = True
        return None
