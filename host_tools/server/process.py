"""The server as a process: CoAP on a UDP link, HTTP on granian, one SQLite store."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from msgin5g.coap.endpoint import Endpoint

from host_tools.gateway.process import random_bits
from host_tools.housekeeping import housekeep
from host_tools.link import UdpLink, now
from host_tools.server.coap_face import CoapFace
from host_tools.server.service import Service
from host_tools.store import SqliteStore

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
        self.store = SqliteStore(settings.database, settings.most_messages)
        self.service = Service(self.store, time.time)
        endpoint = Endpoint(settings.coap.parameters(_NSTART), random_bits)
        self.link = UdpLink(endpoint, settings.host, settings.port, self._settle)
        self.coap = CoapFace(endpoint, self.service, time.time, settings.gateways, settings.most_ues)
        self.service.outbound["UE"] = self.coap
        self._tasks: list[asyncio.Task[None]] = []
        self._committed: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Listen on CoAP and HTTP."""
        self.link.start()
        self.coap.start(now())
        self.link.flush()
        self._tasks = [
            asyncio.create_task(housekeep(self.store, self.snapshot, _log)),
            asyncio.create_task(self._expire()),
        ]
        _log.info("listening", coap=self.link.address)

    async def stop(self) -> None:
        """Commit and close. What the store holds is delivered when the server runs again."""
        for task in self._tasks:
            task.cancel()
        self.link.close()
        self.store.close()

    async def committed(self) -> None:
        """Wait until everything so far is durable: the next commit, which others may share."""
        if self._committed is None:
            self._committed = asyncio.get_running_loop().create_future()
            self.link.flush()
        await self._committed

    def snapshot(self) -> Mapping[str, float]:
        """Everything that is counted, for the log and for /metrics."""
        return {
            "ues": len(self.coap.registry),
            "claims_refused": self.coap.registry.claims_refused,
            "store_messages": len(self.store),
            **self.service.counters,
            **{f"ue_{key}": value for key, value in self.coap.counters.items()},
            **{f"coap_{key}": value for key, value in self.link.counts().items()},
            **{f"coap_{key}": value for key, value in self.coap.resource.counters.items()},
        }

    def _settle(self) -> None:
        # Nothing leaves before it is durable; one commit serves the whole batch, and the HTTP requests that wait.
        self.store.commit()
        if self._committed:
            self._committed.set_result(None)
            self._committed = None
        self.link.transmit()

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_INTERVAL)
            self.service.expire(now())
            self.link.flush()
