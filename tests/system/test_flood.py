"""A flood between a board and its gateway, by somebody who hears all of it: it is refused, and the board's life goes on.

What is thrown, both ways: garbage, CoAP that is cut off, requests that are valid but not protected, and what was
protected: once more as it was, with another Message ID, damaged, and with a number that was not used yet. And before
whatever is right comes the same with one bit changed.
"""

import asyncio
from collections import Counter

import pytest
from msgin5g import messages, wire
from msgin5g.coap import block, numbers
from msgin5g.coap.message import FormatError, Message, NotCoap, dotted, encode, encode_options, uri_options
from msgin5g.oscore.security import option_value, parse

from tests.system.processes import seed, until
from tests.system.tap import Tap

UE, AS = "ue@example.org", "as@example.org"
# Less than the simulated boards have otherwise, and 18 KB more than this one has in use before the flood.
HEAP = "140K"
# Datagrams each way, and how many go at once: few enough to be read, where 40 at once are mostly lost before that.
COUNT = 2000
BURST = 8
# Octets of heap. Half of that goes without any flood: more identities of messages are remembered.
MOST_GROWTH = 4096
# What a board answers to what it refuses, and what a gateway counts.
REFUSALS = ("RST", "4.00 Decryption failed", "4.01 OSCORE only", "4.01 Replay detected")
REFUSAL_COUNTERS = (
    "down_not_coap",
    "down_format_errors",
    "down_duplicates",
    "down_unexpected",
    "down_oscore_unprotected",
    "down_oscore_replayed",
    "down_oscore_forged",
)


class Attacker:
    """Makes what is thrown in one direction, from what was heard there."""

    def __init__(self, random, heard):
        self._random = random
        # Only what was protected is worth repeating.
        self._heard = [datagram for datagram in heard if oscore(datagram)]
        self._requests = [datagram for datagram in self._heard if datagram[1] < numbers.CREATED]
        assert len(self._requests) > 10

    def datagram(self):
        makers = (
            self.garbage,
            self.cut_off,
            self.unprotected,
            self.repeated,
            self.repeated_anew,
            self.damaged,
            self.forged,
        )
        return self._random.choice(makers)()

    def garbage(self):
        # Every second one is of CoAP's version.
        octets = self._random.randbytes(self._random.randrange(1, 300))
        return self._random.choice((octets, bytes([0x40 | octets[0] & 0x3F]) + octets[1:]))

    def cut_off(self):
        whole = self._random.choice((self.unprotected(), self.repeated()))
        return whole[: self._random.randrange(len(whole))]

    def unprotected(self):
        body = self._random.choice(
            (
                messages.registration(UE),
                messages.message((wire.AS, AS), (wire.UE, UE), "not protected"),
                messages.registration_result(wire.REG, UE),
            )
        )
        options = [*uri_options(wire.PATH), (numbers.CONTENT_FORMAT, numbers.JSON)]
        options += self._random.choice(([], [(numbers.BLOCK1, block.value(0, True, 6))]))
        kind = self._random.choice((numbers.CON, numbers.NON))
        mid, token = self._random.randrange(1 << 16), self._random.randbytes(2)
        return encode(kind, numbers.POST, mid, token, encode_options(options), messages.encode(body))

    def repeated(self):
        return self._random.choice(self._heard)

    def repeated_anew(self):
        # Not a duplicate to CoAP, as another Message ID shows.
        heard = self.repeated()
        return heard[:2] + self._random.randbytes(2) + heard[4:]

    def damaged(self):
        octets = bytearray(self.repeated_anew())
        for _ in range(self._random.randrange(1, 4)):
            octets[self._random.randrange(1, len(octets))] ^= 1 << self._random.randrange(8)
        return bytes(octets)

    def forged(self):
        # As a request that is newer than all: only its tag tells.
        heard = decoded(self._random.choice(self._requests))
        assert heard
        _, kid_context, kid = parse(heard.oscore())
        number = self._random.randrange(1 << 20, 1 << 24).to_bytes(3, "big")
        options = encode_options([(numbers.OSCORE, option_value(number, kid, kid_context))])
        mid = self._random.randrange(1 << 16)
        return encode(numbers.CON, numbers.POST, mid, b"t", options, bytes(heard.payload()))


