# The client's and the server's roles on a wire: RFC 7252, 5.

from coap_pair import A, B, Pair, body
from msgin5g import ticks
from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import CANCELLED, RESET, RESPONSE, TIMEOUT
from msgin5g.coap.message import encode, encode_options


def echoing(pair, delay=None):
    # A server that answers a POST with its payload; after `delay` ms, by the timer, where there is one.
    held = []
    served = []

    def answer(request, now):
        pair.server.respond(request, n.CHANGED, now, request.payload, n.JSON)

    def on_post(request, now):
        served.append(request.payload)
        if delay is None:
            answer(request, now)
        else:
            held.append((ticks.add(now, delay), request))
            pair.b.arm(held[-1][0])

    def on_timer(now):
        for entry in list(held):
            if ticks.diff(entry[0], now) <= 0:
                held.remove(entry)
                answer(entry[1], now)
            else:
                pair.b.arm(entry[0])

    pair.server.add("x", n.POST, on_post)
    pair.b.on_timer.append(on_timer)
    return served


def test_request_and_response():
    pair = Pair()
    served = echoing(pair)
    response = pair.ask(n.POST, payload=b"hi")
    assert response.how == RESPONSE and response.code == n.CHANGED and response.success()
    assert response.payload == b"hi" and response.content_format == n.JSON
    assert served == [b"hi"]
    assert len(pair.wire.log) == 2


def test_separate_response():
    pair = Pair()
    echoing(pair, delay=5000)
    assert pair.ask(n.POST, payload=b"hi").payload == b"hi"
    pair.run(10000)
    kinds = [(source, message.type) for source, _, message in pair.wire.log]
    assert kinds == [(A, n.CON), (B, n.ACK), (B, n.CON), (A, n.ACK)]


def test_non_confirmable():
    pair = Pair()
    echoing(pair)
    assert pair.ask(n.POST, payload=b"hi", confirmable=False).payload == b"hi"
    assert {message.type for _, _, message in pair.wire.log} == {n.NON}


def test_every_request_is_served_once_through_loss_duplication_and_reordering():
    for seed in range(1, 13):
        for delay in (None, 3000):
            pair = Pair({"max_retransmit": 8}, seed=seed, loss=25, duplication=25, jitter=4000)
            served = echoing(pair, delay)
            for number in range(5):
                payload = bytes([number])
                assert pair.ask(n.POST, payload=payload).payload == payload, (seed, number)
            assert served == [bytes([number]) for number in range(5)]


def test_many_requests_at_once_through_loss():
    pair = Pair(
        {"max_retransmit": 8, "nstart": 4, "most_waiting": 40, "most_unanswered": 40}, loss=20, jitter=500
    )
    served = echoing(pair)
    all_responses = [pair.request(n.POST, payload=bytes([number])) for number in range(40)]
    pair.run(3600000, until=lambda: all(all_responses))
    assert sorted(served) == [bytes([number]) for number in range(40)]
    assert [responses[0].payload[0] for responses in all_responses] == list(range(40))


def test_a_peer_that_is_away():
    pair = Pair()
    pair.wire.drop = lambda datagram, source, destination: source == A
    assert pair.ask(n.POST).how == TIMEOUT
    assert len(pair.wire.sent(A)) == 5
    # Back to work.
    pair.wire.drop = None
    echoing(pair)
    assert pair.ask(n.POST, payload=b"hi").payload == b"hi"


def test_a_peer_that_resets():
    pair = Pair()
    pair.b.receive = lambda data, size, address, now: pair.wire.send(
        encode(n.RST, n.EMPTY, data[2] << 8 | data[3]), B, A
    )
    assert pair.ask(n.POST).how == RESET


def test_cancel_a_request():
    pair = Pair()
    served = echoing(pair, delay=5000)
    responses = []

    def on_response(response, now):
        responses.append(response.how)

    transfer = pair.client.request(B, n.POST, [(n.URI_PATH, "x")], b"", on_response, pair.now())
    pair.run(2000)
    transfer.cancel(pair.now())
    transfer.cancel(pair.now())
    assert responses == [CANCELLED]
    pair.run(20000)
    # The separate response is rejected, which ends its retransmission.
    assert pair.wire.sent(A)[-1].type == n.RST and len(served) == 1
    assert pair.b.counters["retransmitted"] == 0


