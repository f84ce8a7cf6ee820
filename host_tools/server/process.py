"""The server as a process: CoAP on a UDP link, HTTP on granian, one SQLite store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from msgin5g import wire
from msgin5g.coap.endpoint import Endpoint

from host_tools import dtls_server, quick_json
from host_tools.addresses import text
from host_tools.housekeeping import commit, housekeep, take
from host_tools.keeper import Keeper
from host_tools.link import UdpLink, now
from host_tools.operations import routes
from host_tools.randomness import random_bits
from host_tools.security.akma_keys import LocalAnchor
from host_tools.security.dtls_contexts import ServerContexts
from host_tools.server.aggregation import Aggregates
from host_tools.server.amendments import Amendments
from host_tools.server.application_servers import ApplicationServers
from host_tools.server.callback import Callback
from host_tools.server.coap_face import CoapFace
from host_tools.server.configuration import Documents, of_all_settings
from host_tools.server.configuration_face import ConfigurationFace
from host_tools.server.groups import Groups
from host_tools.server.rest.app import RestFace
from host_tools.server.rest.auth import Credentials
from host_tools.server.rest.http_server import HttpServer
from host_tools.server.rest.topics import TopicOperations
from host_tools.server.segmentation import Segments
from host_tools.server.service import Service
from host_tools.server.topics import Topics
from host_tools.server.topics_face import TopicsFace
from host_tools.settings import NONE, NOT_PROTECTED, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from host_tools.settings import ServerSettings

_log = structlog.get_logger("msgin5g.server")

# Exchanges with one gateway that may be under way at once: it is a host, and NSTART = 1 is for constrained ones.
_NSTART = 32
# Seconds between two looks for expired messages.
_EXPIRY_INTERVAL = 1.0


class ServerProcess:
    """A running server.

    Args:
        settings: what it is to do.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        quick_json.use()
        self._lock = take(settings.database)
        self.keeper = Keeper(settings)
        clock = self.keeper.clock
        clock.on_jump = lambda _seconds: self.coap.clock_jumped(now())
        self.store = self.keeper.store
        self.service = Service(self.store, clock.wall, held_clock=clock.held)
        self.contexts = None
        if settings.security != NONE:
            self.contexts = ServerContexts(self.store, settings.service_id)
            self.contexts.on_revoked = self._on_revoked
        endpoint = Endpoint(settings.coap.parameters(_NSTART), random_bits, security=self.contexts)
        endpoint.on_error = self._on_error
        self.dtls = self._dtls_server(endpoint)
        beside = dtls_server.Beside(endpoint, self.dtls) if self.dtls else endpoint
        self.link = UdpLink(beside, settings.host, settings.port, self._settle)
        self.dtls_link = self._dtls_link()
        self.coap = CoapFace(
            endpoint,
            self.service,
            clock.wall,
            settings.gateways,
            settings.most_ues,
            lifetime=settings.registration_lifetime,
        )
        try:
            self.application_servers = ApplicationServers(self.store, settings.application_servers)
            credentials = Credentials(settings.credentials)
        except (ValueError, OSError) as error:
            raise SettingsError(str(error)) from error
        self.callback = Callback(
            endpoint, self.service, self.application_servers, clock.held, now, self._settle
        )
        self.service.outbound |= {wire.UE: self.coap, wire.AS: self.callback}
        try:
            self.groups = Groups(self.service, settings.groups)
            fixed = of_all_settings(
                settings.ue_configurations, settings.configuration.domain, settings.configuration.val_service
            )
        except ValueError as error:
            raise SettingsError(str(error)) from error
        Amendments(self.service)
        self.segments = Segments(endpoint, self.service, self.coap)
        Aggregates(self.service)
        self.topics = Topics(self.service, settings.topics)
        TopicsFace(self.coap.server, self.topics, self.coap.refusal)
        self.configurations = Documents(self.store, fixed, settings.configuration.most)
        ConfigurationFace(
            self.coap.server,
            self.configurations,
            lambda _request: settings.configuration.writable,
            settings.configuration.val_service,
            settings.configuration.content_format,
        )
        self.rest = RestFace(
            self.service, self.application_servers, self.callback, credentials, self.committed, now
        )
        self.http = HttpServer(
            self.rest.app(
                [
                    *TopicOperations(self.rest, self.topics).routes(),
                    *routes("server", self.snapshot, lambda: True),
                ]
            ),
            settings.http_host,
            settings.http_port,
            settings.tls_certificate,
            settings.tls_key,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._committed: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Listen on CoAP and HTTP."""
        self.link.start()
        if self.dtls_link:
            self.dtls_link.start()
        self.segments.start(now())
        self.coap.start(now())
        self.callback.start(now())
        self.link.flush()
        await self.http.start()
        self._tasks = [
            asyncio.create_task(housekeep(self.store, self.snapshot, _log)),
            asyncio.create_task(self._expire()),
            asyncio.create_task(self.keeper.watch()),
        ]
        if self.contexts:
            self._tasks.append(asyncio.create_task(self.contexts.watch()))
        else:
            _log.warning(NOT_PROTECTED)
        _log.info("listening", security=self.settings.security, **self.addresses())

    async def stop(self) -> None:
        """Commit and close. What the store holds is delivered when the server runs again."""
        for task in self._tasks:
            task.cancel()
        await self.http.stop()
        await self.callback.stop()
        if self.dtls and self.dtls_link:
            self.dtls.close()
            self.dtls_link.transmit()
            self.dtls_link.close()
        self.link.close()
        self.store.close()
        self._lock.close()

    def addresses(self) -> dict[str, str]:
        """Where it listens."""
        addresses = {"coap": f"coap://{text(self.link.address)}", "rest": self.http.url}
        if self.dtls_link:
            addresses["coaps"] = f"coaps://{text(self.dtls_link.address)}"
        return addresses

    async def committed(self) -> None:
        """Wait until everything so far is durable: the next commit, which others may share."""
        if self._committed is None:
            self._committed = asyncio.get_running_loop().create_future()
            self.link.flush()
        # One of those who wait may be cancelled; the others wait on.
        await asyncio.shield(self._committed)

    def snapshot(self) -> Mapping[str, float]:
        """Everything that is counted, for the log and for /metrics."""
        return {
            "ues": len(self.coap.registry),
            "claims_refused": self.coap.registry.claims_refused,
            "contexts": self.contexts.held() if self.contexts else 0,
            "store_messages": len(self.store),
            "store_known": len(self.store.duplicates),
            "store_known_shed": self.store.duplicates.shed,
            **self.keeper.counts(),
            **self.service.counters,
            **{f"segments_{key}": value for key, value in self.segments.snapshot().items()},
            "groups": len(self.groups),
            "configurations": len(self.configurations),
            "topic_subscriptions": len(self.topics),
            "application_servers": len(self.application_servers),
            **{f"rest_{key}": value for key, value in self.rest.counters.items()},
            **{f"as_{key}": value for key, value in self.callback.counters.items()},
            **{f"ue_{key}": value for key, value in self.coap.counters.items()},
            **{f"coap_{key}": value for key, value in self.link.counts().items()},
            **{f"coap_{key}": value for key, value in self.coap.resource.counters.items()},
            **self._dtls_counts(),
        }

    def _settle(self) -> None:
        # Nothing leaves before it is durable; one commit serves the whole batch, and the HTTP requests that wait.
        commit(self.store)
        if self._committed:
            self._committed.set_result(None)
            self._committed = None
        self.link.transmit()
        if self.dtls_link:
            self.dtls_link.transmit()

    def _dtls_server(self, endpoint: Endpoint) -> dtls_server.DtlsServer | None:
        # The DTLS port's sessions, where there is one.
        if self.settings.dtls_port is None or self.contexts is None:
            return None
        self.contexts.sessions = dtls_server.DtlsServer(endpoint, LocalAnchor(self.store))
        return self.contexts.sessions

    def _dtls_counts(self) -> dict[str, float]:
        counts = self.dtls_link.counts() if self.dtls_link else {}
        return {f"dtls_{key}": value for key, value in counts.items()}

    def _dtls_link(self) -> UdpLink | None:
        port = self.settings.dtls_port
        if self.dtls is None or port is None:
            return None
        return dtls_server.link(self.dtls, self.settings.host, port, self._settle)

    def _on_revoked(self, ue_service_id: str) -> None:
        if self.dtls:
            self.dtls.end(ue_service_id)
        # Not at once: it may be noticed in the midst of a request, or of a delivery.
        asyncio.get_running_loop().call_soon(self.coap.expel, ue_service_id)

    def _on_error(self, error: Exception) -> None:
        _log.error("a handler failed", exc_info=error)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_INTERVAL)
            self.service.expire(now())
            self.topics.expire()
            self.coap.pass_time(now())
            self.link.flush()
