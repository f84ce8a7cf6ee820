"""The server's HTTP application: MSGS_ASRegistration and MSGS_MSGDelivery of TS 29.538, as Starlette serves it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from traceback import format_exception
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec
import structlog
from msgin5g import messages_json, wire
from msgin5g.messages import BadMessage
from msgin5g.store import Full
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from host_tools.server.rest import schemas, validation, wire_api
from host_tools.server.rest.problems import InvalidParam, Problem, details, no_room, too_many
from host_tools.server.service import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from host_tools.server.application_servers import ApplicationServers
    from host_tools.server.callback import Callback
    from host_tools.server.rest.auth import Credentials
    from host_tools.server.service import Elements, Service

    _Handler = Callable[[Request], Awaitable[Response]]

T = TypeVar("T", bound=msgspec.Struct)

_log = structlog.get_logger("msgin5g.server")

_STATUSES = (400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503)
_LONGEST_ID = 255


class _Operation(NamedTuple):
    # One operation of MSGS_MSGDelivery. originator: the kind of address it is for; None for either.
    path: str
    body: type[schemas.Delivery]
    message_type: str
    originator: str | None


_DELIVERIES = (
    _Operation(wire_api.DELIVER_AS_MESSAGE, schemas.ASMessageDelivery, wire.MSG, wire.AS),
    _Operation(wire_api.DELIVER_UE_MESSAGE, schemas.UEMessageDelivery, wire.MSG, wire.UE),
    _Operation(wire_api.DELIVER_REPORT, schemas.DeliveryStatusReport, wire.IMDN, None),
)


@dataclass
class RestFace:
    """MSGin5G-3: registrations of Application Servers, messages and reports from them and from Message Gateways.

    Attributes:
        service: takes the messages.
        application_servers: takes the registrations.
        callback: is told about changed registrations.
        credentials: who may do what.
        committed: returns when everything so far is durable; what depended on it has been sent then.
        now: ticks.
        api_root: URI that Location begins with, such as ``https://msgin5g.example``; by default as the client sees it.
        most_body: bound of a request's body in octets.
        body_timeout: seconds for a request's body to arrive.
        most_requests: bound of requests under way.
        counters: what was done, and error responses by status code.
    """

    service: Service
    application_servers: ApplicationServers
    callback: Callback
    credentials: Credentials
    committed: Callable[[], Awaitable[None]]
    now: Callable[[], int]
    api_root: str = ""
    most_body: int = 65536
    body_timeout: float = 10.0
    most_requests: int = 1024
    counters: Counter[str] = field(
        default_factory=lambda: Counter(
            registrations=0,
            deregistrations=0,
            deliveries=0,
            **{f"status_{status}": 0 for status in _STATUSES},
        )
    )

    _under_way: int = field(default=0, init=False)

    def app(self, further: Sequence[BaseRoute] = ()) -> Starlette:
        """The ASGI application; further routes, such as the operator's pages, may come with it."""
        routes = [
            Route(wire_api.REGISTRATIONS, self.bounded(self._register), methods=["POST"]),
            Route(wire_api.REGISTRATION, self.bounded(self._deregister), methods=["DELETE"]),
            *(
                Route(one.path, self.bounded(partial(self._deliver, one)), methods=["POST"])
                for one in _DELIVERIES
            ),
            *further,
        ]
        handlers = {
            Problem: self._on_problem,
            HTTPException: self._on_http_exception,
            Exception: self._on_error,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        return app

    def bounded(self, handle: _Handler) -> _Handler:
        """A handler that refuses when too many requests are under way."""

        async def bounded(request: Request) -> Response:
            if self._under_way >= self.most_requests:
                raise too_many(self.most_requests)
            self._under_way += 1
            try:
                return await handle(request)
            finally:
                self._under_way -= 1

        return bounded

    # -- MSGS_ASRegistration (TS 23.554, 8.2.5 and 8.2.6)

    async def _register(self, request: Request) -> Response:
        credential = self.credentials.of(request)
        body = await self.body(request, schemas.ASRegistration)
        if not (0 < len(body.as_service_id) <= _LONGEST_ID and body.as_service_id.isprintable()):
            raise validation.invalid("as_service_id", f"not 1 to {_LONGEST_ID} printable characters")
        credential.require(wire.AS, body.as_service_id)
        try:
            registered = self.application_servers.register(body)
        except ValueError as error:
            raise validation.invalid("target_uri", str(error), required=False) from None
        except Full:
            raise no_room("the table of Application Servers is full") from None
        self.callback.changed(registered.service_id, self.now())
        await self.committed()
        self.counters["registrations"] += 1
        ack = schemas.ASRegistrationAck(as_service_id=registered.service_id, result=details(wire_api.CREATED))
        location = f"{self._api_root(request)}{wire_api.REGISTRATIONS}/{registered.registration_id}"
        return _json(ack, wire_api.CREATED, {wire_api.LOCATION: location})

    async def _deregister(self, request: Request) -> Response:
        credential = self.credentials.of(request)
        registered = self.application_servers.get(request.path_params[wire_api.REGISTRATION_ID])
        if registered is None:
            raise Problem(wire_api.NOT_FOUND, "no such registration", wire_api.NO_SUCH_REGISTRATION)
        credential.require(wire.AS, registered.service_id)
        self.application_servers.remove(registered)
        self.callback.changed(registered.service_id, self.now())
        await self.committed()
        self.counters["deregistrations"] += 1
        return Response(status_code=wire_api.DEREGISTERED)

    def _api_root(self, request: Request) -> str:
        return self.api_root or f"{request.url.scheme}://{request.url.netloc}"

    # -- MSGS_MSGDelivery (8.3.2, 8.3.4)

    async def _deliver(self, operation: _Operation, request: Request) -> Response:
        credential = self.credentials.of(request)
        body = await self.body(request, operation.body)
        sender = body.originator
        if operation.originator not in (None, sender.address_type):
            detail = f"this is for messages from addresses of type {operation.originator}"
            raise Problem(wire_api.REFUSED, detail, wire.NOT_AUTHORIZED)
        credential.require(sender.address_type, sender.address)
        outcome = self._submit(body, operation.message_type)
        await self.committed()
        status = wire_api.STATUS_OF[outcome.code]
        if status == wire_api.UNAVAILABLE:
            raise no_room("the store is full")
        if status != wire_api.DELIVERED:
            raise Problem(status, f"{body.destination.address}: not delivered", outcome.cause)
        self.counters["deliveries"] += 1
        ack = schemas.MessageDeliveryAck(
            originator=sender, message_id=body.message_id, status=outcome.status, failure_cause=outcome.cause
        )
        return _json(ack, status)

    def _submit(self, body: schemas.Delivery, message_type: str) -> Outcome:
        if body.destination.address_type not in dict(wire.RECIPIENTS):
            # The enumeration is open: what this release does not know is a recipient that is not supported.
            self.service.counters["unsupported_recipient"] += 1
            return Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNSUPPORTED_RECIPIENT)
        try:
            elements = schemas.to_elements(body, message_type)
        except BadMessage as bad:
            raise _bad(bad) from None
        return self.service.submit(elements, self._travelling(elements), self.now())

    def _travelling(self, elements: Elements) -> bytes:
        # As on CoAP, in UTF-8.
        encoded = msgspec.json.encode(messages_json.to_members(elements))
        if len(encoded) > self.most_body:
            raise self._too_large()
        return encoded

    # -- what all requests have

    async def body(self, request: Request, kind: type[T]) -> T:
        """What a request carries.

        Raises:
            Problem: it is too large, too slow, or not what it has to be.
        """
        media_type = request.headers.get(wire_api.CONTENT_TYPE, "").partition(";")[0].strip().lower()
        if media_type != wire_api.JSON:
            params = [InvalidParam(f"header {wire_api.CONTENT_TYPE}", f"only {wire_api.JSON} is understood")]
            raise Problem(wire_api.WRONG_FORMAT, params[0].reason, invalid_params=params)
        length = request.headers.get(wire_api.CONTENT_LENGTH, "")
        if length.isdecimal() and int(length) > self.most_body:
            raise self._too_large()
        try:
            async with asyncio.timeout(self.body_timeout):
                octets = await self._read(request)
        except TimeoutError:
            raise Problem(wire_api.TOO_SLOW, f"the body took longer than {self.body_timeout:g} s") from None
        except ClientDisconnect:
            raise Problem(wire_api.INVALID, "the body ended early", wire_api.MALFORMED) from None
        return validation.decode(octets, kind)

    async def _read(self, request: Request) -> bytes:
        # A length is not required (411): the body is bounded as it comes.
        octets = bytearray()
        async for part in request.stream():
            octets += part
            if len(octets) > self.most_body:
                raise self._too_large()
        return bytes(octets)

    def answer(self, body: msgspec.Struct, status: int) -> Response:
        """A response with a body."""
        return _json(body, status)

    def _too_large(self) -> Problem:
        return Problem(wire_api.TOO_LARGE, f"a message has at most {self.most_body} octets")

    # -- errors

    def _on_problem(self, request: Request, problem: Problem) -> Response:
        self.counters[f"status_{problem.status}"] += 1
        _log.warning(
            "request refused",
            method=request.method,
            path=request.url.path[:200],
            status=problem.status,
            cause=problem.details.cause,
            detail=(problem.details.detail or "")[:200],
        )
        return problem.response()

    def _on_http_exception(self, request: Request, error: HTTPException) -> Response:
        # Starlette's own: no such path, no such method.
        cause = wire_api.NO_SUCH_RESOURCE if error.status_code == wire_api.NOT_FOUND else None
        detail = f"{request.method} {request.url.path[:200]}: {error.detail}"
        return self._on_problem(request, Problem(error.status_code, detail, cause, headers=error.headers))

    def _on_error(self, request: Request, error: Exception) -> Response:
        # Not as exc_info: a renderer that shows local variables would show the token.
        _log.error("request failed", path=request.url.path[:200], traceback=format_exception(error))
        return self._on_problem(request, Problem(wire_api.BROKEN, "an internal error", wire_api.FAILURE))


def _bad(bad: BadMessage) -> Problem:
    # "INVALID_IE:Message ID" names the element.
    pointer = wire_api.pointer(bad.cause.partition(":")[2])
    params = [InvalidParam(pointer, bad.cause)] if pointer else None
    return Problem(wire_api.INVALID, bad.cause, bad.cause, params)


def _json(body: msgspec.Struct, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type=wire_api.JSON)
