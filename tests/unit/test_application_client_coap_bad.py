# Bad and unexpected requests of MSGin5G-5 over CoAP (TS 24.538, A.3), to the gateway and to the Application Client.

import json

from application_world import AS, METER, Setup, coap_registered
from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import Message, encode, encode_options
from msgin5g.resource import request_options


def ask(setup, body, content_format=coap.JSON, code=coap.POST, path=wire.PATH, source="stranger"):
    # What the gateway answers to a request: (code, its members).
    setup.mid = getattr(setup, "mid", 0) + 1
    options = request_options(path)[:-1] + [(coap.CONTENT_FORMAT, content_format)]
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    datagram = bytes(encode(coap.CON, code, setup.mid, b"", encode_options(options), body))
    setup.endpoint.receive(datagram, len(datagram), source, setup.world.now)
    for octets, address in setup.endpoint.datagrams_to_send():
        if address == source:
            message = Message()
            message.decode(octets, len(octets))
            payload = bytes(message.payload())
            return message.code, json.loads(payload) if payload else {}
    return None


def test_bad_requests_are_told_why_and_a_stranger_gets_nowhere():
    setup, client = coap_registered()
    message = {"Message Type": "MSG", "Target address": AS, "Message ID": "m", "Payload": "x"}
    report = {"Message Type": "IMDN", "Target address": AS, "Message ID": "m", "Delivery Status": "x"}
    for body, code, cause in (
        (b"", wire.INVALID, wire.MALFORMED),
        (b"\xff\x00", wire.INVALID, wire.MALFORMED),
        (b"[1]", wire.INVALID, wire.MALFORMED),
        (b"{}", wire.INVALID, wire.UNKNOWN_MESSAGE_TYPE),
        ({"Message Type": "SEGREC"}, wire.INVALID, wire.UNKNOWN_MESSAGE_TYPE),
        ({"Message Type": "REG"}, wire.INVALID, wire.MANDATORY_IE_MISSING + "Application ID"),
        (
            {"Message Type": "MSG", "Message ID": "m"},
            wire.INVALID,
            wire.MANDATORY_IE_MISSING + "Target address",
        ),
        (message, wire.UNAUTHENTICATED, wire.NOT_REGISTERED),
        (report, wire.UNAUTHENTICATED, wire.NOT_REGISTERED),
    ):
        answer, members = ask(setup, body)
        assert (answer, members["Failure Cause"]) == (code, cause), body
    assert ask(setup, message, content_format=coap.CBOR)[0] == wire.WRONG_FORMAT
    assert ask(setup, message, code=coap.PUT)[0] == coap.METHOD_NOT_ALLOWED
    assert ask(setup, message, path="elsewhere")[0] == coap.NOT_FOUND
    counters = setup.counters()
    assert counters["bad_messages"] == 7 and counters["wrong_format"] == 1 and counters["not_registered"] == 2
    # From one that is registered.
    for change, code in (
        ({"Target type": "NOBODY"}, wire.INVALID),
        ({"Target address": "as\n@example.org"}, wire.INVALID),
        ({"Payload": "Zg", "Payload encoding": "base64"}, wire.INVALID),
        ({"Application ID": "another"}, wire.UNAUTHENTICATED),
    ):
        changed = dict(message)
        changed.update(change)
        assert ask(setup, changed, source="meter")[0] == code, change
    answer, members = ask(setup, report, source="meter")
    assert answer == wire.NO_SUCH_RECIPIENT and members["Failure Cause"] == wire.UNKNOWN_MESSAGE
    assert counters["unexpected"] == 1 and counters["handler_errors"] == 0
    setup.world.advance(1000)
    assert setup.received() == [] and setup.received(wire.IMDN) == []


