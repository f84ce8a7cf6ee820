# One endpoint against a scripted peer: RFC 7252, 4 and 5. Time is a number.

from coap_pair import Random, fields
from msgin5g import ticks
from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import (
    ACKNOWLEDGED,
    CANCELLED,
    RESET,
    RESPONSE,
    TIMEOUT,
    UNUSABLE,
    Endpoint,
    Full,
    Parameters,
)
from msgin5g.coap.message import encode, encode_options

PEER = "peer"
PATH = encode_options([(n.URI_PATH, "a")])
UNKNOWN_CRITICAL = encode_options([(9, b"")])


class Lone:
    # An endpoint, what it sends, what its callbacks are told, and a clock that is set by hand.
    def __init__(self, start=0, **parameters):
        self.now = start
        self.endpoint = Endpoint(Parameters(**parameters), Random(7).bits)
        self.ends = []
        self.requests = []

    def serve(self):
        self.endpoint.on_request = lambda request, message, now: self.requests.append(request)

    def on_end(self, exchange, how, message, now):
        self.ends.append((how, bytes(message.payload()) if message else None))

    def post(self, payload=b"hi", address=PEER, **options):
        return self.endpoint.request(address, n.POST, PATH, payload, self.on_end, self.now, **options)

    def sent(self):
        return [fields(datagram) for datagram, _ in self.endpoint.datagrams_to_send()]

    def receive(self, kind, code, mid, token=b"", options=b"", payload=b"", address=PEER):
        self.receive_octets(encode(kind, code, mid, token, options, payload), address)

    def receive_octets(self, octets, address=PEER):
        self.endpoint.receive(octets, len(octets), address, self.now)

    def wait(self, milliseconds):
        # Let time pass to the end, or to the next timer before it; returns what is sent then.
        end = ticks.add(self.now, milliseconds)
        due = self.endpoint.timer()
        while due is not None and ticks.diff(due, end) <= 0:
            if ticks.diff(due, self.now) > 0:
                self.now = due
            self.endpoint.handle_timer(self.now)
            sent = self.sent()
            if sent:
                return sent
            due = self.endpoint.timer()
        self.now = end
        return []


# -- requests of ours


def test_piggybacked_response():
    lone = Lone()
    lone.post()
    [request] = lone.sent()
    assert request.type == n.CON and request.code == n.POST and request.payload == b"hi"
    assert len(request.token) == 4
    lone.receive(n.ACK, n.CHANGED, request.mid, request.token, b"", b"ok")
    assert lone.ends == [(RESPONSE, b"ok")]
    assert lone.sent() == [] and lone.wait(600000) == []
    assert lone.endpoint.occupancy()["exchanges"] == 0


def test_separate_confirmable_response_is_acknowledged():
    lone = Lone()
    lone.post()
    [request] = lone.sent()
    lone.receive(n.ACK, n.EMPTY, request.mid)
    assert lone.ends == [] and lone.wait(20000) == []
    lone.receive(n.CON, n.CHANGED, 77, request.token, b"", b"ok")
    [acknowledgement] = lone.sent()
    assert (acknowledgement.type, acknowledgement.code, acknowledgement.mid) == (n.ACK, n.EMPTY, 77)
    assert lone.ends == [(RESPONSE, b"ok")]


def test_separate_response_that_overtakes_the_acknowledgement():
    lone = Lone()
    lone.post()
    [request] = lone.sent()
    lone.receive(n.CON, n.CHANGED, 77, request.token)
    assert lone.ends == [(RESPONSE, b"")]
    lone.sent()
    lone.receive(n.ACK, n.EMPTY, request.mid)
    assert lone.wait(600000) == []
    assert lone.ends == [(RESPONSE, b"")]


def test_separate_non_confirmable_response():
    lone = Lone()
    lone.post()
    [request] = lone.sent()
    lone.receive(n.ACK, n.EMPTY, request.mid)
    lone.receive(n.NON, n.CHANGED, 77, request.token)
    assert lone.ends == [(RESPONSE, b"")] and lone.sent() == []


