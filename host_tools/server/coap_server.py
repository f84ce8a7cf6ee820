"""The CoAP server of a host: resources that come and go while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgin5g.coap.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable


class ResourceServer(Server):
    """A CoAP server whose resources can be looked at and taken away."""

    def handler(self, path: str, method: int) -> Callable[[Any, int], None]:
        """What handles a method of a resource."""
        return self._resources[path][method]

    def remove(self, path: str) -> None:
        """Take a resource away: it is not found any more."""
        self._resources.pop(path, None)
        self._observed.pop(path, None)
