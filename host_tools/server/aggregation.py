"""Aggregated messages and delivery status reports at the server (TS 23.554, 8.4).

What comes as one is taken apart: each message is stored by itself, with its own Message ID, expiration and report, and
goes where it has to. So a UE gets what fits it, an Application Server gets one request for each, and what is sent once
more in another company is known. What waits for a UE and fits one packet may travel as one again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgin5g import messages, wire
from msgin5g.aggregation import Gather, join, split
from msgin5g.store import Full

from host_tools.server.service import ACCEPTED, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgin5g.coap.endpoint import Endpoint
    from msgin5g.delivery import Item

    from host_tools.server.service import Elements, Service

# Octets of what travels as one: a packet, with what CoAP, DTLS and the like add.
_MOST_OCTETS = 1024
# UEs that are known not to take aggregates.
_MOST_ALONE = 100_000


class Aggregates:
    """The step that takes an aggregated message apart, and the procedure of reports, aggregated or not.

    Args:
        service: what they come from, and what their parts go back to.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._report = service.procedures[wire.IMDN]
        service.counters.update(aggregates=0)
        service.steps.insert(0, self.step)
        service.procedures[wire.IMDN] = self.report

    def step(self, elements: Elements, body: bytes, now: int) -> Outcome | None:
        """Take in an aggregated message; its parts are durable with one commit."""
        if wire.INDIVIDUAL_MESSAGES not in elements:
            return None
        self._service.counters["aggregates"] += 1
        parts = split(elements)
        outcomes = [self._service.message(part, messages.encode(part), now) for part in parts]
        told = _together(outcomes)
        if told is not None:
            return told
        # Who sent them hears once; of those that have failed among others it hears in reports.
        for part, outcome in zip(parts, outcomes, strict=True):
            if outcome.status == wire.DELIVERY_FAILED and part.get(wire.DELIVERY_STATUS_REQUIRED):
                report = messages.report_on(part, outcome.cause)
                self._report_failure(report, now)
        return ACCEPTED

    def _report_failure(self, report: Elements, now: int) -> None:
        if messages.recipient(report)[0] in self._service.outbound:
            try:
                self._service.deposit(report, messages.encode(report), now)
            except Full:
                self._service.full()

    def report(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in a report, or an aggregated one: each of it counts by itself."""
        if wire.INDIVIDUAL_REPORTS not in elements:
            return self._report(elements, body, now)
        self._service.counters["aggregates"] += 1
        outcomes = [self._report(part, messages.encode(part), now) for part in split(elements)]
        return _together(outcomes) or ACCEPTED


def _together(outcomes: list[Outcome]) -> Outcome | None:
    # What all have in common; what is to be sent again, if there is no room for all. None where they differ.
    for outcome in outcomes:
        if outcome.code == wire.UNAVAILABLE:
            return outcome
    return outcomes[0] if all(outcome == outcomes[0] for outcome in outcomes) else None


class Companions:
    """What may travel to UEs as one: the ``gather`` of their delivery.

    Args:
        endpoint: of the delivery.
        fits: octets that a UE takes in one message, by its UE Service ID.
    """

    def __init__(self, endpoint: Endpoint, fits: Callable[[str], int]) -> None:
        self._gather = Gather(endpoint, _MOST_OCTETS, linger=0)
        self._fits = fits
        self._alone: dict[str, None] = {}

    def gather(self, items: list[Item], now: int) -> int:
        """How many of the first ones travel as one."""
        hop = items[0].hop
        if len(items) == 1 or hop in self._alone or self._fits(hop) < _MOST_OCTETS:
            return 1
        return self._gather(items, now)

    def refused(self, hop: str) -> None:
        """This UE does not take aggregates: from now on it gets each by itself."""
        if len(self._alone) >= _MOST_ALONE:
            self._alone.pop(next(iter(self._alone)))
        self._alone[hop] = None

    @staticmethod
    def body(items: list[Item]) -> bytes:
        """The one that carries them."""
        return messages.encode(join([messages.decode(item.body) for item in items]))
