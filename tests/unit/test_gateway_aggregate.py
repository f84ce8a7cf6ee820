# Aggregation towards the server (8.4): what waits is sent as one, each message stays one of its own.

from gateway_world import AS, OTHER, UE, Setup
from msgin5g import messages, wire
from server import FakeServer

ANOTHER_AS = "as-2@example.org"


def ue_at(setup, name=UE, address="ue-1"):
    setup.world.advance(1000)
    ue = FakeServer(setup.world, address)
    ue.post("gateway", messages.registration(name))
    setup.world.advance(1000)
    ue.registered[AS] = "gateway"
    return ue


def up(number, to=(wire.AS, AS), ue=UE, report=True, octets=4, priority=None):
    elements = messages.message((wire.UE, ue), to, "m-%d" % number, True, report)
    messages.set_payload(elements, ("%d-" % number) + "x" * octets)
    if priority:
        elements[wire.PRIORITY_TYPE] = priority
    return elements


def while_the_server_is_away(setup, ue, several):
    # Accepted by the gateway, and sent when it is back: the first is under way by then.
    endpoint = setup.world.leave("server")
    for elements in several:
        answer = ue.post("gateway", elements)
        setup.world.advance(100)
        assert answer[0].code == wire.ACCEPTED
    setup.world.advance(150000)
    del setup.server.carried[:]
    setup.world.join("server", endpoint)
    setup.world.advance(150000)


def numbers(setup):
    return [int(message[wire.MESSAGE_ID][2:]) for message in setup.received()]


async def test_what_waits_travels_as_one():
    setup = Setup()
    ue = ue_at(setup)
    while_the_server_is_away(setup, ue, [up(number) for number in range(12)])
    assert numbers(setup) == list(range(12))
    assert max(setup.server.carried) > 3 and len(setup.server.carried) < 6
    counters = setup.gateway.counters
    assert counters["aggregated_up"] >= 10 and counters["aggregates_up"] < 5
    assert len(setup.store) == 0


async def test_nothing_waits_for_company():
    setup = Setup()
    ue = ue_at(setup)
    for number in range(5):
        ue.post("gateway", up(number))
        setup.world.settle()
        assert numbers(setup) == list(range(number + 1))
    assert setup.server.carried == [1] * 5


async def test_a_gateway_may_linger():
    setup = Setup(aggregate_linger=1000)
    ue = ue_at(setup)
    for number in range(3):
        ue.post("gateway", up(number))
        setup.world.advance(100)
    assert numbers(setup) == []
    setup.world.advance(1000)
    assert setup.server.carried == [3] and numbers(setup) == [0, 1, 2]
    ue.post("gateway", up(3))
    ue.post("gateway", up(4, priority=wire.HIGH))
    setup.world.advance(100)
    assert numbers(setup) == [0, 1, 2, 4]


async def test_many_linger_at_once():
    setup = Setup(aggregate_linger=1000)
    setup.store._most_items = 1000
    ues = [ue_at(setup, "ue-%d@x" % number, "at-%d" % number) for number in range(40)]
    for number, ue in enumerate(ues):
        ue.post("gateway", up(number, ue="ue-%d@x" % number))
        setup.world.advance(40)
    setup.world.advance(2000)
    assert sorted(numbers(setup)) == list(range(40))


async def test_a_gateway_may_be_told_not_to():
    setup = Setup(aggregate_linger=None)
    ue = ue_at(setup)
    while_the_server_is_away(setup, ue, [up(number) for number in range(6)])
    assert setup.server.carried == [1] * 6 and numbers(setup) == list(range(6))


