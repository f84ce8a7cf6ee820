"""The server's CoAP face in a world of its own time, on a real store: registration, delivery, gateways, restarts."""

import pytest
from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import dotted
from msgin5g.resource import request_options

from tests.server.lab import AS, GATEWAY, GATEWAY2, SERVER, UE1, UE2, UE3, Lab, msg


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite")
    yield lab
    lab.store.close()


def both(lab):
    first, second = lab.peer("one"), lab.peer("two")
    first.register(UE1)
    second.register(UE2)
    return first, second


# -- registration (8.2.1, 8.2.2)


def test_a_ue_registers_and_leaves(lab):
    ue = lab.peer("one")
    assert ue.register(UE1) == ("2.01", messages.registration_result(wire.REG, UE1))
    assert lab.address(UE1) == ue.address
    assert lab.via(UE1) is None
    assert ue.post(messages.deregistration(UE1)) == ("2.02", messages.registration_result(wire.DEREG, UE1))
    assert len(lab.face.registry) == 0
    code, answer = ue.post(messages.deregistration(UE1))
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.NOT_REGISTERED)


def test_registered_twice_is_registered(lab):
    ue = lab.peer("one")
    for _ in range(3):
        assert ue.register(UE1)[0] == "2.01"
    assert len(lab.face.registry) == 1


def test_a_gateway_vouches_for_the_ues_behind_it(lab):
    gateway = lab.gateway()
    assert gateway.register(UE1)[0] == "2.01"
    assert lab.via(UE1) == GATEWAY
    assert lab.via(GATEWAY) is None


def test_a_ue_moves_between_gateways(lab):
    first, second = lab.gateway(), lab.gateway("gateway-2", GATEWAY2)
    first.register(UE2)
    sender = lab.peer("one")
    sender.register(UE1)
    sender.post(msg("1"))
    second.register(UE2)
    assert (lab.via(UE2), lab.address(UE2)) == (GATEWAY2, second.address)
    sender.post(msg("2"))
    assert (first.ids(), second.ids()) == (["1"], ["2"])
    # The first gateway is not asked, and may still hold messages of that UE.
    assert first.post(msg("3", UE2, UE1))[0] == "2.04"
    assert second.post(msg("4", UE2, UE1))[0] == "2.04"
    assert sender.ids() == ["3", "4"]
    assert lab.via(UE2) == GATEWAY2
    # That it has left is for the gateway to say where it is.
    assert first.post(messages.deregistration(UE2))[0] == "4.03"
    assert lab.via(UE2) == GATEWAY2


def test_a_ue_service_id_belongs_to_whoever_answers_for_it(lab):
    holder, thief = lab.peer("one"), lab.peer("thief")
    holder.register(UE1)
    code, answer = thief.register(UE1)
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.UE_SERVICE_ID_NOT_OWNED)
    assert lab.address(UE1) == holder.address
    assert lab.face.counters["registrations_refused"] == 1
    assert thief.post(msg())[1][wire.FAILURE_CAUSE] == wire.UE_SERVICE_ID_NOT_OWNED


def test_one_that_is_silent_is_taken_over(lab):
    holder, successor = lab.peer("one"), lab.peer("successor")
    holder.register(UE1)
    holder.leave()
    answer = successor.send(messages.registration(UE1))
    assert answer == []
    lab.world.advance(5000)
    assert dotted(answer[0].code) == "2.01"
    assert lab.address(UE1) == successor.address


def test_no_ue_takes_the_place_of_a_gateway(lab):
    lab.gateway("gateway-2", GATEWAY2)
    gateway = lab.gateway()
    code, answer = gateway.register(GATEWAY2)
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.UE_SERVICE_ID_NOT_OWNED)
    stranger = lab.peer("stranger")
    assert stranger.register(GATEWAY2)[0] == "4.03"
    assert lab.address(GATEWAY2) == ("gateway-2", 5683)


def test_a_ue_that_was_taken_for_a_direct_one_does_not_cost_the_gateway_its_place(lab):
    # Its registration came before the gateway's own.
    gateway = lab.peer("gateway")
    gateway.register(UE1)
    gateway.register(GATEWAY)
    gateway.register(UE1)
    gateway.register(UE2)
    assert (lab.via(UE1), lab.via(UE2)) == (GATEWAY, GATEWAY)


def test_registrations_are_bounded(tmp_path):
    lab = Lab(tmp_path / "server.sqlite", most_ues=2)
    ue = lab.peer("one")
    ue.register(UE1)
    ue.register(UE2)
    response = ue.send(messages.registration(UE3))[0]
    assert dotted(response.code) == "5.03"
    assert response.max_age == 5
    assert ue.register(UE1)[0] == "2.01"
    ue.post(messages.deregistration(UE1))
    assert ue.register(UE3)[0] == "2.01"
    lab.store.close()


def test_a_registration_of_any_length_is_not_kept(lab):
    body = messages.registration(UE1, {wire.UE_IDENTIFIER: "x" * 5000})
    assert lab.peer("one").post(body)[0] == "4.13"
    assert len(lab.face.registry) == 0


