"""Aggregated messages and reports at the server: taken apart, each part by itself, and perhaps put together again."""

import pytest
from msgin5g import messages, wire
from msgin5g.aggregation import aggregated, join, split
from msgin5g.delivery import MIDDLE, Item

from host_tools.server.aggregation import Companions
from tests.server.lab import UE1, UE2, UE3, Lab, msg


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite")
    yield lab
    lab.store.close()


@pytest.fixture
def ends(lab):
    first, second = lab.peer("one"), lab.peer("two")
    first.register(UE1)
    second.register(UE2)
    return first, second


def test_each_message_is_delivered_by_itself(lab, ends):
    several = [msg(f"m-{number}") for number in range(3)]
    several[1][wire.APPLICATION_ID] = "meter"
    assert ends[0].post(join(several)) == ("2.04", {})
    assert sorted(ends[1].received, key=lambda one: one[wire.MESSAGE_ID]) == several
    assert lab.service.counters["aggregates"] == 1 and lab.service.counters["messages"] == 3


def test_one_that_came_before_in_other_company_goes_nowhere(lab, ends):
    ends[0].post(join([msg("m-1"), msg("m-2")]))
    assert ends[0].post(msg("m-1")) == ("2.04", {})
    assert ends[0].post(join([msg("m-2"), msg("m-3")])) == ("2.04", {})
    assert sorted(ends[1].ids()) == ["m-1", "m-2", "m-3"]
    assert lab.service.counters["duplicates"] == 2


def test_reports_on_each_are_known_and_may_come_as_one(lab, ends):
    several = [msg(f"m-{number}") for number in range(3)]
    ends[0].post(join(several))
    reports = [messages.report_on(one) for one in several]
    assert ends[1].post(reports[0]) == ("2.04", {})
    assert ends[1].post(join(reports)) == ("2.04", {})
    assert sorted(ends[0].received, key=lambda one: one[wire.MESSAGE_ID]) == reports


def test_reports_on_what_nobody_sent(lab, ends):
    ends[0].post(msg("m-1"))
    unknown = [messages.report_on(msg(message_id)) for message_id in ("m-8", "m-9")]
    code, told = ends[1].post(join(unknown))
    assert (code, told[wire.FAILURE_CAUSE]) == ("4.04", wire.UNKNOWN_MESSAGE)
    # Among others it does no harm.
    assert ends[1].post(join([messages.report_on(msg("m-1")), *unknown]))[0] == "2.04"
    assert ends[0].ids() == ["m-1"]


def test_stored_for_later_is_told_once(lab, ends):
    code, told = ends[0].post(join([msg("m-1", to=UE3), msg("m-2", to=UE3)]))
    assert (code, told[wire.DELIVERY_STATUS]) == ("2.04", wire.DELIVERY_STORED)
    assert lab.held(UE3) == ["m-1", "m-2"]
    assert ends[0].post(join([msg("m-3", to=UE3, held=False), msg("m-4", to=UE3, held=False)]))[0] == "4.04"


def test_those_that_fail_among_others_are_reported(lab, ends):
    lab.service.submit(join([msg("m-1", to=UE3), msg("m-2", to=UE3, held=False)]), b"", 0)
    lab.world.settle()
    (report,) = ends[0].received
    assert report[wire.MESSAGE_ID] == "m-2" and report[wire.FAILURE_CAUSE] == wire.UNKNOWN_RECIPIENT
    assert lab.held(UE3) == ["m-1"]


def test_without_room_for_all_the_rest_comes_again(lab, ends):
    lab.store._most_messages = 2
    several = [msg(f"m-{number}", to=UE3) for number in range(3)]
    assert ends[0].post(join(several))[0] == "5.03"
    lab.store._most_messages = 100
    assert ends[0].post(join(several))[0] == "2.04"
    assert lab.held(UE3) == ["m-0", "m-1", "m-2"]


