"""What the operator of a gateway sees in a browser, and what programs ask it over HTTP."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from host_tools.gateway import top
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

_log = structlog.get_logger("msgin5g.page")

NOT_ENCRYPTED = (
    "the operator's page is not encrypted: whoever reads along on the network learns the operator key;"
    " http_certificate and http_key make it https"
)
_STATIC = Path(__file__).parent / "static"


class Page:
    """The operator's part of a gateway's HTTP interface.

    Args:
        process: the gateway.
        watch: what watches it.

    Attributes:
        counters: what became of those who asked.
        key_file: has the operator key in it.

    Raises:
        SettingsError: the operator key can't be read or made.
    """

    def __init__(self, process: GatewayProcess, watch: Watch) -> None:
        settings = process.settings
        self._process = process
        self._operators = Operators(operator_key(settings))
        self.key_file = key_file(settings)
        self.counters = self._operators.counters
        self._state = State(process, watch)
        self._streams = Streams()

    def tell(self, url: str) -> None:
        """Tell whoever starts the gateway how to reach its page and how to log in."""
        _log.info("the operator's page", url=url, key_file=str(self.key_file))
        settings = self._process.settings
        if settings.http_certificate is None and not _is_loopback(settings.http_host):
            _log.warning(NOT_ENCRYPTED)

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
            self.key_file.name,
            secure=settings.http_certificate is not None,
        )
        routes = [
            *further,
            *pages.routes(),
            *live.routes(views, self._streams, self._operators),
            *api.routes(self._state, self._streams),
            *top.routes(self._process, self._state.watch),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]
        return Guard(Starlette(routes=routes), self._operators)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
