"""The contract of the CoAP core under any input: see fuzz_coap.py. The same examples in every run."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgin5g.coap import numbers as n
from msgin5g.coap.message import FormatError, Message, encode, encode_options

from tests.fuzz.fuzz_coap import ADDRESSES, MOST_BODY, Target, check_decode, check_endpoint, valid_options

repeatable = settings(derandomize=True, deadline=None, max_examples=300, database=None)

codes = st.sampled_from(
    [0x01, 0x02, 0x03, 0x04, 0x05, 0x1F, 0x41, 0x44, 0x45, 0x5F, 0x80, 0x84, 0x8D, 0xA0, 0xBF]
)
options = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=400)), max_size=8)
messages = st.tuples(
    st.integers(0, 3), codes, st.integers(0, 0xFFFF), st.binary(max_size=8), options, st.binary(max_size=64)
)


def build(kind, code, mid, token, pairs, payload):
    return bytes(encode(kind, code, mid, token, encode_options(pairs), payload))


@st.composite
def mutated(draw):
    """A valid message that something has happened to."""
    datagram = bytearray(build(*draw(messages)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(datagram) - 1)))
        what = draw(st.integers(0, 3))
        if what == 0 and datagram:
            datagram[at] = draw(st.integers(0, 255))
        elif what == 1:
            del datagram[at:]
        elif what == 2:
            datagram[at:at] = draw(st.binary(max_size=8))
        else:
            datagram[at:at] = datagram[at : at + draw(st.integers(1, 16))]
    return bytes(datagram)


@repeatable
@given(st.binary(max_size=200))
def test_any_octets_are_accepted_or_refused(octets):
    check_decode(octets)
    # Most random octets are not even version 1.
    check_decode(b"\x44" + octets)
    check_decode(b"\x40\x01\x00\x01" + octets)


@repeatable
@given(mutated())
def test_mutated_messages_are_accepted_or_refused(datagram):
    check_decode(datagram)


@repeatable
@given(messages)
def test_what_is_encoded_is_decoded(fields):
    kind, code, mid, token, pairs, payload = fields
    datagram = build(*fields)
    assert check_decode(datagram)
    message = Message()
    message.decode(datagram, len(datagram))
    assert (message.type, message.code, message.mid, message.token()) == (kind, code, mid, token)
    assert bytes(message.payload()) == payload


@repeatable
@given(
    st.lists(st.tuples(st.one_of(mutated(), st.binary(max_size=40)), st.sampled_from(ADDRESSES)), max_size=20)
)
def test_an_endpoint_receives_anything(datagrams):
    target = Target()
    for datagram, address in datagrams:
        target.receive(datagram, address)
        target.wait(500)


@repeatable
@given(st.binary(max_size=600))
def test_an_endpoint_follows_any_script(octets):
    check_endpoint(octets)


def script(seed):
    """A long conversation: mostly valid requests and answers, time, and some damage."""
    random_ = random.Random(seed)
    target = Target(seed)
    for _ in range(300):
        action = random_.randrange(10)
        if action == 0:
            target.wait(random_.choice([10, 1000, 5000, 100000, 400000]))
        elif action == 1:
            target.ask()
        else:
            kind, mid, token, address = (
                random_.randrange(4),
                random_.randrange(50),
                b"t",
                random_.choice(ADDRESSES),
            )
            if action < 6 and target.sent:
                mid, token, address = random_.choice(target.sent)
            code = random_.choice([0, 1, 1, 2, 2, 3, 0x41, 0x44, 0x45, 0x45, 0x5F, 0x84, 0x88, 0x8D])
            if code:
                datagram = encode(
                    kind,
                    code,
                    mid,
                    token,
                    valid_options(random_),
                    random_.randbytes(random_.choice([0, 16, 32, 70])),
                )
            else:
                datagram = encode(kind, n.EMPTY, mid)
            if random_.random() < 0.2:
                datagram[random_.randrange(len(datagram))] ^= 1 << random_.randrange(8)
            target.receive(datagram, address)
    target.wait(400000)
    target.wait(400000)
    return target


def test_long_conversations():
    for seed in range(60):
        script(seed)


# -- what an attacker would try


def refused(datagram):
    message = Message()
    try:
        message.decode(datagram, len(datagram))
    except FormatError:
        return True
    return False


def test_tokens_that_are_too_long():
    target = Target()
    for length in range(9, 16):
        datagram = bytes([0x40 | length, n.POST, 0, length]) + bytes(length)
        assert refused(datagram)
        target.receive(datagram, "e")


def test_option_bombs():
    target = Target()
    bombs = [
        b"\x00" * 1400,  # option 0, 1400 times
        b"\xb0" + b"\x00" * 1300,  # empty path segments
        b"\xd1\x0e" + b"a" + b"\x00" * 1300,  # block options
        b"\x61\x00" * 600,  # numbers that grow
        b"\xe1\xff\x00a" * 1,
        b"\xee\x00\x00\xff\xff" + bytes(1200),  # a length that is not there
        b"\x0d\xff" + bytes(268) + b"\x0d\xff" + bytes(268),
    ]
    for number, bomb in enumerate(bombs):
        for code in (n.GET, n.POST, n.CONTENT):
            datagram = bytes([0x41, code, number, code]) + b"t" + bomb
            check_decode(datagram)
            target.receive(datagram, "e")


def test_oversized_datagrams():
    target = Target()
    for size in (MOST_BODY + 1, 1500, 65000):
        datagram = encode(n.CON, n.POST, size, b"t", b"\xb1a", bytes(size))
        target.receive(datagram, "e")


def test_endless_uploads_from_everywhere():
    target = Target()
    for number in range(2000):
        block = encode_options([(n.URI_PATH, "a"), (n.BLOCK1, number << 4 | 8 | 1)])
        for address in ADDRESSES:
            target.receive(encode(n.CON, n.POST, number, b"t", block, bytes(32)), address)
    for number in range(2000):
        block = encode_options([(n.URI_PATH, "a"), (n.URI_QUERY, f"q={number}"), (n.BLOCK1, 8 | 1)])
        target.receive(encode(n.CON, n.POST, number, b"t", block, bytes(32)), "a")


def test_observers_from_everywhere():
    target = Target()
    register = encode_options([(n.URI_PATH, "o"), (n.OBSERVE, 0)])
    for number in range(2000):
        target.receive(
            encode(n.CON, n.GET, number, number.to_bytes(2, "big"), register), ADDRESSES[number % 5]
        )
        target.wait(10)


def test_requests_that_are_never_answered():
    target = Target()
    for number in range(500):
        target.receive(encode(n.CON, n.GET, number, b"t", b"\xb1b"), ADDRESSES[number % 5])
    assert target.endpoint.counters["refused_busy"] > 400
