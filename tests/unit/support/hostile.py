# What no one should send: datagrams with what each must be answered with, for whoever serves MSGin5G over CoAP.

import sys

from msgin5g import messages, wire
from msgin5g.coap import block
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import dotted, encode, encode_options, uri_options

# A board does not have the heap for more, nor a link for a datagram of that size.
LONG = 20000 if sys.implementation.name == "micropython" else 1 << 20

RESET = "RST"
SILENCE = None


class Attacker:
    # Joins a world in an endpoint's place. `answers` are (type, code) of what comes back.
    def __init__(self, world, address: object = "attacker"):
        self.world = world
        self.address = address
        self.answers = []
        self._outgoing = []
        self._mid = 0
        world.join(address, self)

    def mid(self):
        self._mid += 1
        return self._mid

    def throw(self, datagram, at):
        # Send it; what came back: "4.00", RESET, or SILENCE.
        del self.answers[:]
        self._outgoing.append((datagram, at))
        self.world.settle()
        return self.told()

    def told(self):
        assert len(self.answers) <= 1, self.answers
        if not self.answers:
            return SILENCE
        kind, code = self.answers[0]
        return RESET if kind == coap.RST else dotted(code)

    def request(self, payload, options=None, kind=coap.CON):
        # A POST of a body to the MSGin5G resource.
        if options is None:
            options = uri_options(wire.PATH) + [(coap.CONTENT_FORMAT, coap.JSON)]
        return bytes(encode(kind, coap.POST, self.mid(), b"tkn", encode_options(options), payload))

    # -- what a world asks of an endpoint

    def receive(self, data, size, address, now):
        self.answers.append((data[0] >> 4 & 3, data[1]))

    def datagrams_to_send(self):
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def timer(self):
        return None

    def handle_timer(self, now):
        pass


def broken_coap(attacker, valid):
    # (datagram, what it is answered with): things that are not CoAP, or almost.
    found = []
    for version in (0, 2, 3):
        found.append((bytes([valid[0] & 0x3F | version << 6]) + valid[1:], SILENCE))
    for size in range(4):
        found.append((valid[:size], SILENCE))
    found.append((b"\xff" * 2000, SILENCE))
    # Token lengths 9 to 15 (RFC 7252, 3).
    for length in range(9, 16):
        found.append((bytes([0x40 | length, coap.POST, 1, length]) + b"t" * length, RESET))
    # Cut off within the token, an option's header, an option's value, behind the payload marker.
    for datagram in (
        b"\x44\x02\x02\x01to",
        b"\x40\x02\x02\x02\xd1",
        b"\x40\x02\x02\x03\xb7msgi",
        b"\x40\x02\x02\x04\xff",
    ):
        found.append((datagram, RESET))
    # Reserved: code class, option delta 15, option length 15.
    for datagram in (b"\x40\x20\x03\x01", b"\x40\x02\x03\x02\xf0", b"\x40\x02\x03\x03\x1f"):
        found.append((datagram, RESET))
    # A critical option that nobody knows; methods and paths that are not there.
    found.append((attacker.request(b"", [(9, b"?")]), "4.02"))
    found.append(
        (
            bytes(encode(coap.CON, coap.GET, attacker.mid(), b"", encode_options(uri_options(wire.PATH)))),
            "4.05",
        )
    )
    found.append((attacker.request(b"", uri_options("elsewhere")), "4.04"))
    return found


def option_bombs(attacker):
    many = [(coap.URI_PATH, b"x")] * 1000
    elective = uri_options(wire.PATH) + [(coap.CONTENT_FORMAT, coap.JSON)] + [(2052, b"")] * 3000
    critical = [(coap.URI_PATH, b"x" * 255)] * 200 + [(2049, b"x" * 200)] * 20
    return [
        (attacker.request(b"{}", many), "4.04"),
        (attacker.request(b"{}", elective), "4.00"),
        (attacker.request(b"{}", critical), "4.02"),
    ]


def broken_messages():
    # (body, what it is answered with)
    found = []
    for body in (
        b"",
        b"null",
        b"[]",
        b"17",
        b'"MSG"',
        b"{",
        b'{"a":}',
        b"{}",
        b"\xff\xfe{\x00}\x00",
        b"[" * 1000 + b"]" * 1000,
        b'{"x":' * 150 + b"1" + b"}" * 150,
        b'{"Store and forward parameters":' * 30 + b"{}" + b"}" * 30,
        b'{"Message Type":"HELLO"}',
        b'{"Message Type":7}',
        b'{"Message Type":null}',
        b'{"Message Type":["MSG"]}',
        b'{"Message Type":"MSG"}',
        b'{"Message Type":"REG"}',
        b'{"Message Type":"REG","UE Service ID":""}',
        b'{"Message Type":"REG","UE Service ID":{}}',
        b'{"Message Type":"REG","UE Service ID":"a\\u0009b"}',
        b'{"Message Type":"REG","UE Service ID":"\\ud800"}',
        b'{"Message Type":"REG","UE Service ID":"' + b"x" * 300 + b'"}',
    ):
        found.append((body, "4.00"))
    return found


def long_bodies():
    # Longer than whatever takes them: in one datagram, as no network carries it.
    long = b"x" * LONG
    valid = messages.encode(messages.message((wire.UE, "a"), (wire.UE, "b"), "m"))
    return [
        valid.replace(b'"m"', b'"' + long + b'"'),
        b'{"' + long + b'":1}',
        b'{"Message Type":"MSG","Payload":"' + long + b'"}',
        b"[" * LONG,
    ]


def endless_upload(attacker, at, most):
    # Blocks that always say there is more; the last answer, and how many blocks were taken.
    told, number = SILENCE, 0
    while number < most:
        options = uri_options(wire.PATH) + [
            (coap.CONTENT_FORMAT, coap.JSON),
            (coap.BLOCK1, block.value(number, True, block.LARGEST_SZX)),
        ]
        told = attacker.throw(attacker.request(b"x" * 1024, options), at)
        if told != "2.31":
            return told, number
        number += 1
    return told, number


def abandoned_upload(attacker, at):
    # The first block of a body, and never another.
    options = uri_options(wire.PATH) + [(coap.BLOCK1, block.value(0, True, block.LARGEST_SZX))]
    return attacker.throw(attacker.request(b"x" * 1024, options), at)
