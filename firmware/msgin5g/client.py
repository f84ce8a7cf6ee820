# The MSGin5G Client: what an application on a board uses (TS 23.554, 8.2 and 8.3).
#
#     ue = Client("meter-17@example.org", "192.168.4.1")
#     await ue.register()
#     sent = await ue.send("23.5 C", application_server="meters@example.org")
#     await sent.delivered()
#     message = await ue.receive()
#
# It keeps its registration, sends what its store holds in the order it was given, tells each message's state, and
# takes each message that arrives once. All waiting is asyncio's; everything else happens in the callbacks of the
# CoAP endpoint, which run when the link has received something or a timer is due.

import asyncio
import os
import time

from . import messages, ticks, wire
from .application import Received, RegistrationRefused, Sent
from .coap import numbers as coap
from .coap.client import Client as CoapClient
from .coap.endpoint import Endpoint, Parameters
from .coap.endpoint import Full as EndpointFull
from .coap.server import Server as CoapServer
from .delivery import DONE, LATER, Delivery
from .registration import Registration
from .resource import (
    ACCEPTED,
    NOT_REGISTERED,
    REFUSED,
    MessageResource,
    failure_cause,
    meaning,
    request_options,
    told,
)
from .store import Full as StoreFull
from .store.memory import MemoryStore

# The client's only hop: its gateway, or its server.
_UP = ""

# Seconds from 1970 to 2000, where some ports begin to count.
_EPOCH_2000 = 946684800
# A clock that shows less has not been set.
_CLOCK_SET = 1704067200

# How often the store is asked for what has expired, in ms, while it holds messages that can.
_EXPIRY_INTERVAL = 1000
_MOST_EXPIRED = 4
# After whatever expires: the year 10000.
_END_OF_TIME = 253402300800


