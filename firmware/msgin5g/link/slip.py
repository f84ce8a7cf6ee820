# Datagrams on a stream of octets: SLIP frames (RFC 1055) that end with the 16-bit FCS of PPP (RFC 1662, C.2; also
# called CRC-16/X-25), least significant octet first. Shared by boards and hosts.
#
#     END  datagram and FCS, with END and ESC replaced  END
#
# The leading END cuts off whatever noise came before. Nothing is told about a frame that does not check: to CoAP it
# is a datagram lost on the way.

END = 0xC0
ESC = 0xDB
ESC_END = 0xDC
ESC_ESC = 0xDD

_FCS_OCTETS = 2
_INITIAL_FCS = 0xFFFF
# What the FCS of a datagram with its own FCS behind it comes to.
_GOOD_FCS = 0xF0B8
# The FCS of each four bits.
_TABLE = (
    0x0000, 0x1081, 0x2102, 0x3183, 0x4204, 0x5285, 0x6306, 0x7387,
    0x8408, 0x9489, 0xA50A, 0xB58B, 0xC60C, 0xD68D, 0xE70E, 0xF78F,
)  # fmt: skip


def fcs(octets, size):
    # Of the first octets; to be sent, it is complemented.
    table = _TABLE
    value = _INITIAL_FCS
    for place in range(size):
        octet = octets[place]
        value = value >> 4 ^ table[(value ^ octet) & 15]
        value = value >> 4 ^ table[(value ^ octet >> 4) & 15]
    return value


class Framer:
    # A datagram as octets to send, as many at a time as there is room for: a frame in one piece could be more than
    # twice the datagram.
    def __init__(self):
        self._datagram = b""
        self._place = 0
        self._fcs = 0
        # The second octet of a pair, when there was room for the first only.
        self._rest = -1

    def start(self, datagram):
        self._datagram = datagram
        self._fcs = fcs(datagram, len(datagram)) ^ 0xFFFF
        # Before the datagram comes an END.
        self._place = -1

    def fill(self, buffer):
        # Returns how many octets it has put into the buffer; 0 after the last.
        datagram = self._datagram
        size = len(datagram)
        room = len(buffer)
        place = self._place
        rest = self._rest
        count = 0
        while count < room:
            if rest >= 0:
                octet = rest
                rest = -1
            elif place > size + _FCS_OCTETS:
                break
            else:
                if place == -1 or place == size + _FCS_OCTETS:
                    octet = END
                else:
                    octet = datagram[place] if place < size else self._fcs >> 8 * (place - size) & 0xFF
                    if octet == END:
                        octet = ESC
                        rest = ESC_END
                    elif octet == ESC:
                        rest = ESC_ESC
                place += 1
            buffer[count] = octet
            count += 1
        self._place = place
        self._rest = rest
        return count


class Deframer:
    # on_frame(buffer, size) gets each datagram, in a buffer that is used again.
    def __init__(self, most_octets, on_frame):
        self.most_octets = most_octets
        self.on_frame = on_frame
        # Frames that were dropped: not as they were sent (or never were frames), and longer than most_octets.
        self.broken = 0
        self.oversized = 0
        self._buffer = bytearray(most_octets + _FCS_OCTETS)
        self._size = 0
        self._escaped = False
        # Where the frame is dropped already, up to the next END.
        self._bad = False

    def feed(self, octets, count):
        # The first octets of what has been read. Makes no garbage.
        buffer = self._buffer
        room = len(buffer)
        size = self._size
        escaped = self._escaped
        for place in range(count):
            octet = octets[place]
            if octet == END:
                self._size = size
                self._escaped = escaped
                self._end()
                size = 0
                escaped = False
                continue
            if escaped:
                escaped = False
                if octet == ESC_END:
                    octet = END
                elif octet == ESC_ESC:
                    octet = ESC
                else:
                    self._bad = True
            elif octet == ESC:
                escaped = True
                continue
            if size < room:
                buffer[size] = octet
            # One more than there is room for shows that it was too long.
            if size <= room:
                size += 1
        self._size = size
        self._escaped = escaped

    def _end(self):
        size = self._size
        bad = self._bad or self._escaped
        self._size = 0
        self._escaped = self._bad = False
        if size > len(self._buffer):
            self.oversized += 1
        elif bad or (size and (size <= _FCS_OCTETS or fcs(self._buffer, size) != _GOOD_FCS)):
            self.broken += 1
        elif size:
            self.on_frame(self._buffer, size - _FCS_OCTETS)
