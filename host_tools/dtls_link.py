"""The uplink over DTLS: a client's session, between its endpoint and the UDP link to the server.

``UdpLink(DtlsClient(endpoint, ...))`` is a link like any other: batches, timers and "durable before acknowledged" are
UdpLink's. What the endpoint sends is sealed where the batch leaves; what the session brings goes to the endpoint.

A session is replaced by a new handshake, during which the old one goes on: when it is old or has carried much, when the
server ends it, when nothing is heard though something is waited for (the server may have lost it, or an address has
changed on the way), and when somebody says without proof that the server has lost it. So nothing is lost by a handshake
that leads nowhere. Messages that were on the way are retransmitted by the endpoint, and known by their Message IDs.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import structlog
from msgin5g import ticks
from msgin5g.coap import numbers

from host_tools import dtls
from host_tools.link import IN, OUT
from host_tools.link import now as system_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msgin5g.coap.endpoint import Endpoint

_log = structlog.get_logger("msgin5g.dtls")

# Milliseconds that a handshake may take: OpenSSL retransmits after 1, 2, 4 and 8 s.
_LONGEST_HANDSHAKE = 15_500
# Milliseconds before the next attempt: doubled each time, from the first to the last, with up to half as much more.
_FIRST_PAUSE, _LONGEST_PAUSE = 500, 8000
# Datagrams that wait for the first session.
_MOST_HELD = 64
# Milliseconds that a session has to have lasted before anybody is heard who says that it is lost; and before its end
# is no reason to wait with the next one.
_CALM = 1000
_STABLE = 10_000
# What one session is used for: milliseconds, and records sent; with a tag of 8 octets 2**23 are safe (RFC 9147, 4.5.3).
_LONGEST_SESSION = 24 * 3600 * 1000
_MOST_RECORDS = 1 << 22


class DtlsClient:
    """An endpoint as its UDP link sees it, with DTLS between: give it to UdpLink instead of the endpoint.

    Args:
        endpoint: speaks CoAP to one server.
        client: makes sessions.
        server: the server's address.
        patience: milliseconds without any answer to a confirmable message until the session is doubted.
        longest: milliseconds after which a session is replaced.
        most_records: records sent after which it is replaced.
        clock: ticks.

    Attributes:
        counters: those of the endpoint, and those of DTLS.
        on_datagram: as of :class:`~host_tools.link.UdpLink`, for what is inside; None when nobody watches.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client: dtls.Client,
        server: tuple,
        patience: int = 6000,
        longest: int = _LONGEST_SESSION,
        most_records: int = _MOST_RECORDS,
        clock: Callable[[], int] = system_ticks,
    ) -> None:
        self.endpoint = endpoint
        self.counters = endpoint.counters
        self.counters |= dict.fromkeys(
            ("dtls_handshakes", "dtls_handshakes_failed", "dtls_ended", "dtls_doubted", "dtls_ignored"), 0
        )
        self._client = client
        self._server = server
        self._patience = patience
        self._longest = longest
        self._most_records = most_records
        self._clock = clock
        self._session: dtls.Session | None = None
        self._pending: dtls.Session | None = None
        # When the session and the handshake began; when the next handshake may begin, None: at once.
        self._since = self._pending_since = clock()
        self._not_before: int | None = None
        self._failures = 0
        self._records = 0
        # Since when an answer is waited for, and whether a new session is wanted.
        self._waiting: int | None = None
        self._wanted = True
        self._held: deque[bytes | bytearray] = deque(maxlen=_MOST_HELD)
        self._outgoing: list[tuple[bytes, tuple]] = []
        self.on_datagram: Callable[[str, bytes | bytearray, tuple], None] | None = None

    @property
    def established(self) -> bool:
        """Is there a session?"""
        return self._session is not None

    def rehandshake(self) -> None:
        """Have a new session as soon as possible; the old one is used until then."""
        self._wanted = True
        self._not_before = None

    def close(self) -> None:
        """Tell the server that it is over; the link has to transmit once more."""
        if self._session:
            self._session.close()
            self._collect(self._session)
        self._session = self._pending = self._waiting = None
        self._wanted = False

    def occupancy(self) -> dict[str, int]:
        """See Endpoint."""
        return {**self.endpoint.occupancy(), "dtls_sessions": int(self.established)}

    # -- what the UDP link calls

    def receive(self, data: bytes | bytearray, size: int, address: tuple, now: int) -> None:
        """See Endpoint."""
        datagram = data if len(data) == size else data[:size]
        kind = dtls.kind(datagram)
        if kind is None or address[:2] != self._server[:2]:
            self.counters["dtls_ignored"] += 1
            return
        clear = dtls.is_clear(datagram)
        if self._pending and dtls.is_gone(datagram):
            # About the session that is being replaced.
            return
        if self._pending and (clear or kind == dtls.HANDSHAKE):
            self._shake(datagram, now)
        elif self._session and not clear:
            self._open(datagram, now)
        elif self._session and kind == dtls.ALERT:
            # The server does not know the session, or somebody else says so: a handshake will show.
            if ticks.age(self._since, now) >= _CALM:
                self._wanted = True
        elif self._session and kind != dtls.APPLICATION_DATA:
            # Of the handshake that is over: OpenSSL knows what has to be said once more.
            self._open(datagram, now)
        else:
            self.counters["dtls_ignored"] += 1

    def timer(self) -> int | None:
        """See Endpoint."""
        due = self._due()
        others = self.endpoint.timer()
        if due is None or (others is not None and ticks.diff(others, due) < 0):
            return others
        return due

    def handle_timer(self, now: int) -> None:
        """See Endpoint."""
        if self._pending:
            try:
                self._pending.handle_timeout()
            except dtls.Ended as ended:
                self._failed(ended, now)
            else:
                self._collect(self._pending)
                if ticks.age(self._pending_since, now) >= _LONGEST_HANDSHAKE:
                    self._failed("no answer", now)
        self._look(now)
        self.endpoint.handle_timer(now)

    def datagrams_to_send(self) -> Sequence[tuple[bytes | bytearray, tuple]]:
        """See Endpoint."""
        now = self._clock()
        self._look(now)
        plain = self.endpoint.datagrams_to_send()
        for datagram, _ in plain:
            if self._session and self._waiting is None and (datagram[0] >> 4) & 3 == numbers.CON:
                self._waiting = now
            self._seal(datagram, now)
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # -- the session

    def _seal(self, datagram: bytes | bytearray, now: int) -> None:
        if self._session is None:
            self._held.append(datagram)
            return
        try:
            self._outgoing.append((self._session.seal(datagram), self._server))
            self._records += 1
            if self.on_datagram is not None:
                self.on_datagram(OUT, datagram, self._server)
        except dtls.Ended as ended:
            self._lost(ended, now)

    def _open(self, datagram: bytes | bytearray, now: int) -> None:
        assert self._session
        try:
            found = self._session.feed(datagram)
        except dtls.Ended as ended:
            self._lost(ended, now)
            return
        if not dtls.is_one_record(datagram):
            self._collect(self._session)
        if not found:
            self.counters["dtls_ignored"] += 1
        self._deliver(found, now)

    def _deliver(self, found: list[bytes], now: int) -> None:
        if found:
            self._waiting = None
        for plain in found:
            self.endpoint.receive(plain, len(plain), self._server, now)
            if self.on_datagram is not None:
                self.on_datagram(IN, plain, self._server)

    def _lost(self, why: object, now: int) -> None:
        self.counters["dtls_ended"] += 1
        _log.warning("session ended", server=self._server, reason=str(why))
        self._session = None
        self._waiting = None
        self._wanted = True
        if ticks.age(self._since, now) >= _STABLE:
            self._failures = 0
        else:
            self._pause(now)

    def _look(self, now: int) -> None:
        # Is a new session wanted, and is it time to ask for it?
        if self._session:
            if self._waiting is not None and ticks.age(self._waiting, now) >= self._patience:
                self._waiting = now
                self._wanted = True
                self.counters["dtls_doubted"] += 1
            elif ticks.age(self._since, now) >= self._longest or self._records >= self._most_records:
                self._wanted = True
        early = self._not_before is not None and ticks.diff(self._not_before, now) > 0
        if self._wanted and not self._pending and not early:
            self._begin(now)

    def _due(self) -> int | None:
        # When to look again.
        now = self._clock()
        if self._pending:
            wait = self._pending.timeout()
            left = _LONGEST_HANDSHAKE - ticks.age(self._pending_since, now)
            return ticks.add(
                now, max(0, min(left, int((wait or 0) * 1000) + 1 if wait is not None else left))
            )
        if self._wanted:
            return self._not_before if self._not_before is not None else now
        if self._waiting is not None:
            return ticks.add(self._waiting, self._patience)
        return None

    # -- the handshake

    def _begin(self, now: int) -> None:
        if self._session and ticks.age(self._since, now) >= _STABLE:
            self._failures = 0
        self._pending = self._client.session()
        self._pending_since = now
        self._collect(self._pending)

    def _shake(self, datagram: bytes | bytearray, now: int) -> None:
        assert self._pending
        pending = self._pending
        try:
            found = pending.feed(datagram)
        except dtls.Ended as ended:
            self._collect(pending)
            self._failed(ended, now)
            return
        self._collect(pending)
        if not pending.established:
            return
        # The old one just goes: its server side was replaced with the same handshake.
        self._session, self._pending = pending, None
        self._since, self._records = now, 0
        self._waiting = None
        self._wanted = False
        self._not_before = None
        self.counters["dtls_handshakes"] += 1
        _log.info("session established", server=self._server, suite=f"{pending.suite:04x}")
        self._deliver(found, now)
        while self._held:
            self._seal(self._held.popleft(), now)

    def _failed(self, why: object, now: int) -> None:
        self.counters["dtls_handshakes_failed"] += 1
        if not self._failures & (self._failures - 1):
            # Ever more rarely.
            _log.warning("handshake failed", server=self._server, reason=str(why), before=self._failures)
        self._pending = None
        # What waited for it comes again.
        self._held.clear()
        self._pause(now)
        if self._session and self._waiting is None:
            # It was doubted without reason.
            self._wanted = False

    def _pause(self, now: int) -> None:
        pause = min(_FIRST_PAUSE << min(self._failures, 8), _LONGEST_PAUSE)
        self._failures += 1
        self._not_before = ticks.add(now, pause + self.endpoint.random(pause >> 1))

    def _collect(self, session: dtls.Session) -> None:
        self._outgoing += [(datagram, self._server) for datagram in session.outgoing()]
