# Messages in CBOR: the same elements as in JSON, whatever they are; what is left out; what is refused; any octets.

from msgin5g import cbor, message_id, messages, messages_cbor, messages_json, wire, wire_values
from msgin5g.coap import numbers as coap
from msgin5g.messages import BadMessage
from world import Random

UE = "ue-1@example.org"
AS = "as@example.org"
FROM_UE = (wire.ORIGINATOR, UE)
TO_UE = (wire.DESTINATION, UE)
UUID = "01234567-89ab-4def-8123-456789abcdef"
EXPIRES = "2030-01-01T00:00:00Z"


def msg(**options):
    return messages.message((wire.UE, UE), (wire.AS, AS), UUID, **options)


def encode(elements, implied=None):
    return messages.encode(elements, coap.CBOR, implied)


def decode(octets, implied=None):
    return messages.decode(octets, coap.CBOR, implied)


def keys(octets):
    return sorted(cbor.decode(octets))


def cause_of(members, implied=None):
    try:
        decode(members if isinstance(members, bytes) else cbor.encode(members), implied)
    except BadMessage as bad:
        return bad.cause
    return None


def valid():
    # Members of an MSG that is taken.
    return {wire.ORIGINATING_UE: UE, wire.RECIPIENT_AS: AS, wire.MESSAGE_ID: "m-1"}


# -- the same as in JSON


def test_a_message_in_cbor_octet_for_octet():
    elements = msg(report=True)
    messages.set_payload(elements, "23.5")
    assert encode(elements) == (
        b"\xa5"
        b"\x01\x70ue-1@example.org"
        b"\x03\x50\x01\x23\x45\x67\x89\xab\x4d\xef\x81\x23\x45\x67\x89\xab\xcd\xef"
        b"\x04\x6423.5"
        b"\x05\xf5"
        b"\x08\x6eas@example.org"
    )
    assert decode(encode(elements)) == elements


def test_each_value_and_its_number():
    for number, values in wire_values.VALUES.items():
        for place, value in enumerate(values):
            assert messages_cbor._as_short(number, value, None) == place
            assert messages_cbor._as_text(number, place, None) == value
        assert len(set(values)) == len(values) <= 24
    assert set(wire_values.VALUES[wire.MESSAGE_TYPE]) == set(wire.MANDATORY)


def test_expiration_is_four_octets():
    elements = msg()
    messages.set_expiration(elements, 1893456000)
    assert cbor.decode(encode(elements))[wire.STORE_AND_FORWARD_PARAMETERS] == {
        wire.MESSAGE_EXPIRATION_TIME: 1893456000
    }
    assert messages.expiration(decode(encode(elements))) == 1893456000
    # What seconds cannot say stays a text.
    for text in ("2030-01-01T00:00:00.5Z", "2030-01-01T02:00:00+02:00", "1969-01-01T00:00:00Z"):
        elements[wire.STORE_AND_FORWARD_PARAMETERS] = {wire.MESSAGE_EXPIRATION_TIME: text}
        assert decode(encode(elements)) == elements


def test_octets_travel_as_octets():
    elements = msg()
    messages.set_payload(elements, b"\xff\x00\x80")
    members = cbor.decode(encode(elements))
    assert members[wire.PAYLOAD] == b"\xff\x00\x80" and wire.PAYLOAD_ENCODING not in members
    back = decode(encode(elements))
    assert back == elements and messages.payload(back) == b"\xff\x00\x80"
    # base64 that is written another way than here stays as it is.
    elements[wire.PAYLOAD] = "/wCA\n"
    assert decode(encode(elements)) == elements


