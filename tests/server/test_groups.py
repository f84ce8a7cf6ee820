"""Group messages (TS 23.554, 8.7.4): copies for members, who may send, reports, duplicates, room."""

import pytest
from msgin5g import messages, wire

from host_tools.server.groups import Groups
from host_tools.server.service import ACCEPTED, Outcome, party
from host_tools.settings import Group
from tests.server.lab import AS, UE1, UE2, UE3, Lab

GROUP = "pumps@a"
PUMPS = Group(service_id=GROUP, members=[UE1, UE2, UE3], senders=["chief@a"], application_servers=[AS])


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite", groups=[PUMPS])
    yield lab
    lab.store.close()


@pytest.fixture
def ues(lab):
    peers = [lab.peer(ue) for ue in (UE1, UE2, UE3)]
    for peer, ue in zip(peers, (UE1, UE2, UE3), strict=True):
        peer.register(ue)
    return peers


def group_msg(message_id="m-1", origin=(wire.UE, UE1), held=True, report=True, group=GROUP):
    elements = messages.message(origin, (wire.GROUP, group), message_id, held, report)
    messages.set_payload(elements, "open")
    return elements


def submit(lab, elements):
    return lab.service.submit(elements, messages.encode(elements), lab.world.now)


def test_each_member_but_the_sender_gets_a_copy(lab, ues):
    assert ues[0].post(group_msg()) == ("2.04", {})
    lab.world.settle()
    assert ues[0].received == []
    for peer, ue in zip(ues[1:], (UE2, UE3), strict=True):
        (copy,) = peer.received
        assert copy[wire.RECIPIENT_UE] == ue
        assert copy[wire.GROUP_SERVICE_ID] == GROUP
        assert copy[wire.ORIGINATING_UE] == UE1
        assert (copy[wire.MESSAGE_ID], messages.payload(copy)) == ("m-1", "open")
    assert lab.service.counters["copies"] == 2
    assert len(lab.store) == 0


def test_each_report_goes_to_the_sender_and_says_whose_it_is(lab, ues):
    ues[0].post(group_msg())
    lab.world.settle()
    for peer in ues[1:]:
        assert peer.post(messages.report_on(peer.received[0])) == ("2.04", {})
    lab.world.settle()
    assert {report[wire.ORIGINATING_UE] for report in ues[0].received} == {UE2, UE3}
    assert {report[wire.MESSAGE_ID] for report in ues[0].received} == {"m-1"}


def test_one_who_is_away_gets_it_later(lab, ues):
    ues[2].post(messages.deregistration(UE3))
    ues[0].post(group_msg())
    assert lab.held(UE3) == ["m-1"]
    ues[2].register(UE3)
    lab.world.settle()
    assert ues[2].ids() == ["m-1"]


def test_one_who_is_away_and_must_not_wait_is_reported_as_failed(lab, ues):
    ues[2].post(messages.deregistration(UE3))
    ues[0].post(group_msg(held=False))
    lab.world.settle()
    (report,) = ues[0].received
    assert (report[wire.ORIGINATING_UE], report[wire.MESSAGE_TYPE]) == (UE3, wire.IMDN)
    assert wire.status(report[wire.DELIVERY_STATUS]) == wire.FAILED
    assert ues[1].ids() == ["m-1"]
    ues[0].post(group_msg("m-2", held=False, report=False))
    lab.world.settle()
    assert len(ues[0].received) == 1


def test_a_group_nobody_knows(lab, ues):
    code, told = ues[0].post(group_msg(group="valves@a"))
    assert (code, told[wire.DELIVERY_STATUS]) == ("4.04", wire.DELIVERY_FAILED)
    assert told[wire.FAILURE_CAUSE] == wire.UNKNOWN_RECIPIENT
    assert lab.service.counters["unknown_group"] == 1