def test_a_duplicate_separate_response_is_acknowledged_again_and_not_delivered_again():
    lone = Lone()
    lone.post()
    [request] = lone.sent()
    for _ in range(3):
        lone.receive(n.CON, n.CHANGED, 77, request.token)
    assert [message.type for message in lone.sent()] == [n.ACK, n.ACK, n.ACK]
    assert lone.ends == [(RESPONSE, b"")]


def test_acknowledged_and_then_no_response():
    lone = Lone(response_timeout=30000)
    lone.post()
    [request] = lone.sent()
    lone.receive(n.ACK, n.EMPTY, request.mid)
    lone.wait(29990)
    assert lone.ends == []
    lone.wait(100)
    assert lone.ends == [(TIMEOUT, None)]


def test_retransmission_backs_off_exponentially_from_a_random_start():
    first_timeouts = set()
    for seed in range(1, 40):
        lone = Lone()
        lone.endpoint._randbits = Random(seed).bits
        lone.post()
        [original] = lone.sent()
        times = [0]
        while not lone.ends:
            for again in lone.wait(100000):
                assert (again.mid, again.token, again.payload) == (original.mid, original.token, b"hi")
                times.append(lone.now)
        gaps = [times[at + 1] - times[at] for at in range(len(times) - 1)]
        # MAX_RETRANSMIT is 4, ACK_TIMEOUT 2 s, ACK_RANDOM_FACTOR 1.5
        assert len(gaps) == 4 and 2000 <= gaps[0] <= 3000 + 32
        for at in range(3):
            assert abs(gaps[at + 1] - 2 * gaps[at]) <= 64 << at
        assert lone.ends == [(TIMEOUT, None)]
        assert lone.now - times[-1] >= 2 * gaps[3] - 64
        assert lone.endpoint.counters["retransmitted"] == 4 and lone.endpoint.counters["timeouts"] == 1
        first_timeouts.add(gaps[0])
    assert len(first_timeouts) > 10


def test_retransmission_across_the_wrap_of_the_clock():
    lone = Lone(start=ticks.PERIOD - 1000)
    lone.post()
    lone.sent()
    start = lone.now
    assert len(lone.wait(4000)) == 1
    assert 2000 <= ticks.diff(lone.now, start) <= 3032
    lone.wait(100000)
    lone.wait(100000)
    lone.wait(100000)
    lone.wait(100000)
    assert lone.ends == [(TIMEOUT, None)]


def test_an_acknowledgement_stops_retransmission():
    lone = Lone()
    lone.post()
    [request] = lone.sent()
    assert len(lone.wait(3100)) == 1
    lone.receive(n.ACK, n.EMPTY, request.mid)
    assert lone.wait(90000) == [] and lone.ends == []


def test_a_reset_ends_the_request():
    for kind in (True, False):
        lone = Lone()
        lone.post(confirmable=kind)
        [request] = lone.sent()
        lone.receive(n.RST, n.EMPTY, request.mid)
        assert lone.ends == [(RESET, None)]
        assert lone.endpoint.counters["resets"] == 1
        assert lone.wait(600000) == []


def test_a_reset_with_a_code_is_no_reset():
    lone = Lone()
    lone.post()
    [request] = lone.sent()
    lone.receive(n.RST, n.CONTENT, request.mid, request.token)
    assert lone.ends == [] and lone.endpoint.counters["unexpected"] == 1


def test_non_confirmable_request():
    lone = Lone()
    lone.post(confirmable=False)
    [request] = lone.sent()
    assert request.type == n.NON
    lone.receive(n.NON, n.CHANGED, 5, request.token)
    assert lone.ends == [(RESPONSE, b"")] and lone.sent() == []


def test_non_confirmable_request_without_response_is_not_retransmitted_and_times_out():
    lone = Lone(response_timeout=30000)
    lone.post(confirmable=False)
    lone.sent()
    assert lone.wait(29990) == [] and lone.ends == []
    assert lone.wait(100) == [] and lone.ends == [(TIMEOUT, None)]


