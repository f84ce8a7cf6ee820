# Application Clients over CoAP (TS 24.538, A.3), and the gateway that speaks for them, over a network in memory.

import json

from application_world import AS, GATEWAY, METER, Setup, coap_registered
from msgin5g import messages, wire, wire_application, wire_names
from msgin5g.coap import numbers as coap
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import Message, encode_options
from msgin5g.resource import request_options


def test_its_names_and_options_are_those_of_the_wire_table():
    for constant in dir(wire_application):
        if constant.startswith("NAME_OF_"):
            element = getattr(wire, constant[8:])
            assert getattr(wire_application, constant) == wire_names.name(element)
    assert encode_options(request_options()) + b"\xff" == wire_application.OPTIONS


def test_registers_with_its_credential_and_leaves():
    setup, client = coap_registered()
    assert client.told == [(None, 0)]
    (entry,) = [entry for entry in setup.gateway.registry if entry.via]
    assert entry.address == "meter"
    client.register(setup.world.now, leave=True)
    setup.world.advance(1000)
    assert not client.registered and client.told[1:] == [(None, 0)]
    assert not [entry for entry in setup.gateway.registry if entry.via]


def test_a_wrong_credential_or_an_unknown_application_is_refused():
    setup = Setup()
    for options in ({"credential": "wrong"}, {"application": "unknown"}):
        client = setup.coap_client(**options)
        client.register(setup.world.now)
        setup.world.advance(1000)
        assert not client.registered and client.told == [(None, wire.REFUSED)]
    assert setup.counters()["registrations_refused"] == 2


def test_what_is_sent_is_what_annex_a_3_says():
    setup, client = coap_registered()
    sent = client.send(AS, "23.5", setup.world.now, report=True)
    ((datagram, _),) = client.datagrams_to_send()
    message = Message()
    message.decode(datagram, len(datagram))
    assert (message.type, message.code) == (coap.CON, coap.POST)
    assert message.path() == wire.PATH and message.content_format == coap.JSON
    assert json.loads(bytes(message.payload())) == {
        "Message Type": "MSG",
        "Target address": AS,
        "Target type": "AS",
        "Message ID": sent,
        "Payload": "23.5",
        "Application ID": METER,
        "Delivery status required": True,
    }


def test_a_message_goes_up_in_the_name_of_the_gateway_and_the_report_comes_back():
    setup, client = coap_registered()
    sent = client.send(AS, "23.5", setup.world.now, report=True)
    setup.world.advance(1000)
    assert client.told[-1] == (sent, 0)
    (message,) = setup.received()
    assert messages.originator(message) == (wire.UE, GATEWAY)
    assert messages.recipient(message) == (wire.AS, AS)
    assert message[wire.APPLICATION_ID] == METER and messages.payload(message) == "23.5"
    setup.server.post("gateway-up", messages.report_on(message))
    setup.world.advance(1000)
    assert client.reports == [(sent, True)]
    failed = client.send("as-2@example.org", b"\xff\x00", setup.world.now, report=True)
    setup.world.advance(1000)
    assert messages.payload(setup.received()[-1]) == b"\xff\x00"
    setup.server.post("gateway-up", messages.report_on(setup.received()[-1], wire.EXPIRED))
    setup.world.advance(1000)
    assert client.reports[1:] == [(failed, False)]
    assert len(setup.store) == 0


def test_a_message_comes_down_by_its_application_id_and_is_reported():
    setup, client = coap_registered()
    setup.down("on", "d-1")
    setup.world.advance(1000)
    assert client.messages == [(AS, "on")]
    (report,) = setup.received(wire.IMDN)
    assert report[wire.MESSAGE_ID] == "d-1" and report[wire.DELIVERY_STATUS] == wire.REPORT_SUCCESS
    assert messages.originator(report) == (wire.UE, GATEWAY) and messages.recipient(report) == (wire.AS, AS)
    client.verdict = False
    setup.down(b"\xff\x00", "d-2")
    setup.world.advance(1000)
    assert client.messages[1] == (AS, b"\xff\x00")
    assert setup.received(wire.IMDN)[1][wire.DELIVERY_STATUS] == wire.REPORT_FAILED
    setup.down("no report", "d-3", report=False)
    setup.world.advance(1000)
    assert len(client.messages) == 3 and len(setup.received(wire.IMDN)) == 2
    assert len(setup.store) == 0
    assert setup.counters()["unexpected"] == 0


