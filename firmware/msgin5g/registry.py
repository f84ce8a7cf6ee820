# Who is registered, and where (TS 23.554, 8.2.1 and 8.2.2): UE Service ID -> address, or the gateway it is behind.
#
# A UE Service ID belongs to whoever registered it. When somebody at another address claims it, the holder is
# asked for a sign of life: one that answers keeps it, one that is silent has moved or is gone.

from . import messages, ticks, wire
from .coap.endpoint import CANCELLED, TIMEOUT, Full
from .coap.numbers import JSON

# A REG request is kept; a longer one is nobody's.
LONGEST_REQUEST = 4096


class Registered:
    # It has refused an aggregated message: it gets each by itself.
    alone = False
    _said = None

    def __init__(self, ue_service_id, address, via=None, body=None, content_format=JSON):
        self.ue_service_id = ue_service_id
        self.address = address
        # UE Service ID of the gateway that registered it; the address is the gateway's then.
        self.via = via
        # The REG request in JSON: what the UE said about itself.
        self.body = body
        # In which it came: the UE gets its messages in the same.
        self.content_format = content_format

    def said(self):
        # (its Communication Availability or None, octets of payload in a segment for it), as in its REG request.
        if self._said is None:
            from . import availability

            try:
                elements = messages.decode(self.body) if self.body and not self.via else {}
            except messages.BadMessage:
                # Stored by a version that took what this one does not.
                elements = {}
            size = availability.segment_size(elements) or wire.SEGMENT_SIZE
            self._said = availability.of(elements), max(size, wire.LEAST_SEGMENT_SIZE)
        return self._said


class Registry:
    def __init__(self, endpoint, store, most):
        self._endpoint = endpoint
        self._store = store
        self._most = most
        self._entries = {}
        self._claims = []
        self.claims_refused = 0
        for entry in store.registered():
            self._entries[entry.ue_service_id] = entry
        endpoint.on_timer.append(self._on_timer)

    def __len__(self):
        return len(self._entries)

    def __iter__(self):
        return iter(list(self._entries.values()))

    def get(self, ue_service_id):
        return self._entries.get(ue_service_id)

    def full(self):
        return len(self._entries) >= self._most

    def save(self, entry):
        # Durable with the store's next commit. Raises the store's Full, and then nothing has changed.
        self._store.save_registered(entry)
        self._entries[entry.ue_service_id] = entry

    def remove(self, ue_service_id):
        if self._entries.pop(ue_service_id, None):
            self._store.remove_registered(ue_service_id)

    def claim(self, ue_service_id, address, decided, now):
        # decided(granted, now) is called at once, or when the holder has been asked.
        holder = self._entries.get(ue_service_id)
        if holder is None or holder.address == address:
            decided(True, now)
            return
        try:
            _Claim(self, holder.address, decided, now)
        except Full:
            self._decide(decided, False, now)

    def _decide(self, decided, granted, now):
        if not granted:
            self.claims_refused += 1
        decided(granted, now)

    def _on_timer(self, now):
        for claim in list(self._claims):
            claim.check(now)


class _Claim:
    def __init__(self, registry, holder_address, decided, now):
        self._registry = registry
        self._decided = decided
        endpoint = registry._endpoint
        # Time for the first transmission and one retransmission.
        self._deadline = ticks.add(now, endpoint.parameters.ack_timeout * 2)
        endpoint.arm(self._deadline)
        self._exchange = endpoint.ping(holder_address, self._on_end, now)
        registry._claims.append(self)

    def check(self, now):
        registry = self._registry
        if ticks.diff(self._deadline, now) > 0:
            registry._endpoint.arm(self._deadline)
        else:
            registry._endpoint.cancel(self._exchange, now)

    def _on_end(self, exchange, how, message, now):
        # RST is the pong (RFC 7252, 4.3); whatever else comes is a sign of life as well.
        self._registry._claims.remove(self)
        self._registry._decide(self._decided, how in (TIMEOUT, CANCELLED), now)
