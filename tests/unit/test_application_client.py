# Application Clients without a MSGin5G Client, and the gateway that speaks for them, over a network in memory.

from application_world import AS, CREDENTIAL, GATEWAY, METER, NUMBER, Setup
from msgin5g import l3, messages, wire
from msgin5g import l3_table as table
from msgin5g.application_client import ApplicationClient


def registered(**options):
    setup = Setup(**options)
    client = setup.client()
    client.register(setup.world.now)
    setup.world.advance(1000)
    assert client.registered
    return setup, client


def test_registers_with_its_credential_and_leaves():
    setup, client = registered()
    assert client.told == [(None, table.ACCEPTED)]
    (entry,) = [entry for entry in setup.gateway.registry if entry.via]
    assert entry.address == "meter" and entry.body == b"\x00\x00\x07"
    client.register(setup.world.now, leave=True)
    setup.world.advance(1000)
    assert not client.registered and client.told[1:] == [(None, table.ACCEPTED)]
    assert not [entry for entry in setup.gateway.registry if entry.via]


def test_a_wrong_credential_or_an_unknown_application_is_rejected():
    setup = Setup()
    for options in ({"credential": b"wrong"}, {"number": 99}):
        client = setup.client(**options)
        client.register(setup.world.now)
        setup.world.advance(1000)
        assert not client.registered and client.told == [(None, table.NOT_AUTHORIZED)]
    assert setup.counters()["registrations_refused"] == 2


def test_a_message_goes_up_in_the_name_of_the_gateway_and_the_report_comes_back():
    setup, client = registered()
    sent = client.send(AS.encode(), b"23.5", setup.world.now, report=True)
    setup.world.advance(1000)
    assert client.told[-1] == (sent, table.ACCEPTED)
    (message,) = setup.received()
    assert messages.originator(message) == (wire.UE, GATEWAY)
    assert messages.recipient(message) == (wire.AS, AS)
    assert message[wire.APPLICATION_ID] == METER and messages.payload(message) == "23.5"
    setup.server.post("gateway-up", messages.report_on(message))
    setup.world.advance(1000)
    assert client.reports == [(sent, True)]
    failed = client.send(b"as-2@example.org", b"\xff\x00", setup.world.now, report=True)
    setup.world.advance(1000)
    setup.server.post("gateway-up", messages.report_on(setup.received()[-1], wire.EXPIRED))
    setup.world.advance(1000)
    assert client.reports[1:] == [(failed, False)]
    assert len(setup.store) == 0


def test_a_message_comes_down_by_its_application_id_and_is_reported():
    setup, client = registered()
    setup.down("on", "d-1")
    setup.world.advance(1000)
    assert client.messages == [(AS, b"on")]
    (report,) = setup.received(wire.IMDN)
    assert report[wire.MESSAGE_ID] == "d-1" and report[wire.DELIVERY_STATUS] == wire.REPORT_SUCCESS
    assert messages.originator(report) == (wire.UE, GATEWAY) and messages.recipient(report) == (wire.AS, AS)
    client.verdict = False
    setup.down("off", "d-2")
    setup.world.advance(1000)
    assert setup.received(wire.IMDN)[1][wire.DELIVERY_STATUS] == wire.REPORT_FAILED
    setup.down("no report", "d-3", report=False)
    setup.world.advance(1000)
    assert len(client.messages) == 3 and len(setup.received(wire.IMDN)) == 2
    assert len(setup.store) == 0


def test_for_an_application_that_is_not_there_it_is_refused():
    setup = Setup()
    setup.world.advance(1000)
    for application in (METER, "unknown", None):
        answer = setup.down("on", "d-1", application=application)
        setup.world.advance(1000)
        assert answer[0].code == wire.REFUSED


def test_half_of_the_datagrams_lost_and_no_message():
    setup, client = registered()
    setup.world.drop = lambda datagram, source, destination: (
        "meter" in (source, destination) and setup.world.random.bits(8) & 1
    )
    sent = [client.send(AS.encode(), b"%d" % number, setup.world.now, report=True) for number in range(4)]
    assert client.send(AS.encode(), b"too many", setup.world.now) is None
    for number in range(4):
        setup.down("down %d" % number, "d-%d" % number)
    setup.world.advance(1200000)
    assert [messages.payload(message) for message in setup.received()] == ["0", "1", "2", "3"]
    assert client.told[1:] == [(message_id, table.ACCEPTED) for message_id in sent]
    assert [payload for _, payload in client.messages] == [b"down %d" % number for number in range(4)]
    assert [report[wire.MESSAGE_ID] for report in setup.received(wire.IMDN)] == ["d-0", "d-1", "d-2", "d-3"]
    for message in setup.received():
        setup.server.post("gateway-up", messages.report_on(message))
    setup.world.advance(1200000)
    assert sorted(client.reports) == sorted([(message_id, True) for message_id in sent])


def test_a_message_that_the_application_can_not_take_comes_again():
    setup, client = registered()
    client.failures = 2
    setup.down("on", "d-1")
    setup.world.advance(60000)
    assert client.failures == 0 and client.messages == [(AS, b"on")]
    assert len(setup.received(wire.IMDN)) == 1


def test_an_outage_of_the_gateway_costs_time_alone():
    setup, client = registered()
    setup.kill_gateway()
    sent = client.send(AS.encode(), b"late", setup.world.now, report=True)
    setup.world.advance(600000)
    setup.start_gateway()
    setup.down("meanwhile", "d-1")
    setup.world.advance(60000)
    # Its registration was durable.
    assert client.told == [(None, table.ACCEPTED), (sent, table.ACCEPTED)]
    assert [payload for _, payload in client.messages] == [b"meanwhile"]


