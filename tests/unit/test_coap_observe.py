# Observing: RFC 7641, in both roles.

from coap_pair import A, B, Pair, body, path_options
from msgin5g import ticks
from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import TIMEOUT
from msgin5g.coap.message import ABSENT, encode, encode_options
from msgin5g.coap.observe import Observers, is_newer


class Watch(Pair):
    # A client that observes x, and a server with a state that can be set.
    def __init__(self, **options):
        self.max_age = options.pop("max_age", ABSENT)
        super().__init__(**options)
        self.code = n.CONTENT
        self.state = b"0"
        self.seen = []
        self.server.add_observable("x", self.render, self.max_age)

    def render(self, query):
        return self.code, n.TEXT_PLAIN, self.state

    def on_response(self, response, now):
        self.seen.append(response.how if response.code is None else response.payload)

    def observe(self, settle=1000):
        observation = self.client.observe(B, path_options("x"), self.on_response, self.now())
        self.run(settle)
        return observation

    def set(self, state, settle=1000):
        self.state = state
        self.server.notify("x", self.now())
        self.run(settle)

    def sent_by_server(self):
        return [message for message in self.wire.sent(B) if message.type != n.RST and message.code]


# -- which is newer


def test_newer_by_number():
    assert is_newer(1, 0, 0, 0) and not is_newer(0, 0, 1, 0) and not is_newer(5, 0, 5, 0)
    assert is_newer(0, 0, 0xFFFFFF, 0) and not is_newer(0xFFFFFF, 0, 0, 0)
    assert is_newer((1 << 23) - 1, 0, 0, 0) and not is_newer(1 << 23, 0, 0, 0)


def test_newer_by_time():
    assert not is_newer(1, 128000, 5, 0) and is_newer(1, 128001, 5, 0)
    start = ticks.PERIOD - 5
    assert is_newer(1, ticks.add(start, 128001), 5, start)
    assert not is_newer(1, ticks.add(start, 128000), 5, start)


# -- register, notify, cancel


def test_register_and_notifications():
    watch = Watch()
    watch.observe()
    for state in (b"1", b"2", b"3"):
        watch.set(state)
    assert watch.seen == [b"0", b"1", b"2", b"3"]
    assert watch.server.observers("x") == 1
    first, *notifications = watch.sent_by_server()
    assert first.type == n.ACK and {message.type for message in notifications} == {n.CON}
    assert {message.token for message in notifications} == {first.token}
    assert [message.observe for message in notifications] == [first.observe + at for at in (1, 2, 3)]
    assert watch.a.occupancy()["exchanges"] == 1


def test_cancel_tells_the_server():
    watch = Watch()
    observation = watch.observe()
    observation.cancel(watch.now())
    assert observation.over and len(watch.client.observations) == 0
    watch.run(1000)
    assert watch.server.observers("x") == 0
    watch.set(b"1")
    assert watch.seen == [b"0"]
    assert watch.wire.sent(A)[-1].observe == n.OBSERVE_DEREGISTER
    assert watch.wire.sent(A)[-1].token == watch.wire.sent(A)[0].token
    assert watch.a.occupancy()["exchanges"] == 0


def test_cancelled_before_the_first_response():
    watch = Watch()
    observation = watch.observe(settle=0)
    observation.cancel(watch.now())
    watch.run(10000)
    assert watch.seen == [] and watch.server.observers("x") == 0


def test_forget_rejects_the_next_notification_with_reset():
    watch = Watch()
    observation = watch.observe()
    observation.forget(watch.now())
    watch.run(10000)
    assert watch.server.observers("x") == 1
    watch.set(b"1")
    assert watch.wire.sent(A)[-1].type == n.RST
    assert watch.server.observers("x") == 0
    watch.set(b"2")
    assert watch.seen == [b"0"]


def test_an_error_ends_the_observation():
    watch = Watch()
    observation = watch.observe()
    watch.code = n.NOT_FOUND
    watch.set(b"gone")
    assert watch.seen == [b"0", b"gone"]
    assert observation.over and watch.server.observers("x") == 0
    assert watch.sent_by_server()[-1].observe == ABSENT
    assert watch.a.occupancy()["exchanges"] == 0


def test_a_resource_that_is_not_there():
    watch = Watch()
    watch.code = n.NOT_FOUND
    observation = watch.observe()
    assert watch.seen == [b"0"] and observation.over and watch.server.observers("x") == 0


def test_a_resource_that_cannot_be_observed():
    pair = Pair(client={"most_body": 5000})
    pair.server.add("x", n.GET, lambda request, now: pair.server.respond(request, n.CONTENT, now, body(3000)))
    seen = []
    observation = pair.client.observe(B, path_options("x"), lambda response, now: seen.append(response), 0)
    pair.run(5000)
    assert [response.payload for response in seen] == [body(3000)]
    assert observation.over and pair.a.occupancy()["exchanges"] == 0


