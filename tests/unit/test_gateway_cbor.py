# Clients that speak CBOR behind a gateway whose server gets JSON: secured and not, and through a restart.

from gateway_world import RegisteredStore
from msgin5g import cbor, messages, provisioning, wire
from msgin5g.application import DELIVERED, FAILED
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap import numbers as coap
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.gateway import Gateway
from msgin5g.oscore.contexts import Contexts
from msgin5g.provisioning import DeviceSecurity
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "u1@x.org"
OTHER = "u2@x.org"
AS = "as@x.org"
GATEWAY = "gw@x.org"


class Number:
    number = None

    def load(self):
        return self.number

    def save(self, number):
        self.number = number


def keys(sender, recipient):
    return {"master_secret": "0f" * 16, "master_salt": "", "sender_id": sender, "recipient_id": recipient}


# The id of each UE in OSCORE.
IDS = {UE: "01", OTHER: "02"}


class Setup:
    def __init__(self, secured=True):
        self.world = World()
        # (source, destination, octets) of all datagrams
        self.sent = []
        self.world.drop = lambda datagram, *way: self.sent.append(way + (len(datagram),))
        self.server = FakeServer(self.world)
        self.store = RegisteredStore(most_items=100, most_known=1000)
        self.numbers = {ue: (Number(), Number()) for ue in IDS}
        self.secured = secured
        self.start_gateway()

    def start_gateway(self):
        security = None
        if self.secured:
            contexts = {
                bytes([int(number)]): provisioning.context(keys("", number), GATEWAY, ue, self.numbers[ue][0])
                for ue, number in IDS.items()
            }
            security = Contexts(lambda kid, kid_context: contexts.get(kid))
        down = Endpoint(Parameters(most_peers=64), self.world.random.bits, security=security)
        up = Endpoint(Parameters(most_waiting=64, most_peers=64), self.world.random.bits)
        self.gateway = Gateway(GATEWAY, down, up, "server", self.store, self.world.wall_clock)
        self.world.join("gateway", down)
        self.world.join("gateway-up", up)
        self.gateway.start(self.world.now)

    def client(self, ue=UE, address="ue-1", content_format=coap.CBOR):
        security = NOT_PROTECTED
        if self.secured:
            security = DeviceSecurity(keys(IDS[ue], ""), self.numbers[ue][1])
            security.use(GATEWAY)
        return Client(
            ue,
            "gateway",
            security=security,
            link=FakeLink.at(self.world, address),
            store=MemoryStore(40, 40),
            content_format=content_format,
        )

    async def run(self, coroutine):
        return await self.world.run(coroutine)

    def received(self, kind=wire.MSG):
        return [message for message in self.server.received if message[wire.MESSAGE_TYPE] == kind]

    def to_client(self, payload, message_id="d-1"):
        elements = messages.message((wire.AS, AS), (wire.UE, UE), message_id, True, True)
        messages.set_payload(elements, payload)
        return self.server.post("gateway-up", elements)


async def there_and_back(setup):
    client = setup.client()
    await setup.run(client.register())
    assert setup.server.registered[UE] == "gateway-up"
    sent = await client.send(b"\xff\x00", application_server=AS)
    await setup.run(sent.accepted())
    setup.world.advance(1000)
    message = setup.received()[0]
    assert messages.originator(message) == (wire.UE, UE) and messages.recipient(message) == (wire.AS, AS)
    assert message[wire.MESSAGE_ID] == sent.message_id and messages.payload(message) == b"\xff\x00"
    setup.server.post("gateway-up", messages.report_on(message))
    assert await setup.run(sent.delivered()) and sent.state == DELIVERED
    setup.to_client("on")
    received = await setup.run(client.receive())
    assert (received.payload, received.originator) == ("on", AS)
    await setup.run(client.settled())
    setup.world.advance(1000)
    report = setup.received(wire.IMDN)[0]
    assert report[wire.MESSAGE_ID] == "d-1" and messages.recipient(report) == (wire.AS, AS)
    assert len(setup.store) == 0


async def test_there_and_back_secured():
    await there_and_back(Setup())


async def test_there_and_back_without_protection():
    await there_and_back(Setup(secured=False))


async def test_what_waits_for_the_server_waits_in_json():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    setup.world.leave("server")
    sent = await client.send("x", application_server=AS)
    await setup.run(sent.accepted())
    waiting = setup.store.pending("", -1, 9)[0]
    stored = messages.decode(waiting.body)
    assert stored[wire.MESSAGE_ID] == sent.message_id and stored[wire.ORIGINATING_UE] == UE