class Client:
    def __init__(
        self,
        ue_service_id,
        gateway,
        port=wire.PORT,
        link=None,
        parameters=None,
        store=None,
        profile=None,
        most_inbox=4,
        most_sent=16,
        most_known=32,
    ):
        # link(endpoint) -> a link; UDP when not given. profile: the MSGin5G Client Profile, {element: value}.
        self.ue_service_id = ue_service_id
        self.counters = {
            "duplicates": 0,
            "inbox_full": 0,
            "unknown_reports": 0,
            "not_for_us": 0,
        }
        # on_state(sent) for every change of a message's state; on_registration(registered, cause).
        self.on_state = _nobody_listens
        self.on_registration = _nobody_minds
        self._endpoint = Endpoint(parameters or Parameters(), _randbits)
        self._link = (link or _udp)(self._endpoint)
        self._coap = CoapClient(self._endpoint)
        self._resource = MessageResource(
            CoapServer(self._endpoint),
            {wire.MSG: self._on_message, wire.IMDN: self._on_report, wire.MSGRESP: self._on_response},
        )
        self._address = self._link.resolve(gateway, port)
        self._link.connect(self._address)
        self._registration = Registration(
            self._coap,
            self._address,
            messages.encode(messages.registration(ue_service_id, profile)),
            messages.encode(messages.deregistration(ue_service_id)),
            self._on_registration,
        )
        self._store = store if store is not None else MemoryStore()
        self._delivery = Delivery(self._endpoint, self._store, self._send_item, wall_clock)
        self._sent = {}
        self._sent_order = []
        # Message IDs of those whose end has been told, oldest first.
        self._told = []
        self._most_sent = most_sent
        self._inbox = []
        self._most_inbox = most_inbox
        self._arrived = asyncio.Event()
        # Identities of messages received, oldest first.
        self._known = []
        self._most_known = most_known
        self._removed = asyncio.Event()
        # Delivery status reports that the store had no room for.
        self._owed = []
        self._expiry_due = None
        self._endpoint.on_timer.append(self._on_timer)
        self._registration_changed = asyncio.Event()
        self._refusal = None
        self._running = False

    # -- for the application

    @property
    def registered(self):
        return self._registration.registered

    async def register(self):
        # Returns when registered, however long the gateway takes to be reached; from then on the registration is
        # kept. Raises RegistrationRefused when the gateway or the server says no.
        self._start_link()
        self._refusal = None
        now = self._link.now()
        self._watch_expiry(now)
        self._registration.start(now)
        self._link.flush()
        while not self.registered:
            self._registration_changed.clear()
            await self._registration_changed.wait()
            if self._refusal:
                raise RegistrationRefused(self._refusal)

    async def deregister(self):
        # Whatever is still stored is sent after the next register().
        if not self._running:
            return
        answered = asyncio.Event()
        self._delivery.forget(_UP)
        self._registration.stop(lambda now: answered.set(), self._link.now())
        self._link.flush()
        await answered.wait()

    async def send(
        self,
        payload,
        ue=None,
        application_server=None,
        application=None,
        report=True,
        store_and_forward=True,
        expires_in=None,
    ):
        # Returns when the message is stored; raises store.Full when it can't be. expires_in: seconds.
        if (ue is None) == (application_server is None):
            raise ValueError("name one recipient: ue or application_server")
        to = (wire.UE, ue) if ue is not None else (wire.AS, application_server)
        message_id = messages.new_message_id(os.urandom(16))
        elements = messages.message((wire.UE, self.ue_service_id), to, message_id, store_and_forward, report)
        if application is not None:
            elements[wire.APPLICATION_ID] = application
        messages.set_payload(elements, payload)
        expires = None
        if expires_in is not None:
            wall = wall_clock()
            if wall is None:
                raise ValueError("expires_in needs the time of day: set the clock first")
            expires = int(wall + expires_in)
            messages.set_expiration(elements, expires)
        now = self._link.now()
        sent = Sent(message_id, report, now)
        item = self._put(elements, self.ue_service_id, expires)
        self._remember(sent)
        if expires is not None:
            self._watch_expiry(now)
        if self.registered:
            self._delivery.add(item, now)
        if self._running:
            self._link.flush()
        return sent

    async def receive(self):
        # The next message. Its delivery status report goes out now, if its sender wants one. While too many reports
        # find no room in the store it waits, so that none is lost: a full inbox asks senders to wait as well.
        while not self._inbox or len(self._owed) >= self._most_inbox:
            self._arrived.clear()
            await self._arrived.wait()
        elements = self._inbox.pop(0)
        received = Received(elements)
        if elements.get(wire.DELIVERY_STATUS_REQUIRED):
            self._owed.append(messages.report_on(elements))
            self._pay(self._link.now())
            self._link.flush()
        return received

    async def settled(self):
        # Returns when everything stored, reports included, has been accepted or refused.
        while self._store.pending(_UP, -1, 1):
            self._removed.clear()
            await self._removed.wait()

    def __aiter__(self):
        return self

    async def __anext__(self):
        return await self.receive()

    async def __aenter__(self):
        await self.register()
        return self

    async def __aexit__(self, *raised):
        await self.deregister()
        self.close()

    def close(self):
        # Without a word to the gateway; deregister() first to be off politely.
        if self._running:
            self._running = False
            self._link.close()

    # -- registration

    def _start_link(self):
        if not self._running:
            self._running = True
            self._link.start()

    def _on_registration(self, registered, cause, now):
        if registered:
            self._delivery.resume(_UP, now)
        else:
            self._delivery.forget(_UP)
            self._refusal = cause
        self._registration_changed.set()
        self.on_registration(registered, cause)

    # -- outgoing

    def _put(self, elements, originator, expires=None):
        return self._store.put(
            _UP,
            originator,
            elements[wire.MESSAGE_TYPE],
            messages.stored_id(elements),
            messages.segment(elements),
            messages.encode(elements),
            expires,
            bool(elements.get(wire.DELIVERY_STATUS_REQUIRED)),
        )

    def _pay(self, now):
        # When the store is full a message is the application's all the same, and its report waits.
        while self._owed:
            try:
                item = self._put(self._owed[0], self.ue_service_id)
            except StoreFull:
                return
            self._owed.pop(0)
            self._arrived.set()
            if item and self.registered:
                self._delivery.add(item, now)

    def _remember(self, sent):
        if len(self._sent_order) >= self._most_sent:
            # Its handle stays with the application; late news of it come with another.
            self._sent.pop(self._sent_order.pop(0), None)
        self._sent[sent.message_id] = sent
        self._sent_order.append(sent.message_id)

    def _become(self, message_id, state, now, cause=None):
        sent = self._sent.get(message_id)
        if message_id in self._told:
            # A report that comes again, or an acknowledgement that comes late.
            return
        if sent is None:
            # Its handle was dropped, or it was sent before a restart: there is still somebody to tell.
            self.counters["unknown_reports"] += 1
            sent = Sent(message_id, True, now)
        if sent.state == state:
            return
        if state != Sent.ACCEPTED:
            if len(self._told) >= self._most_sent:
                self._told.pop(0)
            self._told.append(message_id)
        sent._become(state, cause, now)
        if sent.final() and message_id in self._sent:
            del self._sent[message_id]
            self._sent_order.remove(message_id)
        self.on_state(sent)

    def _send_item(self, hop, item, done, now):
        def on_response(response, now):
            outcome = meaning(response)
            self._removed.set()
            # done() first: whatever the application's callback does, the next message goes out.
            if outcome == ACCEPTED:
                done(DONE, now)
                self._pay(now)
                if item.kind == wire.MSG:
                    self._become(item.message_id, Sent.ACCEPTED, now)
                    self._take_response(item.message_id, told(response), now)
            elif outcome == REFUSED:
                done(DONE, now)
                self._pay(now)
                if item.kind == wire.MSG:
                    self._become(item.message_id, Sent.FAILED, now, failure_cause(response))
            else:
                done(LATER, now)
                if outcome == NOT_REGISTERED or response.code is None:
                    self._registration.renew(now)

        try:
            self._coap.request(self._address, coap.POST, request_options(), item.body, on_response, now)
        except EndpointFull:
            done(LATER, now)

    # -- expiry

    def _watch_expiry(self, now):
        if self._expiry_due is None and self._store.expired(_END_OF_TIME, 1):
            self._expiry_due = ticks.add(now, _EXPIRY_INTERVAL)
            self._endpoint.arm(self._expiry_due)

    def _on_timer(self, now):
        if self._expiry_due is None:
            return
        if ticks.diff(self._expiry_due, now) > 0:
            self._endpoint.arm(self._expiry_due)
            return
        self._expiry_due = None
        wall = wall_clock()
        for item in self._store.expired(wall, _MOST_EXPIRED) if wall else ():
            if not self._delivery.under_way(item):
                self._store.remove(item)
                self._become(item.message_id, Sent.EXPIRED, now, wire.EXPIRED)
        self._pay(now)
        self._watch_expiry(now)

    # -- incoming

    def _on_message(self, request, elements, now):
        kind, identity = messages.recipient(elements)
        if kind == wire.AS or (kind == wire.UE and identity != self.ue_service_id):
            self.counters["not_for_us"] += 1
            self._resource.refuse(request, wire.NO_SUCH_RECIPIENT, elements, wire.UNKNOWN_RECIPIENT, now)
            return
        known = (messages.originator(elements), elements[wire.MESSAGE_ID], messages.segment(elements))
        if known in self._known:
            self.counters["duplicates"] += 1
        elif len(self._inbox) >= self._most_inbox:
            self.counters["inbox_full"] += 1
            self._resource.answer(request, wire.UNAVAILABLE, now, max_age=5)
            return
        else:
            if len(self._known) >= self._most_known:
                self._known.pop(0)
            self._known.append(known)
            self._inbox.append(elements)
            self._arrived.set()
        self._resource.answer(request, wire.ACCEPTED, now)

    def _on_report(self, request, elements, now):
        if wire.status(elements[wire.DELIVERY_STATUS]) == wire.SUCCESS:
            self._become(elements[wire.MESSAGE_ID], Sent.DELIVERED, now)
        else:
            cause = elements.get(wire.FAILURE_CAUSE)
            state = Sent.EXPIRED if cause == wire.EXPIRED else Sent.FAILED
            self._become(elements[wire.MESSAGE_ID], state, now, cause)
        self._resource.answer(request, wire.ACCEPTED, now)

    def _on_response(self, request, elements, now):
        self._take_response(elements[wire.MESSAGE_ID], elements, now)
        self._resource.answer(request, wire.ACCEPTED, now)

    def _take_response(self, message_id, elements, now):
        # A message response tells failure or "stored for later"; acceptance is shown by its absence.
        text = elements.get(wire.DELIVERY_STATUS)
        if text and wire.status(text) in (wire.FAILED, wire.REJECTED):
            cause = elements.get(wire.FAILURE_CAUSE)
            state = Sent.EXPIRED if cause == wire.EXPIRED else Sent.FAILED
            self._become(message_id, state, now, cause)


def _nobody_listens(sent):
    pass


def _nobody_minds(registered, cause):
    pass


def wall_clock():
    # Seconds since 1970, None while the clock has not been set.
    seconds = int(time.time())
    if time.gmtime(0)[0] == 2000:
        seconds += _EPOCH_2000
    return seconds if seconds > _CLOCK_SET else None


def _randbits(bits):
    # From the board's entropy source, not from a generator that begins alike on every board.
    value = 0
    for octet in os.urandom((bits + 7) >> 3):
        value = value << 8 | octet
    return value >> (-bits & 7)


def _udp(endpoint):
    from .link.udp import UdpLink

    return UdpLink(endpoint)
