"""What a server's endpoint is secured by when it has a DTLS port as well: OSCORE for some, a session for others.

Who speaks through a session is known by its key, as with OSCORE: its requests have a context with its name, so all that
is asked of a context is asked in the same way. Nothing is sealed here: that is done where datagrams leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgin5g.coap import numbers as coap
from msgin5g.coap.exchange import Refused
from msgin5g.oscore.contexts import NoContext
from msgin5g.oscore.security import UNKNOWN, undecodable

from host_tools.dtls_server import SCHEME
from host_tools.security.contexts import MOST_HELD, DeviceContexts

if TYPE_CHECKING:
    from msgin5g.coap.message import Message

    from host_tools.dtls_server import DtlsServer
    from host_tools.store import SqliteStore


class SessionContext:
    """Of whoever has a session, whichever it is at a time.

    Args:
        name: its UE Service ID.
    """

    def __init__(self, name: str) -> None:
        self.name = name


class ServerContexts(DeviceContexts):
    """See DeviceContexts.

    Attributes:
        sessions: those of the DTLS port; None without one.
    """

    def __init__(self, store: SqliteStore, service_id: str, most: int = MOST_HELD) -> None:
        super().__init__(store, service_id, most=most)
        self.sessions: DtlsServer | None = None
        self._named: dict[str, SessionContext] = {}

    def of(self, name: str, address: Any) -> Any:
        """The context of a device, wherever it is.

        Raises:
            NoContext: it is not enrolled, or not any more, or has no session.
        """
        if address[0] != SCHEME:
            return super().of(name, address)
        context = self.at(address)
        if context.name != name:
            raise NoContext
        return context

    def at(self, address: Any) -> Any:
        """See Contexts."""
        if address[0] != SCHEME:
            return super().at(address)
        if not self._has(address):
            if self.sessions:
                self.sessions.poke(address)
            raise NoContext
        return self._session_context(address[1])

    def open_request(self, message: Message, address: Any) -> tuple | None:
        """See Security."""
        if address[0] != SCHEME:
            return super().open_request(message, address)
        self.look()
        if not self._has(address):
            # Revoked just now.
            raise Refused(UNKNOWN, coap.UNAUTHORIZED, b"Security context not found")
        if message.oscore() is not None:
            raise undecodable()
        return self._session_context(address[1]), b"", coap.CHANGED, None

    def seal(self, exchange: Any) -> tuple:
        """See Security."""
        if isinstance(exchange.context, SessionContext):
            return exchange.code, exchange.options, exchange.payload
        return super().seal(exchange)

    def seal_response(self, request: Any, code: int, options: Any, payload: Any, own: bool = False) -> tuple:
        """See Security."""
        if isinstance(request.context, SessionContext):
            return code, options, payload
        return super().seal_response(request, code, options, payload, own)

    def open_response(self, exchange: Any, message: Message) -> None:
        """See Security."""
        if not isinstance(exchange.context, SessionContext):
            super().open_response(exchange, message)

    def _has(self, address: tuple) -> bool:
        return self.sessions is not None and self.sessions.has(address)

    def _session_context(self, name: str) -> SessionContext:
        # The same one for the next session: transfers and observations go on.
        context = self._named.get(name)
        if context is None:
            if len(self._named) >= 2 * self._most:
                self._named.clear()
            context = self._named[name] = SessionContext(name)
        return context
