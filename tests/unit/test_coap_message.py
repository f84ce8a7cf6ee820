# The message codec: RFC 7252, 3 and 5.4; 7959, 2.2; 7641, 2.

import gc
import sys

from msgin5g.coap import numbers as n
from msgin5g.coap.message import ABSENT, FormatError, Message, NotCoap, encode, encode_options, uri_options
from skipping import SkipTest


def decode(datagram):
    message = Message()
    message.decode(datagram, len(datagram))
    return message


def refused(datagram):
    try:
        decode(datagram)
    except FormatError:
        return FormatError
    except NotCoap:
        return NotCoap
    return None


def with_options(*options, code=n.GET):
    return decode(encode(n.CON, code, 1, b"", encode_options(list(options))))


# -- the header


def test_example_of_rfc_7252_figure_16():
    message = decode(b"\x41\x01\x7d\x35\x20\xbbtemperature")
    assert message.type == n.CON and message.code == n.GET and message.mid == 0x7D35
    assert message.token() == b"\x20" and message.path() == "temperature"
    assert encode(n.CON, n.GET, 0x7D35, b"\x20", encode_options([(n.URI_PATH, "temperature")])) == (
        b"\x41\x01\x7d\x35\x20\xbbtemperature"
    )


def test_every_type_code_and_message_id():
    for kind in (n.CON, n.NON, n.ACK, n.RST):
        for code in (n.GET, n.FETCH, n.CREATED, n.CONTENT, n.CONTINUE, n.BAD_REQUEST, n.SERVICE_UNAVAILABLE):
            for mid in (0, 255, 256, 0xFFFF):
                message = decode(encode(kind, code, mid, b"tok"))
                assert (message.type, message.code, message.mid) == (kind, code, mid)


def test_tokens_of_0_to_8_octets():
    for length in range(9):
        token = bytes(range(length))
        message = decode(encode(n.CON, n.GET, 1, token))
        assert message.token() == token and message.has_token(token)
        assert not message.has_token(token + b"x")


def test_tokens_of_9_to_15_octets_are_format_errors():
    for length in range(9, 16):
        assert refused(bytes([0x40 | length, n.GET, 0, 1]) + bytes(length)) is FormatError


def test_token_cut_off():
    assert refused(b"\x44\x01\x00\x01abc") is FormatError


def test_short_datagrams_and_other_versions_are_not_coap():
    for datagram in (
        b"",
        b"\x40",
        b"\x40\x01\x00",
        b"\x00\x01\x00\x01",
        b"\x80\x01\x00\x01",
        b"\xc0\x01\x00\x01",
    ):
        assert refused(datagram) is NotCoap


def test_an_empty_message_has_four_octets():
    assert refused(b"\x40\x00\x00\x01") is None
    assert refused(b"\x40\x00\x00\x01\xff") is FormatError
    assert refused(b"\x41\x00\x00\x01a") is FormatError
    assert refused(b"\x41\x00\x00\x01") is FormatError


def test_reserved_code_classes_are_format_errors():
    for code in (0x20, 0x3F, 0xC0, 0xE1, 0xFF):
        assert refused(bytes([0x40, code, 0, 1])) is FormatError


def test_a_rejected_message_still_has_type_and_message_id():
    message = Message()
    datagram = b"\x59\x01\xab\xcd123456789"
    try:
        message.decode(datagram, len(datagram))
    except FormatError:
        pass
    assert message.type == n.NON and message.mid == 0xABCD


def test_a_buffer_longer_than_the_datagram():
    datagram = encode(n.CON, n.POST, 7, b"t", encode_options([(n.URI_PATH, "a")]), b"payload")
    buffer = bytearray(datagram) + b"\xff" * 50
    message = Message()
    message.decode(buffer, len(datagram))
    assert bytes(message.payload()) == b"payload" and message.path() == "a"
    # An option header whose extension lies behind the end.
    for size in (5, 6, 7):
        try:
            message.decode(b"\x40\x01\x00\x01\xee\x00\x00\x00\x00\x00", size)
            raise AssertionError("accepted")
        except FormatError:
            pass


