# The CoAP resource that MSGin5G messages are POSTed to, and what a response means to the sender.

from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.client import Client, Response
from msgin5g.coap.endpoint import TIMEOUT, Endpoint, Parameters
from msgin5g.coap.message import dotted, uri_options
from msgin5g.coap.server import Server
from msgin5g.resource import (
    ACCEPTED,
    NOT_NOW,
    NOT_REGISTERED,
    REFUSED,
    MessageResource,
    failure_cause,
    from_peer,
    in_json,
    meaning,
    request_options,
    told,
)
from world import World


class Setup:
    def __init__(self, implied=None):
        self.world = World()
        self.seen = []
        server = self.world.join("server", Endpoint(Parameters(), self.world.random.bits))
        handlers = {wire.MSG: self.on_message, wire.REG: self.on_reg}
        self.resource = MessageResource(Server(server), handlers, implied=implied)
        self.client = Client(self.world.join("client", Endpoint(Parameters(), self.world.random.bits)))

    def on_message(self, request, elements, now):
        self.seen.append(elements)
        self.resource.answer(request, wire.ACCEPTED, now)

    def on_reg(self, request, elements, now):
        self.resource.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now, 7)

    def post(self, payload, options=None, code=coap.POST):
        responses = []
        self.client.request(
            "server",
            code,
            request_options() if options is None else options,
            payload,
            lambda response, now: responses.append(response),
            self.world.now,
        )
        self.world.settle()
        return responses[0]


def msg():
    return messages.message((wire.UE, "ue1@a"), (wire.UE, "ue2@a"), "m-1")


class Answer:
    # A response as a Response has it.
    def __init__(self, code, elements=None, payload=b"", content_format=coap.JSON):
        self.code = code
        self.content_format = content_format
        self.payload = messages.encode(elements, content_format) if elements else payload


def test_a_message_reaches_its_handler():
    setup = Setup()
    response = setup.post(messages.encode(msg()))
    assert response.code == wire.ACCEPTED and response.payload == b""
    assert setup.seen == [msg()]


def test_content_format_may_be_left_out():
    setup = Setup()
    assert setup.post(messages.encode(msg()), uri_options(wire.PATH)).code == wire.ACCEPTED


# -- CBOR

CBOR = [(coap.CONTENT_FORMAT, coap.CBOR)]


def from_ue1(request):
    return (wire.ORIGINATOR, "ue1@a")


def test_a_message_in_cbor_reaches_its_handler():
    for options in (
        request_options(content_format=coap.CBOR),
        request_options(wire.PATH + "/", coap.CBOR),
        uri_options(wire.PATH) + CBOR,
        CBOR,
    ):
        setup = Setup()
        response = setup.post(messages.encode(msg(), coap.CBOR), options)
        assert response.code == wire.ACCEPTED and response.payload == b""
        assert setup.seen == [msg()]


def test_cbor_needs_no_option_at_all():
    assert request_options(content_format=coap.CBOR) == []


def test_json_at_the_short_path():
    setup = Setup()
    assert setup.post(messages.encode(msg()), [(coap.CONTENT_FORMAT, coap.JSON)]).code == wire.ACCEPTED
    # There it has to say so.
    assert setup.post(messages.encode(msg()), []).code == wire.INVALID


def test_an_error_is_answered_in_cbor():
    setup = Setup()
    elements = msg()
    del elements[wire.RECIPIENT_UE]
    response = setup.post(messages.encode(elements, coap.CBOR), [])
    assert dotted(response.code) == "4.00" and response.content_format == coap.CBOR
    expected = messages.response((wire.UE, "ue1@a"), "m-1", wire.DELIVERY_FAILED)
    expected[wire.FAILURE_CAUSE] = wire.MANDATORY_IE_MISSING + wire.name(wire.DESTINATION)
    assert told(response) == expected and failure_cause(response) == expected[wire.FAILURE_CAUSE]
    response = setup.post(b"\xff", [])
    assert response.content_format == coap.CBOR and failure_cause(response) == wire.MALFORMED


