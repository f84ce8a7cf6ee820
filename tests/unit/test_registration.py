# Being registered at the next hop up: kept, renewed, refreshed, refused, ended.

from msgin5g import messages, rfc3339, ticks, wire
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.registration import Registration
from server import FakeServer
from world import World

UE = "ue-1@example.org"


class Setup:
    def __init__(self, **options):
        self.world = World()
        self.server = FakeServer(self.world)
        self.endpoint = self.world.join("ue", Endpoint(Parameters(), self.world.random.bits))
        self.changes = []
        self.requests = []
        self.world.drop = self.note
        self.registration = Registration(
            Client(self.endpoint),
            "server",
            messages.encode(messages.registration(UE)),
            messages.encode(messages.deregistration(UE)),
            lambda registered, cause, now: self.changes.append((registered, cause)),
            **options,
        )

    def note(self, datagram, source, destination):
        if source == "ue" and datagram[1]:
            self.requests.append(self.world.now)
        return False

    def start(self):
        self.registration.start(self.world.now)
        self.world.settle()

    def stop(self):
        ended = []
        self.registration.stop(ended.append, self.world.now)
        self.world.settle()
        return ended

    def since(self, count):
        # Pauses between the requests from number `count` on.
        times = self.requests[count:]
        return [ticks.diff(end, start) for start, end in zip(times, times[1:])]


def test_registers():
    setup = Setup()
    setup.start()
    assert setup.registration.registered and setup.changes == [(True, None)]
    assert setup.server.registered == {UE: "ue"}


def test_refreshes_in_time_and_says_nothing_about_it():
    setup = Setup(refresh=100)
    setup.start()
    setup.world.advance(1000000)
    assert setup.changes == [(True, None)]
    pauses = setup.since(0)
    assert 9 <= len(pauses) <= 12
    for pause in pauses:
        assert 90000 <= pause <= 100050
    assert len(set(pauses)) > 5


def test_the_first_refusal_is_final():
    setup = Setup()
    setup.server.refuse = wire.NOT_AUTHORIZED
    setup.start()
    assert setup.changes == [(False, wire.NOT_AUTHORIZED)]
    setup.world.advance(1000000)
    assert len(setup.requests) == 1
    # Until it is started again.
    setup.server.refuse = None
    setup.start()
    assert setup.registration.registered


def test_a_later_refusal_is_not():
    setup = Setup(refresh=100)
    setup.start()
    setup.server.refuse = wire.NOT_AUTHORIZED
    setup.world.advance(101000)
    assert setup.changes[:2] == [(True, None), (False, wire.NOT_AUTHORIZED)]
    setup.server.refuse = None
    setup.world.advance(10000)
    assert setup.changes[-1] == (True, None)


def test_pauses_double_and_differ():
    setup = Setup(refresh=100)
    setup.start()
    setup.server.refuse = wire.NOT_AUTHORIZED
    setup.registration.renew(setup.world.now)
    setup.world.settle()
    setup.world.advance(300000)
    for pause, base in zip(setup.since(1), (1000, 2000, 4000, 8000, 16000, 32000, 60000)):
        assert base <= pause <= base * 3 // 2 + 50, (pause, base)


def test_the_peer_may_ask_for_a_longer_pause():
    setup = Setup()
    setup.server._on_reg = None
    handlers = setup.server.resource._handlers
    handlers[wire.REG] = lambda request, elements, now: setup.server.resource.refuse(
        request, wire.UNAVAILABLE, elements, wire.STORE_FULL, now, max_age=20
    )
    setup.start()
    setup.world.advance(100000)
    assert setup.changes and not setup.registration.registered
    for pause in setup.since(0):
        assert pause >= 20000


def test_silence_is_not_refusal():
    setup = Setup()
    endpoint = setup.world.leave("server")
    setup.start()
    setup.world.advance(200000)
    assert setup.changes and set(setup.changes) == {(False, None)}
    setup.world.join("server", endpoint)
    setup.world.advance(100000)
    assert setup.changes[-1] == (True, None)


def test_renewed_once_however_often_it_is_asked():
    setup = Setup()
    setup.start()
    for _ in range(5):
        setup.registration.renew(setup.world.now)
    setup.world.settle()
    assert len(setup.requests) == 2
    assert setup.changes == [(True, None), (False, None), (True, None)]


