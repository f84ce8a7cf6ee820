# What bench/oscore.py runs on each interpreter, CPython among them: microseconds and octets of garbage for sealing and
# opening one request. Prints one JSON object. Argument: how often.

import json
import sys

from codec import measure
from msgin5g.coap import numbers as coap
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import Message, encode, encode_options, uri_options
from msgin5g.oscore.derive import from_credentials
from msgin5g.oscore.security import Security

BODY = b'{"temperature": 23.5, "humidity": 41, "battery": 3.71, "counter": 12345, "location": "greenhouse-7"}'
TOKEN = b"\x01\x02\x03\x04"
KEYS = {"master_secret": "0102030405060708090a0b0c0d0e0f10", "master_salt": "9e7ca92223786340"}


class Storage:
    # Nothing is written here: it is the time of the cipher that is measured.
    def load(self):
        return None

    def save(self, number):
        pass


class Outgoing:
    # As much of an exchange as is sealed.
    wants_response = True
    echo = None
    code = coap.POST
    payload = BODY

    def __init__(self, sealed_by):
        self.context = sealed_by
        options = uri_options("msgin5g")
        options.append((coap.CONTENT_FORMAT, coap.JSON))
        self.options = encode_options(options)


def context(sender, recipient):
    stored = dict(KEYS)
    stored["sender_id"], stored["recipient_id"] = sender, recipient
    return from_credentials(stored, Storage(), stride=1 << 20)


def main():
    times = int(sys.argv[1])
    client, server = context("01", "02"), context("02", "01")
    sealing, opening = Security(client), Security(server)
    Endpoint(Parameters(), None, security=opening)
    outgoing = Outgoing(client)
    message = Message()

    def seal():
        code, options, sealed = sealing.seal(outgoing)
        return encode(coap.CON, code, 0x1234, TOKEN, options, sealed)  # pyright: ignore[reportArgumentType]

    datagram = seal()
    size = len(datagram)

    def unseal():
        # The window is set back: it is one datagram again and again.
        server._highest = -1
        message.decode(datagram, size)
        opening.open_request(message, "peer")

    plain = len(encode(coap.CON, coap.POST, 0x1234, TOKEN, outgoing.options, BODY))
    told = {"seal": measure(seal, times), "open": measure(unseal, times), "octets": (plain, size)}
    unseal()
    assert bytes(message.payload()) == BODY
    print(json.dumps(told))


if __name__ == "__main__":
    main()
