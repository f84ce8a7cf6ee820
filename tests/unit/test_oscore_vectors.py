# RFC 8613, appendix C: key derivation, requests, responses, byte for byte.

from binascii import hexlify, unhexlify

from msgin5g.coap.exchange import Request
from msgin5g.coap.message import Message, encode
from msgin5g.oscore.context import Context, nonce
from msgin5g.oscore.derive import from_credentials, keys
from msgin5g.oscore.security import Security, additional_data, option_value, parse

SECRET = "0102030405060708090a0b0c0d0e0f10"
SALT = "9e7ca92223786340"
ID_CONTEXT = "37cbf3210017a2d3"

# name, salt, ID context, sender id, recipient id, sender key, recipient key, common IV, sender nonce, recipient nonce
DERIVATIONS = (
    (
        "C.1",
        SALT,
        None,
        "",
        "01",
        "f0910ed7295e6ad4b54fc793154302ff",
        "ffb14e093c94c9cac9471648b4f98710",
        "4622d4dd6d944168eefb54987c",
        "4622d4dd6d944168eefb54987c",
        "4722d4dd6d944169eefb54987c",
    ),
    (
        "C.2",
        "",
        None,
        "00",
        "01",
        "321b26943253c7ffb6003b0b64d74041",
        "e57b5635815177cd679ab4bcec9d7dda",
        "be35ae297d2dace910c52e99f9",
        "bf35ae297d2dace910c52e99f9",
        "bf35ae297d2dace810c52e99f9",
    ),
    (
        "C.3",
        SALT,
        ID_CONTEXT,
        "",
        "01",
        "af2a1300a5e95788b356336eeecd2b92",
        "e39a0c7c77b43f03b4b39ab9a268699f",
        "2ca58fb85ff1b81c0b7181b85e",
        "2ca58fb85ff1b81c0b7181b85e",
        "2da58fb85ff1b81d0b7181b85e",
    ),
)

# name, salt, ID context, sender id, unprotected, aad, option value, protected
REQUESTS = (
    (
        "C.4",
        SALT,
        None,
        "",
        "44015d1f00003974396c6f63616c686f737483747631",
        "8368456e63727970743040488501810a40411440",
        "0914",
        "44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e",
    ),
    (
        "C.5",
        "",
        None,
        "00",
        "440171c30000b932396c6f63616c686f737483747631",
        "8368456e63727970743040498501810a4100411440",
        "091400",
        "440271c30000b932396c6f63616c686f737463091400ff4ed339a5a379b0b8bc731fffb0",
    ),
    (
        "C.6",
        SALT,
        ID_CONTEXT,
        "",
        "44012f8eef9bbf7a396c6f63616c686f737483747631",
        "8368456e63727970743040488501810a40411440",
        "19140837cbf3210017a2d3",
        "44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff72cd7273fd331ac45cffbe55c3",
    ),
)

RESPONSE = "64455d1f00003974ff48656c6c6f20576f726c6421"
C_7 = "64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106"
C_8 = "64445d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e"


class At:
    # A storage that says the next number is this one; None for a context that was never used.
    def __init__(self, number):
        self.number = number

    def load(self):
        return self.number

    def save(self, number):
        self.number = number


def h(text):
    return unhexlify(text)


def text(octets):
    return str(hexlify(octets), "ascii")


def context(salt, id_context, sender_id, recipient_id, number=None):
    stored = {"master_secret": SECRET, "master_salt": salt, "id_context": id_context}
    stored["sender_id"], stored["recipient_id"] = sender_id, recipient_id
    return from_credentials(stored, At(number), "peer")


def decoded(octets):
    message = Message()
    message.decode(octets, len(octets))
    return message


class Sent:
    # As much of an exchange as is protected: a request, from what its datagram says.
    wants_response = True
    echo = piv = notified = None

    def __init__(self, one, datagram):
        self.context = one
        self.code = datagram[1]
        self.options = datagram[4 + (datagram[0] & 15) :]
        self.payload = b""


def test_keys():
    for (
        name,
        salt,
        id_context,
        sender,
        recipient,
        sender_key,
        recipient_key,
        iv,
        sent,
        received,
    ) in DERIVATIONS:
        kid_context = id_context and h(id_context)
        for ours, theirs, expected in (
            (sender, recipient, (sender_key, recipient_key)),
            (recipient, sender, (recipient_key, sender_key)),
        ):
            made = keys(h(SECRET), h(salt), h(ours), h(theirs), kid_context)
            assert tuple([text(key) for key in made]) == expected + (iv,), name
        one = Context("", h(sender), h(recipient), kid_context, made, At(None))
        assert text(nonce(one.sender_iv, b"\x00")) == sent, name
        assert text(nonce(one.recipient_iv, b"\x00")) == received, name


def test_requests():
    for name, salt, id_context, sender, unprotected, aad, value, expected in REQUESTS:
        plain = h(unprotected)
        client = context(salt, id_context, sender, "01", 20)
        server = context(salt, id_context, "01", sender)
        assert text(additional_data(h(sender), b"\x14")) == aad
        assert text(option_value(b"\x14", h(sender), client.id_context)) == value
        assert parse(h(value)) == (b"\x14", client.id_context, h(sender))
        sent = Sent(client, plain)
        code, options, sealed = Security(client).seal(sent)
        head = plain[: 4 + (plain[0] & 15)]
        mid = plain[2] << 8 | plain[3]
        datagram = encode(0, code, mid, head[4:], options, sealed)
        assert text(datagram) == expected, name
        # And the server.
        message = decoded(datagram)
        assert Security(server).open_request(message, "a") == (server, b"\x14", 0x44, None)
        assert (message.code, message.path(), message.mid, message.token()) == (1, "tv1", mid, head[4:])
        assert message.unrecognized == 0 and bytes(message.payload()) == b""


def test_responses():
    client = context(SALT, None, "", "01", 20)
    server = context(SALT, None, "01", "")
    security = Security(server)
    message = decoded(h(REQUESTS[0][-1]))
    opened = security.open_request(message, "a")
    request = Request(None, message, 0)
    request.context, request.piv, request.outer, _ = opened
    made = []
    for own in (False, True):
        code, options, sealed = security.seal_response(request, 0x45, b"", b"Hello World!", own)
        made.append(text(encode(2, code, request.mid, request.token, options, sealed)))
    assert made == [C_7, C_8]
    for datagram in made:
        sent = Sent(client, h(REQUESTS[0][4]))
        sent.piv = b"\x14"
        message = decoded(h(datagram))
        Security(client).open_response(sent, message)
        assert (message.code, bytes(message.payload())) == (0x45, b"Hello World!")
        assert message.token() == h("00003974") and message.mid == 0x5D1F
    assert text(bytes(message.data[:8])) + "ff" + text(bytes(message.payload())) == RESPONSE
