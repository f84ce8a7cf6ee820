"""Application Servers and where they are: registered ones (TS 23.554, 8.2.5 and 8.2.6), and configured ones.

A registration is durable with the store's next commit. An Application Server that is configured is reachable without
one; the targetUri of a registration goes first.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import msgspec
import structlog
from msgin5g.store import Full
from msgspec import UNSET

from host_tools.server.rest.schemas import ASRegistration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from host_tools import settings
    from host_tools.store import SqliteStore

_LONGEST_URI = 2048

_log = structlog.get_logger("msgin5g.server")


def target(text: str) -> httpx2.URL:
    """A targetUri, checked.

    Raises:
        ValueError: it is not an absolute http or https URI with a host and without credentials or fragment.
    """
    if len(text) > _LONGEST_URI:
        raise ValueError(f"longer than {_LONGEST_URI} characters")
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise ValueError(str(error)) from None
    if url.scheme not in ("http", "https"):
        raise ValueError("not an http or https URI")
    if not url.host:
        raise ValueError("without a host")
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError("with a port that does not exist")
    if url.userinfo or "@" in url.netloc.decode("ascii"):
        raise ValueError("with credentials in it")
    if url.fragment or "#" in text:
        raise ValueError("with a fragment")
    return url


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered Application Server.

    Attributes:
        registration_id: names the registration.
        service_id: AS Service ID.
        target: where it wants its messages; None when it did not say.
    """

    registration_id: str
    service_id: str
    target: httpx2.URL | None


class ApplicationServers:
    """The table of Application Servers.

    Args:
        store: keeps the registrations.
        configured: those that are reachable without one, each with ``service_id`` and ``target_uri``.
        most: bound of registrations.

    Raises:
        ValueError: a configured target_uri can't be used.
    """

    def __init__(
        self,
        store: SqliteStore,
        configured: Iterable[settings.ApplicationServer] = (),
        most: int = 10_000,
    ) -> None:
        self._store = store
        self._most = most
        self._configured: dict[str, httpx2.URL] = {}
        for one in configured:
            try:
                self._configured[one.service_id] = target(one.target_uri)
            except ValueError as error:
                raise ValueError(f"target_uri of {one.service_id}: {one.target_uri!r}: {error}") from None
        self._by_id: dict[str, Registered] = {}
        self._by_service_id: dict[str, Registered] = {}
        for registration_id, _, registration in store.application_servers():
            body = msgspec.json.decode(registration, type=ASRegistration)
            self._index(Registered(registration_id, body.as_service_id, _target_of(body)))

    def __len__(self) -> int:
        """How many are registered."""
        return len(self._by_id)

    def target(self, service_id: str) -> httpx2.URL | None:
        """Where messages for an Application Server go; None when there is no such place."""
        registered = self._by_service_id.get(service_id)
        return (registered and registered.target) or self._configured.get(service_id)

    def known(self, service_id: str) -> bool:
        """Is it registered or configured?"""
        return service_id in self._by_service_id or service_id in self._configured

    def get(self, registration_id: str) -> Registered | None:
        """A registration."""
        return self._by_id.get(registration_id)

    def register(self, body: ASRegistration) -> Registered:
        """Add a registration, in place of an earlier one of the same Application Server.

        Raises:
            ValueError: its targetUri can't be used.
            Full: there are ``most`` registrations.
        """
        registered = Registered(secrets.token_urlsafe(16), body.as_service_id, _target_of(body))
        earlier = self._by_service_id.get(registered.service_id)
        if earlier is None and len(self) >= self._most:
            raise Full
        if earlier:
            del self._by_id[earlier.registration_id]
        self._index(registered)
        text = msgspec.json.encode(body).decode()
        self._store.save_application_server(registered.registration_id, registered.service_id, text)
        _log.info("AS registered", service_id=registered.service_id, target_uri=_host(registered.target))
        return registered

    def remove(self, registered: Registered) -> None:
        """Take a registration out."""
        del self._by_id[registered.registration_id]
        del self._by_service_id[registered.service_id]
        self._store.remove_application_server(registered.registration_id)
        _log.info("AS de-registered", service_id=registered.service_id)

    def _index(self, registered: Registered) -> None:
        self._by_id[registered.registration_id] = registered
        self._by_service_id[registered.service_id] = registered


def _target_of(body: ASRegistration) -> httpx2.URL | None:
    return None if body.target_uri is UNSET else target(body.target_uri)


def _host(url: httpx2.URL | None) -> str | None:
    # Path and query may hold a secret that only the Application Server and this server know.
    return f"{url.scheme}://{url.netloc.decode('ascii')}" if url else None
