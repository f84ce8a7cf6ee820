# Block-wise transfer (RFC 7959): the value of a Block option, and bodies that arrive block by block.

from .. import ticks
from . import numbers as n

# A Block option value is NUM << 4 | M << 3 | SZX; a block has 2**(SZX + 4) octets, SZX 7 is reserved.
RESERVED_SZX = 7
LARGEST_SZX = 6
MOST_BLOCKS = 1 << 20


def value(number, more, szx):
    return number << 4 | (8 if more else 0) | szx


def number(block):
    return block >> 4


def more(block):
    return bool(block & 8)


def szx(block):
    return block & 7


def size(szx):
    return 16 << szx


def szx_for(octets):
    # The largest block that fits into so many octets of payload.
    exponent = LARGEST_SZX
    while exponent and size(exponent) > octets:
        exponent -= 1
    return exponent


class Bodies:
    # Bodies under way, in either direction, by key: bounded in number, each given up when it is not touched
    # for `timeout` milliseconds.
    def __init__(self, most, timeout):
        self._most = most
        self._timeout = timeout
        self._entries = {}
        self.expired = 0

    def __len__(self):
        return len(self._entries)

    def get(self, key, now):
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry[0] = now
        return entry[1]

    def put(self, key, body, now):
        # False when there is no room.
        if key not in self._entries and len(self._entries) >= self._most:
            self.sweep(now)
            if len(self._entries) >= self._most:
                return False
        self._entries[key] = [now, body]
        return True

    def remove(self, key):
        self._entries.pop(key, None)

    def sweep(self, now):
        # Give up what has not been touched. Returns the tick at which to look again, or None.
        earliest = None
        for key, (touched, _) in list(self._entries.items()):
            due = ticks.add(touched, self._timeout)
            if ticks.diff(due, now) <= 0:
                del self._entries[key]
                self.expired += 1
            elif earliest is None or ticks.diff(due, earliest) < 0:
                earliest = due
        return earliest


def fills(block, payload):
    # Every block but the last is full (RFC 7959, 2.2).
    if more(block):
        return len(payload) == size(szx(block))
    return len(payload) <= size(szx(block))


def append(body, block, payload, most_octets):
    # Add a Block1 block to body, a bytearray. Returns None, or the code that refuses it.
    exponent = szx(block)
    if exponent == RESERVED_SZX:
        return n.BAD_REQUEST
    if number(block) << (exponent + 4) != len(body):
        return n.REQUEST_ENTITY_INCOMPLETE
    if len(body) + len(payload) > most_octets:
        return n.REQUEST_ENTITY_TOO_LARGE
    if not fills(block, payload):
        return n.BAD_REQUEST
    body.extend(payload)
    return None


def cut(body, number, exponent):
    # (block, more) of a body; block is None when there is no such number.
    start = number << (exponent + 4)
    if start > len(body) or (start == len(body) and number):
        return None, False
    end = start + size(exponent)
    return body[start:end], end < len(body)