async def test_what_the_client_said_of_itself_is_kept_in_json_with_its_format():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    entry = setup.store.entries[UE]
    assert entry.content_format == coap.CBOR
    assert messages.decode(entry.body) == messages.registration(UE)


async def test_after_a_restart_a_client_still_gets_cbor():
    setup = Setup(secured=False)
    client = setup.client()
    await setup.run(client.register())
    setup.world.leave("gateway")
    setup.world.leave("gateway-up")
    setup.start_gateway()
    setup.world.advance(1000)
    bodies = []
    take = client.resource._handlers[wire.MSG]
    client.resource._handlers[wire.MSG] = lambda request, *rest: (
        bodies.append(request.payload),
        take(request, *rest),
    )
    setup.to_client("on")
    assert (await setup.run(client.receive())).payload == "on"
    assert cbor.decode(bodies[0])[wire.PAYLOAD] == "on"


async def test_a_client_that_comes_back_with_json_gets_json():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    setup.to_client("on")
    client = setup.client(content_format=coap.JSON)
    await setup.run(client.register())
    assert (await setup.run(client.receive())).payload == "on"
    assert setup.store.entries[UE].content_format == coap.JSON


async def test_what_the_server_refuses_is_told_in_cbor():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    told = messages.response((wire.UE, UE), "m", wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    setup.server.answers.append((wire.NO_SUCH_RECIPIENT, told))
    sent = await client.send("x", ue="nobody@example.org")
    assert not await setup.run(sent.delivered())
    assert (sent.state, sent.cause) == (FAILED, wire.UNKNOWN_RECIPIENT)


async def test_a_bad_message_is_answered_in_cbor():
    setup = Setup(secured=False)
    setup.world.advance(1000)
    attacker = FakeServer(setup.world, "attacker")
    answers = []
    for body in (b"", b"\xff", b"\xa0", b"\xa1\x00\x03", b"\x9f" * 50, b"\xbb" + b"\xff" * 8):
        attacker.coap.request(
            "gateway", coap.POST, [], body, lambda response, now: answers.append(response), setup.world.now
        )
        setup.world.settle()
    assert len(answers) == 6
    for answer in answers:
        assert answer.code == wire.INVALID and answer.content_format == coap.CBOR
        assert cbor.decode(answer.payload)[wire.DELIVERY_STATUS] == 3
    assert setup.gateway.clients.counters["bad_messages"] == 6
    assert setup.gateway.clients.counters["handler_errors"] == 0


async def test_what_is_for_one_ue_is_not_sent_to_another_at_its_address():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    other = setup.client(OTHER, "ue-1")
    await setup.run(other.register())
    setup.to_client("secret")
    setup.world.advance(200000)
    assert not other.store.pending("in", -1, 1)
    client = setup.client(UE, "ue-1-elsewhere")
    await setup.run(client.register())
    assert (await setup.run(client.receive())).payload == "secret"


async def test_a_secured_ue_is_nobody_but_itself():
    setup = Setup()
    client, other = setup.client(), setup.client(OTHER, "ue-2")
    await setup.run(client.register())
    await setup.run(other.register())
    # In whatever format, whatever it calls itself, from wherever.
    answers = []
    for elements in (
        messages.registration(UE),
        messages.deregistration(UE),
        messages.message((wire.UE, UE), (wire.AS, AS), "m"),
    ):
        for content_format in (coap.JSON, coap.CBOR):
            other.coap.request(
                "gateway",
                coap.POST,
                [(coap.CONTENT_FORMAT, content_format)],
                messages.encode(elements, content_format),
                lambda response, now: answers.append(response.code),
                setup.world.now,
            )
            setup.world.settle()
    assert answers == [wire.REFUSED] * 6
    assert setup.store.entries[UE].address == "ue-1" and setup.received() == []


async def test_a_registration_of_several_is_no_clients_right():
    setup = Setup(secured=False)
    setup.world.advance(1000)
    bulk = {wire.MESSAGE_TYPE: wire.REG, wire.REGISTRATION_REQUESTS: [{wire.UE_SERVICE_ID: UE}]}
    answer = FakeServer(setup.world, "attacker").post("gateway", bulk)
    setup.world.settle()
    assert answer[0].code == wire.REFUSED


async def test_a_hundred_octets_through_the_gateway_in_two_datagrams_of_210_octets():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    setup.world.advance(1000)
    del setup.sent[:]
    sent = await client.send(b"\xff" * 100, application_server=AS, report=False)
    await setup.run(sent.accepted())
    sizes = [size for source, destination, size in setup.sent if "ue-1" in (source, destination)]
    # 28 octets of IP and UDP each
    assert len(sizes) == 2 and sum(sizes) + 2 * 28 <= 210, sizes
