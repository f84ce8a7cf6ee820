# From a gateway's store to its clients: when each listens, in what each takes.
#
# The store has single messages: an aggregate is taken apart when it arrives, and what waits for a client travels as one
# again where that is small (8.4). What is larger than the segments that a client supports goes to it in segments (8.5).

from . import messages, wire
from .coap import block
from .coap import numbers as coap
from .coap.client import Client as CoapClient
from .coap.endpoint import Full as EndpointFull
from .delivery import AGAIN, DONE, KEPT, LATER, Delivery
from .gateway_sleep import Sleepers
from .resource import ACCEPTED, NOT_NOW, failure_cause, meaning, outgoing

# Octets of several messages that travel as one, in JSON; for a client that supports less than the least, each goes by
# itself.
_MOST_TOGETHER = 1024
_LEAST_TOGETHER = 256
_MOST_SETS = 256
# How many a client is told of at most that wait for it.
_MOST_WAITING = 32


class Downlink:
    # fail(item, cause, now): it was not delivered.
    def __init__(self, gateway, endpoint, store, clocks, most_body, fail):
        self._gateway = gateway
        self._registry = gateway.registry
        self._counters = gateway.counters
        self._counters["not_reachable"] = 0
        self._endpoint = endpoint
        # packet_size(address) -> octets of the longest packet on the link of a client; None where all are long enough.
        self.packet_size = None
        self._coap = CoapClient(endpoint, most_body=most_body)
        # For links with shorter packets, by the exponent of the block that fits into one.
        self._coap_in_blocks = {}
        self._store = store
        self._fail = fail
        wall_clock, held_clock = clocks
        self.delivery = Delivery(endpoint, store, self._send, held_clock, gather=self._together)
        self.sleepers = Sleepers(wall_clock, self.delivery.resume)
        # Loaded when they are used.
        self._gather = None
        self._segmentation = None

    def waiting(self, ue):
        # How many messages wait for it, up to a bound.
        return len(self._store.pending(ue, -1, _MOST_WAITING))

    def unwanted(self, ue, elements):
        # A message for one that sleeps and wants none stored meanwhile, unless it has been taken before.
        if not self.sleepers.refuses(self._registry.get(ue)):
            return False
        known = self._store.knows(
            ue,
            messages.originator(elements)[1],
            wire.MSG,
            messages.stored_id(elements),
            messages.segment(elements),
        )
        if not known:
            self._counters["not_reachable"] += 1
        return not known

    def forget(self, ue):
        # It has de-registered: what is stored for it stays stored.
        self.delivery.forget(ue)
        self.sleepers.forget(ue)

    def segments_told(self, ue, elements, now):
        # SEGREC or SEGCONFIR of a client: is it about what was sent in segments from here?
        if self._segmentation is None:
            return False
        set_id = elements[wire.SEGMENTATION_SET_ID]
        if elements[wire.MESSAGE_TYPE] == wire.SEGCONFIR:
            return self._segmentation.confirm(ue, set_id)
        return self._segmentation.recover(ue, set_id, elements[wire.MISSING_SEGMENT_NUMBERS], now)

    def post(self, entry, body, on_response, now):
        # Raises the endpoint's Full.
        options, body, context = outgoing(entry, body, self._endpoint)
        client = self._coap_for(entry.address) if self.packet_size is not None else self._coap
        client.request(entry.address, coap.POST, options, body, on_response, now, True, context)

    def _coap_for(self, address):
        exponent = block.szx_for(self.packet_size(address))
        if exponent == block.LARGEST_SZX:
            return self._coap
        if exponent not in self._coap_in_blocks:
            self._coap_in_blocks[exponent] = CoapClient(self._endpoint, exponent, self._coap.most_body)
        return self._coap_in_blocks[exponent]

    def tell_once(self, ue, body, now):
        # What the store has no room for: told if the client is there now. False when it is not.
        entry = self._registry.get(ue)
        if entry is None or entry.via or not self.sleepers.listens(entry):
            return False
        try:
            self.post(entry, body, _ignore, now)
        except EndpointFull:
            return False
        return True

    def segmentation(self):
        if self._segmentation is None:
            from .segmentation import Segmentation

            self._segmentation = Segmentation(
                self._endpoint,
                self._store,
                self._post_item,
                self.delivery.release,
                self._on_lost,
                most_sets=_MOST_SETS,
            )
        return self._segmentation

    def _together(self, items, now):
        # How many of the first ones travel as one.
        if len(items) == 1:
            return 1
        entry = self._registry.get(items[0].hop)
        if entry is None or entry.via or entry.alone or entry.said()[1] < _LEAST_TOGETHER:
            return 1
        if self._gather is None:
            from .aggregation import Gather

            self._gather = Gather(self._endpoint, _MOST_TOGETHER, linger=0)
        # What it could take in segments only is made smaller, not cut (8.5.1).
        self._gather.most_octets = min(entry.said()[1], _MOST_TOGETHER)
        return self._gather(items, now)

    def _send(self, hop, items, done, now):
        entry = self._registry.get(hop)
        if entry is None or not self.sleepers.listens(entry):
            # What is stored for it is looked for in the store when it is there.
            self.delivery.forget(hop)
            done(LATER, now)
        elif entry.via:
            self._to_application_client(entry, items, done, now)
        elif isinstance(items, list):
            self._send_together(entry, items, done, now)
        else:
            self._send_one(entry, items, done, now)

    def _send_one(self, entry, item, done, now):
        size = entry.said()[1]
        large = item.kind == wire.MSG and not item.segment and len(item.body) > size

        def on_response(response, now):
            if meaning(response) == ACCEPTED:
                self._delivered((item,), now)
                done(KEPT if large else DONE, now)
            elif self._comes_back(entry, response):
                done(LATER, now)
            else:
                self._refused(item, failure_cause(response), now)
                done(DONE, now)

        try:
            if large:
                self.segmentation().send(item, on_response, now, size)
            else:
                self.post(entry, item.body, on_response, now)
        except EndpointFull:
            done(LATER, now)

    def _send_together(self, entry, items, done, now):
        from .aggregation import join

        def on_response(response, now):
            if meaning(response) == ACCEPTED:
                self._delivered(items, now)
                done(DONE, now)
            elif self._comes_back(entry, response):
                done(LATER, now)
            else:
                # It need not know aggregates: each by itself.
                entry.alone = True
                done(AGAIN, now)

        body = messages.encode(join([messages.decode(item.body) for item in items]))
        try:
            self.post(entry, body, on_response, now)
        except EndpointFull:
            done(LATER, now)

    def _delivered(self, items, now):
        if self._gateway.on_traffic is not None:
            for item in items:
                self._gateway.on_traffic("delivered", item, item.hop, now)

    def _comes_back(self, entry, response):
        # No answer, no room, or somebody else at this address: the client will be back, or is already.
        if response.code is None:
            self.sleepers.silent(entry)
        return (
            meaning(response) == NOT_NOW
            or response.code == wire.NO_SUCH_RECIPIENT
            or self._registry.get(entry.ue_service_id) is not entry
        )

    def _refused(self, item, cause, now):
        self._counters["refused_by_client"] += 1
        self._gateway.event("refused by client", ue=item.hop, cause=cause)
        self._fail(item, wire.REJECTED_BY_RECIPIENT, now)

    def _post_item(self, item, body, on_response, now):
        entry = self._registry.get(item.hop)
        if entry is None:
            # It has gone between two segments.
            raise EndpointFull
        self.post(entry, body, on_response, now)

    def _on_lost(self, item, cause, now):
        # A segment that was sent again was refused.
        self._refused(item, cause, now)

    def _to_application_client(self, entry, item, done, now):
        if self._gateway.application_clients:
            self._gateway.application_clients.send(entry, item, done, now)
        else:
            # Of a time when there were settings for it.
            self.delivery.forget(entry.ue_service_id)
            done(LATER, now)


def _ignore(response, now):
    pass