def test_paths_methods_and_queries():
    pair = Pair()
    seen = []

    def handler(request, now):
        seen.append((request.path, request.query, request.content_format))
        pair.server.respond(
            request, n.CREATED, now, options=[(n.LOCATION_PATH, "rd"), (n.LOCATION_PATH, "7")]
        )

    pair.server.add("rd/a", n.POST, handler)
    options = [(n.URI_QUERY, "ep=1"), (n.URI_QUERY, "lt=60"), (n.CONTENT_FORMAT, n.CBOR)]
    response = pair.ask(n.POST, "rd/a", options=options)
    assert response.code == n.CREATED and response.location == "rd/7"
    assert seen == [("rd/a", "ep=1&lt=60", n.CBOR)]
    assert pair.ask(n.POST, "rd").code == n.NOT_FOUND
    assert pair.ask(n.GET, "rd/a").code == n.METHOD_NOT_ALLOWED
    # A method that is not known to anyone (RFC 7252, 5.8)
    assert pair.ask(0x1F, "rd/a").code == n.METHOD_NOT_ALLOWED


def test_a_path_that_is_not_utf_8_is_a_bad_option():
    pair = Pair()
    options = encode_options([(n.URI_PATH, b"\xff")])
    datagram = encode(n.CON, n.GET, 1, b"t", options)
    pair.b.receive(datagram, len(datagram), A, 0)
    pair.wire.collect()
    assert pair.wire.sent(B)[0].code == n.BAD_OPTION


def test_max_age_and_observe_of_a_response():
    pair = Pair()
    pair.server.add(
        "x",
        n.GET,
        lambda request, now: pair.server.respond(request, n.CONTENT, now, b"", options=[(n.MAX_AGE, 7)]),
    )
    assert pair.ask(n.GET).max_age == 7


def test_a_handler_that_raises_is_an_internal_server_error():
    pair = Pair()
    errors = []

    def handler(request, now):
        raise RuntimeError("application")

    pair.server.add("x", n.POST, handler)
    pair.server.on_error = lambda request, error: errors.append((request.path, str(error)))
    assert pair.ask(n.POST).code == n.INTERNAL_SERVER_ERROR
    assert errors == [("x", "application")] and pair.server.handler_errors == 1


def test_a_handler_that_raises_after_it_answered():
    pair = Pair()

    def handler(request, now):
        pair.server.respond(request, n.CHANGED, now)
        raise RuntimeError("application")

    pair.server.on_error = lambda request, error: None
    pair.server.add("x", n.POST, handler)
    assert pair.ask(n.POST).code == n.CHANGED
    assert len(pair.wire.sent(B)) == 1


def test_both_ends_ask_each_other():
    pair = Pair(loss=20, parameters={"max_retransmit": 8})
    from msgin5g.coap.client import Client
    from msgin5g.coap.server import Server

    served = echoing(pair)
    back_server = Server(pair.a)
    back_server.add("y", n.POST, lambda request, now: back_server.respond(request, n.CHANGED, now, b"back"))
    back_client = Client(pair.b)
    responses = []
    for _ in range(5):
        there = pair.request(n.POST, payload=b"there")
        back_client.request(
            A, n.POST, [(n.URI_PATH, "y")], b"", lambda response, now: responses.append(response), pair.now()
        )
        pair.run(4000000, until=lambda there=there: there and responses)
        assert there[0].payload == b"there" and responses.pop().payload == b"back"
    assert len(served) == 5


def test_across_the_wrap_of_the_clock():
    pair = Pair(
        start=ticks.PERIOD - 3000, loss=20, parameters={"max_retransmit": 8}, server={"most_body": 5000}
    )
    served = echoing(pair, delay=2000)
    for _ in range(5):
        assert pair.ask(n.POST, payload=body(2000)).payload == body(2000)
    assert len(served) == 5 and pair.now() < ticks.PERIOD // 2


def test_nothing_is_left_behind():
    pair = Pair(loss=20, duplication=20, jitter=2000, server={"most_body": 5000}, client={"most_body": 5000})
    echoing(pair, delay=3000)
    for size in (1, 3000, 20):
        pair.ask(n.POST, payload=body(size))
    pair.run(600000)
    for endpoint in (pair.a, pair.b):
        occupancy = endpoint.occupancy()
        for name in ("exchanges", "outstanding", "unanswered", "recent", "recent_octets"):
            assert occupancy[name] == 0, name
        assert endpoint.timer() is None
    assert len(pair.server.blocks().uploads) == len(pair.server.blocks().downloads) == 0
    assert len(pair.client.uploads) == 0