class Chance:
    # Random valid messages with every kind of element.
    def __init__(self, seed):
        self.random = Random(seed)

    def of(self, values):
        return values[self.random.bits(16) % len(values)]

    def text(self):
        return "".join([self.of("abc \u00e9\u6c34\U0001f600") for _ in range(1 + self.random.bits(3))])

    def identifier(self):
        random = self.random
        return self.of(
            (
                UUID,
                UUID.upper(),
                "m-1",
                self.text(),
                messages.new_message_id([random.bits(8) for _ in range(16)]),
                message_id.text(bytes([random.bits(8) for _ in range(1 + random.bits(2))]), UE),
                message_id.text(b"\x01\x02\x03\x04", AS),
                "00000000-0000-0000-0000-000000000000",
            )
        )

    def service_id(self):
        return self.of((UE, AS, "@example.org", "a@b@example.org", "as@elsewhere", "plain", self.text()))

    def value(self, number, deep):
        kind = wire.KINDS[number]
        if kind == "b":
            return bool(self.random.bits(1))
        if kind == "i":
            return self.random.bits(self.of((3, 8, 16, 31, 63))) * self.of((1, -1))
        if kind == "t":
            return self.of(
                (EXPIRES, "2026-11-22T06:00:01Z", "2030-01-01T00:00:00.25Z", "2030-01-01t00:00:00z")
            )
        if kind == "n":
            return [1 + self.random.bits(11) for _ in range(1 + self.random.bits(2))]
        if kind == "w":
            return [self.text() for _ in range(self.random.bits(2))]
        if kind == "o":
            return {
                inner: self.value(inner, deep - 1)
                for inner in self.inner()
                if deep or wire.KINDS[inner] != "o"
            }
        if number in wire_values.IDS:
            return self.identifier()
        if number in wire_values.LOCAL:
            return self.service_id()
        if number in wire_values.VALUES:
            return self.of(wire_values.VALUES[number] + ("unheard of", "7"))
        return self.text()

    def inner(self):
        return [self.of(FREE) for _ in range(self.random.bits(2))]

    def more(self, elements, most=4):
        for _ in range(self.random.bits(8) % most):
            number = self.of(FREE)
            elements[number] = self.value(number, 1)
        if self.random.bits(1):
            messages.set_payload(elements, bytes([self.random.bits(8) for _ in range(self.random.bits(4))]))
        return elements

    def message(self):
        kind = self.of(sorted(wire.MANDATORY))
        elements = self.more({wire.MESSAGE_TYPE: kind})
        for number in wire.MANDATORY[kind]:
            if number == wire.ORIGINATOR:
                messages.set_originator(elements, self.of((wire.UE, wire.AS)), self.service_id())
            elif number == wire.DESTINATION:
                messages.set_recipient(elements, self.of(wire.RECIPIENTS)[0], self.service_id())
            else:
                elements[number] = self.value(number, 1)
        if not self.random.bits(2):
            self.aggregate(elements, kind)
        return elements

    def aggregate(self, elements, kind):
        count = 1 + self.random.bits(2)
        if kind == wire.MSG:
            elements.pop(wire.STORE_AND_FORWARD_FLAG, None)
            elements[wire.NUMBER_OF_MESSAGES] = count
            elements[wire.INDIVIDUAL_MESSAGES] = [
                self.more({wire.MESSAGE_ID: self.identifier()}) for _ in range(count)
            ]
        elif kind == wire.IMDN:
            elements[wire.INDIVIDUAL_REPORTS] = [
                {wire.MESSAGE_ID: self.identifier(), wire.DELIVERY_STATUS: wire.REPORT_SUCCESS}
                for _ in range(count)
            ]
        elif kind == wire.REG:
            elements.pop(wire.UE_SERVICE_ID)
            elements[wire.NUMBER_OF_REGISTRATION_REQUESTS] = count
            elements[wire.REGISTRATION_REQUESTS] = [
                self.more({wire.UE_SERVICE_ID: self.service_id()}) for _ in range(count)
            ]


# Elements that a message may have more of, without a rule about them.
FREE = [
    number
    for number in range(len(wire.KINDS))
    if wire.KINDS[number] not in "al"
    and number
    not in (
        wire.MESSAGE_TYPE,
        wire.ORIGINATING_UE,
        wire.ORIGINATING_AS,
        wire.PAYLOAD,
        wire.PAYLOAD_ENCODING,
        wire.SEGMENTATION_PARAMETERS,
        wire.SEGMENTATION_SET_ID,
        wire.SEGMENT_NUMBER,
        wire.TOTAL_SEGMENTS,
        wire.LAST_SEGMENT_FLAG,
        wire.MISSING_SEGMENT_NUMBERS,
        wire.NUMBER_OF_MESSAGES,
        wire.NUMBER_OF_REPORTS,
        wire.NUMBER_OF_REGISTRATION_REQUESTS,
        wire.NUMBER_OF_REGISTRATION_RESPONSES,
        wire.ADDRESS_TYPE,
        wire.ADDRESS,
    )
]