def test_an_acknowledgement_says_nothing_about_a_non_confirmable_request():
    lone = Lone()
    lone.post(confirmable=False)
    [request] = lone.sent()
    lone.receive(n.ACK, n.EMPTY, request.mid)
    lone.receive(n.ACK, n.CHANGED, request.mid, request.token)
    assert lone.ends == [] and lone.endpoint.counters["unexpected"] == 2


def test_a_response_with_another_token_or_from_another_address_is_not_ours():
    lone = Lone()
    lone.post()
    [request] = lone.sent()
    lone.receive(n.ACK, n.CHANGED, request.mid, b"else")
    lone.receive(n.ACK, n.CHANGED, request.mid, request.token, address="other")
    lone.receive(n.CON, n.CHANGED, 9, request.token, address="other")
    [reset] = lone.sent()
    assert (reset.type, reset.code, reset.mid) == (n.RST, n.EMPTY, 9)
    assert lone.ends == [] and lone.endpoint.counters["unexpected"] == 3


def test_responses_nobody_asked_for_are_rejected_and_leave_nothing_behind():
    lone = Lone()
    for mid in range(100):
        lone.receive(n.CON, n.CONTENT, mid, b"x", b"", b"y", address="stranger%d" % mid)
        lone.receive(n.NON, n.CONTENT, mid + 1000, b"x", address="stranger%d" % mid)
    assert [(m.type, m.code) for m in lone.sent()] == [(n.RST, n.EMPTY)] * 200
    occupancy = lone.endpoint.occupancy()
    assert occupancy["peers"] == 0 and occupancy["recent"] == 0
    assert lone.endpoint.timer() is None


def test_an_unknown_critical_option_in_a_response_makes_it_unusable():
    lone = Lone(nstart=2)
    lone.post()
    lone.post()
    first, second = lone.sent()
    lone.receive(n.ACK, n.CONTENT, first.mid, first.token, UNKNOWN_CRITICAL)
    assert lone.ends == [(UNUSABLE, None)] and lone.sent() == []
    lone.receive(n.CON, n.CONTENT, 8, second.token, UNKNOWN_CRITICAL)
    [reset] = lone.sent()
    assert (reset.type, reset.mid) == (n.RST, 8)
    assert lone.ends == [(UNUSABLE, None)] * 2


def test_cancel():
    lone = Lone()
    exchange = lone.post()
    waiting = lone.post()
    [request] = lone.sent()
    lone.endpoint.cancel(waiting, lone.now)
    lone.endpoint.cancel(exchange, lone.now)
    assert lone.ends == [(CANCELLED, None)] * 2
    lone.receive(n.CON, n.CHANGED, 4, request.token)
    assert [message.type for message in lone.sent()] == [n.RST]
    assert lone.wait(600000) == [] and lone.ends == [(CANCELLED, None)] * 2


def test_ping():
    lone = Lone()
    lone.endpoint.ping(PEER, lone.on_end, lone.now)
    [ping] = lone.sent()
    assert (ping.type, ping.code, ping.token) == (n.CON, n.EMPTY, b"")
    lone.receive(n.RST, n.EMPTY, ping.mid)
    assert lone.ends == [(RESET, None)]
    lone.endpoint.ping(PEER, lone.on_end, lone.now)
    while len(lone.ends) < 2:
        lone.wait(100000)
    assert lone.ends[1] == (TIMEOUT, None)


def test_the_times_that_follow_from_the_parameters():
    # RFC 7252, 4.8.2
    parameters = Parameters()
    assert parameters.max_transmit_wait == 93000 and parameters.exchange_lifetime == 247000
    assert parameters.response_timeout == 93000
    assert Parameters(response_timeout=5000).response_timeout == 5000


# -- NSTART