def exchange(setup, client):
    # Four messages up, four down, all reported; nothing lost, nothing twice, in order.
    sent = [client.send(AS, str(number), setup.world.now, report=True) for number in range(4)]
    assert client.send(AS, "too many", setup.world.now) is None
    for number in range(4):
        setup.down("down %d" % number, "d-%d" % number)
    setup.world.advance(2400000)
    assert [messages.payload(message) for message in setup.received()] == ["0", "1", "2", "3"]
    assert client.told[1:] == [(message_id, 0) for message_id in sent]
    assert [payload for _, payload in client.messages] == ["down %d" % number for number in range(4)]
    assert [report[wire.MESSAGE_ID] for report in setup.received(wire.IMDN)] == ["d-0", "d-1", "d-2", "d-3"]
    for message in setup.received():
        setup.server.post("gateway-up", messages.report_on(message))
    setup.world.advance(2400000)
    assert sorted(client.reports) == sorted([(message_id, True) for message_id in sent])
    assert len(setup.store) == 0


def test_half_of_the_datagrams_lost_and_no_message():
    setup, client = coap_registered()
    setup.world.drop = lambda datagram, source, destination: (
        "meter" in (source, destination) and setup.world.random.bits(8) & 1
    )
    exchange(setup, client)


def test_datagrams_that_come_twice_or_late_make_no_message_twice():
    setup, client = coap_registered()
    late = []

    def again(datagram, source, destination):
        # Each arrives now, and some time after the next ones once more.
        if "meter" in (source, destination):
            late.append((bytes(datagram), source, destination))
            if len(late) > 3:
                octets, source, destination = late.pop(setup.world.random.bits(1))
                setup.world.endpoints[destination].receive(octets, len(octets), source, setup.world.now)
        return False

    setup.world.drop = again
    exchange(setup, client)


def test_a_message_that_the_application_can_not_take_comes_again():
    setup, client = coap_registered()
    client.failures = 2
    setup.down("on", "d-1")
    setup.world.advance(60000)
    assert client.failures == 0 and client.messages == [(AS, "on")]
    assert len(setup.received(wire.IMDN)) == 1


def test_an_outage_of_the_gateway_costs_time_alone():
    setup, client = coap_registered()
    setup.kill_gateway()
    sent = client.send(AS, "late", setup.world.now, report=True)
    setup.world.advance(600000)
    setup.start_gateway()
    setup.down("meanwhile", "d-1")
    setup.world.advance(60000)
    # Its registration was durable.
    assert client.told == [(None, 0), (sent, 0)]
    assert [payload for _, payload in client.messages] == ["meanwhile"]


def test_a_report_whose_taking_was_lost_with_the_gateway_is_made_again():
    setup, client = coap_registered()
    # The message has been answered; its report does not arrive, and then the gateway is killed.
    setup.world.drop = lambda datagram, source, destination: source == "meter" and datagram[0] >> 4 & 3 == 0
    setup.down("on", "d-1")
    setup.world.advance(1000)
    setup.kill_gateway()
    setup.world.drop = None
    client._waiting.clear()
    setup.start_gateway()
    setup.world.advance(60000)
    assert client.messages == [(AS, "on")]
    assert [report[wire.MESSAGE_ID] for report in setup.received(wire.IMDN)] == ["d-1"]


def test_transmissions_are_timed_as_rfc_7252_says():
    setup = Setup()
    client = setup.coap_client()
    setup.kill_gateway()
    at = setup.world.now
    sent = []
    setup.world.drop = lambda datagram, source, destination: (
        sent.append((setup.world.now - at, bytes(datagram[2:4]))) or True if source == "meter" else False
    )
    client.register(at)
    setup.world.advance(300000)
    assert [mid for _, mid in sent[:5]] == [sent[0][1]] * 5
    assert sent[5][1] != sent[0][1] and sent[5][1] == sent[6][1]
    for place, least in enumerate((2000, 4000, 8000, 16000, 32000, 32000, 32000)):
        assert least <= sent[place + 1][0] - sent[place][0] <= least * 3 // 2


