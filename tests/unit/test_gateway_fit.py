# What passes a gateway in another form: aggregates, large messages, priorities; and what is amended while it waits.

import asyncio

from gateway_world import AS, GATEWAY, OTHER, UE, Setup, to_client
from msgin5g import aggregation, messages, profile, stored_message, wire
from msgin5g.application import DELIVERED, FAILED
from msgin5g.resource import told
from msgin5g.store.memory import MemoryStore
from server import FakeServer


def registered_ue(setup, **said):
    # A UE that does as it is told by a test.
    setup.world.advance(1000)
    ue = FakeServer(setup.world, "ue-1")
    ue.post("gateway", messages.registration(UE, profile.client_profile(**said)))
    setup.world.advance(1000)
    ue.registered[AS] = "gateway"
    for kind in (wire.SEGREC, wire.SEGCONFIR):
        ue.resource._handlers[kind] = ue._on_message
    return ue


def up(number):
    elements = messages.message((wire.UE, UE), (wire.AS, AS), "m-%d" % number, True, True)
    messages.set_payload(elements, "v%d" % number)
    return elements


# -- priority


async def test_a_higher_priority_overtakes_on_the_way_up():
    setup = Setup(up_window=1)
    ue = registered_ue(setup)
    endpoint = setup.world.leave("server")
    for number, priority in enumerate((None, wire.LOW, wire.MIDDLE, wire.HIGH, wire.HIGH)):
        elements = up(number)
        if priority:
            elements[wire.PRIORITY_TYPE] = priority
        ue.post("gateway", elements)
        setup.world.advance(100)
    setup.world.advance(200000)
    setup.world.join("server", endpoint)
    setup.world.advance(200000)
    assert [m[wire.MESSAGE_ID][2:] for m in setup.received()] == ["3", "4", "0", "2", "1"]


async def test_a_higher_priority_overtakes_on_the_way_down():
    setup = Setup()
    ue = registered_ue(setup)
    endpoint = setup.world.leave("ue-1")
    for number, priority in enumerate((None, wire.LOW, wire.MIDDLE, wire.HIGH)):
        elements = to_client("x", "d-%d" % number)
        elements[wire.ORIGINATING_AS] = "as-%d" % number
        if priority:
            elements[wire.PRIORITY_TYPE] = priority
        setup.server.post("gateway-up", elements)
        setup.world.advance(100)
    setup.world.join("ue-1", endpoint)
    for number in range(4):
        ue.registered["as-%d" % number] = "gateway"
    setup.world.advance(200000)
    assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-0", "d-3", "d-2", "d-1"]


# -- aggregates (8.4)


async def test_an_aggregate_from_a_client_is_stored_one_by_one():
    setup = Setup()
    ue = registered_ue(setup)
    whole = aggregation.join([up(number) for number in range(3)])
    for _ in range(2):
        answer = ue.post("gateway", whole)
        setup.world.advance(1000)
        assert answer[0].code == wire.ACCEPTED
    ue.post("gateway", up(1))
    setup.world.advance(1000)
    assert [m[wire.MESSAGE_ID] for m in setup.received()] == ["m-0", "m-1", "m-2"]
    assert [messages.payload(m) for m in setup.received()] == ["v0", "v1", "v2"]
    assert setup.gateway.counters["duplicates"] == 4


