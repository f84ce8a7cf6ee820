"""The contract of a label's text, under any input: it is read, or refused with a reason. The same examples in every run."""

import base64
import struct
from binascii import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgin5g import cbor
from msgin5g.board import paste
from msgin5g.board import settings as board_settings

repeatable = settings(derandomize=True, deadline=None, max_examples=500, database=None)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 40) | st.text(max_size=8) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(0, 9), inner, max_size=3),
    max_leaves=12,
)
good = (
    st.text(max_size=20),
    st.text(max_size=20),
    st.none() | st.text(max_size=20),
    st.binary(max_size=16),
    st.binary(max_size=8),
    st.binary(max_size=7),
    st.text(max_size=16),
    st.sampled_from(board_settings.LINKS),
    st.lists(st.text(max_size=8), max_size=4),
    st.lists(st.none() | st.integers(0, 48), max_size=6),
    st.none() | st.text(max_size=20),
    st.integers(0, 20),
)
contents = st.tuples(*(st.one_of(one, values) if at % 3 == 0 else one for at, one in enumerate(good))).map(
    list
)


def text_of(encoded):
    octets = struct.pack(">H", len(encoded)) + encoded
    octets += struct.pack(">I", crc32(octets))
    return paste.PREFIX + base64.b32encode(octets).decode().rstrip("=")


def check(text):
    """Read, or refused; what was read can be used. Was it read?"""
    reason = ""
    try:
        device, found = paste.read(text)
    except paste.BadText as bad:
        reason = bad.args[0]
        device = found = None
    if device is None or found is None:
        assert reason
        return False
    assert board_settings.complaint(dict(found)) is None
    assert device["ue_service_id"]
    assert set(device["oscore"]) == {"master_secret", "master_salt", "sender_id", "recipient_id"}
    return True


@given(
    st.text(max_size=700)
    | st.text(paste._ALPHABET + "01 \n", max_size=600).map(lambda text: paste.PREFIX + text)
)
@repeatable
def test_any_text_is_refused(text):
    assert not check(text)


@given(st.binary(max_size=300))
@repeatable
def test_any_octets_behind_a_right_checksum_are_read_or_refused(octets):
    check(text_of(octets))


@given(contents | values)
@repeatable
def test_any_values_behind_a_right_checksum_are_read_or_refused(content):
    check(text_of(cbor.encode(content)))


@given(st.tuples(*good).map(list), st.data())
@repeatable
def test_what_is_changed_anywhere_is_refused(content, data):
    text = text_of(cbor.encode(content))
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(paste._ALPHABET + "01:\x00é"))
    if other not in (text[place], text[place].lower()):
        assert not check(text[:place] + other + text[place + 1 :])
    assert not check(text[:place])


def test_a_good_one_is_among_them():
    content = ["u", "g", None, b"k", b"s", b"\0", "B", "espnow", [], [], None, 1]
    assert check(text_of(cbor.encode(content)))
    with pytest.raises(paste.BadText):
        paste.read(text_of(cbor.encode(content[:-1])))
