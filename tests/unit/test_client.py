# The MSGin5G Client against a server that accepts everything: registration, sending, receiving, reports, loss.

import asyncio

import msgin5g.client
from msgin5g import messages, wire
from msgin5g.application import ACCEPTED, DELIVERED, EXPIRED, FAILED, SENT, STORED, RegistrationRefused
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.store import INBOX, Full
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"


def setup(**options):
    world = World()
    server = FakeServer(world)
    client = Client(UE, "server", security=NOT_PROTECTED, link=FakeLink.at(world, "ue"), **options)
    return world, server, client


def incoming(text="hi", message_id="m-1", report=True):
    elements = messages.message((wire.AS, AS), (wire.UE, UE), message_id, True, report)
    messages.set_payload(elements, text)
    return elements


async def test_register_and_deregister():
    world, server, client = setup()
    await world.run(client.register())
    assert client.registered
    assert server.registered == {UE: "ue"}
    await world.run(client.deregister())
    assert not client.registered
    assert server.registered == {}


async def test_refused_registration_raises_with_the_cause():
    world, server, client = setup()
    server.refuse = wire.UE_SERVICE_ID_NOT_OWNED
    try:
        await world.run(client.register())
        raise AssertionError("not refused")
    except RegistrationRefused as refused:
        assert refused.args[0] == wire.UE_SERVICE_ID_NOT_OWNED


async def test_registration_waits_for_a_server_that_is_away():
    world, server, client = setup()
    endpoint = world.leave("server")

    def come_back(datagram, source, destination):
        if world.now > 150000:
            world.join("server", endpoint)
            world.drop = None
        return False

    world.drop = come_back
    await world.run(client.register())
    assert client.registered and world.now > 150000


async def test_a_message_is_accepted_then_delivered():
    world, server, client = setup()
    await world.run(client.register())
    sent = await client.send("23.5 C", application_server=AS, application="meter")
    assert sent.state == SENT
    assert await world.run(sent.accepted())
    message = server.received[0]
    assert messages.originator(message) == (wire.UE, UE)
    assert messages.recipient(message) == (wire.AS, AS)
    assert messages.payload(message) == "23.5 C"
    assert message[wire.APPLICATION_ID] == "meter"
    assert message[wire.STORE_AND_FORWARD_FLAG] is True
    assert message[wire.DELIVERY_STATUS_REQUIRED] is True
    server.post("ue", messages.report_on(message))
    assert await world.run(sent.delivered())


async def test_a_failure_report_tells_the_cause():
    world, server, client = setup()
    await world.run(client.register())
    sent = await client.send("x", ue="other@example.org")
    await world.run(sent.accepted())
    server.post("ue", messages.report_on(server.received[0], "BROKEN"))
    assert not await world.run(sent.delivered())
    assert (sent.state, sent.cause) == (FAILED, "BROKEN")


