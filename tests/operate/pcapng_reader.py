"""A small reader of pcapng files, written from the draft and not from the writer: the oracle of the capture tests."""

import socket
import struct


class Packet:
    def __init__(self, interface, at, octets, options):
        self.interface = interface
        self.at = at
        self.octets = octets
        self.inbound = {1: True, 2: False}[struct.unpack("<I", options[2][0])[0] & 3]
        self.comments = [value.decode() for value in options.get(1, [])]
        version = octets[0] >> 4
        if version == 4:
            assert octets[0] == 0x45 and octets[9] == 17
            assert ones_complement(octets[:20]) == 0xFFFF
            addresses, udp = octets[12:20], octets[20:]
            family, size = socket.AF_INET, 4
            assert struct.unpack("!H", octets[2:4])[0] == len(octets)
        else:
            assert version == 6 and octets[6] == 17
            addresses, udp = octets[8:40], octets[40:]
            family, size = socket.AF_INET6, 16
            assert struct.unpack("!H", octets[4:6])[0] == len(udp)
        source_port, port, length, check = struct.unpack("!HHHH", udp[:8])
        assert length == len(udp) and check
        assert ones_complement(addresses + struct.pack("!II", length, 17) + udp) == 0xFFFF
        self.source = (socket.inet_ntop(family, addresses[:size]), source_port)
        self.destination = (socket.inet_ntop(family, addresses[size:]), port)
        self.payload = udp[8:]


class Capture:
    def __init__(self, octets):
        self.interfaces = []
        self.descriptions = []
        self.packets = []
        self.dropped = {}
        at = 0
        while at < len(octets):
            kind, length = struct.unpack_from("<II", octets, at)
            assert length % 4 == 0 and length >= 12
            assert struct.unpack_from("<I", octets, at + length - 4)[0] == length
            self._block(kind, octets[at + 8 : at + length - 4], at == 0)
            at += length
        assert at == len(octets)

    def _block(self, kind, body, first):
        assert first == (kind == 0x0A0D0D0A)
        if kind == 0x0A0D0D0A:
            assert struct.unpack_from("<IHHq", body) == (0x1A2B3C4D, 1, 0, -1)
        elif kind == 1:
            assert struct.unpack_from("<HHI", body) == (101, 0, 0)
            options = read_options(body[8:])
            assert options[9] == [b"\x09"]
            self.interfaces.append(options[2][0].decode())
            self.descriptions.append(options[3][0].decode() if 3 in options else "")
        elif kind == 6:
            number, high, low, captured, original = struct.unpack_from("<IIIII", body)
            assert captured == original
            end = 20 + captured + -captured % 4
            options = read_options(body[end:])
            name = self.interfaces[number]
            self.packets.append(Packet(name, high << 32 | low, body[20 : 20 + captured], options))
        elif kind == 5:
            (number,) = struct.unpack_from("<I", body)
            (self.dropped[self.interfaces[number]],) = struct.unpack("<Q", read_options(body[12:])[5][0])
        else:
            raise AssertionError(f"block {kind}")

    def on(self, interface):
        return [packet for packet in self.packets if packet.interface == interface]


def read_options(octets):
    options = {}
    at = 0
    while at < len(octets):
        number, length = struct.unpack_from("<HH", octets, at)
        if number == 0:
            return options
        options.setdefault(number, []).append(octets[at + 4 : at + 4 + length])
        at += 4 + length + -length % 4
    assert not octets, "options without an end"
    return options


def ones_complement(octets):
    total = 0
    for place in range(0, len(octets), 2):
        total += int.from_bytes(octets[place : place + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total
