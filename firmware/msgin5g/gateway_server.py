# The CoAP server of a gateway towards its clients: what one of them sends in a second is bounded, so that it can't keep
# the gateway from the others; and all that is behind a path may have one handler.

from . import ticks, wire
from .coap import numbers as coap
from .coap.server import Server

_MOST_OBSERVERS = 1000
# Seconds after which one that has sent too much may go on.
_PAUSE = 1


class GatewayServer(Server):
    def __init__(self, endpoint, most_body, most_transfers, most_a_second, counters):
        super().__init__(endpoint, most_body, most_transfers, most_observers=_MOST_OBSERVERS)
        counters["too_many"] = 0
        self._counters = counters
        self._most_a_second = most_a_second
        # UE Service ID -> as many, for those that have a bound of their own. It is known by its keys only.
        self.limits = {}
        self._second = 0
        # Requests in this second, by who has sent them.
        self._counts = {}
        self._behind = []

    def add_behind(self, path, methods):
        # methods: {method: handler} of all resources whose path begins so.
        self._behind.append((path, methods))

    def handler(self, path, method):
        return self._methods(path)[method]

    def remove(self, path):
        self._resources.pop(path, None)
        self._observed.pop(path, None)

    def _methods(self, path):
        methods = self._resources.get(path)
        if methods is None:
            for begin, methods in self._behind:
                if path.startswith(begin):
                    return methods
            return None
        return methods

    def _handle(self, handler, request, now):
        if self._is_too_much(request.source(), now):
            self._counters["too_many"] += 1
            self.respond(request, wire.OVERLOADED, now, options=[(coap.MAX_AGE, _PAUSE)])
        else:
            Server._handle(self, handler, request, now)

    def _is_too_much(self, source, now):
        if ticks.age(self._second, now) >= 1000:
            self._second = now
            self._counts = {}
        count = self._counts[source] = self._counts.get(source, 0) + 1
        if self.limits and hasattr(source, "name"):
            return count > self.limits.get(source.name, self._most_a_second)
        return count > self._most_a_second
