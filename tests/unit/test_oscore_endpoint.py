# Two endpoints that speak OSCORE: RFC 8613, 4 to 8, through loss, duplication and restarts.

from coap_pair import A, B, body, path_options
from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import TIMEOUT
from msgin5g.coap.message import encode, encode_options
from msgin5g.oscore.security import parse
from oscore_pair import SecuredPair, Tap, raw, refusals

# -- requests and responses


def test_what_is_sent_can_not_be_read():
    pair = SecuredPair().echo()
    tap = Tap(pair)
    response = pair.ask(n.POST, "x", b"a secret")
    assert response.code == n.CHANGED and response.payload == b"a secret"
    assert pair.got == [(b"a secret", "a's name")]
    [request], [answer] = tap.sent(A), tap.sent(B)
    assert b"secret" not in request + answer
    # POST, an OSCORE option with a Partial IV and a kid, and no other; 2.04 with an empty one.
    message = raw(request)
    assert message.code == n.POST and message.path() == "" and message.content_format < 0
    assert parse(message.oscore()) == (b"\x00", None, b"\x01")
    assert raw(answer).code == n.CHANGED and raw(answer).oscore() == b""


def test_what_protection_costs():
    # Code, tag, option, payload marker: for a board's bill.
    pair = SecuredPair().echo()
    tap = Tap(pair)
    pair.ask(n.POST, "x", b"12345678")
    options = encode_options(path_options("x"))
    plain = encode(n.CON, n.POST, 0, b"toke", options, b"12345678")
    assert len(tap.sent(A)[0]) == len(plain) + 1 + 8 + 4 + 1
    assert len(tap.sent(B)[0]) == len(encode(n.ACK, n.CHANGED, 0, b"toke", b"", b"12345678")) + 1 + 8 + 1 + 1


