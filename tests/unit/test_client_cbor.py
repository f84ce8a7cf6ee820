# A client that speaks CBOR, secured and not: less on the air, the same for its application. And one that lets small
# messages travel together.

from msgin5g import message_id, messages, provisioning, wire
from msgin5g.application import ACCEPTED, DELIVERED
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap import numbers as coap
from msgin5g.oscore.contexts import Contexts
from msgin5g.provisioning import DeviceSecurity
from msgin5g.resource import from_peer, request_options
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "u1@x.org"
AS = "as@x.org"
GATEWAY = "gw@x.org"
SECRET = "0102030405060708090a0b0c0d0e0f10"


class Number:
    number = None

    def load(self):
        return self.number

    def save(self, number):
        self.number = number


def keys(sender, recipient):
    return {"master_secret": SECRET, "master_salt": "", "sender_id": sender, "recipient_id": recipient}


class Setup:
    def __init__(self, secured=True, content_format=coap.CBOR, **options):
        self.world = World()
        self.sizes = []
        self.world.drop = lambda datagram, source, destination: self.sizes.append(len(datagram))
        security = NOT_PROTECTED
        contexts = None
        if secured:
            security = DeviceSecurity(keys("01", ""), Number())
            security.use(GATEWAY)
            context = provisioning.context(keys("", "01"), GATEWAY, UE, Number())
            contexts = Contexts(lambda kid, kid_context: context)
        self.server = FakeServer(self.world, security=contexts)
        if secured:
            self.server.resource._implied = from_peer
        self.format = content_format
        self.implied = (wire.DESTINATION, UE) if secured else None
        self.client = Client(
            UE,
            "server",
            security=security,
            link=FakeLink.at(self.world, "ue"),
            store=MemoryStore(40, 40),
            content_format=content_format,
            **options,
        )

    async def run(self, coroutine):
        return await self.world.run(coroutine)

    def post(self, elements):
        responses = []
        self.server.coap.request(
            "ue",
            coap.POST,
            request_options(content_format=self.format),
            messages.encode(elements, self.format, self.implied),
            lambda response, now: responses.append(response.code),
            self.world.now,
        )
        self.world.settle()
        return responses

    def payloads(self):
        return [messages.payload(message) for message in self.server.received]


def incoming(payload, identifier="4f6f8a4e-6a57-4d0b-8e0a-0f5f35c0c4b1", report=True):
    elements = messages.message((wire.AS, AS), (wire.UE, UE), identifier, True, report)
    messages.set_payload(elements, payload)
    return elements


async def there_and_back(setup):
    await setup.run(setup.client.register())
    sent = await setup.client.send(b"\xff\x00 x", application_server=AS)
    assert await setup.run(sent.accepted())
    message = setup.server.received[0]
    assert message[wire.MESSAGE_ID] == sent.message_id
    assert messages.originator(message) == (wire.UE, UE) and messages.recipient(message) == (wire.AS, AS)
    assert messages.payload(message) == b"\xff\x00 x"
    setup.post(messages.report_on(message))
    assert sent.state == DELIVERED
    for payload in (b"\xfe", "on"):
        setup.post(incoming(payload, messages.new_message_id(bytes(16) if payload == "on" else b"1" * 16)))
        received = await setup.run(setup.client.receive())
        assert (received.payload, received.originator) == (payload, AS)
    await setup.run(setup.client.settled())
    assert [one[wire.MESSAGE_TYPE] for one in setup.server.received] == [wire.MSG, wire.IMDN, wire.IMDN]


async def test_there_and_back_secured():
    await there_and_back(Setup())


async def test_there_and_back_without_protection():
    await there_and_back(Setup(secured=False))


async def test_json_secured():
    await there_and_back(Setup(content_format=coap.JSON))


async def test_message_ids_are_short_and_never_the_same():
    setup = Setup()
    await setup.run(setup.client.register())
    seen = []
    for _ in range(5):
        sent = await setup.client.send("x", application_server=AS, report=False)
        await setup.run(sent.accepted())
        seen.append(sent.message_id)
        assert len(message_id.octets(sent.message_id, UE)) == 5
    assert len(set(seen)) == 5


async def test_a_hundred_octets_secured_and_acknowledged_take_two_datagrams_of_210_octets():
    setup = Setup()
    await setup.run(setup.client.register())
    del setup.sizes[:]
    sent = await setup.client.send(b"\xff" * 100, application_server=AS, report=False)
    await setup.run(sent.accepted())
    # 28 octets of IP and UDP each
    assert len(setup.sizes) == 2 and sum(setup.sizes) + 2 * 28 <= 210, setup.sizes


async def test_small_messages_travel_together():
    setup = Setup(linger=2000)
    await setup.run(setup.client.register())
    handles = []
    for number in range(5):
        handles.append(await setup.client.send(str(number), application_server=AS))
    urgent = await setup.client.send("now", application_server=AS, priority=wire.HIGH)
    await setup.run(handles[4].accepted())
    assert setup.payloads()[0] == "now"
    together = setup.server.received[1]
    assert together[wire.NUMBER_OF_MESSAGES] == 5 and len(setup.server.received) == 2
    parts = together[wire.INDIVIDUAL_MESSAGES]
    assert [messages.payload(part) for part in parts] == list("01234")
    assert [part[wire.MESSAGE_ID] for part in parts] == [sent.message_id for sent in handles]
    assert [sent.state for sent in handles] == [ACCEPTED] * 5 and urgent.state == ACCEPTED


async def test_what_comes_together_is_received_one_by_one_and_once():
    setup = Setup()
    await setup.run(setup.client.register())
    whole = incoming("", "00000000-0000-4000-8000-000000000001", False)
    del whole[wire.PAYLOAD]
    parts = []
    for number in range(3):
        part = incoming(str(number), "00000000-0000-4000-8000-00000000001%d" % number)
        parts.append({key: part[key] for key in part if whole.get(key) != part[key]})
    whole[wire.NUMBER_OF_MESSAGES] = 3
    whole[wire.INDIVIDUAL_MESSAGES] = parts
    for _ in range(2):
        assert setup.post(whole) == [wire.ACCEPTED]
    for number in range(3):
        assert (await setup.run(setup.client.receive())).payload == str(number)
    await setup.run(setup.client.settled())
    assert setup.client.counters["duplicates"] == 3 and len(setup.server.received) == 3


async def test_reports_that_come_together_are_told_one_by_one():
    setup = Setup()
    await setup.run(setup.client.register())
    handles = []
    for number in range(3):
        handles.append(await setup.client.send(str(number), application_server=AS))
    await setup.run(handles[2].accepted())
    reports = [messages.report_on(message) for message in setup.server.received]
    whole = reports[0].copy()
    whole[wire.MESSAGE_ID] = "00000000-0000-4000-8000-000000000001"
    del whole[wire.DELIVERY_STATUS]
    whole[wire.NUMBER_OF_REPORTS] = 3
    whole[wire.INDIVIDUAL_REPORTS] = [
        {key: report[key] for key in (wire.MESSAGE_ID, wire.DELIVERY_STATUS)} for report in reports
    ]
    assert setup.post(whole) == [wire.ACCEPTED]
    assert [sent.state for sent in handles] == [DELIVERED] * 3
