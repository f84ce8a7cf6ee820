# A server that answers anything but what it should, or nothing, or twice: the gateway neither stops nor spins, and what
# it has acknowledged to its clients arrives once when the server has come to its senses.

from gateway_world import AS, UE, to_client
from gateway_world import Setup as World
from hostile_gateway import HostileGateway
from msgin5g import messages, wire
from msgin5g.coap import block
from msgin5g.coap import numbers as coap

# Both ways, in ten minutes of a server that always says what it should not, retransmissions and all: it is asked at
# least once a minute, for each of three messages and for the registration.
FEW = 400
TEN_MINUTES = 600000
# 5.04, of which a server knows nothing.
_GATEWAY_TIMEOUT = 0xA4
NONSENSE = (
    b"",
    b"{",
    b"\xff" * 300,
    b"[" * 900,
    b'{"Message Type":"MSG"}',
    b'{"Message Type":7}',
    b"x" * 1100,
)


class Setup(World):
    # A gateway with one client, both registered.
    def __init__(self):
        super().__init__()
        self.server = HostileGateway(self.world)
        self.server.takes_apart = True
        self.errors = []
        for address in ("gateway", "gateway-up"):
            self.world.endpoints[address].on_error = self.errors.append
        self.ue = self.client()
        self.sent = 0

    async def registered(self):
        await self.run(self.ue.register())
        return self

    async def accepts(self, count=3):
        # Messages that the client is told to be safe.
        for _ in range(count):
            self.sent += 1
            sent = await self.ue.send("up %d" % self.sent, application_server=AS, report=False)
            assert await self.run(sent.accepted())

    def suffers(self):
        # Ten minutes of that, without haste.
        before = self.world.datagrams
        self.world.advance(TEN_MINUTES)
        assert self.world.datagrams - before < FEW, self.world.datagrams - before
        assert self.errors == []

    async def comes_to_its_senses(self):
        self.server.on = {}
        self.world.advance(120000)
        received = [messages.payload(one) for one in self.received()]
        assert sorted(received) == sorted("up %d" % (number + 1) for number in range(self.sent)), received
        await self.goes_on()

    async def goes_on(self):
        self.server.post("gateway-up", to_client("down", "goes on"))
        message = await self.run(self.ue.receive())
        assert message.payload == "down"
        self.world.advance(600000)
        assert self.errors == []
        assert len(self.store) == 0
        for resource in self.gateway.resources().values():
            assert resource.counters["handler_errors"] == 0


async def test_answers_that_are_nonsense():
    # An answer of the right kind is one, whatever is in it: it is the server's word that it has the message.
    for payload in NONSENSE:
        for content_format in (-1, coap.JSON, coap.CBOR, 65535):
            setup = await Setup().registered()
            setup.server.raw(wire.MSG, coap.CHANGED, payload, content_format)
            await setup.accepts(1)
            setup.world.advance(10000)
            assert setup.errors == []
            setup.sent = 0
            await setup.comes_to_its_senses()


async def test_refusals_that_are_nonsense_are_no_refusals_of_the_server():
    for code in (coap.SERVICE_UNAVAILABLE, coap.INTERNAL_SERVER_ERROR, _GATEWAY_TIMEOUT):
        for payload in NONSENSE:
            setup = await Setup().registered()
            setup.server.raw(wire.MSG, code, payload, coap.JSON)
            await setup.accepts()
            setup.suffers()
            await setup.comes_to_its_senses()


async def test_answers_that_can_not_be_used():
    # A critical option that nobody knows; a block that is not the first; the reserved block size.
    for options in ([(9, b"?")], [(coap.BLOCK2, block.value(3, True, 2))], [(coap.BLOCK2, 7)]):
        setup = await Setup().registered()
        setup.server.raw(wire.MSG, coap.CHANGED, b"x" * 64, -1, options)
        await setup.accepts()
        setup.suffers()
        await setup.comes_to_its_senses()


async def test_a_pause_of_136_years_is_not_kept():
    for max_age in (0, 0xFFFFFFFF):
        setup = await Setup().registered()
        setup.server.always(wire.MSG, coap.SERVICE_UNAVAILABLE, None, max_age)
        await setup.accepts()
        setup.suffers()
        await setup.comes_to_its_senses()


