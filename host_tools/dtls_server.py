"""The server's DTLS port: sessions of gateways and UEs, between an endpoint and a UDP link of their own.

The endpoint has its other UDP link as well, for what comes without DTLS: :func:`beside` makes both. To the endpoint who
speaks through a session is at ``("dtls", UE Service ID, host, port)``: an address that only the holder of a key has.

Of a client that has not shown that it is where it says nothing is kept (RFC 6347, 4.2.1), and a session is replaced by
another from its address only when that handshake is over (4.2.8). A UE has one session: the latest.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from msgin5g import ticks

from host_tools import dtls
from host_tools.link import UdpLink
from host_tools.link import now as system_ticks
from host_tools.security import akma

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msgin5g.coap.endpoint import Endpoint

    from host_tools.security.akma import Anchor, ApplicationKey

_log = structlog.get_logger("msgin5g.dtls")

SCHEME = "dtls"
_PREFIX_LENGTH = 2
MOST_SESSIONS = 4096
MOST_HANDSHAKES = 256
# Milliseconds: that a handshake may take; that one may take that has got all it needs, unless the keys differ; that a
# session may be silent; between two looks at handshakes, and at sessions.
_LONGEST_HANDSHAKE = 15_000
_LONGEST_DOUBT = 2500
_LONGEST_SILENCE = 6 * 3600 * 1000
_HANDSHAKE_LOOK, _SESSION_LOOK = 250, 10_000
# Answers without proof ("there is no session") in one second.
_MOST_GONE = 100
# Milliseconds between two lines in the log about refusals for the same reason.
_LOG_INTERVAL = 1000
_COUNTERS = (
    "received",
    "handshakes",
    "cookies_sent",
    "wrong_key",
    "unknown_identity",
    "handshakes_failed",
    "handshakes_shed",
    "sessions_shed",
    "ended",
    "ignored",
    "no_session",
)


class _Peer:
    # Whoever is at an address: a session, or a handshake.
    def __init__(self, session: dtls.Session, address: tuple, now: int) -> None:
        self.session = session
        self.address = address
        self.since = self.last_used = now
        self.key: ApplicationKey | None = None
        # Since when it has all that it needs, if the keys are the same.
        self.complete: int | None = None


class DtlsServer:
    """An endpoint as the UDP link of the DTLS port sees it.

    Args:
        endpoint: speaks CoAP with those who have a session.
        anchor: has the keys.
        most_sessions: bound of sessions; the eighth that was not used for longest goes.
        most_handshakes: bound of handshakes; the oldest goes.
        longest_silence: milliseconds without a record after which a session ends.
        wall_clock: seconds since 1970.
        clock: ticks.

    Attributes:
        counters: of this port.
        family: how many members an address of its socket has.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        anchor: Anchor,
        most_sessions: int = MOST_SESSIONS,
        most_handshakes: int = MOST_HANDSHAKES,
        longest_silence: int = _LONGEST_SILENCE,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], int] = system_ticks,
    ) -> None:
        self.endpoint = endpoint
        self.counters: dict[str, int] = dict.fromkeys(_COUNTERS, 0)
        self.family = 2
        self._anchor = anchor
        self._server = dtls.Server(self._key, akma.PREFIX)
        self._most_sessions = most_sessions
        self._most_handshakes = most_handshakes
        self._longest_silence = longest_silence
        self._wall_clock = wall_clock
        self._clock = clock
        # By the address of the socket; where each UE has its session.
        self._sessions: dict[tuple, _Peer] = {}
        self._handshakes: dict[tuple, _Peer] = {}
        self._address_of: dict[str, tuple] = {}
        # What the callback has found during a handshake.
        self._found: ApplicationKey | None = None
        self._outgoing: list[tuple[bytes, tuple]] = []
        self._looked = self._gone_since = clock()
        self._gone = 0
        self._told: dict[str, int] = {}

    # -- what its UDP link calls

    def receive(self, data: bytes | bytearray, size: int, address: tuple, now: int) -> None:
        """See Endpoint."""
        self.counters["received"] += 1
        datagram = data if len(data) == size else data[:size]
        kind = dtls.kind(datagram)
        if kind is None:
            self.counters["ignored"] += 1
            return
        hello = dtls.hello_random(datagram)
        clear = dtls.is_clear(datagram)
        handshake = self._handshakes.get(address)
        peer = self._sessions.get(address)
        if hello and not any(one and one.session.hello == hello for one in (handshake, peer)):
            self._hello(datagram, address, now)
        elif handshake and (clear or kind == dtls.HANDSHAKE):
            self._shake(handshake, datagram, now)
        elif peer and (not clear or kind in (dtls.HANDSHAKE, dtls.CHANGE_CIPHER_SPEC)):
            self._open(peer, datagram, now)
        elif not clear and kind == dtls.APPLICATION_DATA and not handshake:
            self.counters["no_session"] += 1
            self._say_gone(address, now)
        else:
            self.counters["ignored"] += 1

    def timer(self) -> int | None:
        """See Endpoint."""
        if self._handshakes:
            return ticks.add(self._looked, _HANDSHAKE_LOOK)
        return ticks.add(self._looked, _SESSION_LOOK) if self._sessions else None

    def handle_timer(self, now: int) -> None:
        """See Endpoint."""
        self._looked = now
        for peer in list(self._handshakes.values()):
            self._look_at_handshake(peer, now)
        for peer in list(self._sessions.values()):
            assert peer.key
            expires = peer.key.expires
            if ticks.age(peer.last_used, now) >= self._longest_silence or (
                expires is not None and expires <= self._wall_clock()
            ):
                self._end(peer)

    def datagrams_to_send(self) -> Sequence[tuple[bytes | bytearray, tuple]]:
        """See Endpoint."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def occupancy(self) -> dict[str, int]:
        """See Endpoint."""
        return {"sessions": len(self._sessions), "handshakes_under_way": len(self._handshakes)}

    # -- what the endpoint's side calls

    def send(self, datagram: bytes | bytearray, address: tuple) -> None:
        """Seal a datagram for ``("dtls", UE Service ID, host, port)``."""
        if not self.has(address):
            self.poke(address)
            return
        peer = self._sessions[address[_PREFIX_LENGTH:]]
        try:
            self._outgoing.append((peer.session.seal(datagram), peer.address))
        except dtls.Ended:
            self._end(peer)

    def has(self, address: tuple) -> bool:
        """Is there a session of this UE at this address?"""
        peer = self._sessions.get(address[_PREFIX_LENGTH:])
        return peer is not None and peer.key is not None and peer.key.ue_service_id == address[1]

    def poke(self, address: tuple) -> None:
        """Let a UE that may be at an address know that there is no session: only it can begin one."""
        self.counters["no_session"] += 1
        plain = address[_PREFIX_LENGTH:]
        if len(plain) == self.family:
            self._say_gone(plain, self._clock())

    def end(self, ue_service_id: str) -> None:
        """End the session of a UE, whose key is not good any more."""
        address = self._address_of.get(ue_service_id)
        if address is not None:
            self._end(self._sessions[address])

    def close(self) -> None:
        """End all sessions; the link has to transmit once more."""
        self._handshakes.clear()
        for peer in list(self._sessions.values()):
            self._end(peer)

    # -- handshakes

    def _key(self, identity: str, suite: int) -> bytes | None:
        self._found = self._anchor.get(identity, akma.ua_dtls(suite))
        return self._found.key if self._found else None

    def _hello(self, datagram: bytes | bytearray, address: tuple, now: int) -> None:
        try:
            answers, session = self._server.hear(datagram, address)
        except dtls.Ended as ended:
            self._refused("handshakes_failed", address, now, reason=str(ended))
            return
        self._outgoing += [(answer, address) for answer in answers]
        if session is None:
            self.counters["cookies_sent"] += 1
            return
        self._handshakes.pop(address, None)
        if len(self._handshakes) >= self._most_handshakes:
            self.counters["handshakes_shed"] += 1
            del self._handshakes[next(iter(self._handshakes))]
        elif not self._handshakes:
            self._looked = now
        self._handshakes[address] = _Peer(session, address, now)

    def _shake(self, peer: _Peer, datagram: bytes | bytearray, now: int) -> None:
        session = peer.session
        self._found = None
        try:
            found = session.feed(datagram)
        except dtls.Ended as ended:
            self._collect(peer)
            del self._handshakes[peer.address]
            unknown = session.identity is not None and not (peer.key or self._found)
            counter = "unknown_identity" if unknown else "handshakes_failed"
            self._refused(counter, peer.address, now, reason=str(ended), identity=session.identity)
            return
        self._collect(peer)
        peer.key = peer.key or self._found
        if session.established:
            del self._handshakes[peer.address]
            self._established(peer, now)
            self._deliver(peer, found, now)
        elif peer.key and peer.complete is None and not dtls.is_clear(datagram):
            peer.complete = now

    def _look_at_handshake(self, peer: _Peer, now: int) -> None:
        doubtful = peer.complete is not None and ticks.age(peer.complete, now) >= _LONGEST_DOUBT
        try:
            peer.session.handle_timeout()
        except dtls.Ended:
            doubtful = doubtful or peer.complete is not None
        else:
            self._collect(peer)
            if not doubtful and ticks.age(peer.since, now) < _LONGEST_HANDSHAKE:
                return
        del self._handshakes[peer.address]
        if doubtful and peer.key:
            self._refused("wrong_key", peer.address, now, ue=peer.key.ue_service_id)
        else:
            self._refused("handshakes_failed", peer.address, now, reason="no answer")

    # -- sessions

    def _established(self, peer: _Peer, now: int) -> None:
        assert peer.key
        name = peer.key.ue_service_id
        self.counters["handshakes"] += 1
        for address in {peer.address, self._address_of.get(name, peer.address)}:
            if before := self._sessions.get(address):
                self._end(before, tell=address != peer.address)
        if len(self._sessions) >= self._most_sessions:
            self._shed(now)
        peer.since = peer.last_used = now
        self._sessions[peer.address] = peer
        self._address_of[name] = peer.address
        _log.info("session established", ue=name, address=peer.address, suite=f"{peer.session.suite:04x}")

    def _open(self, peer: _Peer, datagram: bytes | bytearray, now: int) -> None:
        try:
            found = peer.session.feed(datagram)
        except dtls.Ended:
            self._end(peer)
            return
        if not dtls.is_one_record(datagram):
            self._collect(peer)
        if not found:
            self.counters["ignored"] += 1
        self._deliver(peer, found, now)

    def _deliver(self, peer: _Peer, found: list[bytes], now: int) -> None:
        assert peer.key
        for plain in found:
            peer.last_used = now
            self.endpoint.receive(plain, len(plain), (SCHEME, peer.key.ue_service_id, *peer.address), now)

    def _end(self, peer: _Peer, tell: bool = True) -> None:
        assert peer.key
        self.counters["ended"] += 1
        del self._sessions[peer.address]
        name = peer.key.ue_service_id
        if self._address_of.get(name) == peer.address:
            del self._address_of[name]
        if tell:
            peer.session.close()
            self._collect(peer)

    def _shed(self, now: int) -> None:
        peers = sorted(self._sessions.values(), key=lambda peer: -ticks.age(peer.last_used, now))
        for peer in peers[: 1 + len(peers) // 8]:
            self.counters["sessions_shed"] += 1
            # Not told: who has nothing to say now need not come back at once.
            self._end(peer, tell=False)

    def _collect(self, peer: _Peer) -> None:
        self._outgoing += [(datagram, peer.address) for datagram in peer.session.outgoing()]

    def _say_gone(self, address: tuple, now: int) -> None:
        if ticks.age(self._gone_since, now) >= 1000:
            self._gone_since, self._gone = now, 0
        if self._gone < _MOST_GONE:
            self._gone += 1
            self._outgoing.append((dtls.GONE, address))

    def _refused(self, counter: str, address: tuple, now: int, **detail: object) -> None:
        self.counters[counter] += 1
        at = self._told.get(counter)
        if at is None or ticks.age(at, now) >= _LOG_INTERVAL:
            self._told[counter] = now
            _log.warning("handshake refused", why=counter, address=address, **detail)


class Beside:
    """An endpoint as its first UDP link sees it, which leaves to the DTLS port what is for sessions.

    Args:
        endpoint: of both.
        server: the DTLS port's.
    """

    def __init__(self, endpoint: Endpoint, server: DtlsServer) -> None:
        self.endpoint = endpoint
        self.counters = endpoint.counters
        self.timer = endpoint.timer
        self.receive = endpoint.receive
        self.handle_timer = endpoint.handle_timer
        self.occupancy = endpoint.occupancy
        self._server = server

    def datagrams_to_send(self) -> Sequence[tuple[bytes | bytearray, tuple]]:
        """Seal what is for sessions; returns the rest."""
        rest = []
        for datagram, address in self.endpoint.datagrams_to_send():
            if address[0] == SCHEME:
                self._server.send(datagram, address)
            else:
                rest.append((datagram, address))
        return rest


def link(server: DtlsServer, host: str, port: int, on_batch: Callable[[], None]) -> UdpLink:
    """The UDP link of a DTLS port. In a batch it has to transmit after the endpoint's first one."""
    made = UdpLink(server, host, port, on_batch)
    server.family = len(made.resolve(*made.address))
    return made