def test_one_that_is_not_registered_any_more_registers_again_by_itself():
    setup, client = coap_registered()
    for entry in list(setup.gateway.registry):
        setup.gateway.registry.remove(entry.ue_service_id)
    sent = client.send(AS, "x", setup.world.now)
    setup.world.advance(60000)
    assert client.told[1:] == [(None, 0), (sent, 0)]


def test_who_comes_later_with_the_credential_takes_over_in_either_form():
    setup, first = coap_registered()
    setup.world.leave("meter")
    setup.down("for whoever is there", "d-1")
    setup.world.advance(1000)
    second = setup.client(address="elsewhere")
    second.register(setup.world.now)
    setup.world.advance(60000)
    assert second.messages == [(AS, b"for whoever is there")] and first.messages == []
    setup.world.join("meter", first)
    first.send(AS, "x", setup.world.now)
    setup.world.settle()
    assert setup.received() == [] and setup.counters()["not_registered"] == 1
    setup.world.advance(10000)
    # It has registered again: with the same credential it is its turn.
    setup.down("back", "d-2")
    setup.world.advance(10000)
    assert first.messages == [(AS, "back")] and len(setup.received()) == 1
    # And from the same address in the other form.
    third = setup.client()
    setup.down("under way", "d-3")
    third.register(setup.world.now)
    setup.world.advance(60000)
    assert third.messages == [(AS, b"under way")]
    assert len(setup.gateway._relay.downlink._under_way) == 0


