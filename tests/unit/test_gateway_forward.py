# What only the server can answer: topics and configuration documents, through a gateway.

from gateway_world import OTHER, UE, Setup
from msgin5g import cbor, messages, wire
from msgin5g import wire_configuration as configuration
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import ABSENT, uri_options
from msgin5g.resource import told
from msgin5g.topics import TopicRefused
from server import FakeServer

COLLECTION = configuration.COLLECTION_PATH % configuration.VAL_SERVICE


class Asked:
    # A resource of the server's that keeps what it was asked.
    def __init__(self, setup, path, *methods):
        self.requests = []
        self.answer = (coap.CONTENT, b"", ABSENT, [])
        self._server = setup.server.resource._server
        for method in methods:
            self._server.add(path, method, self._on_request)

    def _on_request(self, request, now):
        self.requests.append(request)
        code, body, content_format, options = self.answer
        self._server.respond(request, code, now, body, content_format, options)

    def tell(self, code, elements, max_age=0):
        self.answer = (code, messages.encode(elements), coap.JSON, [(coap.MAX_AGE, max_age)])


def topics(setup):
    return Asked(setup, wire.TOPICS_PATH, coap.GET, coap.POST, coap.DELETE)


def ask(setup, source, method, path, query=(), body=b"", observe=ABSENT):
    asking = setup.world.endpoints.get(source)
    asking = FakeServer(setup.world, source) if asking is None else setup.asking
    setup.asking = asking
    options = uri_options(path)
    if observe != ABSENT:
        options.append((coap.OBSERVE, observe))
    options += [(coap.URI_QUERY, one) for one in query]
    if body:
        options.append((coap.CONTENT_FORMAT, coap.JSON))
    answers = []
    asking.coap.request(
        "gateway", method, options, body, lambda response, now: answers.append(response), setup.world.now
    )
    return answers


async def test_a_client_subscribes_and_unsubscribes():
    setup = Setup()
    server = topics(setup)
    client = setup.client()
    await setup.run(client.register())
    server.tell(coap.CONTENT, {wire.EXPIRATION: "2027-01-15T08:00:00Z"})
    assert await setup.run(client.topics.subscribe("alarms/roof")) == 1800000000
    await setup.run(client.topics.unsubscribe("alarms/roof"))
    query = "topic=alarms/roof&ori=" + UE
    assert [(r.observe, r.query, r.peer.address) for r in server.requests] == [
        (coap.OBSERVE_REGISTER, query, "gateway-up"),
        (coap.OBSERVE_DEREGISTER, query, "gateway-up"),
    ]
    assert setup.gateway.counters["forwarded"] == 2


async def test_what_the_server_refuses_is_refused():
    setup = Setup()
    server = topics(setup)
    client = setup.client()
    await setup.run(client.register())
    server.tell(
        wire.REFUSED,
        {wire.SUBSCRIPTION_STATUS: wire.SUBSCRIPTION_FAILED, wire.FAILURE_CAUSE: wire.TOO_MANY_TOPICS},
    )
    try:
        await setup.run(client.topics.subscribe("alarms"))
        raise AssertionError("subscribed")
    except TopicRefused as refused:
        assert refused.args[0] == wire.TOO_MANY_TOPICS


async def test_nobody_subscribes_for_another():
    setup = Setup()
    server = topics(setup)
    client, other = setup.client(), setup.client(OTHER, "ue-2")
    await setup.run(client.register())
    await setup.run(other.register())
    body = messages.encode({wire.ORIGINATING_UE: UE, wire.MESSAGING_TOPICS: ["a"]})
    for method, query, payload in (
        (coap.GET, ("topic=a", "ori=" + UE), b""),
        (coap.POST, (), body),
        (coap.DELETE, (), body),
        (coap.GET, ("topic=a",), b""),
        (coap.GET, ("topic=a", "ori=" + OTHER, "ori=" + UE), b""),
        (coap.POST, (), b"{"),
        (coap.GET, ("topic=a", "ori=nobody"), b""),
    ):
        answers = ask(setup, "stranger", method, wire.TOPICS_PATH, query, payload)
        setup.world.advance(100)
        assert answers[0].code in (wire.REFUSED, wire.INVALID), (method, query)
        assert told(answers[0])[wire.SUBSCRIPTION_STATUS] == wire.SUBSCRIPTION_FAILED
    assert server.requests == [] and setup.gateway.counters["forwarding_refused"] == 7


