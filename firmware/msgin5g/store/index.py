# What a store on flash keeps in RAM: where its items are, 30 octets each, and which identities it has seen, 8 octets
# each.

import struct

# Key, number of the segment, offset of the entry, size of its payload, expiration time, identity, hop, priority.
_RECORD = "<IIIII8sBB"
_SIZE = 30
_NOTHING = bytes(_SIZE)


class Index:
    # A table in the order of the keys. It is allocated for the items that may be stored, and grows only when a log has
    # more.
    def __init__(self, most):
        self._table = bytearray(_SIZE * most)
        self.count = 0

    def __len__(self):
        return self.count

    def __contains__(self, identity):
        return identity in self._table

    def at(self, position):
        return struct.unpack_from(_RECORD, self._table, _SIZE * position)

    def first_from(self, key):
        # The position of the first record whose key is not below this one.
        low, high = 0, self.count
        while low < high:
            middle = (low + high) >> 1
            if struct.unpack_from("<I", self._table, _SIZE * middle)[0] < key:
                low = middle + 1
            else:
                high = middle
        return low

    def get(self, key):
        position = self.first_from(key)
        if position < self.count:
            record = self.at(position)
            if record[0] == key:
                return record
        return None

    def put(self, record):
        # Adds a record, or replaces the one with that key.
        position = self.first_from(record[0])
        if position == self.count or self.at(position)[0] != record[0]:
            if self.count * _SIZE == len(self._table):
                self._table.extend(bytes(_SIZE * 8))
            self._move(position, position + 1)
            self.count += 1
        struct.pack_into(_RECORD, self._table, _SIZE * position, *record)

    def remove(self, key):
        position = self.first_from(key)
        if position < self.count and self.at(position)[0] == key:
            self._move(position + 1, position)
            self.count -= 1
            # What was revoked must not be known by what it has left behind.
            self._table[_SIZE * self.count : _SIZE * (self.count + 1)] = _NOTHING

    def _move(self, source, target):
        # What begins at one position, to another.
        view = memoryview(self._table)
        length = _SIZE * (self.count - source)
        source *= _SIZE
        target *= _SIZE
        view[target : target + length] = view[source : source + length]

    def in_segment(self, number):
        # The records of one segment.
        return [record for record in map(self.at, range(self.count)) if record[1] == number]

    def uses_segment(self, number):
        return any(self.at(position)[1] == number for position in range(self.count))

    def uses_hop(self, hop):
        return any(self.at(position)[6] == hop for position in range(self.count))


class Known:
    # The identities seen last, in a ring.
    def __init__(self, most):
        self._ring = bytearray(8 * most)
        self._next = 0
        self._count = 0

    def __contains__(self, identity):
        # What lies across two of them is as unlikely to be met as another message with the same identity.
        return identity in self._ring

    def add(self, identity):
        if identity in self._ring:
            return
        self._ring[self._next : self._next + 8] = identity
        self._next = (self._next + 8) % len(self._ring)
        self._count = min(self._count + 8, len(self._ring))

    def clear(self):
        most = len(self._ring)
        self._ring[:] = bytes(most)
        self._next = self._count = 0

    def oldest_first(self):
        # In one piece or two, without a copy: a heap may not have as many octets in a row.
        ring = memoryview(self._ring)
        if self._count < len(ring):
            return (ring[: self._count],)
        return ring[self._next :], ring[: self._next]
