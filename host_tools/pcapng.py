"""Capture files that Wireshark opens: pcapng (draft-ietf-opsawg-pcapng), raw IP packets with UDP inside.

Blocks are made here, one by one; whoever writes a file begins with :func:`section`, and names each interface with
:func:`interface` before the first packet on it. Times are in nanoseconds since 1970.
"""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache

# Packets that begin with an IPv4 or IPv6 header (tcpdump.org's list of link types).
LINKTYPE_RAW = 101

_SECTION = 0x0A0D0D0A
_INTERFACE = 1
_STATISTICS = 5
_PACKET = 6
_BYTE_ORDER = 0x1A2B3C4D
# Options of blocks.
_COMMENT = 1
_SHB_USER_APPLICATION = 4
_IF_NAME = 2
_IF_DESCRIPTION = 3
_IF_TIMESTAMP_RESOLUTION = 9
_EPB_FLAGS = 2
_ISB_DROPPED = 5
_NANOSECONDS = b"\x09"
_INBOUND = 1
_OUTBOUND = 2

_UDP = 17
# Version 4, five words of 32 bits.
_VERSION_AND_LENGTH = 4 << 4 | 5
_HOP_LIMIT = 64
_DO_NOT_FRAGMENT = 0x4000


def section(application: str) -> bytes:
    """The block that a file begins with; its length is not said, since more may always come."""
    body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
    return _block(_SECTION, body, (_SHB_USER_APPLICATION, application.encode()))


def interface(name: str, description: str = "") -> bytes:
    """An interface; the first one in a file is number 0, the next number 1."""
    options = [(_IF_NAME, name.encode()), (_IF_TIMESTAMP_RESOLUTION, _NANOSECONDS)]
    if description:
        options.append((_IF_DESCRIPTION, description.encode()))
    return _block(_INTERFACE, struct.pack("<HHI", LINKTYPE_RAW, 0, 0), *options)


def packet(number: int, at: int, octets: bytes, inbound: bool, comment: str = "") -> bytes:
    """A packet on interface ``number``, at a time."""
    header = struct.pack("<IIIII", number, at >> 32, at & 0xFFFFFFFF, len(octets), len(octets))
    options = [(_EPB_FLAGS, struct.pack("<I", _INBOUND if inbound else _OUTBOUND))]
    if comment:
        options.append((_COMMENT, comment.encode()))
    return _block(_PACKET, header + _padded(octets), *options)


def statistics(number: int, at: int, dropped: int) -> bytes:
    """How many packets of an interface are missing so far; the last of these blocks counts."""
    header = struct.pack("<III", number, at >> 32, at & 0xFFFFFFFF)
    return _block(_STATISTICS, header, (_ISB_DROPPED, struct.pack("<Q", dropped)))


def datagram(source: tuple[str, int], destination: tuple[str, int], payload: bytes | bytearray) -> bytes:
    """A UDP datagram in an IP packet, as it was or may have been on the way from one address to the other.

    Both addresses are IPv4, or else both are sent as IPv6.
    """
    one, other = _address(source[0]), _address(destination[0])
    if len(one) != len(other):
        one, other = _as_v6(one), _as_v6(other)
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", source[1], destination[1], length, 0)
    # The pseudo-header (RFC 768; RFC 8200, 8.1) has the same sum in both versions.
    total = _sum(one + other + udp + payload) + _UDP + length
    check = (~_folded(total) & 0xFFFF) or 0xFFFF
    udp = struct.pack("!HHHH", source[1], destination[1], length, check)
    return (_v4 if len(one) == 4 else _v6)(one, other, length) + udp + payload


def _v4(source: bytes, destination: bytes, length: int) -> bytes:
    def header(check: int) -> bytes:
        fields = (_VERSION_AND_LENGTH, 0, 20 + length, 0, _DO_NOT_FRAGMENT, _HOP_LIMIT, _UDP, check)
        return struct.pack("!BBHHHBBH", *fields) + source + destination

    return header(~_folded(_sum(header(0))) & 0xFFFF)


def _v6(source: bytes, destination: bytes, length: int) -> bytes:
    return struct.pack("!IHBB", 6 << 28, length, _UDP, _HOP_LIMIT) + source + destination


@lru_cache(4096)
def _address(text: str) -> bytes:
    # Without the zone of a link-local one; what IPv4 looks like on an IPv6 socket is IPv4.
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if address.version == 6 else None
    return (mapped or address).packed


def _as_v6(address: bytes) -> bytes:
    return address if len(address) == 16 else bytes(10) + b"\xff\xff" + address


def _sum(octets: bytes | bytearray) -> int:
    # Of 16-bit words.
    if len(octets) & 1:
        octets = octets + b"\0"
    return sum(struct.unpack(f"!{len(octets) >> 1}H", octets))


def _folded(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _padded(octets: bytes | bytearray) -> bytes:
    return bytes(octets) + bytes(-len(octets) % 4)


def _block(kind: int, body: bytes, *options: tuple[int, bytes]) -> bytes:
    for number, value in options:
        body += struct.pack("<HH", number, len(value)) + _padded(value)
    body += bytes(4) if options else b""
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


class Tally:
    """Counts what is in a file while it is written, piece by piece.

    Attributes:
        octets: of the file.
        packets: in it.
        dropped: that are missing.
    """

    def __init__(self) -> None:
        self.octets = 0
        self.packets = 0
        self._missing: dict[bytes, int] = {}
        self._rest = b""

    @property
    def dropped(self) -> int:
        """Packets that are missing."""
        return sum(self._missing.values())

    def whole(self, piece: bytes) -> bytes:
        """The next piece, where blocks may be cut anywhere; returns the whole ones that there are now.

        Raises:
            ValueError: this is no such file.
        """
        self._rest += piece
        at = 0
        while len(self._rest) - at >= 12:
            kind, length = struct.unpack_from("<II", self._rest, at)
            if length < 12:
                raise ValueError(f"not a capture: a block of {length} octets")
            if len(self._rest) - at < length:
                break
            if kind == _PACKET:
                self.packets += 1
            elif kind == _STATISTICS:
                # Interface, time, and the option as statistics() wrote it.
                (count,) = struct.unpack_from("<Q", self._rest, at + 24)
                self._missing[self._rest[at + 8 : at + 12]] = count
            at += length
        whole, self._rest = self._rest[:at], self._rest[at:]
        self.octets += at
        return whole
