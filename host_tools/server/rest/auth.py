"""Who may use the HTTP interfaces: bearer tokens (RFC 6750) from the configuration.

A token is known by its SHA-256 alone, here and in the configuration, and is never logged.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgin5g import wire

from host_tools.server.rest import wire_api
from host_tools.server.rest.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from host_tools import settings


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token stands for.

    Attributes:
        service_id: the AS Service ID or UE Service ID it speaks for; ``*`` for any.
        roles: of :data:`wire_api.ROLE_OF`.
        digest: SHA-256 of the token.
    """

    service_id: str
    roles: frozenset[str]
    digest: bytes

    def require(self, kind: str, service_id: str) -> None:
        """May it speak for this Application Server or UE?

        Raises:
            Problem: 403.
        """
        if wire_api.ROLE_OF.get(kind) not in self.roles:
            raise _refused(f"this credential has no role for addresses of type {kind}")
        if self.service_id not in (wire_api.ANY_SERVICE_ID, service_id):
            raise _refused(f"this credential does not speak for {service_id}")


class Credentials:
    """All credentials.

    Args:
        configured: each with ``service_id``, ``roles``, and ``token_sha256`` (hex) or ``token_file``.

    Raises:
        ValueError: one has no token, an empty one, or one that another has.
        OSError: a token file can't be read.
    """

    def __init__(self, configured: Iterable[settings.Credential]) -> None:
        self._credentials = [
            Credential(one.service_id, frozenset(one.roles), _digest(one)) for one in configured
        ]
        if len({one.digest for one in self._credentials}) < len(self._credentials):
            raise ValueError("two credentials have the same token; give each its own")

    def of(self, request: Request) -> Credential:
        """The credential that a request comes with.

        Raises:
            Problem: 401; it has none, or none that is known.
        """
        scheme, _, token = request.headers.get(wire_api.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != wire_api.BEARER.lower() or not token.strip():
            raise _unauthenticated("a bearer token is needed", wire_api.CHALLENGE)
        digest = hashlib.sha256(token.strip().encode("latin-1")).digest()
        # All are compared, each in constant time: how long it takes tells nothing about them.
        found = [one for one in self._credentials if hmac.compare_digest(one.digest, digest)]
        if not found:
            raise _unauthenticated("the bearer token is not known", wire_api.CHALLENGE_INVALID)
        return found[0]


def _digest(credential: settings.Credential) -> bytes:
    if credential.token_sha256:
        return bytes.fromhex(credential.token_sha256)
    token = credential.token_file.read_bytes().strip() if credential.token_file else b""
    if not token:
        raise ValueError(f"the credential of {credential.service_id} has no token, or an empty one")
    return hashlib.sha256(token).digest()


def _unauthenticated(detail: str, challenge: str) -> Problem:
    return Problem(wire_api.UNAUTHENTICATED, detail, headers={wire_api.WWW_AUTHENTICATE: challenge})


def _refused(detail: str) -> Problem:
    return Problem(wire_api.REFUSED, detail, wire.NOT_AUTHORIZED)
