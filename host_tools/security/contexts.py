"""The security contexts of all devices of a process, from the device registry in its store."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from msgin5g import provisioning
from msgin5g.coap import numbers as coap
from msgin5g.coap.exchange import Refused
from msgin5g.oscore.contexts import Contexts, NoContext
from msgin5g.oscore.security import parse

from host_tools.security.devices import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgin5g.coap.endpoint import Endpoint
    from msgin5g.coap.message import Message
    from msgin5g.oscore.context import Context

    from host_tools.store import SqliteStore

_log = structlog.get_logger("msgin5g.security")

REVOKED = "oscore_revoked"
# Contexts in memory, some 1,000 octets each, unless it is said otherwise; others are loaded when they are heard of.
MOST_HELD = 16384
# Requests of one device may arrive out of order by so many: a gateway has many under way, and one of them that was lost
# comes again after hundreds of others (RFC 8613, 7.4, leaves the size to the application).
_WINDOW = 1024
# Seconds between two lines in the log about requests that are refused for the same reason.
_LOG_INTERVAL = 1.0
# Seconds until an enrolment or revocation is noticed when nobody says anything.
_LOOK_INTERVAL = 1.0
# Seconds in which it is noticed when many say something: it is not looked for with each of the requests of a batch.
_LOOK_PAUSE = 0.001


class DeviceContexts(Contexts):
    """What a gateway's or a server's endpoint is secured by: each device by its key.

    What ``msgin5g enrol`` and ``msgin5g revoke`` do is noticed with the next request, whoever makes it.

    Args:
        store: has the registry; sequence numbers are durable with its commit.
        service_id: the Service ID of the gateway or server.
        open_paths: what may be asked without protection.
        most: bound of contexts in memory.

    Attributes:
        on_revoked: called with the UE Service ID of each device that is revoked.
    """

    def __init__(
        self, store: SqliteStore, service_id: str, open_paths: tuple[str, ...] = (), most: int = MOST_HELD
    ) -> None:
        super().__init__(self._load_device, most, open_paths)
        store.add_tables(SCHEMA)
        self.on_revoked: Callable[[str], None] = lambda _ue: None
        self._store = store
        self._service_id = service_id
        self._kids: dict[str, bytes] = {}
        self._version = store.foreign_changes()
        self._looked = 0.0
        self._change: int = store.rows("SELECT ifnull(max(change), 0) FROM devices")[0][0]
        self._told: dict[str, tuple[float, int]] = {}

    def join(self, endpoint: Endpoint) -> None:
        """See Security."""
        super().join(endpoint)
        endpoint.counters[REVOKED] = 0

    def look(self) -> None:
        """Take note of what has been enrolled and revoked meanwhile."""
        self._looked = time.monotonic()
        version = self._store.foreign_changes()
        if version == self._version:
            return
        self._version = version
        changed = self._store.rows(
            "SELECT kid, ue_service_id, revoked, change FROM devices WHERE change > ? ORDER BY change",
            (self._change,),
        )
        for kid, ue, revoked, change in changed:
            self._change = change
            self._contexts.pop((kid, None), None)
            self._used.pop((kid, None), None)
            self._kids.pop(ue, None)
            if revoked:
                _log.warning("device revoked", ue=ue)
                self.on_revoked(ue)

    async def watch(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_INTERVAL)
            self.look()

    def find(self, kid: bytes, kid_context: bytes | None) -> Context | None:
        """The context of who makes a request; None when nobody is called that.

        Raises:
            Refused: it is revoked.
        """
        if time.monotonic() - self._looked > _LOOK_PAUSE:
            self.look()
        return super().find(kid, kid_context)

    def of(self, name: str, address: object) -> Context:
        """The context of a device, wherever it is.

        Raises:
            NoContext: it is not enrolled, or not any more.
        """
        kid = self._kids.get(name)
        if kid is None:
            rows = self._store.rows("SELECT kid FROM devices WHERE ue_service_id = ?", (name,))
            if not rows:
                raise NoContext
            if len(self._kids) >= 4 * self._most:
                self._kids.clear()
            kid = self._kids[name] = rows[0][0]
        try:
            context = self.find(kid, None)
        except Refused:
            context = None
        if context is None:
            raise NoContext
        return context

    def open_request(self, message: Message, address: object) -> tuple | None:
        """See Security; what is refused is told in the log."""
        try:
            return super().open_request(message, address)
        except Refused as refused:
            self._tell(refused, message, address)
            raise

    def _load_device(self, kid: bytes, _kid_context: bytes | None) -> Context | None:
        rows = self._store.rows(
            "SELECT ue_service_id, master_secret, master_salt, revoked FROM devices WHERE kid = ?",
            (bytes(kid),),
        )
        if not rows:
            return None
        ue, secret, salt, revoked = rows[0]
        if revoked:
            raise Refused(REVOKED, coap.UNAUTHORIZED, b"Security context not found")
        keys = {
            "master_secret": secret.hex(),
            "master_salt": salt.hex(),
            "sender_id": "",
            "recipient_id": kid.hex(),
        }
        return provisioning.context(keys, self._service_id, ue, _Number(self._store, bytes(kid)), _WINDOW)

    def _tell(self, refused: Refused, message: Message, address: object) -> None:
        reason = refused.counter.removeprefix("oscore_")
        at, more = self._told.get(reason, (-_LOG_INTERVAL, 0))
        if time.monotonic() - at < _LOG_INTERVAL:
            self._told[reason] = (at, more + 1)
            return
        self._told[reason] = (time.monotonic(), 0)
        detail = {"more": more} if more else {}
        _log.warning("request refused", reason=reason, address=address, **self._whose(message), **detail)

    def _whose(self, message: Message) -> dict[str, str]:
        # As far as it can be told.
        try:
            kid = parse(message.oscore())[2]
        except Refused:
            kid = None
        if kid is None:
            return {}
        rows = self._store.rows("SELECT ue_service_id FROM devices WHERE kid = ?", (bytes(kid),))
        return {"ue": rows[0][0]} if rows else {"kid": kid.hex()}


class _Number:
    # The storage of a context (msgin5g.oscore.context): durable with the store's commit, before anything is sent.
    def __init__(self, store: SqliteStore, kid: bytes) -> None:
        self._store = store
        self._kid = kid

    def load(self) -> int | None:
        rows = self._store.rows("SELECT number FROM devices WHERE kid = ?", (self._kid,))
        return rows[0][0] if rows else None

    def save(self, number: int) -> None:
        self._store.change("UPDATE devices SET number = ? WHERE kid = ?", (number, self._kid))