def test_one_that_is_not_registered_any_more_registers_again_by_itself():
    setup, client = registered()
    for entry in list(setup.gateway.registry):
        setup.gateway.registry.remove(entry.ue_service_id)
    sent = client.send(AS.encode(), b"x", setup.world.now)
    setup.world.advance(60000)
    assert client.told[1:] == [(None, table.ACCEPTED), (sent, table.ACCEPTED)]


def test_who_comes_later_with_the_credential_takes_over():
    setup, first = registered()
    setup.world.leave("meter")
    setup.down("for whoever is there", "d-1")
    setup.world.advance(1000)
    second = setup.client(address="elsewhere")
    second.register(setup.world.now)
    setup.world.advance(60000)
    assert second.messages == [(AS, b"for whoever is there")] and first.messages == []
    setup.world.join("meter", first)
    first.send(AS.encode(), b"x", setup.world.now)
    setup.world.settle()
    assert setup.received() == []
    assert setup.counters()["not_registered"] == 1
    assert len(setup.gateway._relay.downlink._under_way) == 0


def test_a_message_that_the_server_refuses_is_told_as_a_failed_report():
    setup, client = registered()
    told = messages.response((wire.UE, GATEWAY), "x", wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    setup.server.answers.append((wire.REFUSED, told))
    sent = client.send(AS.encode(), b"x", setup.world.now)
    setup.world.advance(2000)
    assert client.told[-1] == (sent, table.ACCEPTED) and client.reports == [(sent, False)]


def test_what_expires_is_reported_as_failed():
    setup, client = registered()
    setup.world.leave("meter")
    setup.down("on", "d-1", expires=setup.world.wall_clock() + 100)
    setup.world.advance(400000)
    (report,) = setup.received(wire.IMDN)
    assert report[wire.FAILURE_CAUSE] == wire.EXPIRED
    assert messages.originator(report) == (wire.UE, GATEWAY)


def test_what_has_no_l3_form_is_refused():
    setup, client = registered()
    setup.down("x" * 2000, "d-1")
    setup.down("", "d-2")
    setup.down("good", "d-3")
    setup.world.advance(10000)
    assert client.messages == [(AS, b"good")]
    told = {one[wire.MESSAGE_ID]: one[wire.DELIVERY_STATUS] for one in setup.received(wire.IMDN)}
    assert told == {"d-1": wire.REPORT_FAILED, "d-2": wire.REPORT_FAILED, "d-3": wire.REPORT_SUCCESS}


def test_a_store_without_room_is_congestion_and_tried_again():
    setup, client = registered(most_items=2, drops=False, aggregate_linger=None)
    setup.world.leave("server")
    sent = [client.send(AS.encode(), b"%d" % number, setup.world.now) for number in range(4)]
    setup.world.advance(60000)
    assert client.told[1:] == [(message_id, table.ACCEPTED) for message_id in sent[:2]]
    setup.world.join("server", setup.server.endpoint)
    setup.world.advance(240000)
    assert [messages.payload(message) for message in setup.received()] == ["0", "1", "2", "3"]


def test_a_flood_is_bounded_and_others_are_served():
    setup, client = registered()
    octets = l3.encode(table.DEREGISTRATION_REQUEST, {table.APPLICATION_ID: NUMBER})
    for _ in range(500):
        setup.endpoint.receive(octets, len(octets), "stranger", setup.world.now)
    assert len(setup.endpoint.datagrams_to_send()) <= 50 and setup.counters()["too_many"] >= 450
    sent = client.send(AS.encode(), b"x", setup.world.now)
    setup.world.advance(1000)
    assert client.told[-1] == (sent, table.ACCEPTED) and client.registered


def test_bad_datagrams_are_counted_and_a_stranger_gets_nowhere():
    setup, client = registered()
    report = {
        table.TARGET_ADDRESS: AS.encode(),
        table.MESSAGE_ID: bytes(16),
        table.DELIVERY_STATUS: 0,
        table.PAYLOAD: b"x",
        table.ACKNOWLEDGED_TYPE: table.MESSAGE_RECEIVED,
        table.CAUSE: 0,
    }
    for datagram in (
        b"\x01",
        b"\x3f" * 40,
        l3.encode(table.MESSAGE_RECEIVED, report),
        l3.encode(table.MESSAGE_SENDING_REQUEST, report),
        l3.encode(table.DELIVERY_REPORT_SENDING_REQUEST, report),
        l3.encode(table.ACKNOWLEDGEMENT, report),
    ):
        setup.endpoint.receive(datagram, len(datagram), "stranger", setup.world.now)
    setup.world.advance(1000)
    assert setup.received() == []
    counters = setup.counters()
    assert counters["bad_messages"] == 3 and counters["not_registered"] == 1 and counters["unexpected"] == 2
    # From one that is registered: a target of no kind, and one with a control character.
    client.send(AS.encode(), b"x", setup.world.now, target_type=9)
    client.send(b"as\n@example.org", b"x", setup.world.now)
    setup.world.advance(5000)
    assert [cause for _, cause in client.told[1:]] == [table.INVALID, table.INVALID]


def test_the_client_ignores_what_is_none_of_its_business():
    client = ApplicationClient(NUMBER, CREDENTIAL, bytes)
    client.register(0)
    assert len(client.datagrams_to_send()) == 1
    # Its own request among them, come back.
    for octets in (b"", b"\x40", b"\x09\x00\x07", l3.encode(table.REGISTRATION_REQUEST, client._values)):
        client.receive(bytes(octets), len(octets), None, 0)
    assert not client.registered and client.datagrams_to_send() == [] and client.timer() is not None
