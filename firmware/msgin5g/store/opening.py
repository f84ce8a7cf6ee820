# Opening a log: which files are its segments, and what counts in them. Done once, after a restart.

import os
import struct
from binascii import crc32

from .log import EMPTY, HEADER_SIZE, LAST, MAGIC, MARK, OVERHEAD, PIECE

_HEADER = "<4sI8s4sI"
_ENOENT = 2
_EEXIST = 17


def open_log(log, apply):
    # Calls apply() as Log.open() says.
    try:
        os.mkdir(log.folder)
    except OSError as error:
        if error.errno != _EEXIST:
            # Whether it can be read all the same, listdir() knows.
            log.tell(f"{log.folder}: {error}")
    numbers = []
    for name in os.listdir(log.folder):
        number = _number(name)
        if number is None:
            log.counters["foreign"] += 1
        else:
            numbers.append(number)
    numbers.sort()
    if not numbers:
        return
    log.next_number = numbers[-1] + 1
    _find_birth(log, numbers)
    for number in numbers:
        _open_segment(log, number, apply)


def _find_birth(log, numbers):
    # The youngest segment with a readable header says whose log it is.
    for number in reversed(numbers):
        header = _header(log, number)
        if header:
            log.birth, log.salt = header[2:4]
            return


def _header(log, number):
    try:
        with open(log.path(number), "rb") as file:
            for copy in (file.read(HEADER_SIZE), file.read(HEADER_SIZE)):
                if len(copy) == HEADER_SIZE:
                    header = struct.unpack(_HEADER, copy)
                    if header[0] == MAGIC and header[1] == number and header[4] == crc32(copy[:-4]):
                        return header
    except OSError:
        pass
    return None


def _open_segment(log, number, apply):
    header = _header(log, number)
    if header and header[2:4] != (log.birth, log.salt):
        # Of another log: it is left alone.
        log.counters["foreign"] += 1
        log.tell(f"{log.path(number)} is of another store")
        return
    segment = [number, 0]
    log.segments.append(segment)
    try:
        with open(log.path(number), "rb") as file:
            segment[1] = file.seek(0, 2)
            log.appendable = _scan(log, file, number, segment[1], apply)
    except OSError as error:
        log.appendable = False
        _damage(log, number, error)
    if header is None:
        log.appendable = False
        if segment[1] < EMPTY:
            # Cut off when it was begun.
            log.counters["torn"] += 1
        else:
            _damage(log, number, "its header")


def _scan(log, file, number, size, apply):
    # True when the segment ends with the end of what was appended at once.
    seed = log.seed(number)
    offset = complete = EMPTY
    entries = []
    damaged = False
    while offset < size:
        found = log.entry_at(file, offset, size, seed)
        if found is None:
            # Not even its size can be believed: look for the next.
            damaged = True
            offset = _next_mark(file, offset + 1, size)
            continue
        kind, length, start = found
        if start is None:
            damaged = True
        else:
            entries.append((kind & ~LAST, offset, length, start))
        offset += OVERHEAD + length
        if start is not None and kind & LAST:
            for entry in entries:
                apply(entry[0], number, entry[1], entry[2], entry[3])
            entries.clear()
            if damaged:
                _damage(log, number, "an entry")
                damaged = False
                complete = -1
            elif complete >= 0:
                complete = offset
    if complete >= 0 and complete < size:
        # Appending was cut off: none of it counts.
        log.counters["torn"] += 1
    return complete == size


def _next_mark(file, offset, size):
    while offset < size:
        file.seek(offset)
        piece = file.read(PIECE)
        at = piece.find(MARK)
        if at >= 0:
            return offset + at
        offset += len(piece) or PIECE
    return size


def _damage(log, number, what):
    log.counters["damaged"] += 1
    log.tell(f"{log.path(number)} is damaged: {what}")


def _number(name):
    # Of a segment by its file name, None for a file that is none of ours. FAT may show capitals.
    name = name.lower()
    if len(name) != 12 or name[8:] != ".log":
        return None
    try:
        number = int(name[:8], 16)
    except ValueError:
        return None
    return number if f"{number:08x}.log" == name else None
