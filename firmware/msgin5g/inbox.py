# What a client has received: in its store before it is acknowledged, until the application takes it.
#
# The store knows what it has seen, so a message that comes again is acknowledged again and goes nowhere, before and
# after a restart. The delivery status report takes the message's place in the store when the application takes it: both
# happen in one commit.

from . import messages, wire
from .application import Received
from .store import INBOX, Full

# Seconds after which a sender may try again when the inbox is full.
_FULL_PAUSE = 5


class Inbox:
    def __init__(self, ue, store, outbox):
        self._ue = ue
        self._store = store
        self._outbox = outbox
        # Messages taken in so far.
        self.arrived = 0

    def on_message(self, request, elements, now):
        kind, identity = messages.recipient(elements)
        if kind == wire.AS or (kind == wire.UE and identity != self._ue.ue_service_id):
            self._ue.counters["not_for_us"] += 1
            self._ue.resource.refuse(request, wire.NO_SUCH_RECIPIENT, elements, wire.UNKNOWN_RECIPIENT, now)
            return
        try:
            self.put(elements, request.payload)
        except Full:
            self._ue.counters["inbox_full"] += 1
            self._ue.resource.answer(request, wire.UNAVAILABLE, now, max_age=_FULL_PAUSE)
            return
        self._ue.resource.answer(request, wire.ACCEPTED, now)

    def put(self, elements, body):
        item = self._store.put(
            INBOX,
            "\t".join(messages.originator(elements)),
            wire.MSG,
            elements[wire.MESSAGE_ID],
            messages.segment(elements),
            body,
        )
        if item:
            self.arrived += 1
            self._ue.changed.set()
        else:
            self._ue.counters["duplicates"] += 1

    def take(self, now):
        # The oldest message, None when there is none. With its report in the store, if its sender wants one; durable
        # when this returns.
        for item in self._store.pending(INBOX, -1, 1):
            elements = messages.decode(item.body)
            self._store.remove(item)
            if elements.get(wire.DELIVERY_STATUS_REQUIRED):
                self._outbox.put_report(messages.report_on(elements), now)
            self._store.commit()
            return Received(elements)
        return None
