# The client role (RFC 7252, 5.8): whole requests and whole responses. Those in several blocks (RFC 7959) are in
# client_blocks.py, observing (RFC 7641) is in observation.py: each is loaded when it is used.

from . import block
from . import numbers as n
from .endpoint import CANCELLED, RESPONSE, Full
from .message import ABSENT, encode_options


class Response:
    # code is None when there is none; how then tells why (endpoint.TIMEOUT, RESET, CANCELLED, UNUSABLE).
    code = None
    content_format = max_age = observe = size1 = ABSENT
    location = ""
    payload = b""

    def __init__(self, how, message=None):
        self.how = how
        if message is None:
            return
        self.code = message.code
        if message.is_bare():
            return
        self.content_format = message.content_format
        self.max_age = message.max_age
        self.location = message.location()
        self.observe = message.observe
        self.size1 = message.size1
        self.payload = message.body()

    def success(self):
        return self.code is not None and self.code >> 5 == 2


class Transfer:
    # A request and its response, in blocks where that takes several.
    exchange = None
    _blocks = None
    _done = False

    def __init__(self, client, address, code, options, payload, on_response, confirmable, context=None):
        self.client = client
        self.code = code
        self.options = options
        self.payload = payload
        self.address = address
        self._on_response = on_response
        self._confirmable = confirmable
        self._context = context

    def start(self, now):
        options = self.options
        if self.client.szx < block.LARGEST_SZX:
            # Tell the server at once which size suits this side (RFC 7959, 2.4).
            options = options + [(n.BLOCK2, block.value(0, False, self.client.szx))]
        self.request(options, self.payload, now)

    def cancel(self, now):
        if self.exchange:
            self.client.endpoint.cancel(self.exchange, now)
        else:
            self.finish(Response(CANCELLED), now)

    def blocks(self):
        if self._blocks is None:
            from .client_blocks import ClientBlocks

            self._blocks = ClientBlocks(self)
        return self._blocks

    def request(self, options, payload, now):
        self.exchange = self.client.endpoint.request(
            self.address,
            self.code,
            self.client.encoded(options),
            payload,
            self._on_end,
            now,
            self._confirmable,
            None,
            self._context,
        )

    def _on_end(self, exchange, how, message, now):
        try:
            if how != RESPONSE:
                self.finish(Response(how), now)
            elif message.block1 != ABSENT and self.blocks().go_on(message, now):
                return
            elif message.block2 != ABSENT and message.code >> 5 == 2:
                self.blocks().receive(message, now)
            else:
                self.finish(Response(how, message), now)
        except Full:
            self.finish(Response(CANCELLED), now)

    def finish(self, response, now):
        if self._done:
            return
        self._done = True
        self.exchange = None
        self._blocks = None
        if self in self.client.uploads:
            self.client.uploads.end(self, now)
        self._on_response(response, now)


class Client:
    def __init__(self, endpoint, szx=block.LARGEST_SZX, most_body=4096):
        self.endpoint = endpoint
        self.szx = szx
        self._most_in_one = block.size(szx)
        self.most_body = most_body
        self.bodies_too_large = 0
        # Requests in several blocks (client_blocks.py), once there was one.
        self.uploads = ()
        self.observations = set()
        # The options of the last request, and encoded: most requests have those of the one before.
        self._usual = ()
        self._usual_encoded = b""
        endpoint.on_timer.append(self._on_timer)

    def request(self, address, code, options, payload, on_response, now, confirmable=True, context=None):
        # options: (number, value) pairs. on_response(response, now) is called once. context: see
        # Endpoint.request(). Raises endpoint.Full.
        transfer = Transfer(self, address, code, options, payload, on_response, confirmable, context)
        if len(payload) > self._most_in_one:
            if not self.uploads:
                from .client_blocks import Uploads

                self.uploads = Uploads()
            self.uploads.begin(transfer, now)
        else:
            transfer.start(now)
        return transfer

    def encoded(self, options):
        if options is not self._usual:
            self._usual_encoded = encode_options(options)
            self._usual = options
        return self._usual_encoded

    def observe(self, address, options, on_response, now, context=None):
        # on_response(response, now) is called for every newer state: see Observation.
        from .observation import Observation

        observation = Observation(self, address, options, on_response, context)
        observation.start(now)
        self.observations.add(observation)
        return observation

    def _on_timer(self, now):
        for observation in list(self.observations):
            observation.on_timer(now)