def test_a_message_is_filled_anew():
    message = Message()
    first = encode(
        n.CON,
        n.GET,
        1,
        b"",
        encode_options(
            uri_options("a/b", "q=1")
            + [(n.OBSERVE, 0), (n.BLOCK2, 6), (n.CONTENT_FORMAT, 50), (n.ETAG, b"e"), (9, b"x")]
        ),
        b"body",
    )
    message.decode(first, len(first))
    assert message.unrecognized == 9
    second = encode(n.CON, n.GET, 2)
    message.decode(second, len(second))
    assert message.path() == "" and message.query() == "" and message.etag() == b""
    assert message.observe == message.block2 == message.content_format == ABSENT
    assert message.unrecognized == 0 and bytes(message.payload()) == b""


# -- options


def test_option_lengths_and_deltas_to_the_full_range():
    for number in (0, 2, 12, 13, 14, 268, 269, 270, 1000, 65000, 65534):
        for length in (0, 1, 12, 13, 14, 268, 269, 270, 1000, 65804):
            value = b"v" * length
            encoded = encode_options([(number, value)])
            header = 1
            for part in (number, length):
                header += 2 if part >= 269 else 1 if part >= 13 else 0
            assert len(encoded) == header + length
            datagram = encode(n.CON, n.GET, 1, b"", encoded, b"p")
            message = decode(datagram)
            assert bytes(message.payload()) == b"p"
            # Odd numbers are critical, and none of these is understood.
            assert message.unrecognized == (number if number & 1 else 0)


def test_option_number_above_65535_is_a_format_error():
    assert refused(b"\x40\x01\x00\x01\xe0\xfe\xf2") is None
    assert refused(b"\x40\x01\x00\x01\xe0\xfe\xf3") is FormatError
    assert refused(b"\x40\x01\x00\x01\xe0\xfe\xf2\x10") is FormatError


def test_equal_options_keep_their_order():
    path = "telemetry/node17/a/b/c/d/e/f/g/h"
    encoded = encode_options([(n.CONTENT_FORMAT, 50)] + uri_options(path, "z=1&a=2&m=3") + [(n.OBSERVE, 0)])
    message = decode(encode(n.CON, n.GET, 1, b"", encoded))
    assert message.path() == path
    assert message.query() == "z=1&a=2&m=3"
    assert message.observe == 0 and message.content_format == 50


def test_options_are_encoded_in_the_order_of_their_numbers():
    assert encode_options([(60, 5), (3, "h"), (11, "p")]) == b"\x31h\x81p\xd1\x24\x05"


def test_unsigned_values_have_no_leading_zeros():
    assert encode_options([(n.OBSERVE, 0)]) == b"\x60"
    assert encode_options([(n.OBSERVE, 255)]) == b"\x61\xff"
    assert encode_options([(n.OBSERVE, 256)]) == b"\x62\x01\x00"
    assert encode_options([(n.MAX_AGE, 0xFFFFFFFF)]) == b"\xd4\x01\xff\xff\xff\xff"


def test_a_negative_value_is_an_error_and_no_endless_loop():
    try:
        encode_options([(n.CONTENT_FORMAT, ABSENT)])
        raise AssertionError("encoded")
    except OverflowError:
        pass


def test_values_with_leading_zeros_are_accepted():
    assert with_options((n.CONTENT_FORMAT, b"\x00\x32")).content_format == 50


def test_values_of_every_understood_option():
    message = with_options(
        (n.ETAG, b"12345678"),
        (n.OBSERVE, 0xFFFFFF),
        (n.CONTENT_FORMAT, 0xFFFF),
        (n.MAX_AGE, 86400),
        (n.ACCEPT, 60),
        (n.BLOCK2, 0xFFFFF6),
        (n.BLOCK1, 0x16),
        (n.SIZE2, 20000),
        (n.SIZE1, 70000),
        code=n.CONTENT,
    )
    assert message.etag() == b"12345678" and message.observe == 0xFFFFFF and message.content_format == 0xFFFF
    assert message.max_age == 86400 and message.accept == 60
    assert message.block2 == 0xFFFFF6 and message.block1 == 0x16
    assert message.size2 == 20000 and message.size1 == 70000
    assert message.unrecognized == 0


def test_a_value_beyond_a_small_int_counts_as_the_largest():
    assert with_options((n.SIZE1, b"\xff\xff\xff\xff")).size1 == 0x3FFFFFFF
    assert with_options((n.SIZE1, b"\x3f\xff\xfe\xff")).size1 == 0x3FFFFEFF


def test_unknown_critical_options_are_noticed_and_elective_ones_ignored():
    assert with_options((n.URI_PATH, "a"), (9, b"")).unrecognized == 9
    assert with_options((1, b"if-match")).unrecognized == 1
    assert with_options((65001, b"x"), (65003, b"y")).unrecognized == 65001
    assert with_options((2, b"a"), (2048, b"b"), (258, b"c")).unrecognized == 0


