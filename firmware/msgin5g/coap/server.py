# The server role (RFC 7252, 5.8): resources. Bodies in several blocks (RFC 7959) are in server_blocks.py, being
# observed (RFC 7641) is in observable.py: each is loaded when it is used.
#
# A handler is called as handler(request, now) with the whole body in request.payload, and answers with
# server.respond(request, ...), at once or later.

from . import block
from . import numbers as n
from .message import ABSENT, encode_options


class Server:
    def __init__(self, endpoint, most_body=4096, most_transfers=2, szx=block.LARGEST_SZX, most_observers=4):
        self.endpoint = endpoint
        self._most_body = most_body
        self._most_observers = most_observers
        self._szx = szx
        self._resources = {}
        self._observed = {}
        self._most_transfers = most_transfers
        self._blocks = None
        # The options of most answers with a body: their content format, and encoded.
        self._usual = ABSENT
        self._usual_encoded = b""
        self.handler_errors = 0
        # on_error(request, exception): a handler raised it; the peer has got 5.00.
        self.on_error = _only_counted
        endpoint.on_request = self._on_request

    def add(self, path, method, handler):
        self._resources.setdefault(path, {})[method] = handler

    def add_observable(self, path, render, max_age=ABSENT):
        # render(query) -> (code, content format, payload): the state of the resource. max_age: the seconds
        # after which a silent observer asks whether it is still known; 60 where ABSENT (RFC 7252, 5.10.5).
        from .observable import Observable

        observable = Observable(self, path, render, max_age, self._most_observers)
        self._observed[path] = observable
        self.add(path, n.GET, observable.get)

    def notify(self, path, now):
        # The state of an observable resource has changed.
        self._observed[path].notify(now)

    def observers(self, path):
        return len(self._observed[path])

    def blocks(self):
        if self._blocks is None:
            from .server_blocks import ServerBlocks

            self._blocks = ServerBlocks(self, self._most_body, self._most_transfers, self._szx)
        return self._blocks

    def respond(self, request, code, now, payload=b"", content_format=ABSENT, options=()):
        if not options and request.block1 == request.block2 == ABSENT and len(payload) <= 1 << self._szx + 4:
            encoded = b"" if content_format == ABSENT else self._content_format(content_format)
            self.endpoint.respond(request, code, encoded, payload, now)
            return
        options = list(options)
        if content_format != ABSENT:
            options.append((n.CONTENT_FORMAT, content_format))
        if request.block1 != ABSENT:
            options.append((n.BLOCK1, request.block1))
        exponent = self._szx
        asked = request.block2 != ABSENT and code < n.BAD_REQUEST
        if asked:
            exponent = min(exponent, block.szx(request.block2))
        if asked or len(payload) > block.size(exponent):
            self.blocks().respond(request, code, options, payload, exponent, now)
            return
        self.endpoint.respond(request, code, encode_options(options) if options else b"", payload, now)

    def _content_format(self, content_format):
        if content_format != self._usual:
            self._usual_encoded = encode_options([(n.CONTENT_FORMAT, content_format)])
            self._usual = content_format
        return self._usual_encoded

    # -- requests

    def _on_request(self, request, message, now):
        request.path = path = message.path()
        request.query = message.query()
        request.content_format = message.content_format
        request.observe = message.observe
        request.block1 = ABSENT
        request.block2 = message.block2
        if path is None or request.query is None:
            self.refuse(request, n.BAD_OPTION, now)
            return
        methods = self._methods(path)
        if methods is None:
            self.refuse(request, n.NOT_FOUND, now)
            return
        handler = methods.get(request.code)
        if handler is None:
            self.refuse(request, n.METHOD_NOT_ALLOWED, now)
            return
        if message.block2 != ABSENT and block.szx(message.block2) == block.RESERVED_SZX:
            self.refuse(request, n.BAD_REQUEST, now)
            return
        request.payload = message.body()
        if len(request.payload) > self._most_body:
            self.too_large(request, now)
            return
        if message.block1 != ABSENT and not self.blocks().upload(request, message, now):
            return
        if request.block2 != ABSENT and block.number(request.block2):
            if self.blocks().download(request, now):
                return
        self._handle(handler, request, now)

    def _methods(self, path):
        # {method: handler} of a resource, None where there is none.
        return self._resources.get(path)

    def _handle(self, handler, request, now):
        try:
            handler(request, now)
        except Exception as error:
            self.handler_errors += 1
            self.on_error(request, error)
            self.endpoint.respond(request, n.INTERNAL_SERVER_ERROR, b"", b"", now)

    def refuse(self, request, code, now):
        self.endpoint.respond(request, code, b"", b"", now)

    def too_large(self, request, now):
        options = encode_options([(n.SIZE1, self._most_body)])
        self.endpoint.respond(request, n.REQUEST_ENTITY_TOO_LARGE, options, b"", now)


def _only_counted(request, error):
    pass
