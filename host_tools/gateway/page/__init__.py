"""What the operator of a gateway sees in a browser, and what programs ask it over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from host_tools.gateway.operators import Operators, operator_key
from host_tools.gateway.page import api
from host_tools.gateway.page.guard import Guard
from host_tools.gateway.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from host_tools.gateway.process import GatewayProcess
    from host_tools.gateway.watch import Watch


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
        self._operators = Operators(operator_key(process.settings))
        self.counters = self._operators.counters
        self._state = State(process, watch)
        self._streams = api.Streams()

    def stop(self) -> None:
        """End the streams: who stops a server waits for what is under way."""
        self._streams.stopped.set()

    def app(self, further: Sequence[BaseRoute]) -> ASGIApp:
        """The application to serve, with further routes, which the guard stands in front of as well."""
        return Guard(Starlette(routes=[*further, *api.routes(self._state, self._streams)]), self._operators)
