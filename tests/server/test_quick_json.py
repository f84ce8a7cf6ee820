"""msgspec in place of the json module: the same answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgin5g import messages

from host_tools import quick_json

ODD = [
    b'{"a":"\xff"}',
    b'{"a":"\xed\xa0\x80"}',
    b'{"a":"\xc0\x80"}',
    b'{"a":"\xc3"}',
    b'{"\xff":1}',
    b'{"a":"\x01"}',
    b'{"a":"\x7f"}',
    b'{"a":"\\u0000"}',
    b'{"a":"\\x"}',
    b'{"a":"\\ud800"}',
    b'{"a":"\\ud83d\\ude00"}',
    b'{"\\ud800":1}',
    b'{"a":12345678901234567890123}',
    b'{"a":-9223372036854775809}',
    b'{"a":1e400}',
    b'{"a":-0}',
    b'{"a":1.0}',
    b'{"a":01}',
    b'{"a":1.}',
    b'{"a":Infinity}',
    b'{"a":1,"a":2}',
    b'{"a":1,}',
    b'{"a":1}\x0b',
    b'\x0c{"a":1}',
    b'\xef\xbb\xbf{"a":1}',
    b' {"a" :\t[true, false, null] }\r\n',
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"",
]


def outcome(loads, octets):
    try:
        return repr(loads(octets))
    except (ValueError, RecursionError):
        return "refused"


@pytest.mark.parametrize("octets", ODD, ids=lambda octets: repr(octets[:40]))
def test_odd_octets(octets):
    assert outcome(quick_json.loads, octets) == outcome(json.loads, octets)


_text = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Lu"]))
_value = st.recursive(
    st.none() | st.booleans() | st.integers() | _text,
    lambda value: st.lists(value, max_size=3) | st.dictionaries(_text, value, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(_text, _value, max_size=5))
def test_what_one_writes_the_other_reads(members):
    # Two halves of a surrogate pair become one character, whoever writes them.
    expected = json.loads(json.dumps(members))
    assert json.loads(quick_json.dumps(members)) == expected
    assert quick_json.loads(json.dumps(members).encode()) == expected


@given(st.binary(max_size=20))
def test_any_octets(octets):
    for before, behind in ((b"", b""), (b'{"a":', b"}"), (b'{"a":"', b'"}')):
        # The caller refuses octets that are 0: they would be UTF-16.
        text = before + octets.replace(b"\0", b"") + behind
        assert outcome(quick_json.loads, text) == outcome(json.loads, text)


def test_what_is_nested_too_deeply_is_no_json():
    octets = b"[" * 100_000
    with pytest.raises(ValueError, match=r"nested too deeply|Expecting"):
        quick_json.loads(octets)
    with pytest.raises(messages.BadMessage):
        quick_json.decode(octets)
