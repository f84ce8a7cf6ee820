"""Which gateway is at an address, and which UEs it has vouched for (33.501 Y.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgin5g import ticks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from msgin5g.coap.endpoint import Request
    from msgin5g.registry import Registered

# Milliseconds after which a gateway that is heard at another port of its host is no more where it has registered from.
_SILENT = 60_000


class Gateways:
    """The gateways of a server.

    Args:
        names: their UE Service IDs.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._at: dict[object, str] = {}
        self._behind: dict[str, set[str]] = {}
        # When one was heard last where it has registered from.
        self._heard_at: dict[str, int] = {}

    def __contains__(self, ue_service_id: object) -> bool:
        """Is this one of them?"""
        return ue_service_id in self._names

    def that_asks(self, request: Request) -> str | None:
        """The gateway that has made a request, by its keys, or else by where it is; None when it is none."""
        if request.context:
            return request.context.name if request.context.name in self._names else None
        return self._at.get(request.peer.address)

    def behind(self, gateway: str) -> Iterable[str]:
        """The UEs behind one."""
        return tuple(self._behind.get(gateway, ()))

    def add(self, entry: Registered) -> None:
        """A UE, or a gateway, is registered."""
        if entry.via:
            self._behind.setdefault(entry.via, set()).add(entry.ue_service_id)
        elif entry.ue_service_id in self._names:
            self._at[entry.address] = entry.ue_service_id

    def remove(self, entry: Registered) -> None:
        """It is not any more, or will be otherwise."""
        if entry.via:
            self._behind.get(entry.via, set()).discard(entry.ue_service_id)
        elif self._at.get(entry.address) == entry.ue_service_id:
            del self._at[entry.address]

    def forget(self, gateway: str) -> Iterable[str]:
        """A gateway is expelled: the UEs that it has vouched for."""
        return self._behind.pop(gateway, set())

    def is_there(self, entry: Registered, address: tuple, now: int) -> bool:
        """Is one that is heard at an address still where it has registered from?

        A gateway speaks from several ports: it has moved when it is not heard at that one any more.
        """
        ue = entry.ue_service_id
        if entry.address == address:
            if ue in self._names:
                self._heard_at[ue] = now
            return True
        since = self._heard_at.get(ue)
        return since is not None and entry.address[0] == address[0] and ticks.age(since, now) < _SILENT
