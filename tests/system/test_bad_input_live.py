"""What no one should send, to a real gateway and a real server: they stay up, count it, and give the memory back.

Without protection, so that it is not refused at the door: test_secured.py has that.
"""

import asyncio
import socket

import pytest
from msgin5g import messages, wire
from msgin5g.coap import block, numbers
from msgin5g.coap.message import encode, encode_options, uri_options

from tests.system.processes import seed, until

UE, AS = "ue@example.org", "as@example.org"
# So much may stay: buffers, caches and tables up to their bounds, which these tests do not reach.
MOST_GROWTH = 64 << 20
# Sockets of one flood; each is a peer to the one who is flooded.
PORTS = 100


class Attacker:
    """Sockets that send whatever to one address, and throw away what comes back."""

    def __init__(self, address, ports=1):
        self.address = address
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(ports)]
        for one in self.sockets:
            one.setblocking(False)
            one.bind(("127.0.0.1", 0))

    async def send(self, datagrams):
        """Send them from the ports in turn, not faster than the receiver's buffer can be expected to take."""
        for number, datagram in enumerate(datagrams):
            one = self.sockets[number % len(self.sockets)]
            one.sendto(datagram, self.address)
            if number % 50 == 49:
                await asyncio.sleep(0.004)

    async def codes(self, enough):
        """The codes of the answers, when there are enough of them."""
        codes = []

        def asked():
            for one in self.sockets:
                codes.extend(_codes(one))
            return enough(codes)

        await until(asked, lambda: f"enough answers: {codes}")
        return codes

    def close(self):
        for one in self.sockets:
            one.close()


def _codes(one):
    codes = []
    while True:
        try:
            codes.append(one.recv(65536)[1])
        except BlockingIOError:
            return codes


class Site:
    """Gateway, server, a board and an Application Server that do their work while others misbehave."""

    def __init__(self, gateway, server, board, application_server):
        self.gateway = gateway
        self.server = server
        self._board = board
        self._as = application_server
        self._worked = 0
        self._attackers = []
        self.before = {}

    def attacker(self, daemon, ports=1):
        attacker = Attacker(daemon.address, ports)
        self._attackers.append(attacker)
        return attacker

    def measure(self):
        self.before = {daemon: daemon.resident() for daemon in (self.gateway, self.server)}

    async def works(self):
        """A message up and one down, each with its report."""
        self._worked += 1
        up, down = f"up {self._worked}", f"down {self._worked}"
        sent = await self._board.send(up, **{"as": AS})
        await self._board.state(sent, "delivered")
        message_id, _ = await self._as.send(down, UE)
        await until(lambda: self._as.report_on(message_id), "report")
        assert self._as.received().count(up) == self._board.received().count(down) == 1

    def gave_the_memory_back(self):
        for daemon, before in self.before.items():
            growth = daemon.resident() - before
            print(f"{daemon.file.stem}: {growth >> 10} KiB more")
            assert growth < MOST_GROWTH

    def close(self):
        for attacker in self._attackers:
            attacker.close()


@pytest.fixture
async def site(place):
    gateway, server = await place.gateway_and_server(security="none")
    site = Site(gateway, server, await place.board(UE, gateway), await place.application_server(server, AS))
    await site.works()
    site.measure()
    yield site
    assert gateway.running and server.running
    for daemon in (gateway, server):
        assert "Traceback" not in daemon.errors() and '"level": "error"' not in daemon.errors()
    site.close()


def request(mid, token, body, options=(), kind=numbers.CON):
    pairs = [*uri_options(wire.PATH), (numbers.CONTENT_FORMAT, numbers.JSON), *options]
    return encode(kind, numbers.POST, mid, token, encode_options(pairs), body)


def registration(ue_service_id):
    return messages.encode(messages.registration(ue_service_id))


async def counted(daemon, **at_least):
    """Wait until the metrics show so many."""

    def enough():
        now = daemon.metrics()
        return all(now[name] >= count for name, count in at_least.items())

    await until(enough, lambda: f"{at_least} in {daemon.metrics()}")


