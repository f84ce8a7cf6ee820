# Being found (TS 23.554, 8.2.8): whoever asks which gateway there is, by unicast or to everybody in reach, is told if
# this one carries packets of the size that is required. It need not have proved anything: nothing is given away.

from . import messages, messages_json, ticks, wire
from .coap import numbers as coap

# Answers to what went to everybody come at a random time in so many ms, so that those of several gateways do not
# collide (RFC 7252, 8.2: leisure). A client waits 2 s.
_LEISURE = 500
_MOST_A_SECOND = 50
_LONGEST_REQUEST = 512
# Octets of a packet, unless the links say otherwise.
_USUAL_SIZE = 1280


class SelectionResponder:
    def __init__(self, gateway, server, endpoint, packet_size, server_service_id=None):
        # Octets of the longest packet, and this gateway's own Layer-2 ID or "", by the address that asks.
        self.packet_size = packet_size or _usual_size
        self.layer_2_id = _none
        # Of a relay: whom it relays for.
        self._server_service_id = server_service_id
        self._counters = gateway.counters
        self._counters["selections"] = 0
        self._counters["selections_ignored"] = 0
        self._ue_service_id = gateway.ue_service_id
        self._server = server
        self._endpoint = endpoint
        # (when, request, body)
        self._due = []
        self._second = 0
        self._answers = 0
        server.add(wire.SELECTION_PATH, coap.POST, self._on_request)
        endpoint.on_timer.append(self._on_timer)

    def _on_request(self, request, now):
        answer = self._answer(request, now)
        if answer is None:
            self._counters["selections_ignored"] += 1
            if request.confirmable:
                self._server.refuse(request, wire.INVALID, now)
            # What everybody got is not answered with an error (RFC 7252, 8.2).
            return
        self._counters["selections"] += 1
        if request.confirmable:
            self._respond(request, answer, now)
            return
        due = ticks.add(now, self._endpoint.random(_LEISURE))
        self._due.append((due, request, answer))
        self._endpoint.arm(due)

    def _answer(self, request, now):
        # None when it can't, or need not, be answered.
        if len(request.payload) > _LONGEST_REQUEST or self._too_many(now):
            return None
        try:
            elements = messages_json.read(request.payload)
        except messages.BadMessage:
            return None
        address = request.peer.address
        allowed = self.packet_size(address)
        required = elements.get(wire.REQUIRED_PACKET_SIZE, 0)
        if wire.UE_SERVICE_ID not in elements or required > allowed:
            return None
        answer = {wire.UE_SERVICE_ID: self._ue_service_id, wire.ALLOWED_PACKET_SIZE: allowed}
        if self._server_service_id:
            answer[wire.SERVER_SERVICE_ID] = self._server_service_id
        layer_2_id = self.layer_2_id(address)
        if layer_2_id:
            answer[wire.LAYER_2_ID] = layer_2_id
        return answer

    def _respond(self, request, answer, now):
        self._server.respond(request, coap.CONTENT, now, messages.encode(answer), coap.JSON)

    def _too_many(self, now):
        if ticks.age(self._second, now) >= 1000:
            self._second = now
            self._answers = 0
        self._answers += 1
        return self._answers > _MOST_A_SECOND

    def _on_timer(self, now):
        waiting = self._due
        self._due = []
        for due, request, answer in waiting:
            if ticks.diff(due, now) <= 0:
                self._respond(request, answer, now)
            else:
                self._due.append((due, request, answer))
                self._endpoint.arm(due)


def _usual_size(address):
    return _USUAL_SIZE


def _none(address):
    return ""