def test_codes_errors_and_non_confirmable():
    pair = SecuredPair().echo()
    assert pair.ask(n.POST, "missing").code == n.NOT_FOUND
    assert pair.ask(n.GET, "x").code == n.METHOD_NOT_ALLOWED
    assert pair.ask(n.POST, "x", b"n", confirmable=False).payload == b"n"
    pair.server.add("boom", n.GET, lambda request, now: 1 // 0)
    pair.server.on_error = lambda request, error: None
    assert pair.ask(n.GET, "boom").code == n.INTERNAL_SERVER_ERROR
    # A critical option inside that nobody knows is the server's to refuse, protected.
    assert pair.ask(n.POST, "x", options=[(2049, b"")]).code == n.BAD_OPTION
    assert refusals(pair) == {} and pair.a.counters["oscore_forged"] == 0


def test_a_separate_response():
    pair = SecuredPair()
    held = []
    pair.server.add("slow", n.GET, lambda request, now: held.append(request))
    responses = pair.request(n.GET, "slow")
    pair.run(5000)
    assert responses == [] and len(held) == 1
    pair.server.respond(held[0], n.CONTENT, pair.now(), b"late")
    pair.run(5000)
    assert responses[0].payload == b"late"


def test_bodies_in_blocks_are_inside():
    pair = SecuredPair().echo()
    tap = Tap(pair)
    assert pair.ask(n.POST, "x", body(4000)).payload == body(4000)
    for datagram, _ in tap.datagrams:
        message = raw(datagram)
        assert message.block1 == message.block2 == message.size1 == -1
    assert len(tap.sent(A)) == 7
    # Each is a request of its own.
    pivs = [parse(raw(datagram).oscore())[0] for datagram in tap.sent(A)]
    assert len(set(pivs)) == len(pivs)


def test_blocks_of_another_peer_at_the_same_address_are_not_mixed_in():
    pair = SecuredPair().echo()
    pair.ask(n.POST, "x", body(1500))
    sources = set()
    on_request = pair.b.on_request

    def spy(request, message, now):
        sources.add(request.source())
        on_request(request, message, now)

    pair.b.on_request = spy
    pair.ask(n.POST, "x", body(1500))
    assert sources == {pair.contexts[1]}


def test_lost_and_doubled_datagrams():
    for seed in (1, 2, 3, 4):
        pair = SecuredPair(seed=seed, loss=25, duplication=20, jitter=40).echo()
        for size in (10, 3000, 0, 100):
            assert pair.ask(n.POST, "x", body(size)).payload == body(size)
        assert [len(payload) for payload, _ in pair.got] == [10, 3000, 0, 100]
        assert refusals(pair) == {}


def test_a_retransmission_is_the_same_datagram():
    pair = SecuredPair().echo()
    tap = Tap(pair)
    tap.lose = lambda datagram, source: len(tap.datagrams) < 3
    assert pair.ask(n.POST, "x", b"again").payload == b"again"
    first, second, third = tap.sent(A)
    assert first == second == third
    # The next has the next number.
    pair.ask(n.POST, "x")
    assert parse(raw(tap.sent(A)[-1]).oscore())[0] == b"\x01"


def test_a_duplicate_gets_the_same_answer_and_no_refusal():
    pair = SecuredPair().echo()
    tap = Tap(pair)
    pair.ask(n.POST, "x", b"once")
    request, answer = tap.sent(A)[0], tap.sent(B)[0]
    pair.wire.send(request, A, B)
    pair.run(200)
    assert tap.sent(B) == [answer, answer] and len(pair.got) == 1 and refusals(pair) == {}


def test_the_address_may_change():
    pair = SecuredPair().echo()
    pair.ask(n.POST, "x", b"1")
    pair.wire.endpoints["elsewhere"] = pair.wire.endpoints.pop(A)
    response = pair.ask(n.POST, "x", b"2")
    assert response.payload == b"2" and pair.got[1][1] == "a's name"


# -- observe


class Watch(SecuredPair):
    def __init__(self, **options):
        super().__init__(**options)
        self.state = b"0"
        self.seen = []
        self.server.add_observable("x", lambda query: (n.CONTENT, n.TEXT_PLAIN, self.state))
        self.tap = Tap(self)
        self.observation = self.observe()

    def observe(self):
        observation = self.client.observe(
            B, path_options("x"), lambda response, now: self.seen.append(response.payload), self.now()
        )
        self.run(1000)
        return observation

    def set(self, state):
        self.state = state
        self.server.notify("x", self.now())
        self.run(1000)


def test_notifications():
    watch = Watch()
    for state in (b"1", b"2", b"3"):
        watch.set(state)
    assert watch.seen == [b"0", b"1", b"2", b"3"]
    # FETCH and 2.05, Observe outside as well; each notification has a Partial IV of its own.
    register = raw(watch.tap.sent(A)[0])
    assert register.code == n.FETCH and register.observe == n.OBSERVE_REGISTER
    notifications = [raw(datagram) for datagram in watch.tap.sent(B)]
    assert [message.code for message in notifications] == [n.CONTENT] * 4
    assert [message.observe for message in notifications] == [0, 1, 2, 3]
    assert [parse(message.oscore())[0] for message in notifications] == [b"\0", b"\1", b"\2", b"\3"]
    watch.observation.cancel(watch.now())
    watch.run(1000)
    assert watch.server.observers("x") == 0


def test_a_notification_that_is_played_again_is_ignored():
    watch = Watch()
    watch.set(b"1")
    old = watch.tap.sent(B)[-1]
    watch.set(b"2")
    # With another Message ID, so that it is no duplicate; and after a time in which RFC 7641 would believe it.
    watch.run(200000)
    before = len(watch.seen)
    again = old[:2] + b"\x7f\x7f" + old[4:]
    watch.wire.send(again, B, A)
    watch.run(1000)
    assert len(watch.seen) == before and watch.a.counters["oscore_replayed"] == 1
    watch.set(b"3")
    assert watch.seen[-1] == b"3"


def test_the_order_is_that_of_the_partial_ivs():
    watch = Watch()
    watch.tap.lose = lambda datagram, source: source == B
    watch.set(b"1")
    watch.tap.lose = None
    # Whoever changes the Observe option outside changes nothing.
    lost = bytearray(watch.tap.sent(B)[-1])
    at = lost.index(b"\x61\x01")
    lost[at + 1] = 0xFF
    watch.wire.send(bytes(lost), B, A)
    watch.run(10000)
    watch.set(b"2")
    assert watch.seen == [b"0", b"1", b"2"]


def test_states_longer_than_a_block():
    watch = Watch()
    watch.set(body(2500))
    watch.set(b"short")
    assert watch.seen == [b"0", body(2500), b"short"]


def test_renewing_an_observation():
    # With a new request: a notification under way belonged to the old one.
    watch = Watch()
    watch.tap.lose = lambda datagram, source: source == B
    watch.set(b"lost")
    watch.tap.lose = None
    watch.observation.renew(watch.now())
    watch.run(20000)
    assert watch.seen == [b"0", b"lost"] and watch.server.observers("x") == 1
    watch.set(b"after")
    assert watch.seen[-1] == b"after" and watch.b.occupancy()["outstanding"] == 0


def test_an_observation_ends_with_an_error_of_its_own_number():
    watch = Watch()
    watch.server._observed["x"]._render = lambda query: (n.NOT_FOUND, -1, b"")
    watch.server.notify("x", watch.now())
    watch.run(1000)
    last = raw(watch.tap.sent(B)[-1])
    assert last.code == n.CONTENT and parse(last.oscore())[0] == b"\x01"
    assert watch.observation.over and watch.server.observers("x") == 0


# -- restarts


def test_the_server_restarts():
    pair = SecuredPair().echo()
    pair.ask(n.POST, "x", b"before")
    pair.restart_b()
    pair.echo()
    tap = Tap(pair)
    assert pair.ask(n.POST, "x", b"after").payload == b"after"
    # Asked to prove that it is no replay, once (RFC 8613, B.1.2).
    assert pair.got == [(b"after", "a's name")]
    challenge, answer = [raw(datagram) for datagram in tap.sent(B)]
    assert challenge.code == n.CHANGED and parse(challenge.oscore())[0] == b"\x40"
    assert answer.oscore() == b""
    assert pair.b.counters["oscore_challenged"] == 1
    assert pair.ask(n.POST, "x", b"on").payload == b"on" and len(tap.sent(B)) == 3


def test_the_server_restarts_under_an_observer():
    watch = Watch()
    watch.restart_b()
    watch.server.add_observable("x", lambda query: (n.CONTENT, n.TEXT_PLAIN, watch.state))
    watch.state = b"new life"
    watch.observation.renew(watch.now())
    watch.run(1000)
    watch.set(b"newer")
    assert watch.seen == [b"0", b"new life", b"newer"]


def test_several_requests_at_once_after_a_restart():
    pair = SecuredPair(parameters={"nstart": 8, "most_unanswered": 16, "most_waiting": 16}, jitter=50).echo()
    pair.restart_b()
    pair.echo()
    waiting = [pair.request(n.POST, "x", b"%d" % number) for number in range(4)]
    pair.run(60000)
    assert [responses[0].payload for responses in waiting] == [b"0", b"1", b"2", b"3"]
    assert len(pair.got) == 4


def test_an_upload_survives_a_restart_of_the_replay_window():
    pair = SecuredPair().echo()
    pair.ask(n.POST, "x", b"before")
    pair.restart_b()
    pair.echo()
    assert pair.ask(n.POST, "x", body(3000)).payload == body(3000)


def test_the_client_restarts():
    pair = SecuredPair().echo()
    pair.ask(n.POST, "x", b"1")
    pair.restart_a()
    tap = Tap(pair)
    assert pair.ask(n.POST, "x", b"2").payload == b"2"
    # Beyond all that it may have used; no Echo is needed, the server still has its window.
    assert parse(raw(tap.sent(A)[0]).oscore())[0] == b"\x40" and len(tap.sent(A)) == 1


def test_who_challenges_for_ever_is_given_up():
    pair = SecuredPair().echo()
    pair.restart_b()
    pair.echo()

    opened = pair.b.security.open_request

    def challenge(message, address):
        found = opened(message, address)
        return found[:3] + (encode_options([(n.ECHO, b"always")]),)

    pair.b.security.open_request = challenge
    response = pair.ask(n.POST, "x")
    assert response.code is None and response.how == TIMEOUT and pair.got == []
    assert pair.a.occupancy()["exchanges"] == pair.a.occupancy()["outstanding"] == 0
