# CBOR: the vectors of RFC 8949, appendix A, as far as they are supported; what is read over; what is refused; any octets.

from binascii import hexlify, unhexlify

from msgin5g import cbor
from world import Random

# Read as the value and written as the octets.
BOTH_WAYS = (
    ("00", 0),
    ("01", 1),
    ("0a", 10),
    ("17", 23),
    ("1818", 24),
    ("1819", 25),
    ("1864", 100),
    ("1903e8", 1000),
    ("1a000f4240", 1000000),
    ("1b000000e8d4a51000", 1000000000000),
    ("1bffffffffffffffff", 18446744073709551615),
    ("3bffffffffffffffff", -18446744073709551616),
    ("20", -1),
    ("29", -10),
    ("3863", -100),
    ("3903e7", -1000),
    ("f4", False),
    ("f5", True),
    ("f6", None),
    ("40", b""),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("60", ""),
    ("6161", "a"),
    ("6449455446", "IETF"),
    ("62225c", '"\\'),
    ("62c3bc", "\u00fc"),
    ("63e6b0b4", "\u6c34"),
    ("64f0908591", "\U00010151"),
    ("80", []),
    ("83010203", [1, 2, 3]),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    (
        "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
        list(range(1, 26)),
    ),
    ("a0", {}),
    ("a201020304", {1: 2, 3: 4}),
    ("826161a161626163", ["a", {"b": "c"}]),
)

# Only read: maps with text keys, whose order is the writer's; tags, which are read over.
READ = (
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    (
        "a56161614161626142616361436164614461656145",
        {"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"},
    ),
    ("c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"),
    ("c11a514b67b0", 1363896240),
    ("d74401020304", b"\x01\x02\x03\x04"),
    ("d818456449455446", b"dIETF"),
    ("d82076687474703a2f2f7777772e6578616d706c652e636f6d", "http://www.example.com"),
    ("c249010000000000000000", b"\x01\x00\x00\x00\x00\x00\x00\x00\x00"),
    # More octets than it takes.
    ("1800", 0),
    ("1b0000000000000001", 1),
    ("590001ff", b"\xff"),
)

# Well-formed, and not for us.
OTHER = (
    "f90000",
    "f93c00",
    "f97e00",
    "fa47c35000",
    "fb3ff199999999999a",
    "fb7ff0000000000000",
    "f7",
    "f0",
    "f8ff",
    "f818",
)

REFUSED = (
    # Nothing, and cut off
    "",
    "18",
    "1901",
    "1b00000000000000",
    "41",
    "61",
    "62c3",
    "81",
    "8201",
    "a1",
    "a101",
    "c1",
    "fb3ff1",
    # Indefinite length (RFC 8949, 3.2), a break alone
    "5f42010243030405ff",
    "7f657374726561646d696e67ff",
    "9fff",
    "9f01ff",
    "bf61610161629f0203ffff",
    "ff",
    # Reserved additional information
    "1c",
    "1d",
    "1e",
    "5c",
    "fc",
    # Lengths and counts that are not there
    "5bffffffffffffffff",
    "7b7fffffffffffffff61",
    "9bffffffffffffffff00",
    "bbffffffffffffffff0000",
    "9a0000000301",
    # Something behind the end
    "0000",
    "a000",
    # Text that is not UTF-8
    "61ff",
    "62c328",
    # Keys that are neither number nor text, or there twice
    "a1f500",
    "a1f600",
    "a14000",
    "a18000",
    "a1a000",
    "a1f9000000",
    "a201000100",
    "a2616100616100",
)


def refused(octets, **limits):
    try:
        cbor.decode(octets, **limits)
    except cbor.NotCbor as error:
        assert str(error)
        return True
    return False


def test_vectors_of_rfc_8949_both_ways():
    for text, value in BOTH_WAYS:
        found = cbor.decode(unhexlify(text))
        assert found == value and type(found) is type(value), text
        assert cbor.encode(value) == unhexlify(text), text


def test_vectors_that_are_only_read():
    for text, value in READ:
        found = cbor.decode(unhexlify(text))
        assert found == value and type(found) is type(value), text


