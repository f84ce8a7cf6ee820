"""A page goes on by itself: the parts of it that have changed, as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from host_tools.gateway.page.guard import COOKIE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from host_tools.gateway.operators import Operators
    from host_tools.gateway.page.streams import Streams
    from host_tools.gateway.page.views import Views

# Seconds between two looks.
_INTERVAL = 1.0


def routes(views: Views, streams: Streams, operators: Operators) -> list[Route]:
    """Routes for an application."""

    async def changes(request: Request) -> AsyncIterator[dict[str, Any]]:
        name = request.path_params["view"]
        query = dict(request.query_params)
        shown = views.parts(name, query)
        # The page may be a little older than this.
        yield {"data": _partials(shown)}
        while await streams.pause(_INTERVAL) and operators.knows(request.cookies.get(COOKIE)):
            parts = views.parts(name, query)
            if changed := {part: html for part, html in parts.items() if shown.get(part) != html}:
                yield {"data": _partials(changed)}
            shown = parts

    async def live(request: Request) -> Response:
        if request.path_params["view"] not in views.by_name:
            return PlainTextResponse("There is no such page.\n", 404)
        return streams.respond(changes(request))

    return [Route("/live/{view}", live)]


def _partials(parts: dict[str, str]) -> str:
    return "".join(
        f'<hx-partial hx-target="#{part}" hx-swap="innerMorph">{html}</hx-partial>'
        for part, html in parts.items()
    )
