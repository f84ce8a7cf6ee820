"""DTLS 1.2 with pre-shared keys (RFC 6347, RFC 4279, RFC 6655) on OpenSSL, datagram by datagram.

There is no socket here, and no event loop.

What pyOpenSSL does not offer, the callbacks for pre-shared keys, is reached through the module it is made of itself
(``OpenSSL._util``). All of that is in this file, which is why pyOpenSSL's version is bound to what was tested.

A key belongs to an identity and to a cipher suite (TS 33.220, annex H.3), so whoever is asked for one is told both. The
suite is read from the ServerHello: OpenSSL does not tell it while it asks for the key.
"""

from __future__ import annotations

import hmac
import os
import time
from typing import TYPE_CHECKING

from OpenSSL import SSL
from OpenSSL._util import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What is offered and taken, best first (RFC 7252, 9.1.3.1; GAPS G-22): OpenSSL's name -> its number at IANA.
SUITES = {
    "PSK-AES128-CCM8": 0xC0A8,
    "ECDHE-PSK-AES128-CBC-SHA256": 0xC037,
    "PSK-AES128-GCM-SHA256": 0x00A8,
}
# Level 0, because OpenSSL counts the tag of 8 octets, which CoAP's mandatory suite has, as 64 bits. The list is closed.
_CIPHERS = ":".join(SUITES).encode() + b"@SECLEVEL=0"
_OPTIONS = SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | lib.SSL_OP_NO_RENEGOTIATION
# Octets of UDP payload that a handshake's datagram may have: IPv6's least MTU without its headers.
MTU = 1232
_DTLS_1_2 = 0xFEFD
# Records (RFC 6347, 4.3.1): type, version (2), epoch (2), number (6), length (2); then a handshake message (4.2.2):
# type, length (3), sequence (2), offset (3), length (3).
HEADER = 13
_HANDSHAKE_HEADER = 12
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_RANDOM = slice(HEADER + _HANDSHAKE_HEADER + 2, HEADER + _HANDSHAKE_HEADER + 34)
# Seconds for which a cookie is good, at least.
_COOKIE_LIFE = 60.0
# Octets that are asked for at once: room is made for all of them, so no more than a datagram needs.
_PIECE = 2048
# Octets that a record may have beside what it protects.
_MOST_AROUND = 128
# close_notify, in the clear: what whoever has no session any more can say. Nobody has to believe it.
_CLOSE_NOTIFY = bytes((1, 0))
GONE = bytes((ALERT, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)) + _CLOSE_NOTIFY


class Ended(Exception):
    """A session is over, or its handshake has failed; the message says why."""


def kind(datagram: bytes | bytearray) -> int | None:
    """The content type of a datagram's first record; None when it is no record of DTLS."""
    if (
        len(datagram) < HEADER
        or datagram[1] != 0xFE
        or not CHANGE_CIPHER_SPEC <= datagram[0] <= APPLICATION_DATA
    ):
        return None
    return datagram[0]


def is_one_record(datagram: bytes | bytearray) -> bool:
    """Whether a datagram is one record of data: a session has nothing to send for it."""
    return (
        datagram[0] == APPLICATION_DATA
        and int.from_bytes(datagram[11:HEADER], "big") == len(datagram) - HEADER
    )


def is_clear(datagram: bytes | bytearray) -> bool:
    """Whether a record is not protected: it has epoch 0."""
    return datagram[3] == 0 and datagram[4] == 0


def is_gone(datagram: bytes | bytearray) -> bool:
    """Whether it is close_notify in the clear."""
    return datagram[0] == ALERT and is_clear(datagram) and datagram[HEADER:] == _CLOSE_NOTIFY


def hello_random(datagram: bytes | bytearray) -> bytes | None:
    """The client's random of a ClientHello, which tells one handshake from another; None when it is something else."""
    if kind(datagram) != HANDSHAKE or not is_clear(datagram) or len(datagram) < _RANDOM.stop:
        return None
    return bytes(datagram[_RANDOM]) if datagram[HEADER] == _CLIENT_HELLO else None


def records(octets: bytes | bytearray) -> Iterator[bytes | bytearray]:
    """The records in a sequence of octets; what is cut off is left out."""
    at = 0
    while at + HEADER <= len(octets):
        end = at + HEADER + int.from_bytes(octets[at + 11 : at + HEADER], "big")
        if end > len(octets):
            return
        yield octets[at:end]
        at = end


