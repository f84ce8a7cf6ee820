"""Who gets in: a session or a bearer token before anything is shown, the same origin before anything is done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from host_tools.gateway.operators import Operators

_log = structlog.get_logger("msgin5g.page")

COOKIE = "msgin5g_session"
# What anybody may ask for.
_OPEN = ("/healthz", "/metrics", "/login")
_STATIC = "/static/"
_SAFE = ("GET", "HEAD")
# Octets of a form.
_MOST_BODY = 4096

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then hide the origin of the page's own forms as well (Fetch, 3.2).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def address(request: Request) -> str:
    """The address that a request comes from."""
    return request.client.host if request.client else ""


def too_many(seconds: float) -> Response:
    """The answer to an address that has tried too many wrong keys."""
    wait = str(math.ceil(seconds))
    return PlainTextResponse(
        f"Too many wrong keys. Try again in {wait} s.\n", 429, headers={"Retry-After": wait}
    )


class Guard:
    """Stands in front of an application.

    Args:
        app: the application.
        operators: who may operate the gateway.
    """

    def __init__(self, app: ASGIApp, operators: Operators) -> None:
        self._app = app
        self._operators = operators
        operators.counters |= {"cross_site_refused": 0, "not_logged_in": 0}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        refusal = self._refusal(request)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                # A picture or a script may be kept, nothing that is about devices.
                kept = request.url.path.startswith(_STATIC)
                headers.setdefault("Cache-Control", "no-cache" if kept else "no-store")
            await send(message)

        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        path = request.url.path
        if request.method not in _SAFE and (problem := self._cross_site(request)):
            return problem
        if path in _OPEN or path.startswith(_STATIC) or self._operators.knows(request.cookies.get(COOKIE)):
            return None
        if path.startswith("/api/"):
            return self._without_token(request)
        self._operators.counters["not_logged_in"] += 1
        # htmx and the stream of events follow no redirection to a page that is not theirs.
        if request.method not in _SAFE or request.headers.get("sec-fetch-mode", "navigate") != "navigate":
            return PlainTextResponse("Log in at /login.\n", 401)
        return RedirectResponse("/login", 303)

    def _without_token(self, request: Request) -> Response | None:
        who = address(request)
        authorization = request.headers.get("authorization")
        if authorization:
            if wait := self._operators.wait(who):
                return too_many(wait)
            if self._operators.bearer(authorization, who):
                return None
            _log.warning("wrong operator key", address=who)
        self._operators.counters["not_logged_in"] += 1
        return JSONResponse(
            {"error": "the operator key is needed, as a bearer token; it is in the file beside the database"},
            401,
            headers={"WWW-Authenticate": 'Bearer realm="msgin5g"'},
        )

    def _cross_site(self, request: Request) -> Response | None:
        # What changes something has to come from a page of this host, as the browser says it, or come with the key.
        headers = request.headers
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MOST_BODY:
            return PlainTextResponse(f"A form has a length, of at most {_MOST_BODY} octets.\n", 413)
        if headers.get("authorization") and request.url.path.startswith("/api/"):
            return None
        origin = urlsplit(headers.get("origin", ""))
        own = bool(origin.netloc) and origin.netloc == headers.get("host")
        if own and headers.get("sec-fetch-site", "same-origin") == "same-origin":
            return None
        self._operators.counters["cross_site_refused"] += 1
        _log.warning("cross-site request refused", address=address(request), origin=headers.get("origin"))
        return PlainTextResponse("This comes from another page; use the gateway's own.\n", 403)
