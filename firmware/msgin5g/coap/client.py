# The client role (RFC 7252, 5.8): whole requests and whole responses, in as many blocks as they need (RFC
# 7959). Observing is in observation.py, loaded when it is used.

from . import block
from . import numbers as n
from .endpoint import CANCELLED, RESPONSE, UNUSABLE, Full
from .message import ABSENT, encode_options

# How many times a body is fetched anew when its ETag changes between two blocks.
_MOST_RESTARTS = 3


class Response:
    # code is None when there is none; how then tells why (endpoint.TIMEOUT, RESET, CANCELLED, UNUSABLE).
    def __init__(self, how, message=None):
        self.how = how
        self.code = message.code if message else None
        self.content_format = message.content_format if message else ABSENT
        self.max_age = message.max_age if message else ABSENT
        self.location = message.location() if message else ""
        self.observe = message.observe if message else ABSENT
        self.size1 = message.size1 if message else ABSENT
        self.payload = bytes(message.payload()) if message else b""

    def success(self):
        return self.code is not None and self.code >> 5 == 2


class Transfer:
    # A request and its response. The body goes out by Block1 when it is longer than a block, and comes in by
    # Block2 when the server wants that.
    def __init__(self, client, address, code, options, payload, on_response, confirmable):
        self._client = client
        self._address = address
        self._code = code
        self._options = options
        self._payload = payload
        self._on_response = on_response
        self._confirmable = confirmable
        self._szx = client.szx
        self._sent = 0
        self._body = None
        self._etag = None
        self._restarts = 0
        self._first = None
        self._done = False
        self.exchange = None

    def is_upload(self):
        return len(self._payload) > block.size(self._szx)

    def same_resource(self, other):
        return self._address == other._address and self._uri() == other._uri()

    def _uri(self):
        return [option for option in self._options if option[0] in (n.URI_PATH, n.URI_QUERY)]

    def start(self, now):
        if self.is_upload():
            self._send_block(now)
            return
        options = list(self._options)
        if self._szx < block.LARGEST_SZX:
            # Tell the server at once which size suits this side (RFC 7959, 2.4).
            options.append((n.BLOCK2, block.value(0, False, self._szx)))
        self._request(options, self._payload, now)

    def cancel(self, now):
        if self.exchange:
            self._client.endpoint.cancel(self.exchange, now)
        else:
            self.finish(Response(CANCELLED), now)

    def _request(self, options, payload, now):
        self.exchange = self._client.endpoint.request(
            self._address,
            self._code,
            encode_options(options),
            payload,
            self._on_end,
            now,
            self._confirmable,
        )

    def _send_block(self, now):
        size = block.size(self._szx)
        more = self._sent + size < len(self._payload)
        options = list(self._options)
        options.append((n.BLOCK1, block.value(self._sent // size, more, self._szx)))
        if self._sent == 0:
            options.append((n.SIZE1, len(self._payload)))
        piece = memoryview(self._payload)[self._sent : self._sent + size]
        self._request(options, piece, now)

    def _fetch_block(self, number, now):
        options = list(self._options)
        options.append((n.BLOCK2, block.value(number, False, self._szx)))
        self._request(options, b"", now)

    def _on_end(self, exchange, how, message, now):
        try:
            self._proceed(how, message, now)
        except Full:
            self.finish(Response(CANCELLED), now)

    def _proceed(self, how, message, now):
        if how != RESPONSE:
            self.finish(Response(how), now)
        elif message.block1 != ABSENT and self._continue_upload(message, now):
            return
        elif message.block2 != ABSENT and message.code >> 5 == 2:
            self.receive_block(message, now)
        else:
            self.finish(Response(how, message), now)

    def _continue_upload(self, message, now):
        # True when another block of the request has gone out.
        asked = block.szx(message.block1)
        if message.code == n.REQUEST_ENTITY_TOO_LARGE:
            if self._sent or asked >= self._szx:
                return False
            self._szx = asked
            self._send_block(now)
            return True
        size = block.size(self._szx)
        if message.code >> 5 != 2 or self._sent + size >= len(self._payload):
            return False
        self._sent += size
        # A server may ask for smaller blocks, in any answer; larger ones are not its to ask.
        self._szx = min(self._szx, asked)
        self._send_block(now)
        return True

    def receive_block(self, message, now):
        # A block of the response, or of a notification whose first block opens the transfer.
        this = message.block2
        exponent = block.szx(this)
        if self._body is None:
            self._body = bytearray()
            self._etag = message.etag()
            self._first = Response(RESPONSE, message)
        offset = block.number(this) << (exponent + 4)
        payload = message.payload()
        if message.etag() != self._etag:
            self._restart(now)
        elif exponent == block.RESERVED_SZX or offset != len(self._body) or not block.fills(this, payload):
            # A block again, or an empty one, would be asked for for ever.
            self.finish(Response(UNUSABLE), now)
        elif len(self._body) + len(payload) > self._client.most_body:
            self._client.bodies_too_large += 1
            self.finish(Response(UNUSABLE), now)
        else:
            self._szx = min(exponent, self._szx)
            self._body.extend(payload)
            if block.more(this):
                self._fetch_block(len(self._body) >> (self._szx + 4), now)
            else:
                self._first.payload = bytes(self._body)
                self.finish(self._first, now)

    def _restart(self, now):
        # The body has changed between two blocks. Only a GET can be done again.
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS or self._code != n.GET:
            self.finish(Response(UNUSABLE), now)
            return
        self._body = None
        self._fetch_block(0, now)

    def finish(self, response, now):
        if self._done:
            return
        self._done = True
        self.exchange = None
        self._body = None
        self._client.finished(self, now)
        self._on_response(response, now)


class Client:
    def __init__(self, endpoint, szx=block.LARGEST_SZX, most_body=4096):
        self.endpoint = endpoint
        self.szx = szx
        self.most_body = most_body
        self.bodies_too_large = 0
        # Uploads by Block1, oldest first. Of those to one resource only the first is under way: a server
        # can't tell apart the blocks of two (RFC 7959, 2.5).
        self._uploads = []
        self.observations = set()
        endpoint.on_timer.append(self._on_timer)

    def request(self, address, code, options, payload, on_response, now, confirmable=True):
        # options: (number, value) pairs. on_response(response, now) is called once. Raises endpoint.Full.
        transfer = Transfer(self, address, code, options, payload, on_response, confirmable)
        if transfer.is_upload():
            if len(self._uploads) >= self.endpoint.parameters.most_waiting:
                raise Full
            if self._next_upload(transfer):
                self._uploads.append(transfer)
                return transfer
            transfer.start(now)
            self._uploads.append(transfer)
        else:
            transfer.start(now)
        return transfer

    def observe(self, address, options, on_response, now):
        # on_response(response, now) is called for every newer state: see Observation.
        from .observation import Observation

        observation = Observation(self, address, options, on_response)
        observation.start(now)
        self.observations.add(observation)
        return observation

    def finished(self, transfer, now):
        # The next upload to the same resource can start.
        if transfer not in self._uploads:
            return
        self._uploads.remove(transfer)
        following = self._next_upload(transfer)
        if following and not following.exchange:
            try:
                following.start(now)
            except Full:
                following.finish(Response(CANCELLED), now)

    def _next_upload(self, transfer):
        for upload in self._uploads:
            if upload.same_resource(transfer):
                return upload
        return None

    def _on_timer(self, now):
        for observation in list(self.observations):
            observation.on_timer(now)