def test_json_and_cbor_have_the_same_elements():
    met = set()
    for seed in range(400):
        elements = Chance(seed).message()
        met.update(elements)
        as_json = messages.decode(messages.encode(elements))
        assert as_json == elements, seed
        for implied in (None, FROM_UE, TO_UE, (wire.ORIGINATOR, AS), (wire.DESTINATION, "no-domain")):
            octets = encode(elements, implied)
            assert decode(octets, implied) == elements, (seed, implied)
            assert len(octets) < len(messages.encode(elements)), seed
    # All of them were there.
    for number in FREE:
        assert number in met, number


def test_what_is_implied_is_restored_whatever_side_it_is_on():
    # Messages of a group, of a topic, of an AS with the same Service ID as the UE: nothing else comes back.
    for elements in (
        messages.message((wire.UE, UE), (wire.GROUP, UE), "m"),
        messages.message((wire.AS, UE), (wire.AS, UE), "m"),
        messages.message((wire.AS, UE), (wire.UE, UE), "m", False),
        messages.response((wire.AS, UE), "m"),
        messages.response((wire.UE, "another@example.org"), "m"),
        messages.report_on(messages.message((wire.UE, UE), (wire.UE, UE), "m")),
    ):
        for implied in (FROM_UE, TO_UE):
            assert decode(encode(elements, implied), implied) == elements, elements
    member = messages.message((wire.UE, "b@c"), (wire.GROUP, "g@c"), "m")
    messages.set_recipient(member, wire.UE, UE)
    assert decode(encode(member, TO_UE), TO_UE) == member


# -- compact


def test_what_is_left_out_of_a_message():
    elements = msg()
    assert keys(encode(elements)) == [wire.ORIGINATING_UE, wire.MESSAGE_ID, wire.RECIPIENT_AS]
    octets = encode(elements, FROM_UE)
    assert keys(octets) == [wire.MESSAGE_ID, wire.RECIPIENT_AS]
    assert cbor.decode(octets)[wire.RECIPIENT_AS] == b"as"
    assert decode(octets, FROM_UE) == elements
    elements[wire.STORE_AND_FORWARD_FLAG] = False
    assert keys(encode(elements, FROM_UE)) == [
        wire.MESSAGE_ID,
        wire.STORE_AND_FORWARD_FLAG,
        wire.RECIPIENT_AS,
    ]


def test_what_is_left_out_on_the_way_down():
    elements = messages.message((wire.AS, AS), (wire.UE, UE), UUID)
    octets = encode(elements, TO_UE)
    assert keys(octets) == [wire.MESSAGE_ID, wire.ORIGINATING_AS]
    assert decode(octets, TO_UE) == elements
    stored = messages.response((wire.UE, UE), UUID, wire.DELIVERY_STORED)
    assert keys(encode(stored, TO_UE)) == [wire.MESSAGE_TYPE, wire.MESSAGE_ID, wire.DELIVERY_STATUS]
    result = messages.registration_result(wire.REG, UE)
    assert encode(result, TO_UE) == b"\xa2\x00\x03\x18\x18\x00"
    assert decode(encode(result, TO_UE), TO_UE) == result


def test_who_is_not_implied_must_be_named():
    octets = encode(msg(), FROM_UE)
    assert cause_of(octets) == "INVALID_IE:Recipient AS Service ID"
    octets = cbor.encode({wire.MESSAGE_ID: "m", wire.RECIPIENT_AS: AS})
    assert cause_of(octets) == "MANDATORY_IE_MISSING:Originating UE Service ID/AS Service ID"
    assert cause_of(octets, TO_UE) == "MANDATORY_IE_MISSING:Originating UE Service ID/AS Service ID"
    assert cause_of(octets, FROM_UE) is None


