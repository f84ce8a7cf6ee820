# What makes an endpoint speak OSCORE: Endpoint(parameters, randbits, security=Security(context)). It protects what
# the endpoint sends and opens what it receives (RFC 8613, 8), for one peer; for many see contexts.py.

from ..coap import numbers as n
from ..coap.exchange import Refused
from ..coap.message import FormatError, encode_options
from .context import nonce

_TAG = 8
# The names of its counters, in the endpoint's.
UNPROTECTED = "oscore_unprotected"
UNDECODABLE = "oscore_undecodable"
UNKNOWN = "oscore_unknown_context"
REPLAYED = "oscore_replayed"
FORGED = "oscore_forged"
CHALLENGED = "oscore_challenged"


class Security:
    # open_paths: what may be asked without protection.
    def __init__(self, context, open_paths=()):
        self.context = context
        self.open_paths = open_paths
        # The code of the latest error that came unprotected, as from a peer that does not know this context. Only
        # to be shown: anybody can have sent it.
        self.told = None
        self._counters = None
        # The additional data of the latest request, which its response needs too.
        self._aad = self._aad_context = self._aad_piv = None
        # What is being sealed, and what was opened. They grow.
        self._plain = memoryview(bytearray(64))
        self._opened = bytearray(64)

    def join(self, endpoint):
        self._counters = endpoint.counters
        for name in (UNPROTECTED, UNDECODABLE, UNKNOWN, REPLAYED, FORGED, CHALLENGED):
            self._counters[name] = 0

    # -- which context

    def find(self, kid, kid_context):
        # Of a request; None when it is not known.
        context = self.context
        if context and context.recipient_id == kid and kid_context in (None, context.id_context):
            return context
        return None

    def at(self, address):
        # For a request to an address; None where there is none: then nothing is sent.
        return self.context

    # -- sealing: (code, options, payload) as they go out

    def seal(self, exchange):
        code, options, payload = exchange.code, exchange.options, exchange.payload
        if not exchange.wants_response:
            return self.seal_response(exchange.request, code, options, payload, True)
        context = exchange.context
        if exchange.echo:
            from .options import with_echo

            options = with_echo(options, exchange.echo)
        exchange.notified = None
        exchange.piv = piv = context.take_piv()
        value = option_value(piv, context.sender_id, context.kid_context)
        made = nonce(context.sender_iv, piv)
        aad = additional_data(context.sender_id, piv)
        return self._seal(context, made, aad, value, n.POST, code, options, payload)

    def seal_response(self, request, code, options, payload, own=False):
        # The one piggybacked response to a request may use its nonce; a notification may not, nor an answer to
        # what may be a replay (RFC 8613, 8.3). own: it does not.
        context = request.context
        value, made = b"", None
        if own or not request.fresh or (options and options[0] < n.URI_PATH << 4):
            # It may have an Observe option, or what comes before Uri-Path as well.
            piv = context.take_piv()
            value = option_value(piv)
            made = nonce(context.sender_iv, piv)
        else:
            made = nonce(context.recipient_iv, request.piv)
        aad = self._aad
        if self._aad_context is not context or self._aad_piv != request.piv:
            aad = additional_data(context.recipient_id, request.piv)
        return self._seal(context, made, aad, value, request.outer, code, options, payload)

    def _seal(self, context, made, aad, value, outer, code, options, payload):
        if options and options[0] < n.URI_PATH << 4:
            # Only one of the options before Uri-Path may have to go outside.
            from .options import split

            options, outside, observes = split(options, value, code >= n.CREATED)
            if observes:
                outer = n.CONTENT if code >= n.CREATED else n.FETCH
        else:
            outside = _option(value)
        start = 1 + len(options)
        size = start + (1 + len(payload) if payload else 0)
        if len(self._plain) < size + _TAG:
            self._plain = memoryview(bytearray(size + _TAG))
        plain = self._plain
        plain[0] = code
        plain[1:start] = options
        if payload:
            plain[start] = 0xFF
            plain[start + 1 : size] = payload
        return outer, outside, context.sender.seal(made, aad, plain, size)

    # -- opening: a message becomes the one inside, or Refused says why not

    def open_request(self, message, address):
        # None: it is not protected, and need not be. Otherwise its context, its Partial IV, the code that its
        # responses show, and the options of the answer when it may be a replay.
        value = message.oscore()
        if value is None:
            if self.open_paths and message.path() in self.open_paths:
                return None
            raise Refused(UNPROTECTED, n.UNAUTHORIZED, b"OSCORE only")
        piv, kid_context, kid = parse(value)
        if piv is None or kid is None:
            raise undecodable()
        context = self.find(kid, kid_context)
        if context is None:
            raise Refused(UNKNOWN, n.UNAUTHORIZED, b"Security context not found")
        number = int.from_bytes(piv, "big")
        if context.is_replay(number):
            raise Refused(REPLAYED, n.UNAUTHORIZED, b"Replay detected")
        shown = n.CONTENT if message.code == n.FETCH else n.CHANGED
        aad = additional_data(kid, piv)
        self._open(message, context, nonce(context.recipient_iv, piv), aad)
        self._aad_context = context
        self._aad_piv = piv
        self._aad = aad
        if message.code >= n.CREATED:
            raise undecodable()
        challenge = None
        if number < context.floor and not (context.echo and message.echo() == context.echo):
            challenge = self._challenge(context)
        else:
            context.accept(number)
        return context, piv, shown, challenge

    def open_response(self, exchange, message):
        value = message.oscore()
        if value is None:
            self.told = message.code
            raise Refused(UNPROTECTED, n.EMPTY, b"")
        context = exchange.context
        piv, _, _ = parse(value)
        number = -1 if piv is None else int.from_bytes(piv, "big")
        if exchange.notified is not None and number <= exchange.notified:
            raise Refused(REPLAYED, n.EMPTY, b"")
        if piv is None:
            made = nonce(context.sender_iv, exchange.piv)
        else:
            made = nonce(context.recipient_iv, piv)
        self._open(message, context, made, additional_data(context.sender_id, exchange.piv))
        if message.code < n.CREATED:
            raise undecodable()
        exchange.notified = number
        if message.observe >= 0:
            # For whoever compares: newer is as the Partial IVs say (RFC 8613, 7.4.1).
            message.observe = (number + 1) & 0xFFFFFF

    def _open(self, message, context, made, aad):
        # The plaintext is put where it makes a datagram, with the header and token that it came with.
        outer, sealed = message.data, message.payload()
        start = 3 + (outer[0] & 15)
        size = len(sealed) - _TAG
        if size < 1:
            raise undecodable()
        if len(self._opened) < start + size:
            self._opened = bytearray(start + size)
        inner = self._opened
        if context.recipient.open(made, aad, sealed, inner, start) < 0:
            raise Refused(FORGED, n.BAD_REQUEST, b"Decryption failed")
        code = inner[start]
        for place in range(start + 1):
            inner[place] = outer[place]
        inner[1] = code
        try:
            message.decode(inner, start + size)
        except FormatError:
            raise undecodable()

    def _challenge(self, context):
        self._counters[CHALLENGED] += 1
        if context.echo is None:
            # Never one of an earlier life: a request that answered that could be a replay.
            from os import urandom

            context.echo = urandom(8)
        return encode_options(((n.ECHO, context.echo),))


