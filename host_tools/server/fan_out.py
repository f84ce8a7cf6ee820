"""One message for many: a copy for each of them, stored together (TS 23.554, 8.7.4 and 8.8).

Each copy says whom it is for and, beside that, which group or topic it came by; Message ID and originator are the
original's. So each recipient's delivery status report goes to the sender and says whose it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgin5g import messages, wire

from host_tools.server.service import ACCEPTED, Outcome, party

if TYPE_CHECKING:
    from collections.abc import Collection

    from msgin5g.delivery import Item

    from host_tools.server.service import Elements, Service

Address = tuple[str, str]

# Octets of a copy beyond those of the message, at most: the recipient's Service ID, in JSON, and its name.
_MORE = 6 * 255 + 64


def fan_out(service: Service, elements: Elements, recipients: Collection[Address], now: int) -> Outcome:
    """Store a message for each of its recipients but its sender, and send what can be sent.

    All copies are durable with one commit, or none is. The message itself is remembered with them: when it comes
    again it goes to nobody, whoever has joined meanwhile. A recipient that is not reachable and whose copy may not be
    stored for later is reported as failed, if the sender asked for reports.

    Args:
        service: stores and sends.
        elements: the message.
        recipients: (kind, Service ID) of each.
        now: ticks.
    """
    original = (
        party(messages.recipient(elements)),
        party(messages.originator(elements)),
        elements[wire.MESSAGE_TYPE],
        elements[wire.MESSAGE_ID],
        messages.segment(elements),
    )
    if service.store.knows(*original):
        service.counters["duplicates"] += 1
        return ACCEPTED
    # A copy or a report for each, which say a little more than the message.
    longest = len(messages.encode(elements)) + _MORE
    if service.store.room(longest) < len(recipients):
        return service.full()
    service.store.remember(*original)
    sender = messages.originator(elements)
    # Stored one after the other and sent after that: the store writes them in one go.
    stored: list[tuple[Item, Address]] = []
    failed: list[tuple[Elements, str]] = []
    for recipient in recipients:
        if recipient == sender:
            continue
        copy = dict(elements)
        messages.set_recipient(copy, *recipient)
        outcome, item = service.admit(copy, messages.encode(copy))
        if item is not None:
            stored.append((item, recipient))
        elif outcome.status == wire.DELIVERY_FAILED and elements.get(wire.DELIVERY_STATUS_REQUIRED):
            failed.append((copy, outcome.cause or wire.RECIPIENT_NOT_REACHABLE))
    for copy, cause in failed:
        report = messages.report_on(copy, cause)
        service.deposit(report, messages.encode(report), now)
    for item, recipient in stored:
        service.send(item, recipient, now)
    service.counters["copies"] += len(stored)
    return ACCEPTED