def test_nstart_messages_are_outstanding_and_the_rest_wait():
    for nstart in (1, 3):
        lone = Lone(nstart=nstart)
        for _ in range(5):
            lone.post()
        requests = lone.sent()
        assert len(requests) == nstart
        for done in range(5):
            lone.receive(n.ACK, n.CHANGED, requests[done].mid, requests[done].token)
            requests += lone.sent()
        assert len(requests) == 5 and len(lone.ends) == 5


def test_nstart_counts_non_confirmable_requests_until_their_response():
    lone = Lone()
    lone.post(confirmable=False)
    lone.post(confirmable=False)
    lone.post()
    [first] = lone.sent()
    lone.receive(n.NON, n.CHANGED, 1, first.token)
    [second] = lone.sent()
    assert second.type == n.NON
    [third] = lone.wait(94000)
    assert third.type == n.CON


def test_nstart_is_per_peer():
    lone = Lone()
    lone.post(address="one")
    lone.post(address="two")
    assert len(lone.sent()) == 2


def test_an_empty_acknowledgement_frees_the_place():
    lone = Lone()
    lone.post()
    lone.post()
    [first] = lone.sent()
    lone.receive(n.ACK, n.EMPTY, first.mid)
    assert len(lone.sent()) == 1


def test_a_time_out_frees_the_place():
    lone = Lone(max_retransmit=0)
    lone.post()
    lone.post()
    assert len(lone.sent()) == 1
    assert len(lone.wait(4000)) == 1 and lone.ends == [(TIMEOUT, None)]


def test_the_queue_is_bounded():
    lone = Lone(most_waiting=3)
    for _ in range(4):
        lone.post()
    for _ in range(10):
        try:
            lone.post()
            raise AssertionError("taken")
        except Full:
            pass
    assert lone.endpoint.occupancy()["exchanges"] == 4


def test_responses_do_not_wait_behind_requests():
    lone = Lone()
    lone.serve()
    lone.post()
    lone.post()
    lone.sent()
    lone.receive(n.NON, n.GET, 1, b"t")
    lone.endpoint.respond(lone.requests[0], n.CONTENT, b"", b"", lone.now)
    assert [(message.type, message.code) for message in lone.sent()] == [(n.NON, n.CONTENT)]


# -- requests of the peer


def test_response_is_piggybacked():
    lone = Lone()
    lone.serve()
    lone.receive(n.CON, n.GET, 9, b"tok", PATH)
    lone.endpoint.respond(lone.requests[0], n.CONTENT, b"", b"body", lone.now)
    [response] = lone.sent()
    assert (response.type, response.code, response.mid, response.token) == (n.ACK, n.CONTENT, 9, b"tok")
    assert response.payload == b"body"
    assert lone.wait(1000000) == []


def test_a_slow_response_is_acknowledged_first_and_sent_separately():
    lone = Lone(separate_after=1000)
    lone.serve()
    lone.receive(n.CON, n.GET, 9, b"tok", PATH)
    assert lone.wait(990) == []
    [acknowledgement] = lone.wait(100)
    assert (acknowledgement.type, acknowledgement.code, acknowledgement.mid) == (n.ACK, n.EMPTY, 9)
    lone.endpoint.respond(lone.requests[0], n.CONTENT, b"", b"body", lone.now)
    [response] = lone.sent()
    assert (response.type, response.code, response.token) == (n.CON, n.CONTENT, b"tok")
    [again] = lone.wait(3100)
    assert again.mid == response.mid
    lone.receive(n.ACK, n.EMPTY, response.mid)
    assert lone.wait(1000000) == []


def test_the_first_response_is_the_response():
    lone = Lone()
    lone.serve()
    lone.receive(n.CON, n.GET, 9, b"tok", PATH)
    lone.endpoint.respond(lone.requests[0], n.CONTENT, b"", b"", lone.now)
    lone.endpoint.respond(lone.requests[0], n.NOT_FOUND, b"", b"", lone.now)
    lone.endpoint.acknowledge(lone.requests[0])
    assert [message.code for message in lone.sent()] == [n.CONTENT]