async def test_a_refused_message_fails_and_is_not_sent_again():
    world, server, client = setup()
    await world.run(client.register())
    told = messages.response((wire.UE, UE), "m", wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    server.answers.append((wire.NO_SUCH_RECIPIENT, told))
    sent = await client.send("x", ue="nobody@example.org")
    assert not await world.run(sent.accepted())
    assert (sent.state, sent.cause) == (FAILED, wire.UNKNOWN_RECIPIENT)
    world.advance(300000)
    assert server.received == []


async def test_messages_keep_their_order():
    world, server, client = setup(store=MemoryStore(16, 16))
    await world.run(client.register())
    last = None
    for number in range(10):
        last = await client.send(str(number), application_server=AS, report=False)
    await world.run(last.accepted())
    assert [messages.payload(message) for message in server.received] == [str(n) for n in range(10)]


async def test_messages_given_before_registration_go_out_after_it():
    world, server, client = setup()
    sent = await client.send("early", application_server=AS, report=False)
    await world.run(client.register())
    assert await world.run(sent.accepted())


async def test_registers_again_when_the_server_has_forgotten_it():
    world, server, client = setup()
    await world.run(client.register())
    server.registered.clear()
    sent = await client.send("x", application_server=AS, report=False)
    assert await world.run(sent.accepted())
    assert server.registered == {UE: "ue"}
    assert len(server.received) == 1


async def test_registers_again_after_loss_of_contact_and_loses_nothing():
    world, server, client = setup()
    await world.run(client.register())
    endpoint = world.leave("server")
    sent = await client.send("x", application_server=AS, report=False)
    world.advance(200000)
    assert not client.registered
    assert sent.state == SENT
    world.join("server", endpoint)
    assert await world.run(sent.accepted())
    assert len(server.received) == 1


async def test_receives_once_and_reports_when_the_application_takes_it():
    world, server, client = setup()
    await world.run(client.register())
    first = server.post("ue", incoming("on"))
    world.settle()
    second = server.post("ue", incoming("on"))
    world.settle()
    assert [r.code for r in first + second] == [wire.ACCEPTED, wire.ACCEPTED]
    assert server.received == []
    message = await world.run(client.receive())
    assert (message.payload, message.originator, message.message_id) == ("on", AS, "m-1")
    assert message.originator_type == wire.AS
    world.advance(1000)
    report = server.received[0]
    assert report[wire.MESSAGE_TYPE] == wire.IMDN
    assert report[wire.MESSAGE_ID] == "m-1"
    assert report[wire.DELIVERY_STATUS] == wire.REPORT_SUCCESS
    assert messages.recipient(report) == (wire.AS, AS)
    assert client.counters["duplicates"] == 1
    assert client.store.pending(INBOX, -1, 1) == []


async def test_octets_that_are_not_text_survive():
    world, server, client = setup()
    await world.run(client.register())
    server.post("ue", incoming(b"\xff\x00\x80"))
    message = await world.run(client.receive())
    assert message.payload == b"\xff\x00\x80"


async def test_a_full_inbox_asks_the_sender_to_wait():
    world, server, client = setup(store=MemoryStore(most_inbox=2))
    await world.run(client.register())
    answers = []
    for number in range(3):
        answers.append(server.post("ue", incoming("x", "m-%d" % number)))
        world.settle()
    assert [a[0].code for a in answers] == [wire.ACCEPTED, wire.ACCEPTED, wire.UNAVAILABLE]
    assert answers[2][0].max_age == 5
    await world.run(client.receive())
    await world.run(client.settled())
    answers.append(server.post("ue", incoming("x", "m-2")))
    world.settle()
    assert answers[3][0].code == wire.ACCEPTED


async def test_a_message_for_somebody_else_is_refused():
    world, server, client = setup()
    await world.run(client.register())
    elements = messages.message((wire.AS, AS), (wire.UE, "other@example.org"), "m")
    answer = server.post("ue", elements)
    world.settle()
    assert answer[0].code == wire.NO_SUCH_RECIPIENT


async def test_a_full_store_raises():
    world, server, client = setup(store=MemoryStore(most_items=2))
    await client.send("1", application_server=AS)
    await client.send("2", application_server=AS)
    try:
        await client.send("3", application_server=AS)
        raise AssertionError("not full")
    except Full:
        pass


async def test_a_recipient_must_be_named():
    world, server, client = setup()
    for recipients in ({}, {"ue": "a", "application_server": "b"}):
        try:
            await client.send("x", **recipients)
            raise AssertionError("accepted")
        except ValueError:
            pass


async def test_handles_are_bounded():
    world, server, client = setup(most_sent=4)
    await world.run(client.register())
    for number in range(10):
        sent = await client.send("x", application_server=AS)
        await world.run(sent.accepted())
    assert len(client.outbox._sent) == 4


async def test_a_message_for_an_application_server_is_refused():
    world, server, client = setup()
    await world.run(client.register())
    answer = server.post("ue", messages.message((wire.AS, AS), (wire.AS, AS), "m"))
    world.settle()
    assert answer[0].code == wire.NO_SUCH_RECIPIENT and client.store.pending(INBOX, -1, 1) == []


class TimeOfDay:
    # A world by whose time of day clients go.
    def __enter__(self):
        world = World()
        self._own_clock = msgin5g.client.wall_clock
        msgin5g.client.wall_clock = world.wall_clock
        return world

    def __exit__(self, *_):
        msgin5g.client.wall_clock = self._own_clock


async def test_what_expires_before_it_can_be_sent_is_told_and_makes_room():
    with TimeOfDay() as world:
        FakeServer(world)
        client = Client(
            UE, "server", security=NOT_PROTECTED, link=FakeLink.at(world, "ue"), store=MemoryStore(2, 16)
        )
        await world.run(client.register())
        world.leave("server")
        short = await client.send("short", application_server=AS, expires_in=100)
        long = await client.send("long", application_server=AS, expires_in=500)
        world.advance(150000)
        assert (short.state, short.cause) == (EXPIRED, wire.EXPIRED)
        assert long.state == STORED
        assert not await world.run(short.accepted()) and not await world.run(short.delivered())
        assert len(client.store) == 1
        world.advance(600000)
        assert long.state == EXPIRED and len(client.store) == 0
        # Nothing is left that would have to be looked at.
        assert client.outbox._expiry_due is None


async def test_what_expired_while_the_board_was_off_is_not_sent():
    with TimeOfDay() as world:
        server = FakeServer(world)
        store = MemoryStore(2, 16)
        first = Client(UE, "server", security=NOT_PROTECTED, link=FakeLink.at(world, "ue"), store=store)
        await first.send("late", application_server=AS, expires_in=10)
        world.advance(20000)
        again = Client(UE, "server", security=NOT_PROTECTED, link=FakeLink.at(world, "ue"), store=store)
        await world.run(again.register())
        world.advance(5000)
        assert server.received == [] and len(store) == 0


async def test_a_clock_that_was_ahead_for_a_moment_keeps_nothing_back():
    with TimeOfDay() as world:
        server = FakeServer(world)
        client = Client(UE, "server", security=NOT_PROTECTED, link=FakeLink.at(world, "ue"))
        sent = []
        for number in range(6):
            sent.append(await client.send(str(number), application_server=AS, expires_in=1000))
        # While the clock is ahead the client registers: it sends none of them, and tells of a few at a time that they
        # are expired. When the clock is right again, nobody has been told of the others.
        world.wall += 3400
        await world.run(client.register())
        while sent[0].state != EXPIRED:
            world.advance(100)
        assert server.received == [] and [one.state for one in sent].count(STORED) == 2
        world.wall -= 3400
        world.advance(5000)
        assert [one.state for one in sent[4:]] == [ACCEPTED] * 2 and len(server.received) == 2


async def test_a_clock_that_was_ahead_between_two_looks_keeps_nothing_back():
    with TimeOfDay() as world:
        server = FakeServer(world)
        client = Client(UE, "server", security=NOT_PROTECTED, link=FakeLink.at(world, "ue"))
        sent = await client.send("soon", application_server=AS, expires_in=1000)
        world.wall += 3400
        await world.run(client.register())
        assert server.received == [] and sent.state == STORED
        world.wall -= 3400
        world.advance(5000)
        assert sent.state == ACCEPTED and len(server.received) == 1


async def test_a_full_store_does_not_cost_a_message_that_was_received():
    world, server, client = setup(store=MemoryStore(2, 16))
    await world.run(client.register())
    endpoint = world.leave("server")
    await client.send("1", application_server=AS, report=False)
    await client.send("2", application_server=AS, report=False)
    world.join("server", endpoint)
    server.post("ue", incoming("on"))
    world.settle()
    message = await client.receive()
    assert message.payload == "on"
    world.advance(60000)
    assert [m[wire.MESSAGE_TYPE] for m in server.received] == [wire.MSG, wire.MSG, wire.IMDN]


async def test_reports_that_wait_count_as_messages_received():
    world, server, client = setup(store=MemoryStore(1, 16, most_inbox=2))
    await world.run(client.register())
    # Nothing that is confirmable gets out.
    world.drop = lambda datagram, source, destination: source == "ue" and datagram[0] >> 4 == 4
    answers = []
    for number in range(3):
        answers.append(server.post("ue", incoming("x", "m-%d" % number)))
        world.settle()
        await asyncio.wait_for(client.receive(), 1) if number < 2 else None
    assert [answer[0].code for answer in answers] == [wire.ACCEPTED, wire.ACCEPTED, wire.UNAVAILABLE]
    world.drop = None
    await world.run(client.settled())
    server.post("ue", incoming("x", "m-2"))
    await world.run(client.receive())
    await world.run(client.settled())
    reports = [m[wire.MESSAGE_ID] for m in server.received if m[wire.MESSAGE_TYPE] == wire.IMDN]
    assert reports == ["m-0", "m-1", "m-2"]


async def test_messages_of_two_senders_with_the_same_message_id_are_two_messages():
    world, server, client = setup()
    await world.run(client.register())
    for sender in ("as-1@example.org", "as-2@example.org"):
        message = incoming()
        message[wire.ORIGINATING_AS] = sender
        server.post("ue", message)
        world.settle()
        assert (await world.run(client.receive())).originator == sender
    await world.run(client.settled())
    assert [messages.recipient(report)[1] for report in server.received] == [
        "as-1@example.org",
        "as-2@example.org",
    ]


async def test_a_recipient_knows_better_than_a_hop_that_gave_up():
    world, server, client = setup()
    states = []
    client.on_state = lambda sent: states.append(sent.state)
    await world.run(client.register())
    sent = await client.send("x", application_server=AS)
    await world.run(sent.accepted())
    for cause in (wire.EXPIRED, None, wire.EXPIRED, None):
        server.post("ue", messages.report_on(server.received[0], cause))
        world.settle()
    assert states == [SENT, ACCEPTED, EXPIRED, DELIVERED] and sent.state == DELIVERED


async def test_a_report_that_comes_twice_is_told_once():
    world, server, client = setup()
    states = []
    client.on_state = lambda sent: states.append(sent.state)
    await world.run(client.register())
    sent = await client.send("x", application_server=AS)
    await world.run(sent.accepted())
    for _ in range(2):
        server.post("ue", messages.report_on(server.received[0]))
        world.settle()
    assert states == [SENT, ACCEPTED, DELIVERED]


async def test_an_acknowledgement_after_the_report_is_no_news():
    world, server, client = setup()
    states = []
    client.on_state = lambda sent: states.append(sent.state)
    await world.run(client.register())
    world.drop = lambda datagram, source, destination: source == "server" and datagram[0] >> 4 == 6
    await client.send("x", application_server=AS)
    world.settle()
    server.post("ue", messages.report_on(server.received[0]))
    world.settle()
    world.drop = None
    world.advance(60000)
    await world.run(client.settled())
    assert states == [SENT, DELIVERED]


async def test_an_answer_without_a_message_id_is_about_the_message_it_answers():
    world, server, client = setup()
    await world.run(client.register())
    server.answers.append((wire.ACCEPTED, {wire.DELIVERY_STATUS: wire.DELIVERY_FAILED}))
    failed = await client.send("1", application_server=AS)
    after = await client.send("2", application_server=AS, report=False)
    assert await world.run(after.accepted())
    assert failed.state == FAILED


async def test_a_callback_that_raises_stops_nothing():
    world, server, client = setup()

    def raise_it(*arguments):
        raise ValueError("the application's own")

    client.on_state = client.on_registration = raise_it
    await world.run(client.register())
    await client.send("1", application_server=AS, report=False)
    after = await client.send("2", application_server=AS, report=False)
    assert await world.run(after.accepted())
    assert [messages.payload(message) for message in server.received] == ["1", "2"]


async def test_news_of_a_message_whose_handle_was_dropped_reach_the_application():
    world, server, client = setup(most_sent=1)
    told = []
    client.on_state = lambda sent: told.append((sent.message_id, sent.state))
    await world.run(client.register())
    first = await client.send("1", application_server=AS)
    await world.run(first.accepted())
    second = await client.send("2", application_server=AS)
    await world.run(second.accepted())
    server.post("ue", messages.report_on(server.received[0]))
    world.settle()
    assert told[-1] == (first.message_id, DELIVERED)
    assert client.counters["unknown_reports"] == 1


async def test_what_was_received_outlives_a_restart_and_is_taken_once():
    world, server, client = setup(store=MemoryStore())
    await world.run(client.register())
    server.post("ue", incoming("on"))
    world.settle()
    client.close()
    again = Client(UE, "server", security=NOT_PROTECTED, link=FakeLink.at(world, "ue"), store=client.store)
    await world.run(again.register())
    server.post("ue", incoming("on"))
    world.settle()
    assert (await world.run(again.receive())).payload == "on"
    assert again.store.pending(INBOX, -1, 1) == [] and again.counters["duplicates"] == 1


async def test_the_urgent_goes_first():
    world, server, client = setup()
    for text, priority in (("1", wire.LOW), ("2", None), ("3", wire.HIGH), ("4", wire.HIGH)):
        await client.send(text, application_server=AS, report=False, priority=priority)
    await world.run(client.register())
    await world.run(client.settled())
    assert [messages.payload(message) for message in server.received] == ["3", "4", "2", "1"]
    assert server.received[0][wire.PRIORITY_TYPE] == wire.HIGH


async def test_every_member_of_a_group_reports():
    world, server, client = setup()
    told = []
    client.on_state = lambda sent: told.append((sent.state, sent.reporter, sent.cause))
    await world.run(client.register())
    sent = await client.send("x", group="pumps@example.org")
    await world.run(sent.accepted())
    assert messages.recipient(server.received[0]) == (wire.GROUP, "pumps@example.org")
    for member, cause in (("a@x", None), ("b@x", wire.EXPIRED), ("a@x", None)):
        report = messages.report_on(server.received[0], cause)
        del report[wire.ORIGINATING_AS]
        report[wire.ORIGINATING_UE] = member
        server.post("ue", report)
        world.settle()
    # It is delivered since one has it; of the other one its cause tells.
    assert told[2:] == [(DELIVERED, "a@x", None), (DELIVERED, "b@x", wire.EXPIRED)]


async def test_a_new_socket_is_told_to_the_gateway():
    world, server, client = setup()
    await world.run(client.register())
    before = client.registration.answers
    client.link.on_renewed()
    world.settle()
    assert client.registration.answers == before + 1 and client.registered
