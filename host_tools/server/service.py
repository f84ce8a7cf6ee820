"""The MSGin5G Server's service: registration, target resolution, store and forward (TS 23.554, 5.3.2, 8.2, 8.3).

It knows messages as information elements, whether they came over CoAP or HTTP, and a store; it does no I/O. Two
deliveries empty the store: towards UEs over CoAP (:mod:`host_tools.server.coap_face`) and towards Application
Servers over HTTP (:mod:`host_tools.server.callback`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from msgin5g import messages, wire
from msgin5g.delivery import HIGH, LOW, MIDDLE
from msgin5g.store import Full

if TYPE_CHECKING:
    from msgin5g.delivery import Item

    from host_tools.store import SqliteStore

Elements = dict[int, Any]

_log = structlog.get_logger("msgin5g.server")


class Outbound(Protocol):
    """A way out: one of the two deliveries, and who is known to be reachable by it."""

    def reachable(self, service_id: str) -> bool:
        """Is there an address for this UE or Application Server?"""
        ...

    def known(self, service_id: str) -> bool:
        """Is this UE or Application Server one of ours, reachable or not?"""
        ...

    def opens(self, service_id: str) -> float | None:
        """When will this one, not reachable now, be so (seconds since 1970)? None where nobody knows."""
        ...

    def wants_storing(self, service_id: str) -> bool:
        """Does it want messages that come while it is not reachable?"""
        ...

    def add(self, item: Item, now: int) -> None:
        """Send an item that has just been stored."""
        ...

    def under_way(self, item: Item) -> bool:
        """Has it been sent, with the outcome still open?"""
        ...

    def discard(self, item: Item) -> None:
        """Do not send an item that is about to be changed in the store, or taken out of it."""
        ...


@dataclass(slots=True)
class Outcome:
    """What became of a submitted message.

    Attributes:
        code: the CoAP code that answers it.
        status: Delivery Status for the message response; None when the message was simply accepted.
        cause: Failure Cause, where it was refused or failed.
    """

    code: int
    status: str | None = None
    cause: str | None = None


ACCEPTED = Outcome(wire.ACCEPTED)
STORED = Outcome(wire.ACCEPTED, wire.DELIVERY_STORED)

# Names that the wire table keeps where they take longer to find.
_LATENCY = wire.LATENCY
_PRIORITY_TYPE = wire.PRIORITY_TYPE
_PRIORITIES = {wire.HIGH: HIGH, wire.MIDDLE: MIDDLE, wire.LOW: LOW}


def party(address: tuple[Any, Any]) -> str:
    """Whom a message is from or for, as the store knows it: a UE and an AS may have the same Service ID.

    A UE goes by its UE Service ID alone; a tab, which no Service ID has, sets the others apart.

    Args:
        address: (kind, Service ID).
    """
    kind, service_id = address
    return service_id if kind == wire.UE else f"{kind}\t{service_id}"


# A step on a message's way in: what has been decided about it, or None to let it go on. A target decides in any case.
Step = Callable[[Elements, bytes, int], Outcome | None]
Target = Callable[[Elements, bytes, int], Outcome]


class Service:
    """Takes messages and reports in, resolves their target, and stores them for it.

    What arrives goes to the procedure of its Message Type. A message passes the steps, one after the other, and the
    first that has an outcome ends that; then it goes to the target of its recipient's kind, which is one party unless
    somebody has said otherwise (a group, a topic). What is stored for one party is stored by :meth:`deposit`.

    Args:
        store: where messages are before anyone is told they are accepted.
        wall_clock: seconds since 1970.
        longest_expiration: bound on how long a message is held, in seconds.
        held_clock: what expiration times in the store go by (:mod:`host_tools.clock`); the wall clock by default.

    Attributes:
        outbound: kind of address -> the way out to parties of that kind.
        procedures: Message Type -> what becomes of it.
        steps: what a message passes before its target is resolved.
        targets: kind of recipient -> where messages for it go, where that is not one party.
    """

    def __init__(
        self,
        store: SqliteStore,
        wall_clock: Callable[[], float],
        longest_expiration: int = wire.LONGEST_EXPIRATION,
        held_clock: Callable[[], float] | None = None,
    ) -> None:
        self.store = store
        self.counters: Counter[str] = Counter(
            messages=0,
            reports=0,
            duplicates=0,
            stored_for_later=0,
            unknown_recipient=0,
            unsupported_recipient=0,
            unknown_message=0,
            store_full=0,
            expired=0,
            refused_by_recipient=0,
        )
        self.outbound: dict[str, Outbound] = {}
        self.procedures: dict[str, Target] = {wire.MSG: self.message, wire.IMDN: self.report}
        self.steps: list[Step] = []
        self.targets: dict[str, Target] = {}
        self.wall_clock = wall_clock
        self.held_clock = held_clock or wall_clock
        self._longest_expiration = longest_expiration

    def submit(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in a checked message (8.3.2), report (8.3.4) or the like from a sender known to be who it says.

        Args:
            elements: its information elements.
            body: how it travels on CoAP: as it came, or encoded by :func:`msgin5g.messages.encode`.
            now: ticks.

        The outcome is durable with the store's next commit.
        """
        return self.procedures[elements[wire.MESSAGE_TYPE]](elements, body, now)

    def message(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in a message: the steps, then its target."""
        for step in self.steps:
            outcome = step(elements, body, now)
            if outcome is not None:
                return outcome
        return self.targets.get(messages.recipient(elements)[0], self.to_one)(elements, body, now)

    def to_one(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in a message for one UE or Application Server."""
        kind, recipient = messages.recipient(elements)
        if kind not in self.outbound:
            return self._unsupported()
        if wire.GROUP_SERVICE_ID in elements or wire.MESSAGING_TOPIC in elements:
            # Only this server says that a message for one is a copy of one for many.
            return Outcome(
                wire.INVALID, wire.DELIVERY_FAILED, f"{wire.INVALID_IE}{wire.name(wire.DESTINATION)}"
            )
        outcome, item = self.admit(elements, body)
        if item is not None:
            self.send(item, (kind, recipient), now)
        return outcome

    def admit(self, elements: Elements, body: bytes) -> tuple[Outcome, Item | None]:
        """Store a message for one party, unless it need not or must not be stored.

        Returns:
            What to answer; and what was stored and is to be sent by :meth:`send`, unless it was not.
        """
        kind, recipient = messages.recipient(elements)
        outbound = self.outbound[kind]
        reachable = outbound.reachable(recipient)
        if not reachable and not self._may_wait(elements, outbound, recipient):
            return self._not_reachable(elements, outbound.known(recipient)), None
        try:
            item = self.put(elements, body)
        except Full:
            return self.full(), None
        if item is None:
            return ACCEPTED, None
        self.counters["messages"] += 1
        if reachable:
            return ACCEPTED, item
        self.counters["stored_for_later"] += 1
        return STORED, item

    def _may_wait(self, elements: Elements, outbound: Outbound, recipient: str) -> bool:
        if elements.get(wire.STORE_AND_FORWARD_FLAG, True):
            return outbound.wants_storing(recipient)
        latency = self._latency(elements)
        opens = outbound.opens(recipient) if latency is not None else None
        return latency is not None and opens is not None and opens <= self.wall_clock() + latency

    def put(self, elements: Elements, body: bytes) -> Item | None:
        """Store a message or report for one party.

        Returns:
            The stored item; None for a duplicate, which is counted.

        Raises:
            Full: the store has no room.
        """
        item = self.store.put(
            party(messages.recipient(elements)),
            party(messages.originator(elements)),
            elements[wire.MESSAGE_TYPE],
            _identity(elements),
            messages.segment(elements),
            body,
            self.expires(elements),
            bool(elements.get(wire.DELIVERY_STATUS_REQUIRED)),
            _priority(elements),
        )
        if item is None:
            self.counters["duplicates"] += 1
        return item

    def send(self, item: Item, to: tuple[str, str], now: int) -> None:
        """Send what has just been stored, if its recipient is reachable; otherwise it waits."""
        kind, recipient = to
        outbound = self.outbound[kind]
        if outbound.reachable(recipient):
            outbound.add(item, now)

    def deposit(self, elements: Elements, body: bytes, now: int) -> Item | None:
        """Store a message or report for one party, and send it: :meth:`put` and :meth:`send`."""
        item = self.put(elements, body)
        if item is not None:
            self.send(item, messages.recipient(elements), now)
        return item

    def full(self) -> Outcome:
        """The outcome of what the store has no room for; it is counted."""
        self.counters["store_full"] += 1
        return Outcome(wire.UNAVAILABLE, wire.DELIVERY_FAILED, wire.STORE_FULL)

    def _unsupported(self) -> Outcome:
        self.counters["unsupported_recipient"] += 1
        return Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNSUPPORTED_RECIPIENT)

    def _not_reachable(self, elements: Elements, known: bool) -> Outcome:
        if self._knows(elements):
            # It was accepted when its recipient was reachable; its sender did not hear of that.
            self.counters["duplicates"] += 1
            return ACCEPTED
        self.counters["unknown_recipient"] += 1
        if known:
            return Outcome(wire.ACCEPTED, wire.DELIVERY_FAILED, wire.RECIPIENT_NOT_REACHABLE)
        return Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)

    def _knows(self, elements: Elements) -> bool:
        return self.store.knows(
            party(messages.recipient(elements)),
            party(messages.originator(elements)),
            elements[wire.MESSAGE_TYPE],
            _identity(elements),
            messages.segment(elements),
        )

    def fail(self, item: Item, cause: str, now: int) -> None:
        """Take a message out that can't be delivered, and tell its originator if it wants to know (8.3.5)."""
        self.store.remove(item)
        if item.kind != wire.MSG or not item.report:
            return
        try:
            report = messages.report_on(messages.decode(item.body), cause)
        except messages.BadMessage as bad:
            # Stored by a version that took what this one does not.
            _log.error("no report", originator=item.originator, message_id=item.message_id, cause=bad.cause)
            return
        if messages.recipient(report)[0] in self.outbound:
            self._deposit_report(report, messages.encode(report), now)

    def expire(self, now: int, most: int = 1000) -> None:
        """Fail the messages whose expiration time has come (8.3.6). To be called every second or so."""
        for item in self.store.expired(self.held_clock(), most):
            if self.under_way(item):
                continue
            self.counters["expired"] += 1
            _log.info("expired", originator=item.originator, recipient=item.hop, message_id=item.message_id)
            self.fail(item, wire.EXPIRED, now)

    def under_way(self, item: Item) -> bool:
        """Has it been sent, with the outcome still open?"""
        return any(outbound.under_way(item) for outbound in self.outbound.values())

    def forget(self, item: Item) -> None:
        """Do not send an item that is about to be changed in the store, or taken out of it."""
        for outbound in self.outbound.values():
            outbound.discard(item)

    def report(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in a delivery status report (8.3.4)."""
        # Only the recipient of a message can report on it, and only to whom it came from.
        to = messages.recipient(elements)
        if to[0] not in self.outbound:
            return self._unsupported()
        reporter, sender = party(messages.originator(elements)), party(to)
        message_id = elements[wire.MESSAGE_ID]
        # A message in segments has its first one, number 1, for certain.
        if not any(self.store.knows(reporter, sender, wire.MSG, message_id, segment) for segment in (0, 1)):
            self.counters["unknown_message"] += 1
            return Outcome(wire.NO_SUCH_RECIPIENT, wire.DELIVERY_FAILED, wire.UNKNOWN_MESSAGE)
        self.counters["reports"] += 1
        # What its recipient has reported, no hop takes back. The other way round the recipient knows better.
        success = {wire.DELIVERY_STATUS: wire.REPORT_SUCCESS}
        if elements[wire.DELIVERY_STATUS] != wire.REPORT_SUCCESS and self._knows(elements | success):
            self.counters["duplicates"] += 1
            return ACCEPTED
        return self._deposit_report(elements, body, now)

    def _deposit_report(self, elements: Elements, body: bytes, now: int) -> Outcome:
        try:
            self.deposit(elements, body, now)
        except Full:
            return self.full()
        return ACCEPTED

    def expires(self, elements: Elements) -> int:
        """Until when a message is held, by the clock of what is held."""
        now = self.held_clock()
        stated = messages.expiration(elements)
        if stated is not None:
            return int(now) + min(stated - int(self.wall_clock()), self._longest_expiration)
        if elements.get(wire.STORE_AND_FORWARD_FLAG, True):
            return int(now) + wire.DEFAULT_EXPIRATION
        # Not to be stored for later is still to be given a chance.
        latency = self._latency(elements)
        return int(now) + wire.REPORT_WAIT if latency is None else math.ceil(now + latency)

    def _latency(self, elements: Elements) -> float | None:
        # In seconds, where the sender has said so.
        latency = elements.get(_LATENCY)
        return None if latency is None else min(max(latency, 0), self._longest_expiration * 1000) / 1000


def _identity(elements: Elements) -> str:
    # What the store knows a message or report by, besides whom it is from and for. It has a Message ID: it was checked.
    identity = messages.stored_id(elements)
    assert identity is not None
    return identity


def _priority(elements: Elements) -> int:
    stated = elements.get(_PRIORITY_TYPE)
    return MIDDLE if stated is None else _PRIORITIES.get(stated.upper(), MIDDLE)