def test_a_non_confirmable_request_gets_a_non_confirmable_response():
    lone = Lone()
    lone.serve()
    lone.receive(n.NON, n.GET, 9, b"tok", PATH)
    lone.endpoint.acknowledge(lone.requests[0])
    lone.endpoint.respond(lone.requests[0], n.CONTENT, b"", b"", lone.now)
    [response] = lone.sent()
    assert (response.type, response.code, response.token) == (n.NON, n.CONTENT, b"tok")


def test_a_duplicate_request_is_answered_again_and_not_served_again():
    lone = Lone()
    lone.serve()
    lone.receive(n.CON, n.POST, 9, b"tok", PATH)
    lone.receive(n.CON, n.POST, 9, b"tok", PATH)
    assert lone.sent() == []
    lone.endpoint.respond(lone.requests[0], n.CHANGED, b"", b"once", lone.now)
    lone.receive(n.CON, n.POST, 9, b"tok", PATH)
    assert [message.payload for message in lone.sent()] == [b"once", b"once"]
    assert len(lone.requests) == 1 and lone.endpoint.counters["duplicates"] == 2


def test_a_duplicate_of_a_request_answered_separately_is_acknowledged():
    lone = Lone()
    lone.serve()
    lone.receive(n.CON, n.POST, 9, b"tok", PATH)
    lone.endpoint.acknowledge(lone.requests[0])
    lone.endpoint.respond(lone.requests[0], n.CHANGED, b"", b"", lone.now)
    lone.sent()
    lone.receive(n.CON, n.POST, 9, b"tok", PATH)
    assert [(m.type, m.code, m.mid) for m in lone.sent()] == [(n.ACK, n.EMPTY, 9)]


def test_a_duplicate_non_confirmable_request_is_ignored():
    lone = Lone()
    lone.serve()
    for _ in range(2):
        lone.receive(n.NON, n.POST, 9, b"tok", PATH)
    lone.endpoint.respond(lone.requests[0], n.CHANGED, b"", b"", lone.now)
    lone.sent()
    lone.receive(n.NON, n.POST, 9, b"tok", PATH)
    assert lone.sent() == [] and len(lone.requests) == 1


def test_a_message_id_is_new_again_after_exchange_lifetime():
    lone = Lone()
    lone.serve()
    lone.receive(n.CON, n.POST, 9, b"tok", PATH)
    lone.endpoint.respond(lone.requests[0], n.CHANGED, b"", b"", lone.now)
    lone.sent()
    assert lone.endpoint.parameters.exchange_lifetime == 247000
    lone.wait(246990)
    lone.receive(n.CON, n.POST, 9, b"tok", PATH)
    assert len(lone.requests) == 1
    lone.wait(20)
    lone.receive(n.CON, n.POST, 9, b"tok", PATH)
    assert len(lone.requests) == 2


def test_the_same_message_id_of_another_peer_is_another_message():
    lone = Lone()
    lone.serve()
    lone.receive(n.CON, n.POST, 9, b"tok", PATH, address="one")
    lone.receive(n.CON, n.POST, 9, b"tok", PATH, address="two")
    assert len(lone.requests) == 2


def test_what_was_received_is_forgotten_without_further_traffic():
    lone = Lone()
    lone.serve()
    lone.receive(n.NON, n.POST, 9, b"tok", PATH)
    assert lone.endpoint.occupancy()["recent"] == 1
    lone.wait(248000)
    assert lone.endpoint.occupancy()["recent"] == 0
    assert lone.endpoint.timer() is None


def test_without_anyone_to_serve_requests_they_are_not_found():
    lone = Lone()
    lone.receive(n.CON, n.GET, 9, b"tok", PATH)
    assert [message.code for message in lone.sent()] == [n.NOT_FOUND]


