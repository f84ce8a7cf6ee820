# Messages to and from JSON: every Message Type, every information element, tolerance, and what is refused.

import json
import sys

from msgin5g import messages, messages_json, wire
from msgin5g.messages import BadMessage

MICROPYTHON = sys.implementation.name == "micropython"

EXPIRES = "2030-01-01T00:00:00Z"

# Every element with a value of its kind, as it is on the wire.
SIMPLE = {
    wire.APPLICATION_ID: "meter",
    wire.DELIVERY_STATUS_REQUIRED: True,
    wire.PAYLOAD: "23.5C",
    wire.PRIORITY_TYPE: "HIGH",
    wire.MESSAGE_IS_SEGMENTED: True,
    wire.SEGMENTATION_SET_ID: "s1",
    wire.SEGMENT_NUMBER: 2,
    wire.TOTAL_SEGMENTS: 5,
    wire.LAST_SEGMENT_FLAG: False,
    wire.LATENCY: 500,
    wire.SECURITY_CREDENTIALS: "secret",
    wire.UE_CREDENTIAL_INFORMATION: "credential",
    wire.REGISTRATION_URGENT_DEGREE: True,
    wire.REGISTRATION_EXPIRATION_TIME: 30,
    wire.EXPECTED_REGISTRATION_TIME: EXPIRES,
    wire.NUMBER_OF_REGISTRATION_REQUESTS: 2,
    wire.NUMBER_OF_REGISTRATION_RESPONSES: 2,
    wire.MISSING_SEGMENT_NUMBERS: [2, 5],
    wire.LAYER_2_ID: "a1b2c3",
    wire.MSGIN5G_UE_ID: "urn:uuid:00000000-0000-0000-0000-000000000000",
    wire.REQUIRED_PACKET_SIZE: 1024,
    wire.ALLOWED_PACKET_SIZE: 1280,
    wire.MESSAGING_TOPICS: ["news", "weather"],
    wire.SUBSCRIPTION_STATUS: "SUBSCRIBED",
    wire.EXPIRATION: EXPIRES,
    wire.TARGET_ADDRESS: "ue2@a",
    wire.TARGET_TYPE: "UE",
}

PROFILE = {
    wire.TRIGGERING_INFORMATION: {
        wire.UE_IDENTIFIER: "msisdn:8613800000000",
        wire.PORT_NUMBER: 5683,
        wire.ASSOCIATED_PROTOCOL: "SMS",
    },
    wire.COMMUNICATION_AVAILABILITY: {
        wire.SCHEDULED_COMMUNICATION_TIME: EXPIRES,
        wire.COMMUNICATION_DURATION_TIME: 60,
        wire.PERIODIC_INDICATOR: True,
        wire.PERIODIC_INTERVAL: 3600,
        wire.DATA_SIZE_INDICATION: 512,
        wire.STORE_AND_FORWARD_OPTION: True,
    },
    wire.SUPPORTED_SEGMENT_SIZE: 1024,
}


def octets(members):
    return json.dumps(members).encode()


def cause_of(payload):
    # The Failure Cause that a payload (octets, or members) is refused with; None when it is taken.
    try:
        messages.decode(payload if isinstance(payload, bytes) else octets(payload))
    except BadMessage as bad:
        return bad.cause
    return None


def msg(**options):
    return messages.message((wire.UE, "ue1@a"), (wire.UE, "ue2@a"), "m-1", **options)


def members(elements, column=wire.STAGE_2):
    return messages_json.to_members(elements, column)


# -- every Message Type