def test_a_refusal_in_cbor():
    for implied in (None, from_ue1):
        setup = Setup(implied)
        response = setup.post(messages.encode(messages.registration("ue1@a"), coap.CBOR), [])
        assert response.code == wire.REFUSED and response.max_age == 7
        assert failure_cause(response) == wire.NOT_AUTHORIZED and meaning(response) == REFUSED


def test_what_is_implied_is_filled_in():
    setup = Setup(from_ue1)
    body = messages.encode(msg(), coap.CBOR, (wire.ORIGINATOR, "ue1@a"))
    assert setup.post(body, []).code == wire.ACCEPTED
    assert setup.seen == [msg()]
    # Not in JSON.
    incomplete = msg()
    del incomplete[wire.ORIGINATING_UE]
    assert setup.post(messages.encode(incomplete)).code == wire.INVALID


def test_what_a_security_context_implies():
    class Secured:
        class context:  # noqa: N801
            name = "ue1@a"

    class Unsecured:
        context = None

    assert from_peer(Secured) == (wire.ORIGINATOR, "ue1@a")
    assert from_peer(Unsecured) is None


def test_a_message_goes_on_in_json():
    class Request:
        content_format = coap.JSON
        payload = b'{"as":"it came"}'

    assert in_json(Request, msg()) == Request.payload
    Request.content_format = coap.CBOR
    assert messages.decode(in_json(Request, msg())) == msg()


def test_another_content_format_is_refused():
    setup = Setup()
    options = uri_options(wire.PATH) + [(coap.CONTENT_FORMAT, coap.TEXT_PLAIN)]
    assert dotted(setup.post(messages.encode(msg()), options).code) == "4.15"
    assert setup.resource.counters["wrong_format"] == 1 and setup.seen == []


def test_a_missing_element_is_told_with_what_could_be_read():
    setup = Setup()
    elements = msg()
    del elements[wire.STORE_AND_FORWARD_FLAG]
    response = setup.post(messages.encode(elements))
    assert dotted(response.code) == "4.00"
    assert response.content_format == coap.JSON
    assert messages.decode(response.payload) == {
        wire.MESSAGE_TYPE: wire.MSGRESP,
        wire.ORIGINATING_UE: "ue1@a",
        wire.MESSAGE_ID: "m-1",
        wire.DELIVERY_STATUS: wire.DELIVERY_FAILED,
        wire.FAILURE_CAUSE: "MANDATORY_IE_MISSING:Store and forward flag",
    }
    assert setup.resource.counters["bad_messages"] == 1


def test_each_kind_of_bad_message_is_answered():
    setup = Setup()
    for payload, cause in (
        (b"", wire.MALFORMED),
        (b"[]", wire.MALFORMED),
        (b"\xff\xfe", wire.MALFORMED),
        (b"{}", "MANDATORY_IE_MISSING:Message Type"),
        (b'{"Message Type":"HELLO"}', wire.UNKNOWN_MESSAGE_TYPE),
        (b'{"Message Type":7}', wire.UNKNOWN_MESSAGE_TYPE),
        (b'{"Message Type":[]}', "INVALID_IE:Message Type"),
        (b'{"Message Type":"REG"}', "MANDATORY_IE_MISSING:UE Service ID"),
        (b'{"Message Type":"MSG","Message ID":"' + b"x" * 300 + b'"}', "INVALID_IE:Message ID"),
    ):
        response = setup.post(payload)
        assert dotted(response.code) == "4.00", payload
        answer = told(response)
        assert answer[wire.MESSAGE_TYPE] == wire.MSGRESP and answer[wire.FAILURE_CAUSE] == cause, payload
    assert setup.resource.counters["bad_messages"] == 9


def test_a_message_type_without_a_handler():
    setup = Setup()
    response = setup.post(messages.encode(messages.report_on(msg())))
    assert dotted(response.code) == "4.00"
    assert told(response)[wire.FAILURE_CAUSE] == wire.UNKNOWN_MESSAGE_TYPE
    assert told(response)[wire.MESSAGE_ID] == "m-1"


def test_unknown_members_are_ignored():
    setup = Setup()
    payload = messages.encode(msg())[:-1] + b',"Colour":{"a":[1,2,{}]},"":1}'
    assert setup.post(payload).code == wire.ACCEPTED
    assert setup.seen == [msg()]