async def test_garbage(site):
    random = seed(7)
    count = 4000
    for daemon, prefix in ((site.gateway, "down"), (site.server, "coap")):
        before = daemon.metrics()
        attacker = site.attacker(daemon)
        garbage = [random.randbytes(random.randrange(0, 300)) for _ in range(count // 2)]
        # Version 1, and a code that is a request's: the rest is for the parser.
        garbage += [
            bytes([0x40 | random.randrange(32)]) + random.randbytes(random.randrange(1, 100))
            for _ in range(count // 2)
        ]
        await attacker.send(garbage)
        await counted(daemon, **{f"{prefix}_received": before[f"{prefix}_received"] + count})
        now = daemon.metrics()
        assert now[f"{prefix}_not_coap"] > before[f"{prefix}_not_coap"]
        assert now[f"{prefix}_format_errors"] > before[f"{prefix}_format_errors"]
    await site.works()
    site.gave_the_memory_back()


async def test_datagrams_as_long_as_they_get(site):
    for daemon, name in ((site.gateway, "down_oversized"), (site.server, "coap_oversized")):
        attacker = site.attacker(daemon)
        longest = 65507
        await attacker.send([b"\x40" * longest, request(1, b"", b"{" * 60000), bytes(longest)] * 10)
        await counted(daemon, **{name: 30})
    await site.works()
    site.gave_the_memory_back()


async def test_bodies_that_are_no_messages(site):
    random = seed(8)
    bodies = [
        b"", b"{", b"[]", b"null", b"0", b'"x"', b"{}", b"\xff" * 50, b"[" * 900, b'{"a":' * 150,
        b'{"Message Type":"REG"}', b'{"Message Type":"KING"}', b'{"Message Type":7}', b'{"Message Type":"REG","UE Service ID":""}',
        b'{"Message Type":"REG","UE Service ID":{"x":1}}', b'{"Message Type":"MSG","Message ID":"' + b"x" * 900 + b'"}',
        b'{"Message Type":"REG","UE Service ID":"\\ud800"}', b'{"Message Type":"REG","UE Service ID":"a\\u0000b\\tc"}',
        b'{"Message Type":"MSG","Message ID":1e999}', b'{"Message Type":"MSG","Latency":' + b"9" * 900 + b"}",
    ]  # fmt: skip
    for daemon, prefix in ((site.gateway, "clients"), (site.server, "coap")):
        before = daemon.metrics()[f"{prefix}_bad_messages"]
        attacker = site.attacker(daemon)
        first = random.randrange(1 << 15)
        await attacker.send([request(first + number, b"t", body) for number, body in enumerate(bodies)])
        await counted(daemon, **{f"{prefix}_bad_messages": before + len(bodies) - 4})
        # A confirmable request is answered, whatever is in it.
        codes = await attacker.codes(lambda codes: len(codes) >= len(bodies))
        assert not [code for code in codes if code >> 5 == 5]
    await site.works()
    site.gave_the_memory_back()


async def test_messages_from_nobody_from_many_ports(site):
    body = messages.encode(messages.message((wire.UE, "nobody"), (wire.AS, AS), "m", True, False))
    count = 5000
    for daemon, name in ((site.gateway, "not_registered"), (site.server, "ue_not_registered")):
        before = daemon.metrics()
        attacker = site.attacker(daemon, PORTS)
        await attacker.send(request(number // PORTS, b"t", body) for number in range(count))
        await counted(daemon, **{name: before[name] + count * 0.9})
        assert daemon.metrics()["store_messages"] == before["store_messages"]
    await site.works()
    site.gave_the_memory_back()


async def test_bodies_that_never_end_from_many_ports(site):
    options = [(numbers.BLOCK1, block.value(0, True, 6))]
    for daemon in (site.gateway, site.server):
        attacker = site.attacker(daemon, PORTS)
        # More transfers than are held at once; then one that goes on and on.
        await attacker.send(request(number, b"t", b"{" + b" " * 1023, options) for number in range(1500))
        endless = site.attacker(daemon)
        await endless.send(
            request(number, b"t", b" " * 1024, [(numbers.BLOCK1, block.value(number, True, 6))])
            for number in range(100)
        )
        # Each block is answered; at some point the answer is no.
        refusals = {numbers.REQUEST_ENTITY_TOO_LARGE, numbers.SERVICE_UNAVAILABLE}
        await endless.codes(refusals.intersection)
    await site.works()
    site.gave_the_memory_back()


async def test_registrations_for_many_names(site):
    count = 1000
    # At the gateway each is a request to the server; one address has any number of names.
    attacker = site.attacker(site.gateway, PORTS)
    await attacker.send(
        request(number, b"t", registration(f"ue-{number}@flood.example")) for number in range(count)
    )
    await until(lambda: site.gateway.metrics()["up_exchanges"] == 0, "all answered")
    metrics = site.gateway.metrics()
    assert metrics["clients"] + metrics["registrations_refused"] + metrics["down_refused_busy"] >= count * 0.9
    await site.works()
    site.gave_the_memory_back()


async def test_a_body_that_is_longer_than_allowed_is_refused_by_its_first_block(site):
    options = [(numbers.BLOCK1, block.value(0, True, 6)), (numbers.SIZE1, 1 << 20)]
    for daemon in (site.gateway, site.server):
        attacker = site.attacker(daemon)
        await attacker.send([request(1, b"t", b"{" * 1024, options)])
        assert await attacker.codes(len) == [numbers.REQUEST_ENTITY_TOO_LARGE]