def test_each_message_type_comes_back_as_it_went():
    report = messages.report_on(msg())
    for elements in (
        messages.registration("ue1@a"),
        messages.registration("ue1@a", PROFILE),
        messages.registration_result(wire.REG, "ue1@a"),
        messages.registration_result(wire.DEREG, "ue1@a", wire.NOT_REGISTERED),
        messages.deregistration("ue1@a"),
        msg(report=True),
        messages.message((wire.AS, "as@a"), (wire.GROUP, "group@a"), "m-2", False),
        messages.message((wire.UE, "ue1@a"), (wire.BROADCAST, "area-7"), "m-3"),
        messages.message((wire.UE, "ue1@a"), (wire.TOPIC, "news"), "m-4"),
        messages.response((wire.UE, "ue1@a"), "m-1", wire.DELIVERY_STORED),
        messages.response((wire.AS, "as@a"), "m-1", wire.DELIVERY_FAILED, wire.EXPIRED),
        report,
        messages.report_on(msg(), "BROKEN"),
        {
            wire.MESSAGE_TYPE: wire.SEGREC,
            wire.ORIGINATING_UE: "ue2@a",
            wire.RECIPIENT_UE: "ue1@a",
            wire.SEGMENTATION_SET_ID: "s1",
            wire.MESSAGE_ID: "m-1",
            wire.MISSING_SEGMENT_NUMBERS: [2, 5],
        },
        {
            wire.MESSAGE_TYPE: wire.SEGCONFIR,
            wire.ORIGINATING_UE: "ue2@a",
            wire.RECIPIENT_UE: "ue1@a",
            wire.SEGMENTATION_SET_ID: "s1",
            wire.MESSAGE_ID: "m-1",
        },
    ):
        assert messages.decode(messages.encode(elements)) == elements, elements


def test_each_element_comes_back_as_it_went_in_both_columns():
    for column in (wire.STAGE_2, wire.API):
        for number, value in SIMPLE.items():
            # exprTime is one name for two elements: the one of a message is found.
            if number == wire.EXPIRATION and column == wire.API:
                continue
            elements = msg()
            elements[number] = value
            assert messages.decode(octets(members(elements, column))) == elements, wire.name(number)


def test_store_and_forward_parameters():
    elements = msg()
    messages.set_expiration(elements, 1893456000)
    assert elements[wire.STORE_AND_FORWARD_PARAMETERS] == {wire.MESSAGE_EXPIRATION_TIME: EXPIRES}
    for column in (wire.STAGE_2, wire.API):
        back = messages.decode(octets(members(elements, column)))
        assert back == elements and messages.expiration(back) == 1893456000
    assert messages.expiration(msg()) is None


def test_the_client_profile_as_the_standard_prints_it():
    elements = messages.decode(
        b"""{"Message Type":"REG","UE Service ID":"ue1@msg.plmn1.example",
        "MSGin5G Client Profile":{
          "MSGin5G Client Triggering Information":{"UE Identifier":"msisdn:8613800000000","Port number":5683,
            "Associated protocol":"SMS"},
          "MSGin5G Client Communication Availability":{"Scheduled communication time":"2030-01-01T00:00:00Z",
            "Communication duration time":60,"Periodic communication indicator":true,
            "Periodic communication interval":3600,"Data size indication":512,"Store and forward option":true},
          "MSGin5G Client Supported Maximum MSGin5G segment size":1024},
        "Registration urgent degree":false,"Registration request expiration time":30}"""
    )
    assert elements[wire.CLIENT_PROFILE] == PROFILE
    assert elements[wire.REGISTRATION_URGENT_DEGREE] is False
    assert elements[wire.REGISTRATION_EXPIRATION_TIME] == 30


def test_bulk_registration_lists():
    # The whole list is one element, whose members are the registrations.
    two = [messages.registration("ue1@a", PROFILE), messages.registration("ue2@a")]
    elements = {
        wire.MESSAGE_TYPE: wire.REG,
        wire.NUMBER_OF_REGISTRATION_REQUESTS: 2,
        wire.REGISTRATION_REQUESTS: two,
    }
    assert messages_json.from_members(json.loads(messages.encode(elements))) == elements
    answer = {
        wire.MESSAGE_TYPE: wire.REG,
        wire.NUMBER_OF_REGISTRATION_RESPONSES: 1,
        wire.REGISTRATION_RESPONSES: [messages.registration_result(wire.REG, "ue1@a")],
    }
    assert messages_json.from_members(json.loads(messages.encode(answer))) == answer


