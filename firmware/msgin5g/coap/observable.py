# A resource that can be observed (RFC 7641, 4): who observes it, and telling them.

from . import block
from . import numbers as n
from .endpoint import ACKNOWLEDGED, Full
from .message import ABSENT, encode_options
from .observe import Observers


class Observable:
    # render and max_age: see Server.add_observable(). most: observers.
    def __init__(self, server, path, render, max_age, most):
        self._server = server
        self._path = path
        self._render = render
        self._max_age = max_age
        self._observers = Observers(most)

    def __len__(self):
        return len(self._observers)

    def get(self, request, now):
        code, content_format, payload = self._render(request.query)
        options = []
        if self._max_age != ABSENT and code < n.BAD_REQUEST:
            options.append((n.MAX_AGE, self._max_age))
        if request.observe == n.OBSERVE_DEREGISTER:
            self._forget(self._observers.remove(request), now)
        elif request.observe == n.OBSERVE_REGISTER and code < n.BAD_REQUEST:
            # In a request for a later block the option means nothing (RFC 7959, 3.4).
            first = request.block2 == ABSENT or block.number(request.block2) == 0
            observer = self._observers.add(request) if first else None
            if observer:
                # This response has the newest state. A notification under way may belong to the registration
                # before, and could no longer be opened.
                if request.context:
                    self._forget(observer, now)
                options.append((n.OBSERVE, self._observers.sequence()))
        self._server.respond(request, code, now, payload, content_format, options)

    def notify(self, now):
        self._observers.advance()
        for observer in self._observers:
            observer.changed = True
            if observer.exchange is None:
                self._notify(observer, now)

    def _forget(self, observer, now):
        # The notification under way to it.
        if observer and observer.exchange:
            observer.exchange.on_end = None
            self._server.endpoint.cancel(observer.exchange, now)
            observer.exchange = None
            observer.changed = False

    def _notify(self, observer, now):
        observer.changed = False
        request = observer.request
        code, content_format, payload = self._render(request.query)
        options = self._options(observer, code, content_format)
        piece = self._first_block(request, code, options, payload, now)

        def on_end(exchange, how, message, now):
            observer.exchange = None
            if how != ACKNOWLEDGED:
                self._observers.remove(observer.request)
            elif observer.changed:
                self._notify(observer, now)

        try:
            observer.exchange = self._server.endpoint.notify(
                request.peer, code, request.token, encode_options(options), piece, True, on_end, now, request
            )
        except Full:
            # It does not acknowledge what it has been sent; it will register again when Max-Age has passed.
            self._observers.remove(request)

    def _first_block(self, request, code, options, payload, now):
        # What of the state goes with the notification; the observer fetches the rest with GET (RFC 7959, 3.4).
        exponent = self._server._szx
        if request.block2 != ABSENT:
            exponent = min(exponent, block.szx(request.block2))
        piece, more = block.cut(payload, 0, exponent)
        if more:
            from .server_blocks import etag

            options.append(etag(payload))
            key = (request.source(), n.GET, self._path, request.query)
            self._server.blocks().keep_body(key, code, options, payload, now)
            options.append((n.BLOCK2, block.value(0, True, exponent)))
        return piece

    def _options(self, observer, code, content_format):
        options = []
        if content_format != ABSENT:
            options.append((n.CONTENT_FORMAT, content_format))
        if code < n.BAD_REQUEST:
            options.append((n.OBSERVE, self._observers.sequence()))
            if self._max_age != ABSENT:
                options.append((n.MAX_AGE, self._max_age))
        else:
            # A notification that is an error ends the observation (RFC 7641, 4.2).
            self._observers.remove(observer.request)
        return options