def test_a_server_that_is_away():
    watch = Watch()
    watch.wire.drop = lambda datagram, source, destination: True
    observation = watch.observe(settle=100000)
    assert watch.seen == [TIMEOUT] and observation.over


def test_without_content_format():
    pair = Pair()
    pair.server.add_observable("x", lambda query: (n.CONTENT, ABSENT, b"s"))
    seen = []
    pair.client.observe(B, path_options("x"), lambda response, now: seen.append(response.content_format), 0)
    pair.run(1000)
    pair.server.notify("x", pair.now())
    pair.run(1000)
    assert seen == [ABSENT, ABSENT]


def test_a_plain_get_does_not_observe():
    watch = Watch()
    response = watch.ask(n.GET)
    assert response.payload == b"0" and response.observe == ABSENT
    assert watch.server.observers("x") == 0


# -- loss, order and time


def test_a_notification_is_retransmitted_and_the_newest_state_follows():
    watch = Watch()
    watch.observe()
    watch.wire.drop = lambda datagram, source, destination: source == B
    watch.set(b"1", settle=500)
    watch.set(b"2", settle=500)
    watch.set(b"3", settle=500)
    watch.wire.drop = None
    watch.run(10000)
    # One at a time: 2 is never sent (RFC 7641, 4.5.2).
    assert watch.seen == [b"0", b"1", b"3"]


def test_an_observer_that_is_away_is_forgotten():
    watch = Watch()
    watch.observe()
    watch.wire.drop = lambda datagram, source, destination: True
    watch.set(b"1", settle=100000)
    assert watch.server.observers("x") == 0


def test_the_last_state_arrives_through_loss_duplication_and_reordering():
    for seed in range(1, 11):
        watch = Watch(
            parameters={"max_retransmit": 8}, seed=seed, loss=25, duplication=25, jitter=3000, max_age=3600
        )
        watch.observe(settle=200000)
        for state in range(10):
            watch.set(bytes([state]), settle=3000)
        watch.run(3000000, until=lambda watch=watch: watch.seen[-1] == bytes([9]))
        assert watch.seen[0] == b"0" and watch.seen[-1] == bytes([9]), seed
        assert watch.seen[1:] == sorted(watch.seen[1:]), seed


def test_an_older_notification_is_not_delivered():
    watch = Watch()
    watch.observe()
    token = watch.wire.sent(A)[0].token

    def notify(sequence, payload, mid):
        options = encode_options([(n.OBSERVE, sequence)])
        watch.wire.send(encode(n.CON, n.CONTENT, mid, token, options, payload), B, A)
        watch.run(1000)

    notify(10, b"new", 1)
    notify(9, b"old", 2)
    notify(11, b"newer", 3)
    assert watch.seen == [b"0", b"new", b"newer"]
    # All of them are acknowledged.
    assert [message.type for message in watch.wire.sent(A)][-3:] == [n.ACK] * 3


def test_renewed_when_max_age_has_passed():
    for max_age, seconds in ((ABSENT, 60), (600, 600), (100000, 86400)):
        watch = Watch(max_age=max_age)
        watch.observe()
        # The server is restarted: it has forgotten the observer, and counts from 0 again.
        observers = watch.server._observed["x"]._observers
        observers.remove(observers._entries[next(iter(observers._entries))].request)
        watch.state = b"new"
        watch.run(seconds * 1000 + 4000)
        assert watch.seen == [b"0"]
        watch.run(12000)
        assert watch.seen == [b"0", b"new"] and watch.server.observers("x") == 1
        # The same observer, by its token (RFC 7641, 3.3.1).
        assert len({message.token for message in watch.wire.sent(A)}) == 1


def test_a_notification_puts_the_renewal_off():
    watch = Watch()
    watch.observe()
    for _ in range(10):
        watch.set(b"s", settle=30000)
    assert [message.observe for message in watch.wire.sent(A)].count(n.OBSERVE_REGISTER) == 1


def test_renewal_waits_while_there_is_no_room():
    watch = Watch(parameters={"most_waiting": 1, "ack_timeout": 60000})
    watch.observe()
    watch.wire.drop = lambda datagram, source, destination: True
    watch.request(n.GET, "y")
    watch.request(n.GET, "y")
    watch.run(80000)
    assert watch.wire.sent(A)[-1].path == "y"
    watch.wire.drop = None
    watch.state = b"1"
    watch.run(300000)
    assert watch.seen[-1] == b"1" and watch.server.observers("x") == 1


def test_the_observer_stays_when_its_peer_is_forgotten():
    watch = Watch(parameters={"most_peers": 1})
    watch.observe()
    other = encode(n.NON, n.GET, 1, b"")
    watch.b.receive(other, len(other), "other", watch.now())
    watch.a.receive(other, len(other), "other", watch.now())
    watch.set(b"1")
    watch.set(b"2")
    assert watch.seen == [b"0", b"1", b"2"] and watch.server.observers("x") == 1


# -- registering again, and bounds