def one_bit_changed(datagram):
    """In the tag at its end, when it is protected."""
    return datagram[:-1] + bytes([datagram[-1] ^ 1]) if oscore(datagram) else datagram


def decoded(datagram):
    message = Message()
    try:
        message.decode(datagram, len(datagram))
    except (NotCoap, FormatError):
        return None
    return message


def oscore(datagram):
    message = decoded(datagram)
    return message and message.oscore() is not None


def answers(datagrams):
    """How often a board refused something, by what it said: RST, or an answer that is not protected."""
    counts = Counter()
    for datagram in datagrams:
        message = decoded(datagram)
        assert message, datagram
        if message.type == numbers.RST:
            counts["RST"] += 1
        elif message.code != numbers.EMPTY and message.oscore() is None:
            counts[f"{dotted(message.code)} {bytes(message.payload()).decode()}"] += 1
    return counts


class Site:
    """A board at a gateway, with somebody between them; both ways messages with numbers."""

    def __init__(self, place, gateway, application_server):
        self.tap = Tap(gateway.address)
        self._place = place
        self.gateway = gateway
        self._as = application_server
        self.sent = []

    async def start(self):
        self.board = await self._place.board(UE, self.tap, by=self.gateway, heap=HEAP)
        return self

    async def work(self):
        """A message up and one down, each with its report."""
        number = len(self.sent)
        self.sent.append(number)
        message_id = await self.board.send(f"up {number}", **{"as": AS})
        state = await self.board.state(message_id, "delivered", "failed", "expired")
        assert state["state"] == "delivered"
        message_id, _ = await self._as.send(f"down {number}", UE)
        await until(lambda: self._as.report_on(message_id), "report")

    def all_arrived_once(self):
        assert self._as.received() == [f"up {number}" for number in self.sent]
        assert self.board.received() == [f"down {number}" for number in self.sent]
        delivered = self.board.states("delivered")
        assert len(delivered) == len(set(delivered)) == len(self.sent)
        assert len(self._as.reports) == len(self.sent)


@pytest.fixture
async def site(place):
    gateway, server = await place.gateway_and_server()
    site = await Site(place, gateway, await place.application_server(server, AS)).start()
    yield site
    site.tap.close()


async def flood(send, attacker):
    for number in range(COUNT):
        send(attacker.datagram())
        if number % BURST == BURST - 1:
            await asyncio.sleep(0.01)


def all_are_counted(counts, names):
    assert all(counts[name] > COUNT // 40 for name in names), counts


async def test_a_board_in_a_flood_goes_on(site):
    random = seed(11)
    tap, board = site.tap, site.board
    for _ in range(10):
        await site.work()
    memory, before, heard = await board.memory(), site.gateway.metrics(), len(tap.up)
    attackers = Attacker(random, tap.down), Attacker(random, tap.up)
    tap.ahead_of = one_bit_changed
    floods = asyncio.gather(flood(tap.send_down, attackers[0]), flood(tap.send_up, attackers[1]))
    while not floods.done():
        await site.work()
    await floods
    tap.ahead_of = None
    await site.work()
    site.all_arrived_once()

    all_are_counted(answers(tap.up[heard:]), REFUSALS)
    now = site.gateway.metrics()
    all_are_counted({name: now[name] - before[name] for name in now}, REFUSAL_COUNTERS)
    growth = memory["free"] - (await board.memory())["free"]
    print(f"{len(site.sent)} messages each way; {growth} octets of heap more")
    assert growth < MOST_GROWTH
    assert board.complaints() == ""
    assert "Traceback" not in site.gateway.errors() and '"level": "error"' not in site.gateway.errors()