def suite_in(octets: bytes | bytearray) -> int | None:
    """The number of the cipher suite that a ServerHello among these records has chosen."""
    for record in records(octets):
        whole = record[0] == HANDSHAKE and is_clear(record) and len(record) > _RANDOM.stop
        if whole and record[HEADER] == _SERVER_HELLO:
            at = _RANDOM.stop + 1 + record[_RANDOM.stop]
            return int.from_bytes(record[at : at + 2], "big")
    return None


class Session:
    """One connection, from its handshake to its end. It is made by :class:`Client` or :class:`Server`.

    Attributes:
        established: is the handshake over?
        identity: of the client, without the prefix, as soon as it has said it.
        suite: the number of the cipher suite, as soon as it is chosen.
        hello: a server's: the random of the ClientHello it began with.
    """

    def __init__(self, connection: SSL.Connection, side: _Side) -> None:
        self.established = False
        self.identity: str | None = None
        self.suite = 0
        self.hello = b""
        self._connection = connection
        self._side = side

    def feed(self, datagram: bytes | bytearray) -> list[bytes]:
        """Take a datagram; returns what was protected in it. Forged and repeated records are left out.

        Raises:
            Ended: the peer has ended the session, or the handshake has failed. There may be something to send yet.
        """
        if not self.established:
            self.suite = self.suite or suite_in(datagram) or 0
        self._connection.bio_write(datagram)
        return self.advance(is_one_record(datagram))

    def advance(self, only_one: bool = False) -> list[bytes]:
        """Go on with the handshake; returns what was protected and has come since.

        Args:
            only_one: there is one record, of data: nothing need be looked for behind it.

        Raises:
            Ended: as :meth:`feed`.
        """
        found: list[bytes] = []
        self._side.current = self
        try:
            if not self.established:
                self._connection.do_handshake()
                self.established = True
            while not (only_one and found):
                found.append(self._connection.recv(_PIECE))
        except SSL.WantReadError:
            # That was all.
            pass
        except SSL.ZeroReturnError:
            raise Ended("the peer has closed it") from None
        except SSL.Error as error:
            raise Ended(_reason(error)) from error
        finally:
            self._side.current = None
        return found

    def seal(self, plain: bytes | bytearray) -> bytes:
        """A datagram with what is to be protected.

        Raises:
            Ended: nothing can be sent any more.
        """
        try:
            self._connection.send(plain)
            return self._connection.bio_read(len(plain) + _MOST_AROUND)
        except SSL.Error as error:
            raise Ended(_reason(error)) from error

    def outgoing(self) -> list[bytes]:
        """Datagrams of the handshake, and alerts."""
        octets = b""
        try:
            while True:
                octets += self._connection.bio_read(_PIECE)
        except SSL.Error:
            # Nothing is left.
            pass
        self.suite = self.suite or suite_in(octets) or 0
        return _packed(octets)

    def timeout(self) -> float | None:
        """Seconds until the handshake's next retransmission is due."""
        return self._connection.DTLSv1_get_timeout()

    def handle_timeout(self) -> None:
        """Retransmit what is due.

        Raises:
            Ended: it was retransmitted often enough.
        """
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise Ended(_reason(error)) from error

    def close(self) -> None:
        """Tell the peer that it is over: there is an alert to send."""
        if self.established:
            try:
                self._connection.shutdown()
            except SSL.Error:
                lib.ERR_clear_error()


class _Side:
    # What client and server have in common. current: whose connection is at work, for callbacks.
    def __init__(self, mtu: int) -> None:
        self.current: Session | None = None
        self._mtu = mtu
        self._context = SSL.Context(SSL.DTLS_METHOD)
        self._context.set_min_proto_version(_DTLS_1_2)
        self._context.set_max_proto_version(_DTLS_1_2)
        self._context.set_cipher_list(_CIPHERS)
        self._context.set_options(_OPTIONS)
        self._context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # A session that has nothing to do takes 27 KiB in this way, instead of 76.
        self._context.set_mode(SSL.MODE_RELEASE_BUFFERS)

    def _connection(self) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_ciphertext_mtu(self._mtu)
        return connection