def test_one_who_is_no_member_is_rejected(lab):
    peer = lab.peer("stranger")
    peer.register("stranger@a")
    code, told = peer.post(group_msg(origin=(wire.UE, "stranger@a")))
    assert (code, told[wire.DELIVERY_STATUS]) == ("4.03", wire.DELIVERY_REJECTED)
    assert told[wire.FAILURE_CAUSE] == wire.NOT_AUTHORIZED
    assert lab.service.counters["not_allowed"] == 1
    assert len(lab.store) == 0


def test_who_is_listed_may_send_and_is_no_member(lab, ues):
    assert submit(lab, group_msg(origin=(wire.UE, "chief@a"))) == ACCEPTED
    assert submit(lab, group_msg("m-2", origin=(wire.AS, AS))) == ACCEPTED
    # A UE of an AS's name is somebody else.
    assert submit(lab, group_msg("m-3", origin=(wire.UE, AS))).code == wire.REFUSED
    lab.world.settle()
    assert all(peer.ids() == ["m-1", "m-2"] for peer in ues)


def test_a_duplicate_goes_to_nobody(lab, ues):
    ues[0].post(group_msg())
    ues[0].post(group_msg())
    lab.world.settle()
    assert ues[1].ids() == ["m-1"]
    assert lab.service.counters["duplicates"] == 1


def test_a_duplicate_is_known_after_a_power_cut_and_so_are_the_copies(lab, ues):
    for peer in ues[1:]:
        peer.leave()
    ues[0].post(group_msg())
    lab.restart()
    ues[0].post(group_msg())
    for peer in ues[1:]:
        peer.back()
        peer.register({ues[1]: UE2, ues[2]: UE3}[peer])
    # Until it is sent once more.
    lab.world.advance(10_000)
    assert [peer.ids() for peer in ues] == [[], ["m-1"], ["m-1"]]


def test_a_message_in_segments_is_put_together_for_all(lab, ues):
    for number in (1, 2, 1):
        elements = group_msg()
        elements[wire.SEGMENTATION_SET_ID] = "s"
        elements[wire.SEGMENT_NUMBER] = number
        if number == 1:
            elements[wire.TOTAL_SEGMENTS] = 2
        assert submit(lab, elements) == ACCEPTED
    lab.world.settle()
    for ue in ues[1:]:
        (copy,) = [one for one in ue.received if one[wire.MESSAGE_TYPE] == wire.MSG]
        assert messages.payload(copy) == str(messages.payload(group_msg())) * 2


def test_without_room_for_all_there_is_none_for_any(lab, ues):
    lab.store._most_messages = 2
    outcome = submit(lab, group_msg())
    assert outcome == Outcome(wire.UNAVAILABLE, wire.DELIVERY_FAILED, wire.STORE_FULL)
    assert len(lab.store) == 0
    lab.store._most_messages = 3
    assert submit(lab, group_msg()) == ACCEPTED


def test_nobody_pretends_that_a_message_came_by_a_group(lab, ues):
    elements = messages.message((wire.UE, UE1), (wire.UE, UE2), "m-1")
    elements[wire.GROUP_SERVICE_ID] = "secret@a"
    code, told = ues[0].post(elements)
    assert code == "4.00"
    assert told[wire.FAILURE_CAUSE].startswith(wire.INVALID_IE)
    assert ues[1].received == []


def test_a_thousand_members_are_one_commit(tmp_path):
    members = [f"ue-{number}@a" for number in range(1000)]
    lab = Lab(tmp_path / "many.sqlite", groups=[Group(service_id=GROUP, members=members)])
    statements: list[str] = []
    lab.store._most_messages = 2000
    lab.store._database.set_trace_callback(statements.append)
    assert submit(lab, group_msg(origin=(wire.UE, members[0]))) == ACCEPTED
    lab.store.commit()
    lab.store._database.set_trace_callback(None)
    assert len(lab.store) == 999
    assert len([one for one in statements if one.startswith("COMMIT")]) == 1
    assert lab.store.depth(party((wire.UE, members[999]))) == 1
    lab.store.close()


def test_two_groups_of_one_name_are_refused(lab):
    with pytest.raises(ValueError, match="is there twice"):
        Groups(lab.service, [PUMPS, PUMPS])
