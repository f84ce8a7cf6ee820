# An append-only log in numbered files ("segments") of one folder, on LittleFS, FAT or anything else with files.
#
# A segment is a header, twice (24 octets each, so that a damaged one costs nothing), then entries:
#     header  "5GL1", number of the segment, birth (8 octets) and salt (4) of the log, CRC-32
#     entry   mark, kind, check of the size (2 octets), size, payload, CRC-32 of all that
# What is appended at once ends with an entry whose kind has the bit LAST, and counts only when that one is there: a
# power cut leaves all of it or nothing. Nothing is ever written after a torn end, nor over anything; segments are
# dropped whole, oldest first, so that no entry outlives a later one that revokes it.
#
# Checks start from the log's salt and the segment's number: neither what an old file has left in a flash block, nor
# what a stranger puts into a message, is taken for an entry.

import os
import struct
from binascii import crc32

from .. import forget
from .durable import sync, sync_folder

MAGIC = b"5GL1"
HEADER_SIZE = 24
MARK = b"\xa7"
_FRAME = "<BBHI"
# What an entry takes besides its payload.
OVERHEAD = 12
# Of a payload, this much is read into memory at once.
PIECE = 320
# A segment before its first entry.
EMPTY = 2 * HEADER_SIZE
LAST = 1 << 7

_ENOENT = 2
_ENOSPC = 28


class Log:
    # tell(text) is called with what is wrong; counters are the owner's.
    def __init__(self, folder, tell, counters):
        self.folder = folder
        self.tell = tell
        self.counters = counters
        # [number, octets], oldest first.
        self.segments = []
        # Does the last segment end with what is complete, so that more can follow?
        self.appendable = False
        self.next_number = 1
        self._buffer = bytearray(PIECE)
        self.birth = os.urandom(8)
        self.salt = os.urandom(4)

    def octets(self):
        return sum(segment[1] for segment in self.segments)

    def path(self, number):
        return f"{self.folder}/{number:08x}.log"

    def open(self, apply):
        # Calls apply(kind, number, offset, payload size, start of the payload) for each entry that counts, oldest
        # first. Raises OSError when there is no such folder and none can be made; damage is told and counted.
        from .opening import open_log

        open_log(self, apply)
        forget("msgin5g.store.opening")

    def entry_at(self, file, offset, size, seed):
        # (kind, payload size, start of the payload or None when its CRC is wrong), or None.
        file.seek(offset)
        frame = file.read(8)
        if len(frame) < 8 or frame[:1] != MARK:
            return None
        _, kind, _, length = struct.unpack(_FRAME, frame)
        if offset + OVERHEAD + length > size or _frame(kind, length, seed) != frame:
            return None
        crc = crc32(frame, seed)
        start = file.read(min(length, PIECE))
        crc = self._crc_of(file, length - len(start), crc32(start, crc))
        return kind, length, start if file.read(4) == struct.pack("<I", crc) else None

    def _crc_of(self, file, length, crc):
        view = memoryview(self._buffer)
        while length > 0:
            count = file.readinto(view[: min(length, PIECE)])
            if not count:
                return 0
            crc = crc32(view[:count], crc)
            length -= count
        return crc

    def seed(self, number):
        return crc32(struct.pack("<I", number), crc32(self.birth + self.salt))

    # -- reading

    def payload(self, number, offset, length):
        # A file at the payload of an entry, to be closed by the caller; None when that entry is not there whole.
        file = open(self.path(number), "rb")
        try:
            entry = self.entry_at(file, offset, file.seek(0, 2), self.seed(number))
            if entry and entry[1] == length and entry[2] is not None:
                file.seek(offset + 8)
                return file
        except OSError:
            file.close()
            raise
        file.close()
        return None

    # -- writing

    def append(self, entries, first, most):
        # Writes entries, (kind, parts) each, all or none; parts are octets, or (number, offset, length) of a payload in
        # the log. A new segment is begun when this one would have more than `most` octets; it starts with the entries
        # that first() returns. Returns [(number, offset)] when all is durable, raises OSError when it may not be.
        size = sum(OVERHEAD + length_of(parts) for _, parts in entries)
        begin = not self.appendable or self.segments[-1][1] + size > most
        if begin:
            self.segments.append([self.next_number, 0])
            self.next_number += 1
        segment = self.segments[-1]
        number = segment[0]
        places = []
        self.appendable = False
        try:
            with open(self.path(number), "ab") as file:
                offset = segment[1]
                if begin:
                    header = struct.pack("<4sI8s4s", MAGIC, number, self.birth, self.salt)
                    header += struct.pack("<I", crc32(header))
                    _write(file, header + header)
                    offset = self._write_entries(file, number, EMPTY, first(), [])
                offset = self._write_entries(file, number, offset, entries, places)
                sync(file)
            if begin:
                sync_folder(self.folder)
        except (OSError, MemoryError):
            self._give_up(begin)
            raise
        segment[1] = offset
        self.appendable = True
        return places

    def _write_entries(self, file, number, offset, entries, places):
        seed = self.seed(number)
        for position, (kind, parts) in enumerate(entries):
            if position == len(entries) - 1:
                kind |= LAST
            length = length_of(parts)
            frame = _frame(kind, length, seed)
            crc = crc32(frame, seed)
            _write(file, frame)
            for part in parts:
                if isinstance(part, tuple):
                    crc = self._copy(file, part, crc)
                else:
                    _write(file, part)
                    crc = crc32(part, crc)
            _write(file, struct.pack("<I", crc))
            places.append((number, offset))
            offset += OVERHEAD + length
        return offset

    def _copy(self, file, place, crc):
        length = place[2]
        view = memoryview(self._buffer)
        with open(self.path(place[0]), "rb") as source:
            source.seek(place[1] + 8)
            while length:
                count = source.readinto(view[: min(length, PIECE)])
                if not count:
                    raise OSError(_ENOENT, "ended early")
                _write(file, view[:count])
                crc = crc32(view[:count], crc)
                length -= count
        return crc

    def _give_up(self, begun):
        # What is in the last segment now is unknown. One that was just begun holds nothing that counts; should it stay,
        # it has its place in the order all the same.
        segment = self.segments[-1]
        try:
            if begun:
                os.remove(self.path(segment[0]))
                self.segments.pop()
            else:
                segment[1] = os.stat(self.path(segment[0]))[6]
        except OSError as error:
            if begun and error.errno == _ENOENT:
                self.segments.pop()

    def drop_oldest(self):
        # False when it can't be: then nothing younger may be dropped either.
        try:
            os.remove(self.path(self.segments[0][0]))
        except OSError as error:
            if error.errno != _ENOENT:
                self.tell(f"{self.path(self.segments[0][0])} can't be removed: {error}")
                return False
        self.segments.pop(0)
        return True


def _frame(kind, length, seed):
    check = crc32(struct.pack("<BI", kind, length), seed) & 0xFFFF
    return struct.pack(_FRAME, MARK[0], kind, check, length)


def length_of(parts):
    return sum(part[2] if isinstance(part, tuple) else len(part) for part in parts)


def _write(file, octets):
    if file.write(octets) != len(octets):
        raise OSError(_ENOSPC, "written in part")
