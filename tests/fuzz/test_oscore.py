"""The contract of OSCORE under any input: see fuzz_oscore.py. The same examples in every run."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgin5g.oscore.security import option_value, parse

from tests.fuzz.fuzz_oscore import Target, check_parse, script, wrapped

repeatable = settings(derandomize=True, deadline=None, max_examples=300, database=None)


@repeatable
@given(st.binary(max_size=30))
def test_any_option_value(value):
    check_parse(value)


@repeatable
@given(
    st.binary(min_size=1, max_size=5),
    st.one_of(st.none(), st.binary(max_size=255)),
    st.binary(max_size=7),
)
def test_what_is_encoded_is_parsed(piv, kid_context, kid):
    value = bytes(option_value(piv, kid, kid_context))
    assert parse(value) == (piv, kid_context, kid)
    # Cut off anywhere it is another one, or none.
    for size in range(len(value)):
        check_parse(value[:size])


@repeatable
@given(st.binary(max_size=200), st.binary(max_size=40), st.binary(max_size=100), st.booleans())
def test_any_datagram(octets, value, sealed, to_a):
    target = Target()
    target.throw(octets, to_a, "c")
    target.throw(wrapped(value, sealed), to_a, "c")
    # A known kid, whatever the rest.
    target.throw(wrapped(b"\x19" + value[:1] + b"\x02\xaa\xbb\x01", sealed), to_a, "c")
    target.ask()


def test_long_conversations_with_interference():
    counted = {}
    for seed in range(12):
        target = script(seed)
        for one in (target.a, target.b):
            for name, count in one.counters.items():
                counted[name] = counted.get(name, 0) + count
    for name in ("unprotected", "undecodable", "unknown_context", "replayed", "forged"):
        assert counted["oscore_" + name] > 0, name


def test_oversized():
    target = Target()
    for size in (1024, 1500, 65000):
        target.throw(wrapped(b"\x19\x05\x02\xaa\xbb\x01", bytes(size)), False, "c")
    target.ask()