def test_a_short_message_id_of_a_store():
    octets = message_id.short(b"\xa1\xb2\xc3", 258)
    elements = msg()
    elements[wire.MESSAGE_ID] = message_id.text(octets, UE)
    assert cbor.decode(encode(elements, FROM_UE))[wire.MESSAGE_ID] == octets
    # The report on it is as short, on both hops, and so is the message response.
    for told in (messages.report_on(elements), messages.response((wire.UE, UE), elements[wire.MESSAGE_ID])):
        for implied in (None, TO_UE, FROM_UE):
            assert cbor.decode(encode(told, implied))[wire.MESSAGE_ID] == octets
            assert decode(encode(told, implied), implied) == told
    # Another's message has its UUID.
    elements[wire.ORIGINATING_UE] = "ue-2@example.org"
    assert len(cbor.decode(encode(elements))[wire.MESSAGE_ID]) == 16


# -- tolerance


def test_unknown_keys_are_ignored():
    members = valid()
    expected = decode(cbor.encode(members))
    for key in (len(wire.KINDS), 1000, 1 << 40, -1, "Message ID", "x"):
        for value in (0, "x", b"x", [1, [2]], {"a": {}}, None, True):
            more = dict(members)
            more[key] = value
            assert decode(cbor.encode(more)) == expected, (key, value)
    # A float, undefined, a tag of somebody's.
    for octets in (b"\xf9\x3c\x00", b"\xf7", b"\xd8\x64\x00"):
        raw = cbor.encode(members)
        raw = bytes([raw[0] + 1]) + raw[1:] + b"\x19\x03\xe8" + octets
        assert decode(raw) == expected
    # The APIs' own elements, and null.
    members[wire.ORIGINATOR] = {wire.ADDRESS_TYPE: "UE", wire.ADDRESS: "x"}
    members[wire.SEGMENTATION_PARAMETERS] = {wire.SEGMENT_NUMBER: 1}
    members[wire.APPLICATION_ID] = None
    assert decode(cbor.encode(members)) == expected


def test_unknown_numbers_of_values():
    members = valid()
    members[wire.MESSAGE_TYPE] = 99
    assert cause_of(members) == wire.UNKNOWN_MESSAGE_TYPE
    members[wire.MESSAGE_TYPE] = "msg"
    members[wire.STORE_AND_FORWARD_FLAG] = 1
    members[wire.PRIORITY_TYPE] = 99
    assert decode(cbor.encode(members))[wire.PRIORITY_TYPE] == "99"
    members = valid()
    members[wire.MESSAGE_ID] = 17
    assert decode(cbor.encode(members))[wire.MESSAGE_ID] == "17"


# -- what is refused


def test_what_is_no_map():
    for octets in (
        b"",
        b"\x00",
        b"\x80",
        b"\xf6",
        b"\x60",
        b"\xbf\xff",
        b"\xa1\x00",
        b"{}",
        b'{"Message Type":"MSG"}',
    ):
        assert cause_of(octets) == wire.MALFORMED, octets
    assert cause_of(encode(msg()) + b"\x00") == wire.MALFORMED
    assert cause_of(b"\xa1\x0d" * 5000 + b"\xa0") == wire.MALFORMED


def test_wrong_types_have_the_causes_of_json():
    wrong = {
        wire.MESSAGE_TYPE: (True, [], {}),
        wire.MESSAGE_ID: (True, ["m"], {3: 1}),
        wire.DELIVERY_STATUS_REQUIRED: ("yes", 2, [], {}),
        wire.STORE_AND_FORWARD_FLAG: ("maybe", -1, [True], {}),
        wire.LATENCY: ("1", True, [], 1 << 63),
        wire.STORE_AND_FORWARD_PARAMETERS: ("2030", 1, True, []),
        wire.EXPECTED_REGISTRATION_TIME: ("tomorrow", {}, []),
        wire.MISSING_SEGMENT_NUMBERS: (1, "1", ["1"], [True], {}),
        wire.INDIVIDUAL_MESSAGES: ({}, "x", ["x"], [1], [[]]),
        wire.MESSAGING_TOPICS: ("x", [{}], {}),
    }
    for number, values in wrong.items():
        for value in values:
            members = valid()
            members[number] = value
            named = messages_json.to_members(msg())
            named[wire.name(number)] = {} if isinstance(value, dict) else value
            try:
                messages.decode(messages_json.dumps(named))
                raise AssertionError("accepted")
            except BadMessage as bad:
                assert cause_of(members) == bad.cause, (number, value)