def test_an_aggregated_message():
    elements = msg()
    elements[wire.NUMBER_OF_MESSAGES] = 2
    elements[wire.INDIVIDUAL_MESSAGES] = [
        {wire.MESSAGE_ID: "i-1", wire.PAYLOAD: "1", wire.DELIVERY_STATUS_REQUIRED: True},
        {wire.MESSAGE_ID: "i-2", wire.PAYLOAD: "2", wire.APPLICATION_ID: "meter", wire.PRIORITY_TYPE: "LOW"},
    ]
    assert messages.decode(messages.encode(elements)) == elements


def test_a_list_of_topics_goes_by_either_name():
    for key in ("Messaging Topic", "Messaging Topics", "msgTopics"):
        assert messages_json.from_members({key: ["a", "b"]}) == {wire.MESSAGING_TOPICS: ["a", "b"]}, key
    assert messages_json.from_members({"Messaging Topic": "a"}) == {wire.MESSAGING_TOPIC: "a"}


# -- tolerance


def test_the_names_of_29538_with_addresses_as_objects():
    elements = messages.decode(
        b"""{"msgType":"MSG","oriAddr":{"addrType":"AS","addr":"as@a"},"destAddr":{"addrType":"UE","addr":"ue2@a"},
        "appId":"meter","msgId":"m-1","delivStReqInd":true,"payload":"x","priority":"HIGH","segInd":true,
        "segParams":{"segId":"s1","totalSegCount":3,"segNumb":1,"lastSegFlag":false},
        "stoAndFwInd":true,"stoAndFwParams":{"exprTime":"2030-01-01T00:00:00Z"},"latency":200}"""
    )
    assert messages.originator(elements) == (wire.AS, "as@a")
    assert messages.recipient(elements) == (wire.UE, "ue2@a")
    assert messages.segment(elements) == 1
    assert messages.expiration(elements) == 1893456000
    assert elements[wire.TOTAL_SEGMENTS] == 3 and elements[wire.LATENCY] == 200


def test_each_type_of_address():
    for kind, element in wire.RECIPIENTS:
        found = messages_json.from_members({"destAddr": {"addrType": kind, "addr": "x"}})
        assert found == {element: "x"}, kind
    for kind, element in wire.ORIGINATORS:
        found = messages_json.from_members({"oriAddr": {"addrType": kind, "addr": "x"}})
        assert found == {element: "x"}, kind


def test_odd_spellings():
    assert messages.decode(
        octets(
            {
                "MESSAGE_TYPE": "msg",
                "originatingUeServiceId": "ue1@a",
                "Target UE Service ID": "ue2@a",
                "messageIdentifier": 17,
                "store-and-forward-flag": "true",
                "deliveryStatusRequired": 1,
                "somethingElse": {"Message Type": "REG"},
            }
        )
    ) == {
        wire.MESSAGE_TYPE: wire.MSG,
        wire.ORIGINATING_UE: "ue1@a",
        wire.RECIPIENT_UE: "ue2@a",
        wire.MESSAGE_ID: "17",
        wire.STORE_AND_FORWARD_FLAG: True,
        wire.DELIVERY_STATUS_REQUIRED: True,
    }


def test_unknown_members_and_nulls_are_ignored():
    more = members(msg())
    more["Favourite colour"] = [1, {"x": None}]
    more["Payload"] = None
    assert messages.decode(octets(more)) == msg()


def test_unknown_values_of_enumerations_are_kept():
    elements = msg()
    elements[wire.PRIORITY_TYPE] = "URGENT"
    assert messages.decode(messages.encode(elements)) == elements
    report = messages.report_on(msg())
    report[wire.DELIVERY_STATUS] = "PERHAPS"
    assert messages.decode(messages.encode(report))[wire.DELIVERY_STATUS] == "PERHAPS"


# -- what is refused


