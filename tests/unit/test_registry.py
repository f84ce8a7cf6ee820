# Who is registered and where: a UE Service ID belongs to whoever answers for it.

from msgin5g.coap.endpoint import Endpoint, Full, Parameters
from msgin5g.registry import Registered, Registry
from world import World

UE = "ue-1@example.org"


class Store:
    def __init__(self, *entries):
        self.entries = {entry.ue_service_id: entry for entry in entries}

    def registered(self):
        return list(self.entries.values())

    def save_registered(self, entry):
        self.entries[entry.ue_service_id] = entry

    def remove_registered(self, ue_service_id):
        del self.entries[ue_service_id]


class Setup:
    def __init__(self, *entries, most=3):
        self.world = World()
        self.endpoint = self.world.join("here", Endpoint(Parameters(most_waiting=2), self.world.random.bits))
        self.store = Store(*entries)
        self.registry = Registry(self.endpoint, self.store, most)
        self.decisions = []

    def live(self, address):
        self.world.join(address, Endpoint(Parameters(), self.world.random.bits))

    def claim(self, address, ue=UE):
        self.registry.claim(ue, address, lambda granted, now: self.decisions.append(granted), self.world.now)
        self.world.settle()


def test_kept_in_the_store():
    setup = Setup(Registered("old", "a"))
    registry = setup.registry
    assert registry.get("old").address == "a" and len(registry) == 1
    registry.save(Registered(UE, "b", "gateway", b"{}"))
    assert set(setup.store.entries) == {"old", UE}
    assert sorted(entry.ue_service_id for entry in registry) == sorted(["old", UE])
    registry.remove("old")
    registry.remove("old")
    registry.remove("never")
    assert set(setup.store.entries) == {UE} and registry.get("old") is None


def test_bounded():
    setup = Setup(most=2)
    setup.registry.save(Registered("1", "a"))
    assert not setup.registry.full()
    setup.registry.save(Registered("2", "a"))
    assert setup.registry.full()
    setup.registry.remove("1")
    assert not setup.registry.full()


def test_it_can_be_changed_while_it_is_walked():
    setup = Setup(Registered("1", "a"), Registered("2", "a"))
    for entry in setup.registry:
        setup.registry.remove(entry.ue_service_id)
    assert len(setup.registry) == 0


def test_free_or_ones_own_is_granted_at_once():
    setup = Setup(Registered(UE, "a"))
    setup.claim("b", "free")
    setup.claim("a")
    assert setup.decisions == [True, True]


def test_a_holder_that_answers_keeps_it():
    setup = Setup(Registered(UE, "a"))
    setup.live("a")
    setup.claim("b")
    assert setup.decisions == [False] and setup.registry.claims_refused == 1
    assert setup.registry._claims == []


def test_a_holder_that_is_silent_has_moved():
    setup = Setup(Registered(UE, "a"))
    setup.claim("b")
    assert setup.decisions == []
    setup.world.advance(3900)
    assert setup.decisions == []
    setup.world.advance(200)
    assert setup.decisions == [True] and setup.registry.claims_refused == 0
    assert setup.registry._claims == [] and setup.endpoint.occupancy()["outstanding"] == 0


def test_one_retransmission_may_be_needed():
    setup = Setup(Registered(UE, "a"))
    setup.live("a")
    lost = []

    def drop(datagram, source, destination):
        if source == "here" and not lost:
            lost.append(1)
            return True
        return False

    setup.world.drop = drop
    setup.claim("b")
    setup.world.advance(3500)
    assert setup.decisions == [False]


def test_any_answer_is_a_sign_of_life():
    # An acknowledgement where RFC 7252 wants a reset.
    setup = Setup(Registered(UE, "a"))
    setup.claim("b")
    exchange = setup.registry._claims[0]._exchange
    setup.endpoint.receive(bytes([0x60, 0, exchange.mid >> 8, exchange.mid & 255]), 4, "a", 0)
    assert setup.decisions == [False]


def test_several_claims_at_once():
    setup = Setup(Registered(UE, "a"), Registered("ue-2", "live"))
    setup.live("live")
    setup.claim("b")
    setup.claim("b", "ue-2")
    setup.claim("c", "ue-2")
    setup.world.advance(10000)
    assert setup.decisions == [False, False, True]


def test_a_holder_that_can_not_be_asked_keeps_it():
    setup = Setup(Registered(UE, "a"))
    try:
        while True:
            setup.endpoint.ping("a", None, 0)
    except Full:
        pass
    setup.claim("b")
    assert setup.decisions == [False]
