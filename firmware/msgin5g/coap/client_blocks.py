# A request or response that a client sends or receives in several blocks (RFC 7959): out by Block1, in by Block2.

from . import block
from . import numbers as n
from .client import Response
from .endpoint import CANCELLED, RESPONSE, UNUSABLE, Full

# How many times a body is fetched anew when its ETag changes between two blocks.
_MOST_RESTARTS = 3


class Uploads(list):
    # Transfers by Block1, oldest first. Of those to one resource only the first is under way: a server can't tell
    # apart the blocks of two (RFC 7959, 2.5).

    def begin(self, transfer, now):
        if len(self) >= transfer.client.endpoint.parameters.most_waiting:
            raise Full
        if not self._first_to(transfer):
            transfer.blocks().send(now)
        self.append(transfer)

    def end(self, transfer, now):
        # The next one to the same resource can start.
        self.remove(transfer)
        following = self._first_to(transfer)
        if following and not following.exchange:
            try:
                following.blocks().send(now)
            except Full:
                following.finish(Response(CANCELLED), now)

    def _first_to(self, transfer):
        # The first to the resource of a transfer.
        for upload in self:
            if upload.address == transfer.address and _uri(upload) == _uri(transfer):
                return upload
        return None


def _uri(transfer):
    return [option for option in transfer.options if option[0] in (n.URI_PATH, n.URI_QUERY)]


class ClientBlocks:
    def __init__(self, transfer):
        self._transfer = transfer
        self._szx = transfer.client.szx
        self._sent = 0
        self._body = None
        self._etag = None
        self._restarts = 0
        self._first = None

    def send(self, now):
        size = block.size(self._szx)
        more = self._sent + size < len(self._transfer.payload)
        options = list(self._transfer.options)
        options.append((n.BLOCK1, block.value(self._sent // size, more, self._szx)))
        if self._sent == 0:
            options.append((n.SIZE1, len(self._transfer.payload)))
        piece = memoryview(self._transfer.payload)[self._sent : self._sent + size]
        self._transfer.request(options, piece, now)

    def go_on(self, message, now):
        # True when another block of the request has gone out.
        asked = block.szx(message.block1)
        if message.code == n.REQUEST_ENTITY_TOO_LARGE:
            if self._sent or asked >= self._szx:
                return False
            self._szx = asked
            self.send(now)
            return True
        size = block.size(self._szx)
        if message.code >> 5 != 2 or self._sent + size >= len(self._transfer.payload):
            return False
        self._sent += size
        # A server may ask for smaller blocks, in any answer; larger ones are not its to ask.
        self._szx = min(self._szx, asked)
        self.send(now)
        return True

    def receive(self, message, now):
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
            self._transfer.finish(Response(UNUSABLE), now)
        elif len(self._body) + len(payload) > self._transfer.client.most_body:
            self._transfer.client.bodies_too_large += 1
            self._transfer.finish(Response(UNUSABLE), now)
        else:
            self._szx = min(exponent, self._szx)
            self._body.extend(payload)
            if block.more(this):
                self._fetch(len(self._body) >> (self._szx + 4), now)
            else:
                self._first.payload = bytes(self._body)
                self._transfer.finish(self._first, now)

    def _fetch(self, number, now):
        options = list(self._transfer.options)
        options.append((n.BLOCK2, block.value(number, False, self._szx)))
        self._transfer.request(options, b"", now)

    def _restart(self, now):
        # The body has changed between two blocks. Only a GET can be done again.
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS or self._transfer.code != n.GET:
            self._transfer.finish(Response(UNUSABLE), now)
            return
        self._body = None
        self._fetch(0, now)
