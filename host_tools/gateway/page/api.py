"""The gateway's state for programs: JSON, and a stream of events; with the operator key as bearer token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from host_tools.gateway.state import State


def routes(state: State) -> list[Route]:
    """Routes for an application."""

    async def snapshot(_request: Request) -> Response:
        return JSONResponse(state.snapshot())

    return [Route("/api/state", snapshot)]
