"""Messages decoded by the shape of those before them: the same elements, and the same refusals."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgin5g import messages, wire

from host_tools import quick_json

thorough = quick_json._thorough

MSG = {
    "Message Type": "MSG",
    "Message ID": "a-1",
    "Originating UE Service ID": "ue@x",
    "Recipient AS Service ID": "as@x",
    "Store and forward flag": True,
    "Payload": "21.5",
}


def outcome(decode, octets):
    try:
        return decode(octets)
    except messages.BadMessage as bad:
        return bad.cause, bad.elements


def same(members):
    octets = json.dumps(members).encode()
    assert outcome(quick_json.decode, octets) == outcome(thorough, octets)


@pytest.fixture(autouse=True)
def shapes(monkeypatch):
    known = {}
    monkeypatch.setattr(quick_json, "_shapes", known)
    monkeypatch.setattr(messages, "decode", thorough)
    # The first of its shape.
    quick_json.decode(json.dumps(MSG).encode())
    assert len(known) == 1
    return known


@pytest.mark.parametrize(
    "change",
    [
        {"Message ID": "a-2"},
        {"Message ID": ""},
        {"Message ID": "x" * 255},
        {"Message ID": "x" * 256},
        {"Message ID": "a\tb"},
        {"Message ID": "\ud800"},
        {"Message ID": "ä\u00a0ö"},
        {"Message ID": 17},
        {"Message ID": None},
        {"Message Type": "msg"},
        {"Message Type": "IMDN"},
        {"Message Type": "MSGRESP"},
        {"Message Type": "NONE"},
        {"Message Type": ""},
        {"Message Type": ["MSG"]},
        {"Originating UE Service ID": ""},
        {"Recipient AS Service ID": ""},
        {"Store and forward flag": "true"},
        {"Store and forward flag": 1},
        {"Store and forward flag": 2},
        {"Payload": ""},
        {"Payload": "\0"},
        {"Payload": 3},
        {"Payload": {}},
    ],
    ids=repr,
)
def test_what_differs_in_a_value(change):
    same(MSG | change)


def test_a_message_type_that_needs_more_is_not_taken_by_another_ones_shape(shapes):
    members = {"Message Type": "MSGRESP", "Originating UE Service ID": "a", "Message ID": "1"}
    assert quick_json.decode(json.dumps(members).encode())[wire.MESSAGE_ID] == "1"
    same(members | {"Message Type": "MSG"})
    same(members | {"Message Type": "SFUPD"})
    assert len(shapes) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"Payload encoding": "base64"},
        {"Payload encoding": "rot13"},
        {"Priority type": "HIGH"},
        {"Segmentation Set Identifier": "s"},
        {"Message segment number": 1},
        {"Number of individual messages": 1},
        {"Store and forward parameters": {"Message expiration time": "2026-01-01T00:00:00Z"}},
        {"something else": "x"},
        {"message id": "b"},
    ],
    ids=repr,
)
def test_what_has_more_members(more):
    for _ in range(2):
        same(MSG | more)


def test_octets_that_are_no_json():
    octets = json.dumps(MSG).encode()
    for odd in (
        octets[:-1],
        octets + b"x",
        b"",
        b"[]",
        b'"MSG"',
        b"\xff" + octets,
        octets.replace(b"21.5", b"\0"),
    ):
        assert outcome(quick_json.decode, odd) == outcome(thorough, odd)


def test_shapes_are_bounded(shapes):
    for number in range(quick_json._MOST_SHAPES + 50):
        members = {"Message Type": "DEREG", "UE Service ID": "ue"}
        # Spellings of one name, by the bits of a number.
        name = "".join(
            letter.upper() if number >> place & 1 else letter for place, letter in enumerate("ueserviceid")
        )
        quick_json.decode(json.dumps({"Message Type": "DEREG", name: members["UE Service ID"]}).encode())
    assert len(shapes) == quick_json._MOST_SHAPES


_names = st.sampled_from(
    [*MSG, "Delivery Status", "UE Service ID", "appId", "Latency", "Payload encoding", "x"]
)
_values = st.sampled_from(["MSG", "IMDN", "REG", "", "a", "base64", "\x7f", 1, True, None, [], {}])


@given(st.lists(st.dictionaries(_names, _values, max_size=8), max_size=6))
def test_any_messages_in_any_order(several):
    for members in several:
        same(MSG | members)
        same(members)
