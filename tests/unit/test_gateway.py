# The Gateway UE between a client and a server that accepts everything: registration, relaying, outages, restarts.

from gateway_world import AS, GATEWAY, OTHER, UE, Setup, to_client
from msgin5g import messages, wire
from msgin5g.application import EXPIRED, FAILED, RegistrationRefused
from msgin5g.delivery import MIDDLE
from msgin5g.store import INBOX
from server import FakeServer


async def test_registers_itself_and_the_clients_behind_it():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    assert setup.server.registered == {GATEWAY: "gateway-up", UE: "gateway-up"}
    await setup.run(client.deregister())
    setup.world.advance(1000)
    assert setup.server.registered == {GATEWAY: "gateway-up"}
    assert len(setup.gateway.registry) == 0


async def test_a_registration_the_server_refuses_is_refused():
    setup = Setup()
    setup.world.advance(1000)
    setup.server.refuse = wire.NOT_AUTHORIZED
    try:
        await setup.run(setup.client().register())
        raise AssertionError("registered")
    except RegistrationRefused as refused:
        assert refused.args[0] == wire.NOT_AUTHORIZED
    assert len(setup.gateway.registry) == 0


async def test_relays_up_and_the_report_down():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    sent = await client.send("23.5 C", application_server=AS)
    await setup.run(sent.accepted())
    setup.world.advance(100)
    message = setup.received()[0]
    assert messages.payload(message) == "23.5 C"
    setup.server.post("gateway-up", messages.report_on(message))
    assert await setup.run(sent.delivered())
    setup.world.advance(1000)
    assert len(setup.store) == 0


async def test_reports_on_messages_of_two_senders_with_the_same_message_id_are_two_reports():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    for sender in ("as-1@example.org", "as-2@example.org"):
        message = to_client("on")
        message[wire.ORIGINATING_AS] = sender
        setup.server.post("gateway-up", message)
        assert (await setup.run(client.receive())).originator == sender
    setup.world.advance(5000)
    senders = [messages.recipient(report)[1] for report in setup.received(wire.IMDN)]
    assert senders == ["as-1@example.org", "as-2@example.org"]


async def test_relays_down_and_the_report_up():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    answer = setup.server.post("gateway-up", to_client("on"))
    message = await setup.run(client.receive())
    assert message.payload == "on" and answer[0].code == wire.ACCEPTED
    setup.world.advance(1000)
    report = setup.received(wire.IMDN)[0]
    assert report[wire.MESSAGE_ID] == "d-1"
    assert report[wire.DELIVERY_STATUS] == wire.REPORT_SUCCESS


async def test_accepts_while_the_server_is_away_and_sends_when_it_is_back():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    endpoint = setup.world.leave("server")
    for number in range(5):
        sent = await client.send(str(number), application_server=AS, report=False)
        assert await setup.run(sent.accepted())
    setup.world.advance(3 * 60 * 1000)
    assert setup.received() == []
    setup.world.join("server", endpoint)
    setup.world.advance(3 * 60 * 1000)
    assert [messages.payload(m) for m in setup.received()] == ["0", "1", "2", "3", "4"]


async def test_a_restart_loses_nothing_and_doubles_nothing():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    endpoint = setup.world.leave("server")
    sent = await client.send("x", application_server=AS, report=False)
    await setup.run(sent.accepted())
    setup.kill_gateway()
    setup.server.post("gateway-up", to_client("lost for now"))
    setup.world.join("server", endpoint)
    setup.start_gateway()
    setup.world.advance(60000)
    assert [messages.payload(m) for m in setup.received()] == ["x"]
    # The client is still registered, without having noticed.
    assert UE in setup.server.registered
    answer = setup.server.post("gateway-up", to_client("after", "d-2"))
    first = await setup.run(client.receive())
    second = await setup.run(client.receive())
    assert answer[0].code == wire.ACCEPTED
    assert sorted([first.payload, second.payload]) == ["after", "lost for now"]


async def test_holds_messages_for_a_client_that_is_silent():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    answer = setup.server.post("gateway-up", to_client("held"))
    setup.world.advance(200000)
    assert answer[0].code == wire.ACCEPTED
    again = setup.client(address="ue-1-elsewhere")
    await setup.run(again.register())
    message = await setup.run(again.receive())
    assert message.payload == "held"


async def test_a_client_comes_back_while_the_server_is_away():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    endpoint = setup.world.leave("server")
    again = setup.client(address="elsewhere")
    await setup.run(again.register())
    sent = await again.send("x", application_server=AS, report=False)
    assert await setup.run(sent.accepted())
    setup.world.join("server", endpoint)
    setup.world.advance(200000)
    assert len(setup.received()) == 1