def test_each_mandatory_element_is_asked_for_by_its_stage_2_name():
    complete = {
        wire.REG: messages.registration("ue1@a"),
        wire.DEREG: messages.deregistration("ue1@a"),
        wire.MSG: msg(),
        wire.MSGRESP: messages.response((wire.UE, "ue1@a"), "m-1"),
        wire.IMDN: messages.report_on(msg()),
        wire.SEGREC: {
            wire.MESSAGE_TYPE: wire.SEGREC,
            wire.ORIGINATING_UE: "ue2@a",
            wire.RECIPIENT_UE: "ue1@a",
            wire.SEGMENTATION_SET_ID: "s1",
            wire.MISSING_SEGMENT_NUMBERS: [1],
        },
        wire.SEGCONFIR: {
            wire.MESSAGE_TYPE: wire.SEGCONFIR,
            wire.ORIGINATING_UE: "ue2@a",
            wire.RECIPIENT_UE: "ue1@a",
            wire.SEGMENTATION_SET_ID: "s1",
        },
        wire.SFUPD: {
            wire.MESSAGE_TYPE: wire.SFUPD,
            wire.ORIGINATING_UE: "ue1@a",
            wire.MESSAGE_ID: "m-1",
        },
    }
    assert set(complete) == set(wire.MANDATORY)
    carried_by = {wire.ORIGINATOR: wire.ORIGINATING_UE, wire.DESTINATION: wire.RECIPIENT_UE}
    for kind, elements in complete.items():
        assert cause_of(messages.encode(elements)) is None, kind
        for element in (wire.MESSAGE_TYPE,) + wire.MANDATORY[kind]:
            carrier = carried_by.get(element, element)
            missing = dict(elements)
            del missing[carrier]
            expected = wire.MANDATORY_IE_MISSING + wire.name(element)
            assert cause_of(messages.encode(missing)) == expected, (kind, element)
            if isinstance(elements[carrier], str) and element != wire.MESSAGE_TYPE:
                missing[carrier] = ""
                assert cause_of(messages.encode(missing)) == expected, (kind, element)


def test_what_could_be_read_is_kept_to_answer_with():
    for wrong in ({"Store and forward flag": None}, {"Store and forward flag": "perhaps"}):
        broken = members(msg())
        broken.update(wrong)
        try:
            messages.decode(octets(broken))
            raise AssertionError("accepted")
        except BadMessage as bad:
            assert messages.originator(bad.elements) == (wire.UE, "ue1@a")
            assert bad.elements[wire.MESSAGE_ID] == "m-1"


def test_wrong_types_are_named():
    wrong = {
        wire.MESSAGE_TYPE: (True, 1.5, [], {}),
        wire.MESSAGE_ID: (True, 1.5, ["m"], {"m": 1}),
        wire.DELIVERY_STATUS_REQUIRED: ("yes", 2, [], {}),
        wire.STORE_AND_FORWARD_FLAG: ("maybe", -1, [True], {}),
        wire.SEGMENT_NUMBER: ("1", 1.5, True, []),
        wire.STORE_AND_FORWARD_PARAMETERS: ("2030", 1, True, []),
        wire.EXPECTED_REGISTRATION_TIME: ("tomorrow", 1893456000, {}, []),
        wire.MISSING_SEGMENT_NUMBERS: (1, "1", ["1"], [1.5], [True], {}),
        wire.INDIVIDUAL_MESSAGES: ({}, "x", ["x"], [1], [[]]),
        wire.MESSAGING_TOPICS: ("x", [{}], [1.5], {}),
        wire.ORIGINATOR: ("ue1@a", {}, {"addrType": "UE"}, {"addr": "x"}, {"addrType": "GROUP", "addr": "x"}),
        wire.DESTINATION: ([], {"addrType": "MOON", "addr": "x"}, {"addrType": "UE", "addr": None}),
    }
    for number, values in wrong.items():
        for value in values:
            changed = members(msg())
            changed[wire.name(number)] = value
            cause = cause_of(changed)
            assert cause and cause.startswith(wire.INVALID_IE), (wire.name(number), value, cause)
    changed = members(msg())
    changed["Store and forward parameters"] = {"Message expiration time": "soon"}
    assert cause_of(changed) == "INVALID_IE:Message expiration time"