def test_confirmed_without_a_change():
    setup = Setup()
    setup.start()
    setup.server.registered.clear()
    for _ in range(5):
        setup.registration.confirm(setup.world.now)
    setup.world.settle()
    assert setup.server.registered == {UE: "ue"}
    assert len(setup.requests) == 2 and setup.changes == [(True, None)]


def test_neither_renewed_nor_confirmed_when_not_wanted():
    setup = Setup()
    setup.registration.renew(0)
    setup.registration.confirm(0)
    setup.world.advance(100000)
    assert setup.requests == []


def test_ends():
    setup = Setup(refresh=100)
    setup.start()
    assert setup.stop() and not setup.registration.registered
    assert setup.server.registered == {}
    count = len(setup.requests)
    setup.world.advance(1000000)
    assert len(setup.requests) == count


def test_ends_though_nobody_answers():
    setup = Setup()
    setup.start()
    setup.world.leave("server")
    ended = setup.stop()
    assert ended == []
    setup.world.advance(100000)
    assert len(ended) == 1


def test_ends_while_it_begins():
    setup = Setup()
    endpoint = setup.world.leave("server")
    setup.start()
    assert len(setup.stop()) == 1
    setup.world.join("server", endpoint)
    setup.world.advance(1000000)
    assert setup.server.registered == {} and not setup.registration.registered


def test_a_full_queue_is_tried_again():
    setup = Setup()
    endpoint = setup.world.leave("server")
    coap = setup.registration._coap
    for _ in range(9):
        coap.request("server", 1, [], b"", lambda response, now: None, 0)
    setup.start()
    setup.world.join("server", endpoint)
    setup.world.advance(200000)
    assert setup.registration.registered


def interim(seconds):
    return {
        wire.MESSAGE_TYPE: wire.REG,
        wire.UE_SERVICE_ID: UE,
        wire.EXPECTED_REGISTRATION_TIME: rfc3339.format(seconds),
    }


def test_an_interim_answer_is_not_yet_a_registration():
    setup = Setup()
    setup.server.interim.append(interim(setup.world.wall + 60))
    setup.start()
    assert not setup.registration.registered and setup.changes == []
    setup.registration.take_result(messages.registration_result(wire.REG, UE), setup.world.now)
    assert setup.registration.registered and setup.changes == [(True, None)]


def test_a_late_result_is_asked_for():
    setup = Setup()
    setup.registration._wall_clock = setup.world.wall_clock
    setup.server.interim.append(interim(setup.world.wall + 60))
    setup.start()
    setup.world.advance(69000)
    assert len(setup.requests) == 1
    setup.world.advance(2000)
    assert len(setup.requests) == 2 and setup.registration.registered


def test_without_a_clock_it_is_asked_for_soon():
    setup = Setup()
    setup.server.interim.append(interim(setup.world.wall + 60))
    setup.start()
    setup.world.advance(11000)
    assert setup.registration.registered


def test_a_result_that_refuses_ends_a_first_attempt():
    setup = Setup()
    setup.server.interim.append(interim(setup.world.wall + 60))
    setup.start()
    refused = messages.registration_result(wire.REG, UE, wire.NOT_AUTHORIZED)
    setup.registration.take_result(refused, setup.world.now)
    assert setup.changes == [(False, wire.NOT_AUTHORIZED)]
    setup.world.advance(100000)
    assert len(setup.requests) == 1


def test_moves_to_another_peer():
    setup = Setup()
    setup.start()
    second = FakeServer(setup.world, "second")
    setup.registration.move("second", setup.world.now)
    setup.world.settle()
    assert setup.registration.registered and second.registered == {UE: "ue"}
    assert setup.changes == [(True, None), (False, None), (True, None)]


def test_moves_while_an_attempt_is_under_way():
    setup = Setup()
    endpoint = setup.world.leave("server")
    second = FakeServer(setup.world, "second")
    setup.start()
    setup.registration.move("second", setup.world.now)
    setup.world.settle()
    assert setup.registration.registered and second.registered == {UE: "ue"}
    assert endpoint and setup.changes == [(True, None)]
