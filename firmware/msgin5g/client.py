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

from . import delivery, messages, wire
from .application import RegistrationRefused
from .coap import numbers as coap
from .coap.client import Client as CoapClient
from .coap.endpoint import Endpoint, Parameters
from .coap.server import Server as CoapServer
from .inbox import Inbox
from .outbox import Outbox
from .registration import Registration
from .resource import MessageResource, request_options
from .store import Full
from .store.memory import MemoryStore

# Seconds from 1970 to 2000, where some ports begin to count.
_EPOCH_2000 = 946684800
# A clock that shows less has not been set.
_CLOCK_SET = 1704067200
# Octets of a packet that CoAP and OSCORE take.
_AROUND_A_MESSAGE = 64


# For security=: CoAP without any protection, for a lab.
NOT_PROTECTED = False


class Client:
    def __init__(
        self,
        ue_service_id,
        gateway=None,
        port=wire.PORT,
        security=None,
        link=None,
        parameters=None,
        store=None,
        profile=None,
        urgent=None,
        patience=None,
        segment_size=wire.SEGMENT_SIZE,
        content_format=coap.JSON,
        linger=None,
        most_sent=16,
    ):
        # gateway: its name or address; None to find one, and another one when it falls silent. security: see
        # provisioning.py. link(endpoint) -> a link; UDP when not given. profile: see profile.py. urgent,
        # patience: for a gateway that registers several UEs at once, may this one wait, and how many seconds (table
        # 8.2.7-1). segment_size: octets of payload above which a message goes in segments. content_format:
        # coap.numbers.JSON or CBOR. linger: small messages wait so many milliseconds for others that travel with
        # them; None: each alone.
        if security is None:
            raise _mistakes().security()
        self.ue_service_id = ue_service_id
        self.counters = {
            "duplicates": 0,
            "inbox_full": 0,
            "unreadable": 0,
            "dropped": 0,
            "unknown_reports": 0,
            "not_for_us": 0,
        }
        # on_state(sent) for every change of a message's state; on_registration(registered, cause).
        self.on_state = _nobody_listens
        self.on_registration = _nobody_listens
        # What the procedures need of each other.
        self.segment_size = segment_size
        self.content_format = content_format
        # What is protected cannot be answered by others, and few requests are under way: a short token will do.
        parameters = parameters or Parameters(token_length=1 if security else 4)
        self.endpoint = Endpoint(parameters, _randbits, security=security)
        self.link = (link or _udp)(self.endpoint)
        self.coap = CoapClient(self.endpoint, self.link.szx)
        self.store = store if store is not None else MemoryStore()
        self.link.before_send = self._commit
        self.link.on_renewed = self._on_renewed
        self.outbox = Outbox(self, self.store, wall_clock, linger, most_sent)
        self.inbox = Inbox(self, self.store, self.outbox)
        self.resource = MessageResource(
            CoapServer(self.endpoint, szx=self.link.szx),
            {
                wire.MSG: self._on_message,
                wire.IMDN: self._on_report,
                wire.MSGRESP: self._on_response,
                wire.REG: self._on_registration_result,
                wire.SEGREC: self._on_segments,
                wire.SEGCONFIR: self._on_segments,
            },
            implied=self.inbox.implied,
        )
        address = None
        if gateway is not None:
            address = self.link.resolve(gateway, port)
            self.link.connect(address)
        self.registration = Registration(
            self.coap,
            address,
            self.outbox.encode(_registration(ue_service_id, profile, urgent, patience)),
            self.outbox.encode(messages.deregistration(ue_service_id)),
            self._on_registration,
            wall_clock=wall_clock,
            content_format=content_format,
        )
        # Set whenever something has happened that somebody may wait for, who then looks whether it was that.
        self.changed = asyncio.Event()
        self._refusal = None
        # None after close().
        self._running = False
        # Loaded when they are used.
        self._topics = None
        self._finder = None
        if gateway is None:
            from .selection import Finder

            self._finder = Finder(self, port)

    # -- for the application

    @property
    def registered(self):
        return self.registration.registered

    @property
    def topics(self):
        if self._topics is None:
            from .topics import Topics

            self._topics = Topics(self)
        return self._topics

    async def register(self):
        # Returns when registered, however long the gateway takes to be reached; from then on the registration is
        # kept. Raises RegistrationRefused when the gateway or the server says no.
        self._start_link()
        self._refusal = None
        if self.registration.address is None:
            await self._finder.find()
        now = self.link.now()
        self.inbox.start(now)
        self.outbox.watch_expiry(now)
        self.registration.start(now)
        self.link.flush()
        await self.until_registered()

    async def until_registered(self):
        while not self.registered:
            await self.change()
            if self._refusal:
                raise RegistrationRefused(self._refusal)

    async def change(self):
        self.changed.clear()
        await self.changed.wait()

    async def deregister(self):
        # Whatever is still stored is sent after the next register().
        if not self._running:
            return
        answered = asyncio.Event()
        self.outbox.pause()
        self.registration.stop(lambda now: answered.set(), self.link.now())
        self.link.flush()
        await answered.wait()

    async def send(
        self,
        payload=None,
        ue=None,
        application_server=None,
        group=None,
        topic=None,
        area=None,
        application=None,
        report=True,
        store_and_forward=True,
        expires_in=None,
        priority=None,
        latency=None,
        file=None,
    ):
        # Returns when the message is stored; raises store.Full when it can't be. expires_in: seconds; latency:
        # milliseconds; priority: wire.HIGH, MIDDLE or LOW. file: instead of a payload, the name of a file with it,
        # which stays as it is until the message has had its end.
        if self._running is None:
            self.must_run()
        to = _recipient(ue, application_server, group, topic, area)
        message_id = self.new_message_id()
        elements = messages.message((wire.UE, self.ue_service_id), to, message_id, store_and_forward, report)
        if application is not None:
            elements[wire.APPLICATION_ID] = application
        if priority is not None:
            elements[wire.PRIORITY_TYPE] = priority
        if latency is not None:
            elements[wire.LATENCY] = latency
        length = 0
        if file is not None:
            if payload is not None:
                raise _mistakes().both()
            try:
                length = os.stat(file)[6]
            except OSError as error:
                raise _mistakes().file(file, error)
        elif payload is not None:
            messages.set_payload(elements, payload)
        expires = None
        if expires_in is not None:
            wall = wall_clock()
            if wall is None:
                raise _mistakes().clock()
            expires = int(wall + expires_in)
            messages.set_expiration(elements, expires)
        sent = self.outbox.put(elements, expires, _rank(priority), self.link.now(), file, length)
        if self._running:
            self.link.flush()
        return sent

    async def receive(self):
        # The next message. Its delivery status report goes out now, if its sender wants one.
        while True:
            message = self.inbox.take(self.link.now())
            if message:
                if self._running:
                    self.link.flush()
                return message
            await self.change()

    async def settled(self):
        # Returns when everything stored, reports included, has been accepted or refused.
        while not self.outbox.empty():
            await self.change()

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
        if self._finder:
            self._finder.cancel()
        if self._running is not None:
            self._running = None
            self.link.close()

    # -- for the procedures

    def must_run(self):
        # Where an answer is waited for: nobody would ever hear one.
        if not self._running:
            raise _mistakes().order(self._running is None)

    def new_message_id(self):
        # For what is put into the store next.
        if self.content_format == coap.CBOR:
            from . import message_id

            short = message_id.short(self.store.birth, self.store.next_key)
            if short:
                return message_id.text(short, self.ue_service_id)
        return messages.new_message_id(os.urandom(16))

    def post(self, body, on_response, now):
        # A message to the next hop. Raises the endpoint's Full.
        options = request_options(content_format=self.content_format)
        self.coap.request(self.registration.address, coap.POST, options, body, on_response, now)

    def most_body(self):
        # Octets of a message that fits one packet of the link.
        return self.link.most_octets - _AROUND_A_MESSAGE

    def _commit(self):
        # What must be durable before others hear of it is. The rest can wait: the store counts and tells what fails.
        try:
            self.store.commit()
        except Full:
            pass

    def _on_renewed(self):
        # The gateway sends to where it has heard this UE last.
        self.registration.confirm(self.link.now())
        self.link.flush()

    # -- registration

    def _start_link(self):
        if self._running is None:
            self.must_run()
        if not self._running:
            self._running = True
            self.link.start()

    def _on_registration(self, registered, cause, now):
        if self._finder:
            self._finder.on_registration(registered)
        if registered:
            self.outbox.resume(now)
            if self._topics:
                self._topics.renew(now)
        else:
            self.outbox.pause()
            self._refusal = cause
        self.changed.set()
        self.on_registration(registered, cause)

    def _on_registration_result(self, request, elements, now):
        # The result of a registration that the gateway has done together with others (8.2.7).
        if wire.REGISTRATION_RESULT not in elements:
            missing = messages.missing(wire.REGISTRATION_RESULT)
            self.resource.refuse(request, wire.INVALID, elements, missing.cause, now)
            return
        if elements.get(wire.UE_SERVICE_ID) == self.ue_service_id:
            self.registration.take_result(elements, now)
        self.resource.answer(request, wire.ACCEPTED, now)

    # -- what has become of messages

    def _on_segments(self, request, elements, now):
        if self.outbox.on_segments(elements, now):
            self.resource.answer(request, wire.ACCEPTED, now)
        else:
            self.resource.refuse(request, wire.INVALID, elements, wire.UNKNOWN_MESSAGE, now)

    def _for_another(self, request, elements, to, now):
        # Is it for another UE than this? Then it has been told so.
        kind, identity = to
        if kind == wire.AS or (kind == wire.UE and identity != self.ue_service_id):
            self.counters["not_for_us"] += 1
            self.resource.refuse(request, wire.NO_SUCH_RECIPIENT, elements, wire.UNKNOWN_RECIPIENT, now)
            return True
        return False

    def _on_message(self, request, elements, now):
        if not self._for_another(request, elements, messages.recipient(elements), now):
            self.inbox.on_message(request, elements, now)

    def _on_report(self, request, elements, now):
        if self._for_another(request, elements, messages.recipient(elements), now):
            return
        if wire.INDIVIDUAL_REPORTS in elements:
            from .aggregation import split

            for report in split(elements):
                self.outbox.take_report(report, now)
        else:
            self.outbox.take_report(elements, now)
        self.resource.answer(request, wire.ACCEPTED, now)

    def _on_response(self, request, elements, now):
        if self._for_another(request, elements, messages.originator(elements), now):
            return
        self.outbox.take_response(elements[wire.MESSAGE_ID], elements, now)
        self.resource.answer(request, wire.ACCEPTED, now)


def _mistakes():
    from . import mistakes

    return mistakes


def _recipient(ue, application_server, group, topic, area):
    named = (
        (wire.UE, ue),
        (wire.AS, application_server),
        (wire.GROUP, group),
        (wire.TOPIC, topic),
        (wire.BROADCAST, area),
    )
    given = [one for one in named if one[1] is not None]
    if len(given) != 1 or not given[0][1] or not isinstance(given[0][1], str):
        raise _mistakes().recipient(given)
    return given[0]


def _registration(ue_service_id, profile, urgent, patience):
    elements = messages.registration(ue_service_id, profile)
    if urgent is not None:
        elements[wire.REGISTRATION_URGENT_DEGREE] = urgent
    if patience is not None:
        elements[wire.REGISTRATION_EXPIRATION_TIME] = patience
    return elements


def _rank(priority):
    if priority is None or priority == wire.MIDDLE:
        return delivery.MIDDLE
    if priority not in (wire.HIGH, wire.LOW):
        raise _mistakes().priority(priority)
    return delivery.HIGH if priority == wire.HIGH else delivery.LOW


def _nobody_listens(*told):
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
