"""The pages, and what an operator does there: log in and out, enrol, revoke, de-register, flush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import structlog
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from host_tools.gateway.operators import SESSION_SECONDS
from host_tools.gateway.page.actions import Refused
from host_tools.gateway.page.guard import COOKIE, address, too_many

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from host_tools.gateway.operators import Operators
    from host_tools.gateway.page.actions import Actions
    from host_tools.gateway.page.views import Views

_log = structlog.get_logger("msgin5g.page")

# What has just been done, as the address of the next page says it.
_DONE = {
    "revoked": "Revoked: its key is refused from now on.",
    "de-registered": "De-registered. It may register again; revoke it to keep it out.",
    "flushed": "Flushed: what waited for it is gone, and senders that asked for reports are told.",
}


class Pages:
    """The pages of a gateway.

    Args:
        views: what they show.
        operators: who may see them.
        actions: what can be done.
        key_file: name of the file with the operator key, as the login page says it.
        secure: are they served by https?
    """

    def __init__(
        self, views: Views, operators: Operators, actions: Actions, key_file: str, secure: bool
    ) -> None:
        self._views = views
        self._operators = operators
        self._actions = actions
        self._key_file = key_file
        self._secure = secure

    def routes(self) -> list[Route]:
        """Routes for an application."""
        return [
            Route("/", self._shows("devices")),
            Route("/messages", self._shows("messages")),
            Route("/counters", self._shows("counters")),
            Route("/device", self._shows("device")),
            Route("/login", self._login_page),
            Route("/login", self._login, methods=["POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/enrol", self._enrol_page),
            Route("/enrol", self._enrol, methods=["POST"]),
            Route("/device.json", self._device_file, methods=["POST"]),
            *(
                Route(f"/{word}", self._does(word, action), methods=["POST"])
                for word, action in (
                    ("revoked", self._actions.revoke),
                    ("de-registered", self._actions.deregister),
                    ("flushed", self._actions.flush),
                )
            ),
        ]

    def _shows(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def show(request: Request) -> Response:
            query = dict(request.query_params)
            html = self._views.page(name, query, done=_DONE.get(query.get("done", "")))
            if html is None:
                return self._message(404, "No such device", "It is neither enrolled nor registered here.")
            return HTMLResponse(html)

        return show

    def _does(
        self, word: str, action: Callable[[str], Awaitable[None]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def do(request: Request) -> Response:
            ue = await _field(request, "ue")
            try:
                await action(ue)
            except Refused as refused:
                return self._message(409, "That can't be done", str(refused))
            _log.info("by the operator", done=word, ue=ue, address=address(request))
            return RedirectResponse("/device?" + urlencode({"ue": ue, "done": word}), 303)

        return do

    # -- login and logout

    async def _login_page(self, request: Request) -> Response:
        if self._operators.knows(request.cookies.get(COOKIE)):
            return RedirectResponse("/", 303)
        return HTMLResponse(self._login_form())

    async def _login(self, request: Request) -> Response:
        who = address(request)
        if wait := self._operators.wait(who):
            _log.warning("too many wrong operator keys", address=who)
            return too_many(wait)
        token = self._operators.login(await _field(request, "key"), who)
        if token is None:
            _log.warning("wrong operator key", address=who)
            return HTMLResponse(self._login_form(wrong=True), 401)
        _log.info("operator logged in", address=who)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE, token, SESSION_SECONDS, path="/", secure=self._secure, httponly=True, samesite="strict"
        )
        return response

    def _login_form(self, wrong: bool = False) -> str:
        return self._views.render("login.html", title="Log in", wrong=wrong, key_file=self._key_file)

    async def _logout(self, request: Request) -> Response:
        self._operators.logout(request.cookies.get(COOKIE))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/", secure=self._secure, httponly=True, samesite="strict")
        return response

    # -- enrolment

    async def _enrol_page(self, request: Request) -> Response:
        return HTMLResponse(self._enrol_form(self._actions.suggested_address(request.url.hostname)))

    async def _enrol(self, request: Request) -> Response:
        ue, where = await _field(request, "ue"), await _field(request, "address")
        try:
            ticket = self._actions.enrol(ue, where)
        except Refused as refused:
            return HTMLResponse(self._enrol_form(where, ue=ue, problem=str(refused)), 409)
        _log.info("by the operator", done="enrolled", ue=ue, address=address(request))
        return HTMLResponse(self._views.render("enrolled.html", title="Enrolled", ue=ue, ticket=ticket))

    def _enrol_form(self, where: str, **more: Any) -> str:
        return self._views.render("enrol.html", title="Enrol a device", view="enrol", address=where, **more)

    async def _device_file(self, request: Request) -> Response:
        content = self._actions.fetch(await _field(request, "ticket"))
        if content is None:
            text = (
                "A device file can be had once, and within ten minutes. Revoke the device and enrol it again."
            )
            return self._message(410, "It is gone", text)
        return Response(
            content,
            media_type="application/json",
            headers={
                "Content-Disposition": 'attachment; filename="device.json"',
                "Cache-Control": "no-store",
            },
        )

    def _message(self, status: int, title: str, text: str) -> Response:
        return HTMLResponse(self._views.render("message.html", title=title, text=text), status)


async def _field(request: Request, name: str) -> str:
    value = (await request.form(max_files=0, max_fields=8)).get(name, "")
    return value.strip() if isinstance(value, str) else ""
