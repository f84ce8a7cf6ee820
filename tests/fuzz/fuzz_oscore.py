"""The contract of OSCORE under any input, for hypothesis (test_oscore.py) and for atheris:

    .venv/bin/python -m tests.fuzz.fuzz_oscore [CORPUS] [-runs=1000000] [-max_total_time=60]

* parse takes any value of the OSCORE option, or raises Refused; what it found encodes to the same.
* Whatever arrives at a secured endpoint, it does not raise, and no handler sees anything that the peer has not sealed.
* What it holds stays within its bounds, and a valid exchange goes on.
"""

import random
import sys

from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.exchange import Refused
from msgin5g.coap.message import encode, encode_options, uri_options
from msgin5g.coap.server import Server
from msgin5g.oscore.derive import from_credentials
from msgin5g.oscore.security import Security, option_value, parse

REFUSALS = {n.UNAUTHORIZED, n.BAD_REQUEST, n.BAD_OPTION}


class Storage:
    """Remembers nothing: every context is new."""

    def load(self):
        return None

    def save(self, number):
        pass


def endpoint(sender, recipient, seed):
    """A secured endpoint, one of two."""
    stored = {
        "master_secret": "00" * 16,
        "sender_id": sender,
        "recipient_id": recipient,
        "id_context": "aabb",
    }
    security = Security(from_credentials(stored, Storage()))
    parameters = Parameters(most_peers=3, most_recent=8, most_recent_octets=600)
    made = Endpoint(parameters, random.Random(seed).getrandbits, security=security)
    made.on_error = _raise
    return made


def _raise(error):
    raise error


def check_parse(value):
    """Parse a value of the option; whether it was accepted."""
    try:
        piv, kid_context, kid = parse(value)
    except Refused:
        return False
    if piv is not None and (kid is not None or kid_context is None):
        assert bytes(option_value(piv, kid, kid_context)) == value
    return True


class Target:
    """Two endpoints that talk, and somebody who sends to both."""

    def __init__(self, seed=1):
        self.now = 0
        self.a, self.b = endpoint("01", "02", seed), endpoint("02", "01", seed + 1)
        self.client = Client(self.a)
        self.server = server = Server(self.b)
        self.bodies = []
        server.add("x", n.POST, self._on_post)
        server.add_observable("o", lambda query: (n.CONTENT, n.TEXT_PLAIN, b"state"))
        self.sent = []
        self.seen = []
        self.client.observe("b", uri_options("o"), lambda response, now: self.seen.append(response), 0)
        self.deliver()

    def _on_post(self, request, now):
        security = self.b.security
        assert security and request.context is security.context
        self.bodies.append(request.payload)
        self.server.respond(request, n.CHANGED, now, request.payload)

    def deliver(self):
        """Carry everything, and keep a copy for whoever attacks."""
        moved = True
        while moved:
            moved = False
            for source, other, name in ((self.a, self.b, "a"), (self.b, self.a, "b")):
                for datagram, address in source.datagrams_to_send():
                    if address in ("a", "b"):
                        moved = True
                        self.sent.append((bytes(datagram), name))
                        other.receive(datagram, len(datagram), name, self.now)
        del self.sent[:-20]

    def ask(self):
        """A valid exchange, which whatever came before must not have broken."""
        before = len(self.bodies)
        responses = []
        payload = b"%d" % before
        self.client.request(
            "b", n.POST, uri_options("x"), payload, lambda response, now: responses.append(response), self.now
        )
        self.deliver()
        self.now = (self.now + 3000) & 0x1FFFFFFF
        for one in (self.a, self.b):
            one.handle_timer(self.now)
        self.deliver()
        assert [response.payload for response in responses] == [payload]
        assert self.bodies[before:] == [payload]

    def throw(self, datagram, to_a, address):
        """A datagram from somebody, with any address."""
        to = self.a if to_a else self.b
        before = len(self.bodies)
        to.receive(bytearray(datagram), len(datagram), address, self.now)
        assert len(self.bodies) == before
        for answer, _ in to.datagrams_to_send():
            # An empty message, a refusal, or what had been answered before.
            assert answer[1] in REFUSALS or answer[1] in (n.EMPTY, n.CHANGED, n.CONTENT)
        for one in (self.a, self.b):
            assert one.occupancy()["peers"] <= one.parameters.most_peers
            assert one.security and len(one.security._opened) <= 64 + 66000


def wrapped(value, sealed, code=n.POST, mid=0x7777, token=b"t"):
    """A datagram with an OSCORE option."""
    return bytes(encode(n.CON, code, mid, token, encode_options([(n.OSCORE, value)]), sealed))


def damaged(datagram, random_):
    """One that was sent, changed so that it is none that was."""
    changed = bytearray(datagram)
    what = random_.randrange(4)
    if what == 0 and len(changed) > 4:
        changed[random_.randrange(4, len(changed))] ^= 1 << random_.randrange(8)
    elif what == 1:
        del changed[random_.randrange(len(changed)) :]
    elif what == 2:
        changed[2:4] = random_.randbytes(2)
    else:
        at = random_.randrange(len(changed))
        changed[at:at] = random_.randbytes(3)
    return bytes(changed)


def script(seed, rounds=60):
    """A long conversation in which somebody interferes."""
    random_ = random.Random(seed)
    target = Target(seed)
    for _ in range(rounds):
        for _ in range(random_.randrange(6)):
            datagram, source = random_.choice(target.sent)
            address = random_.choice(["a", "b", "c", "d", "e"])
            chance = random_.random()
            if chance < 0.2:
                value = random_.randbytes(random_.randrange(12))
                code = random_.choice([1, 2, 5, 0x44])
                datagram = wrapped(value, random_.randbytes(random_.randrange(40)), code)
            elif chance < 0.4:
                # A known kid, and a number that was not used yet.
                value = b"\x1b\x7f" + random_.randbytes(2) + b"\x02\xaa\xbb\x01"
                datagram = wrapped(value, random_.randbytes(random_.randrange(9, 40)))
            else:
                datagram = damaged(datagram, random_)
            target.throw(datagram, random_.random() < 0.5, address)
        target.ask()
        if random_.random() < 0.2:
            target.server.notify("o", target.now)
            target.deliver()
    return target


def one_input(octets):
    """What atheris calls."""
    check_parse(octets[:40])
    target = Target()
    target.throw(octets, False, "c")
    target.throw(wrapped(octets[1 : 1 + octets[0] % 30], octets[1:]) if octets else b"", False, "c")
    target.ask()


def main():
    """Fuzz until told otherwise."""
    import atheris

    atheris.instrument_all()  # pyright: ignore[reportAttributeAccessIssue]
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
