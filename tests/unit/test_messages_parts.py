# Aggregates, registrations of several UEs, segments: what they must have, and what is refused.

from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.messages import BadMessage

UE = "ue1@a"


def cause_of(elements):
    # The same in both formats.
    causes = []
    for content_format in (coap.JSON, coap.CBOR):
        try:
            messages.decode(messages.encode(elements, content_format), content_format)
            causes.append(None)
        except BadMessage as bad:
            causes.append(bad.cause)
    assert causes[0] == causes[1], causes
    return causes[0]


def missing(number):
    return wire.MANDATORY_IE_MISSING + wire.name(number)


def invalid(number):
    return wire.INVALID_IE + wire.name(number)


def aggregate():
    return {
        wire.MESSAGE_TYPE: wire.MSG,
        wire.ORIGINATING_UE: UE,
        wire.RECIPIENT_UE: "ue2@a",
        wire.MESSAGE_ID: "m",
        wire.NUMBER_OF_MESSAGES: 2,
        wire.INDIVIDUAL_MESSAGES: [
            {wire.MESSAGE_ID: "i-1", wire.PAYLOAD: "1", wire.DELIVERY_STATUS_REQUIRED: True},
            {wire.MESSAGE_ID: "i-2", wire.APPLICATION_ID: "meter", wire.PRIORITY_TYPE: wire.LOW},
        ],
    }


def reports():
    return {
        wire.MESSAGE_TYPE: wire.IMDN,
        wire.ORIGINATING_UE: UE,
        wire.RECIPIENT_UE: "ue2@a",
        wire.MESSAGE_ID: "m",
        wire.NUMBER_OF_REPORTS: 1,
        wire.INDIVIDUAL_REPORTS: [{wire.MESSAGE_ID: "i-1", wire.DELIVERY_STATUS: wire.REPORT_SUCCESS}],
    }


def bulk():
    return {
        wire.MESSAGE_TYPE: wire.REG,
        wire.NUMBER_OF_REGISTRATION_REQUESTS: 2,
        wire.REGISTRATION_REQUESTS: [messages.registration("ue1@a"), {wire.UE_SERVICE_ID: "ue2@a"}],
    }


def bulk_answer():
    return {
        wire.MESSAGE_TYPE: wire.REG,
        wire.NUMBER_OF_REGISTRATION_RESPONSES: 1,
        wire.REGISTRATION_RESPONSES: [messages.registration_result(wire.REG, UE)],
    }


LISTS = (
    (aggregate, wire.INDIVIDUAL_MESSAGES, wire.NUMBER_OF_MESSAGES),
    (reports, wire.INDIVIDUAL_REPORTS, wire.NUMBER_OF_REPORTS),
    (bulk, wire.REGISTRATION_REQUESTS, wire.NUMBER_OF_REGISTRATION_REQUESTS),
    (bulk_answer, wire.REGISTRATION_RESPONSES, wire.NUMBER_OF_REGISTRATION_RESPONSES),
)


def test_each_is_taken_as_it_is():
    for make, _, count in LISTS:
        elements = make()
        assert messages.decode(messages.encode(elements)) == elements
        # The list tells how many it has.
        del elements[count]
        assert cause_of(elements) is None


def test_what_an_aggregate_must_have():
    for number in (wire.ORIGINATING_UE, wire.RECIPIENT_UE, wire.MESSAGE_ID, wire.INDIVIDUAL_MESSAGES):
        elements = aggregate()
        del elements[number]
        named = {wire.ORIGINATING_UE: wire.ORIGINATOR, wire.RECIPIENT_UE: wire.DESTINATION}.get(
            number, number
        )
        assert cause_of(elements) == missing(named)
    for number in (wire.ORIGINATING_UE, wire.RECIPIENT_UE, wire.MESSAGE_ID, wire.INDIVIDUAL_REPORTS):
        elements = reports()
        del elements[number]
        named = {wire.ORIGINATING_UE: wire.ORIGINATOR, wire.RECIPIENT_UE: wire.DESTINATION}.get(
            number, number
        )
        assert cause_of(elements) == missing(named)
    elements = bulk()
    del elements[wire.REGISTRATION_REQUESTS]
    assert cause_of(elements) == missing(wire.REGISTRATION_REQUESTS)


def test_what_each_of_a_list_must_have():
    for make, parts, mandatory in (
        (aggregate, wire.INDIVIDUAL_MESSAGES, (wire.MESSAGE_ID,)),
        (reports, wire.INDIVIDUAL_REPORTS, (wire.MESSAGE_ID, wire.DELIVERY_STATUS)),
        (bulk, wire.REGISTRATION_REQUESTS, (wire.UE_SERVICE_ID,)),
        (bulk_answer, wire.REGISTRATION_RESPONSES, (wire.UE_SERVICE_ID, wire.REGISTRATION_RESULT)),
    ):
        for number in mandatory:
            elements = make()
            del elements[parts][-1][number]
            assert cause_of(elements) == missing(number)