async def test_a_server_that_stalls():
    # It acknowledges every request, and never answers one.
    setup = await Setup().registered()

    def never(request, elements, now):
        pass

    for kind in (wire.MSG, wire.REG, wire.IMDN):
        setup.server.on[kind] = never
    await setup.accepts()
    setup.suffers()
    await setup.comes_to_its_senses()


async def test_a_server_that_forgets_the_gateway_again_and_again():
    setup = await Setup().registered()
    for code in (wire.UNAUTHENTICATED, wire.REFUSED):
        setup.server.always(wire.MSG, code)
        await setup.accepts(1)
        setup.suffers()
    setup.server.on = {}
    setup.world.advance(120000)
    assert len(setup.store) == 0
    assert setup.errors == []


async def test_registrations_are_answered_with_nonsense():
    for code in (coap.CHANGED, coap.CREATED, coap.CONTENT, coap.VALID):
        for payload in NONSENSE:
            setup = await Setup().registered()
            setup.server.raw(wire.REG, code, payload, coap.JSON)
            setup.ue.registration.confirm(setup.world.now)
            setup.world.advance(1000)
            assert setup.errors == []
            # Who was registered is not expelled by that.
            assert setup.gateway.registry.get(UE)
            await setup.comes_to_its_senses()


class Echo:
    # Everything that the server says, it says twice, and now and then something older once more.
    def __init__(self, endpoint, random):
        self._endpoint = endpoint
        self._random = random
        self._older = []

    def __getattr__(self, name):
        return getattr(self._endpoint, name)

    def datagrams_to_send(self):
        said = []
        for made, address in self._endpoint.datagrams_to_send():
            datagram = bytes(made)
            said += [(datagram, address)] * 2
            if self._older and self._random.bits(2) == 0:
                said.append(self._older[self._random.bits(8) % len(self._older)])
            self._older.append((datagram, address))
        return said


class Contradiction(Echo):
    # After each answer comes another one to the same request, which says the opposite.
    def datagrams_to_send(self):
        said = []
        for made, address in self._endpoint.datagrams_to_send():
            datagram = bytes(made)
            said.append((datagram, address))
            if datagram[1] >> 5 in (2, 4, 5):
                opposite = wire.NO_SUCH_RECIPIENT if datagram[1] >> 5 == 2 else wire.ACCEPTED
                said.append((datagram[:1] + bytes((opposite,)) + datagram[2:], address))
                # And once more, as a separate response with a Message ID of its own.
                mid = self._random.bits(16)
                head = bytes((0x40 | datagram[0] & 15, opposite, mid >> 8, mid & 255))
                said.append((head + datagram[4:], address))
        return said


async def test_a_server_that_says_everything_twice():
    for kind in (Echo, Contradiction):
        setup = await Setup().registered()
        endpoint = setup.world.endpoints["server"]
        setup.world.join("server", kind(endpoint, setup.world.random))
        await setup.accepts(20)
        setup.world.advance(60000)
        for number in range(20):
            setup.server.post("gateway-up", to_client("down %d" % number, "d-%d" % number))
            message = await setup.run(setup.ue.receive())
            assert message.payload == "down %d" % number
        setup.world.join("server", endpoint)
        assert setup.ue.inbox.take(setup.world.now) is None
        # Its first word counts.
        assert setup.gateway.counters["refused_by_server"] == 0
        await setup.comes_to_its_senses()


async def test_what_a_server_sends_down_that_is_nothing():
    setup = await Setup().registered()
    refused = 0
    bodies = NONSENSE + (
        messages.encode(messages.registration("ue-9@example.org")),
        messages.encode(messages.response((wire.UE, "nobody@example.org"), "m-1")),
        messages.encode(to_client("for nobody", ue="nobody@example.org")),
        messages.encode({wire.MESSAGE_TYPE: wire.SEGREC}),
        messages.encode({wire.MESSAGE_TYPE: wire.SEGCONFIR, wire.SEGMENTATION_SET_ID: "s"}),
    )
    for body in bodies:
        for content_format in (coap.JSON, coap.CBOR, 65535):
            for answer in setup.server.throw("gateway-up", body, content_format):
                refused += answer.code >> 5 == 4
    assert refused == 3 * len(bodies), (refused, len(bodies))
    bad = sum(resource.counters["bad_messages"] for resource in setup.gateway.resources().values())
    assert bad >= 2 * len(NONSENSE)
    await setup.comes_to_its_senses()
