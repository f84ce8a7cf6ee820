# The server role (RFC 7252, 5.8): resources, with block-wise bodies (RFC 7959). Being observed is in observable.py,
# loaded when it is used.
#
# A handler is called as handler(request, now) with the whole body in request.payload, and answers with
# server.respond(request, ...), at once or later.

from binascii import crc32

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
        timeout = endpoint.parameters.max_transmit_wait
        self._uploads = block.Bodies(most_transfers, timeout)
        self._downloads = block.Bodies(most_transfers, timeout)
        self.handler_errors = 0
        # on_error(request, exception): a handler raised it; the peer has got 5.00.
        self.on_error = _only_counted
        endpoint.on_request = self._on_request
        endpoint.on_timer.append(self._on_timer)

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

    def respond(self, request, code, now, payload=b"", content_format=ABSENT, options=()):
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
            self._respond_block(request, code, options, payload, exponent, now)
            return
        self.endpoint.respond(request, code, encode_options(options) if options else b"", payload, now)

    # -- requests

    def _on_request(self, request, message, now):
        request.path = path = message.path()
        request.query = message.query()
        request.content_format = message.content_format
        request.observe = message.observe
        request.block1 = ABSENT
        request.block2 = message.block2
        if path is None or request.query is None:
            self._refuse(request, n.BAD_OPTION, now)
            return
        methods = self._resources.get(path)
        if methods is None:
            self._refuse(request, n.NOT_FOUND, now)
            return
        handler = methods.get(request.code)
        if handler is None:
            self._refuse(request, n.METHOD_NOT_ALLOWED, now)
            return
        if message.block2 != ABSENT and block.szx(message.block2) == block.RESERVED_SZX:
            self._refuse(request, n.BAD_REQUEST, now)
            return
        if len(message.payload()) > self._most_body:
            self._too_large(request, now)
            return
        request.payload = bytes(message.payload())
        if message.block1 != ABSENT and not self._upload(request, message, now):
            return
        if request.block2 != ABSENT and block.number(request.block2):
            if self._download(request, now):
                return
        self._handle(handler, request, now)

    def _handle(self, handler, request, now):
        try:
            handler(request, now)
        except Exception as error:
            self.handler_errors += 1
            self.on_error(request, error)
            self.endpoint.respond(request, n.INTERNAL_SERVER_ERROR, b"", b"", now)

    def _refuse(self, request, code, now):
        self.endpoint.respond(request, code, b"", b"", now)

    def _too_large(self, request, now):
        options = encode_options([(n.SIZE1, self._most_body)])
        self.endpoint.respond(request, n.REQUEST_ENTITY_TOO_LARGE, options, b"", now)

    # -- Block1: a request body in pieces

    def _upload(self, request, message, now):
        # True when the body is complete; otherwise the request has been answered.
        this = message.block1
        key = _body_key(request) + (request.content_format,)
        if message.size1 > self._most_body:
            self._uploads.remove(key)
            self._too_large(request, now)
            return False
        body = bytearray() if block.number(this) == 0 else self._uploads.get(key, now)
        if body is None:
            self._refuse(request, n.REQUEST_ENTITY_INCOMPLETE, now)
            return False
        refusal = block.append(body, this, request.payload, self._most_body)
        if refusal is not None:
            self._uploads.remove(key)
            if refusal == n.REQUEST_ENTITY_TOO_LARGE:
                self._too_large(request, now)
            else:
                self._refuse(request, refusal, now)
            return False
        if block.more(this):
            self._continue(request, this, key, body, now)
            return False
        self._uploads.remove(key)
        request.payload = bytes(body)
        request.block1 = this
        return True

    def _continue(self, request, this, key, body, now):
        if not self._uploads.put(key, body, now):
            self._refuse(request, n.SERVICE_UNAVAILABLE, now)
            return
        self._on_timer(now)
        # A smaller size in the answer asks for smaller blocks from here on (RFC 7959, 2.5).
        answer = block.value(block.number(this), True, min(block.szx(this), self._szx))
        self.endpoint.respond(request, n.CONTINUE, encode_options([(n.BLOCK1, answer)]), b"", now)

    # -- Block2: a response body in pieces

    def _respond_block(self, request, code, options, payload, exponent, now):
        number = 0 if request.block2 == ABSENT else block.number(request.block2)
        piece, more = block.cut(payload, number, exponent)
        if piece is None:
            self._refuse(request, n.BAD_OPTION, now)
            return
        if (number or more) and not [o for o in options if o[0] == n.ETAG]:
            options.append(etag(payload))
        if number == 0 and more:
            # The rest is served from the same body, even when the resource changes meanwhile.
            self.keep_body(_body_key(request), code, options, payload, now)
            options.append((n.SIZE2, len(payload)))
        options.append((n.BLOCK2, block.value(number, more, exponent)))
        self.endpoint.respond(request, code, encode_options(options), piece, now)

    def first_block(self, key, code, options, payload, now):
        # What of a notification's body goes with it; the observer fetches the rest with GET (RFC 7959, 3.4).
        piece, more = block.cut(payload, 0, self._szx)
        if more:
            options.append(etag(payload))
            self.keep_body(key, code, options, payload, now)
            options.append((n.BLOCK2, block.value(0, True, self._szx)))
        return piece

    def keep_body(self, key, code, options, payload, now):
        kept = (code, [o for o in options if o[0] in (n.CONTENT_FORMAT, n.ETAG)], payload)
        self._downloads.put(key, kept, now)
        self._on_timer(now)

    def _download(self, request, now):
        # True when a later block of a body has been answered.
        key = _body_key(request)
        kept = self._downloads.get(key, now)
        if kept is None:
            # A GET can be done again, and the ETag tells whether the body is still the same. Nothing else
            # can.
            if request.code == n.GET:
                return False
            self._refuse(request, n.REQUEST_ENTITY_INCOMPLETE, now)
            return True
        code, options, payload = kept
        exponent = min(self._szx, block.szx(request.block2))
        self._respond_block(request, code, list(options), payload, exponent, now)
        end = (block.number(request.block2) + 1) << (exponent + 4)
        if end >= len(payload):
            self._downloads.remove(key)
        return True

    def _on_timer(self, now):
        for bodies in (self._uploads, self._downloads):
            due = bodies.sweep(now)
            if due is not None:
                self.endpoint.arm(due)


def _body_key(request):
    return (request.peer.address, request.code, request.path, request.query)


def etag(payload):
    # So that nobody puts blocks of two bodies together (RFC 7959, 2.4).
    return (n.ETAG, crc32(payload).to_bytes(4, "big"))


def _only_counted(request, error):
    pass
