"""An Application Server: registers at an MSGin5G Server, sends messages, receives them on an HTTP listener of its own.

What ``msgin5g send``, ``msgin5g watch`` and the demo are when they act as an AS, and an example for those who write
one. The server delivers at least once: after a crash it may POST a message or a report again. Each is therefore known
by its originator and Message ID, handed to the application once, and acknowledged each time.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import structlog
from msgin5g import messages, messages_json, rfc3339, wire
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from host_tools.server.rest import schemas, wire_api
from host_tools.server.rest.wire_api import member

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

_log = structlog.get_logger("msgin5g.application-server")

# Identities of messages received, so many at most.
_MOST_KNOWN = 100_000
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the application.

    Attributes:
        originator: Service ID of its sender.
        message_id: its Message ID.
        payload: str, or bytes where the sender sent octets that are not text; None where there is none.
        application: Application ID, if it has one.
    """

    originator: str
    message_id: str
    payload: str | bytes | None
    application: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery status report on a message sent.

    Attributes:
        message_id: of the message it is about.
        delivered: whether it was.
        cause: Failure Cause, where it was not.
    """

    message_id: str
    delivered: bool
    cause: str | None


class Refused(Exception):
    """The server said no; the message says why."""


class ApplicationServer:
    """An Application Server.

    Args:
        service_id: its AS Service ID.
        server: base URL of the MSGin5G Server's HTTP interfaces.
        token: bearer token.
        on_message: called once for each message.
        on_report: called once for each delivery status report.
        verify: CA file to verify the server with, where it speaks https.
    """

    def __init__(
        self,
        service_id: str,
        server: str,
        token: str,
        on_message: Callable[[Message], None] | None = None,
        on_report: Callable[[Report], None] | None = None,
        verify: str | bool = True,
    ) -> None:
        self.service_id = service_id
        self.counters = Counter(received=0, repeated=0, reports=0, sent=0, retries=0)
        self.app = Starlette(
            routes=[
                Route("/", self._receive_message, methods=["POST"]),
                Route(wire_api.CALLBACK_REPORT, self._receive_report, methods=["POST"]),
            ]
        )
        self._on_message = on_message
        self._on_report = on_report
        self._http = httpx2.AsyncClient(
            base_url=server,
            headers={wire_api.AUTHORIZATION: f"{wire_api.BEARER} {token}"},
            verify=verify,
            http2=True,
            timeout=10.0,
        )
        self._registration: str | None = None
        self._known: OrderedDict[tuple[str | None, ...], None] = OrderedDict()
        self._reporting: set[asyncio.Task[None]] = set()

    async def register(self, target_uri: str | None) -> None:
        """Register (TS 23.554, 8.2.5); messages are POSTed to target_uri from then on.

        Raises:
            Refused: with the server's reason.
        """
        body = {member("as_service_id"): self.service_id}
        if target_uri:
            body[member("target_uri")] = target_uri
        answer = await self._post(wire_api.REGISTRATIONS, body)
        self._registration = answer.headers[wire_api.LOCATION]

    async def deregister(self) -> None:
        """De-register (8.2.6)."""
        if self._registration:
            answer = await self._http.delete(self._registration)
            self._registration = None
            if answer.is_error:
                raise Refused(_reason(answer))

    async def close(self) -> None:
        """Finish the reports that are under way, and close the connections."""
        if self._reporting:
            await asyncio.wait(self._reporting, timeout=5)
        for task in self._reporting:
            task.cancel()
        await self._http.aclose()

    @staticmethod
    def new_message_id() -> str:
        """A Message ID that no message has."""
        return messages.new_message_id(os.urandom(16))

    async def send(
        self,
        payload: str | bytes,
        ue: str,
        report: bool = True,
        store_and_forward: bool = True,
        expires: float | None = None,
        application: str | None = None,
        message_id: str | None = None,
    ) -> tuple[str, str | None]:
        """Send a message to a UE (8.7.2); it is tried again, as the same message, until the server answers.

        Args:
            payload: text, or octets.
            ue: UE Service ID of the recipient.
            report: ask for a delivery status report.
            store_and_forward: hold it while the UE is away.
            expires: seconds since 1970 after which it is of no use.
            application: Application ID.
            message_id: to send a message of before again.

        Returns:
            Message ID, and the Delivery Status the server told at once: None when it is on its way.

        Raises:
            Refused: with the server's reason.
        """
        message_id = message_id or self.new_message_id()
        elements = messages.message(
            (wire.AS, self.service_id), (wire.UE, ue), message_id, store_and_forward, report
        )
        messages.set_payload(elements, payload)
        if expires is not None:
            elements[wire.STORE_AND_FORWARD_PARAMETERS] = {
                wire.MESSAGE_EXPIRATION_TIME: rfc3339.format(expires)
            }
        if application is not None:
            elements[wire.APPLICATION_ID] = application
        answer = await self._post(wire_api.DELIVER_AS_MESSAGE, schemas.from_elements(elements))
        self.counters["sent"] += 1
        return message_id, answer.json().get(member("status"))

    async def _post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        pause = _FIRST_PAUSE
        while True:
            try:
                answer = await self._http.post(path, json=body)
                if not answer.is_server_error:
                    break
            except httpx2.TransportError:
                pass
            self.counters["retries"] += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if answer.is_error:
            raise Refused(_reason(answer))
        return answer

    # -- what the server POSTs

    async def _receive_message(self, request: Request) -> Response:
        elements = await self._elements(request, wire.MSG)
        if elements is None:
            return Response(status_code=wire_api.INVALID)
        if self._is_new(elements):
            self.counters["received"] += 1
            if self._on_message:
                self._on_message(
                    Message(
                        messages.originator(elements)[1],
                        elements[wire.MESSAGE_ID],
                        messages.payload(elements),
                        elements.get(wire.APPLICATION_ID),
                    )
                )
        if elements.get(wire.DELIVERY_STATUS_REQUIRED):
            # Also for one that is repeated: the report may be what got lost.
            task = asyncio.create_task(self._report(elements))
            self._reporting.add(task)
            task.add_done_callback(self._reporting.discard)
        return Response(status_code=wire_api.DEREGISTERED)

    async def _receive_report(self, request: Request) -> Response:
        elements = await self._elements(request, wire.IMDN)
        if elements is None:
            return Response(status_code=wire_api.INVALID)
        if not self._is_new(elements):
            return Response(status_code=wire_api.DEREGISTERED)
        self.counters["reports"] += 1
        if self._on_report:
            delivered = wire.status(elements[wire.DELIVERY_STATUS]) == wire.SUCCESS
            self._on_report(Report(elements[wire.MESSAGE_ID], delivered, elements.get(wire.FAILURE_CAUSE)))
        return Response(status_code=wire_api.DEREGISTERED)

    async def _elements(self, request: Request, message_type: str) -> dict[int, Any] | None:
        try:
            elements = messages_json.from_members(await request.json())
            elements[wire.MESSAGE_TYPE] = message_type
            messages.check(elements)
        except (ValueError, AttributeError):
            _log.warning("not a message", path=request.url.path)
            return None
        return elements

    def _is_new(self, elements: dict[int, Any]) -> bool:
        # Of a message or a report: is it the first time that it comes?
        identity = (
            elements[wire.MESSAGE_TYPE],
            *messages.originator(elements),
            elements[wire.MESSAGE_ID],
            # A failure that a hop has told may be followed by the recipient's own report of success.
            elements.get(wire.DELIVERY_STATUS),
        )
        if identity in self._known:
            self.counters["repeated"] += 1
            return False
        self._known[identity] = None
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return True

    async def _report(self, elements: dict[int, Any]) -> None:
        report = messages.report_on(elements)
        try:
            await self._post(wire_api.DELIVER_REPORT, schemas.from_elements(report))
        except Refused as refused:
            _log.warning("report refused", message_id=elements[wire.MESSAGE_ID], reason=str(refused))


def _reason(answer: httpx2.Response) -> str:
    # ProblemDetails, where the server gives them.
    try:
        problem = answer.json()
        parts = [problem.get(member(name)) for name in ("title", "detail", "cause")]
        return f"{answer.status_code}: {', '.join(part for part in parts if part)}"
    except (ValueError, AttributeError):
        return f"{answer.status_code}: {answer.reason_phrase}"
