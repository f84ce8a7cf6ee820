"""Groups (TS 23.554, 8.7.4): who is in one, who may send to it, and what becomes of a message for it.

The groups are the settings'. SEAL's group management, where the standard has them from, would fill the same table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgin5g import messages, wire

from host_tools.server.fan_out import fan_out
from host_tools.server.service import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from host_tools import settings
    from host_tools.server.fan_out import Address
    from host_tools.server.service import Elements, Service


@dataclass(frozen=True, slots=True)
class Group:
    """A group.

    Attributes:
        members: who gets its messages.
        senders: who may send to it: its members, and others.
    """

    members: tuple[Address, ...]
    senders: frozenset[Address]


class Groups:
    """All groups, as the target of the messages for them.

    Args:
        service: what the messages come from; its copies go back to it.
        configured: the groups.

    Raises:
        ValueError: two groups have the same Group Service ID.
    """

    def __init__(self, service: Service, configured: Iterable[settings.Group] = ()) -> None:
        self._service = service
        self._groups: dict[str, Group] = {}
        for one in configured:
            if one.service_id in self._groups:
                raise ValueError(f"groups: {one.service_id} is there twice")
            members = tuple((wire.UE, ue) for ue in dict.fromkeys(one.members))
            allowed = [(wire.UE, ue) for ue in one.senders]
            allowed += [(wire.AS, service_id) for service_id in one.application_servers]
            self._groups[one.service_id] = Group(members, frozenset((*members, *allowed)))
        service.counters.update(unknown_group=0, not_allowed=0, copies=0)
        service.targets[wire.GROUP] = self.message

    def __len__(self) -> int:
        """How many there are."""
        return len(self._groups)

    def message(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in a message for a group."""
        group = self._groups.get(elements[wire.GROUP_SERVICE_ID])
        if group is None:
            self._service.counters["unknown_group"] += 1
            return Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
        if messages.originator(elements) not in group.senders:
            self._service.counters["not_allowed"] += 1
            return Outcome(wire.REFUSED, wire.DELIVERY_REJECTED, wire.NOT_AUTHORIZED)
        return fan_out(self._service, elements, group.members, now)
