# CBOR (RFC 8949), as much of it as constrained UEs speak: integers of 64 bits, octets, text, arrays, maps, true, false
# and null, all of definite length. Others' octets are checked before anything is made of them: a length or a count
# cannot exceed what is there, and neither depth nor the number of items is the sender's choice.
#
# Tags are read over. Floats and other simple values are read as OTHER, so that somebody's extension of a map does no
# harm to what is understood of it.

OTHER = ...

# Major types (RFC 8949, 3.1)
_UINT = 0
_NINT = 1
_OCTETS = 2
_TEXT = 3
_ARRAY = 4
_MAP = 5
_TAG = 6

_SIMPLE = {20: False, 21: True, 22: None}


class NotCbor(ValueError):
    pass


def decode(octets, deepest=8, most_items=512):
    # One data item and nothing behind it. deepest: arrays, maps and tags within each other; most_items: items in all,
    # keys included. Raises NotCbor, and nothing else.
    reader = _Reader(octets, most_items)
    value = reader.item(deepest)
    if reader.at != len(octets):
        raise NotCbor("octets behind the end")
    return value


class _Reader:
    def __init__(self, octets, most_items):
        self._octets = memoryview(octets)
        self._items = most_items
        self._additional = 0
        self.at = 0

    def _head(self):
        # The major type; the argument is in self._argument then.
        octets = self._octets
        at = self.at
        self._items -= 1
        if self._items < 0:
            raise NotCbor("too many items")
        if at >= len(octets):
            raise NotCbor("cut off")
        first = octets[at]
        at += 1
        argument = self._additional = first & 31
        if argument > 23:
            if argument > 27:
                raise NotCbor("indefinite or reserved length")
            end = at + (1 << argument - 24)
            if end > len(octets):
                raise NotCbor("cut off")
            argument = 0
            while at < end:
                argument = argument << 8 | octets[at]
                at += 1
        self._argument = argument
        self.at = at
        return first >> 5

    def item(self, deepest):
        major = self._head()
        argument = self._argument
        if major == _UINT:
            return argument
        if major == _NINT:
            return -1 - argument
        if major > _TAG:
            # A simple value in an octet of its own is none of these.
            return _SIMPLE.get(argument, OTHER) if self._additional < 24 else OTHER
        if major <= _TEXT:
            return self._string(major, argument)
        if deepest <= 0:
            raise NotCbor("nested too deep")
        deepest -= 1
        if major == _TAG:
            return self.item(deepest)
        # Each item has an octet at least.
        if argument > len(self._octets) - self.at:
            raise NotCbor("cut off")
        if major == _ARRAY:
            items = []
            while argument:
                items.append(self.item(deepest))
                argument -= 1
            return items
        return self._map(argument, deepest)

    def _string(self, major, length):
        at = self.at
        if length > len(self._octets) - at:
            raise NotCbor("cut off")
        self.at = at + length
        part = self._octets[at : at + length]
        if major == _OCTETS:
            return bytes(part)
        try:
            return str(part, "utf-8")
        except UnicodeError:
            raise NotCbor("text that is not UTF-8")

    def _map(self, count, deepest):
        pairs = {}
        while count:
            key = self.item(0)
            if not isinstance(key, (int, str)) or isinstance(key, bool):
                raise NotCbor("a key is a number or a text")
            if key in pairs:
                raise NotCbor("a key twice")
            pairs[key] = self.item(deepest)
            count -= 1
        return pairs


def encode(value):
    octets = bytearray()
    put(octets, value)
    return bytes(octets)


def put(octets, value):
    # Appends a data item. Numbers as keys are in ascending order, so that equal maps are equal octets (RFC 8949, 4.2).
    # Raises ValueError for what CBOR, or this part of it, does not have.
    if value is None or value is True or value is False:
        octets.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif isinstance(value, int):
        head(octets, _UINT if value >= 0 else _NINT, value if value >= 0 else -1 - value)
    elif isinstance(value, str):
        text = _utf_8(value)
        head(octets, _TEXT, len(text))
        octets.extend(text)
    elif isinstance(value, dict):
        keys = list(value)
        if keys and not [key for key in keys if not isinstance(key, int)]:
            keys.sort()
        head(octets, _MAP, len(keys))
        for key in keys:
            put(octets, key)
            put(octets, value[key])
    elif isinstance(value, (list, tuple)):
        head(octets, _ARRAY, len(value))
        for item in value:
            put(octets, item)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        head(octets, _OCTETS, len(value))
        octets.extend(value)
    else:
        raise ValueError("not for CBOR")


def head(octets, major, argument):
    # The beginning of an item: its major type, and its value, length or count.
    if argument < 24:
        octets.append(major << 5 | argument)
        return
    size = 0
    while argument >> (8 << size):
        size += 1
    if size > 3:
        raise ValueError("more than 64 bits")
    octets.append(major << 5 | 24 + size)
    octets.extend(argument.to_bytes(1 << size, "big"))


def _utf_8(text):
    try:
        return text.encode()
    except UnicodeError:
        # Half of a surrogate pair, which UTF-8 does not have.
        return text.encode("utf-8", "replace")
