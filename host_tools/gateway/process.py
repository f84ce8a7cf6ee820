"""The gateway as a process: the portable core on two UDP links, serial ports and a SQLite store."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from msgin5g import gateway_operator, wire
from msgin5g.application_clients import Application, ApplicationEndpoint
from msgin5g.coap.endpoint import Endpoint
from msgin5g.gateway import Gateway
from starlette.applications import Starlette

from host_tools import discovery, quick_json, recent
from host_tools.addresses import text
from host_tools.gateway import uplink
from host_tools.gateway.capture import Recorders
from host_tools.gateway.field_links import FieldLinks
from host_tools.gateway.metrics import GatewayMetrics
from host_tools.gateway.page import Page
from host_tools.gateway.recordable import links_of
from host_tools.gateway.relaying import Relaying
from host_tools.gateway.watch import Watch
from host_tools.housekeeping import commit, housekeep, take
from host_tools.keeper import Keeper
from host_tools.link import UdpLink, now
from host_tools.operations import routes
from host_tools.randomness import random_bits
from host_tools.security.contexts import MOST_HELD, DeviceContexts
from host_tools.security.limits import Limits
from host_tools.serial_hub import SerialHub
from host_tools.server.rest.http_server import HttpServer
from host_tools.settings import DROP, NONE, NOT_PROTECTED, GatewaySettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from host_tools.serial_link import SerialPort

_log = structlog.get_logger("msgin5g.gateway")

# Exchanges with the server that may be under way at once: it is a host, and NSTART = 1 is for constrained ones.
_UP_NSTART = 32
# Messages for the server in memory, of each priority; the others are in the store only.
_UP_READY = 1024
# Seconds to wait for the server's answer to the de-registration when the process is stopped.
_FAREWELL = 2.0


class GatewayProcess:
    """A running gateway.

    Args:
        settings: what it is to do.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        quick_json.use()
        recent.use()
        self._lock = take(settings.database)
        self.keeper = Keeper(settings)
        self.keeper.clock.on_jump = self._on_clock_jump
        self.store = self.keeper.store
        self.contexts = self._device_contexts()
        down = Endpoint(settings.coap.parameters(), random_bits, security=self.contexts)
        up = Endpoint(settings.coap.parameters(_UP_NSTART), random_bits, security=uplink.security(settings))
        application = self._application_endpoint()
        self.relaying = Relaying(settings, random_bits) if settings.relay.wanted else None
        self.field = FieldLinks(settings, down, application, self.relaying and self.relaying.core)
        if self.relaying and self.field.relay:
            self.relaying.drive(self.field.relay)
        self.serial = self.field.clients
        for links in (self.serial, self.field.applications):
            if links:
                links.on_opened = self._on_port_opened
        self.down = UdpLink(self.serial, settings.host, settings.port, self._settle)
        for interface in settings.multicast:
            self.down.join(interface)
        server = uplink.server(settings)
        self.up = uplink.link(settings, up, self._settle)
        self.dtls = uplink.dtls(settings, up, self.up)
        self.gateway = Gateway(
            settings.ue_service_id,
            down,
            up,
            self.up.resolve(*server),
            self.store,
            self.keeper.clock.known,
            most_devices=settings.most_devices,
            up_window=_UP_NSTART,
            most_messages_per_ue=settings.most_messages_per_ue,
            most_requests_per_second=settings.most_requests_per_second,
            bulk_registration_seconds=settings.bulk_registration_seconds,
            bulk_configuration_seconds=settings.bulk_configuration_seconds,
            packet_size=self._packet_size,
            aggregate_linger=settings.aggregate_linger if settings.aggregate else None,  # pyright: ignore[reportArgumentType]
            drops=settings.when_full == DROP,
            held_clock=self.keeper.clock.held,
        )
        self.limits = Limits(self.store, partial(gateway_operator.limit, self.gateway))
        self.watch = self._watch()
        self.gateway.on_event = self._on_event
        self.gateway.keep_ready(_UP_READY)
        self.gateway.speak_to(self.up.ways(self.up.resolve(*server)))
        self.gateway.selection.layer_2_id = self.field.layer_2_id  # pyright: ignore[reportAttributeAccessIssue]
        self.applications = self._application_clients(application)
        for endpoint in (down, up):
            endpoint.on_error = self._on_error
        self.recorders = Recorders(lambda: links_of(self))
        self.page = Page(self, self.watch) if settings.page else None
        self.http = self._http_server()
        self._announcement = (
            discovery.Announcement(settings.ue_service_id, *self.down.address) if settings.mdns else None
        )
        self._registered = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen, and register at the server.

        Raises:
            OSError: an address can't be used, or another program listens there.
        """
        await self.http.start()
        self.down.start()
        self.up.start()
        for link in self.applications:
            link.start()
        self.field.start(
            (self.serial, self.down.flush),
            *((self.field.applications, link.flush) for link in self.applications),
            *([(self.field.relay, self.relaying.start())] if self.relaying else []),
        )
        self.gateway.start(now())
        self.up.flush()
        if self._announcement:
            await self._announcement.start()
        self._tasks = [
            asyncio.create_task(housekeep(self.store, self.snapshot, _log)),
            asyncio.create_task(self.keeper.watch(self.limits.look)),
        ]
        if self.contexts:
            self._tasks.append(asyncio.create_task(self.contexts.watch()))
        for side, protection in self._protection().items():
            if protection == NONE:
                _log.warning(NOT_PROTECTED, links=side)
        _log.info(
            "listening", **self._protection(), address=text(self.down.address), server=self.settings.server
        )

        if self.page:
            self.page.tell(self.http.url)

    async def registered(self) -> None:
        """Wait until the gateway is registered at the server."""
        await self._registered.wait()

    def addresses(self) -> dict[str, str]:
        """Where it listens, and where the key is that its page asks for."""
        addresses = {"coap": f"coap://{text(self.down.address)}", "http": self.http.url}
        if self.relaying and self.relaying.address:
            addresses["relay"] = f"coap://{text(self.relaying.address)}"
        return addresses | {"operator_key_file": str(self.page.key_file)} if self.page else addresses

    async def stop(self) -> None:
        """De-register, commit and close. What the store holds is sent when the gateway runs again."""
        for task in self._tasks:
            task.cancel()
        self.recorders.close()
        if self._announcement:
            await self._announcement.stop()
        if self.page:
            self.page.stop()
        await self.http.stop()
        answered = asyncio.Event()
        self.gateway.stop(lambda _now: answered.set(), now())
        self.up.flush()
        try:
            await asyncio.wait_for(answered.wait(), _FAREWELL)
        except TimeoutError:
            _log.warning("the server did not answer the de-registration")
        self.field.close()
        if self.relaying:
            self.relaying.close()
        if self.dtls:
            self.dtls.close()
            self.up.transmit()
        for link in (self.down, self.up, *self.applications):
            link.close()
        self.store.close()
        self._lock.close()

    def snapshot(self) -> Mapping[str, float]:
        """Everything that is counted, for the log and for /metrics."""
        counts: dict[str, float] = {
            "registered": self.gateway.registration.registered,
            "clients": len(self.gateway.registry),
            "claims_refused": self.gateway.registry.claims_refused,
            "contexts": self.contexts.held() if self.contexts else 0,
            "store_messages": len(self.store),
            "store_known": len(self.store.duplicates),
            "store_known_shed": self.store.duplicates.shed,
            **self.keeper.counts(),
            **{f"page_{key}": value for key, value in (self.page.counters if self.page else {}).items()},
            **self.gateway.counters,
        }
        for name, link in (("down", self.down), ("up", self.up)):
            counts |= {f"{name}_{key}": value for key, value in link.counts().items()}
        counts |= self.field.counts()
        if self.relaying:
            counts |= {f"relay_{key}": value for key, value in self.relaying.counts().items()}
        if self.gateway.application_clients:
            counts |= {
                f"applications_{key}": value
                for key, value in self.gateway.application_clients.counters.items()
            }
        for name, resource in self.gateway.resources().items():
            counts |= {f"{name}_{key}": value for key, value in resource.counters.items()}
        return counts

    def _protection(self) -> dict[str, str]:
        sides = {"clients": self.settings.security, "server_link": self.settings.server_security}
        return sides | ({"application_clients": NONE} if self.applications else {})

    def _device_contexts(self) -> DeviceContexts | None:
        # What the links to clients are secured by.
        if self.settings.security == NONE:
            return None
        # One for each device: to load one again costs its device an Echo.
        most = max(MOST_HELD, self.settings.most_devices)
        contexts = DeviceContexts(self.store, self.settings.ue_service_id, (wire.SELECTION_PATH,), most)
        contexts.on_revoked = self._on_revoked
        return contexts

    def _on_revoked(self, ue_service_id: str) -> None:
        # Not at once: it may be noticed in the midst of a request, or of a delivery.
        def expel() -> None:
            self.gateway.expel(ue_service_id, now())
            self.down.flush()

        asyncio.get_running_loop().call_soon(expel)

    def _on_clock_jump(self, _seconds: float) -> None:
        self.gateway.clock_jumped(now())
        self.down.flush()

    def _packet_size(self, address: tuple) -> int:
        # Of the link that an address is on.
        return self.field.packet_size(address, self.down.most_octets)

    def _on_port_opened(self, port: SerialPort) -> None:
        # Those on it need not be waited for any more.
        self.gateway.reachable(lambda address: address[1] == port.path, now())
        for link in (self.down, *self.applications):
            link.flush()

    def _application_endpoint(self) -> ApplicationEndpoint | None:
        # For MSGin5G-5, where it is wanted.
        if self.settings.application_clients_port is None and not self.settings.application_clients_serial:
            return None
        endpoint = ApplicationEndpoint(self.settings.coap.parameters(), random_bits)
        endpoint.on_error = self._on_error
        return endpoint

    def _application_clients(self, endpoint: ApplicationEndpoint | None) -> list[UdpLink | SerialHub]:
        # What drives that endpoint.
        if endpoint is None:
            return []
        self.gateway.speak_for(
            [Application(one.id, one.number, one.credential()) for one in self.settings.applications],
            endpoint,
        )
        assert self.field.applications
        port = self.settings.application_clients_port
        if port is None:
            return [SerialHub(self.field.applications, self._settle)]
        return [UdpLink(self.field.applications, self.settings.host, port, self._settle)]

    def _watch(self) -> Watch:
        # For /metrics and the operator's page.
        watch = Watch(self.store.next_key, self.settings.most_devices)
        gateway: Any = self.gateway
        gateway.on_traffic = watch.on_traffic
        return watch

    def _http_server(self) -> HttpServer:
        # The operator's page, or only what everybody may ask.
        settings = self.settings
        open_to_all = routes(
            "gateway",
            self.snapshot,
            lambda: self.gateway.registration.registered,
            GatewayMetrics(self.store, self.watch.histograms),
        )
        app = self.page.app(open_to_all) if self.page else Starlette(routes=open_to_all)
        return HttpServer(
            app, settings.http_host, settings.http_port, settings.http_certificate, settings.http_key
        )

    def _settle(self) -> None:
        # Nothing leaves before it is durable; one commit serves the whole batch, whichever link it came from.
        commit(self.store)
        self.down.transmit()
        self.up.transmit()
        for link in self.applications:
            link.transmit()

    def _on_event(self, word: str, detail: dict[str, Any]) -> None:
        shown = {"address": text(detail["address"])} if "address" in detail else {}
        _log.info(word, **{**detail, **shown})
        self.watch.on_event(word, detail)
        if self.gateway.registration.registered:
            self._registered.set()

    def _on_error(self, error: Exception) -> None:
        _log.error("a handler failed", exc_info=error)
