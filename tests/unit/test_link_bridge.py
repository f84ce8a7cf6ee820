# The bridge board: frames between a modelled radio and a serial line that is two lists of octets.

import asyncio
import random
import struct

from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.server import Server
from msgin5g.link.bridge import ABOUT, MAC_OCTETS, NOBODY, Bridge
from msgin5g.link.espnow import EspNowLink
from msgin5g.link.slip import Deframer, Framer
from msgin5g_testing.espnow import BROADCAST, Air
from test_link_serial import Uart, Wire

RUNTIMES = ("micropython",)

HERE = b"\x24\x0a\xc4\x00\x01\x00"
BOARD = b"\x24\x0a\xc4\x00\x01\x01"
OTHER = b"\x24\x0a\xc4\x00\x01\x02"


class Gateway:
    # At the other end of the line.
    def __init__(self, air, max_data_len=1470, **options):
        self.up, self.down = Wire(), Wire()
        air.board(HERE, max_data_len).install()
        self.bridge = Bridge(Uart(self.down, self.up), **options)
        # What has come up: of boards, and about the bridge.
        self.frames = []
        self.told = []
        self._deframer = Deframer(2000, self._on_frame)
        self.bridge.start()

    def _on_frame(self, buffer, size):
        frame = bytes(buffer[:size])
        if frame[:MAC_OCTETS] == NOBODY:
            self.told.append(struct.unpack(ABOUT, frame[MAC_OCTETS:]))
        else:
            self.frames.append(frame)

    def say(self, mac, datagram=b""):
        framer = Framer()
        framer.start(mac + datagram)
        buffer = bytearray(4000)
        self.down.octets.extend(buffer[: framer.fill(buffer)])

    async def until(self, condition):
        for _ in range(200):
            octets = bytes(self.up.octets)
            self.up.octets = bytearray()
            self._deframer.feed(octets, len(octets))
            if condition():
                return
            await asyncio.sleep_ms(5)
        raise AssertionError(self.frames)

    async def heard(self, count):
        await self.until(lambda: len(self.frames) >= count)
        return self.frames

    async def about(self):
        # What it has received before this, it has dealt with.
        known = len(self.told)
        self.say(NOBODY)
        await self.until(lambda: len(self.told) > known)
        return self.told[-1]

    async def close(self):
        self.bridge.close()
        await asyncio.sleep(0)


class Board:
    def __init__(self, air, mac=BOARD, max_data_len=1470):
        air.board(mac, max_data_len).install()
        self.endpoint = Endpoint(Parameters(ack_timeout=200), random.getrandbits)
        self.link = EspNowLink(self.endpoint)
        self.client = Client(self.endpoint, self.link.szx)
        self.served = []
        Server(self.endpoint).add("x", n.POST, lambda request, now: self.served.append(request.payload))
        self.link.start()

    def ask(self, payload, to=HERE):
        self.client.request(
            to, n.POST, [(n.URI_PATH, "x")], payload, lambda r, now: None, self.link.now(), False
        )
        self.link.flush()


async def test_up_with_the_mac_address_of_the_sender():
    air = Air()
    gateway, boards = Gateway(air), [Board(air), Board(air, OTHER)]
    for board in boards:
        board.ask(b"hello")
    # To everybody in reach, as who looks for a gateway does.
    boards[0].ask(b"all", BROADCAST)
    frames = await gateway.heard(3)
    assert [frame[:MAC_OCTETS] for frame in frames] == [BOARD, OTHER, BOARD]
    assert frames[0][MAC_OCTETS:].endswith(b"\xffhello") and frames[2].endswith(b"\xffall")
    for board in boards:
        board.link.close()
    await gateway.close()


async def test_down_to_the_mac_address_that_is_named():
    air = Air()
    gateway, boards = Gateway(air), [Board(air), Board(air, OTHER)]
    # NON POST /x
    gateway.say(OTHER, b"\x50\x02\x00\x01\xb1x\xfffor the other")
    gateway.say(BROADCAST, b"\x50\x02\x00\x02\xb1x\xfffor all")
    await asyncio.sleep_ms(50)
    assert boards[1].served == [b"for the other", b"for all"] and boards[0].served == [b"for all"]
    for board in boards:
        board.link.close()
    await gateway.close()


async def test_it_tells_about_itself_when_it_starts_and_when_it_is_asked():
    air = Air()
    for most, given in ((250, None), (1470, None), (1470, 250)):
        gateway = Gateway(air, most, most_octets=given)
        # As if it had been asked.
        told = gateway.told
        await gateway.until(lambda told=told: told)
        assert told == [(HERE, given or most, 0, 0)]
        assert await gateway.about() == (HERE, given or most, 0, 0)
        await gateway.close()


async def test_what_can_not_be_carried_is_counted():
    air = Air()
    gateway, board = Gateway(air, 250), Board(air)
    # Longer than a frame of this radio; half an address; noise; nobody there.
    gateway.say(BOARD, bytes(251))
    gateway.say(BOARD[:3])
    gateway.say(BOARD)
    gateway.down.octets.extend(b"boot: \xc0\xdb\x00 rst 0x1\xc0")
    await gateway.about()
    assert (await gateway.about())[2:] == (0, 3)
    gateway.say(b"\x00\x00\x00\x00\x00\x09", b"\x40\x00\x00\x01")
    assert (await gateway.about())[2:] == (1, 3)
    # And it goes on.
    gateway.say(BOARD, b"\x50\x02\x00\x01\xb1x\xffhere")
    await asyncio.sleep_ms(30)
    assert board.served == [b"here"] and gateway.bridge.line.broken >= 1
    board.link.close()
    await gateway.close()


async def test_a_radio_that_is_off_is_switched_on_again():
    air = Air()
    gateway, board = Gateway(air), Board(air)
    air.boards[HERE].radio.active(False)
    # Nobody sends anything: it looks by itself.
    gateway.bridge._air._due = gateway.bridge.radio.now()
    for _ in range(300):
        if air.boards[HERE].radio.active():
            break
        await asyncio.sleep_ms(5)
    board.ask(b"again")
    assert (await gateway.heard(1))[0].endswith(b"again") and gateway.bridge.radio.renewed == 1
    board.link.close()
    await gateway.close()


async def test_a_line_that_takes_nothing_loses_frames_and_nothing_else():
    air = Air()
    gateway, board = Gateway(air), Board(air)
    await asyncio.sleep_ms(20)
    gateway.up.most = 0
    for _ in range(40):
        assert board.link._send(b"x" * 200, HERE)
        await asyncio.sleep_ms(2)
    await asyncio.sleep_ms(50)
    gateway.up.most = 100000
    frames = await gateway.heard(5)
    assert 5 <= len(frames) <= 12
    assert (await gateway.about())[3] >= 20
    board.link.close()
    await gateway.close()