def test_too_many_unanswered_requests_are_refused():
    lone = Lone(most_unanswered=2)
    lone.serve()
    for mid in range(4):
        lone.receive(n.CON, n.GET, mid, b"t", PATH)
    assert [message.code for message in lone.sent()] == [n.SERVICE_UNAVAILABLE] * 2
    assert len(lone.requests) == 2 and lone.endpoint.counters["refused_busy"] == 2
    lone.endpoint.respond(lone.requests[0], n.CONTENT, b"", b"", lone.now)
    lone.receive(n.CON, n.GET, 5, b"t", PATH)
    assert len(lone.requests) == 3


def test_unknown_critical_option_in_a_confirmable_request():
    lone = Lone()
    lone.serve()
    for _ in range(2):
        lone.receive(n.CON, n.GET, 9, b"tok", UNKNOWN_CRITICAL)
    first, second = lone.sent()
    assert (first.type, first.code, first.mid, first.token) == (n.ACK, n.BAD_OPTION, 9, b"tok")
    assert first.payload == second.payload == b"option 9"
    assert lone.requests == []


def test_unknown_critical_option_in_a_non_confirmable_request():
    lone = Lone()
    lone.serve()
    lone.receive(n.NON, n.GET, 9, b"tok", UNKNOWN_CRITICAL)
    assert [(m.type, m.mid) for m in lone.sent()] == [(n.RST, 9)]
    assert lone.requests == []


def test_proxying_is_not_supported():
    for number in (n.PROXY_URI, n.PROXY_SCHEME):
        lone = Lone()
        lone.serve()
        lone.receive(n.CON, n.GET, 9, b"", encode_options([(number, "coap")]))
        assert [message.code for message in lone.sent()] == [n.PROXYING_NOT_SUPPORTED]
        assert lone.requests == []


# -- what is not a request or a response


def test_a_ping_is_answered_with_reset_and_remembered_by_nobody():
    lone = Lone()
    for mid in range(100):
        lone.receive(n.CON, n.EMPTY, mid, address="stranger%d" % mid)
    assert [(m.type, m.code, m.mid) for m in lone.sent()] == [(n.RST, n.EMPTY, mid) for mid in range(100)]
    assert lone.endpoint.occupancy()["peers"] == 0


def test_an_empty_non_confirmable_message_means_nothing():
    lone = Lone()
    lone.receive(n.NON, n.EMPTY, 5)
    assert lone.sent() == []


def test_what_is_not_coap_is_counted_and_dropped():
    lone = Lone()
    for octets in (b"", b"\x40\x01", b"\x80\x01\x00\x01", b"\x16\xfe\xfd a DTLS record"):
        lone.receive_octets(octets)
    assert lone.sent() == [] and lone.endpoint.counters["not_coap"] == 4


def test_broken_coap_is_rejected_with_reset():
    for kind, answer in ((n.CON, [n.RST]), (n.NON, [n.RST]), (n.ACK, []), (n.RST, [])):
        lone = Lone()
        lone.receive_octets(bytes([0x49 | kind << 4, n.GET, 1, 2]) + bytes(9))
        assert [message.type for message in lone.sent()] == answer
        assert lone.endpoint.counters["format_errors"] == 1
        assert lone.endpoint.occupancy()["peers"] == 0


def test_acknowledgements_nobody_waits_for_are_counted():
    lone = Lone()
    lone.receive(n.ACK, n.EMPTY, 5)
    lone.receive(n.RST, n.EMPTY, 5)
    lone.receive(n.ACK, n.CONTENT, 5, b"t")
    assert lone.sent() == [] and lone.endpoint.counters["unexpected"] == 3
    assert lone.endpoint.occupancy()["peers"] == 0


def test_an_acknowledgement_with_a_response_does_not_end_a_notification():
    lone = Lone()
    lone.serve()
    lone.receive(n.NON, n.GET, 1, b"tok", PATH)
    lone.sent()
    lone.endpoint.notify(lone.requests[0].peer, n.CONTENT, b"tok", b"", b"", True, lone.on_end, lone.now)
    [notification] = lone.sent()
    lone.receive(n.ACK, n.CONTENT, notification.mid, b"tok")
    assert lone.ends == []
    lone.receive(n.ACK, n.EMPTY, notification.mid)
    assert lone.ends == [(ACKNOWLEDGED, None)]