# -- originators


def test_who_is_not_registered_sends_nothing(lab):
    code, answer = lab.peer("one").post(msg())
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.NOT_REGISTERED)
    assert lab.face.counters["not_registered"] == 1


def test_nobody_sends_as_somebody_else(lab):
    first, second = both(lab)
    code, answer = first.post(msg(origin=UE2, to=UE1))
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.UE_SERVICE_ID_NOT_OWNED)
    assert first.post(messages.deregistration(UE2))[0] == "4.03"
    assert lab.address(UE2) == second.address
    assert len(lab.store) == 0


def test_a_ue_behind_a_gateway_speaks_through_it(lab):
    gateway = lab.gateway()
    gateway.register(UE1)
    stranger = lab.peer("one")
    assert stranger.post(msg())[0] == "4.03"
    assert gateway.post(msg())[0] == "2.04"


def test_a_gateway_speaks_for_registered_ues_alone(lab):
    gateway = lab.gateway()
    assert gateway.post(msg())[1][wire.FAILURE_CAUSE] == wire.NOT_REGISTERED


def test_an_application_server_does_not_speak_coap(lab):
    ue = lab.peer("one")
    ue.register(AS)
    elements = messages.message((wire.AS, AS), (wire.UE, UE2), "m-1")
    code, answer = ue.post(elements)
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.03", wire.NOT_AUTHORIZED)
    assert lab.face.counters["refused"] == 1


# -- delivery (8.3.3)


def test_delivered_to_a_ue_and_reported(lab):
    first, second = both(lab)
    assert first.post(msg()) == ("2.04", {})
    assert second.received == [msg()]
    assert second.post(messages.report_on(msg())) == ("2.04", {})
    assert first.received == [messages.report_on(msg())]
    assert len(lab.store) == 0


def test_delivered_through_a_gateway(lab):
    gateway = lab.gateway()
    gateway.register(UE1)
    gateway.register(UE2)
    gateway.post(msg())
    gateway.post(messages.report_on(msg()))
    assert [elements[wire.MESSAGE_TYPE] for elements in gateway.received] == [wire.MSG, wire.IMDN]
    assert len(lab.store) == 0


def test_a_duplicate_is_accepted_and_delivered_once(lab):
    first, second = both(lab)
    for _ in range(3):
        assert first.post(msg()) == ("2.04", {})
    assert second.ids() == ["m-1"]


def test_stored_for_a_ue_that_is_not_there(lab):
    first = lab.peer("one")
    first.register(UE1)
    code, answer = first.post(msg())
    assert (code, answer[wire.DELIVERY_STATUS]) == ("2.04", wire.DELIVERY_STORED)
    second = lab.peer("two")
    second.register(UE2)
    lab.world.settle()
    assert second.ids() == ["m-1"]


def test_not_stored_when_the_sender_does_not_want_that(lab):
    first = lab.peer("one")
    first.register(UE1)
    code, answer = first.post(msg(held=False))
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.04", wire.UNKNOWN_RECIPIENT)
    assert answer[wire.DELIVERY_STATUS] == wire.DELIVERY_FAILED
    assert len(lab.store) == 0


def test_held_while_a_ue_is_silent_in_order(lab):
    first, second = both(lab)
    second.leave()
    for number in range(20):
        assert first.post(msg(str(number)))[0] == "2.04"
    lab.world.advance(200_000)
    second.back()
    lab.world.advance(120_000)
    assert second.ids() == [str(number) for number in range(20)]


def test_a_silent_ue_that_speaks_is_sent_to_at_once(lab):
    first, second = both(lab)
    second.leave()
    first.post(msg())
    lab.world.advance(400_000)
    second.back()
    second.post(msg("2", UE2, UE1))
    lab.world.advance(100)
    assert second.ids() == ["m-1"]


def test_a_ue_that_moves_gets_what_was_under_way(lab):
    first, second = both(lab)
    second.leave()
    first.post(msg())
    lab.world.advance(3000)
    elsewhere = lab.peer("elsewhere")
    elsewhere.send(messages.registration(UE2))
    lab.world.advance(6000)
    assert elsewhere.ids() == ["m-1"]


def test_what_a_ue_refuses_is_reported(lab):
    first, second = both(lab)
    second.answer = (wire.INVALID, "NOT_LIKED")
    first.post(msg())
    assert lab.service.counters["refused_by_recipient"] == 1
    (report,) = first.received
    assert report[wire.FAILURE_CAUSE] == wire.REJECTED_BY_RECIPIENT
    assert len(lab.store) == 0


def test_a_ue_without_room_is_sent_to_later(lab):
    first, second = both(lab)
    second.answer = (wire.UNAVAILABLE, wire.STORE_FULL)
    first.post(msg())
    second.answer = None
    assert lab.held(UE2) == ["m-1"]
    lab.world.advance(2000)
    assert second.ids() == ["m-1"]


def test_expired_messages_fail(lab):
    first, second = both(lab)
    second.leave()
    elements = msg()
    messages.set_expiration(elements, lab.world.wall_clock() + 30)
    first.post(elements)
    lab.world.advance(200_000)
    lab.service.expire(lab.world.now)
    lab.world.settle()
    assert first.received[0][wire.FAILURE_CAUSE] == wire.EXPIRED


