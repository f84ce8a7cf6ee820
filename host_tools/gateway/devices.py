"""The UEs of a gateway as its operator sees them: a table by name, a page at a time, however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgin5g import gateway_operator

from host_tools.gateway.sparingly import Sparingly

if TYPE_CHECKING:
    from msgin5g.registry import Registered

    from host_tools.gateway.process import GatewayProcess
    from host_tools.gateway.watch import Watch

# Of a device that is not registered, beside what gateway_operator says.
NEVER_SEEN = "never seen"
REVOKED = "revoked"
# Not a state of its own, but worth looking for.
WITH_MESSAGES = "messages waiting"
STATES = (
    gateway_operator.REGISTERED,
    gateway_operator.ASLEEP,
    gateway_operator.WAITING,
    WITH_MESSAGES,
    gateway_operator.ABSENT,
    NEVER_SEEN,
    REVOKED,
)

PAGE = 50
# Registered UEs that are looked at one by one, for a state that only the gateway itself knows, at a time and at most.
_STEP = 500
_MOST_LOOKED_AT = 20_000

_REGISTERED = "ue_service_id IN (SELECT ue_service_id FROM registered)"
_OF_DEVICES = {
    gateway_operator.ABSENT: f"NOT revoked AND number IS NOT NULL AND NOT {_REGISTERED}",
    NEVER_SEEN: f"NOT revoked AND number IS NULL AND NOT {_REGISTERED}",
    REVOKED: "revoked",
}
_AFTER = "SELECT ue_service_id FROM {} WHERE ue_service_id > ?1 AND ue_service_id LIKE ?2 ESCAPE '\\' AND {}"
_END = " ORDER BY 1 LIMIT ?3"


@dataclass(frozen=True, slots=True)
class Row:
    """A UE.

    Attributes:
        ue: its UE Service ID.
        state: one of ``STATES``, or ``registering``.
        link: how it is reached; None when it is not registered.
        last_seen: in seconds since 1970; None when not since the gateway was started.
        waiting_down: messages that wait for it.
        waiting_up: its messages that wait for the server.
        took: seconds that the last message for it waited.
        enrolled: when, in seconds since 1970; None when it is not.
    """

    ue: str
    state: str
    link: str | None
    last_seen: float | None
    waiting_down: int
    waiting_up: int
    took: float | None
    enrolled: int | None


class DeviceTable:
    """The UEs that are enrolled or registered.

    Args:
        process: the gateway.
        watch: what watches it.

    Attributes:
        names: (search, state, after, most) -> UE Service IDs in their order.
    """

    def __init__(self, process: GatewayProcess, watch: Watch) -> None:
        self._process = process
        self._watch = watch
        # As of lately: a search may take a walk over all of them.
        self.names = Sparingly(self._names)

    def _names(self, search: str = "", state: str = "", after: str = "", most: int = PAGE) -> list[str]:
        # UE Service IDs in their order. search: part of them; state: one of STATES, or nothing for all; after: the one
        # before the first.
        pattern = "%" + search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        has_devices = self._process.contexts is not None
        if state in _OF_DEVICES:
            query = _AFTER.format("devices", _OF_DEVICES[state])
        elif state or not has_devices:
            query = _AFTER.format("registered", "true")
        else:
            query = f"{_AFTER.format('devices', 'true')} UNION {_AFTER.format('registered', 'true')}"
        if state in _OF_DEVICES and not has_devices:
            return []
        if not state or state in _OF_DEVICES:
            return self._select(query, after, pattern, most)
        found: list[str] = []
        for _ in range(_MOST_LOOKED_AT // _STEP):
            names = self._select(query, after, pattern, _STEP)
            found += [name for name in names if self._is(name, state)]
            if len(found) >= most or len(names) < _STEP:
                break
            after = names[-1]
        return found[:most]

    def rows(self, names: list[str]) -> list[Row]:
        """What there is to tell about UEs."""
        enrolled: dict[str, tuple[bool, bool, int]] = {}
        if self._process.contexts and names:
            marks = ", ".join("?" * len(names))
            enrolled = {
                ue: (bool(revoked), number is None, at)
                for ue, revoked, number, at in self._process.store.rows(
                    f"SELECT ue_service_id, revoked, number, enrolled FROM devices WHERE ue_service_id IN ({marks})",  # noqa: S608
                    tuple(names),
                )
            }
        return [self._row(name, enrolled.get(name)) for name in names]

    def row(self, ue: str) -> Row | None:
        """What there is to tell about a UE; None when it is neither enrolled nor registered nor waited for."""
        row = self.rows([ue])[0]
        known = row.enrolled is not None or row.link or row.waiting_down or row.waiting_up
        return row if known or row.state == gateway_operator.REGISTERING else None

    def _select(self, query: str, after: str, pattern: str, most: int) -> list[str]:
        return [name for (name,) in self._process.store.rows(query + _END, (after, pattern, most))]

    def _is(self, ue: str, state: str) -> bool:
        gateway = self._process.gateway
        if state == WITH_MESSAGES:
            return sum(gateway_operator.queue(gateway, ue)) > 0
        return gateway_operator.state(gateway, ue) == state

    def _row(self, ue: str, enrolled: tuple[bool, bool, int] | None) -> Row:
        gateway = self._process.gateway
        state: str = gateway_operator.state(gateway, ue)
        last_seen = self._watch.last_seen.get(ue)
        if enrolled and enrolled[0]:
            state = REVOKED
        elif enrolled and enrolled[1] and state == gateway_operator.ABSENT and last_seen is None:
            state = NEVER_SEEN
        entry = gateway.registry.get(ue)
        down, up = gateway_operator.queue(gateway, ue)
        link = link_of(entry) if entry else None
        took = self._watch.took.get(ue)
        return Row(ue, state, link, last_seen, down, up, took, enrolled[2] if enrolled else None)


def link_of(entry: Registered) -> str:
    """How a registered UE is reached, for people."""
    address: Any = entry.address
    kind, where = address[0], address[1]
    if isinstance(where, str):
        name = f"{kind} {where}" if len(address) == 2 else f"{kind} {address[2]} at {where}"
    else:
        name = f"UDP [{kind}]:{where}" if ":" in kind else f"UDP {kind}:{where}"
    return f"{name}, application client" if entry.via else name