# -- Message IDs and tokens


def test_message_ids_count_up_and_wrap():
    lone = Lone(token_length=0)
    lone.endpoint.peer(PEER, 0).next_mid = 0xFFFE
    mids = []
    for _ in range(4):
        lone.endpoint.ping(PEER, None, 0)
        [ping] = lone.sent()
        mids.append(ping.mid)
        lone.receive(n.RST, n.EMPTY, ping.mid)
    assert mids == [0xFFFE, 0xFFFF, 0, 1]


def use_up_message_ids(lone, count):
    # As fast as can be: no time passes.
    used = 0
    for _ in range(count):
        lone.endpoint.notify(lone.peer, n.CONTENT, b"", b"", b"", False, None, lone.now)
        used += len(lone.endpoint.datagrams_to_send())
    return used


def test_a_message_id_is_not_used_again_within_exchange_lifetime():
    lone = Lone(most_waiting=8)
    lone.peer = lone.endpoint.peer(PEER, 0)
    lone.peer.next_mid = 0x3FF0
    # The quarter begun in the middle, three whole ones, and what the first had left.
    assert use_up_message_ids(lone, 16 + 3 * 0x4000) == 16 + 3 * 0x4000
    assert lone.peer.next_mid == 0
    assert use_up_message_ids(lone, 8) == 0
    try:
        use_up_message_ids(lone, 1)
        raise AssertionError("taken")
    except Full:
        pass
    assert lone.wait(246000) == []
    assert [message.mid for message in lone.wait(1100)] == list(range(8))


def test_message_ids_are_there_again_however_long_ago_they_were_used():
    # At one message in five seconds they come round after four days, longer than ticks can tell before from after.
    for days in (1, 3, 4, 5):
        lone = Lone()
        lone.peer = lone.endpoint.peer(PEER, 0)
        lone.peer.next_mid = 0x3FFF
        assert use_up_message_ids(lone, 1) == 1
        lone.wait(300000)
        lone.now = ticks.add(lone.now, days * 86400 * 1000)
        lone.peer.next_mid = 0xFFFF
        assert use_up_message_ids(lone, 2) == 2, days


def test_tokens_differ_and_have_the_length_that_is_asked_for():
    for length in (1, 4, 8):
        lone = Lone(token_length=length, nstart=100)
        for _ in range(100):
            lone.post()
        tokens = {request.token for request in lone.sent()}
        assert len(tokens) == 100 and {len(token) for token in tokens} == {length}


# -- peers


def test_an_idle_peer_makes_room_for_a_new_one():
    lone = Lone(most_peers=4)
    lone.serve()
    for number in range(50):
        lone.now += 10
        lone.receive(n.NON, n.GET, 1, b"", PATH, address="peer%d" % number)
    assert lone.endpoint.occupancy()["peers"] == 4 and len(lone.requests) == 50
    assert lone.endpoint.counters["peers_forgotten"] == 46


def test_the_peer_that_was_silent_for_longest_is_forgotten():
    lone = Lone(most_peers=3)
    lone.serve()
    for number, now in enumerate((0, 1000, 2000, 3000)):
        lone.now = now
        if number == 3:
            lone.receive(n.NON, n.GET, 2, b"", PATH, address="peer0")
        lone.receive(n.NON, n.GET, 1, b"", PATH, address="peer%d" % number)
    assert sorted(lone.endpoint._peers) == ["peer0", "peer2", "peer3"]


def test_busy_peers_are_kept_and_further_ones_refused():
    lone = Lone(most_peers=2)
    lone.serve()
    lone.post(address="one")
    lone.post(address="two")
    lone.receive(n.CON, n.GET, 1, b"", PATH, address="three")
    assert lone.requests == [] and lone.endpoint.counters["refused_busy"] == 1
    try:
        lone.post(address="three")
        raise AssertionError("taken")
    except Full:
        pass