def test_uri_host_and_port_are_understood():
    assert with_options((n.URI_HOST, "example.org"), (n.URI_PORT, 5683)).unrecognized == 0


def test_a_critical_option_given_twice_is_not_understood():
    for number, value in ((n.URI_HOST, "h"), (n.URI_PORT, 1), (n.BLOCK1, 6), (n.BLOCK2, 6), (n.ACCEPT, 50)):
        assert with_options((number, value), (number, value)).unrecognized == number


def test_a_critical_option_that_is_too_long_is_not_understood():
    for number, length in (
        (n.URI_PATH, 256),
        (n.URI_QUERY, 256),
        (n.URI_HOST, 256),
        (n.URI_PORT, 3),
        (n.BLOCK1, 4),
    ):
        assert with_options((number, b"a" * length)).unrecognized == number
        assert with_options((number, b"a" * (length - 1))).unrecognized == 0


def test_an_elective_option_given_twice_counts_once():
    message = with_options((n.CONTENT_FORMAT, 50), (n.CONTENT_FORMAT, 60), (n.MAX_AGE, 5), (n.MAX_AGE, 6))
    assert message.content_format == 50 and message.max_age == 5


def test_an_elective_option_that_is_too_long_is_ignored():
    message = with_options((n.CONTENT_FORMAT, b"\0\0\0"), (n.OBSERVE, b"\0\0\0\0"), (n.ETAG, b"123456789"))
    assert message.content_format == ABSENT and message.observe == ABSENT and message.etag() == b""
    assert message.unrecognized == 0


def test_options_cut_off():
    for tail in (b"\xb5abcd", b"\xd0", b"\xe0\x01", b"\x0d", b"\x0e\x01", b"\xb1a\xd1", b"\xbe\xff\xffab"):
        assert refused(b"\x40\x01\x00\x01" + tail) is FormatError, tail


def test_delta_and_length_15_are_reserved():
    assert refused(b"\x40\x01\x00\x01\xf0") is FormatError
    assert refused(b"\x40\x01\x00\x01\x0f") is FormatError


def test_a_payload_marker_needs_a_payload():
    assert refused(b"\x40\x01\x00\x01\xff") is FormatError
    assert bytes(decode(b"\x40\x02\x00\x01\xff\xff").payload()) == b"\xff"


# -- paths and queries


def test_path_segments_up_to_255_octets():
    for length in (1, 12, 13, 14, 255):
        path = "a" * length + "/b"
        assert decode(encode(n.CON, n.GET, 1, b"", encode_options(uri_options(path)))).path() == path


def test_a_path_that_is_not_utf_8_or_has_a_slash_inside_is_none():
    assert with_options((n.URI_PATH, b"\xff\xfe")).path() is None
    assert with_options((n.URI_PATH, b"a/b")).path() is None
    assert with_options((n.URI_QUERY, b"a=1&admin=1")).query() is None
    assert with_options((n.URI_PATH, "größe")).path() == "größe"


def test_location():
    assert with_options((n.LOCATION_PATH, "a"), (n.LOCATION_PATH, "17"), code=n.CREATED).location() == "a/17"


def test_uri_options_leave_out_empty_parts():
    assert uri_options("/a//b/", "") == [(n.URI_PATH, "a"), (n.URI_PATH, "b")]


# -- memory


def test_decoding_makes_no_garbage():
    if sys.implementation.name != "micropython":
        raise SkipTest("CPython counts references")
    options = encode_options(
        uri_options("rd/meter-17", "ep=1&lt=60")
        + [
            (n.OBSERVE, 7),
            (n.CONTENT_FORMAT, 50),
            (n.BLOCK1, 0x1E),
            (n.BLOCK2, 6),
            (n.SIZE1, b"\xff\xff\xff\xff"),
        ]
        + [(n.ETAG, b"12345678"), (n.MAX_AGE, 86400), (2049, b"critical and unknown")]
    )
    datagram = encode(n.CON, n.POST, 0xFFFF, b"12345678", options, b"x" * 100)
    broken = b"\x40\x01\x00\x01\xb1a\xd1"
    message = Message()
    message.decode(datagram, len(datagram))
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(1000):
        message.decode(datagram, len(datagram))
    made = gc.mem_alloc() - before
    gc.enable()
    assert made == 0, made
    assert refused(broken) is FormatError
