# The wire table: names in every spelling, both columns, and what must not be found.

from msgin5g import wire, wire_names, wire_rare
from msgin5g.coap.message import dotted

# Every element by number, from the table itself.
LINES = wire_names.all_lines()
NUMBERS = [int(line.split("|")[0]) for line in LINES]


def constants():
    # The module's element constants by number.
    found = {}
    for word in dir(wire) + dir(wire_rare):
        value = getattr(wire, word)
        if word.upper() == word and isinstance(value, int) and not isinstance(value, bool):
            found.setdefault(value, []).append(word)
    return found


def test_numbers_are_unique_and_the_ones_of_the_table():
    assert len(set(NUMBERS)) == len(NUMBERS)
    assert sorted(NUMBERS) == list(range(len(NUMBERS)))
    known = constants()
    for number in NUMBERS:
        assert number in known, number


def test_every_line_is_well_formed():
    for line in LINES:
        names = line.split("|", 1)[1]
        assert line.endswith("|") and names.split("|")[0], line


def test_each_element_has_a_kind():
    assert len(wire.KINDS) == len(LINES)
    for kind in wire.KINDS:
        assert kind in "sbitoawnl"


def test_every_name_is_found_again():
    for number in NUMBERS:
        for column in (wire.STAGE_2, wire.API):
            assert wire.element(wire.name(number, column))[0] == number, (number, column)


def test_names_of_both_columns():
    assert wire.name(wire.MESSAGE_TYPE) == "Message Type"
    assert wire.name(wire.MESSAGE_TYPE, wire.API) == "msgType"
    assert wire.name(wire.STORE_AND_FORWARD_FLAG, wire.API) == "stoAndFwInd"
    assert wire.name(wire.ORIGINATOR, wire.API) == "oriAddr"


def test_what_29538_has_no_name_for_goes_by_its_stage_2_name():
    for number in (wire.PAYLOAD_ENCODING, wire.GROUP_SERVICE_ID, wire.UE_IDENTIFIER, wire.TARGET_TYPE):
        assert wire.name(number, wire.API) == wire.name(number)
    for number in NUMBERS:
        assert "\n" not in wire.name(number, wire.API)


def test_spelling_is_compared_without_case_and_punctuation():
    for spelling in (
        "Message ID",
        "message id",
        "messageId",
        "MESSAGE_ID",
        "message-id",
        "Message  ID:",
        "msgId",
        "MsgID",
        "messageIdentifier",
    ):
        assert wire.element(spelling) == (wire.MESSAGE_ID, "s"), spelling
    assert wire.element("storeAndForwardFlag")[0] == wire.STORE_AND_FORWARD_FLAG
    assert (
        wire.element("MSGin5G Client Supported Maximum MSGin5G segment size")[0]
        == wire.SUPPORTED_SEGMENT_SIZE
    )
    assert wire.element("Port number(s)")[0] == wire.PORT_NUMBER
    assert wire.element("Wait time")[0] == wire.REGISTRATION_EXPIRATION_TIME
    assert wire.element("Layer-2 ID")[0] == wire.LAYER_2_ID


def test_what_is_no_name_is_not_found():
    for key in (
        "",
        "|",
        "Message",
        "Message Type|msgType",
        "\n1 s",
        "0 s",
        "1 s",
        "s",
        "nonsense",
        " ",
        "|||",
        None,
        7,
    ):
        assert wire.element(key) is None, key


def test_lookups_are_bounded():
    wire.element("Message Type")
    for count in range(400):
        wire.element("message" + "-" * (count % 60) + "." * (count // 60) + "type")
    assert len(wire_names._found) <= wire_names._MOST_FOUND
    long = "message" + "-" * 1000 + "type"
    assert wire.element(long) is None
    assert long not in wire_names._found


def test_delivery_status_in_any_spelling():
    for text, meaning in (
        (wire.REPORT_SUCCESS, wire.SUCCESS),
        (wire.REPORT_FAILED, wire.FAILED),
        (wire.DELIVERY_FAILED, wire.FAILED),
        (wire.DELIVERY_STORED, wire.STORED),
        (wire.DELIVERY_REJECTED, wire.REJECTED),
        ("success", wire.SUCCESS),
        ("Reject", wire.REJECTED),
        ("stored for deferred delivery", wire.STORED),
        ("UNSUCCESSFUL", wire.FAILED),
        ("Failure of success", wire.FAILED),
        ("", wire.FAILED),
        ("whatever", wire.FAILED),
    ):
        assert wire.status(text) == meaning, text


def test_mandatory_elements_have_names():
    for kind, elements in wire.MANDATORY.items():
        for number in elements:
            assert wire.name(number), (kind, number)


def test_each_outcome_has_a_code():
    assert [dotted(code) for code in (wire.REGISTERED, wire.DEREGISTERED, wire.ACCEPTED)] == [
        "2.01",
        "2.02",
        "2.04",
    ]
    assert dotted(wire.INVALID) == "4.00"
    assert dotted(wire.REFUSED) == "4.03"
    assert dotted(wire.NO_SUCH_RECIPIENT) == "4.04"
    assert dotted(wire.WRONG_FORMAT) == "4.15"
    assert dotted(wire.UNAVAILABLE) == "5.03"