def test_counts_that_are_not_those_of_the_list():
    for make, parts, count in LISTS:
        for wrong in (0, -1, 3, 1 << 40):
            elements = make()
            elements[count] = wrong
            assert cause_of(elements) == invalid(count)
        elements = make()
        elements[parts] = []
        assert cause_of(elements) == missing(parts)


def test_aggregates_in_aggregates():
    for make, parts, _ in LISTS:
        for inner_make, inner, _ in LISTS:
            elements = make()
            elements[parts][0][inner] = inner_make()[inner]
            assert cause_of(elements) == invalid(inner), (parts, inner)


def test_lists_in_messages_of_another_type():
    for _, parts, _ in LISTS:
        elements = messages.message((wire.UE, UE), (wire.UE, "ue2@a"), "m")
        elements[parts] = [{wire.MESSAGE_ID: "x", wire.UE_SERVICE_ID: "y"}]
        if parts != wire.INDIVIDUAL_MESSAGES:
            assert cause_of(elements) == invalid(parts)
        elements = messages.deregistration(UE)
        elements[parts] = [{wire.MESSAGE_ID: "x", wire.UE_SERVICE_ID: "y"}]
        assert cause_of(elements) == invalid(parts)


def test_identifiers_and_payloads_of_individual_messages():
    elements = aggregate()
    elements[wire.INDIVIDUAL_MESSAGES][1][wire.MESSAGE_ID] = "x" * 256
    assert cause_of(elements) == invalid(wire.MESSAGE_ID)
    elements = aggregate()
    elements[wire.INDIVIDUAL_MESSAGES][0][wire.PAYLOAD_ENCODING] = wire.BASE64
    assert cause_of(elements) == invalid(wire.PAYLOAD)


def test_an_aggregate_is_no_segment():
    elements = aggregate()
    elements[wire.SEGMENT_NUMBER] = 1
    assert cause_of(elements) == invalid(wire.INDIVIDUAL_MESSAGES)
    elements = aggregate()
    elements[wire.INDIVIDUAL_MESSAGES][0][wire.SEGMENT_NUMBER] = 1
    assert cause_of(elements) == invalid(wire.SEGMENT_NUMBER)


def segment(number, total=None):
    elements = messages.message((wire.UE, UE), (wire.UE, "ue2@a"), "m")
    elements[wire.SEGMENTATION_SET_ID] = "s"
    elements[wire.SEGMENT_NUMBER] = number
    if total is not None:
        elements[wire.TOTAL_SEGMENTS] = total
    return elements


def test_numbers_of_segments():
    for number, total in ((1, None), (1, 1), (4096, 4096), (4096, None), (0, 3), (3, 3)):
        assert cause_of(segment(number, total)) is None, (number, total)
    for number, total in ((-1, None), (4097, None), (4, 3), (1 << 40, None)):
        assert cause_of(segment(number, total)) == invalid(wire.SEGMENT_NUMBER)
    for total in (0, -1, 4097, 1 << 62):
        assert cause_of(segment(1, total)) == invalid(wire.TOTAL_SEGMENTS)


def test_numbers_of_missing_segments():
    elements = {
        wire.MESSAGE_TYPE: wire.SEGREC,
        wire.ORIGINATING_UE: UE,
        wire.RECIPIENT_UE: "ue2@a",
        wire.SEGMENTATION_SET_ID: "s",
        wire.MISSING_SEGMENT_NUMBERS: [1, 4096],
    }
    assert cause_of(elements) is None
    for numbers in ([], [-1], [1, 4097]):
        elements[wire.MISSING_SEGMENT_NUMBERS] = numbers
        assert cause_of(elements) == invalid(wire.MISSING_SEGMENT_NUMBERS)


def test_an_update_of_a_stored_message():
    elements = {wire.MESSAGE_TYPE: wire.SFUPD, wire.ORIGINATING_UE: UE, wire.MESSAGE_ID: "m"}
    assert cause_of(elements) is None
    del elements[wire.MESSAGE_ID]
    assert cause_of(elements) == missing(wire.MESSAGE_ID)


def test_priorities():
    elements = {}
    assert messages.priority(elements) == 1
    for text, expected in (("HIGH", 0), ("High", 0), ("MIDDLE", 1), ("low", 2), ("URGENT", 1), ("", 1)):
        elements[wire.PRIORITY_TYPE] = text
        assert messages.priority(elements) == expected, text


def test_a_failure_after_stored_for_later_is_another_message_response():
    told = {
        messages.stored_id(messages.response((wire.UE, UE), "m", status))
        for status in (None, wire.DELIVERY_STORED, wire.DELIVERY_FAILED)
    }
    assert len(told) == 3
    assert messages.stored_id(segment(1)) == "m"


def test_success_after_a_failure_is_another_report():
    about = messages.message((wire.UE, UE), (wire.UE, "other@x"), "m")
    assert messages.stored_id(messages.report_on(about)) != messages.stored_id(
        messages.report_on(about, "gone")
    )