def test_registering_again_keeps_one_entry():
    watch = Watch()
    observation = watch.observe()
    for _ in range(3):
        observation.renew(watch.now())
        watch.run(1000)
    assert watch.server.observers("x") == 1
    watch.set(b"1")
    assert watch.seen[-1] == b"1"


def test_registering_again_while_a_notification_is_under_way():
    watch = Watch()
    observation = watch.observe()
    watch.wire.drop = lambda datagram, source, destination: source == B
    watch.set(b"1", settle=500)
    watch.wire.drop = None
    observation.renew(watch.now())
    watch.run(100000)
    assert watch.server.observers("x") == 1
    watch.set(b"2")
    assert watch.seen[-1] == b"2"


def test_deregistering_ends_a_notification_under_way():
    watch = Watch()
    observation = watch.observe()
    watch.wire.drop = lambda datagram, source, destination: source == B
    watch.set(b"1", settle=500)
    watch.wire.drop = None
    observation.cancel(watch.now())
    watch.run(500)
    assert watch.b.occupancy()["outstanding"] == 0
    watch.run(100000)
    assert watch.seen == [b"0"]


def test_observers_are_bounded():
    class Registration:
        def __init__(self, address, token, query=""):
            self.address = address
            self.token = token
            self.query = query

        def source(self):
            return self.address

    first, second, other = [Registration(*who) for who in (("a", b"1"), ("a", b"2"), ("b", b"1"))]
    observers = Observers(2)
    assert observers.add(first) and observers.add(second)
    assert not observers.add(other)
    again = Registration("a", b"1", "q")
    assert observers.add(again).request is again and len(observers) == 2
    assert observers.remove(other) is None
    assert observers.remove(first).request.query == "q"
    assert observers.add(other)


def test_who_finds_no_room_gets_a_plain_response():
    watch = Watch(server={"most_observers": 1})
    first = watch.observe()
    second = watch.observe()
    assert watch.seen == [b"0", b"0"]
    assert not first.over and second.over
    watch.set(b"1")
    assert watch.seen == [b"0", b"0", b"1"]


def test_queries_are_rendered_apart():
    pair = Pair()
    pair.server.add_observable("x", lambda query: (n.CONTENT, n.TEXT_PLAIN, query.encode()))
    seen = []
    for query in ("q=1", "q=2"):
        options = path_options("x") + [(n.URI_QUERY, query)]
        pair.client.observe(B, options, lambda response, now: seen.append(response.payload), pair.now())
        pair.run(1000)
    pair.server.notify("x", pair.now())
    pair.run(1000)
    assert sorted(seen) == [b"q=1", b"q=1", b"q=2", b"q=2"]


# -- states longer than a block


def big(state):
    return body(2500) + bytes([state])


def test_a_long_state_is_fetched_block_by_block():
    watch = Watch(client={"most_body": 5000})
    watch.state = big(0)
    watch.observe()
    watch.set(big(1))
    watch.set(big(2))
    assert watch.seen == [big(0), big(1), big(2)]
    # Later blocks are asked for without Observe (RFC 7959, 3.4).
    assert [message.observe for message in watch.wire.sent(A) if message.block2 > 0] == [ABSENT] * 6


def test_a_long_state_comes_in_blocks_of_the_size_that_the_client_asks_for():
    watch = Watch()
    watch.client.szx = 2
    watch.observe()
    watch.set(body(200))
    assert watch.seen == [b"0", body(200)]
    assert max(len(message.payload) for message in watch.sent_by_server()) == 64


def test_long_states_through_loss():
    for seed in range(1, 6):
        watch = Watch(
            parameters={"max_retransmit": 8},
            seed=seed,
            loss=20,
            jitter=1000,
            client={"most_body": 5000},
            max_age=9000,
        )
        watch.state = big(0)
        watch.observe(settle=300000)
        for state in (1, 2, 3):
            watch.set(big(state), settle=5000)
        watch.run(3000000, until=lambda watch=watch: watch.seen[-1] == big(3))
        assert watch.seen[-1] == big(3), seed
        assert all(state in (big(0), big(1), big(2), big(3)) for state in watch.seen), seed


def test_a_newer_state_gives_up_the_rest_of_the_last():
    watch = Watch(client={"most_body": 5000}, delay=100)
    watch.state = big(0)
    watch.observe(settle=5000)
    watch.set(big(1), settle=250)
    watch.set(big(2), settle=5000)
    assert watch.seen == [big(0), big(2)]


def test_a_long_state_that_is_too_large_ends_the_observation():
    watch = Watch(client={"most_body": 2000})
    observation = watch.observe()
    watch.set(big(1))
    assert watch.seen[0] == b"0" and len(watch.seen) == 2 and isinstance(watch.seen[1], int)
    assert observation.over and watch.client.bodies_too_large == 1
    watch.set(b"2")
    assert watch.server.observers("x") == 0 and len(watch.seen) == 2