# -- gateways


def test_what_a_gateway_does_not_know_waits_until_the_ue_registers_again(lab):
    gateway = lab.gateway()
    gateway.register(UE1)
    gateway.register(UE2)
    gateway.answer = (wire.NO_SUCH_RECIPIENT, wire.UNKNOWN_RECIPIENT)
    gateway.post(msg())
    assert lab.address(UE2) is None
    lab.world.advance(600_000)
    assert lab.held(UE2) == ["m-1"]
    gateway.answer = None
    gateway.register(UE2)
    lab.world.settle()
    assert gateway.ids() == ["m-1"]


def test_a_late_answer_of_the_gateway_before_does_not_unregister(lab):
    first, second = lab.gateway(), lab.gateway("gateway-2", GATEWAY2)
    first.register(UE2)
    sender = lab.peer("one")
    sender.register(UE1)
    first.leave()
    sender.post(msg())
    second.register(UE2)
    lab.world.settle()
    assert second.ids() == ["m-1"]
    first.back()
    first.answer = (wire.NO_SUCH_RECIPIENT, wire.UNKNOWN_RECIPIENT)
    lab.world.advance(100_000)
    assert lab.via(UE2) == GATEWAY2
    assert lab.service.counters["refused_by_recipient"] == 0


def test_a_gateway_that_comes_back_at_another_address(lab):
    gateway = lab.gateway()
    gateway.register(UE1)
    gateway.register(UE2)
    gateway.leave()
    sender = lab.peer("one")
    sender.register(UE3)
    sender.post(msg("1", UE3))
    lab.world.advance(10_000)
    moved = lab.peer("gateway-moved")
    answer = moved.send(messages.registration(GATEWAY))
    lab.world.advance(10_000)
    assert dotted(answer[0].code) == "2.01"
    assert {lab.address(ue) for ue in (GATEWAY, UE1, UE2)} == {moved.address}
    assert moved.ids() == ["1"]
    # It may speak for them at once, the old address may not.
    assert moved.post(msg("2", UE1, UE2))[0] == "2.04"
    gateway.back()
    assert gateway.post(msg("3", UE1, UE2))[0] == "4.03"
    moved.register("ue4@a")
    assert lab.via("ue4@a") == GATEWAY


def test_one_silent_ue_behind_a_gateway_holds_up_no_other(lab):
    gateway = lab.gateway()
    for ue in (UE1, UE2, UE3):
        gateway.register(ue)
    gateway.post(msg("1", UE1, UE2))
    gateway.answer = (wire.UNAVAILABLE, wire.STORE_FULL)
    gateway.post(msg("2", UE1, UE2))
    gateway.answer = None
    gateway.post(msg("3", UE1, UE3))
    assert gateway.ids() == ["1", "3"]
    lab.world.advance(2000)
    assert gateway.ids() == ["1", "3", "2"]


# -- restarts


def test_a_restart_keeps_registrations_and_messages(lab):
    gateway = lab.gateway()
    gateway.register(UE2)
    first = lab.peer("one")
    first.register(UE1)
    gateway.leave()
    first.post(msg("1"))
    first.post(msg("2"))
    lab.restart()
    gateway.back()
    lab.world.advance(10_000)
    assert gateway.ids() == ["1", "2"]
    assert first.post(msg("3"))[0] == "2.04"
    gateway.register(UE3)
    assert lab.via(UE3) == GATEWAY
    # Known still, whatever CoAP remembers.
    assert first.post(msg("1"))[0] == "2.04"
    lab.world.advance(10_000)
    assert gateway.ids() == ["1", "2", "3"]


def test_killed_before_the_commit_nothing_was_acknowledged(lab):
    first, second = both(lab)
    second.leave()
    lab.world.before_send = []
    first.endpoint.handle_timer(lab.world.now)
    responses = []
    first.client.request(
        SERVER,
        coap.POST,
        request_options(),
        messages.encode(msg()),
        lambda response, now: responses.append(response),
        lab.world.now,
    )
    for datagram, _ in first.endpoint.datagrams_to_send():
        lab.world.endpoints[SERVER].receive(datagram, len(datagram), first.address, lab.world.now)
    lab.restart()
    second.back()
    assert responses == []
    assert lab.held(UE2) == []
    # The sender's retransmission finds the server that follows.
    lab.world.advance(10_000)
    assert [dotted(response.code) for response in responses] == ["2.04"]
    assert second.ids() == ["m-1"]


def test_what_is_urgent_overtakes_what_waits(lab):
    first, second = both(lab)
    second.post(messages.deregistration(UE2))
    for message_id, priority in (("1", wire.LOW), ("2", wire.MIDDLE), ("3", wire.HIGH)):
        elements = msg(message_id)
        elements[wire.PRIORITY_TYPE] = priority
        first.post(elements)
    second.register(UE2)
    lab.world.settle()
    assert second.ids() == ["3", "2", "1"]
