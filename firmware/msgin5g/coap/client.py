# The client role (RFC 7252, 5.8): whole requests and whole responses, in as many blocks as they need
# (RFC 7959), and observing (RFC 7641).

from .. import ticks
from . import block
from . import numbers as n
from .endpoint import CANCELLED, RESPONSE, UNUSABLE, Full
from .message import ABSENT, encode_options
from .observe import is_newer

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
        self.exchange = None

    def start(self, now):
        options = list(self._options)
        payload = self._payload
        if len(payload) > block.size(self._szx):
            self._sent = 0
            self._send_block(now)
            return
        if self._szx < block.LARGEST_SZX:
            # Tell the server at once which size suits this side (RFC 7959, 2.4).
            options.append((n.BLOCK2, block.value(0, False, self._szx)))
        self._request(options, payload, now)

    def cancel(self, now):
        if self.exchange:
            self._client.endpoint.cancel(self.exchange, now)

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

    def _fetch_block(self, now):
        number = len(self._body) >> (self._szx + 4)
        options = list(self._options)
        options.append((n.BLOCK2, block.value(number, False, self._szx)))
        self._request(options, b"", now)

    def _on_end(self, exchange, how, message, now):
        try:
            self._proceed(how, message, now)
        except Full:
            self._finish(Response(CANCELLED), now)

    def _proceed(self, how, message, now):
        if how != RESPONSE:
            self._finish(Response(how), now)
        elif message.block1 != ABSENT and self._continue_upload(message, now):
            return
        elif message.block2 != ABSENT and message.code >> 5 == 2:
            self.receive_block(message, now)
        else:
            self._finish(Response(how, message), now)

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
        if self._body is None or block.number(this) == 0:
            self._body = bytearray()
            self._etag = message.etag()
            self._first = Response(RESPONSE, message)
        offset = block.number(this) << (exponent + 4)
        if exponent == block.RESERVED_SZX or offset != len(self._body):
            self._finish(Response(UNUSABLE), now)
        elif message.etag() != self._etag:
            self._restart(now)
        elif len(self._body) + len(message.payload()) > self._client.most_body:
            self._client.bodies_too_large += 1
            self._finish(Response(UNUSABLE), now)
        else:
            self._szx = min(exponent, self._szx) if offset == 0 else self._szx
            self._body.extend(message.payload())
            if block.more(this):
                self._fetch_block(now)
            else:
                self._first.payload = bytes(self._body)
                self._finish(self._first, now)

    def _restart(self, now):
        # The resource changed between two blocks.
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS:
            self._finish(Response(UNUSABLE), now)
            return
        self._body = bytearray()
        self._etag = None
        self._fetch_block(now)

    def _finish(self, response, now):
        self.exchange = None
        self._body = None
        self._on_response(response, now)


class Observation:
    # An observed resource. on_response(response, now) is called for every notification that is newer than the
    # last; one without a success code is the last. The observation is renewed when nothing has come for Max-Age.
    def __init__(self, client, address, options, on_response):
        self._client = client
        self._address = address
        self._options = options
        self._on_response = on_response
        self._exchange = None
        self._transfer = None
        self._sequence = None
        self._received = 0
        self.renew_at = None

    def start(self, now):
        options = encode_options(self._options + [(n.OBSERVE, n.OBSERVE_REGISTER)])
        self._sequence = None
        self.renew_at = None
        self._exchange = self._client.endpoint.request(
            self._address, n.GET, options, b"", self._on_end, now
        )

    def cancel(self, now):
        # Tell the server (RFC 7641, 3.6); a notification that crosses this is rejected with RST.
        exchange = self._stop(now)
        if exchange:
            options = encode_options(self._options + [(n.OBSERVE, n.OBSERVE_DEREGISTER)])
            self._client.endpoint.request(
                self._address, n.GET, options, b"", None, now, token=exchange.token
            )

    def forget(self, now):
        # Say nothing: the next notification is rejected with RST.
        self._stop(now)

    def renew(self, now):
        # RFC 7641, 3.3.1
        exchange = self._exchange
        if exchange:
            exchange.on_end = None
            self._client.endpoint.cancel(exchange, now)
        self.start(now)

    def _stop(self, now):
        self.renew_at = None
        self._client.observations.discard(self)
        exchange = self._exchange
        self._exchange = None
        if self._transfer:
            self._transfer.cancel(now)
        if exchange:
            exchange.on_end = None
            self._client.endpoint.cancel(exchange, now)
        return exchange

    def _on_end(self, exchange, how, message, now):
        if how != RESPONSE or message.observe == ABSENT or message.code >> 5 != 2:
            # Refused, unreachable, or a server that does not let itself be observed.
            self._exchange = None
            exchange.keep = False
            self._client.observations.discard(self)
            self._on_response(Response(how, message), now)
            return
        exchange.keep = True
        self._renew_after(message.max_age, now)
        if self._sequence is not None and not is_newer(
            message.observe, now, self._sequence, self._received
        ):
            return
        self._sequence = message.observe
        self._received = now
        if message.block2 == ABSENT:
            self._on_response(Response(how, message), now)
            return
        if self._transfer:
            # The state has changed before the last one was complete.
            self._transfer.cancel(now)
        self._transfer = Transfer(
            self._client, self._address, n.GET, self._options, b"", self._on_body, True
        )
        self._transfer.receive_block(message, now)

    def _on_body(self, response, now):
        self._transfer = None
        if response.code is not None:
            self._on_response(response, now)

    def _renew_after(self, max_age, now):
        # RFC 7641, 3.3.1: some time after Max-Age, and not all clients at once. Max-Age is 60 s when absent.
        seconds = 60 if max_age == ABSENT else min(max_age, 86400)
        spread = 5000 + self._client.endpoint.random(10000)
        self.renew_at = ticks.add(now, seconds * 1000 + spread)
        self._client.endpoint.arm(self.renew_at)


class Client:
    def __init__(self, endpoint, szx=block.LARGEST_SZX, most_body=4096):
        self.endpoint = endpoint
        self.szx = szx
        self.most_body = most_body
        self.bodies_too_large = 0
        self.observations = set()
        endpoint.on_timer.append(self._on_timer)

    def request(self, address, code, options, payload, on_response, now, confirmable=True):
        # options: (number, value) pairs. on_response(response, now) is called once. Raises endpoint.Full.
        transfer = Transfer(self, address, code, options, payload, on_response, confirmable)
        transfer.start(now)
        return transfer

    def observe(self, address, options, on_response, now):
        observation = Observation(self, address, options, on_response)
        observation.start(now)
        self.observations.add(observation)
        return observation

    def _on_timer(self, now):
        for observation in list(self.observations):
            if observation.renew_at is None:
                continue
            if ticks.diff(observation.renew_at, now) > 0:
                self.endpoint.arm(observation.renew_at)
            else:
                observation.renew(now)