async def test_a_new_client_is_asked_to_wait_while_the_server_is_away():
    setup = Setup()
    setup.world.advance(1000)
    endpoint = setup.world.leave("server")
    client = setup.client()

    def come_back(datagram, source, destination):
        if setup.world.now > 120000 and "server" not in setup.world.endpoints:
            setup.world.join("server", endpoint)
        return False

    setup.world.drop = come_back
    await setup.run(client.register())
    assert setup.server.registered[UE] == "gateway-up"
    assert setup.gateway.counters["registrations_refused"] >= 1


async def test_a_ue_service_id_belongs_to_whoever_answers_for_it():
    setup = Setup()
    holder = setup.client()
    await setup.run(holder.register())
    thief = setup.client(address="thief")
    try:
        await setup.run(thief.register())
        raise AssertionError("registered")
    except RegistrationRefused as refused:
        assert refused.args[0] == wire.UE_SERVICE_ID_NOT_OWNED
    assert setup.gateway.registry.get(UE).address == "ue-1"
    assert setup.gateway.registry.claims_refused == 1


async def test_a_message_from_an_address_that_is_not_the_originators_is_refused():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    stranger = FakeServer(setup.world, "stranger")
    elements = messages.message((wire.UE, UE), (wire.AS, AS), "m-1")
    answer = stranger.post("gateway", elements)
    setup.world.settle()
    assert answer[0].code == wire.REFUSED
    elements = messages.message((wire.UE, OTHER), (wire.AS, AS), "m-1")
    answer = stranger.post("gateway", elements)
    setup.world.settle()
    assert answer[0].code == wire.REFUSED
    assert setup.gateway.counters["not_registered"] == 2


async def test_only_the_server_sends_down():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    stranger = FakeServer(setup.world, "stranger")
    answer = stranger.post("gateway-up", to_client("x"))
    setup.world.settle()
    assert answer[0].code == wire.REFUSED
    assert setup.gateway.counters["not_from_server"] == 1


async def test_a_message_for_a_ue_that_is_not_here_is_refused():
    setup = Setup()
    setup.world.advance(1000)
    answer = setup.server.post("gateway-up", to_client("x"))
    setup.world.settle()
    assert answer[0].code == wire.NO_SUCH_RECIPIENT


async def test_duplicates_are_relayed_once():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    for _ in range(3):
        setup.server.post("gateway-up", to_client("x"))
        setup.world.advance(1000)
    await setup.run(client.receive())
    setup.world.advance(1000)
    assert client.store.pending(INBOX, -1, 1) == [] and client.counters["duplicates"] == 0
    assert setup.gateway.counters["duplicates"] == 2


