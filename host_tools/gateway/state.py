"""What a gateway is doing, for its operator: as JSON (`/api/state`), and for the page."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from msgin5g import gateway_operator
from msgin5g.delivery import HIGH, LOW

from host_tools.gateway.sparingly import Sparingly
from host_tools.gateway.watch import DOWN, UP

if TYPE_CHECKING:
    from host_tools.gateway.process import GatewayProcess
    from host_tools.gateway.watch import Watch

_OLDEST = "SELECT min(key) FROM messages WHERE hop = '' AND priority = ?"


@dataclass(frozen=True, slots=True)
class Totals:
    """What takes a walk over all UEs, and so is not counted each time it is asked for.

    Attributes:
        enrolled: devices that are let in.
        revoked: devices that are not any more.
        waiting_up: messages on their way to the server.
        waiting_down: messages on their way to UEs.
        ues_waiting: UEs that messages wait for.
    """

    enrolled: int
    revoked: int
    waiting_up: int
    waiting_down: int
    ues_waiting: int


class State:
    """The state of a gateway.

    Args:
        process: the gateway.
        watch: what watches it.

    Attributes:
        totals: of all UEs, counted lately.
    """

    def __init__(self, process: GatewayProcess, watch: Watch) -> None:
        self.process = process
        self.watch = watch
        self.totals = Sparingly(self._count)

    def _count(self) -> Totals:
        down, up, ues = gateway_operator.queues(self.process.gateway)
        enrolled = revoked = 0
        if self.process.contexts:
            (enrolled, revoked), *_ = self.process.store.rows(
                "SELECT count(*), ifnull(sum(revoked), 0) FROM devices"
            )
        return Totals(enrolled - revoked, revoked, up, down, ues)

    def uplink(self) -> dict[str, Any]:
        """Registered at the server?, its address, how the link is protected, what waits for it."""
        process = self.process
        oldest = [process.store.rows(_OLDEST, (priority,))[0][0] for priority in range(HIGH, LOW + 1)]
        keys = [key for key in oldest if key is not None]
        since = self.watch.stored_at(min(keys)) if keys else None
        return {
            "server": process.settings.server,
            "protection": process.settings.server_security,
            "registered": bool(process.gateway.registration.registered),
            "waiting": self.totals().waiting_up,
            # Null while nothing waits; since before the start when it is older than the gateway's memory of it.
            "oldest_waiting_since": since if since or not keys else self.watch.started,
            "oldest_before_start": bool(keys) and since is None,
        }

    def snapshot(self) -> dict[str, Any]:
        """All of it, with what is counted."""
        return self.summary() | {"counters": dict(self.process.snapshot())}

    def summary(self) -> dict[str, Any]:
        """What one looks at first; times are in seconds since 1970, durations in seconds."""
        process = self.process
        watch = self.watch
        return {
            "gateway": process.settings.ue_service_id,
            "started": watch.started,
            "now": time.time(),
            "listening": process.addresses(),
            "protection": process.settings.security,
            "uplink": self.uplink(),
            "ports": process.field.status(),
            "devices": {
                **asdict(self.totals()),
                "registered": len(process.gateway.registry),
            },
            "delivery_seconds": {side: watch.percentiles(side) for side in (UP, DOWN)},
            "per_minute": watch.per_minute(),
        }