def test_unknown_message_types():
    for kind in ("", "MESSAGE", "MSG ", "42"):
        assert cause_of({"Message Type": kind}) == wire.UNKNOWN_MESSAGE_TYPE, kind


def test_identifiers_that_nobody_has():
    for text in ("x" * 256, "tab\tin it", "nul\0", "line\n", "\x1f"):
        for number in (wire.ORIGINATING_UE, wire.RECIPIENT_UE, wire.MESSAGE_ID, wire.APPLICATION_ID):
            elements = msg()
            elements[number] = text
            assert cause_of(octets(members(elements))) == wire.INVALID_IE + wire.name(number), text
    assert cause_of({"Message Type": "REG", "UE Service ID": "x" * 256}) == "INVALID_IE:UE Service ID"
    elements = msg()
    elements[wire.MESSAGE_ID] = "x" * 255
    assert cause_of(messages.encode(elements)) is None


def test_half_a_surrogate_pair_is_no_identifier():
    for text in (b"\\ud800", b"x\\udfffx"):
        payload = messages.encode(msg()).replace(b"m-1", text)
        assert cause_of(payload) == "INVALID_IE:Message ID"
    # Characters beyond them are.
    for text in (b"\\ue000", b"\xf0\x9f\x98\x80", b"\xef\xac\x81"):
        assert cause_of(messages.encode(msg()).replace(b"m-1", text)) is None, text


def test_what_is_refused_does_not_come_back_in_the_answer():
    for number in (wire.MESSAGE_ID, wire.ORIGINATING_UE):
        elements = msg()
        elements[number] = "x" * 5000
        for missing in (None, wire.STORE_AND_FORWARD_FLAG, wire.MESSAGE_TYPE):
            broken = dict(elements)
            broken.pop(missing, None)
            try:
                messages.decode(messages.encode(broken))
                raise AssertionError("accepted")
            except BadMessage as bad:
                assert number not in bad.elements


# -- JSON oddities


def test_json_that_is_no_object():
    for payload in (
        b"",
        b" ",
        b"null",
        b"true",
        b"17",
        b'"MSG"',
        b"[]",
        b'[{"Message Type":"MSG"}]',
        b"\xff",
    ):
        assert cause_of(payload) == wire.MALFORMED, payload


def test_json_that_is_not_utf_8():
    text = messages.encode(msg())
    utf16 = b"\xff\xfe" + bytes(x for octet in text for x in (octet, 0))
    for payload in (utf16, utf16[2:], b"\xff" + text, text.replace(b"m-1", b"\xc3\x28")):
        assert cause_of(payload) == wire.MALFORMED, payload


def test_json_that_is_cut_off():
    whole = messages.encode(messages.registration("ue1@a"))
    for size in range(len(whole)):
        assert cause_of(whole[:size]) == wire.MALFORMED, size
    assert cause_of(whole + b" \r\n\t") is None


def test_broken_json_is_refused_one_way_or_another():
    # MicroPython takes some of it for an object with members missing.
    for payload in (
        b'{"a":}',
        b'{"Message Type":}',
        b'{"Message Type" "MSG"}',
        b"{1:2}",
        b"{null:1}",
        b"{,}",
        b"{]",
        b"{",
        b'{"Message Type":"MSG"',
        b'{"Message Type":"MSG"}x',
        b'{"Message Type":"MSG"}{}',
        b'{"Message Type":tru}',
        b'{"Message Type":"\x00"}',
        b'{"Message Type":-}',
    ):
        cause = cause_of(payload)
        assert cause == wire.MALFORMED or cause.startswith(wire.MANDATORY_IE_MISSING), (payload, cause)


def test_deep_nesting():
    for deep in (
        b"[" * 1000 + b"]" * 1000,
        b"[" * 1000,
        b'{"x":' * 1000 + b"1" + b"}" * 1000,
        b'{"Store and forward parameters":' * 1000 + b"{}" + b"}" * 1000,
        b'{"Store and forward parameters":' * 400 + b"{}" + b"}" * 400,
        b'{"segParams":' * 400 + b"{}" + b"}" * 400,
        b'{"List of individual messages":[' * 300 + b"]}" * 300,
        b'{"Payload":' + b"[" * 900 + b"]" * 900 + b"}",
    ):
        cause = cause_of(deep)
        assert cause and (cause == wire.MALFORMED or ":" in cause), deep[:40]