def test_a_report_that_is_quicker_than_the_answer_counts():
    setup, client = coap_registered()
    setup.world.leave("meter")
    setup.down("on", "d-1")
    setup.world.advance(1000)
    report = {
        "Message Type": "imdn",
        "Target address": AS,
        "Target type": "AS",
        "Message ID": "d-1",
        "Delivery Status": "REPT_DELY_FAILED",
        "Failure Cause": "valve stuck",
    }
    # Of another message, and to somebody else.
    for name, value in (("Message ID", "d-2"), ("Target address", "as-2@example.org")):
        other = dict(report)
        other[name] = value
        assert ask(setup, other, source="meter")[0] == wire.NO_SUCH_RECIPIENT
    assert ask(setup, report, source="meter") == (wire.ACCEPTED, {})
    later = []
    setup.world.drop = lambda datagram, source, destination: destination == "meter" and later.append(1)
    setup.world.advance(100000)
    # The message is not sent any more.
    assert later == []
    (told,) = setup.received(wire.IMDN)
    assert told[wire.DELIVERY_STATUS] == wire.REPORT_FAILED and told[wire.FAILURE_CAUSE] == "valve stuck"
    assert setup.counters()["taken"] == 1 and len(setup.store) == 0


def test_a_flood_is_bounded_and_others_are_served():
    setup, client = coap_registered()
    answers = [ask(setup, {"Message Type": "DEREG", "Application ID": METER})[0] for _ in range(200)]
    assert answers.count(wire.DEREGISTERED) <= 50 and answers[-1] == wire.OVERLOADED
    assert setup.counters()["too_many"] >= 150
    sent = client.send(AS, "x", setup.world.now)
    setup.world.advance(1000)
    assert client.told[-1] == (sent, 0) and client.registered


def test_the_client_answers_requests_and_ignores_what_is_none_of_its_business():
    client = Setup().coap_client()
    client.register(0)
    ((request, _),) = client.datagrams_to_send()

    def answer(datagram):
        client.receive(datagram, len(datagram), None, 0)
        return [bytes(octets) for octets, _ in client.datagrams_to_send()]

    # Too short, another version, a token that is cut off or too long, its own request, a RST, strangers' answers.
    for ignored in (
        b"",
        b"\x40\x01\x00",
        b"\x80\x02\x00\x01",
        b"\x44\x02\x00\x01ab",
        b"\x49\x02\x00\x01123456789",
        b"\x70\x00" + request[2:4],
        b"\x60\x41" + request[2:4],
        b"\x62\x41" + request[2:4] + b"no",
        b"\x52\x41\x00\x01no",
        b"\x60\x00\x00\x00",
    ):
        assert answer(ignored) == [], ignored
    assert not client.registered and client.timer() is not None
    # A ping, a stranger's response, a method, a critical option, no payload, a payload that is no message.
    head = b"\x41\x02\x00\x01t"
    for datagram, expected in (
        (b"\x40\x00\x12\x34", b"\x70\x00\x12\x34"),
        (b"\x42\x44\x12\x34no", b"\x70\x00\x12\x34"),
        (b"\x41\x01\x00\x01t", b"\x61\x85\x00\x01t"),
        (head + b"\xd1\x0e\x08\xff{}", b"\x61\x82\x00\x01t"),
        (head, b"\x61\x80\x00\x01t"),
        (head + b"\xff{", b"\x61\x80\x00\x01t"),
        (head + b"\xff[]", b"\x61\x80\x00\x01t"),
        (head + b"\xff{}", b"\x61\x80\x00\x01t"),
    ):
        assert answer(datagram) == [expected], datagram
    # Its own request come back is a request for something that it has no place for.
    assert answer(bytes(request))[0][1] == wire.INVALID


def test_a_response_that_comes_by_itself_is_acknowledged():
    client = Setup().coap_client()
    client.register(0)
    ((request, _),) = client.datagrams_to_send()
    mid, token = bytes(request[2:4]), bytes(request[4:6])
    client.receive(b"\x60\x00" + mid, 4, None, 10)
    assert client.timer() == 32010
    client.receive(b"\x42\x41\x99\x99" + token, 6, None, 20)
    assert client.registered and [bytes(octets) for octets, _ in client.datagrams_to_send()] == [
        b"\x60\x00\x99\x99"
    ]
    assert client.timer() is None


def test_any_message_id_that_it_chooses_comes_back_in_the_report():
    setup, client = coap_registered()
    chosen = "a/b/c"
    message = {
        "Message Type": "MSG",
        "Target address": AS,
        "Target type": "as",
        "Message ID": chosen,
        "Payload": "x",
    }
    assert ask(setup, message, source="meter")[0] == wire.ACCEPTED
    setup.world.advance(1000)
    setup.server.post("gateway-up", messages.report_on(setup.received()[0]))
    setup.world.advance(1000)
    assert client.reports == [(chosen, True)]
