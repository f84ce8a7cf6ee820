# Resources of the server's that clients observe through a gateway (RFC 7641): the gateway observes each once, has its
# latest state, and tells its clients. Nobody is told twice what a thousand boards ask.

from .coap import numbers as coap
from .coap.endpoint import Full
from .coap.message import ABSENT, uri_options


class Watches:
    # answer(request, response, now): a response that is no state. unavailable(request, now): none came. lost(now): the
    # server does not answer. most: resources that are observed.
    def __init__(self, server, up_coap, server_address, answer, unavailable, lost, most):
        self.server = server
        self.answer = answer
        self.unavailable = unavailable
        self.lost = lost
        self._up_coap = up_coap
        self._server_address = server_address
        self._most = most
        self._watches = {}

    def __len__(self):
        return len(self._watches)

    def get(self, request, now):
        # The first who wants to observe a resource; the next ones find it among the server's. False: it can't be.
        watch = self._watches.get(request.path)
        if watch is None:
            if len(self._watches) >= self._most:
                self._make_room(now)
            if len(self._watches) >= self._most:
                return False
            watch = _Watch(self, request.path)
            try:
                watch.start(self._up_coap, self._server_address, now)
            except Full:
                return False
            self._watches[request.path] = watch
        watch.waiting.append(request)
        return True

    def renew(self, now):
        # The server is back.
        for watch in list(self._watches.values()):
            if watch.observation is None:
                try:
                    watch.start(self._up_coap, self._server_address, now)
                except Full:
                    # At the next occasion.
                    return

    def forget(self, watch):
        del self._watches[watch.path]
        self.server.remove(watch.path)

    def _make_room(self, now):
        for watch in list(self._watches.values()):
            if watch.state and not self.server.observers(watch.path):
                if watch.observation:
                    watch.observation.cancel(now)
                self.forget(watch)


class _Watch:
    def __init__(self, watches, path):
        self.path = path
        self.observation = None
        # The latest response, None before the first.
        self.state = None
        # Requests until then.
        self.waiting = []
        self._watches = watches

    def start(self, up_coap, server_address, now):
        self.observation = up_coap.observe(server_address, uri_options(self.path), self._on_state, now)

    def _on_state(self, response, now):
        server = self._watches.server
        if response.code is None and self.state:
            # Out of reach: what was known last holds until it is back.
            self.observation = None
            self._watches.lost(now)
            return
        first = self.state is None
        if not self.observation.over:
            self.state = response
            if first:
                server.add_observable(self.path, self._render, response.max_age)
                for request in self._take_waiting():
                    server.handler(self.path, coap.GET)(request, now)
            else:
                server.notify(self.path, now)
            return
        # It is gone, or can't be observed.
        for request in self._take_waiting():
            if response.code is None:
                self._watches.unavailable(request, now)
            else:
                self._watches.answer(request, response, now)
        if not first:
            self.state = response
            server.notify(self.path, now)
        self._watches.forget(self)

    def _take_waiting(self):
        waiting, self.waiting = self.waiting, []
        return waiting

    def _render(self, query):
        state = self.state
        return state.code, state.content_format, b"" if state.content_format == ABSENT else state.payload