async def test_only_what_is_small_and_for_one_target_travels_together():
    setup = Setup()
    ue = ue_at(setup)
    several = [
        up(0),
        up(1),
        up(2),
        up(3, to=(wire.AS, ANOTHER_AS)),
        up(4, to=(wire.GROUP, "group@x")),
        up(5, to=(wire.GROUP, "group@x")),
        up(6, octets=600),
        up(7),
        up(8),
        up(9, priority=wire.HIGH),
    ]
    while_the_server_is_away(setup, ue, several)
    # The urgent one overtakes the others, and the first has been under way when it came.
    assert numbers(setup) == [9, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert setup.server.carried == [1, 1, 2, 1, 2, 1, 2] or setup.server.carried == [1, 3, 1, 2, 1, 2]


async def test_one_is_never_longer_than_a_block():
    setup = Setup()
    longest = []
    taken = setup.server.resource._handlers[wire.MSG]

    def on_message(request, elements, now):
        longest.append(len(request.payload))
        taken(request, elements, now)

    setup.server.resource._handlers[wire.MSG] = on_message
    ue = ue_at(setup)
    while_the_server_is_away(setup, ue, [up(number, octets=number * 7) for number in range(40)])
    assert numbers(setup) == list(range(40))
    assert max(setup.server.carried) > 2 and 600 < max(longest) <= 1024


async def test_reports_travel_together():
    setup = Setup()
    ue = ue_at(setup)
    reports = []
    for number in range(6):
        message = messages.message((wire.AS, AS), (wire.UE, UE), "d-%d" % number, True, True)
        reports.append(messages.report_on(message))
    while_the_server_is_away(setup, ue, reports)
    told = setup.received(wire.IMDN)
    assert [report[wire.MESSAGE_ID] for report in told] == ["d-%d" % number for number in range(6)]
    assert all(report[wire.DELIVERY_STATUS] == wire.REPORT_SUCCESS for report in told)
    assert len(setup.server.carried) < 4


async def test_what_each_asked_for_goes_with_it():
    setup = Setup()
    ue = ue_at(setup)
    several = [up(number, report=number % 2 == 0) for number in range(6)]
    for number, elements in enumerate(several):
        messages.set_expiration(elements, setup.world.wall_clock() + 5000 + number)
        elements[wire.APPLICATION_ID] = "app-%d" % (number // 2)
    while_the_server_is_away(setup, ue, several)
    assert setup.received() == several and max(setup.server.carried) > 1


async def test_what_is_said_of_all_is_told_of_each():
    setup = Setup()
    ue = ue_at(setup)
    stored = messages.response((wire.UE, UE), "?", wire.DELIVERY_STORED)
    setup.server.answers.append((wire.ACCEPTED, stored))
    setup.server.answers.append((wire.ACCEPTED, stored))
    told = []
    ue.resource._handlers[wire.MSGRESP] = lambda request, elements, now: (
        told.append((elements[wire.MESSAGE_ID], elements[wire.DELIVERY_STATUS])),
        ue.resource.answer(request, wire.ACCEPTED, now),
    )
    while_the_server_is_away(setup, ue, [up(number) for number in range(4)])
    assert sorted(told) == [("m-%d" % number, wire.DELIVERY_STORED) for number in range(4)]


def refuse_aggregates(setup, code, status=None):
    taken = setup.server.resource._handlers[wire.MSG]
    refused = []

    def on_message(request, elements, now):
        if wire.INDIVIDUAL_MESSAGES in elements:
            refused.append(len(elements[wire.INDIVIDUAL_MESSAGES]))
            setup.server.resource.answer(request, code, now)
        else:
            taken(request, elements, now)

    setup.server.resource._handlers[wire.MSG] = on_message
    return refused


async def test_a_server_that_takes_none_gets_single_messages_and_is_asked_again_later():
    for code in (wire.INVALID, wire.TOO_LARGE, 5 << 5, 5 << 5 | 1):
        setup = Setup()
        ue = ue_at(setup)
        refused = refuse_aggregates(setup, code)
        while_the_server_is_away(setup, ue, [up(number) for number in range(8)])
        assert numbers(setup) == list(range(8)), code
        assert len(refused) == 1 and setup.gateway.counters["aggregates_refused"] == 1
        assert setup.gateway.counters["refused_by_server"] == 0
        while_the_server_is_away(setup, ue, [up(number) for number in range(8, 12)])
        assert len(refused) == 1
        setup.world.advance(3600000)
        while_the_server_is_away(setup, ue, [up(number) for number in range(12, 16)])
        assert len(refused) == 2 and numbers(setup) == list(range(16))


async def test_a_refusal_of_what_is_in_it_is_told_of_the_one_that_is_meant():
    setup = Setup()
    ue = ue_at(setup)
    refused = refuse_aggregates(setup, wire.NO_SUCH_RECIPIENT)
    while_the_server_is_away(setup, ue, [up(number) for number in range(5)])
    assert numbers(setup) == list(range(5)) and len(refused) == 1
    # That says nothing about aggregates.
    while_the_server_is_away(setup, ue, [up(number) for number in range(5, 10)])
    assert len(refused) == 2 and numbers(setup) == list(range(10))


async def test_a_server_that_has_forgotten_the_client_gets_them_after_its_registration():
    setup = Setup()
    ue = ue_at(setup)
    setup.server.registered.pop(UE)
    while_the_server_is_away(setup, ue, [up(number) for number in range(6)])
    assert numbers(setup) == list(range(6)) and UE in setup.server.registered


async def test_an_answer_that_is_lost_doubles_nothing():
    # What was sent as one comes again, in one, alone or in another company: the same Message IDs.
    setup = Setup()
    ue = ue_at(setup)
    seen = []

    def drop(datagram, source, destination):
        # Acknowledgements of the server, for a while.
        return source == "server" and setup.world.now < until

    until = setup.world.now + 200000
    setup.world.drop = drop
    for number in range(10):
        ue.post("gateway", up(number))
        setup.world.advance(1000)
    setup.world.advance(400000)
    for number in numbers(setup):
        if number not in seen:
            seen.append(number)
    assert seen == list(range(10)) and len(setup.store) == 0


async def test_two_clients_travel_side_by_side():
    setup = Setup()
    one, other = ue_at(setup), ue_at(setup, OTHER, "ue-2")
    endpoint = setup.world.leave("server")
    for number in range(6):
        one.post("gateway", up(number))
        other.post("gateway", up(10 + number, ue=OTHER))
        setup.world.advance(100)
    setup.world.advance(150000)
    setup.world.join("server", endpoint)
    setup.world.advance(150000)
    for ue, first in ((UE, 0), (OTHER, 10)):
        own = [m for m in setup.received() if m[wire.ORIGINATING_UE] == ue]
        assert [int(m[wire.MESSAGE_ID][2:]) for m in own] == list(range(first, first + 6))
