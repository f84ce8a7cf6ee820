"""Messages in segments at the server (TS 23.554, 8.5): passed through, put together, and cut anew.

Segments for a UE that takes them as they are pass through, and what the two ends tell each other about them (SEGREC,
SEGCONFIR) does too. All others end here: those for an Application Server, which gets the message whole; those for a UE
that supports smaller ones; and those for many, or for a UE that is not there. They wait in the store until the message
is complete; then it goes on as one that came whole. Towards a UE a message is one item of the store until it is sent,
in segments of the size that the UE supports; there too the server is the end, and takes SEGREC and SEGCONFIR itself.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import structlog
from msgin5g import messages, wire
from msgin5g.reassembly import Message, Reassembly
from msgin5g.store import SEGMENTS, Full

from host_tools.server.service import ACCEPTED, Outcome, party

if TYPE_CHECKING:
    from msgin5g.coap.endpoint import Endpoint
    from msgin5g.registry import Registered
    from msgin5g.segmentation import Segmentation

    from host_tools.server.coap_face import CoapFace
    from host_tools.server.service import Elements, Service

_log = structlog.get_logger("msgin5g.server")

_PREFIX = SEGMENTS + "\t"


class Sizes:
    """The segment sizes that UEs support, as they have said when they registered (8.2.1).

    Args:
        default: octets of payload in a segment for a UE that has not said so.
    """

    def __init__(self, default: int = wire.SEGMENT_SIZE) -> None:
        self._default = default
        # UE Service ID -> the registration that was read, and what it says.
        self._sizes: dict[str, tuple[Registered, int]] = {}

    def of(self, entry: Registered) -> int:
        """Octets of payload in a segment for this UE."""
        known = self._sizes.get(entry.ue_service_id)
        if known is None or known[0] is not entry:
            known = self._sizes[entry.ue_service_id] = (entry, self._read(entry))
        return known[1]

    def forget(self, ue_service_id: str) -> None:
        """It is not registered any more."""
        self._sizes.pop(ue_service_id, None)

    def _read(self, entry: Registered) -> int:
        try:
            profile = messages.decode(entry.body).get(wire.CLIENT_PROFILE) if entry.body else None
        except messages.BadMessage:
            profile = None
        stated = (profile or {}).get(wire.SUPPORTED_SEGMENT_SIZE)
        return self._default if stated is None else max(stated, wire.LEAST_SEGMENT_SIZE)


class _Reassembly(Reassembly):
    """Each set is in the store as a hop of its own."""

    def hop(self, origin: tuple[str, str], message_id: str) -> str:
        return f"{_PREFIX}{party(origin)}\t{message_id}"


class Segments:
    """The step that takes segments out of the way of messages, and the procedures of SEGREC and SEGCONFIR.

    Args:
        endpoint: whose timers say when a segment is overdue.
        service: what segments come from; whole messages go back to it.
        ues: which UEs are registered, and what is sent to them in segments.
        most_sets: bound of messages that are put together at the same time.
        most_segments: bound of the segments of one.
        most_octets: bound of the payload of one.

    Attributes:
        reassembly: what is put together.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        service: Service,
        ues: CoapFace,
        most_sets: int = 1024,
        most_segments: int = 1024,
        most_octets: int = 262_144,
    ) -> None:
        self._service = service
        self._ues = ues
        self._segmentation: Segmentation = ues.segmentation
        self.reassembly = _Reassembly(
            endpoint,
            service.store,
            self._tell,
            self._on_whole,
            most_sets=most_sets,
            most_segments=most_segments,
            most_octets=most_octets,
        )
        self._most_segments = most_segments
        # What became of the message that the segment at hand has completed.
        self._outcome: Outcome | None = None
        service.steps.append(self.step)
        service.procedures[wire.SEGREC] = service.procedures[wire.SEGCONFIR] = self.told

    def start(self, now: int) -> None:
        """Take up what was not complete before."""
        for hop in self._service.store.hops():
            if hop.startswith(_PREFIX):
                for item in self._service.store.pending(hop, -1, self._most_segments + 1):
                    self.reassembly.restore(item, now)
        self.reassembly.loaded(now)

    def snapshot(self) -> dict[str, int]:
        """What is counted."""
        return {
            "sets": len(self.reassembly),
            **self.reassembly.counters,
            "sent_sets": len(self._segmentation),
            **{f"sent_{key}": value for key, value in self._segmentation.counters.items()},
        }

    # -- segments

    def step(self, elements: Elements, body: bytes, now: int) -> Outcome | None:
        """Take in a segment that ends here."""
        if wire.SEGMENT_NUMBER not in elements and wire.SEGMENTATION_SET_ID not in elements:
            return None
        if not self.reassembly.knows(elements) and self._passes(elements):
            return None
        self._outcome = None
        code, cause = self.reassembly.take(elements, body, now)
        if cause is not None:
            return Outcome(code, wire.DELIVERY_FAILED, cause)
        outcome, self._outcome = self._outcome, None
        return outcome or ACCEPTED

    def _passes(self, elements: Elements) -> bool:
        # Decided on the first, when it comes first; the others follow it, and so does the first when it comes again:
        # whatever has become of the recipient meanwhile, two ways to cut one message must not meet there.
        kind, recipient = messages.recipient(elements)
        numbered = wire.SEGMENT_NUMBER in elements and wire.SEGMENTATION_SET_ID in elements
        if kind != wire.UE or not numbered or messages.originator(elements)[0] != wire.UE:
            return False
        sender = party(messages.originator(elements))
        passed = any(
            self._service.store.knows(recipient, sender, wire.MSG, elements[wire.MESSAGE_ID], first)
            for first in (0, 1)
        )
        if passed or wire.TOTAL_SEGMENTS not in elements:
            return passed
        entry = self._ues.registry.get(recipient)
        return entry is not None and _octets(elements) <= self._ues.sizes.of(entry)

    def _on_whole(self, message: Message, now: int) -> None:
        # Its segments make room for it; all of that is one commit.
        elements = message.elements()
        messages.set_payload(elements, b"".join(message.pieces()))
        self.reassembly.remove(message)
        outcome = self._service.message(elements, messages.encode(elements), now)
        if outcome.status == wire.DELIVERY_FAILED and message.report:
            report = messages.report_on(elements, outcome.cause)
            self._tell(report, now)
        self._outcome = outcome

    def _tell(self, elements: Elements, now: int) -> None:
        kind, recipient = messages.recipient(elements)
        if kind != wire.UE and elements[wire.MESSAGE_TYPE] != wire.IMDN:
            # Application Servers know no segments.
            return
        if kind not in self._service.outbound:
            return
        elements.setdefault(wire.MESSAGE_ID, str(uuid.uuid4()))
        try:
            self._service.deposit(elements, messages.encode(elements), now)
        except Full:
            # It is asked for again, or not confirmed; a report is lost.
            self._service.full()
            _log.warning("no room", kind=elements[wire.MESSAGE_TYPE], recipient=recipient)

    # -- what the ends tell each other

    def told(self, elements: Elements, body: bytes, now: int) -> Outcome:
        """Take in SEGREC or SEGCONFIR: the server's own, or to be passed on."""
        sender, set_id = party(messages.originator(elements)), elements[wire.SEGMENTATION_SET_ID]
        if elements[wire.MESSAGE_TYPE] == wire.SEGCONFIR:
            ours = self._segmentation.confirm(sender, set_id)
        else:
            ours = self._segmentation.recover(sender, set_id, elements[wire.MISSING_SEGMENT_NUMBERS], now)
        if ours:
            return ACCEPTED
        kind, recipient = messages.recipient(elements)
        if wire.MESSAGE_ID not in elements:
            elements[wire.MESSAGE_ID] = str(uuid.uuid4())
            body = messages.encode(elements)
        # Between two UEs, whose segments have passed.
        if kind != wire.UE or not self._ues.known(recipient):
            return Outcome(wire.INVALID, wire.DELIVERY_FAILED, wire.UNKNOWN_MESSAGE)
        try:
            self._service.deposit(elements, body, now)
        except Full:
            return self._service.full()
        return ACCEPTED


def _octets(elements: dict[int, Any]) -> int:
    payload = messages.payload(elements) or b""
    return len(payload.encode() if isinstance(payload, str) else payload)
