# What only the server can answer: subscriptions to Messaging Topics (TS 23.554, 8.8) and UE configuration documents
# (8.1; TS 24.546, annex C). A client's request goes on to it, and its answer back.

from . import messages, messages_json, ticks, wire
from . import wire_configuration as configuration
from .coap import numbers as coap
from .coap.endpoint import Full
from .coap.message import ABSENT, uri_options
from .gateway_watch import Watches

# Seconds after which a client may ask again when the server is out of reach.
_AGAIN = 5
# Answers about configuration are kept as long as the server says: the longest time in seconds.
_LONGEST_KEPT = 3600
_CONFIGURATION = configuration.COLLECTION_PATH.split("%")[0]


class Forwarding:
    def __init__(self, gateway, server, up_coap, server_address, most):
        self._gateway = gateway
        self._counters = gateway.counters
        for name in ("forwarded", "forwarding_refused", "configurations_kept"):
            self._counters[name] = 0
        self._server = server
        self._up_coap = up_coap
        self._server_address = server_address
        # Where clients' questions wait for each other, BulkConfiguration.
        self.bulk = None
        # (path, query) -> (until when, response), so many at most
        self._most = most
        self._kept = {}
        for method in (coap.GET, coap.POST, coap.DELETE):
            server.add(wire.TOPICS_PATH, method, self._on_topics)
        server.add_behind(_CONFIGURATION, {coap.GET: self._on_configuration})
        lost = gateway.registration.renew
        self.watches = Watches(server, up_coap, server_address, self._relay, self.unavailable, lost, most)

    def bulk_configuration(self, endpoint, wall_clock, seconds):
        # Clients' questions wait for each other so long (8.1.4).
        from .gateway_bulk_configuration import BulkConfiguration

        self.bulk = BulkConfiguration(self, endpoint, wall_clock, seconds, self._counters)

    # -- topics

    def _on_topics(self, request, now):
        subscriber = self._subscriber(request)
        if subscriber is None:
            cause = wire.MANDATORY_IE_MISSING + wire.name(wire.ORIGINATING_UE)
            self._refuse(request, wire.INVALID, cause, now)
            return
        cause = self._gateway.refusal(request, subscriber, now)
        if cause:
            self._refuse(request, wire.REFUSED, cause, now)
        else:
            self._forward(request, now, lambda response, now: self._relay(request, response, now))

    def _subscriber(self, request):
        # The UE that is subscribed; None when there is none.
        if request.code == coap.GET:
            named = [
                parameter[len(wire.QUERY_ORIGINATOR) :]
                for parameter in request.query.split("&")
                if parameter.startswith(wire.QUERY_ORIGINATOR)
            ]
            return named[0] if len(named) == 1 else None
        try:
            kind, identity = messages.originator(messages_json.read(request.payload))
        except messages.BadMessage:
            return None
        return identity if kind == wire.UE else None

    def _refuse(self, request, code, cause, now, max_age=0):
        self._counters["forwarding_refused"] += 1
        status = {wire.SUBSCRIPTION_STATUS: wire.SUBSCRIPTION_FAILED, wire.FAILURE_CAUSE: cause}
        options = [(coap.MAX_AGE, max_age)]
        self._server.respond(request, code, now, messages.encode(status), coap.JSON, options)

    # -- configuration

    def _on_configuration(self, request, now):
        if (
            request.observe == coap.OBSERVE_REGISTER
            and not request.query
            and self._gateway.registration.registered
        ):
            if self.watches.get(request, now):
                return
        # Who can't observe is answered as if it did not, and asks again after Max-Age (RFC 7641, 4.1).
        key = (request.path, request.query)
        kept = self._kept.get(key)
        if kept and ticks.diff(kept[0], now) > 0:
            self._counters["configurations_kept"] += 1
            self._relay(request, kept[1], now, ticks.diff(kept[0], now) // 1000)
            return
        request.observe = ABSENT
        if self.bulk is None or not self._gateway.registration.registered or not self.bulk.hold(request, now):
            self.single(request, now)

    def single(self, request, now):
        key = (request.path, request.query)

        def on_answer(response, now):
            if response.code == coap.CONTENT:
                self._keep(key, response, now)
            self._relay(request, response, now)

        self._forward(request, now, on_answer)

    def answered(self, path, query, requests, response, now):
        # One of several that were asked for as one.
        if response.code == coap.CONTENT:
            self._keep((path, query), response, now)
        for request in requests:
            self._relay(request, response, now)

    def later(self, request, payload, seconds, now):
        # The interim response: there will be one then.
        self._server.respond(request, wire.UNAVAILABLE, now, payload, coap.CBOR, [(coap.MAX_AGE, seconds)])

    def fetch(self, options, body, on_response, now):
        # Raises the endpoint's Full.
        self._up_coap.request(self._server_address, coap.FETCH, options, body, on_response, now)

    def silent(self, response, now):
        if response.code is None:
            self._gateway.registration.renew(now)

    def _keep(self, key, response, now):
        seconds = 60 if response.max_age == ABSENT else min(response.max_age, _LONGEST_KEPT)
        if len(self._kept) >= self._most and key not in self._kept:
            self._kept.clear()
        self._kept[key] = (ticks.add(now, seconds * 1000), response)

    # -- there and back

    def _forward(self, request, now, on_answer):
        options = uri_options(request.path)
        if request.observe != ABSENT:
            options.append((coap.OBSERVE, request.observe))
        for parameter in request.query.split("&") if request.query else ():
            options.append((coap.URI_QUERY, parameter))
        if request.content_format != ABSENT:
            options.append((coap.CONTENT_FORMAT, request.content_format))

        def on_response(response, now):
            if response.code is None:
                # Out of reach: the next thing to do is to find out for how long.
                self._gateway.registration.renew(now)
                self.unavailable(request, now)
            else:
                on_answer(response, now)

        if not self._gateway.registration.registered:
            self.unavailable(request, now)
            return
        try:
            self._up_coap.request(
                self._server_address, request.code, options, request.payload, on_response, now
            )
            self._counters["forwarded"] += 1
        except Full:
            self.unavailable(request, now)

    def unavailable(self, request, now):
        if request.path == wire.TOPICS_PATH:
            self._refuse(request, wire.UNAVAILABLE, wire.SERVER_NOT_REACHABLE, now, _AGAIN)
        else:
            self._counters["forwarding_refused"] += 1
            self._server.respond(request, wire.UNAVAILABLE, now, options=[(coap.MAX_AGE, _AGAIN)])

    def _relay(self, request, response, now, max_age=None):
        if max_age is None:
            max_age = response.max_age
        options = [] if max_age == ABSENT else [(coap.MAX_AGE, max_age)]
        self._server.respond(request, response.code, now, response.payload, response.content_format, options)
