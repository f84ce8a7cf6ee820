# A full store: the oldest of the lowest priority makes room for what goes up, and its sender is told.

from gateway_world import AS, OTHER, UE, Setup, to_client
from msgin5g import messages, wire
from server import FakeServer


def full(most=10, **options):
    # A gateway whose server is away, and a client of it that notes what it is told.
    setup = Setup(**options)
    setup.world.advance(1000)
    ue = FakeServer(setup.world, "ue-1")
    ue.post("gateway", messages.registration(UE))
    setup.world.advance(1000)
    ue.told = []

    def on_told(request, elements, now):
        ue.told.append(
            (elements[wire.MESSAGE_ID], elements[wire.DELIVERY_STATUS], elements[wire.FAILURE_CAUSE])
        )
        ue.resource.answer(request, wire.ACCEPTED, now)

    ue.resource._handlers[wire.MSGRESP] = on_told
    setup.store._most_items = most
    setup.away = setup.world.leave("server")
    return setup, ue


def send(setup, ue, name, priority=None, octets=1):
    elements = messages.message((wire.UE, UE), (wire.AS, AS), name, True, False)
    messages.set_payload(elements, "x" * octets)
    if priority:
        elements[wire.PRIORITY_TYPE] = priority
    answer = ue.post("gateway", elements)
    setup.world.advance(100)
    return answer[0].code


def back(setup):
    setup.world.advance(150000)
    setup.world.join("server", setup.away)
    setup.world.advance(150000)
    return [message[wire.MESSAGE_ID] for message in setup.received()]


def failed(*names):
    return [(name, wire.DELIVERY_FAILED, wire.STORE_FULL) for name in names]


async def test_the_oldest_makes_room_and_its_sender_is_told():
    setup, ue = full()
    for number in range(15):
        assert send(setup, ue, "m-%d" % number) == wire.ACCEPTED
        # The first is under way until the gateway knows that the server does not answer.
        setup.world.advance(10000)
    # What tells of one that was dropped is not stored: there is no room for it.
    assert ue.told == failed(*["m-%d" % number for number in range(5)])
    kept = back(setup)
    assert sorted(kept + [name for name, _, _ in ue.told]) == sorted(
        ["m-%d" % number for number in range(15)]
    )
    assert len(kept) == 10 and setup.gateway.counters["dropped"] == 5
    assert setup.gateway.counters["store_full"] == 0 and setup.gateway.counters["dropped_untold"] == 0


async def test_the_lowest_priority_goes_first_and_none_for_a_lower_one():
    setup, ue = full(most=6)
    for name, priority in (
        ("h", wire.HIGH),
        ("m-1", None),
        ("l-1", wire.LOW),
        ("m-2", None),
        ("l-2", wire.LOW),
    ):
        assert send(setup, ue, name, priority) == wire.ACCEPTED
    setup.world.advance(150000)
    assert send(setup, ue, "h-2", wire.HIGH) == wire.ACCEPTED
    # Full from here on.
    assert send(setup, ue, "h-3", wire.HIGH) == wire.ACCEPTED and ue.told == failed("l-1")
    assert send(setup, ue, "m-3") == wire.ACCEPTED and ue.told == failed("l-1", "l-2")
    assert send(setup, ue, "l-3", wire.LOW) == wire.UNAVAILABLE
    assert send(setup, ue, "m-4") == wire.ACCEPTED and ue.told == failed("l-1", "l-2", "m-1")
    for number in range(4, 7):
        assert send(setup, ue, "h-%d" % number, wire.HIGH) == wire.ACCEPTED
    assert send(setup, ue, "m-5") == wire.UNAVAILABLE
    assert back(setup) == ["h", "h-2", "h-3", "h-4", "h-5", "h-6"]


async def test_what_is_for_clients_is_not_dropped_and_drops_nothing():
    setup, ue = full(most=3)
    setup.world.join("server", setup.away)
    other = FakeServer(setup.world, "ue-2")
    other.post("gateway", messages.registration(OTHER))
    setup.world.advance(1000)
    setup.world.leave("ue-2")
    for number in range(3):
        answer = setup.server.post("gateway-up", to_client("x", "d-%d" % number, OTHER))
        setup.world.advance(100)
        assert answer[0].code == wire.ACCEPTED
    setup.world.leave("server")
    assert send(setup, ue, "m-1") == wire.UNAVAILABLE
    assert setup.gateway.counters["dropped"] == 0 and setup.gateway.counters["store_full"] == 1
    setup.store._most_items = 4
    assert send(setup, ue, "m-2") == wire.ACCEPTED
    setup.world.join("server", setup.away)
    answer = setup.server.post("gateway-up", to_client("x", "d-3", OTHER))
    setup.world.settle()
    assert answer[0].code == wire.UNAVAILABLE and setup.gateway.counters["dropped"] == 0


async def test_a_gateway_may_be_told_to_refuse():
    setup, ue = full(drops=False)
    codes = [send(setup, ue, "m-%d" % number) for number in range(12)]
    assert codes == [wire.ACCEPTED] * 10 + [wire.UNAVAILABLE] * 2 and ue.told == []
    assert back(setup) == ["m-%d" % number for number in range(10)]


async def test_a_large_one_needs_the_room_of_several():
    setup, ue = full(most=100)

    def lacks(octets):
        return sum(len(item.body) for item in setup.store._items) + octets - 4000

    put = setup.store.put

    def bounded(hop, originator, kind, message_id, segment, body, *more):
        if lacks(len(body)) > 0 and not setup.store.knows(hop, originator, kind, message_id, segment):
            from msgin5g.store import Full

            raise Full
        return put(hop, originator, kind, message_id, segment, body, *more)

    setup.store.put, setup.store.lacks = bounded, lacks
    for number in range(4):
        assert send(setup, ue, "m-%d" % number, octets=700) == wire.ACCEPTED
    setup.world.advance(150000)
    assert send(setup, ue, "large", octets=1600) == wire.ACCEPTED
    assert [name for name, _, _ in ue.told] == ["m-0", "m-1"]
    assert send(setup, ue, "low", wire.LOW, octets=1600) == wire.UNAVAILABLE
    assert send(setup, ue, "larger", octets=4100) == wire.UNAVAILABLE
    assert back(setup) == ["m-2", "m-3", "large"]


async def test_one_that_has_used_its_share_takes_nothing_from_others():
    setup, ue = full(most=100, most_messages_per_ue=3)
    codes = [send(setup, ue, "m-%d" % number) for number in range(5)]
    assert codes == [wire.ACCEPTED] * 3 + [wire.UNAVAILABLE] * 2
    assert setup.gateway.counters["dropped"] == 0 and setup.gateway.counters["over_share"] == 2


async def test_who_is_not_there_is_not_told_and_that_is_counted():
    setup, ue = full(most=4)
    for number in range(4):
        send(setup, ue, "m-%d" % number)
    setup.world.advance(150000)
    ue.post("gateway", messages.deregistration(UE))
    setup.world.advance(1000)
    assert setup.gateway.registry.get(UE) is None
    # Leaving is told to the server in its turn, and takes the place of a message.
    counters = setup.gateway.counters
    assert counters["dropped"] == 1 and counters["dropped_untold"] + len(ue.told) == 1
    assert back(setup) == ["m-1", "m-2", "m-3"] and UE not in setup.server.registered