def test_a_response_finds_its_request_after_the_peer_was_forgotten():
    lone = Lone(most_peers=1)
    lone.serve()
    lone.post(address="one")
    [request] = lone.sent()
    lone.receive(n.ACK, n.EMPTY, request.mid, address="one")
    lone.receive(n.NON, n.GET, 1, b"", PATH, address="two")
    assert sorted(lone.endpoint._peers) == ["two"]
    lone.receive(n.CON, n.CHANGED, 2, request.token, address="one")
    assert lone.ends == [(RESPONSE, b"")]


def test_a_separate_response_reaches_a_peer_that_was_forgotten():
    lone = Lone(most_peers=1)
    lone.serve()
    lone.receive(n.CON, n.GET, 1, b"tok", PATH, address="one")
    lone.endpoint.acknowledge(lone.requests[0])
    lone.receive(n.NON, n.GET, 1, b"", PATH, address="two")
    lone.sent()
    lone.endpoint.respond(lone.requests[0], n.CONTENT, b"", b"", lone.now)
    [response] = lone.sent()
    lone.receive(n.ACK, n.EMPTY, response.mid, address="one")
    assert lone.wait(100000) == []


# -- bounds and callbacks


def test_a_flood_of_requests_leaves_bounded_memory():
    lone = Lone(most_recent=16, most_recent_octets=1000, most_peers=8)
    lone.endpoint.on_request = lambda request, message, now: lone.endpoint.respond(
        request, n.CONTENT, b"", bytes(200), now
    )
    for number in range(500):
        lone.receive(n.CON, n.GET, number, b"tok", PATH, address="peer%d" % (number % 40))
        lone.sent()
    occupancy = lone.endpoint.occupancy()
    assert occupancy["peers"] <= 8 and occupancy["recent"] <= 16 and occupancy["recent_octets"] <= 1000
    assert occupancy["unanswered"] == 0 and occupancy["recent_shed"] > 400


def test_many_deadlines_close_together_cost_few_scans():
    lone = Lone(nstart=300)
    for _ in range(300):
        lone.post()
    scans = 0
    while lone.endpoint.counters["retransmitted"] < 300:
        lone.endpoint.datagrams_to_send()
        lone.now = lone.endpoint.timer()
        lone.endpoint.handle_timer(lone.now)
        scans += 1
    assert scans <= 33


def test_a_callback_that_raises_breaks_nothing():
    def broken(*_):
        raise RuntimeError("application")

    lone = Lone(max_retransmit=0, nstart=2)
    errors = []
    lone.endpoint.on_error = errors.append
    lone.endpoint.on_request = broken
    lone.receive(n.CON, n.GET, 1, b"t", PATH)
    assert [message.code for message in lone.sent()] == [n.INTERNAL_SERVER_ERROR]
    lone.endpoint.request(PEER, n.GET, b"", b"", broken, lone.now)
    [request] = lone.sent()
    lone.receive(n.ACK, n.CONTENT, request.mid, request.token)
    assert lone.endpoint.occupancy()["exchanges"] == 0
    lone.endpoint.request(PEER, n.GET, b"", b"", broken, lone.now)
    lone.post()
    lone.endpoint.on_timer.append(broken)
    lone.sent()
    lone.wait(5000)
    assert lone.ends == [(TIMEOUT, None)]
    assert len(errors) == lone.endpoint.counters["callback_errors"] and len(errors) >= 4


def test_a_callback_may_send_the_next_request():
    lone = Lone()

    def again(exchange, how, message, now):
        lone.post(b"next")

    lone.endpoint.request(PEER, n.POST, PATH, b"first", again, lone.now)
    [first] = lone.sent()
    lone.receive(n.ACK, n.CHANGED, first.mid, first.token)
    [second] = lone.sent()
    assert second.payload == b"next" and second.mid == (first.mid + 1) & 0xFFFF