def undecodable():
    return Refused(UNDECODABLE, n.BAD_OPTION, b"Failed to decode COSE")


def _option(value):
    # The OSCORE option, alone.
    size = len(value)
    if size > 12:
        return encode_options(((n.OSCORE, value),))
    option = bytearray(1 + size)
    option[0] = n.OSCORE << 4 | size
    option[1:] = value
    return option


def option_value(piv, kid=None, kid_context=None):
    # RFC 8613, 6.1
    at = 1 + len(piv)
    flags = len(piv)
    if kid is None:
        kid = b""
    else:
        flags |= 8
    if kid_context is not None:
        flags |= 0x10
        kid = bytes((len(kid_context),)) + kid_context + kid
    value = bytearray(at + len(kid))
    value[0] = flags
    value[1:at] = piv
    value[at:] = kid
    return value


def parse(value):
    # (Partial IV, kid context, kid), each None where it is absent.
    if not value:
        return None, None, None
    flags = value[0]
    at = 1 + (flags & 7)
    if flags == 0 or flags & 0xE0 or at > 6 or at > len(value):
        raise undecodable()
    piv = value[1:at] if at > 1 else None
    kid_context = None
    if flags & 0x10:
        if at == len(value):
            raise undecodable()
        end = at + 1 + value[at]
        kid_context = value[at + 1 : end]
        at = end
    if at > len(value) or (at < len(value) and not flags & 8):
        raise undecodable()
    return piv, kid_context, value[at:] if flags & 8 else None


def additional_data(kid, piv):
    # The Enc_structure around aad_array (RFC 8613, 5.4), in CBOR. kid and piv are the request's.
    sizes = len(kid) + len(piv)
    data = bytearray(19 + sizes)
    data[:17] = b"\x83\x68Encrypt0\x40\x47\x85\x01\x81\x0a\x40"
    data[11] += sizes
    data[16] += len(kid)
    at = 17
    for octet in kid:
        data[at] = octet
        at += 1
    data[at] = 0x40 + len(piv)
    for octet in piv:
        at += 1
        data[at] = octet
    data[at + 1] = 0x40
    return data
