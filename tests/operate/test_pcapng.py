"""Capture files, block by block, as a reader of its own and tshark see them."""

import shutil
import subprocess

import pytest

from host_tools import pcapng
from tests.operate.pcapng_reader import Capture

AT = 1_790_000_000_123_456_789


def a_file():
    one, other = ("192.0.2.1", 5683), ("192.0.2.77", 40000)
    v6, v6_other = ("2001:db8::1", 5683), ("2001:db8::2%eth0", 5683)
    ping = b"\x40\x00\x12\x34"
    return b"".join(
        (
            pcapng.section("msgin5g"),
            pcapng.interface("clients"),
            pcapng.packet(0, AT, pcapng.datagram(other, one, ping), True),
            pcapng.interface("/dev/ttyUSB0", "addresses are made up"),
            pcapng.packet(1, AT + 1, pcapng.datagram(v6, v6_other, b"\x70\x00\x12\x34" + b"x"), False, "why"),
            pcapng.packet(0, AT + 2, pcapng.datagram(("::ffff:192.0.2.77", 1), one, b""), True),
            pcapng.packet(0, AT + 3, pcapng.datagram(v6, one, b"odd"), True),
            pcapng.statistics(0, AT + 4, 7),
        )
    )


def test_what_is_written_can_be_read():
    capture = Capture(a_file())
    assert capture.interfaces == ["clients", "/dev/ttyUSB0"]
    assert capture.descriptions == ["", "addresses are made up"]
    ping, pong, empty, mixed = capture.packets
    assert ping.at == AT and ping.inbound and ping.interface == "clients"
    assert (ping.source, ping.destination) == (("192.0.2.77", 40000), ("192.0.2.1", 5683))
    assert ping.payload == b"\x40\x00\x12\x34"
    assert not pong.inbound and pong.comments == ["why"]
    assert (pong.source, pong.destination) == (("2001:db8::1", 5683), ("2001:db8::2", 5683))
    assert pong.payload == b"\x70\x00\x12\x34x"
    assert empty.source == ("192.0.2.77", 1) and empty.payload == b""
    assert mixed.destination == ("::ffff:192.0.2.1", 5683)
    assert capture.dropped == {"clients": 7}


def test_a_checksum_of_zero_is_sent_as_all_ones():
    # RFC 768; found by trying payloads until the sum comes out as zero.
    for number in range(0x10000):
        packet = pcapng.datagram(("192.0.2.1", 1), ("192.0.2.2", 2), number.to_bytes(2, "big"))
        if packet[26:28] == b"\xff\xff":
            return
        assert packet[26:28] != b"\0\0"
    raise AssertionError("no payload has that sum")


def test_tshark_reads_it(tmp_path):
    tshark = shutil.which("tshark")
    if not tshark:
        pytest.skip("tshark is not here (Debian package tshark)")
    file = tmp_path / "a.pcapng"
    file.write_bytes(a_file())
    fields = (
        "frame.interface_name",
        "frame.time_epoch",
        "ip.src",
        "ipv6.dst",
        "udp.checksum.status",
        "coap.mid",
    )
    told = subprocess.run(
        [tshark, "-r", file, "-T", "fields", "-E", "separator=,", "-o", "udp.check_checksum:TRUE"]
        + [argument for field in fields for argument in ("-e", field)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert told[0] == "clients,1790000000.123456789,192.0.2.77,,1,4660"
    assert told[1].startswith("/dev/ttyUSB0,1790000000.123456790,,2001:db8::2,1,")
    assert len(told) == 4


def test_a_file_is_counted_while_it_arrives_in_pieces():
    octets = a_file()
    for size in (1, 7, 100, len(octets)):
        tally = pcapng.Tally()
        whole = b"".join(tally.whole(octets[at : at + size]) for at in range(0, len(octets), size))
        assert whole == octets
        assert (tally.octets, tally.packets, tally.dropped) == (len(octets), 4, 7)


def test_half_a_block_is_held_back():
    octets = a_file()
    tally = pcapng.Tally()
    Capture(tally.whole(octets[:-1]))
    assert tally.octets == len(octets) - len(pcapng.statistics(0, AT, 7))


def test_what_is_no_capture_is_refused():
    with pytest.raises(ValueError, match="not a capture"):
        pcapng.Tally().whole(bytes(20))