def test_long_strings():
    length = 20000 if MICROPYTHON else 1 << 20
    long = b"x" * length
    payload = messages.encode(msg()).replace(b"m-1", long)
    assert cause_of(payload) == "INVALID_IE:Message ID"
    assert cause_of(b'{"' + long + b'":1}') == "MANDATORY_IE_MISSING:Message Type"
    assert cause_of(b'{"Message Type":"' + long + b'"}') == wire.UNKNOWN_MESSAGE_TYPE
    elements = msg()
    messages.set_payload(elements, str(long, "ascii"))
    assert len(messages.payload(messages.decode(messages.encode(elements)))) == length


def test_of_duplicate_members_the_last_counts():
    payload = messages.encode(msg())[:-1] + b',"Message ID":"m-2"}'
    assert messages.decode(payload)[wire.MESSAGE_ID] == "m-2"


def test_numbers_beyond_all_bounds():
    # 64 bits, as in CBOR and in the stores.
    for number in (b"9223372036854775807", b"-9223372036854775808"):
        payload = messages.encode(msg())[:-1] + b',"Latency":' + number + b"}"
        assert messages.decode(payload)[wire.LATENCY] == int(number)
    for number in (b"9223372036854775808", b"1" + b"0" * 300, b"-1" + b"0" * 300, b"1e999", b"1.0", b"-1e5"):
        payload = messages.encode(msg())[:-1] + b',"Latency":' + number + b"}"
        assert cause_of(payload) == "INVALID_IE:Latency"


# -- payloads


def test_payloads_of_text_and_of_octets():
    for value, wire_value in (
        ("hé", "hé"),
        (b"plain", "plain"),
        (bytearray(b"\xc3\xa9"), "é"),
        (b"\xff\x00\x80", b"\xff\x00\x80"),
        ("", ""),
        (b"", ""),
    ):
        elements = msg()
        messages.set_payload(elements, value)
        assert messages.payload(messages.decode(messages.encode(elements))) == wire_value, value
    assert messages.payload(msg()) is None


def test_base64_that_is_none():
    for text in ("A", "AAAAA", "Zm9v YmF"):
        elements = msg()
        elements[wire.PAYLOAD] = text
        elements[wire.PAYLOAD_ENCODING] = wire.BASE64
        assert cause_of(messages.encode(elements)) == "INVALID_IE:Payload", text


# -- reports and ids


def test_reports_go_back_where_the_message_came_from():
    for origin in ((wire.UE, "ue1@a"), (wire.AS, "as@a")):
        report = messages.report_on(messages.message(origin, (wire.UE, "ue2@a"), "m-1"))
        assert messages.recipient(report) == origin
        assert messages.originator(report) == (wire.UE, "ue2@a")
        assert report[wire.DELIVERY_STATUS] == wire.REPORT_SUCCESS and report[wire.MESSAGE_ID] == "m-1"
    failed = messages.report_on(msg(), "BROKEN")
    assert failed[wire.DELIVERY_STATUS] == wire.REPORT_FAILED and failed[wire.FAILURE_CAUSE] == "BROKEN"


def test_a_member_reports_on_a_group_message_as_itself():
    elements = messages.message((wire.UE, "ue1@a"), (wire.GROUP, "g@a"), "m-1")
    messages.set_recipient(elements, wire.UE, "ue2@a")
    report = messages.report_on(elements)
    assert messages.originator(report) == (wire.UE, "ue2@a")


def test_message_ids_are_uuids():
    text = messages.new_message_id(bytes(range(16)))
    assert text == "00010203-0405-4607-8809-0a0b0c0d0e0f"
    assert messages.new_message_id(b"\xff" * 16) == "ffffffff-ffff-4fff-bfff-ffffffffffff"
