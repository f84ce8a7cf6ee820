"""A real gateway whose server answers garbage, stalls, and says everything twice: it stays up, counts that, and passes on
once what it has acknowledged. tests/unit/test_gateway_hostile_server.py has each case by itself."""

import asyncio

import pytest
from hostile_gateway import HostileGateway
from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from test_gateway_hostile_server import NONSENSE, Contradiction, Echo
from world import Random

from host_tools.link import UdpLink
from tests.system.processes import seed, until

UE = "ue@example.org"
AS = "as@example.org"


class Scripted:
    """A server on a socket, that does as it is told."""

    security = "none"

    def __init__(self):
        self.random = Random(7)
        self.server = HostileGateway(self)
        self.server.takes_apart = True
        self.link = UdpLink(self.server.endpoint, "127.0.0.1", 0)
        self.port = self.link.address[1]
        self.address_of_gateway = ("127.0.0.1", 0)
        receive = self.server.endpoint.receive

        def noted(data, size, address, now):
            self.address_of_gateway = address
            receive(data, size, address, now)

        self.server.endpoint.receive = noted

    # What a world is to a fake server.

    def join(self, _address, endpoint):
        return endpoint

    @property
    def now(self):
        return self.link.now()

    def send(self, datagram):
        """Any octets, from the server's address."""
        self.link._socket.sendto(datagram, self.address_of_gateway)

    def says(self, kind):
        """Speak in another way: Echo, Contradiction, or None for the right one."""
        self.link.endpoint = kind(self.server.endpoint, self.random) if kind else self.server.endpoint

    def received(self):
        return [messages.payload(one) for one in self.server.received]


@pytest.fixture
async def server():
    scripted = Scripted()
    scripted.link.start()
    yield scripted
    scripted.link.close()


async def accepted(board, payload):
    sent = await board.send(payload, **{"as": AS})
    await board.state(sent, "accepted", "delivered")


async def test_a_server_that_makes_no_sense(place, server):
    chance = seed(20261122)
    gateway = await place.gateway(server)
    board = await place.board(UE, gateway)
    sent = []

    async def send():
        sent.append(f"up {len(sent)}")
        await accepted(board, sent[-1])

    await send()
    await until(lambda: server.received() == sent, server.received)
    # It refuses with nonsense; it acknowledges and stalls; it never says what it thinks of a registration.
    for payload in NONSENSE:
        server.server.raw(wire.MSG, coap.SERVICE_UNAVAILABLE, payload, coap.JSON)
        server.server.raw(wire.REG, coap.CHANGED, payload, coap.CBOR)
        await send()
    server.server.on[wire.MSG] = lambda request, elements, now: None
    await send()
    # Octets of any kind, as fast as the gateway's socket takes them.
    before = gateway.metrics()
    for number in range(3000):
        first = bytes([chance.choice((0x40, 0x50, 0x60, 0x70, 0x00)) | chance.randrange(16)])
        server.send(first + chance.randbytes(chance.randrange(200)))
        if number % 50 == 49:
            await asyncio.sleep(0.004)
    await until(lambda: gateway.metrics()["up_received"] >= before["up_received"] + 2900, gateway.metrics)
    after = gateway.metrics()
    for name in ("up_not_coap", "up_format_errors", "up_unexpected"):
        assert after[name] > before[name], name
    # Everything twice, then with the opposite behind it: its first word counts.
    server.server.on = {}
    for kind in (Echo, Contradiction):
        server.says(kind)
        for _ in range(10):
            await send()
        await until(lambda: not gateway.stored(), gateway.stored, patience=60)
    server.says(None)
    assert sorted(server.received()) == sorted(sent)
    assert gateway.running
    assert '"level": "error"' not in gateway.errors() and "Traceback" not in gateway.errors()
    assert await gateway.end() == 0