class Client(_Side):
    """The side that begins.

    Args:
        identity: what the server knows the key by, whole.
        key: called with the number of a cipher suite, returns the key for it, or None when there is none.
        server_name: the host name of the server, for the server_name extension (RFC 6066, 3).
        mtu: octets of UDP payload in a datagram of the handshake.
    """

    def __init__(
        self, identity: str, key: Callable[[int], bytes | None], server_name: str, mtu: int = MTU
    ) -> None:
        super().__init__(mtu)
        self._server_name = server_name.encode("ascii")
        octets = identity.encode()

        @ffi.callback(
            "unsigned int(SSL *, const char *, char *, unsigned int, unsigned char *, unsigned int)"
        )
        def on_psk(_ssl, _hint, into, room, psk, most):  # noqa: ANN001, ANN202 (of the C library)
            found = key(self.current.suite) if self.current else None
            if found is None or len(octets) + 1 > room or len(found) > most:
                return 0
            ffi.memmove(into, octets + b"\0", len(octets) + 1)
            ffi.memmove(psk, found, len(found))
            return len(found)

        # It is to live as long as the context.
        self._on_psk = on_psk
        lib.SSL_CTX_set_psk_client_callback(self._context._context, on_psk)  # noqa: SLF001

    def session(self) -> Session:
        """A new session; its first datagram is outgoing."""
        connection = self._connection()
        connection.set_connect_state()
        connection.set_tlsext_host_name(self._server_name)
        session = Session(connection, self)
        session.advance()
        return session


class Server(_Side):
    """The side that is called. Nothing is remembered of a client before it has repeated a cookie (RFC 6347, 4.2.1).

    Args:
        key: called with an identity, without its prefix, and the number of a cipher suite; returns the key, or None for
            who is not known.
        prefix: what identities begin with, and the hint that clients are given.
        mtu: octets of UDP payload in a datagram of the handshake.
    """

    def __init__(self, key: Callable[[str, int], bytes | None], prefix: str, mtu: int = MTU) -> None:
        super().__init__(mtu)
        self._secret = os.urandom(32)
        self._address = b""
        self._listener: SSL.Connection | None = None
        self._context.set_options(lib.SSL_OP_COOKIE_EXCHANGE | lib.SSL_OP_CIPHER_SERVER_PREFERENCE)
        self._context.set_cookie_generate_callback(lambda _connection: self._cookie(0))
        self._context.set_cookie_verify_callback(lambda _connection, cookie: self._is_cookie(cookie))
        lib.SSL_CTX_use_psk_identity_hint(self._context._context, prefix.encode())  # noqa: SLF001

        @ffi.callback("unsigned int(SSL *, const char *, unsigned char *, unsigned int)")
        def on_psk(_ssl, identity, psk, most):  # noqa: ANN001, ANN202 (of the C library)
            session = self.current
            if session is None or identity == ffi.NULL:
                return 0
            said = ffi.string(identity).decode("utf-8", "replace")
            name = said.removeprefix(prefix).removeprefix(";")
            session.identity = name
            found = key(name, session.suite) if said.startswith(prefix) else None
            if found is None or len(found) > most:
                return 0
            ffi.memmove(psk, found, len(found))
            return len(found)

        self._on_psk = on_psk
        lib.SSL_CTX_set_psk_server_callback(self._context._context, on_psk)  # noqa: SLF001

    def hear(self, hello: bytes | bytearray, address: object) -> tuple[list[bytes], Session | None]:
        """Take a ClientHello from an address.

        Returns:
            what is to be sent there, and the session that begins when the client has proved that it is there.

        Raises:
            Ended: it is none that can be answered.
        """
        self._address = repr(address).encode()
        listener = self._listener
        if listener is None:
            listener = self._connection()
            listener.set_accept_state()
        self._listener = None
        listener.bio_write(hello)
        session = Session(listener, self)
        try:
            listener.DTLSv1_listen()
        except SSL.WantReadError:
            # It goes on listening: it knows nothing of this client.
            self._listener = listener
            return session.outgoing(), None
        except SSL.Error as error:
            raise Ended(_reason(error)) from error
        session.hello = hello_random(hello) or b""
        session.advance()
        return session.outgoing(), session

    def _cookie(self, slots_ago: int) -> bytes:
        slot = int(time.monotonic() / _COOKIE_LIFE) - slots_ago
        return hmac.digest(self._secret, slot.to_bytes(8, "big", signed=True) + self._address, "sha256")[:16]

    def _is_cookie(self, cookie: bytes) -> bool:
        return any(hmac.compare_digest(cookie, self._cookie(ago)) for ago in (0, 1))


def _packed(octets: bytes) -> list[bytes]:
    # Each record in a datagram of its own: a flight has few, and each is far smaller than what a path takes.
    return [bytes(record) for record in records(octets)]


def _reason(error: SSL.Error) -> str:
    # OpenSSL tells what it has met as (library, function, reason), first cause first.
    told = error.args[0] if error.args else None
    if isinstance(told, list) and told:
        return str(told[0][-1])
    return type(error).__name__ if not error.args else str(error.args[-1])
