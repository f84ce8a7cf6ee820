# What no one should send, to a gateway: each gets the standard's answer, something counts it, and what is held
# while it is dealt with is let go.

from gateway_world import AS, GATEWAY, OTHER, UE, RegisteredStore
from hostile import (
    SILENCE,
    Attacker,
    abandoned_upload,
    broken_coap,
    broken_messages,
    endless_upload,
    long_bodies,
    option_bombs,
)
from msgin5g import messages, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.gateway import Gateway
from server import FakeServer
from world import FakeLink, World

# EXCHANGE_LIFETIME (RFC 7252, 4.8.2), and then some.
LATER = 300000


class Setup:
    # A gateway with small bounds, and one client that is registered.
    def __init__(self):
        self.world = World()
        self.server = FakeServer(self.world)
        self.store = RegisteredStore(most_items=100, most_known=1000)
        self.down = Endpoint(
            Parameters(most_peers=16, most_unanswered=16, most_recent=64, most_recent_octets=4096),
            self.world.random.bits,
        )
        up = Endpoint(Parameters(nstart=16, most_waiting=64), self.world.random.bits)
        self.gateway = Gateway(
            GATEWAY,
            self.down,
            up,
            "server",
            self.store,
            self.world.wall_clock,
            most_body=8192,
            most_transfers=3,
        )
        self.world.join("gateway", self.down)
        self.world.join("gateway-up", up)
        self.gateway.start(self.world.now)
        self.world.advance(1000)
        self.errors = []
        self.down.on_error = up.on_error = self.errors.append
        self.attacker = Attacker(self.world)
        self.client = Client(UE, "gateway", security=NOT_PROTECTED, link=FakeLink.at(self.world, "ue-1"))

    async def register(self):
        await self.world.run(self.client.register())

    def throw(self, datagram):
        return self.attacker.throw(datagram, "gateway")

    def count(self, name):
        return self.down.counters[name]

    def held(self):
        # Everything that is held because of somebody's datagram, apart from the bounded table of peers.
        held = dict(self.down.occupancy())
        for name in ("peers", "recent_shed"):
            held.pop(name)
        held["store"] = len(self.store)
        held["registering"] = len(self.gateway._registering)
        held["claims"] = len(self.gateway.registry._claims)
        held["registered"] = len(self.gateway.registry)
        return held

    async def survived(self):
        # It works, nothing was raised, and after a while nothing is held.
        assert self.errors == []
        resources = self.gateway.resources()
        assert resources["clients"].counters["handler_errors"] == 0
        sent = await self.client.send("still there", application_server=AS, report=False)
        assert await self.world.run(sent.accepted())
        self.world.advance(LATER)
        assert [messages.payload(m) for m in self.server.received] == ["still there"]
        expected = dict.fromkeys(self.held(), 0)
        expected["registered"] = 1
        assert self.held() == expected
        blocks = self.gateway.clients._server._blocks
        assert blocks is None or len(blocks.uploads) == len(blocks.downloads) == 0


def valid(attacker, **options):
    return attacker.request(messages.encode(messages.message((wire.UE, UE), (wire.AS, AS), "m-1")), **options)


async def test_broken_coap():
    setup = Setup()
    await setup.register()
    ignored, rejected = setup.count("not_coap"), setup.count("format_errors")
    for datagram, expected in broken_coap(setup.attacker, valid(setup.attacker)):
        assert setup.throw(datagram) == expected, datagram[:20]
    assert setup.count("not_coap") > ignored and setup.count("format_errors") > rejected
    await setup.survived()


async def test_every_truncation_of_a_valid_message():
    setup = Setup()
    await setup.register()
    whole = valid(setup.attacker)
    for size in range(4, len(whole)):
        # Each with a Message ID of its own, so that none counts as a retransmission.
        datagram = whole[:2] + bytes([0x40 | size >> 8, size & 255]) + whole[4:size]
        assert setup.throw(datagram) in ("RST", "4.00", "4.04"), size
    assert setup.gateway.resources()["clients"].counters["bad_messages"] > 100
    await setup.survived()


async def test_option_bombs():
    setup = Setup()
    await setup.register()
    for datagram, expected in option_bombs(setup.attacker):
        assert setup.throw(datagram) == expected
    await setup.survived()


async def test_broken_messages():
    setup = Setup()
    await setup.register()
    bodies = broken_messages()
    for body, expected in bodies:
        assert setup.throw(setup.attacker.request(body)) == expected, body[:40]
    assert setup.gateway.resources()["clients"].counters["bad_messages"] == len(bodies)
    await setup.survived()


