# Relaying between the clients of a gateway and its server: what came from one side is stored, sent to the other, and
# its sender is told what has become of it.

from . import messages, ticks, wire
from .coap import numbers as coap
from .coap.client import Response
from .coap.endpoint import TIMEOUT
from .coap.endpoint import Full as EndpointFull
from .coap.exchange import ends_quarter, quarter_bit
from .delivery import AGAIN, DONE, LATER, LOW
from .gateway_downlink import Downlink
from .gateway_fair import FairDelivery
from .resource import ACCEPTED, NOT_NOW, NOT_REGISTERED, failure_cause, meaning, request_options, told
from .store import Full as StoreFull

# The hop of everything that goes to the server; no UE Service ID is empty.
UP = ""

# Stands for a response when the request could not even be queued.
_NO_RESPONSE = Response(TIMEOUT)

# How often the store is asked for what has expired.
_EXPIRY_INTERVAL = 1000
_MOST_EXPIRED = 100


class Relay:
    # registry: of the clients. registration: the gateway's own. event(word, **detail): for an operator.
    # linger: how long what is small waits for company on its way up, in ms; None: it always travels alone. drops: for
    # what goes up, others make room where there is none. clocks: the time of day, and what is held goes by.
    def __init__(
        self, gateway, down, up_coap, server_address, store, clocks, most_body, up_window, linger, drops
    ):
        self._gateway = gateway
        self._registry = gateway.registry
        self._registration = gateway.registration
        self._counters = gateway.counters
        self._event = gateway.event
        self._up = up_coap.endpoint
        self._up_coap = up_coap
        self._options = request_options()
        # Where the server is: the first that has Message IDs is in front.
        self.server_addresses = [server_address]
        self._store = store
        wall_clock, held_clock = clocks
        self._wall_clock = wall_clock
        self._held_clock = held_clock
        self._together = None
        if linger is not None:
            from .gateway_aggregate import Together

            self._together = Together(self, self._up, gateway.counters, linger)
        self._room = None
        if drops:
            from .gateway_room import Room

            self._room = Room(self, store, gateway.counters)
        self.uplink = FairDelivery(
            self._up, store, self._send_up, held_clock, up_window, 2 * up_window, self._together
        )
        if linger:
            self._together.pump = self.uplink.pump
        self.clients = Downlink(gateway, down, store, clocks, most_body, self.report_failure)
        self.downlink = self.clients.delivery
        self._expiry_due = None
        self._up.on_timer.append(self._on_timer)

    def start(self, now):
        for entry in self._registry:
            if self._store.used(entry.ue_service_id):
                self.downlink.resume(entry.ue_service_id, now)
        self._arm_expiry(now)

    def queue_down(self, ue_service_id, elements, body, now):
        # False when the store has no room.
        kind = elements[wire.MESSAGE_TYPE]
        originator = "" if kind == wire.MSGRESP else messages.originator(elements)[1]
        message_id = messages.stored_id(elements) or self._new_id()
        return self._put(ue_service_id, originator, kind, message_id, elements, body, self.downlink, now)

    def queue_up(self, elements, originator, body, now):
        # False when the store has no room.
        kind = elements[wire.MESSAGE_TYPE]
        message_id = messages.stored_id(elements) or self._new_id()
        return self._put(UP, originator, kind, message_id, elements, body, self.uplink, now)

    def _new_id(self):
        # REG and DEREG have none, and SEGREC and SEGCONFIR need none: each is one of its own.
        return messages.new_message_id([self._up.random(256) for _ in range(16)])

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
                # Who leaves does so after all that it has sent.
                LOW if kind == wire.DEREG else messages.priority(elements),
            )
        except StoreFull as full:
            dropped = ()
            if hop == UP and self._room is not None:
                dropped = self._room.make(full, messages.priority(elements), len(body), now)
            if not dropped:
                return False
            stored = self._put(hop, originator, kind, message_id, elements, body, delivery, now)
            self._room.tell(dropped, now)
            return stored
        if item is None:
            self._counters["duplicates"] += 1
            return True
        if self._gateway.on_traffic is not None:
            self._gateway.on_traffic("stored", item, hop or originator, now)
        if delivery is not self.uplink:
            delivery.add(item, now)
        elif self._registration.registered:
            item.elements = elements
            delivery.add(item, now)
        return True

    def shares(self):
        # The store, which knows how much each UE has of it.
        return self._store

    def replace(self, item, elements, now):
        # What waits for the server, and is not under way, becomes another; it is the newest then.
        body, expires = messages.encode(elements), self._expires(elements)
        # Raises the store's Full, and then nothing has changed.
        old = item
        if hasattr(self._store, "replace"):
            item = self._store.replace(item, body, expires)
        else:
            self._store.withdraw(item)
            item = self._store.put(
                item.hop,
                item.originator,
                item.kind,
                item.message_id,
                item.segment,
                body,
                expires,
                item.report,
                item.priority,
            )
        self.uplink.discard(old)
        if self._registration.registered:
            self.uplink.add(item, now)

    def _expires(self, elements):
        if elements[wire.MESSAGE_TYPE] in (wire.REG, wire.DEREG):
            return None
        at = self._held_clock()
        if at is None:
            return None
        stated = messages.expiration(elements)
        if stated is not None:
            # A time of day: how long it is until then. Where nobody knows that, as long as anything is held.
            wall = self._wall_clock()
            left = wire.LONGEST_EXPIRATION if wall is None else stated - int(wall)
            return int(at) + min(left, wire.LONGEST_EXPIRATION)
        if elements.get(wire.STORE_AND_FORWARD_FLAG, True):
            return int(at) + wire.DEFAULT_EXPIRATION
        # Not to be stored for later is still to be given a chance.
        latency = elements.get(wire.LATENCY)
        if latency is None:
            return int(at) + wire.REPORT_WAIT
        return int(at) + 1 + min(max(latency, 0) // 1000, wire.LONGEST_EXPIRATION)

    # -- to the server

    def post_up(self, body, on_response, now):
        try:
            self._up_coap.request(self._address(now), coap.POST, self._options, body, on_response, now)
        except EndpointFull:
            on_response(_NO_RESPONSE, now)

    def _address(self, now):
        addresses = self.server_addresses
        for _ in range(len(addresses) - 1):
            peer = self._up.peer(addresses[0], now)
            if peer is not None and not _without_mid(peer):
                break
            addresses.append(addresses.pop(0))
        return addresses[0]

    def _send_up(self, hop, item, done, now):
        if isinstance(item, list):
            self._together.send(item, done, now)
            return

        def on_response(response, now):
            outcome = meaning(response)
            if outcome == ACCEPTED:
                self.delivered(item, now)
                done(DONE, now)
                if response.payload and item.kind == wire.MSG:
                    said = told(response)
                    self.tell_client(item, said.get(wire.DELIVERY_STATUS), said.get(wire.FAILURE_CAUSE), now)
                elif item.kind == wire.DEREG and self._registry.get(item.originator):
                    # It has registered again before the server heard that it had gone.
                    self._register_again_at_server(item.originator, _ignore, now)
            elif outcome == NOT_REGISTERED and item.kind not in (wire.REG, wire.DEREG):
                self._not_registered(item, done, now)
            elif outcome == NOT_NOW:
                done(LATER, now)
                self.no_answer(response, now)
            else:
                self._refused_by_server(item, failure_cause(response), done, now)

        self.post_up(item.body, on_response, now)

    def delivered(self, item, now):
        if self._gateway.on_traffic is not None:
            self._gateway.on_traffic("delivered", item, item.originator, now)

    def no_answer(self, response, now):
        # Or one that says to come later. A server that is silent may be gone.
        if response.code is None and response is not _NO_RESPONSE:
            self._registration.renew(now)

    def _not_registered(self, item, done, now):
        # The server has forgotten the client, or this gateway, or both. The item waits for it, nothing else does.
        if item.again:
            # That has been tried for this item.
            item.again = False
            done(LATER, now)
            return
        self._registration.confirm(now)

        def on_response(response, now):
            outcome = meaning(response)
            if outcome == ACCEPTED:
                item.again = True
                done(AGAIN, now)
            elif outcome == NOT_NOW or not self._registration.registered:
                done(LATER, now)
            else:
                self._refused_by_server(item, failure_cause(response), done, now)

        self._register_again_at_server(item.originator, on_response, now)

    def _register_again_at_server(self, ue_service_id, on_response, now):
        entry = self._registry.get(ue_service_id)
        body = entry.body if entry else messages.encode(messages.registration(ue_service_id))
        self.post_up(body, on_response, now)

    def _refused_by_server(self, item, cause, done, now):
        self._counters["refused_by_server"] += 1
        self._event("refused by server", ue=item.originator, kind=item.kind, cause=cause)
        done(DONE, now)
        if item.kind == wire.REG:
            # It was registered once and is not wanted any more: its next message is answered with 4.03.
            self._registry.remove(item.originator)
            self.clients.forget(item.originator)
        elif item.kind == wire.MSG:
            self.tell_client(item, wire.DELIVERY_FAILED, cause, now)

    def tell_client(self, item, status, cause, now):
        # A message response that comes after the acknowledgement (TS 23.554, table 8.3.2-3). False: it can't be told.
        elements = messages.response((wire.UE, item.originator), item.message_id, status, cause)
        hop = item.originator
        if hop == self._gateway.ue_service_id:
            hop = self._gateway.own_hop(elements)
            if hop is None:
                return False
        body = messages.encode(elements)
        return self.queue_down(hop, elements, body, now) or self.clients.tell_once(hop, body, now)

    # -- what becomes of what was for clients

    def report_failure(self, item, cause, now):
        # To the originator of a message that was not delivered, if it wants to know.
        if item.kind != wire.MSG or not item.report:
            return
        try:
            report = messages.report_on(messages.decode(item.body), cause)
        except messages.BadMessage:
            # Stored by a version that took what this one does not.
            return
        self.queue_up(report, messages.originator(report)[1], messages.encode(report), now)

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
        self.clients.sleepers.pass_time(now)
        at = self._held_clock()
        if at is None:
            return
        for item in self._store.expired(at, _MOST_EXPIRED):
            if self.uplink.under_way(item) or self.downlink.under_way(item):
                continue
            self._counters["expired"] += 1
            if self._gateway.on_traffic is not None:
                self._gateway.on_traffic("expired", item, item.hop or item.originator, now)
            self._store.remove(item)
            if item.hop != UP:
                self.report_failure(item, wire.EXPIRED, now)
            elif item.kind == wire.MSG:
                self.tell_client(item, wire.DELIVERY_FAILED, wire.EXPIRED, now)


def _without_mid(peer):
    # The next Message ID begins a quarter that rests.
    mid = peer.next_mid
    return ends_quarter(mid - 1 & 0xFFFF) and peer.resting & quarter_bit(mid)


def _ignore(response, now):
    pass