async def test_a_list_of_topics_goes_on_as_it_is():
    setup = Setup()
    server = topics(setup)
    client = setup.client()
    await setup.run(client.register())
    client.close()
    body = messages.encode({wire.ORIGINATING_UE: UE, wire.MESSAGING_TOPICS: ["a", "b"]})
    for method in (coap.POST, coap.DELETE):
        answers = ask(setup, "ue-1", method, wire.TOPICS_PATH, (), body)
        setup.world.advance(100)
        assert answers[0].code == coap.CONTENT
    assert [(r.code, r.payload) for r in server.requests] == [(coap.POST, body), (coap.DELETE, body)]


async def test_while_the_server_is_away_a_client_is_asked_to_wait():
    setup = Setup()
    topics(setup)
    client = setup.client()
    await setup.run(client.register())
    client.close()
    setup.world.leave("server")
    answers = ask(setup, "ue-1", coap.GET, wire.TOPICS_PATH, ("topic=a", "ori=" + UE))
    setup.world.advance(100000)
    assert (answers[0].code, answers[0].max_age) == (wire.UNAVAILABLE, 5)
    # From now on it is known.
    answers = ask(setup, "ue-1", coap.GET, wire.TOPICS_PATH, ("topic=a", "ori=" + UE))
    setup.world.advance(100)
    assert (answers[0].code, answers[0].max_age) == (wire.UNAVAILABLE, 5)
    answers = ask(setup, "ue-1", coap.GET, COLLECTION)
    setup.world.advance(100)
    assert (answers[0].code, answers[0].max_age) == (wire.UNAVAILABLE, 5)


async def test_a_client_that_is_asked_to_wait_waits():
    setup = Setup()
    server = topics(setup)
    client = setup.client()
    await setup.run(client.register())
    server.tell(wire.UNAVAILABLE, {wire.FAILURE_CAUSE: wire.STORE_FULL}, 5)
    setup.world.drop = lambda *datagram: server.tell(coap.CONTENT, {}) if setup.world.now > 60000 else None
    await setup.run(client.topics.subscribe("alarms"))
    # Two each time: one with the registration that is renewed.
    assert len(server.requests) < 30


async def test_configuration_is_asked_for_once_and_kept_as_long_as_the_server_says():
    setup = Setup()
    server = Asked(setup, COLLECTION, coap.GET)
    documents = cbor.encode([{"large": "x" * 3000}])
    server.answer = (coap.CONTENT, documents, coap.CBOR, [(coap.MAX_AGE, 30)])
    setup.world.advance(1000)
    for pause in (10000, 15000, 10000):
        answers = ask(
            setup, "ue-1", coap.GET, COLLECTION, ("ue-uri=urn:uuid:1",), observe=coap.OBSERVE_REGISTER
        )
        setup.world.advance(pause)
        assert (answers[0].code, answers[0].payload) == (coap.CONTENT, documents)
        assert answers[0].content_format == coap.CBOR and answers[0].observe == ABSENT
    assert len({r.query for r in server.requests}) == 1 and server.requests[0].query == "ue-uri=urn:uuid:1"
    assert setup.gateway.counters["forwarded"] == 1 and setup.gateway.counters["configurations_kept"] == 2
    ask(setup, "ue-1", coap.GET, COLLECTION, ("ue-uri=urn:uuid:1",))
    setup.world.advance(1000)
    assert setup.gateway.counters["forwarded"] == 2


async def test_configuration_is_not_changed_through_a_gateway():
    setup = Setup()
    setup.world.advance(1000)
    answers = ask(setup, "ue-1", coap.POST, COLLECTION, (), b"{}")
    setup.world.advance(1000)
    assert answers[0].code == coap.METHOD_NOT_ALLOWED