async def test_each_of_an_aggregate_has_its_own_end():
    setup = Setup()
    client = setup.client(linger=500)
    await setup.run(client.register())
    told_no = messages.response((wire.UE, UE), "?", wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    setup.server.answers.append((wire.NO_SUCH_RECIPIENT, told_no))
    first = await client.send("a", application_server=AS)
    second = await client.send("b", application_server=AS)
    assert not await setup.run(first.delivered()) and first.state == FAILED
    assert first.cause == wire.UNKNOWN_RECIPIENT
    setup.world.advance(1000)
    (message,) = setup.received()
    setup.server.post("gateway-up", messages.report_on(message))
    assert await setup.run(second.delivered()) and second.state == DELIVERED


async def test_reports_in_one_reach_each_sender():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    sent = []
    for text in "ab":
        sent.append(await client.send(text, application_server=AS))
    await setup.run(client.settled())
    setup.world.advance(1000)
    reports = aggregation.join([messages.report_on(message) for message in setup.received()])
    answer = setup.server.post("gateway-up", reports)
    for one in sent:
        assert await setup.run(one.delivered())
    assert answer[0].code == wire.ACCEPTED


async def test_what_waits_for_a_client_travels_as_one():
    setup = Setup()
    client = setup.client(store=MemoryStore(20, 100, 20))
    await setup.run(client.register())
    endpoint = setup.world.leave("ue-1")
    for number in range(5):
        setup.server.post("gateway-up", to_client("v%d" % number, "d-%d" % number, report=False))
    setup.world.advance(100)
    before = setup.world.datagrams
    setup.world.join("ue-1", endpoint)
    texts = []
    for _ in range(5):
        texts.append((await setup.run(client.receive())).payload)
    assert texts == ["v0", "v1", "v2", "v3", "v4"]
    # The first was under way already: it and the others, and their acknowledgements.
    assert setup.world.datagrams - before == 4


async def test_an_aggregate_that_is_too_large_for_a_client_is_split_not_cut():
    for size in (200, 300, 600, 2048):
        setup = Setup()
        ue = registered_ue(setup, segment_size=size)
        longest = []
        carried = []
        taken = ue._on_message

        def on_message(request, elements, now, taken=taken, longest=longest, carried=carried):
            longest.append(len(request.payload))
            carried.append(len(elements.get(wire.INDIVIDUAL_MESSAGES, "x")))
            taken(request, elements, now)

        ue.takes_apart = True
        ue.resource._handlers[wire.MSG] = on_message
        endpoint = setup.world.leave("ue-1")
        parts = [to_client("x", "d-%d" % number, report=False) for number in range(10)]
        setup.server.post("gateway-up", aggregation.join(parts))
        setup.world.advance(200000)
        setup.world.join("ue-1", endpoint)
        del carried[:]
        ue.post("gateway", up(0))
        setup.world.advance(200000)
        assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-%d" % number for number in range(10)]
        assert all(wire.SEGMENT_NUMBER not in message for message in ue.received)
        assert max(longest) <= max(size, 256)
        # The larger the segments that it supports, the fewer requests.
        assert max(carried) == {200: 1, 300: 1, 600: 3, 2048: 5}[size]


async def test_a_client_that_takes_no_aggregates_gets_each_by_itself():
    setup = Setup()
    ue = registered_ue(setup)
    taken = ue._on_message

    def on_message(request, elements, now):
        if wire.INDIVIDUAL_MESSAGES in elements:
            ue.resource.refuse(request, wire.INVALID, elements, wire.MALFORMED, now)
        else:
            taken(request, elements, now)

    ue.resource._handlers[wire.MSG] = on_message
    endpoint = setup.world.leave("ue-1")
    for number in range(4):
        setup.server.post("gateway-up", to_client("x", "d-%d" % number))
    setup.world.advance(100)
    setup.world.join("ue-1", endpoint)
    setup.world.advance(10000)
    assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-0", "d-1", "d-2", "d-3"]
    assert setup.gateway.counters["refused_by_client"] == 0


async def test_an_aggregate_that_is_too_large_for_a_client_is_no_segments():
    setup = Setup()
    ue = registered_ue(setup, segment_size=300)
    parts = [to_client("x" * 120, "d-%d" % number) for number in range(6)]
    setup.server.post("gateway-up", aggregation.join(parts))
    setup.world.advance(10000)
    assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-%d" % number for number in range(6)]
    assert not [m for m in ue.received if wire.SEGMENT_NUMBER in m]


# -- large messages (8.5)


async def test_a_large_message_goes_in_segments_that_the_client_supports():
    setup = Setup()
    client = setup.client(
        store=MemoryStore(20, 100, 40), profile=profile.client_profile(segment_size=512), segment_size=512
    )
    await setup.run(client.register())
    text = "0123456789" * 300
    answer = setup.server.post("gateway-up", to_client(text))
    message = await setup.run(client.receive())
    assert message.payload == text
    taking = asyncio.create_task(client.receive())
    await setup.run(client.settled())
    taking.cancel()
    setup.world.advance(2000)
    assert answer[0].code == wire.ACCEPTED
    assert setup.gateway._relay.clients.segmentation().counters["confirmed"] == 1
    assert setup.received(wire.SEGCONFIR) == [] and len(setup.store) == 0


async def test_what_a_client_misses_it_gets_again_from_the_gateway():
    setup = Setup()
    ue = registered_ue(setup, segment_size=512)
    setup.server.post("gateway-up", to_client("0123456789" * 300))
    setup.world.advance(1000)
    count = len(ue.received)
    assert count >= 6 and max(len(messages.payload(m)) for m in ue.received) <= 512
    told_back = {
        wire.MESSAGE_TYPE: wire.SEGREC,
        wire.ORIGINATING_UE: UE,
        wire.RECIPIENT_AS: AS,
        wire.SEGMENTATION_SET_ID: "d-1",
        wire.MISSING_SEGMENT_NUMBERS: [2, 3],
    }
    ue.post("gateway", told_back)
    setup.world.advance(1000)
    assert [m[wire.SEGMENT_NUMBER] for m in ue.received[count:]] == [2, 3]
    del told_back[wire.MISSING_SEGMENT_NUMBERS]
    told_back[wire.MESSAGE_TYPE] = wire.SEGCONFIR
    ue.post("gateway", told_back)
    setup.world.advance(1000)
    assert setup.received(wire.SEGREC) == setup.received(wire.SEGCONFIR) == [] and len(setup.store) == 0
    # What is about segments of others is not for here.
    told_back[wire.SEGMENTATION_SET_ID] = "other"
    ue.post("gateway", told_back)
    setup.world.advance(1000)
    assert len(setup.received(wire.SEGCONFIR)) == 1


# -- update and discard (8.3.6.1)


async def waiting_message(setup):
    client = setup.client()
    await setup.run(client.register())
    endpoint = setup.world.leave("server")
    first = await client.send("under way", application_server=AS, report=False)
    sent = await client.send("x", application_server=AS, report=False)
    await setup.run(sent.accepted())
    setup.world.advance(1000)
    return client, first, sent, endpoint


async def test_a_message_that_waits_here_is_discarded_here():
    setup = Setup(up_window=1)
    client, first, sent, endpoint = await waiting_message(setup)
    await setup.run(stored_message.discard(client, sent))
    assert (sent.state, sent.cause) == (FAILED, wire.DISCARDED)
    setup.world.join("server", endpoint)
    setup.world.advance(200000)
    assert [messages.payload(m) for m in setup.received()] == ["under way"]
    assert setup.gateway.counters["discarded"] == 1 and setup.received(wire.SFUPD) == []


async def test_a_message_that_waits_here_gets_another_expiration_here():
    setup = Setup(up_window=1)
    client, first, sent, endpoint = await waiting_message(setup)
    until = setup.world.wall_clock() + 1000
    await setup.run(stored_message.update(client, sent, until))
    setup.world.join("server", endpoint)
    setup.world.advance(200000)
    assert [messages.expiration(m) for m in setup.received()] == [None, until]
    assert setup.gateway.counters["updated"] == 1


async def test_another_expiration_that_passes_is_told():
    setup = Setup(up_window=1)
    client, first, sent, endpoint = await waiting_message(setup)
    await setup.run(stored_message.update(client, sent, setup.world.wall_clock() + 20))
    setup.world.advance(30000)
    setup.world.join("server", endpoint)
    setup.world.advance(200000)
    assert [messages.payload(m) for m in setup.received()] == ["under way"]
    assert setup.gateway.counters["expired"] == 1


async def test_what_is_gone_is_for_the_server_to_change():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    sent = await client.send("x", application_server=AS, report=False)
    await setup.run(sent.accepted())
    setup.world.advance(1000)
    told_no = messages.response((wire.UE, UE), "?", wire.DELIVERY_FAILED, wire.DELIVERY_UNDER_WAY)
    setup.server.answers.append((wire.REFUSED, told_no))
    try:
        await setup.run(stored_message.discard(client, sent))
        raise AssertionError("discarded")
    except stored_message.NotChanged as refused:
        assert refused.args[0] == wire.DELIVERY_UNDER_WAY
    await setup.run(stored_message.discard(client, sent))
    assert len(setup.received(wire.SFUPD)) == 1


async def test_nobody_changes_what_is_anothers():
    setup = Setup(up_window=1)
    client, first, sent, endpoint = await waiting_message(setup)
    stranger = FakeServer(setup.world, "stranger")
    for originator in (UE, OTHER):
        answer = stranger.post(
            "gateway",
            {
                wire.MESSAGE_TYPE: wire.SFUPD,
                wire.ORIGINATING_UE: originator,
                wire.MESSAGE_ID: sent.message_id,
            },
        )
        setup.world.advance(1000)
        assert answer[0].code == wire.REFUSED
    assert len(setup.store.pending("", -1, 9)) == 2 and GATEWAY in setup.server.registered


async def test_while_the_server_is_away_what_it_has_is_not_changed():
    setup = Setup(up_window=1)
    client, first, sent, endpoint = await waiting_message(setup)
    client.close()
    ue = FakeServer(setup.world, "ue-1")
    answer = ue.post(
        "gateway", {wire.MESSAGE_TYPE: wire.SFUPD, wire.ORIGINATING_UE: UE, wire.MESSAGE_ID: "gone"}
    )
    setup.world.advance(200000)
    assert answer[0].code == wire.UNAVAILABLE and answer[0].max_age == 5
    assert told(answer[0])[wire.FAILURE_CAUSE] == wire.SERVER_NOT_REACHABLE


# -- latency


async def test_what_need_not_be_stored_is_tried_as_long_as_its_latency_lasts():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    wall = setup.world.wall_clock()
    for number, latency in enumerate((None, 5000, -1, 10**15)):
        elements = to_client("x", "d-%d" % number)
        elements[wire.STORE_AND_FORWARD_FLAG] = False
        if latency is not None:
            elements[wire.LATENCY] = latency
        setup.server.post("gateway-up", elements)
        setup.world.advance(10)
    waits = [item.expires - wall for item in setup.store.pending(UE, -1, 9)]
    assert waits == [wire.REPORT_WAIT, 6, 1, wire.LONGEST_EXPIRATION + 1]
