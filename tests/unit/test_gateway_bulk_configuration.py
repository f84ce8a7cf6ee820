# Configuration in bulk (8.1.4): several questions of clients are one request to the server.

from gateway_world import Setup
from msgin5g import cbor, rfc3339, wire
from msgin5g import wire_configuration as configuration
from msgin5g.coap import numbers as coap
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import uri_options

COLLECTION = configuration.COLLECTION_PATH % configuration.VAL_SERVICE


class Bulk(Setup):
    # A gateway that holds questions, and a server that has a document for each but "nobody".
    def __init__(self, seconds=5, **options):
        super().__init__(bulk_configuration_seconds=seconds, **options)
        self.asked = []
        self.singles = []
        self.refuse = None
        self.leave_out = None
        server = self.server.resource._server
        server.add(COLLECTION, coap.FETCH, self._on_fetch)
        server.add(COLLECTION, coap.GET, self._on_get)
        self.clients = {}
        self.world.advance(1000)

    def _on_fetch(self, request, now):
        server = self.server.resource._server
        self.asked.append(
            [one[configuration.QUERY] for one in cbor.decode(request.payload)[configuration.REQUESTS]]
        )
        if self.refuse:
            server.respond(request, self.refuse, now)
            return
        responses = []
        for query in self.asked[-1]:
            if query == self.leave_out:
                continue
            if query == "ue-uri=nobody":
                responses.append({configuration.QUERY: query, configuration.CODE: coap.NOT_FOUND})
            else:
                responses.append({configuration.QUERY: query, configuration.DOCUMENTS: [{"for": query}]})
        payload = cbor.encode({configuration.NUMBER: len(responses), configuration.RESPONSES: responses})
        server.respond(request, coap.CONTENT, now, payload, coap.CBOR, [(coap.MAX_AGE, 60)])

    def _on_get(self, request, now):
        self.singles.append(request.query)
        payload = cbor.encode([{"single": request.query}])
        self.server.resource._server.respond(request, coap.CONTENT, now, payload, coap.CBOR)

    def ask(self, who, query=None):
        if who not in self.clients:
            endpoint = self.world.join(who, Endpoint(Parameters(), self.world.random.bits))
            self.clients[who] = Client(endpoint)
        options = uri_options(COLLECTION)
        if query != "":
            options.append((coap.URI_QUERY, query or configuration.QUERY_URI + who))
        answers = []
        self.clients[who].request(
            "gateway", coap.GET, options, b"", lambda response, now: answers.append(response), self.world.now
        )
        return answers


def documents(answers):
    (answer,) = answers
    return answer.code, cbor.decode(answer.payload)


def test_several_questions_are_one_request():
    setup = Bulk()
    answers = {who: setup.ask(who) for who in ("a", "b", "c")}
    again = setup.ask("d", "ue-uri=a")
    setup.world.advance(4000)
    assert setup.asked == [] and not any(answers.values())
    setup.world.advance(3000)
    assert [sorted(one) for one in setup.asked] == [["ue-uri=a", "ue-uri=b", "ue-uri=c"]]
    for who, answer in answers.items():
        assert documents(answer) == (coap.CONTENT, [{"for": "ue-uri=" + who}]), who
    assert documents(again)[1] == [{"for": "ue-uri=a"}] and setup.singles == []
    assert setup.gateway.counters["bulk_configurations"] == 1
    # Kept for its Max-Age.
    later = setup.ask("e", "ue-uri=b")
    setup.world.advance(100)
    assert documents(later)[1] == [{"for": "ue-uri=b"}] and len(setup.asked) == 1


def test_each_has_its_own_outcome():
    setup = Bulk()
    setup.leave_out = "ue-uri=b"
    answers = {who: setup.ask(who) for who in ("a", "b", "nobody")}
    setup.world.advance(7000)
    assert documents(answers["a"])[0] == coap.CONTENT
    assert answers["nobody"][0].code == coap.NOT_FOUND
    assert answers["b"][0].code == wire.UNAVAILABLE and answers["b"][0].max_age == 5


def test_who_has_to_wait_long_is_told_when_to_ask_again():
    setup = Bulk(seconds=600)
    first = setup.ask("a")
    setup.world.advance(100000)
    second = setup.ask("b")
    setup.world.advance(1000)
    for answers, left in ((first, 602), (second, 502)):
        assert answers[0].code == wire.UNAVAILABLE and abs(answers[0].max_age - left) <= 1
        said = rfc3339.parse(cbor.decode(answers[0].payload)[configuration.EXPECTED_TIME])
        assert abs(said - (setup.world.wall + 1 + 602)) <= 3
    assert setup.asked == []
    setup.world.advance(502000)
    assert [sorted(one) for one in setup.asked] == [["ue-uri=a", "ue-uri=b"]]
    again = [setup.ask("a"), setup.ask("b")]
    setup.world.advance(1000)
    assert [documents(one)[1] for one in again] == [[{"for": "ue-uri=a"}], [{"for": "ue-uri=b"}]]
    assert len(setup.asked) == 1


def test_a_server_that_does_not_know_this_is_asked_one_by_one():
    for code in (coap.METHOD_NOT_ALLOWED, coap.BAD_REQUEST, coap.NOT_IMPLEMENTED):
        setup = Bulk()
        setup.refuse = code
        answers = [setup.ask("a"), setup.ask("b")]
        setup.world.advance(7000)
        assert [documents(one)[1] for one in answers] == [[{"single": "ue-uri=a"}], [{"single": "ue-uri=b"}]]
        # And the next ones need not wait.
        answers = setup.ask("c")
        setup.world.advance(1000)
        assert documents(answers)[1] == [{"single": "ue-uri=c"}] and len(setup.asked) == 1


def test_a_server_that_is_away_or_answers_garbage():
    setup = Bulk()
    setup.refuse = wire.UNAVAILABLE
    answers = setup.ask("a")
    setup.world.advance(7000)
    assert answers[0].code == wire.UNAVAILABLE and answers[0].max_age == 5
    setup.refuse = None
    server = setup.server.resource._server
    for payload in (b"", b"\xff", cbor.encode([1]), cbor.encode({configuration.RESPONSES: [{}, 3]})):
        server.add(
            COLLECTION,
            coap.FETCH,
            lambda request, now, payload=payload: server.respond(
                request, coap.CONTENT, now, payload, coap.CBOR
            ),
        )
        answers = setup.ask("a")
        setup.world.advance(7000)
        assert answers[0].code == wire.UNAVAILABLE
    setup.world.leave("server")
    answers = setup.ask("a")
    setup.world.advance(200000)
    assert answers[0].code in (wire.UNAVAILABLE, None)


def test_many_do_not_wait():
    setup = Bulk(seconds=600)
    setup.gateway._forwarding.bulk._seconds = 600
    for number in range(100):
        setup.ask("a", "ue-uri=%d" % number)
        setup.world.advance(300)
    assert len(setup.asked) == 1 and len(setup.asked[0]) == 100
    assert len(setup.gateway._forwarding.bulk) == 0


def test_a_question_about_everything_is_asked_by_itself():
    setup = Bulk()
    answers = setup.ask("a", "")
    setup.world.advance(1000)
    assert documents(answers)[1] == [{"single": ""}]
