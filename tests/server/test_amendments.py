"""Changing a stored message or taking it back (TS 23.554, 8.3.6.1)."""

import pytest
from msgin5g import messages, wire

from host_tools.settings import Group
from tests.server.lab import UE1, UE2, UE3, Lab, msg

GROUP = Group(service_id="pumps@a", members=[UE1, UE2, UE3])


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite", groups=[GROUP])
    yield lab
    lab.store.close()


@pytest.fixture
def sender(lab):
    peer = lab.peer("sender")
    peer.register(UE1)
    return peer


def amendment(message_id="m-1", origin=UE1, expires=None) -> dict:
    elements: dict = {wire.MESSAGE_TYPE: wire.SFUPD, wire.ORIGINATING_UE: origin, wire.MESSAGE_ID: message_id}
    if expires is not None:
        messages.set_expiration(elements, expires)
    return elements


def test_a_discarded_message_is_gone_and_not_reported(lab, sender):
    sender.post(msg())
    assert lab.held(UE2) == ["m-1"]
    assert sender.post(amendment()) == ("2.04", {})
    assert lab.held(UE2) == []
    recipient = lab.peer("recipient")
    recipient.register(UE2)
    lab.world.settle()
    assert recipient.received == sender.received == []
    # It stays known.
    sender.post(msg())
    lab.world.settle()
    assert recipient.received == []
    assert lab.service.counters["discarded"] == 1


def test_an_updated_message_lasts_as_long_as_it_says_now(lab, sender):
    sender.post(msg())
    assert sender.post(amendment(expires=lab.world.wall_clock() + 10)) == ("2.04", {})
    lab.restart()
    (item,) = lab.store.pending(UE2, -1, 10)
    assert item.expires == lab.world.wall_clock() + 10
    assert messages.expiration(messages.decode(item.body)) == item.expires
    lab.world.advance(10_000)
    lab.service.expire(lab.world.now)
    lab.world.settle()
    (report,) = sender.received
    assert report[wire.FAILURE_CAUSE] == wire.EXPIRED


def test_an_updated_message_is_delivered(lab, sender):
    for message_id in ("m-1", "m-2"):
        sender.post(msg(message_id))
    sender.post(amendment(expires=lab.world.wall_clock() + 10**9))
    (_, item) = lab.store.pending(UE2, -1, 10)
    assert item.expires == lab.world.wall_clock() + wire.LONGEST_EXPIRATION
    recipient = lab.peer("recipient")
    recipient.register(UE2)
    lab.world.settle()
    assert recipient.ids() == ["m-2", "m-1"]
    assert len(lab.store) == 0


def test_of_those_in_memory_that_wait_for_a_silent_one(lab, sender):
    recipient = lab.peer("recipient")
    recipient.register(UE2)
    recipient.leave()
    for message_id in ("m-1", "m-2", "m-3"):
        sender.post(msg(message_id))
    # One is under way, the others are behind it.
    code, told = sender.post(amendment("m-1"))
    assert (code, told[wire.FAILURE_CAUSE]) == ("4.03", wire.DELIVERY_UNDER_WAY)
    assert sender.post(amendment("m-2")) == ("2.04", {})
    assert sender.post(amendment("m-3", expires=lab.world.wall_clock() + 1000)) == ("2.04", {})
    recipient.back()
    lab.world.advance(100_000)
    assert recipient.ids() == ["m-1", "m-3"]
    assert lab.service.counters["too_late"] == 1
    assert len(lab.store) == 0


def test_of_a_group_message_all_copies_that_are_left(lab, sender):
    recipient = lab.peer("recipient")
    recipient.register(UE2)
    elements = messages.message((wire.UE, UE1), (wire.GROUP, "pumps@a"), "m-1")
    sender.post(elements)
    lab.world.settle()
    assert (recipient.ids(), lab.held(UE3)) == (["m-1"], ["m-1"])
    assert sender.post(amendment()) == ("2.04", {})
    assert lab.held(UE3) == []


def test_what_is_not_stored(lab, sender):
    code, told = sender.post(amendment("another"))
    assert (code, told[wire.FAILURE_CAUSE]) == ("4.04", wire.UNKNOWN_MESSAGE)


def test_nobody_else_changes_it(lab, sender):
    sender.post(msg())
    other = lab.peer("other")
    other.register(UE3)
    assert other.post(amendment(origin=UE3))[0] == "4.04"
    code, told = other.post(amendment())
    assert (code, told[wire.FAILURE_CAUSE]) == ("4.03", wire.UE_SERVICE_ID_NOT_OWNED)
    assert lab.held(UE2) == ["m-1"]


def test_parameters_without_a_time_are_neither(lab, sender):
    sender.post(msg())
    elements = amendment()
    elements[wire.STORE_AND_FORWARD_PARAMETERS] = {}
    code, told = sender.post(elements)
    assert code == "4.00"
    assert told[wire.FAILURE_CAUSE].startswith(wire.MANDATORY_IE_MISSING)
    assert lab.held(UE2) == ["m-1"]


def test_a_report_of_the_same_number_is_not_meant(lab, sender):
    other = lab.peer("other")
    other.register(UE2)
    other.post(msg(origin=UE2, to=UE1))
    lab.world.settle()
    other.post(messages.deregistration(UE2))
    sender.post(messages.report_on(sender.received[0]))
    assert sender.post(amendment())[0] == "4.04"
    assert [identity.split("\t")[0] for identity in lab.held(UE2)] == ["m-1"]