def test_wrong_values_that_only_cbor_has():
    for number, value in (
        (wire.MESSAGE_ID, b""),
        (wire.MESSAGE_ID, b"x" * 8),
        (wire.MESSAGE_ID, b"x" * 17),
        (wire.APPLICATION_ID, b"x"),
        (wire.RECIPIENT_AS, b"as"),
        (wire.EXPECTED_REGISTRATION_TIME, -1),
        (wire.EXPECTED_REGISTRATION_TIME, 253402300800),
        (wire.EXPECTED_REGISTRATION_TIME, 1 << 63),
        (wire.LATENCY, 1 << 63),
    ):
        members = valid()
        members[number] = value
        assert cause_of(members) == "INVALID_IE:" + wire.name(number), (number, value)
    members = valid()
    members[wire.STORE_AND_FORWARD_PARAMETERS] = {wire.MESSAGE_ID: b"1234"}
    assert cause_of(members) == "INVALID_IE:Message ID"
    members = {wire.MESSAGE_ID: b"\x01", wire.RECIPIENT_AS: b"\xff"}
    assert cause_of(members, FROM_UE) == "INVALID_IE:Recipient AS Service ID"


def test_what_could_be_read_is_kept_to_answer_with():
    members = {wire.MESSAGE_ID: b"\x01\x02", wire.RECIPIENT_AS: b"as", wire.LATENCY: "x"}
    try:
        decode(cbor.encode(members), FROM_UE)
        raise AssertionError("accepted")
    except BadMessage as bad:
        assert messages.originator(bad.elements) == (wire.UE, UE)
        assert bad.elements[wire.MESSAGE_ID] == message_id.text(b"\x01\x02", UE)


def test_identifiers_that_nobody_has():
    for text in ("x" * 256, "tab\tin it", "nul\0"):
        for number in (wire.ORIGINATING_UE, wire.MESSAGE_ID, wire.APPLICATION_ID):
            members = valid()
            members[number] = text
            assert cause_of(members) == "INVALID_IE:" + wire.name(number)
    # Nor in parts.
    members = valid()
    members[wire.RECIPIENT_AS] = b"x" * 250
    assert cause_of(members, FROM_UE) == "INVALID_IE:Recipient AS Service ID"


def test_half_a_surrogate_pair_becomes_a_question_mark():
    # Only as \u in JSON is there such a thing.
    elements = messages.decode(messages.encode(msg())[:-1] + b',"Payload":"x\\ud800"}')
    try:
        elements[wire.PAYLOAD].encode()
    except UnicodeError:
        assert decode(encode(elements))[wire.PAYLOAD] == "x?"


def test_any_octets_are_read_or_refused():
    for seed in range(300):
        chance = Chance(seed)
        random = chance.random
        implied = chance.of((None, FROM_UE, TO_UE))
        octets = bytearray(encode(chance.message(), implied))
        for _ in range(1 + random.bits(2)):
            octets[random.bits(12) % len(octets)] = random.bits(8)
        if not random.bits(2):
            octets = octets[: random.bits(12) % len(octets)]
        try:
            elements = decode(bytes(octets), implied)
        except BadMessage as bad:
            # What its sender is answered with.
            messages.encode(bad.elements)
            encode(bad.elements, implied)
            continue
        # It goes on in JSON, and comes back.
        assert messages.decode(messages.encode(elements)) == elements, seed
        assert decode(encode(elements, implied), implied) == elements, seed
