# The MSGin5G Gateway UE: gateway service between many clients (MSGin5G-6) and one server (MSGin5G-1).
#
# It is registered at the server itself, registers the clients behind it, and relays messages, reports and message
# responses both ways. Everything that passes is in its store before it is acknowledged, and stays there until the
# next hop has accepted it, so neither an outage of the server nor of a client nor its own loses anything.
#
# No I/O and no clock: the process around it drives two endpoints, commits the store before either of them sends.

from . import messages, ticks, wire
from .coap import numbers as coap
from .coap.client import Client as CoapClient
from .coap.client import Response
from .coap.endpoint import TIMEOUT
from .coap.endpoint import Full as EndpointFull
from .coap.server import Server as CoapServer
from .delivery import AGAIN, DONE, LATER, Delivery
from .registration import Registration
from .registry import LONGEST_REQUEST, Registered, Registry
from .resource import (
    ACCEPTED,
    NOT_NOW,
    NOT_REGISTERED,
    MessageResource,
    failure_cause,
    meaning,
    request_options,
)
from .store import Full as StoreFull

# The hop of everything that goes to the server; no UE Service ID is empty.
_UP = ""

# Stands for a response when the request could not even be queued.
_NO_RESPONSE = Response(TIMEOUT)

# How often the store is asked for what has expired.
_EXPIRY_INTERVAL = 1000
_MOST_EXPIRED = 100


