"""A server with a DTLS port, and peers with sessions, in a world of its own time. No socket, but real DTLS."""

import contextlib
from typing import ClassVar

from host_tools import dtls
from host_tools.dtls_link import DtlsClient
from host_tools.dtls_server import Beside, DtlsServer
from host_tools.security import akma
from host_tools.security.akma_keys import AkmaDevices, LocalAnchor
from host_tools.security.dtls_contexts import ServerContexts
from tests.server.lab import SERVER, Lab, Peer

SERVER_ID = "server@a"
DTLS_SERVER = ("server", 5684)
FQDN = "msgin5g.example.org"
PATIENCE = 6000


class DtlsLab(Lab):
    """A server that takes nobody without a key, from AKMA or not."""

    limits: ClassVar[dict] = {}

    def secured(self, store):
        """What its endpoint is secured by."""
        self.contexts = ServerContexts(store, SERVER_ID)
        return self.contexts

    def start(self):
        super().start()
        endpoint = self.world.endpoints[SERVER]
        anchor = LocalAnchor(self.store, self.world.wall_clock)
        self.dtls = DtlsServer(
            endpoint, anchor, wall_clock=self.world.wall_clock, clock=lambda: self.world.now, **self.limits
        )
        self.contexts.sessions = self.dtls
        self.contexts.on_revoked = self.revoked
        self.world.join(SERVER, Beside(endpoint, self.dtls))
        # It comes after that one in every batch.
        self.world.leave(DTLS_SERVER)
        self.world.join(DTLS_SERVER, self.dtls)

    def revoked(self, ue):
        self.dtls.end(ue)
        self.face.expel(ue)

    def devices(self):
        return contextlib.closing(AkmaDevices(self.path, SERVER_ID))

    def enrol(self, ue, expires=None):
        """Keys for a UE."""
        with self.devices() as devices, devices.enrol_akma(ue, FQDN, "example.org", expires) as keys:
            return keys

    def revoke(self, ue):
        with self.devices() as devices:
            devices.revoke(ue)

    def peer(self, name, ue=None, **options):
        return DtlsPeer(self.world, name, self.enrol(ue or name), **options)


class DtlsPeer(Peer):
    """A UE or a gateway with keys from AKMA, that speaks DTLS."""

    server = DTLS_SERVER

    def __init__(self, world, name, keys, identity=None, **options):
        super().__init__(world, name)
        self.keys = keys
        client = dtls.Client(
            identity or akma.PREFIX + keys.a_kid, lambda suite: keys.key(akma.ua_dtls(suite)), FQDN
        )
        self.dtls = DtlsClient(
            self.endpoint, client, DTLS_SERVER, PATIENCE, clock=lambda: world.now, **options
        )
        world.join(self.address, self.dtls)

    def back(self):
        self.world.join(self.address, self.dtls)

    def move(self, name):
        """From here on it is at another address, as behind a NAT that has forgotten."""
        self.leave()
        self.address = (name, 5683)
        self.back()

    def count(self, name):
        return self.endpoint.counters["dtls_" + name]


class Stranger:
    """Sends raw datagrams from addresses of its choice, and counts what comes back."""

    def __init__(self, world):
        self.world = world
        self.sent = self.got = 0

    def send(self, datagram, address=("stranger", 1)):
        """What the server answers to a datagram."""
        self.sent += len(datagram)
        server = self.world.endpoints[DTLS_SERVER]
        server.receive(datagram, len(datagram), address, self.world.now)
        answers = [answer for answer, to in server.datagrams_to_send() if to == address]
        self.got += sum(map(len, answers))
        return answers
