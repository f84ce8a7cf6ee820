# What a client has received: in its store before it is acknowledged, until the application takes it.
#
# The store knows what it has seen, so a message that comes again is acknowledged again and goes nowhere, before and
# after a restart. The delivery status report takes the message's place in the store when the application takes it: both
# happen in one commit.

from . import messages, wire
from .application import Received
from .coap import numbers as coap
from .store import INBOX, SEGMENTS, Full

# Seconds after which a sender may try again when the inbox is full.
_FULL_PAUSE = 5


class Inbox:
    def __init__(self, ue, store, outbox):
        self._ue = ue
        self._store = store
        self._outbox = outbox
        # Messages taken in so far.
        self.arrived = 0
        # What a large message is put together with; loaded when the first segment comes, or is there already.
        self._reassembly = None
        # A large message that the application is reading.
        self.reading = None

    def start(self, now):
        # Once.
        if self._reassembly is None and self._store.pending(SEGMENTS, -1, 1):
            self.reassembly().load(now)

    def reassembly(self):
        if self._reassembly is None:
            from .reassembly import Reassembly

            self._reassembly = Reassembly(
                self._ue.endpoint,
                self._store,
                self._outbox.put_report,
                self._on_whole,
                self.decode,
                put=self._put_segment,
            )
        return self._reassembly

    # -- as it is on the way down to this UE

    def implied(self, request):
        # Who this is need not be said where both ends are sure of it.
        return (wire.DESTINATION, self._ue.ue_service_id) if request.context else None

    def decode(self, body):
        return messages.decode(body, messages.format_of(body))

    def _encode(self, elements):
        return messages.encode(elements, self._ue.content_format)

    def _as_stored(self, request, elements):
        mine = self._ue.content_format
        if request.content_format == mine and (mine == coap.JSON or not self.implied(request)):
            return request.payload
        return self._encode(elements)

    # -- in

    def on_message(self, request, elements, now):
        code, cause = wire.ACCEPTED, None
        try:
            if wire.SEGMENTATION_SET_ID in elements or wire.SEGMENT_NUMBER in elements:
                code, cause = self.reassembly().take(elements, self._as_stored(request, elements), now)
            elif wire.INDIVIDUAL_MESSAGES in elements:
                from .aggregation import split

                self.put([(one, self._encode(one)) for one in split(elements)])
            else:
                self.put(((elements, self._as_stored(request, elements)),))
        except Full:
            code, cause = wire.UNAVAILABLE, wire.STORE_FULL
        if cause is None:
            self._ue.resource.answer(request, code, now)
            return
        pause = None
        if code == wire.UNAVAILABLE:
            self._ue.counters["inbox_full"] += 1
            pause = _FULL_PAUSE
        self._ue.resource.refuse(request, code, elements, cause, now, pause)

    def put(self, several):
        # (elements, body) of each. Durable when this returns; raises store.Full: those that found room are known when
        # all come again.
        items = []
        full = None
        for elements, body in several:
            try:
                item = self._store.put(
                    INBOX,
                    "\t".join(messages.originator(elements)),
                    wire.MSG,
                    elements[wire.MESSAGE_ID],
                    0,
                    body,
                )
            except Full as error:
                full = error
                break
            if item:
                items.append(item)
            else:
                self._ue.counters["duplicates"] += 1
        self._make_durable(items)
        for _ in items:
            self._arrival()
        if full:
            raise full

    def _put_segment(self, *fields):
        item = self._store.put(*fields)
        if item:
            self._make_durable((item,))
        return item

    def _make_durable(self, items):
        # Or they have never come.
        try:
            if items:
                self._store.commit()
        except Full:
            for item in items:
                self._store.withdraw(item)
            raise

    def _on_whole(self, message, now):
        self._arrival()

    def _arrival(self):
        self.arrived += 1
        self._ue.changed.set()

    def take(self, now):
        # The next message, None when there is none. With its report in the store, if its sender wants one; durable
        # when this returns. Of a large one that happens when the application has read it, or takes another.
        self.finish(now)
        while True:
            items = self._store.pending(INBOX, -1, 1)
            if not items:
                break
            elements = self.elements_of(items[0])
            if elements:
                self.hand_over(items[0], elements, now)
                return Received(elements)
        while self._reassembly and self._reassembly.whole:
            message = self._reassembly.whole[0]
            try:
                elements = message.elements()
            except (OSError, ValueError):
                self._ue.counters["unreadable"] += 1
                self._reassembly.lose(message, now)
                continue
            self.reading = message, elements
            return Received(elements, message)
        return None

    def elements_of(self, item):
        # None when it can't be read any more.
        try:
            return self.decode(item.body)
        except ValueError:
            pass
        except OSError:
            for other in self._store.pending(INBOX, -1, 1):
                if other.key == item.key:
                    raise
        self._ue.counters["unreadable"] += 1
        self._store.remove(item)
        return None

    def hand_over(self, item, elements, now):
        # Its report takes its place. Raises store.Full when that can't be: then it has not been taken.
        report = None
        self._store.remove(item)
        try:
            if elements.get(wire.DELIVERY_STATUS_REQUIRED):
                report = self._outbox.store_report(messages.report_on(elements))
            self._store.commit()
        except Full:
            if report:
                self._store.withdraw(report)
            self._store.keep(item)
            raise
        if report:
            self._outbox.add(report, now)

    def finish(self, now):
        if self.reading:
            message, elements = self.reading
            self.reading = None
            self._reassembly.remove(message)
            if elements.get(wire.DELIVERY_STATUS_REQUIRED):
                self._outbox.put_report(messages.report_on(elements), now)
            try:
                self._store.commit()
            except Full:
                # It has been read all the same.
                pass