class Gateway:
    def __init__(
        self,
        ue_service_id,
        down,
        up,
        server_address,
        store,
        wall_clock,
        most_devices=10000,
        most_body=65536,
        most_transfers=64,
        up_window=32,
    ):
        # down, up: the endpoints towards the clients and the server; wall_clock() -> seconds since 1970 or None.
        self.ue_service_id = ue_service_id
        self.counters = {
            "messages_up": 0,
            "messages_down": 0,
            "duplicates": 0,
            "not_registered": 0,
            "unknown_recipient": 0,
            "not_from_server": 0,
            "store_full": 0,
            "registrations_refused": 0,
            "refused_by_server": 0,
            "refused_by_client": 0,
            "expired": 0,
        }
        # Called with (word, {detail}) for what an operator wants to read.
        self.on_event = _nobody_listens
        self._down = down
        self._up = up
        self._server_address = server_address
        self._store = store
        self._wall_clock = wall_clock
        self._down_coap = CoapClient(down, most_body=most_body)
        self._up_coap = CoapClient(up, most_body=most_body)
        self._clients = MessageResource(
            CoapServer(down, most_body, most_transfers),
            {
                wire.REG: self._on_reg,
                wire.DEREG: self._on_dereg,
                wire.MSG: self._on_client_message,
                wire.IMDN: self._on_client_message,
            },
        )
        self._server = MessageResource(
            CoapServer(up, most_body, most_transfers),
            {
                wire.MSG: self._on_server_message,
                wire.IMDN: self._on_server_message,
                wire.MSGRESP: self._on_server_message,
            },
        )
        self.registry = Registry(down, store, most_devices)
        self.registration = Registration(
            self._up_coap,
            server_address,
            messages.encode(messages.registration(ue_service_id)),
            messages.encode(messages.deregistration(ue_service_id)),
            self._on_registration,
        )
        self._uplink = Delivery(up, store, self._send_up, wall_clock, up_window, 2 * up_window)
        self._downlink = Delivery(down, store, self._send_down, wall_clock)
        # REG requests of clients that the server has not answered yet: UE Service ID -> the latest request.
        self._registering = {}
        self._expiry_due = None
        up.on_timer.append(self._on_timer)

    def start(self, now):
        self.registration.start(now)
        for entry in self.registry:
            self._downlink.resume(entry.ue_service_id, now)
        self._arm_expiry(now)

    def stop(self, on_done, now):
        self.registration.stop(on_done, now)

    def resources(self):
        # For their counters.
        return {"clients": self._clients, "server": self._server}

    # -- the gateway's own registration

    def _on_registration(self, registered, cause, now):
        self._event("registered" if registered else "not registered", cause=cause)
        if registered:
            self._uplink.resume(_UP, now)
        else:
            self._uplink.forget(_UP)

    # -- registration of clients

    def _on_reg(self, request, elements, now):
        ue_service_id = elements[wire.UE_SERVICE_ID]
        address = request.peer.address

        def decided(granted, now):
            if not granted:
                self._refuse_registration(request, elements, wire.REFUSED, wire.UE_SERVICE_ID_NOT_OWNED, now)
            elif self.registry.get(ue_service_id):
                self._register_again(request, elements, now)
            elif self.registry.full():
                self._refuse_registration(request, elements, wire.UNAVAILABLE, wire.STORE_FULL, now)
            else:
                self._register_at_server(request, elements, now)

        if ue_service_id == self.ue_service_id:
            self._refuse_registration(request, elements, wire.REFUSED, wire.UE_SERVICE_ID_NOT_OWNED, now)
        elif len(request.payload) > LONGEST_REQUEST:
            self._refuse_registration(request, elements, wire.TOO_LARGE, wire.MALFORMED, now)
        else:
            self.registry.claim(ue_service_id, address, decided, now)

    def _register_again(self, request, elements, now):
        # Known already, so it need not wait for the server, which may be out of reach: it is told in its turn.
        if self._queue_up(elements, elements[wire.UE_SERVICE_ID], request.payload, now):
            self._registered(request, elements, now)
        else:
            self._refuse_registration(request, elements, wire.UNAVAILABLE, wire.STORE_FULL, now)

    def _register_at_server(self, request, elements, now):
        ue_service_id = elements[wire.UE_SERVICE_ID]
        if not self.registration.registered:
            # A server that does not know this gateway yet would take the client for one of its own.
            self._refuse_registration(request, elements, wire.UNAVAILABLE, wire.RECIPIENT_NOT_REACHABLE, now)
            return
        under_way = self._registering.get(ue_service_id)
        if under_way:
            # One of the two has been given up by its sender, or is somebody else's.
            self._clients.refuse(
                under_way, wire.UNAVAILABLE, elements, wire.RECIPIENT_NOT_REACHABLE, now, max_age=5
            )
        self._registering[ue_service_id] = request

        def on_response(response, now):
            latest = self._registering.pop(ue_service_id)
            outcome = meaning(response)
            if outcome == ACCEPTED:
                self._registered(latest, elements, now)
            elif outcome == NOT_NOW:
                self._refuse_registration(
                    latest, elements, wire.UNAVAILABLE, wire.RECIPIENT_NOT_REACHABLE, now
                )
            else:
                self._refuse_registration(latest, elements, response.code, failure_cause(response), now)

        if not under_way:
            self._post_up(request.payload, on_response, now)

    def _registered(self, request, elements, now):
        ue_service_id = elements[wire.UE_SERVICE_ID]
        before = self.registry.get(ue_service_id)
        if before and before.address != request.peer.address:
            # What is under way to where it was need not be waited for.
            self._downlink.forget(ue_service_id)
        self.registry.save(Registered(ue_service_id, request.peer.address, None, request.payload))
        self._clients.answer(
            request, wire.REGISTERED, now, messages.registration_result(wire.REG, ue_service_id)
        )
        self._event("client registered", ue=ue_service_id, address=request.peer.address)
        self._downlink.resume(ue_service_id, now)

    def _refuse_registration(self, request, elements, code, cause, now):
        self.counters["registrations_refused"] += 1
        self._event("client refused", ue=elements[wire.UE_SERVICE_ID], cause=cause)
        max_age = 5 if code == wire.UNAVAILABLE else None
        self._clients.refuse(request, code, elements, cause, now, max_age)

    def _on_dereg(self, request, elements, now):
        ue_service_id = elements[wire.UE_SERVICE_ID]
        if not self._owns(request, elements, ue_service_id, now):
            return
        # In the lane of its messages: the server learns of it when it has them.
        if not self._queue_up(elements, ue_service_id, request.payload, now):
            self._full(request, elements, now)
            return
        self.registry.remove(ue_service_id)
        self._downlink.forget(ue_service_id)
        self._clients.answer(
            request, wire.DEREGISTERED, now, messages.registration_result(wire.DEREG, ue_service_id)
        )
        self._event("client de-registered", ue=ue_service_id)

    def _owns(self, request, elements, ue_service_id, now):
        # Does the request come from where this UE is registered? Answers it when not.
        entry = self.registry.get(ue_service_id)
        if entry is not None and entry.address == request.peer.address:
            if self._downlink.waiting(ue_service_id):
                self._downlink.resume(ue_service_id, now)
            return True
        self.counters["not_registered"] += 1
        cause = wire.UE_SERVICE_ID_NOT_OWNED if entry else wire.NOT_REGISTERED
        self._clients.refuse(request, wire.REFUSED, elements, cause, now)
        return False

    # -- from clients to the server

    def _on_client_message(self, request, elements, now):
        kind, ue_service_id = messages.originator(elements)
        if kind != wire.UE:
            # An Application Server does not speak through a gateway.
            self.counters["not_registered"] += 1
            self._clients.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)
            return
        if not self._owns(request, elements, ue_service_id, now):
            return
        if self._queue_up(elements, ue_service_id, request.payload, now):
            self.counters["messages_up"] += 1
            self._clients.answer(request, wire.ACCEPTED, now)
        else:
            self._full(request, elements, now)

    def _full(self, request, elements, now):
        self.counters["store_full"] += 1
        self._clients.refuse(request, wire.UNAVAILABLE, elements, wire.STORE_FULL, now, max_age=5)

    def _queue_up(self, elements, originator, body, now):
        # False when the store has no room.
        kind = elements[wire.MESSAGE_TYPE]
        message_id = elements.get(wire.MESSAGE_ID)
        if message_id is None:
            # REG and DEREG have none; each is one of its own.
            message_id = messages.new_message_id([self._up.random(256) for _ in range(16)])
        return self._put(_UP, originator, kind, message_id, elements, body, self._uplink, now)

    def _put(self, hop, originator, kind, message_id, elements, body, delivery, now):
        try:
            item = self._store.put(
                hop,
                originator,
                kind,
                message_id,
                messages.segment(elements),
                body,
                self._expires(elements),
                bool(elements.get(wire.DELIVERY_STATUS_REQUIRED)),
            )
        except StoreFull:
            return False
        if item is None:
            self.counters["duplicates"] += 1
        elif delivery is not self._uplink or self.registration.registered:
            delivery.add(item, now)
        return True

    def _expires(self, elements):
        if elements[wire.MESSAGE_TYPE] in (wire.REG, wire.DEREG):
            return None
        wall = self._wall_clock()
        if wall is None:
            return None
        stated = messages.expiration(elements)
        if stated is not None:
            return min(stated, int(wall) + wire.LONGEST_EXPIRATION)
        # Not to be stored for later is still to be given a chance.
        held = elements.get(wire.STORE_AND_FORWARD_FLAG, True)
        return int(wall) + (wire.DEFAULT_EXPIRATION if held else wire.REPORT_WAIT)

    def _post_up(self, body, on_response, now):
        try:
            self._up_coap.request(self._server_address, coap.POST, request_options(), body, on_response, now)
        except EndpointFull:
            on_response(_NO_RESPONSE, now)

    def _send_up(self, hop, item, done, now):
        def on_response(response, now):
            outcome = meaning(response)
            if outcome == ACCEPTED:
                done(DONE, now)
                if response.payload and item.kind == wire.MSG:
                    self._tell_client(item, response.payload, now)
                elif item.kind == wire.DEREG and self.registry.get(item.originator):
                    # It has registered again before the server heard that it had gone.
                    self._register_again_at_server(item.originator, _ignore, now)
            elif outcome == NOT_REGISTERED and item.kind in (wire.MSG, wire.IMDN):
                self._not_registered(item, done, now)
            elif outcome == NOT_NOW:
                done(LATER, now)
                if response.code is None and response is not _NO_RESPONSE:
                    self.registration.renew(now)
            else:
                self._refused_by_server(item, failure_cause(response), done, now)

        self._post_up(item.body, on_response, now)

    def _not_registered(self, item, done, now):
        # The server has forgotten the client, or this gateway, or both. The item waits for it, nothing else does.
        if item.again:
            # That has been tried for this item.
            item.again = False
            done(LATER, now)
            return
        self.registration.confirm(now)

        def on_response(response, now):
            outcome = meaning(response)
            if outcome == ACCEPTED:
                item.again = True
                done(AGAIN, now)
            elif outcome == NOT_NOW or not self.registration.registered:
                done(LATER, now)
            else:
                self._refused_by_server(item, failure_cause(response), done, now)

        self._register_again_at_server(item.originator, on_response, now)

    def _register_again_at_server(self, ue_service_id, on_response, now):
        entry = self.registry.get(ue_service_id)
        body = entry.body if entry else messages.encode(messages.registration(ue_service_id))
        self._post_up(body, on_response, now)

    def _refused_by_server(self, item, cause, done, now):
        self.counters["refused_by_server"] += 1
        self._event("refused by server", ue=item.originator, kind=item.kind, cause=cause)
        done(DONE, now)
        if item.kind == wire.REG:
            # It was registered once and is not wanted any more: its next message is answered with 4.03.
            self.registry.remove(item.originator)
            self._downlink.forget(item.originator)
        elif item.kind == wire.MSG:
            told_client = messages.response(
                (wire.UE, item.originator), item.message_id, wire.DELIVERY_FAILED, cause
            )
            self._tell_client(item, messages.encode(told_client), now)

    def _tell_client(self, item, body, now):
        # A message response that comes after the acknowledgement (TS 23.554, table 8.3.2-3).
        elements = {wire.MESSAGE_TYPE: wire.MSGRESP}
        self._put(item.originator, "", wire.MSGRESP, item.message_id, elements, body, self._downlink, now)

    # -- from the server to clients

    def _on_server_message(self, request, elements, now):
        if request.peer.address != self._server_address:
            self.counters["not_from_server"] += 1
            self._server.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)
            return
        kind = elements[wire.MESSAGE_TYPE]
        of = messages.originator if kind == wire.MSGRESP else messages.recipient
        kind_of_recipient, ue_service_id = of(elements)
        if kind_of_recipient != wire.UE or self.registry.get(ue_service_id) is None:
            self.counters["unknown_recipient"] += 1
            self._server.refuse(request, wire.NO_SUCH_RECIPIENT, elements, wire.UNKNOWN_RECIPIENT, now)
            return
        originator = "" if kind == wire.MSGRESP else messages.originator(elements)[1]
        message_id = elements[wire.MESSAGE_ID]
        body = request.payload
        if self._put(ue_service_id, originator, kind, message_id, elements, body, self._downlink, now):
            self.counters["messages_down"] += 1
            self._server.answer(request, wire.ACCEPTED, now)
        else:
            self.counters["store_full"] += 1
            self._server.refuse(request, wire.UNAVAILABLE, elements, wire.STORE_FULL, now, max_age=5)

    def _send_down(self, hop, item, done, now):
        entry = self.registry.get(hop)
        if entry is None:
            self._downlink.forget(hop)
            done(LATER, now)
            return

        def on_response(response, now):
            outcome = meaning(response)
            if outcome == ACCEPTED:
                done(DONE, now)
            elif (
                outcome == NOT_NOW
                or response.code == wire.NO_SUCH_RECIPIENT
                or self.registry.get(hop) is not entry
            ):
                # No answer, no room, or somebody else at this address: the client will be back, or is already.
                done(LATER, now)
            else:
                self.counters["refused_by_client"] += 1
                self._event("refused by client", ue=hop, cause=failure_cause(response))
                done(DONE, now)
                self._report_failure(item, wire.REJECTED_BY_RECIPIENT, now)

        try:
            self._down_coap.request(entry.address, coap.POST, request_options(), item.body, on_response, now)
        except EndpointFull:
            done(LATER, now)

    def _report_failure(self, item, cause, now):
        # To the originator of a message that was not delivered, if it wants to know.
        if item.kind != wire.MSG or not item.report:
            return
        try:
            report = messages.report_on(messages.decode(item.body), cause)
        except messages.BadMessage:
            # Stored by a version that took what this one does not.
            return
        self._queue_up(report, item.hop, messages.encode(report), now)

    # -- time

    def _arm_expiry(self, now):
        self._expiry_due = ticks.add(now, _EXPIRY_INTERVAL)
        self._up.arm(self._expiry_due)

    def _on_timer(self, now):
        if self._expiry_due is None:
            return
        if ticks.diff(self._expiry_due, now) > 0:
            self._up.arm(self._expiry_due)
            return
        self._arm_expiry(now)
        wall = self._wall_clock()
        if wall is None:
            return
        for item in self._store.expired(wall, _MOST_EXPIRED):
            if self._uplink.under_way(item) or self._downlink.under_way(item):
                continue
            self.counters["expired"] += 1
            self._store.remove(item)
            if item.hop != _UP:
                self._report_failure(item, wire.EXPIRED, now)
            elif item.kind == wire.MSG:
                failed = messages.response(
                    (wire.UE, item.originator), item.message_id, wire.DELIVERY_FAILED, wire.EXPIRED
                )
                self._tell_client(item, messages.encode(failed), now)

    def _event(self, word, **detail):
        self.on_event(word, detail)


def _nobody_listens(word, detail):
    pass


def _ignore(response, now):
    pass
