"""What is inside OSCORE, for who records it: stands before what secures an endpoint while somebody does.

The endpoint's own code knows nothing of it: what it seals and opens passes through here on its way.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from msgin5g.coap import numbers as coap
from msgin5g.coap.message import Message, encode
from msgin5g.oscore.options import with_echo

from host_tools.link import OUT

if TYPE_CHECKING:
    from msgin5g.coap.endpoint import Endpoint
    from msgin5g.coap.exchange import Exchange, Request

# Datagrams in each direction that may be sent or come once more, before they are forgotten here.
_MOST_REMEMBERED = 4096


class Inside:
    """The CoAP messages inside the protected ones of an endpoint.

    Args:
        endpoint: one with security.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._security: Any = endpoint.security
        self._outer = Message()
        self._opened: bytes | None = None
        # By where it goes to and the first octets of what goes there; by where it comes from and what it is.
        self._sealed: OrderedDict[tuple, bytes] = OrderedDict()
        self._received: OrderedDict[tuple, bytes] = OrderedDict()
        endpoint.security = self

    def detach(self) -> None:
        """Let the endpoint have its security as it was."""
        self._endpoint.security = self._security

    def within(self, direction: str, datagram: bytes | bytearray, address: tuple) -> bytes | None:
        """What was inside a datagram that has just been received or sent; None: it was not protected, or not opened."""
        if direction == OUT:
            return self._sealed.get(_key(datagram, address)) if self._is_protected(datagram) else None
        opened, self._opened = self._opened, None
        # What comes a second time is known by the endpoint, and not opened again.
        key = address, hash(bytes(datagram))
        if opened is None:
            return self._received.get(key)
        _remember(self._received, key, opened)
        return opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._security, name)

    def seal(self, exchange: Exchange) -> tuple:
        """See Security."""
        options, payload, code = exchange.options, exchange.payload, exchange.code
        if exchange.wants_response and exchange.echo:
            options = with_echo(options, exchange.echo)
        kind = coap.CON if exchange.confirmable else coap.NON
        inner = encode(kind, code, exchange.mid, exchange.token, options, payload)
        sealed = self._security.seal(exchange)
        self._keep(inner, exchange.peer.address)
        return sealed

    def seal_response(self, request: Request, code: int, options: bytes, payload: bytes) -> tuple:
        """See Security: what travels in an acknowledgement."""
        sealed = self._security.seal_response(request, code, options, payload)
        inner = encode(coap.ACK, code, request.mid, request.token, options, payload)
        self._keep(inner, request.peer.address)
        return sealed

    def open_request(self, message: Message, address: tuple) -> tuple | None:
        """See Security."""
        opened = self._security.open_request(message, address)
        if opened:
            self._take(message)
        return opened

    def open_response(self, exchange: Exchange, message: Message) -> None:
        """See Security."""
        self._security.open_response(exchange, message)
        self._take(message)

    def _take(self, message: Message) -> None:
        # It is now the one inside (Security._open).
        self._opened = bytes(message.data[: message._end])  # noqa: SLF001

    def _keep(self, inner: bytearray, address: tuple) -> None:
        _remember(self._sealed, _key(inner, address), bytes(inner))

    def _is_protected(self, datagram: bytes | bytearray) -> bool:
        if datagram[1] == coap.EMPTY:
            return False
        self._outer.decode(datagram, len(datagram))
        return self._outer.oscore() is not None


def _key(datagram: bytes | bytearray, address: tuple) -> tuple:
    # Type and token length, and the Message ID.
    return address, datagram[0], bytes(datagram[2:4])


def _remember(known: OrderedDict[tuple, bytes], key: tuple, inner: bytes) -> None:
    while len(known) >= _MOST_REMEMBERED:
        known.popitem(last=False)
    known[key] = inner
