# The relay of datagrams, without sockets and with time as an argument.

import random

from msgin5g import messages, wire
from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.resource import request_options, told

from host_tools.ue_relay import UeRelay

RUNTIMES = ("cpython",)

# What an OSCORE datagram looks like: a CON POST with a token and the option, and no path.
DATAGRAM = b"\x41\x02\x12\x34\x07\x91\x00\xff" + bytes(range(40))


class Uplink:
    def __init__(self, on_datagram):
        self.answer = on_datagram
        self.sent = []
        self.closed = False

    def send(self, datagram):
        self.sent.append(datagram)

    def close(self):
        self.closed = True


class World:
    def __init__(self, **options):
        self.uplinks = []
        self.refuse = False
        self.relay = UeRelay(self.opened, **options)

    def opened(self, on_datagram):
        if self.refuse:
            raise OSError(24, "Too many open files")
        self.uplinks.append(Uplink(on_datagram))
        return self.uplinks[-1]

    def say(self, address, now=0, datagram=DATAGRAM):
        self.relay.receive(bytearray(datagram + b"rest"), len(datagram), address, now)


def test_each_device_has_an_uplink_of_its_own_and_nothing_is_changed():
    world = World()
    world.say("a")
    world.say("b")
    world.say("a", datagram=b"\x40\x00\x00\x01")
    a, b = world.uplinks
    assert a.sent == [DATAGRAM, b"\x40\x00\x00\x01"] and b.sent == [DATAGRAM]
    b.answer(b"for b", 5)
    a.answer(b"for a", 5)
    assert world.relay.datagrams_to_send() == [(b"for b", "b"), (b"for a", "a")]
    assert world.relay.datagrams_to_send() == []
    counters = world.relay.counters
    assert (counters["up"], counters["down"], counters["devices_new"]) == (3, 2, 2)
    assert counters["up_octets"] == 2 * len(DATAGRAM) + 4 and counters["down_octets"] == 10


def test_a_device_that_floods_is_held_back_and_others_are_not():
    world = World(most_a_second=10)
    for _ in range(1000):
        world.say("flood")
    world.say("quiet")
    assert len(world.uplinks[0].sent) == 10 and len(world.uplinks[1].sent) == 1
    assert world.relay.counters["too_many"] == 990
    # The server, or who speaks as it, as well.
    for _ in range(1000):
        world.uplinks[1].answer(b"x", 0)
    assert len(world.relay.datagrams_to_send()) == 10
    world.say("flood", 1000)
    assert len(world.uplinks[0].sent) == 11


def test_addresses_that_are_made_up_take_no_place_of_a_device_that_is_heard():
    world = World(most_devices=20)
    for number in range(20):
        world.say(("device", number), 0)
    for number in range(10000):
        world.say(("made up", number), number * 5)
        if number % 100 == 0:
            for device in range(20):
                world.say(("device", device), number * 5)
    assert world.relay.occupancy() == {"devices": 20} and len(world.uplinks) == 20
    assert world.relay.counters["devices_refused"] == 10000
    assert not [uplink for uplink in world.uplinks if uplink.closed]


def test_so_many_new_devices_in_a_second():
    world = World(most_devices=1000)
    for number in range(200):
        world.say(number)
    assert world.relay.occupancy()["devices"] == 50
    for number in range(200):
        world.say(number, 1000)
    assert world.relay.occupancy()["devices"] == 100


def test_the_one_that_was_not_heard_for_longest_gives_way():
    world = World(most_devices=2)
    world.say("a", 0)
    world.say("b", 1000)
    world.say("a", 30000)
    world.say("c", 60999)
    assert world.relay.counters["devices_refused"] == 1
    world.say("c", 61000)
    assert [uplink.closed for uplink in world.uplinks] == [False, True, False]
    # What comes for one that has gone finds nobody, and what it says itself makes it known again, at another address.
    world.say("b", 200000)
    assert len(world.uplinks) == 4 and world.uplinks[0].closed


def test_who_is_silent_is_forgotten_and_who_never_got_an_answer_sooner():
    world = World(idle=600_000)
    world.say("a", 0)
    world.say("b", 0)
    world.uplinks[0].answer(b"x", 100)
    forgotten = {}
    while world.relay.timer() is not None:
        at = world.relay.timer()
        world.relay.handle_timer(at)
        for name, uplink in zip("ab", world.uplinks, strict=True):
            if uplink.closed:
                forgotten.setdefault(name, at)
    assert 60_000 <= forgotten["b"] <= 65_000 and 600_000 <= forgotten["a"] <= 606_000
    assert world.relay.occupancy() == {"devices": 0} and world.relay.counters["devices_forgotten"] == 2


def test_what_the_server_sends_keeps_a_device_known():
    world = World(idle=600_000)
    world.say("a", 0)
    for now in range(0, 3_000_000, 300_000):
        world.uplinks[0].answer(b"x", now)
        world.relay.handle_timer(now)
    assert world.relay.occupancy() == {"devices": 1}


def test_no_socket_is_left():
    world = World()
    world.refuse = True
    world.say("a")
    assert world.relay.counters["devices_refused"] == 1 and world.relay.occupancy() == {"devices": 0}
    world.refuse = False
    world.say("a")
    assert world.uplinks[0].sent == [DATAGRAM]


def test_garbage_passes_as_it_is_and_nothing_at_all_does_not():
    rng = random.Random(4)
    world = World(most_a_second=10**6)
    world.relay.answer_selections(
        "relay@example.org", "server@example.org", random.getrandbits, lambda _a: 1280
    )
    octets = [rng.randbytes(rng.randrange(1, 300)) for _ in range(300)]
    # With what a request for a relay has in it, too.
    octets += [one + b"selection" + one for one in octets]
    for one in octets:
        world.say("a", datagram=one)
    world.say("a", datagram=b"")
    assert world.uplinks[0].sent == octets and world.relay.counters["empty"] == 1
    assert world.relay.datagrams_to_send() == []


def ask(world, path, address="a", required=1280):
    # As a device does that looks for a relay; returns the answer, or None.
    endpoint = Endpoint(Parameters(), random.getrandbits)
    answers = []
    body = messages.encode({wire.UE_SERVICE_ID: "ue@example.org", wire.REQUIRED_PACKET_SIZE: required})
    Client(endpoint).request(
        "relay", n.POST, request_options(path), body, lambda response, _now: answers.append(response), 0
    )
    for datagram, _ in endpoint.datagrams_to_send():
        world.say(address, datagram=bytes(datagram))
    for datagram, to in world.relay.datagrams_to_send():
        assert to == address
        endpoint.receive(datagram, len(datagram), "relay", 0)
    return answers[0] if answers else None


def test_a_device_that_looks_for_a_relay_is_told_whom_it_relays_for():
    world = World()
    world.relay.answer_selections(
        "relay@example.org", "server@example.org", random.getrandbits, lambda _a: 1280
    )
    answer = told(ask(world, wire.SELECTION_PATH))
    assert answer[wire.UE_SERVICE_ID] == "relay@example.org"
    assert answer[wire.SERVER_SERVICE_ID] == "server@example.org"
    assert answer[wire.ALLOWED_PACKET_SIZE] == 1280
    assert world.uplinks == [] and world.relay.counters["selections"] == 1
    # Everything else is the server's.
    assert ask(world, "msgin5g") is None and len(world.uplinks[0].sent) == 1


def test_without_a_name_to_tell_nobody_is_answered():
    world = World()
    assert ask(world, wire.SELECTION_PATH) is None
    assert len(world.uplinks[0].sent) == 1
