# What protection costs a board's heap for each message: RFC 8613 on a heap of some 10 KB that is free.

import gc

from msgin5g.coap import numbers as n
from msgin5g.coap.message import Message, encode, encode_options
from msgin5g.oscore.security import Security
from oscore_pair import two_contexts

RUNTIMES = ("micropython",)
# Octets, on a runtime with objects of twice the size as well.
MOST_SEALING = 600
MOST_OPENING = 640


class Outgoing:
    wants_response = True
    echo = None
    code = n.POST
    options = encode_options([(n.URI_PATH, "msgin5g"), (n.CONTENT_FORMAT, n.JSON)])
    payload = bytes(100)

    def __init__(self, context):
        self.context = context


def garbage(function):
    function()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(8):
        function()
    made = (gc.mem_alloc() - before) // 8  # pyright: ignore[reportAttributeAccessIssue]
    gc.enable()
    return made


def test_sealing_and_opening_100_octets():
    first, second = two_contexts(stride=1024)
    sealing, opening = Security(first), Security(second)
    outgoing = Outgoing(first)
    message = Message()

    def seal():
        code, options, sealed = sealing.seal(outgoing)
        return encode(n.CON, code, 0x1234, b"toke", options, sealed)

    made = garbage(seal)
    assert made <= MOST_SEALING, made
    datagram = seal()

    def unseal():
        # The same datagram again and again.
        second._highest = -1
        message.decode(datagram, len(datagram))
        opening.open_request(message, "a")

    made = garbage(unseal)
    assert made <= MOST_OPENING, made
    assert bytes(message.payload()) == outgoing.payload
