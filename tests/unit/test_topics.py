# Subscriptions to Messaging Topics: asked for, ended, refused, asked for again after a registration.

from msgin5g import messages, rfc3339, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import ABSENT
from msgin5g.topics import TopicRefused
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
UNTIL = 1800000000


class Setup:
    def __init__(self):
        self.world = World()
        self.server = FakeServer(self.world)
        self.asked = []
        self.answers = []
        self.server.resource._server.add(wire.TOPICS_PATH, coap.GET, self.on_get)
        self.client = Client(UE, "server", security=NOT_PROTECTED, link=FakeLink.at(self.world, "ue"))

    def on_get(self, request, now):
        self.asked.append((request.observe, request.query))
        code, elements = self.answers.pop(0) if self.answers else (coap.CONTENT, {})
        body = messages.encode(elements) if elements else b""
        self.server.resource._server.respond(
            request, code, now, body, coap.JSON if elements else ABSENT, [(coap.OBSERVE, 1)]
        )

    async def run(self, coroutine):
        return await self.world.run(coroutine)


async def test_subscribes_until_a_date():
    setup = Setup()
    await setup.run(setup.client.register())
    setup.answers.append((coap.CONTENT, {wire.EXPIRATION: rfc3339.format(UNTIL - 5)}))
    until = await setup.run(setup.client.topics.subscribe("alarms", UNTIL))
    assert until == UNTIL - 5
    query = "topic=alarms&ori=%s&exp=%s" % (UE, rfc3339.format(UNTIL))
    assert setup.asked == [(coap.OBSERVE_REGISTER, query)]


async def test_unsubscribes():
    setup = Setup()
    await setup.run(setup.client.register())
    assert await setup.run(setup.client.topics.subscribe("alarms")) is None
    await setup.run(setup.client.topics.unsubscribe("alarms"))
    assert [observe for observe, _ in setup.asked] == [coap.OBSERVE_REGISTER, coap.OBSERVE_DEREGISTER]
    assert len(setup.client.topics) == 0


async def test_a_refusal_is_told_and_not_asked_again():
    setup = Setup()
    await setup.run(setup.client.register())
    setup.answers.append((wire.REFUSED, {wire.FAILURE_CAUSE: wire.NOT_AUTHORIZED}))
    try:
        await setup.run(setup.client.topics.subscribe("secrets"))
        raise AssertionError("not refused")
    except TopicRefused as refused:
        assert refused.args[0] == wire.NOT_AUTHORIZED
    setup.client.registration.renew(setup.world.now)
    setup.world.advance(5000)
    assert len(setup.asked) == 1


async def test_asked_for_again_after_a_registration():
    setup = Setup()
    await setup.run(setup.client.register())
    await setup.run(setup.client.topics.subscribe("alarms"))
    setup.client.registration.renew(setup.world.now)
    setup.world.advance(5000)
    assert setup.client.registered and len(setup.asked) == 2


async def test_outlives_a_server_that_is_away():
    setup = Setup()
    await setup.run(setup.client.register())
    endpoint = setup.world.leave("server")

    def come_back(datagram, source, destination):
        if setup.world.now > 120000:
            setup.world.join("server", endpoint)
            setup.world.drop = None
        return False

    setup.world.drop = come_back
    await setup.run(setup.client.topics.subscribe("alarms"))
    assert len(setup.asked) >= 1 and setup.client.registered


async def test_the_number_of_topics_is_bounded():
    setup = Setup()
    await setup.run(setup.client.register())
    for number in range(8):
        await setup.run(setup.client.topics.subscribe("topic-%d" % number))
    try:
        await setup.client.topics.subscribe("one more")
        raise AssertionError("accepted")
    except ValueError:
        pass


async def test_a_message_of_a_topic_says_so():
    setup = Setup()
    await setup.run(setup.client.register())
    elements = messages.message((wire.UE, "other@example.org"), (wire.UE, UE), "m-1")
    elements[wire.MESSAGING_TOPIC] = "alarms"
    messages.set_payload(elements, "fire")
    setup.server.post("ue", elements)
    message = await setup.run(setup.client.receive())
    assert (message.topic, message.payload) == ("alarms", "fire")