async def test_a_document_that_is_not_there_is_asked_for_each_time():
    setup = Setup()
    setup.world.advance(1000)
    path = configuration.DOCUMENT_PATH % (configuration.VAL_SERVICE, "d-1")
    for _ in range(2):
        answers = ask(setup, "ue-1", coap.GET, path)
        setup.world.advance(1000)
        assert answers[0].code == coap.NOT_FOUND
    assert setup.gateway.counters["forwarded"] == 2


# -- observed documents

DOCUMENT = configuration.DOCUMENT_PATH % (configuration.VAL_SERVICE, "d-1")


class Watched:
    # A document of the server's, and observers of it at the gateway.
    def __init__(self, setup):
        self.setup = setup
        self.state = (coap.CONTENT, coap.CBOR, b"\x01")
        self.server = setup.server.resource._server
        self.server.add_observable(DOCUMENT, lambda query: self.state, 60)

    def observe(self, name):
        ue = FakeServer(self.setup.world, name)
        states = []

        def on_state(response, now):
            states.append((response.code, response.payload))

        ue.coap.observe("gateway", uri_options(DOCUMENT), on_state, self.setup.world.now)
        self.setup.world.advance(1000)
        return states

    def change(self, payload, code=coap.CONTENT):
        self.state = (code, coap.CBOR, payload)
        self.server.notify(DOCUMENT, self.setup.world.now)
        self.setup.world.advance(1000)


async def test_a_document_is_observed_once_for_all():
    setup = Setup()
    watched = Watched(setup)
    setup.world.advance(1000)
    one, two = watched.observe("ue-1"), watched.observe("ue-2")
    assert one == two == [(coap.CONTENT, b"\x01")]
    assert watched.server.observers(DOCUMENT) == 1
    watched.change(b"\x02")
    watched.change(b"x" * 3000)
    assert one == two == [(coap.CONTENT, b"\x01"), (coap.CONTENT, b"\x02"), (coap.CONTENT, b"x" * 3000)]
    # Who only asks gets what is known.
    answers = ask(setup, "ue-3", coap.GET, DOCUMENT)
    setup.world.advance(1000)
    assert answers[0].payload == b"x" * 3000 and setup.gateway.counters["forwarded"] == 0


async def test_a_document_that_is_removed_is_observed_no_more():
    setup = Setup()
    watched = Watched(setup)
    setup.world.advance(1000)
    one = watched.observe("ue-1")
    watched.change(b"", coap.NOT_FOUND)
    assert one[-1][0] == coap.NOT_FOUND and len(setup.gateway._forwarding.watches) == 0
    watched.change(b"\x03")
    assert watched.observe("ue-2") == [(coap.CONTENT, b"\x03")]


async def test_observers_stay_while_the_server_is_away():
    setup = Setup()
    watched = Watched(setup)
    setup.world.advance(1000)
    one = watched.observe("ue-1")
    endpoint = setup.world.leave("server")
    setup.world.advance(300000)
    watched.state = (coap.CONTENT, coap.CBOR, b"\x02")
    setup.world.join("server", endpoint)
    setup.world.advance(300000)
    assert one[0] == (coap.CONTENT, b"\x01") and one[-1] == (coap.CONTENT, b"\x02")
    watched.change(b"\x03")
    assert one[-1] == (coap.CONTENT, b"\x03")


async def test_what_can_not_be_observed_is_answered():
    setup = Setup()
    server = Asked(setup, DOCUMENT, coap.GET)
    server.answer = (coap.CONTENT, b"\x01", coap.CBOR, [(coap.MAX_AGE, 30)])
    setup.world.advance(1000)
    answers = ask(setup, "ue-1", coap.GET, DOCUMENT, observe=coap.OBSERVE_REGISTER)
    setup.world.advance(1000)
    assert (answers[0].payload, answers[0].observe) == (b"\x01", ABSENT)
    server.answer = (coap.NOT_FOUND, b"", ABSENT, [])
    answers = ask(setup, "ue-1", coap.GET, DOCUMENT, observe=coap.OBSERVE_REGISTER)
    setup.world.advance(1000)
    assert answers[0].code == coap.NOT_FOUND and len(setup.gateway._forwarding.watches) == 0
