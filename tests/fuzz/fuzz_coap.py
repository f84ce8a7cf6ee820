"""The contract of the CoAP core under any input, for hypothesis (test_coap_message.py) and for atheris:

    .venv/bin/python -m tests.fuzz.fuzz_coap [CORPUS] [-runs=1000000] [-max_total_time=60]

* A datagram is accepted, or Message.decode raises NotCoap or FormatError; nothing else.
* Endpoint.receive and handle_timer never raise, with a client and a server at work on it.
* What an endpoint holds stays within its bounds, and what it sends is CoAP.
"""

import random
import sys

from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Full, Parameters
from msgin5g.coap.message import FormatError, Message, NotCoap, encode_options, uri_options
from msgin5g.coap.server import Server

ADDRESSES = ("a", "b", "c", "d", "e")
MOST_BODY = 300


def check_decode(datagram):
    """Decode, and use all that was decoded; whether it was accepted."""
    message = Message()
    try:
        message.decode(datagram, len(datagram))
    except (NotCoap, FormatError):
        return False
    assert len(message.token()) <= 8 and message.has_token(message.token())
    told = fields(message)
    # The same in a buffer that is longer, and refilled.
    buffer = bytearray(datagram) + b"\xff\xe0\x00\x5f"
    message.decode(buffer, len(datagram))
    assert fields(message) == told
    return True


def fields(message):
    """Everything a message tells."""
    for text in (message.path(), message.query(), message.location()):
        assert text is None or isinstance(text, str)
    return (
        *(message.type, message.code, message.mid, message.token(), bytes(message.payload()), message.etag()),
        *(message.path(), message.query(), message.location(), message.unrecognized),
        *(message.observe, message.content_format, message.max_age, message.accept),
        *(message.block1, message.block2, message.size1, message.size2),
    )


class Target:
    """An endpoint with small bounds, a client that has asked, and a server with every kind of resource."""

    def __init__(self, seed=1):
        self.now = 0
        self.parameters = Parameters(most_peers=3, most_waiting=2, most_recent=8, most_recent_octets=600)
        self.endpoint = Endpoint(self.parameters, random.Random(seed).getrandbits)
        self.endpoint.on_error = _raise
        self.client = Client(self.endpoint, szx=1, most_body=MOST_BODY)
        self.server = server = Server(self.endpoint, most_body=MOST_BODY, szx=1, most_observers=2)
        server.on_error = lambda request, error: _raise(error)
        server.add(
            "a", n.POST, lambda request, now: server.respond(request, n.CHANGED, now, request.payload * 2)
        )
        server.add(
            "a", n.GET, lambda request, now: server.respond(request, n.CONTENT, now, bytes(100), n.CBOR)
        )
        server.add("b", n.GET, lambda _request, _now: None)
        server.add_observable("o", lambda query: (n.CONTENT, n.TEXT_PLAIN, query.encode()[:200] or bytes(90)))
        # What the target has sent, whose Message IDs and tokens an answer needs.
        self.sent = []
        self.ask()

    def ask(self):
        """Have requests of each kind under way."""
        try:
            self.client.request("a", n.POST, uri_options("x"), bytes(200), _nothing, self.now)
            self.client.request("b", n.GET, uri_options("y"), b"", _nothing, self.now, confirmable=False)
            self.client.observe("c", uri_options("z"), _nothing, self.now)
            self.endpoint.ping("a", None, self.now)
        except Full:
            pass
        self.collect()

    def receive(self, datagram, address):
        """Hand a datagram to the endpoint, and look at what it holds and sends."""
        self.endpoint.receive(bytes(datagram), len(datagram), address, self.now)
        self.collect()
        self.check_bounds()

    def wait(self, milliseconds):
        """Let time pass."""
        self.now = (self.now + milliseconds) & 0x1FFFFFFF
        self.endpoint.handle_timer(self.now)
        self.server.notify("o", self.now)
        self.collect()
        self.check_bounds()

    def collect(self):
        for datagram, address in self.endpoint.datagrams_to_send():
            message = Message()
            message.decode(datagram, len(datagram))
            self.sent.append((message.mid, message.token(), address))
        del self.sent[:-20]

    def check_bounds(self):
        """Every table within its size."""
        held, most = self.endpoint.occupancy(), self.parameters
        assert held["peers"] <= most.most_peers
        assert held["recent"] <= most.most_recent and held["recent_octets"] <= most.most_recent_octets
        assert held["unanswered"] <= most.most_unanswered
        assert held["outstanding"] <= most.most_peers * (most.nstart + 1)
        assert self.server.observers("o") <= 2
        blocks = self.server.blocks()
        for bodies in (blocks.uploads, blocks.downloads):
            assert len(bodies) <= 2
        for peer in self.endpoint._peers.values():
            assert len(peer.waiting) <= most.most_waiting and peer.outstanding <= most.nstart


def _nothing(response, now):
    assert response.code is not None or response.how


def _raise(error):
    raise error


def check_endpoint(octets):
    """Octets as a script: time that passes, and datagrams, some with a Message ID and token that are waited for."""
    target = Target()
    at = 0
    while at + 3 < len(octets):
        what, size, choice = octets[at : at + 3]
        at += 3
        datagram = bytearray(octets[at : at + size])
        at += size
        if what & 0x0F == 0:
            target.wait(choice * 1000)
        elif what & 0x0F == 1:
            target.ask()
        elif target.sent and what & 0x10 and len(datagram) >= 4:
            # An answer to something that was sent.
            mid, token, address = target.sent[choice % len(target.sent)]
            datagram[0] = datagram[0] & 0x30 | 0x40 | len(token)
            datagram[2:4] = mid.to_bytes(2, "big")
            target.receive(bytes(datagram[:4]) + token + bytes(datagram[4:]), address)
        else:
            target.receive(datagram, ADDRESSES[choice % len(ADDRESSES)])


def valid_options(random_):
    """Options of a request or response, most of them understood."""
    options = [(n.URI_PATH, random_.choice(["a", "b", "o", "x", ""]))]
    for _ in range(random_.randrange(5)):
        number = random_.choice(
            [n.OBSERVE, n.BLOCK1, n.BLOCK2, n.ETAG, n.SIZE1, n.MAX_AGE, n.URI_QUERY, 9, 2049, 60]
        )
        options.append((number, random_.randbytes(random_.choice([0, 1, 1, 1, 2, 3, 9, 300]))))
    return encode_options(options)


def one_input(octets):
    """What atheris calls."""
    check_decode(octets)
    check_endpoint(octets)


def main():
    """Fuzz until told otherwise."""
    import atheris

    atheris.instrument_all()  # pyright: ignore[reportAttributeAccessIssue]
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
