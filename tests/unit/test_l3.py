# L3 messages of MSGin5G-5: the layout that the standard prints, and what is no message.

import gc
import sys

from msgin5g import l3, wire
from msgin5g import l3_table as table

MESSAGE_ID = bytes(range(16))
MESSAGE = {
    table.TARGET_ADDRESS: b"as@example.org",
    table.MESSAGE_ID: MESSAGE_ID,
    table.PAYLOAD: b"23.5",
    table.APPLICATION_ID: 0x1234,
    table.DELIVERY_STATUS_REQUIRED: 1,
    table.TARGET_TYPE: 1,
}
OCTETS = b"\x01\x0eas@example.org" + MESSAGE_ID + b"\x00\x0423.5" + b"\x0a\x12\x34\xb1\xd1"


def refused(octets):
    try:
        l3.decode(octets)
    except l3.BadL3:
        return True
    return False


def encoded(message_type, **changed):
    values = dict(MESSAGE)
    for name, value in changed.items():
        values[getattr(table, name)] = value
    return l3.encode(message_type, values)


def test_message_sending_request_is_what_table_a_2_1_1_1_says():
    assert l3.encode(table.MESSAGE_SENDING_REQUEST, MESSAGE) == OCTETS
    told = l3.decode(OCTETS)
    assert told.pop(table.MESSAGE_TYPE) == table.MESSAGE_SENDING_REQUEST
    assert told == MESSAGE


def test_each_message_comes_back_as_it_went():
    values = {
        table.TARGET_ADDRESS: b"a@b.c",
        table.MESSAGE_ID: MESSAGE_ID,
        table.PAYLOAD: b"x" * 65535,
        table.DELIVERY_STATUS: 1,
        table.LAYER_2_ID: 0xABCDEF,
        table.CAUSE: 3,
        table.ACKNOWLEDGED_TYPE: 4,
        table.APPLICATION_ID: 65535,
        table.FAILURE_CAUSE: b"why",
        table.CREDENTIAL: b"secret",
        table.DELIVERY_STATUS_REQUIRED: 0,
        table.TARGET_TYPE: 15,
    }
    for message_type, layout in table.MESSAGES.items():
        told = l3.decode(bytes(l3.encode(message_type, values)))
        expected = {table.MESSAGE_TYPE: message_type}
        for element in layout:
            if element:
                expected[element] = values[element]
        assert told == expected, message_type


def test_optional_elements_may_be_missing_and_come_in_any_order():
    plain = OCTETS[:-5]
    assert table.APPLICATION_ID not in l3.decode(plain)
    told = l3.decode(plain + b"\xd2\xb1\x0a\x00\x07")
    assert told[table.TARGET_TYPE] == 2 and told[table.APPLICATION_ID] == 7


def test_of_two_the_first_counts():
    told = l3.decode(OCTETS + b"\xd3\x0a\x00\x07\xb0")
    assert told[table.TARGET_TYPE] == 1 and told[table.APPLICATION_ID] == 0x1234
    assert told[table.DELIVERY_STATUS_REQUIRED] == 1


def test_unknown_elements_are_passed_over():
    # Half an octet; with a length; with none; what another message has.
    for unknown in (b"\xe5", b"\x80", b"\x33\x02ab", b"\x00\x00", b"\x0c\x01x"):
        assert l3.decode(OCTETS[:-5] + unknown + b"\xd1")[table.TARGET_TYPE] == 1, unknown


def test_whatever_is_cut_off_is_refused():
    whole = OCTETS + b"\x33\x02ab"
    complete = (len(OCTETS) - 5, len(OCTETS) - 2, len(OCTETS) - 1, len(OCTETS), len(whole))
    for size in range(len(whole) + 1):
        assert refused(whole[:size]) == (size not in complete), size


def test_lengths_that_an_element_can_not_have_are_refused():
    assert refused(b"\x01\x04a@bc" + MESSAGE_ID + b"\x00\x01x")
    assert refused(b"\x01\x05a@b.c" + MESSAGE_ID + b"\x00\x00")
    assert refused(b"\x05\x00\x00\x01\x00\x07\x0e\x00\x00")
    assert refused(b"\x0b") and refused(b"") and refused(b"\x00")
    for changed in (
        {"TARGET_ADDRESS": b"a@bc"},
        {"TARGET_ADDRESS": b"a" * 256},
        {"MESSAGE_ID": b"short"},
        {"PAYLOAD": b""},
        {"PAYLOAD": None},
        {"APPLICATION_ID": 65536},
        {"APPLICATION_ID": -1},
        {"TARGET_TYPE": 16},
    ):
        try:
            encoded(table.MESSAGE_SENDING_REQUEST, **changed)
            raise AssertionError(changed)
        except l3.BadL3:
            pass


def test_elements_go_by_the_numbers_of_the_wire_table():
    for ours, theirs in (
        (table.MESSAGE_TYPE, wire.MESSAGE_TYPE),
        (table.MESSAGE_ID, wire.MESSAGE_ID),
        (table.PAYLOAD, wire.PAYLOAD),
        (table.DELIVERY_STATUS_REQUIRED, wire.DELIVERY_STATUS_REQUIRED),
        (table.APPLICATION_ID, wire.APPLICATION_ID),
        (table.DELIVERY_STATUS, wire.DELIVERY_STATUS),
        (table.FAILURE_CAUSE, wire.FAILURE_CAUSE),
        (table.CREDENTIAL, wire.UE_CREDENTIAL_INFORMATION),
        (table.LAYER_2_ID, wire.LAYER_2_ID),
        (table.TARGET_ADDRESS, wire.TARGET_ADDRESS),
        (table.TARGET_TYPE, wire.TARGET_TYPE),
    ):
        assert ours == theirs
    # Target Type counts them in this order.
    kinds = [kind for kind, _ in wire.RECIPIENTS]
    assert kinds == [wire.UE, wire.AS, wire.GROUP, wire.BROADCAST, wire.TOPIC]


def test_decoding_makes_no_garbage_but_slices():
    # For each value of octets the slice that cuts it out: 16 octets on a 32-bit board.
    if sys.implementation.name != "micropython":
        return
    l3.decode(OCTETS)
    gc.collect()
    gc.disable()
    told = l3.decode(OCTETS)
    with_garbage = gc.mem_alloc()
    gc.collect()
    garbage = with_garbage - gc.mem_alloc()
    gc.enable()
    assert told and garbage <= 3 * (16 if sys.maxsize < 1 << 32 else 32), garbage


def test_any_octets_are_decoded_or_refused():
    # Mutations of good messages, from a seed: the same on every runtime.
    state = 12345
    good = [bytes(OCTETS)]
    good.append(b"\x05\x00\x00\x01\x00\x07\x0e\x00\x06secret")
    good.append(bytes(encoded(table.DELIVERY_REPORT_RECEIVED, DELIVERY_STATUS=1, FAILURE_CAUSE=b"why")))
    accepted = 0
    for turn in range(3000):
        octets = bytearray(good[turn % len(good)])
        for _ in range(1 + turn % 4):
            state = (state * 1103515245 + 12345) & 0x3FFFFFFF
            octets[(state >> 8) % len(octets)] = state >> 20 & 0xFF
        octets = bytes(octets[: len(octets) - (turn >> 3) % 3])
        try:
            told = l3.decode(octets)
        except l3.BadL3:
            continue
        accepted += 1
        again = l3.decode(bytes(l3.encode(told[table.MESSAGE_TYPE], told)))
        assert again == told
    assert accepted > 100