def test_a_message_that_the_server_refuses_is_told_as_a_failed_report():
    setup, client = coap_registered()
    told = messages.response((wire.UE, GATEWAY), "x", wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    setup.server.answers.append((wire.REFUSED, told))
    sent = client.send(AS, "x", setup.world.now)
    setup.world.advance(2000)
    assert client.told[-1] == (sent, 0) and client.reports == [(sent, False)]


def test_what_expires_is_reported_as_failed():
    setup, client = coap_registered()
    setup.world.leave("meter")
    setup.down("on", "d-1", expires=setup.world.wall_clock() + 100)
    setup.world.advance(400000)
    (report,) = setup.received(wire.IMDN)
    assert report[wire.FAILURE_CAUSE] == wire.EXPIRED
    assert messages.originator(report) == (wire.UE, GATEWAY)


def test_what_it_has_no_room_for_is_refused_and_the_next_comes():
    setup, client = coap_registered()
    # In several blocks.
    setup.down("x" * 2000, "d-1")
    setup.down("good", "d-2")
    setup.world.advance(10000)
    assert client.messages == [(AS, "good")]
    told = {one[wire.MESSAGE_ID]: one[wire.DELIVERY_STATUS] for one in setup.received(wire.IMDN)}
    assert told == {"d-1": wire.REPORT_FAILED, "d-2": wire.REPORT_SUCCESS}


def test_a_part_of_a_message_is_no_message():
    setup, client = coap_registered()
    elements = messages.message((wire.AS, AS), (wire.UE, GATEWAY), "d-1", True, True)
    messages.set_payload(elements, "part")
    elements[wire.APPLICATION_ID] = METER
    elements[wire.SEGMENTATION_SET_ID] = "s"
    elements[wire.SEGMENT_NUMBER] = 1
    elements[wire.TOTAL_SEGMENTS] = 2
    setup.server.post("gateway-up", elements)
    setup.world.advance(10000)
    assert client.messages == []
    assert setup.received(wire.IMDN)[0][wire.DELIVERY_STATUS] == wire.REPORT_FAILED


def test_one_that_does_not_report_gets_the_message_again():
    setup, client = coap_registered()
    setup.world.drop = lambda datagram, source, destination: source == "meter" and datagram[0] >> 4 & 3 == 0
    setup.down("on", "d-1")
    setup.world.advance(80000)
    assert client.messages == [(AS, "on")] and setup.counters()["no_answer"] == 0
    setup.world.advance(40000)
    assert setup.counters()["no_answer"] == 1
    setup.world.drop = None
    setup.world.advance(120000)
    assert client.messages == [(AS, "on")] and len(setup.received(wire.IMDN)) == 1


def test_a_store_without_room_is_tried_again():
    setup, client = coap_registered(most_items=2, drops=False, aggregate_linger=None)
    setup.world.leave("server")
    sent = [client.send(AS, str(number), setup.world.now) for number in range(4)]
    setup.world.advance(60000)
    assert client.told[1:] == [(message_id, 0) for message_id in sent[:2]]
    setup.world.join("server", setup.server.endpoint)
    setup.world.advance(400000)
    assert [messages.payload(message) for message in setup.received()] == ["0", "1", "2", "3"]


def test_somebody_else_at_its_address_gets_nothing_and_loses_nothing():
    setup, client = registered_and_replaced()
    setup.down("on", "d-1")
    setup.world.advance(10000)
    assert setup.received(wire.IMDN) == [] and setup.counters()["no_answer"] > 0
    setup.world.join("meter", client)
    setup.world.advance(120000)
    assert client.messages == [(AS, "on")]


def registered_and_replaced():
    # A CoAP endpoint without that resource has got its address.
    setup, client = coap_registered()
    setup.world.join("meter", Endpoint(Parameters(), setup.world.random.bits))
    return setup, client


def test_that_its_message_is_stored_for_later_it_is_not_told():
    setup, client = coap_registered()
    told = messages.response((wire.UE, GATEWAY), "x", wire.DELIVERY_STORED)
    setup.server.answers.append((wire.ACCEPTED, told))
    sent = client.send(AS, "x", setup.world.now, report=True)
    setup.world.advance(2000)
    assert client.reports == [] and len(setup.store) == 0
    message = messages.message((wire.UE, GATEWAY), (wire.AS, AS), METER + "/" + sent)
    setup.server.post("gateway-up", messages.report_on(message))
    setup.world.advance(2000)
    assert client.reports == [(sent, True)]


def test_one_that_has_been_started_again_gets_what_it_has_not_reported_on():
    setup, client = coap_registered()
    setup.world.drop = lambda datagram, source, destination: source == "meter" and datagram[0] >> 4 & 3 == 0
    setup.down("on", "d-1")
    setup.world.advance(1000)
    assert client.messages == [(AS, "on")]
    setup.world.drop = None
    again = setup.coap_client()
    again.register(setup.world.now)
    setup.world.advance(3000)
    assert again.messages == [(AS, "on")] and len(setup.received(wire.IMDN)) == 1


def test_an_answer_to_another_of_its_lives_is_none():
    # It has been started again, and its first Message ID is one that the gateway remembers.
    setup, client = coap_registered()
    client.send(AS, "x", setup.world.now)
    setup.world.advance(1000)
    again = setup.coap_client()
    again._mid = client._mid - 1
    again.register(setup.world.now)
    setup.world.advance(30000)
    assert not again.registered and again.told == []
    setup.world.advance(300000)
    assert again.registered and again.told == [(None, 0)]


def test_one_that_is_refused_does_not_hurry():
    setup = Setup()
    client = setup.coap_client(credential="wrong")
    client.send(AS, "x", setup.world.now)
    setup.world.advance(600000)
    assert 15 < len(client.told) < 25 and set(client.told) == {(None, wire.REFUSED)}


def through_faults(seed):
    setup, client = coap_registered(seed=seed)
    random = setup.world.random

    def faulty(datagram, source, destination):
        # One in four is lost, one in four comes twice.
        if "meter" not in (source, destination):
            return False
        fate = random.bits(2)
        endpoint = setup.world.endpoints.get(destination)
        if fate == 1 and endpoint:
            endpoint.receive(bytes(datagram), len(datagram), source, setup.world.now)
        return fate == 0

    setup.world.drop = faulty
    sent = []
    for number in range(12):
        setup.down("down %d" % number, "d-%d" % number)
        sent.append(client.send(AS, str(number), setup.world.now, report=True))
        setup.world.advance(random.bits(13))
        setup.kill_gateway()
        setup.world.advance(random.bits(12))
        setup.start_gateway()
        setup.world.advance(60000)
    setup.world.advance(1200000)
    assert None not in sent
    assert [message_id for message_id, cause in client.told if message_id] == sent
    assert [payload for _, payload in client.messages] == ["down %d" % number for number in range(12)]
    # This server does not know what it had before the gateway was killed.
    assert {messages.payload(message) for message in setup.received()} == {
        str(number) for number in range(12)
    }
    reported = {report[wire.MESSAGE_ID] for report in setup.received(wire.IMDN)}
    assert reported == {"d-%d" % number for number in range(12)} and len(setup.store) == 0


def test_loss_duplicates_and_a_gateway_that_is_killed_again_and_again():
    for seed in range(5):
        through_faults(seed)
