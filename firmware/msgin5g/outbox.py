# What a client sends: in its store until the next hop has accepted it, and the state of each message told.
#
# Delivery status reports have a hop of their own, so that they do not queue behind the messages. In the store they take
# the place of the messages that they report on, and so always find room.

from . import application, messages, ticks, wire, wire_status
from .coap.endpoint import Full as EndpointFull
from .delivery import DONE, KEPT, LATER, Delivery
from .resource import (
    ACCEPTED,
    NOT_NOW,
    NOT_REGISTERED,
    REFUSED,
    failure_cause,
    meaning,
    told,
)
from .store import REPORTS, Full

UP = ""

# How often the store is asked for what has expired, in ms, while it holds messages that can.
_EXPIRY_INTERVAL = 1000
_MOST_EXPIRED = 4
# After whatever expires: the year 10000.
_END_OF_TIME = 253402300800


class Outbox:
    def __init__(self, ue, store, wall_clock, linger, most_sent):
        # ue: the Client. linger: see there.
        self._ue = ue
        self._store = store
        self._wall_clock = wall_clock
        # A secured UE need not say who it is.
        self._implied = (wire.ORIGINATOR, ue.ue_service_id) if ue.endpoint.security else None
        gather = None
        if linger is not None:
            from .aggregation import Gather

            gather = Gather(ue.endpoint, ue.most_body(), linger, decode=self.decode)
        self.delivery = Delivery(ue.endpoint, store, self._send, wall_clock, gather=gather)
        if gather:
            gather.pump = self.delivery.pump
        store.on_dropped = self._on_dropped
        store.may_drop = self._may_drop
        # What the application holds of messages whose end is open, oldest first; and the Message IDs of those whose
        # end has been told.
        self._sent = []
        self._told = []
        self._most_sent = most_sent
        # What a large message is cut with; loaded when there is one.
        self._segmentation = None
        self._expiry_due = None
        ue.endpoint.on_timer.append(self._on_timer)

    # -- as it is on the way up

    def encode(self, elements):
        return messages.encode(elements, self._ue.content_format, self._implied)

    def decode(self, body):
        return messages.decode(body, messages.format_of(body), self._implied)

    # -- in

    def put(self, elements, expires, priority, now, file=None, length=0):
        # Durable when this returns; raises store.Full. file: the name of the file that is its payload.
        item = self._put(elements, expires, priority, file, length)
        sent = application.Sent(elements[wire.MESSAGE_ID], item.report, now)
        if len(self._sent) >= self._most_sent:
            self._let_go()
        self._sent.append(sent)
        if expires is not None:
            self.watch_expiry(now)
        self.add(item, now)
        return sent

    def _let_go(self):
        # Of one whose end is known, or else of one that waits for its report: it stays with the application, and late
        # news of it come with another. None that is still stored: whoever waits for its acceptance is told.
        for ends in (True, False):
            for sent in self._sent:
                if sent.final() if ends else sent.state == application.ACCEPTED:
                    self._sent.remove(sent)
                    return

    def _put(self, elements, expires, priority, file=None, length=0, version=0):
        body = self._large_body(elements, file, length) or self.encode(elements)
        item = self._store.put(
            UP,
            elements[wire.ORIGINATING_UE],
            elements[wire.MESSAGE_TYPE],
            messages.stored_id(elements),
            version,
            body,
            expires,
            bool(elements.get(wire.DELIVERY_STATUS_REQUIRED)),
            priority,
        )
        try:
            self._store.commit()
        except Full:
            self._store.withdraw(item)
            raise
        return item

    def _large_body(self, elements, file, length):
        # How a message that goes in segments is stored; None for any other.
        size = self._ue.segment_size
        payload = elements.get(wire.PAYLOAD, "")
        # A character has 4 octets at most.
        small = len(payload) <= size >> 2 or (len(payload) <= size and len(payload.encode()) <= size)
        if small and not file:
            return None
        from . import segmentation

        segmentation.prepare(elements, size, self._ue.most_body(), self.encode)
        return segmentation.in_file(elements, file, length, self.encode) if file else self.encode(elements)

    def put_report(self, report, now):
        # Or what else a receiver has to tell, if there is room. Durable with the next commit.
        try:
            item = self.store_report(report)
        except Full:
            self._ue.counters["inbox_full"] += 1
            return
        if item:
            self.add(item, now)

    def store_report(self, report):
        # For add(), once it is durable; None when there is one already.
        if wire.MESSAGE_ID not in report:
            report[wire.MESSAGE_ID] = self._ue.new_message_id()
        return self._store.put(
            REPORTS,
            self._ue.ue_service_id,
            report[wire.MESSAGE_TYPE],
            messages.stored_id(report),
            0,
            self.encode(report),
        )

    def add(self, item, now):
        if self._ue.registered:
            self.delivery.add(item, now)

    def empty(self):
        return not (self._store.pending(UP, -1, 1) or self._store.pending(REPORTS, -1, 1))

    # -- out

    def resume(self, now):
        self.delivery.resume(REPORTS, now)
        self.delivery.resume(UP, now)

    def pause(self):
        self.delivery.forget(REPORTS)
        self.delivery.forget(UP)

    def _send(self, hop, items, done, now):
        if isinstance(items, list):
            from .aggregation import join

            body = self.encode(join([self.decode(item.body) for item in items]))
            large = False
        else:
            body = self._body(items)
            if body is None:
                done(DONE, now)
                self._ue.changed.set()
                if items.kind == wire.MSG:
                    self.become(items.message_id, application.FAILED, now, wire.PAYLOAD_LOST)
                return
            large = body[0] == 0 or len(body) > self._ue.segment_size
            items = (items,)

        def on_response(response, now):
            answer = cause = None
            try:
                outcome, answer = meaning(response), told(response)
                if outcome == REFUSED:
                    cause = failure_cause(response)
            except MemoryError:
                # The peer knows it when it comes again.
                outcome = NOT_NOW
            # done() first: whatever the application's callback does, the next message goes out.
            if outcome in (ACCEPTED, REFUSED):
                done(KEPT if large and outcome == ACCEPTED else DONE, now)
                self._ue.changed.set()
                for item in items:
                    if item.kind == wire.MSG:
                        self._answered(item.message_id, outcome, answer, cause, now)
            else:
                done(LATER, now)
                if outcome == NOT_REGISTERED or response.code is None:
                    self._ue.registration.renew(now)

        for item in items:
            if item.kind == wire.MSG:
                self.become(item.message_id, application.SENT, now)
        try:
            if large:
                self.segmentation().send(items[0], on_response, now, self._ue.segment_size)
            else:
                self._post(items[0], body, on_response, now)
        except EndpointFull:
            done(LATER, now)

    def _body(self, item):
        # As it goes out; None when the store has lost it.
        try:
            body = item.body
            if body[0] and messages.format_of(body) != self._ue.content_format:
                body = self.encode(self.decode(body))
            return body
        except OSError:
            for other in self._store.pending(item.hop, item.key - 1, 1):
                if other.key == item.key:
                    raise
            return None

    def _post(self, item, body, on_response, now):
        self._ue.post(body, on_response, now)

    def segmentation(self):
        if self._segmentation is None:
            from .segmentation import Segmentation

            self._segmentation = Segmentation(
                self._ue.endpoint,
                self._store,
                self._post,
                self._release,
                self._on_failed,
                self.encode,
                self.decode,
            )
        return self._segmentation

    def _release(self, item):
        self.delivery.release(item)
        self._ue.changed.set()

    def _on_failed(self, item, cause, now):
        self.become(item.message_id, application.FAILED, now, cause)

    def on_segments(self, elements, now):
        # SEGREC or SEGCONFIR. False when that message is not there (any more).
        set_id = elements[wire.SEGMENTATION_SET_ID]
        if self._segmentation is None:
            return False
        if elements[wire.MESSAGE_TYPE] == wire.SEGCONFIR:
            return self.segmentation().confirm(UP, set_id)
        return self.segmentation().recover(UP, set_id, elements[wire.MISSING_SEGMENT_NUMBERS], now)

    def _answered(self, message_id, outcome, answer, cause, now):
        if outcome == REFUSED:
            self.become(message_id, application.FAILED, now, cause)
        else:
            self.become(message_id, application.ACCEPTED, now)
            self.take_response(message_id, answer, now)

    # -- what has become of it

    def take_response(self, message_id, elements, now):
        # A message response tells failure or "stored for later"; acceptance is shown by its absence.
        text = elements.get(wire.DELIVERY_STATUS)
        if text and wire_status.status(text) in (wire.FAILED, wire.REJECTED):
            self._not_delivered(message_id, elements, now)

    def take_report(self, report, now):
        reporter = messages.originator(report)[1]
        if wire_status.status(report[wire.DELIVERY_STATUS]) == wire.SUCCESS:
            self.become(report[wire.MESSAGE_ID], application.DELIVERED, now, None, reporter)
        else:
            self._not_delivered(report[wire.MESSAGE_ID], report, now, reporter)

    def _not_delivered(self, message_id, elements, now, reporter=None):
        cause = elements.get(wire.FAILURE_CAUSE)
        state = application.EXPIRED if cause == wire.EXPIRED else application.FAILED
        self.become(message_id, state, now, cause, reporter)

    def become(self, message_id, state, now, cause=None, reporter=None):
        # A report that comes again, or an acknowledgement that comes late, changes nothing. Of a group each member
        # reports. And a recipient knows better than a hop that has given up.
        delivered = state == application.DELIVERED
        if (message_id, reporter, delivered) in self._told:
            return
        if not delivered and (
            (message_id, reporter, True) in self._told or (message_id, None, False) in self._told
        ):
            return
        sent = self._handle(message_id, now)
        if sent is None:
            if state == application.SENT:
                # It was sent before a restart: what comes of it will be told.
                return
            self._ue.counters["unknown_reports"] += 1
            sent = application.Sent(message_id, True, now)
        if state in (application.SENT, application.ACCEPTED):
            if sent.state in (state, application.ACCEPTED) or sent.final():
                return
        else:
            if len(self._told) >= self._most_sent:
                self._told.pop(0)
            # With the text that is there already: reports bring theirs.
            self._told.append((sent.message_id, reporter, delivered))
        if sent.state != application.DELIVERED:
            sent.become(state, cause, now)
        # Of a group one may have it and another not.
        sent.cause = cause
        sent.reporter = reporter
        try:
            self._ue.on_state(sent)
        except Exception as error:
            # The application's own: it stops nothing.
            self._ue.endpoint.counters["callback_errors"] += 1
            self._ue.endpoint.on_error(error)

    def _handle(self, message_id, now):
        for sent in self._sent:
            if sent.message_id == message_id:
                return sent
        return None

    # -- what goes without having been sent

    def _may_drop(self, item):
        return not self.delivery.under_way(item)

    def _on_dropped(self, item):
        self.delivery.discard(item)
        self._ue.counters["dropped"] += 1
        self.become(item.message_id, application.FAILED, self._ue.link.now(), wire.STORE_FULL)

    def watch_expiry(self, now):
        if self._expiry_due is None and self._store.expired(_END_OF_TIME, 1):
            self._expiry_due = ticks.add(now, _EXPIRY_INTERVAL)
            self._ue.endpoint.arm(self._expiry_due)

    def _on_timer(self, now):
        if self._expiry_due is None:
            return
        if ticks.diff(self._expiry_due, now) > 0:
            self._ue.endpoint.arm(self._expiry_due)
            return
        self._expiry_due = None
        wall = self._wall_clock()
        if wall and wall < self.delivery.passed_over and self._ue.registered:
            # The clock was set back: what was passed over as expired is looked at again.
            self.delivery.passed_over = 0
            self.pause()
            self.resume(now)
        for item in self._store.expired(wall, _MOST_EXPIRED) if wall else ():
            if not self.delivery.under_way(item):
                self.delivery.discard(item)
                self._store.remove(item)
                self._ue.changed.set()
                self.become(item.message_id, application.EXPIRED, now, wire.EXPIRED)
        self.watch_expiry(now)