def test_what_is_read_over():
    for text in OTHER:
        assert cbor.decode(unhexlify(text)) is cbor.OTHER, text
        assert cbor.decode(b"\xa2\x01" + unhexlify(text) + b"\x02\x03") == {1: cbor.OTHER, 2: 3}, text


def test_what_is_refused():
    for text in REFUSED:
        assert refused(unhexlify(text)), text
        if text:
            assert refused(b"\x84\x00" + unhexlify(text)), text


def test_any_buffer_is_read():
    octets = unhexlify("a2014201020263c3bc21")
    for buffer in (octets, bytearray(octets), memoryview(octets)):
        assert cbor.decode(buffer) == {1: b"\x01\x02", 2: "\u00fc!"}


def test_equal_maps_are_equal_octets():
    keys = [70, -1, 3, 23, 24, 0, 255, 256]
    expected = cbor.encode({key: key for key in keys})
    assert hexlify(expected) == b"a820200000030317171818181818461846" + b"18ff18ff190100190100"
    keys.reverse()
    assert cbor.encode({key: key for key in keys}) == expected


def test_what_cbor_does_not_have():
    for value in (1.5, object(), 1 << 64, -(1 << 64) - 1, 10**300, {1: {2, 3}}):
        try:
            cbor.encode(value)
            raise AssertionError(value)
        except ValueError:
            pass


def test_depth_is_bounded():
    for opening, end in ((b"\x81", b"\x00"), (b"\xa1\x00", b"\x00"), (b"\xc1", b"\x00")):
        cbor.decode(opening * 8 + end)
        assert refused(opening * 9 + end)
        cbor.decode(opening * 2 + end, deepest=2)
        assert refused(opening * 3 + end, deepest=2)
        for depth in (100, 5000):
            assert refused(opening * depth + end)
            assert refused(opening * depth)


def test_the_number_of_items_is_bounded():
    assert len(cbor.decode(b"\x99\x01\xff" + b"\x00" * 511)) == 511
    assert refused(b"\x99\x02\x00" + b"\x00" * 512)
    assert refused(b"\x99\x27\x10" + b"\x80" * 10000)
    # The array, and ten pairs.
    pairs = b"".join([bytes([number, 0]) for number in range(10)])
    assert len(cbor.decode(b"\xaa" + pairs, most_items=21)) == 10
    assert refused(b"\xaa" + pairs, most_items=20)


def some(random, deepest):
    # A random value of what CBOR has here.
    kind = random.bits(3)
    if kind == 0:
        return random.bits(random.bits(6))
    if kind == 1:
        return -1 - random.bits(random.bits(6))
    if kind == 2:
        return bytes([random.bits(8) for _ in range(random.bits(random.bits(3)))])
    if kind == 3:
        return "".join([chr(32 + random.bits(9)) for _ in range(random.bits(random.bits(3)))])
    if kind == 4 or not deepest:
        return (True, False, None)[random.bits(8) % 3]
    if kind == 5:
        return [some(random, deepest - 1) for _ in range(random.bits(3))]
    keys = [random.bits(10) if kind == 6 else str(random.bits(10)) for _ in range(random.bits(3))]
    return {key: some(random, deepest - 1) for key in keys}


def test_whatever_is_written_is_read():
    for seed in range(300):
        value = some(Random(seed), 4)
        assert cbor.decode(cbor.encode(value)) == value, seed


def test_any_octets_are_read_or_refused():
    for seed in range(400):
        random = Random(seed)
        if seed & 1:
            octets = bytearray(random.bits(8) for _ in range(random.bits(5)))
        else:
            octets = bytearray(cbor.encode([some(random, 3), some(random, 3)]))
            for _ in range(1 + random.bits(2)):
                octets[random.bits(12) % len(octets)] = random.bits(8)
        if not refused(octets):
            value = cbor.decode(octets)
            if not holds_other(value):
                assert cbor.decode(cbor.encode(value)) == value, seed
        for size in range(len(octets)):
            refused(octets[:size])


def holds_other(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return any(holds_other(one) for one in value)
    return value is cbor.OTHER