def test_parts_are_durable_together(lab, ends):
    several = [msg(f"m-{number}", to=UE3) for number in range(3)]
    lab.service.submit(join(several), b"", 0)
    lab.restart()
    assert lab.held(UE3) == []
    assert ends[0].post(join(several))[0] == "2.04"
    lab.restart()
    assert lab.held(UE3) == ["m-0", "m-1", "m-2"]


@pytest.mark.parametrize(
    "lie",
    [
        {wire.NUMBER_OF_MESSAGES: 3},
        {wire.INDIVIDUAL_MESSAGES: []},
        {wire.INDIVIDUAL_MESSAGES: [{wire.PAYLOAD: "x"}]},
        {
            wire.INDIVIDUAL_MESSAGES: [
                {wire.MESSAGE_ID: "m", wire.INDIVIDUAL_MESSAGES: [{wire.MESSAGE_ID: "n"}]}
            ]
        },
        {wire.INDIVIDUAL_MESSAGES: [{wire.MESSAGE_ID: "m", wire.SEGMENT_NUMBER: 1}]},
    ],
)
def test_lies_are_refused(lab, ends, lie):
    whole = join([msg("m-1"), msg("m-2")])
    whole.update(lie)
    assert ends[0].post(whole)[0] == "4.00"
    assert ends[1].received == [] and len(lab.store) == 0


def test_a_part_in_anothers_name_is_the_senders(lab, ends):
    whole = join([msg("m-1"), msg("m-2")])
    whole[wire.INDIVIDUAL_MESSAGES][0][wire.ORIGINATING_UE] = UE3
    assert ends[0].post(whole)[0] == "2.04"
    assert {messages.originator(one) for one in ends[1].received} == {(wire.UE, UE1)}


# -- together again


def items(*several, hop=UE2):
    return [
        Item(key, hop, UE1, wire.MSG, one[wire.MESSAGE_ID], messages.encode(one), None, False, MIDDLE)
        for key, one in enumerate(several)
    ]


def test_what_waits_for_a_ue_may_travel_as_one(lab):
    companions = Companions(lab.face._endpoint, lambda ue: 2048)
    several = items(msg("m-1"), msg("m-2"), msg("m-3"))
    assert companions.gather(several, 0) == 3 and companions.gather(several[:1], 0) == 1
    assert messages.decode(companions.body(several)) == join([msg("m-1"), msg("m-2"), msg("m-3")])
    # But not to one that does not take it, or takes small ones only.
    companions.refused(UE2)
    assert companions.gather(several, 0) == 1
    assert Companions(lab.face._endpoint, lambda ue: 500).gather(several, 0) == 1


@pytest.fixture
def together(lab):
    lab.aggregate = True
    lab.restart()
    first = lab.peer("one")
    first.register(UE1)
    for number in range(5):
        first.post(msg(f"m-{number}"))
    return lab


def test_what_waited_comes_as_one(together):
    second = together.peer("two")
    second.register(UE2)
    (whole,) = second.received
    assert [one[wire.MESSAGE_ID] for one in split(whole)] == [f"m-{number}" for number in range(5)]
    assert together.held(UE2) == []
    # Each has its report.
    assert second.post(messages.report_on(msg("m-3"))) == ("2.04", {})


def test_a_ue_that_does_not_know_aggregates_gets_each_by_itself(together):
    second = together.peer("two")
    take = second.resource._handlers[wire.MSG]

    def refuse(request, elements, now):
        if aggregated(elements):
            second.resource.refuse(request, wire.INVALID, elements, wire.MALFORMED, now)
        else:
            take(request, elements, now)

    second.resource._handlers[wire.MSG] = refuse
    second.register(UE2)
    assert second.ids() == [f"m-{number}" for number in range(5)]
    assert together.held(UE2) == [] and together.service.counters["refused_by_recipient"] == 0


def test_behind_a_gateway_each_comes_by_itself(together):
    gateway = together.gateway()
    gateway.register(UE2)
    assert gateway.ids() == [f"m-{number}" for number in range(5)]
