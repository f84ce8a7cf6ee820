# Registration of several UEs at once (TS 23.554, 8.2.7): clients that are in no hurry are told when they can expect to
# be registered, and the server gets one request for all of them. Each gets its result in a request of its own; one that
# does not asks again, as it does after any silence.

from . import messages, rfc3339, ticks, wire
from .coap.endpoint import Full
from .registry import Registered
from .resource import ACCEPTED, failure_cause, in_json, meaning, told

# Octets of the requests in one.
_MOST_OCTETS = 40000


class _Held:
    def __init__(self, request, elements):
        self.entry = Registered(
            elements[wire.UE_SERVICE_ID],
            request.peer.address,
            None,
            in_json(request, elements),
            request.content_format,
        )
        self.elements = elements


class Bulk:
    # seconds: how long one waits at most; most: how many are registered at once.
    def __init__(self, gateway, relay, endpoint, wall_clock, seconds, most=100):
        self._gateway = gateway
        self._relay = relay
        self._endpoint = endpoint
        self._wall_clock = wall_clock
        self._seconds = seconds
        self._most = most
        self._held = {}
        self._due = None
        gateway.counters["bulk_registrations"] = 0
        endpoint.on_timer.append(self._on_timer)

    def __len__(self):
        return len(self._held)

    def takes(self, elements):
        # May this registration wait?
        return (
            not elements.get(wire.REGISTRATION_URGENT_DEGREE)
            and self._patience(elements) > 0
            and self._wall_clock() is not None
        )

    def holds(self, ue):
        return ue in self._held

    def drop(self, ue):
        # It is registered by itself.
        self._held.pop(ue, None)

    def hold(self, request, elements, now):
        due = ticks.add(now, self._patience(elements) * 1000)
        if self._due is None or ticks.diff(due, self._due) < 0:
            self._due = due
            self._endpoint.arm(due)
        ue = elements[wire.UE_SERVICE_ID]
        self._held[ue] = _Held(request, elements)
        expected = self._wall_clock() + ticks.diff(self._due, now) // 1000 + 1
        self._gateway.clients.answer(
            request,
            wire.ACCEPTED,
            now,
            {
                wire.MESSAGE_TYPE: wire.REG,
                wire.UE_SERVICE_ID: ue,
                wire.EXPECTED_REGISTRATION_TIME: rfc3339.format(int(expected)),
            },
        )
        octets = sum(len(one.entry.body) for one in self._held.values())
        if len(self._held) >= self._most or octets >= _MOST_OCTETS:
            self._send(now)

    def _patience(self, elements):
        return min(self._seconds, elements.get(wire.REGISTRATION_EXPIRATION_TIME, self._seconds))

    def _on_timer(self, now):
        if self._due is None:
            return
        if ticks.diff(self._due, now) > 0:
            self._endpoint.arm(self._due)
        else:
            self._send(now)

    def _send(self, now):
        held = self._held
        self._held = {}
        self._due = None
        if not held:
            return
        self._gateway.counters["bulk_registrations"] += 1
        body = messages.encode(
            {
                wire.MESSAGE_TYPE: wire.REG,
                wire.NUMBER_OF_REGISTRATION_REQUESTS: len(held),
                wire.REGISTRATION_REQUESTS: [one.elements for one in held.values()],
            }
        )
        self._relay.post_up(body, lambda response, now: self._on_response(held, response, now), now)

    def _on_response(self, held, response, now):
        if meaning(response) != ACCEPTED:
            # Clients ask again when what they expect does not come.
            self._gateway.event("not registered", ues=len(held), cause=failure_cause(response))
            return
        for result in told(response).get(wire.REGISTRATION_RESPONSES, ()):
            one = held.pop(result[wire.UE_SERVICE_ID], None)
            if one:
                self._answered(one.entry, result, now)

    def _answered(self, entry, result, now):
        ue = entry.ue_service_id
        cause = result.get(wire.FAILURE_CAUSE)
        if result[wire.REGISTRATION_RESULT] == wire.REGISTRATION_FAILED:
            cause = cause or wire.REGISTRATION_FAILED
        if cause:
            self._gateway.counters["registrations_refused"] += 1
            self._gateway.event("client refused", ue=ue, cause=cause)
            answer = messages.registration_result(wire.REG, ue, cause)
        else:
            self._gateway.enter(entry, now)
            answer = self._gateway.result(entry)
        try:
            self._relay.clients.post(entry, messages.encode(answer), _ignore, now)
        except Full:
            # It asks again.
            pass
        if not cause:
            self._relay.downlink.resume(ue, now)


def _ignore(response, now):
    pass
