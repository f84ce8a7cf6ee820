"""The delivery to Application Servers: POST to their targetUri (TS 23.554, 8.3.3; no API of TS 29.538 describes it).

A message goes to the targetUri itself as UEMessageDelivery, a report to ``/deliver-report`` behind it as
DeliveryStatusReport. 2xx accepts. No answer, an answer that says "not now", or one that makes no sense holds the
message back for later. Any other 4xx refuses it: its originator is told so, if it asked for a report.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from traceback import format_exception
from typing import TYPE_CHECKING

import httpx2
import msgspec
import structlog
from msgin5g import messages, wire
from msgin5g.delivery import DONE, LATER, Delivery

from host_tools.server.rest import wire_api
from host_tools.server.rest.schemas import from_elements
from host_tools.server.service import party

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from msgin5g.coap.endpoint import Endpoint
    from msgin5g.delivery import Item

    from host_tools.server.application_servers import ApplicationServers
    from host_tools.server.service import Service

# What an Application Server answers is not of interest beyond its status; so much of it is read, to use the
# connection again.
_MOST_RESPONSE = 65536
_MOST_CONNECTIONS = 1024
# Most requests under way to one Application Server, and most messages for it that are held in memory.
_WINDOW = 16
_MOST_LOADED = 64

_log = structlog.get_logger("msgin5g.server")


class Callback:
    """The way out to Application Servers (service.Outbound).

    Args:
        endpoint: whose timers drive the retries.
        service: is told about messages that are refused.
        application_servers: knows where they are.
        wall_clock: what expiration times in the store go by.
        now: ticks.
        settle: called when the outcome of a request has changed the store or made messages for others: commit, then
            send and set timers.
        timeout: seconds for one request, from the first octet to the last.
        verify: TLS context to check Application Servers with; by default the system's authorities.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        service: Service,
        application_servers: ApplicationServers,
        wall_clock: Callable[[], float],
        now: Callable[[], int],
        settle: Callable[[], None],
        *,
        timeout: float = 10.0,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self.counters: Counter[str] = Counter(
            delivered=0, refused=0, not_now=0, timeouts=0, no_connection=0, failed=0
        )
        self._service = service
        self._application_servers = application_servers
        self._now = now
        self._settle = settle
        self._timeout = timeout
        self._delivery = Delivery(endpoint, service.store, self._send, wall_clock, _WINDOW, _MOST_LOADED)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx2.AsyncClient(
            http2=True,
            verify=verify,
            follow_redirects=False,
            # No proxy and no credentials from the environment.
            trust_env=False,
            timeout=timeout,
            limits=httpx2.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=128),
        )

    def start(self, now: int) -> None:
        """Resume the delivery of what was stored before, in the running event loop."""
        prefix = party((wire.AS, ""))
        for hop in self._service.store.hops():
            if hop.startswith(prefix):
                self.changed(hop.removeprefix(prefix), now)

    async def stop(self) -> None:
        """Give up what is under way: it stays stored."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    def changed(self, service_id: str, now: int) -> None:
        """An Application Server has registered, anew perhaps, or is gone: send what waits for it, or hold it back."""
        if self.reachable(service_id):
            self._delivery.resume(party((wire.AS, service_id)), now)
        else:
            self._delivery.forget(party((wire.AS, service_id)))

    # -- service.Outbound

    def reachable(self, service_id: str) -> bool:
        """Has it said, or does the configuration say, where it is?"""
        return self._application_servers.target(service_id) is not None

    def known(self, service_id: str) -> bool:
        """Is it registered or configured?"""
        return self._application_servers.known(service_id)

    def opens(self, service_id: str) -> float | None:
        """When it registers, which nobody knows."""
        return None

    def wants_storing(self, service_id: str) -> bool:
        """It does."""
        return True

    def add(self, item: Item, now: int) -> None:
        """Send what has just been stored."""
        self._delivery.add(item, now)

    def under_way(self, item: Item) -> bool:
        """Is its outcome still open?"""
        return self._delivery.under_way(item)

    def discard(self, item: Item) -> None:
        """Do not send what changes in the store."""
        self._delivery.discard(item)

    # -- one request

    def _send(self, hop: str, item: Item, done: Callable[[int, int], None], now: int) -> None:
        service_id = hop.removeprefix(party((wire.AS, "")))
        target = self._application_servers.target(service_id)
        if target is None:
            self._delivery.forget(hop)
            done(LATER, now)
            return
        task = asyncio.get_running_loop().create_task(self._deliver(service_id, target, item, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self, service_id: str, target: httpx2.URL, item: Item, done: Callable[[int, int], None]
    ) -> None:
        status = await self._post(service_id, target, item)
        now = self._now()
        if status is not None and wire_api.accepts(status):
            self.counters["delivered"] += 1
            done(DONE, now)
        elif status is None or not wire_api.refuses(status):
            self.counters["not_now"] += 1
            done(LATER, now)
        else:
            self.counters["refused"] += 1
            self._service.counters["refused_by_recipient"] += 1
            _log.warning(
                "refused by recipient", recipient=service_id, message_id=item.message_id, status=status
            )
            self._service.fail(item, wire.REJECTED_BY_RECIPIENT, now)
            done(DONE, now)
        self._settle()

    async def _post(self, service_id: str, target: httpx2.URL, item: Item) -> int | None:
        # The status code of the answer, None when there is none.
        if item.kind == wire.IMDN:
            target = _behind(target, wire_api.CALLBACK_REPORT)
        try:
            body = msgspec.json.encode(from_elements(messages.decode(item.body)))
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(
                    "POST", target, content=body, headers={wire_api.CONTENT_TYPE: wire_api.JSON}
                ) as response,
            ):
                await _drain(response)
                return response.status_code
        except (TimeoutError, httpx2.TimeoutException):
            self.counters["timeouts"] += 1
            _log.warning("AS does not answer", recipient=service_id, seconds=self._timeout)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            self.counters["no_connection"] += 1
            _log.warning("AS can't be reached", recipient=service_id, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 (done() has to be called, whatever happens here)
            self.counters["failed"] += 1
            _log.error("delivery to AS failed", recipient=service_id, traceback=format_exception(error))
        return None


def _behind(target: httpx2.URL, path: str) -> httpx2.URL:
    # As it was percent-encoded, and with its query.
    base, mark, query = target.raw_path.partition(b"?")
    return target.copy_with(raw_path=base.rstrip(b"/") + path.encode() + mark + query)


async def _drain(response: httpx2.Response) -> None:
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > _MOST_RESPONSE:
            return
