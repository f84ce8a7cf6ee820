"""What the operator of a gateway sees in a browser, and what programs ask it over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from host_tools.gateway.operators import Operators, key_file, operator_key
from host_tools.gateway.page import api, live
from host_tools.gateway.page.actions import Actions
from host_tools.gateway.page.guard import Guard
from host_tools.gateway.page.pages import Pages
from host_tools.gateway.page.streams import Streams
from host_tools.gateway.page.views import Views
from host_tools.gateway.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from host_tools.gateway.process import GatewayProcess
    from host_tools.gateway.watch import Watch

_STATIC = Path(__file__).parent / "static"


class Page:
    """The operator's part of a gateway's HTTP interface.

    Args:
        process: the gateway.
        watch: what watches it.

    Attributes:
        counters: what became of those who asked.

    Raises:
        SettingsError: the operator key can't be read or made.
    """

    def __init__(self, process: GatewayProcess, watch: Watch) -> None:
        settings = process.settings
        self._process = process
        self._operators = Operators(operator_key(settings))
        self.counters = self._operators.counters
        self._state = State(process, watch)
        self._streams = Streams()

    def stop(self) -> None:
        """End the streams: who stops a server waits for what is under way."""
        self._streams.stopped.set()

    def app(self, further: Sequence[BaseRoute]) -> ASGIApp:
        """The application to serve, with further routes, which the guard stands in front of as well."""
        settings = self._process.settings
        views = Views(self._state)
        pages = Pages(
            views,
            self._operators,
            Actions(self._process),
            str(key_file(settings)),
            secure=settings.http_certificate is not None,
        )
        routes = [
            *further,
            *pages.routes(),
            *live.routes(views, self._streams, self._operators),
            *api.routes(self._state, self._streams),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]
        return Guard(Starlette(routes=routes), self._operators)