async def test_what_the_server_refuses_is_told_to_the_client():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    told = messages.response((wire.UE, UE), "m", wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    setup.server.answers.append((wire.NO_SUCH_RECIPIENT, told))
    sent = await client.send("x", ue="nobody@example.org")
    assert not await setup.run(sent.delivered())
    assert (sent.state, sent.cause) == (FAILED, wire.UNKNOWN_RECIPIENT)


async def test_what_expires_on_the_way_up_is_told_to_the_client():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    setup.world.leave("server")
    elements = messages.message((wire.UE, UE), (wire.AS, AS), "m-1", report=True)
    messages.set_expiration(elements, setup.world.wall_clock() + 30)
    sent = client.outbox.put(elements, None, MIDDLE, setup.world.now)
    assert not await setup.run(sent.delivered())
    assert sent.state == EXPIRED
    assert setup.gateway.counters["expired"] == 1


async def test_what_expires_on_the_way_down_is_reported():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    setup.server.post("gateway-up", to_client("x", expires=setup.world.wall_clock() + 30))
    setup.world.advance(200000)
    report = setup.received(wire.IMDN)[0]
    assert report[wire.DELIVERY_STATUS] == wire.REPORT_FAILED
    assert report[wire.FAILURE_CAUSE] == wire.EXPIRED
    assert len(setup.store) == 0


async def test_registers_again_at_a_server_that_has_forgotten_everything():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    setup.server.registered.clear()
    sent = await client.send("x", application_server=AS, report=False)
    await setup.run(sent.accepted())
    setup.world.advance(60000)
    assert len(setup.received()) == 1
    assert set(setup.server.registered) >= {UE}


async def test_a_full_store_asks_the_client_to_wait():
    setup = Setup(drops=False)
    client = setup.client()
    await setup.run(client.register())
    endpoint = setup.world.leave("server")
    setup.store._most_items = 3
    sent = []
    for number in range(5):
        sent.append(await client.send(str(number), application_server=AS, report=False))
    setup.world.advance(30000)
    assert [s.state for s in sent] == ["accepted"] * 3 + ["sent", "stored"]
    assert setup.gateway.counters["store_full"] >= 1
    setup.world.join("server", endpoint)
    setup.world.advance(400000)
    assert [messages.payload(m) for m in setup.received()] == ["0", "1", "2", "3", "4"]


# -- message responses


async def test_a_failure_after_stored_for_later_reaches_the_client():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    stored = messages.response((wire.UE, UE), "m", wire.DELIVERY_STORED)
    setup.server.answers.append((wire.ACCEPTED, stored))
    sent = await client.send("x", ue="sleeper@example.org")
    assert await setup.run(sent.accepted())
    setup.world.advance(1000)
    failed = messages.response((wire.UE, UE), sent.message_id, wire.DELIVERY_FAILED, wire.EXPIRED)
    for _ in range(2):
        assert setup.server.post("gateway-up", failed) is not None
        setup.world.advance(1000)
    assert not await setup.run(sent.delivered())
    assert (sent.state, sent.cause) == (EXPIRED, wire.EXPIRED)
    # Told twice, relayed once.
    assert setup.gateway.counters["duplicates"] == 1


# -- a server that has forgotten


def forget(setup, *keep):
    setup.server.registered = dict.fromkeys(keep, "gateway-up")


async def test_registers_itself_again_at_a_server_that_has_forgotten_everything():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    forget(setup)
    await client.send("x", application_server=AS, report=False)
    setup.world.advance(1000)
    assert setup.server.registered == {GATEWAY: "gateway-up", UE: "gateway-up"}
    assert setup.gateway.registration.registered and len(setup.received()) == 1


async def test_one_client_that_the_server_has_forgotten_does_not_hold_up_the_others():
    setup = Setup()
    client, other = setup.client(), setup.client(OTHER, "ue-2")
    await setup.run(client.register())
    await setup.run(other.register())
    forget(setup, GATEWAY, OTHER)
    setup.server.resource._handlers[wire.REG] = lambda request, elements, now: (
        setup.server.resource.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)
        if elements[wire.UE_SERVICE_ID] == UE
        else setup.server._on_reg(request, elements, now)
    )
    sent = await client.send("x", application_server=AS)
    setup.world.advance(10)
    began = setup.world.now
    for number in range(20):
        await setup.run((await other.send(str(number), application_server=AS, report=False)).accepted())
    setup.world.settle()
    assert len(setup.received()) == 20 and setup.world.now - began < 1000
    # The one who is refused is told, message by message.
    assert not await setup.run(sent.delivered())
    assert (sent.state, sent.cause) == (FAILED, wire.NOT_AUTHORIZED)


async def test_a_server_that_forgets_at_once_is_not_asked_without_a_pause():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())

    def register_and_forget(request, elements, now):
        setup.server._on_reg(request, elements, now)
        setup.server.registered.pop(UE, None)

    setup.server.resource._handlers[wire.REG] = register_and_forget
    setup.server.registered.pop(UE)
    await client.send("x", application_server=AS, report=False)
    datagrams = setup.world.datagrams
    setup.world.advance(60000)
    assert setup.world.datagrams - datagrams < 100
    setup.server.resource._handlers[wire.REG] = setup.server._on_reg
    setup.world.advance(120000)
    assert len(setup.received()) == 1


async def test_registered_again_though_its_deregistration_comes_after():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    lost = []

    def lose_one_deregistration(datagram, source, destination):
        if destination == "server" and b"DEREG" in datagram and not lost:
            lost.append(1)
            return True
        return False

    setup.world.drop = lose_one_deregistration
    await setup.run(client.deregister())
    await setup.run(client.register())
    assert lost
    setup.world.advance(10000)
    assert UE in setup.server.registered and setup.gateway.registry.get(UE)


# -- clients that move, and addresses that change hands


async def test_a_message_under_way_follows_a_client_that_moves():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    setup.server.post("gateway-up", to_client("x"))
    setup.world.advance(1000)
    began = setup.world.now
    again = setup.client(address="elsewhere")
    await setup.run(again.register())
    message = await setup.run(again.receive())
    assert message.payload == "x" and setup.world.now - began < 10000