def test_a_refused_registration_is_told_as_its_result():
    setup = Setup()
    response = setup.post(messages.encode(messages.registration("ue1@a")))
    assert response.code == wire.REFUSED and response.max_age == 7
    assert told(response) == {
        wire.MESSAGE_TYPE: wire.REG,
        wire.UE_SERVICE_ID: "ue1@a",
        wire.REGISTRATION_RESULT: wire.REGISTRATION_FAILED,
        wire.FAILURE_CAUSE: wire.NOT_AUTHORIZED,
    }


def test_a_handler_that_raises_is_answered_for_counted_and_told():
    setup = Setup()
    errors = []
    setup.resource._server.endpoint.on_error = errors.append
    broken = ValueError("broken")

    def handler(request, elements, now):
        raise broken

    setup.resource._handlers[wire.MSG] = handler
    response = setup.post(messages.encode(msg()))
    assert response.code == coap.INTERNAL_SERVER_ERROR and meaning(response) == NOT_NOW
    assert setup.resource.counters["handler_errors"] == 1 and errors == [broken]


def test_other_methods_and_other_paths():
    setup = Setup()
    assert setup.post(b"", code=coap.GET).code == coap.METHOD_NOT_ALLOWED
    assert setup.post(b"", uri_options("elsewhere")).code == coap.NOT_FOUND


def test_a_message_in_blocks():
    setup = Setup()
    elements = msg()
    messages.set_payload(elements, "x" * 3000)
    assert setup.post(messages.encode(elements)).code == wire.ACCEPTED
    assert setup.seen == [elements]


# -- the sender's side


def test_what_a_response_means():
    not_owned = messages.response((wire.UE, "a"), "m", wire.DELIVERY_FAILED, wire.UE_SERVICE_ID_NOT_OWNED)
    not_authorized = messages.response((wire.UE, "a"), "m", wire.DELIVERY_FAILED, wire.NOT_AUTHORIZED)
    for answer, expected in (
        (Answer(wire.ACCEPTED), ACCEPTED),
        (Answer(wire.REGISTERED), ACCEPTED),
        (Answer(None), NOT_NOW),
        (Answer(wire.UNAVAILABLE), NOT_NOW),
        (Answer(wire.OVERLOADED), NOT_NOW),
        (Answer(coap.INTERNAL_SERVER_ERROR), NOT_NOW),
        (Answer(coap.REQUEST_ENTITY_INCOMPLETE), NOT_NOW),
        (Answer(wire.UNAUTHENTICATED), NOT_REGISTERED),
        (Answer(wire.REFUSED), NOT_REGISTERED),
        (Answer(wire.REFUSED, payload=b"not json"), NOT_REGISTERED),
        (Answer(wire.REFUSED, not_owned), NOT_REGISTERED),
        (Answer(wire.REFUSED, not_authorized), REFUSED),
        (Answer(wire.INVALID), REFUSED),
        (Answer(wire.NO_SUCH_RECIPIENT), REFUSED),
        (Answer(wire.TOO_LARGE), REFUSED),
        (Answer(wire.WRONG_FORMAT), REFUSED),
    ):
        assert meaning(answer) == expected, answer.code


def test_why_it_was_refused():
    with_cause = messages.response((wire.UE, "a"), "m", wire.DELIVERY_FAILED, "BROKEN")
    assert failure_cause(Answer(wire.INVALID, with_cause)) == "BROKEN"
    assert failure_cause(Answer(wire.INVALID)) == "4.00"
    assert failure_cause(Answer(wire.INVALID, payload=b"{")) == "4.00"
    assert failure_cause(Response(TIMEOUT)) == wire.RECIPIENT_NOT_REACHABLE


def test_what_was_told_in_a_body_that_is_not_complete():
    assert told(Answer(wire.ACCEPTED)) == {}
    assert told(Answer(wire.ACCEPTED, payload=b"\x00")) == {}
    assert told(Answer(wire.ACCEPTED, payload=b'{"Delivery Status":"DELY_STORED"}')) == {
        wire.DELIVERY_STATUS: wire.DELIVERY_STORED
    }
