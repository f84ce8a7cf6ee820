"""Recording a gateway's links: what is in the file, what is missing, and that nothing stays behind."""

import asyncio
import contextlib
from typing import Any

from host_tools.gateway import capture
from host_tools.gateway.capture import Recorder, Recorders, Watched
from host_tools.link import IN, OUT
from tests.operate.pcapng_reader import Capture

PING = b"\x40\x00\x00\x01"
BOARD = ("192.0.2.7", 5683)
SERIAL = ("serial", "/dev/ttyUSB0")


class Link:
    on_datagram = None


class _Endpoint:
    security = None


# What a recorder needs of one.
Endpoint: Any = _Endpoint


def links():
    endpoint = Endpoint()
    return [
        Watched("clients", Link(), endpoint, ("192.0.2.1", 5684), True),
        Watched("/dev/ttyUSB0", Link(), endpoint, None, True),
        Watched("server", Link(), Endpoint(), ("0.0.0.0", 40000), False),
    ]


class Running:
    # A recording, fetched into memory.
    def __init__(self, recorders, recorder, seconds=None):
        self.octets = b""
        self.recorder = recorder
        self._pieces = recorders.recording(recorder, seconds)

    async def begin(self):
        # Until it has said that it is there.
        self.octets += await anext(self._pieces)
        return self

    async def end(self):
        self.recorder.end()
        async for piece in self._pieces:
            self.octets += piece
        return Capture(self.octets)


async def test_both_directions_of_all_links():
    watched = links()
    recorders = Recorders(lambda: watched)
    running = await Running(recorders, Recorder()).begin()
    clients, serial, server = (one.link.on_datagram for one in watched)
    clients(IN, PING, BOARD)
    clients(OUT, bytearray(b"\x70\x00\x00\x01"), BOARD)
    serial(IN, PING, SERIAL)
    serial(OUT, PING, ("espnow", b"\x02\x00\x00\x00\x00\x01"))
    server(OUT, PING, ("127.0.0.1", 5683))
    file = await running.end()
    assert file.interfaces == ["clients", "/dev/ttyUSB0", "server"]
    assert "made up" in file.descriptions[1] and file.descriptions[0] == ""
    asked, answered, from_serial, to_radio, to_server = file.packets
    assert (asked.source, asked.destination, asked.inbound) == (BOARD, ("192.0.2.1", 5684), True)
    assert (answered.source, answered.destination, answered.inbound) == (("192.0.2.1", 5684), BOARD, False)
    assert answered.payload == b"\x70\x00\x00\x01" and asked.at <= answered.at
    assert (from_serial.source[0], from_serial.destination[0]) == ("2001:db8::2", "2001:db8::1")
    assert from_serial.comments == ["2001:db8::2 is serial /dev/ttyUSB0"]
    assert to_radio.destination[0] == "2001:db8::3"
    assert to_radio.comments == ["2001:db8::3 is espnow 02:00:00:00:00:01"]
    # The address of the route to there.
    assert to_server.source == ("127.0.0.1", 40000)
    assert file.dropped == {"clients": 0, "/dev/ttyUSB0": 0, "server": 0}


async def test_nothing_stays_behind():
    watched = links()
    recorders = Recorders(lambda: watched)
    one = await Running(recorders, Recorder()).begin()
    other = await Running(recorders, Recorder()).begin()
    await one.end()
    watched[0].link.on_datagram(IN, PING, BOARD)
    assert len((await other.end()).packets) == 1
    assert [one.link.on_datagram for one in watched] == [None] * 3
    assert len(recorders) == 0


async def test_a_reader_that_leaves_ends_it():
    watched = links()
    recorders = Recorders(lambda: watched)
    pieces = recorders.recording(Recorder())
    await anext(pieces)
    waiting = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    assert len(recorders) == 0 and watched[0].link.on_datagram is None


async def test_who_is_slow_misses_packets_and_is_told_how_many():
    watched = links()
    recorders = Recorders(lambda: watched)
    running = await Running(recorders, Recorder(most_octets=1000)).begin()
    for _ in range(50):
        watched[0].link.on_datagram(IN, PING + bytes(100), BOARD)
    recorder = running.recorder
    assert recorder.dropped > 0 and recorder.packets + recorder.dropped == 50
    file = await running.end()
    assert len(file.packets) == recorder.packets
    assert file.dropped == {"clients": recorder.dropped}


async def test_of_one_ue_only():
    watched = links()
    recorders = Recorders(lambda: watched)
    running = await Running(recorders, Recorder(wanted=lambda address: address == BOARD)).begin()
    clients, serial, server = (one.link.on_datagram for one in watched)
    clients(IN, PING, BOARD)
    clients(IN, PING, ("192.0.2.8", 5683))
    serial(IN, PING, SERIAL)
    server(OUT, PING, ("127.0.0.1", 5683))
    file = await running.end()
    assert [packet.source for packet in file.packets] == [BOARD]


async def test_what_is_inside_a_link_is_for_who_asks_for_it():
    watched = [Watched("inside", Link(), Endpoint(), ("192.0.2.1", 5684), False, True)]
    recorders = Recorders(lambda: watched)
    closed = await Running(recorders, Recorder()).begin()
    opened = await Running(recorders, Recorder(decrypted=True)).begin()
    watched[0].link.on_datagram(OUT, PING, BOARD)
    assert (await closed.end()).packets == []
    assert [packet.payload for packet in (await opened.end()).packets] == [PING]


async def test_it_ends_by_itself():
    recorders = Recorders(links)
    pieces = [piece async for piece in recorders.recording(Recorder(), 0.01)]
    assert Capture(b"".join(pieces)).packets == [] and len(recorders) == 0


async def test_a_port_that_is_plugged_in_meanwhile_is_recorded_too(monkeypatch):
    monkeypatch.setattr(capture, "_INTERVAL", 0.001)
    watched = links()
    present = watched[:1]
    recorders = Recorders(lambda: present)
    pieces: Any = recorders.recording(Recorder())
    await anext(pieces)
    present.append(watched[1])
    while watched[1].link.on_datagram is None:
        await anext(pieces)
    await pieces.aclose()
    assert watched[1].link.on_datagram is None


async def test_many_made_up_addresses_share_the_last_one(monkeypatch):
    monkeypatch.setattr(capture, "_MOST_ADDRESSES", 2)
    watched = links()
    recorders = Recorders(lambda: watched)
    running = await Running(recorders, Recorder()).begin()
    for number in range(4):
        watched[1].link.on_datagram(IN, PING, ("espnow", bytes([number])))
    file = await running.end()
    assert [packet.source[0].rpartition(":")[2] for packet in file.packets] == ["2", "3", "ffff", "ffff"]