async def test_what_is_said_where_a_client_was_means_nothing():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    endpoint = setup.world.leave("ue-1")
    setup.server.post("gateway-up", to_client("x"))
    setup.world.advance(500)
    again = setup.client(address="elsewhere")
    await setup.run(again.register(), most=10000)
    # Now somebody who knows nothing of MSGin5G answers what was sent to the old address.
    stranger = FakeServer(setup.world, "ue-1")
    stranger.resource._handlers.clear()
    message = await setup.run(again.receive())
    setup.world.advance(120000)
    assert message.payload == "x" and endpoint
    assert setup.gateway.counters["refused_by_client"] == 0
    assert [m[wire.DELIVERY_STATUS] for m in setup.received(wire.IMDN)] == [wire.REPORT_SUCCESS]


async def test_of_two_who_register_the_same_new_client_each_is_answered():
    setup = Setup()
    setup.world.advance(1000)
    endpoint = setup.world.leave("server")
    body = messages.registration(UE)
    first = FakeServer(setup.world, "first").post("gateway", body)
    setup.world.settle()
    second = FakeServer(setup.world, "second").post("gateway", body)
    setup.world.settle()
    assert first[0].code == wire.UNAVAILABLE and second == []
    setup.world.join("server", endpoint)
    setup.world.advance(20000)
    assert second[0].code == wire.REGISTERED
    assert setup.gateway.registry.get(UE).address == "second" and setup.gateway._registering == {}


async def test_before_the_gateway_is_registered_clients_are_asked_to_wait():
    setup = Setup()
    answer = FakeServer(setup.world, "ue-1").post("gateway", messages.registration(UE))
    setup.world.settle()
    assert answer[0].code == wire.UNAVAILABLE and answer[0].max_age == 5
    assert UE not in setup.server.registered


async def test_what_is_said_about_segments_passes_both_ways():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    ue = FakeServer(setup.world, "ue-1")
    setup.server.resource._handlers[wire.SEGREC] = setup.server._on_message
    missing = {
        wire.MESSAGE_TYPE: wire.SEGREC,
        wire.ORIGINATING_UE: UE,
        wire.RECIPIENT_UE: OTHER,
        wire.SEGMENTATION_SET_ID: "m-1",
        wire.MISSING_SEGMENT_NUMBERS: [2],
    }
    # Without a Message ID, which it need not have, each is one of its own.
    for _ in range(2):
        ue.post("gateway", missing)
        setup.world.advance(1000)
    assert setup.received(wire.SEGREC) == [missing, missing]
    confirmed = {
        wire.MESSAGE_TYPE: wire.SEGCONFIR,
        wire.ORIGINATING_UE: OTHER,
        wire.RECIPIENT_UE: UE,
        wire.SEGMENTATION_SET_ID: "m-2",
    }
    setup.world.leave("ue-1")
    answer = setup.server.post("gateway-up", confirmed)
    setup.world.settle()
    (item,) = setup.store.pending(UE, -1, 9)
    assert answer[0].code == wire.ACCEPTED and messages.decode(item.body) == confirmed


# -- what is refused


async def test_an_originator_that_is_no_ue_is_refused():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    ue = FakeServer(setup.world, "ue-1")
    answer = ue.post("gateway", messages.message((wire.AS, UE), (wire.UE, OTHER), "m-1"))
    setup.world.settle()
    assert answer[0].code == wire.REFUSED and setup.received() == []


async def test_a_message_for_an_as_of_a_clients_name_is_refused():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    answer = setup.server.post("gateway-up", messages.message((wire.AS, AS), (wire.AS, UE), "m-1"))
    setup.world.settle()
    assert answer[0].code == wire.NO_SUCH_RECIPIENT and client.store.pending(INBOX, -1, 1) == []


async def test_nobody_is_the_gateway_but_itself():
    setup = Setup()
    setup.world.advance(1000)
    answer = FakeServer(setup.world, "ue-1").post("gateway", messages.registration(GATEWAY))
    setup.world.settle()
    assert answer[0].code == wire.REFUSED
    assert setup.server.registered == {GATEWAY: "gateway-up"}


async def test_a_registration_of_any_length_is_not_kept():
    setup = Setup()
    setup.world.advance(1000)
    body = messages.registration(UE, {wire.UE_IDENTIFIER: "x" * 5000})
    answer = FakeServer(setup.world, "ue-1").post("gateway", body)
    setup.world.advance(1000)
    assert answer[0].code == wire.TOO_LARGE and len(setup.gateway.registry) == 0


async def test_no_message_is_held_for_ever():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    wall = setup.world.wall_clock()
    setup.server.post("gateway-up", to_client("x", expires=wall + 10**9))
    setup.world.settle()
    assert setup.store.pending(UE, -1, 1)[0].expires == wall + wire.LONGEST_EXPIRATION