async def test_bodies_that_are_too_long():
    setup = Setup()
    await setup.register()
    for body in long_bodies():
        assert setup.throw(setup.attacker.request(body)) == "4.13"
    await setup.survived()


async def test_endless_uploads():
    setup = Setup()
    await setup.register()
    assert endless_upload(setup.attacker, "gateway", 100) == ("4.13", 8)
    await setup.survived()


async def test_uploads_that_are_never_ended():
    setup = Setup()
    await setup.register()
    answers = []
    for number in range(6):
        answers.append(abandoned_upload(Attacker(setup.world, "a-%d" % number), "gateway"))
    assert answers == ["2.31"] * 3 + ["5.03"] * 3
    # Those who are registered are served meanwhile.
    await setup.survived()


async def test_more_peers_than_there_is_room_for():
    setup = Setup()
    await setup.register()
    for number in range(100):
        attacker = Attacker(setup.world, "a-%d" % number)
        assert attacker.throw(valid(attacker), "gateway") == "4.03"
        setup.world.leave(attacker.address)
    assert setup.down.occupancy()["peers"] <= 16
    assert setup.count("peers_forgotten") > 80
    await setup.survived()


async def test_registrations_that_the_server_never_answers():
    setup = Setup()
    await setup.register()
    endpoint = setup.world.leave("server")
    for number in range(40):
        attacker = Attacker(setup.world, "a-%d" % number)
        attacker.throw(
            attacker.request(messages.encode(messages.registration("ue-%d@a" % number))), "gateway"
        )
    assert setup.held()["registering"] <= 40
    setup.world.advance(LATER)
    assert setup.held()["registering"] == 0
    assert len(setup.gateway.registry) == 1
    setup.world.join("server", endpoint)
    setup.world.advance(LATER)
    for number in range(40):
        setup.world.leave("a-%d" % number)
    await setup.survived()


async def test_the_ue_service_id_of_another():
    setup = Setup()
    await setup.register()
    reg = setup.attacker.request(messages.encode(messages.registration(UE)))
    assert setup.throw(reg) == "4.03"
    assert setup.gateway.counters["registrations_refused"] == 1
    dereg = setup.attacker.request(messages.encode(messages.deregistration(UE)))
    assert setup.throw(dereg) == "4.03"
    assert setup.throw(valid(setup.attacker)) == "4.03"
    assert setup.gateway.counters["not_registered"] == 2
    await setup.survived()


async def test_a_report_for_a_message_that_nobody_sent():
    setup = Setup()
    await setup.register()
    report = messages.report_on(messages.message((wire.UE, OTHER), (wire.UE, UE), "never"))
    # The gateway takes it for the server, which knows better; the client is not held up.
    refusal = messages.response((wire.UE, UE), "never", wire.DELIVERY_FAILED, wire.UNKNOWN_MESSAGE)
    setup.server.answers.append((wire.NO_SUCH_RECIPIENT, refusal))
    setup.client.outbox.put_report(report, setup.world.now)
    setup.world.advance(1000)
    assert setup.gateway.counters["refused_by_server"] == 1
    await setup.survived()


async def test_a_report_from_the_server_for_a_message_that_nobody_sent():
    setup = Setup()
    await setup.register()
    report = messages.report_on(messages.message((wire.UE, UE), (wire.AS, AS), "never"))
    setup.server.post("gateway-up", report)
    setup.world.advance(1000)
    assert setup.client.counters["unknown_reports"] == 1
    await setup.survived()


async def test_message_types_that_a_client_does_not_send():
    setup = Setup()
    await setup.register()
    for elements in (
        messages.response((wire.UE, UE), "m-1"),
        {wire.MESSAGE_TYPE: "SEGREC"},
        {wire.MESSAGE_TYPE: "BULK"},
    ):
        assert setup.throw(setup.attacker.request(messages.encode(elements))) == "4.00"
    await setup.survived()


async def test_answers_that_nobody_asked_for():
    setup = Setup()
    await setup.register()
    for first in (0x60, 0x70, 0x61):
        assert setup.throw(bytes([first, 0x44, 9, 9]) + b"t" * (first & 15)) == SILENCE
    # A response by itself is rejected, so that its sender forgets about it.
    assert setup.throw(b"\x41\x44\x09\x0at") == "RST"
    assert setup.count("unexpected") >= 4
    await setup.survived()
