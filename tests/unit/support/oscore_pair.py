# A Pair (coap_pair.py) whose endpoints share a security context, and can lose what they remember.

from coap_pair import A, B, Pair, raised, raised_by_handler
from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import Message
from msgin5g.coap.server import Server
from msgin5g.oscore.derive import from_credentials
from msgin5g.oscore.security import Security

SECRET = "0102030405060708090a0b0c0d0e0f10"


class Storage:
    # What survives a restart; every number that was saved.
    def __init__(self):
        self.saved = []

    def load(self):
        return self.saved[-1] if self.saved else None

    def save(self, number):
        self.saved.append(number)


def credentials(sender, recipient, secret=SECRET, id_context=None):
    return {
        "master_secret": secret,
        "master_salt": "9e7ca92223786340",
        "sender_id": sender,
        "recipient_id": recipient,
        "id_context": id_context,
    }


def two_contexts(storages=None, **options):
    first, second = storages or (Storage(), Storage())
    return (
        from_credentials(credentials("01", "02"), first, "b's name", **options),
        from_credentials(credentials("02", "01"), second, "a's name", **options),
    )


class SecuredPair(Pair):
    def __init__(self, open_paths=(), **options):
        self.storages = Storage(), Storage()
        self.contexts = two_contexts(self.storages)
        super().__init__(**options)
        self.secure(self.a, self.contexts[0])
        self.secure(self.b, self.contexts[1], open_paths)

    def secure(self, endpoint, context, open_paths=()):
        endpoint.security = Security(context, open_paths)
        endpoint.security.join(endpoint)

    def echo(self):
        # POST x gives back what it gets; what has come is kept.
        self.got = []

        def on_post(request, now):
            self.got.append((request.payload, request.context and request.context.name))
            self.server.respond(request, n.CHANGED, now, request.payload)

        self.server.add("x", n.POST, on_post)
        return self

    def restart_a(self):
        self.a = self.wire.join(A, Endpoint(Parameters(), self.wire.random.bits))
        self.a.on_error = raised
        self.client = Client(self.a)
        self.contexts = (from_credentials(credentials("01", "02"), self.storages[0]), self.contexts[1])
        self.secure(self.a, self.contexts[0])

    def restart_b(self):
        self.b = self.wire.join(B, Endpoint(Parameters(), self.wire.random.bits))
        self.b.on_error = raised
        self.server = Server(self.b)
        self.server.on_error = raised_by_handler
        again = from_credentials(credentials("02", "01"), self.storages[1], "a's name")
        self.contexts = (self.contexts[0], again)
        self.secure(self.b, again)


def raw(octets):
    message = Message()
    message.decode(octets, len(octets))
    return message


class Tap:
    # Every datagram on a pair's wire, as it was sent.
    def __init__(self, pair):
        self.datagrams = []
        pair.wire.drop = self.drop
        # lose(datagram, source) -> whether it is lost
        self.lose = None

    def drop(self, datagram, source, destination):
        self.datagrams.append((bytes(datagram), source))
        return self.lose and self.lose(datagram, source)

    def sent(self, source):
        return [datagram for datagram, whose in self.datagrams if whose == source]


def throw(pair, datagram, to=B, at="stranger"):
    # A datagram from somebody; what is answered to that address.
    before = len(pair.wire.log)
    pair.wire.send(datagram, at, to)
    pair.run(200)
    return [entry[2] for entry in pair.wire.log[before:] if entry[1] == at]


def refusals(pair):
    return {name[7:]: count for name, count in pair.b.counters.items() if name[:7] == "oscore_" and count}
