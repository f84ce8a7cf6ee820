# Updating or discarding a message that is stored for later delivery (TS 23.554, 8.3.6.1): here as long as it waits for
# the server, at the server afterwards.

from . import messages, wire
from .relay import UP
from .resource import ACCEPTED, NOT_NOW, in_json, meaning, told
from .store import Full

_AT_ONCE = 100


class Stored:
    def __init__(self, gateway, relay, store):
        self._gateway = gateway
        self._relay = relay
        self._store = store
        gateway.counters["updated"] = 0
        gateway.counters["discarded"] = 0

    def on_request(self, request, elements, now):
        # An SFUPD of a UE that is who it says.
        ue = messages.originator(elements)[1]
        item = self._waiting(ue, elements[wire.MESSAGE_ID])
        if item is None or self._relay.uplink.under_way(item):
            self._ask_server(request, elements, now)
            return
        if wire.STORE_AND_FORWARD_PARAMETERS not in elements:
            self._relay.uplink.discard(item)
            self._store.remove(item)
            self._gateway.counters["discarded"] += 1
        elif messages.expiration(elements) is None:
            cause = wire.MANDATORY_IE_MISSING + wire.name(wire.MESSAGE_EXPIRATION_TIME)
            self._gateway.clients.refuse(request, wire.INVALID, elements, cause, now)
            return
        else:
            try:
                self._update(item, messages.expiration(elements), now)
            except Full:
                self._gateway.counters["store_full"] += 1
                cause = wire.STORE_FULL
                self._gateway.clients.refuse(request, wire.UNAVAILABLE, elements, cause, now, max_age=5)
                return
            self._gateway.counters["updated"] += 1
        self._gateway.clients.answer(request, wire.ACCEPTED, now)

    def _waiting(self, ue, message_id):
        if hasattr(self._store, "find_message"):
            return self._store.find_message(UP, ue, wire.MSG, message_id)
        items = None
        after = -1
        while items is None or len(items) == _AT_ONCE:
            items = self._store.pending(UP, after, _AT_ONCE)
            for item in items:
                after = item.key
                if (item.originator, item.kind, item.message_id) == (ue, wire.MSG, message_id):
                    return None if item.segment else item
        return None

    def _update(self, item, expires, now):
        # What travels on says it too: the next hop may hold it for as long.
        elements = messages.decode(item.body)
        messages.set_expiration(elements, expires)
        self._relay.replace(item, elements, now)

    def _ask_server(self, request, elements, now):
        clients = self._gateway.clients

        def on_response(response, now):
            if meaning(response) == NOT_NOW:
                clients.refuse(request, wire.UNAVAILABLE, elements, wire.SERVER_NOT_REACHABLE, now, 5)
            elif meaning(response) == ACCEPTED:
                clients.answer(request, response.code, now)
            else:
                clients.answer(request, response.code, now, told(response))

        self._relay.post_up(in_json(request, elements), on_response, now)
