# Bodies that a server takes or gives block by block (RFC 7959).

from binascii import crc32

from .. import ticks
from . import block
from . import numbers as n
from .message import ABSENT, encode_options


class ServerBlocks:
    def __init__(self, server, most_body, most_transfers, szx):
        self._server = server
        self._endpoint = server.endpoint
        self._most_body = most_body
        self._szx = szx
        timeout = server.endpoint.parameters.max_transmit_wait
        self.uploads = Bodies(most_transfers, timeout)
        self.downloads = Bodies(most_transfers, timeout)
        server.endpoint.on_timer.append(self._on_timer)

    # -- Block1: a request body in pieces

    def upload(self, request, message, now):
        # True when the body is complete; otherwise the request has been answered.
        this = message.block1
        key = _body_key(request) + (request.content_format,)
        if message.size1 > self._most_body:
            self.uploads.remove(key)
            self._server.too_large(request, now)
            return False
        body = bytearray() if block.number(this) == 0 else self.uploads.get(key, now)
        if body is None:
            self._server.refuse(request, n.REQUEST_ENTITY_INCOMPLETE, now)
            return False
        refusal = append(body, this, request.payload, self._most_body)
        if refusal is not None:
            self.uploads.remove(key)
            if refusal == n.REQUEST_ENTITY_TOO_LARGE:
                self._server.too_large(request, now)
            else:
                self._server.refuse(request, refusal, now)
            return False
        if block.more(this):
            self._continue(request, this, key, body, now)
            return False
        self.uploads.remove(key)
        request.payload = bytes(body)
        request.block1 = this
        return True

    def _continue(self, request, this, key, body, now):
        if not self.uploads.put(key, body, now):
            self._server.refuse(request, n.SERVICE_UNAVAILABLE, now)
            return
        self._on_timer(now)
        # A smaller size in the answer asks for smaller blocks from here on (RFC 7959, 2.5).
        answer = block.value(block.number(this), True, min(block.szx(this), self._szx))
        self._endpoint.respond(request, n.CONTINUE, encode_options([(n.BLOCK1, answer)]), b"", now)

    # -- Block2: a response body in pieces

    def respond(self, request, code, options, payload, exponent, now):
        number = 0 if request.block2 == ABSENT else block.number(request.block2)
        piece, more = block.cut(payload, number, exponent)
        if piece is None:
            self._server.refuse(request, n.BAD_OPTION, now)
            return
        if (number or more) and not [o for o in options if o[0] == n.ETAG]:
            options.append(etag(payload))
        if number == 0 and more:
            # The rest is served from the same body, even when the resource changes meanwhile.
            self.keep_body(_body_key(request), code, options, payload, now)
            options.append((n.SIZE2, len(payload)))
        options.append((n.BLOCK2, block.value(number, more, exponent)))
        self._endpoint.respond(request, code, encode_options(options), piece, now)

    def keep_body(self, key, code, options, payload, now):
        kept = (code, [o for o in options if o[0] in (n.CONTENT_FORMAT, n.ETAG)], payload)
        self.downloads.put(key, kept, now)
        self._on_timer(now)

    def download(self, request, now):
        # True when a later block of a body has been answered.
        key = _body_key(request)
        kept = self.downloads.get(key, now)
        if kept is None:
            # A GET can be done again, and the ETag tells whether the body is still the same. Nothing else
            # can.
            if request.code == n.GET:
                return False
            self._server.refuse(request, n.REQUEST_ENTITY_INCOMPLETE, now)
            return True
        code, options, payload = kept
        exponent = min(self._szx, block.szx(request.block2))
        self.respond(request, code, list(options), payload, exponent, now)
        end = (block.number(request.block2) + 1) << (exponent + 4)
        if end >= len(payload):
            self.downloads.remove(key)
        return True

    def _on_timer(self, now):
        for bodies in (self.uploads, self.downloads):
            due = bodies.sweep(now)
            if due is not None:
                self._endpoint.arm(due)


class Bodies:
    # Bodies under way, in either direction, by key: bounded in number, each given up when it is not touched
    # for `timeout` milliseconds.
    def __init__(self, most, timeout):
        self._most = most
        self._timeout = timeout
        self._entries = {}
        self.expired = 0

    def __len__(self):
        return len(self._entries)

    def get(self, key, now):
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry[0] = now
        return entry[1]

    def put(self, key, body, now):
        # False when there is no room.
        if key not in self._entries and len(self._entries) >= self._most:
            self.sweep(now)
            if len(self._entries) >= self._most:
                return False
        self._entries[key] = [now, body]
        return True

    def remove(self, key):
        self._entries.pop(key, None)

    def sweep(self, now):
        # Give up what has not been touched. Returns the tick at which to look again, or None.
        earliest = None
        for key, (touched, _) in list(self._entries.items()):
            due = ticks.add(touched, self._timeout)
            if ticks.diff(due, now) <= 0:
                del self._entries[key]
                self.expired += 1
            elif earliest is None or ticks.diff(due, earliest) < 0:
                earliest = due
        return earliest


def append(body, this, payload, most_octets):
    # Add a block, with its Block1 option, to body, a bytearray. Returns None, or the code that refuses it.
    exponent = block.szx(this)
    if exponent == block.RESERVED_SZX:
        return n.BAD_REQUEST
    if block.number(this) << (exponent + 4) != len(body):
        return n.REQUEST_ENTITY_INCOMPLETE
    if len(body) + len(payload) > most_octets:
        return n.REQUEST_ENTITY_TOO_LARGE
    if not block.fills(this, payload):
        return n.BAD_REQUEST
    body.extend(payload)
    return None


def _body_key(request):
    return (request.source(), request.code, request.path, request.query)


def etag(payload):
    # So that nobody puts blocks of two bodies together (RFC 7959, 2.4).
    return (n.ETAG, crc32(payload).to_bytes(4, "big"))
