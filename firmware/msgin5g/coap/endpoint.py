# A CoAP endpoint: messages, and requests with their responses (RFC 7252, 4 and 5). No I/O, no clock.
#
# The adapter around it does four things:
#     endpoint.receive(data, size, address, now)     for every datagram that arrives
#     endpoint.handle_timer(now)                     when timer() says so
#     endpoint.timer()                               the tick at which something is due, or None
#     endpoint.datagrams_to_send()                   after each of these and after each request: what goes out
# None of them raises, whatever arrives and whatever a callback does (see on_error).
#
# Every request or response received is known in `recent` before anything is done about it, so whatever a
# duplicate finds there is the whole truth. How messages go out is in transmission.py.

from .. import ticks
from . import numbers as n
from .exchange import (
    ACKNOWLEDGED,
    CANCELLED,
    RESET,
    RESPONSE,
    TIMEOUT,
    UNUSABLE,
    Full,
    Parameters,
    Refused,
    Request,
)
from .message import FormatError, Message, NotCoap, encode
from .recent import Recent
from .transmission import Transmission

# Whoever uses an endpoint finds all that belongs to it here.
__all__ = (
    "ACKNOWLEDGED",
    "CANCELLED",
    "RESET",
    "RESPONSE",
    "TIMEOUT",
    "UNUSABLE",
    "Endpoint",
    "Full",
    "Parameters",
    "Refused",
)


class Endpoint(Transmission):
    def __init__(self, parameters, randbits, on_request=None, security=None):
        # on_request(request, message, now) -> None; it, or someone later, calls respond(). With security
        # (oscore/security.py) every request and response is protected.
        super().__init__(parameters, randbits, security)
        if security:
            security.join(self)
        self.on_request = on_request
        self._message = Message()
        self._recent = Recent(
            parameters.exchange_lifetime, parameters.most_recent, parameters.most_recent_octets
        )
        # Confirmable requests of peers that have had neither acknowledgement nor response.
        self._unanswered = {}
        # Called by every handle_timer() that finds the deadline passed; each arms what it waits for next.
        self.on_timer = []

    # -- what the adapter calls (with timer() and datagrams_to_send())

    def receive(self, data, size, address, now):
        # data may be a buffer that is used again: what is needed later is copied.
        self.counters["received"] += 1
        message = self._message
        try:
            message.decode(data, size)
        except NotCoap:
            self.counters["not_coap"] += 1
            return
        except FormatError:
            self.counters["format_errors"] += 1
            if message.type <= n.NON:
                self._reject(message, address)
            return
        if message.type >= n.ACK:
            self._acknowledgement(message, address, now)
        elif message.code == n.EMPTY:
            # A ping (RFC 7252, 4.3). An empty NON means nothing.
            if message.type == n.CON:
                self._reject(message, address)
        elif message.code < n.CREATED:
            self._request(message, address, now)
        else:
            self._separate_response(message, address, now)

    def handle_timer(self, now):
        if self._deadline is None or ticks.diff(self._deadline, now) > 0:
            return
        self._deadline = None
        self._outstanding_due(now)
        self._responses_due(now)
        self._acknowledgements_due(now)
        due = self._recent.expire(now)
        if due is not None:
            self.arm(due)
        self._wake_quarters(now)
        for callback in self.on_timer:
            try:
                callback(now)
            except Exception as error:
                self._callback_failed(error)

    # -- what the layers above call

    def request(
        self, address, code, options, payload, on_end, now, confirmable=True, token=None, context=None
    ):
        # options as encode_options() made them; a token only to use an earlier one again. context: which one
        # protects it, by default the one of the peer at that address; False for none. Raises Full when the
        # peer's queue is, or when there is no context for that address.
        if self.security and context is None:
            context = self.security.at(address)
            if context is None:
                # Nothing goes out unprotected by mistake.
                raise Full
        token = token or self._new_token()
        exchange = self._submit(
            address, code, token, options, payload, confirmable, True, on_end, now, context or None
        )
        if not exchange.over:
            self._expecting[token] = exchange
        return exchange

    def ping(self, address, on_end, now):
        # on_end gets RESET when the peer is there (RFC 7252, 4.3), TIMEOUT when it does not answer.
        return self._submit(address, n.EMPTY, b"", b"", b"", True, False, on_end, now)

    def cancel(self, exchange, now):
        self._end(exchange, CANCELLED, None, now)

    def acknowledge(self, request):
        # The response will come separately (RFC 7252, 5.2.2).
        if request.confirmable and not request.acknowledged:
            self._answer(request, encode(n.ACK, n.EMPTY, request.mid))

    def respond(self, request, code, options, payload, now):
        # The first response is the response.
        if request.answered:
            return
        request.answered = True
        token = request.token
        if request.confirmable and not request.acknowledged:
            if request.context:
                code, options, payload = self.security.seal_response(request, code, options, payload)
            self._answer(request, encode(n.ACK, code, request.mid, token, options, payload))
            return
        try:
            self.notify(request.peer, code, token, options, payload, request.confirmable, None, now, request)
        except Full:
            # The peer does not acknowledge what it has been sent; its request will time out.
            self.counters["refused_busy"] += 1

    def notify(self, peer, code, token, options, payload, confirmable, on_end, now, request=None):
        # A response that travels in a message of its own: a separate one, or a notification. The request that
        # it responds to tells how it is protected.
        context = request.context if request else None
        return self._submit(
            peer.address, code, token, options, payload, confirmable, False, on_end, now, context, request
        )

    def occupancy(self):
        # What is held at the moment, for an operator to see.
        return {
            "peers": len(self._peers),
            "exchanges": len(self._expecting),
            "outstanding": len(self._outstanding),
            "unanswered": len(self._unanswered),
            "recent": len(self._recent),
            "recent_octets": self._recent.octets,
            "recent_shed": self._recent.shed,
        }

    # -- receiving

    def _request(self, message, address, now):
        opened = None
        peer = self._peers.get(address) if self.security else self.peer(address, now)
        if peer and self._is_duplicate(peer, message, now):
            return
        if self.security:
            # Who is not who it says costs no peer its place or its memory.
            try:
                opened = self.security.open_request(message, address)
            except Refused as refused:
                self._refuse(refused, message, address)
                return
            except Exception as error:
                self._callback_failed(error)
                return
            peer = self.peer(address, now)
        if peer is None:
            return
        self._remember(peer, message, now)
        if message.unrecognized and message.type == n.NON:
            self._reject(message, address)
            return
        request = Request(peer, message, now)
        if opened:
            request.context, request.piv, request.outer, challenge = opened
            if challenge:
                self._challenge(request, challenge, now)
                return
        if message.unrecognized:
            # RFC 7252, 5.4.1 and 5.7.2
            proxy = message.unrecognized in (n.PROXY_URI, n.PROXY_SCHEME)
            code = n.PROXYING_NOT_SUPPORTED if proxy else n.BAD_OPTION
            diagnostic = ("option %d" % message.unrecognized).encode()
            self.respond(request, code, b"", diagnostic, now)
            return
        if request.confirmable:
            if len(self._unanswered) >= self.parameters.most_unanswered:
                self.counters["refused_busy"] += 1
                self.respond(request, n.SERVICE_UNAVAILABLE, b"", b"", now)
                return
            if not self._unanswered:
                # Those that come after it are due after it.
                self.arm(ticks.add(now, self.parameters.separate_after))
            self._unanswered[peer.number << 16 | request.mid] = request
        self._call_on_request(request, message, now)

    def _call_on_request(self, request, message, now):
        if self.on_request is None:
            self.respond(request, n.NOT_FOUND, b"", b"", now)
            return
        try:
            self.on_request(request, message, now)
        except Exception as error:
            self._callback_failed(error)
            self.respond(request, n.INTERNAL_SERVER_ERROR, b"", b"", now)

    def _acknowledgement(self, message, address, now):
        # An ACK or a RST. The RST that rejects a non-confirmable response finds nothing that waits for it.
        peer = self._peers.get(address)
        exchange = self._outstanding.get(peer.number << 16 | message.mid) if peer else None
        if exchange is None:
            self.counters["unexpected"] += 1
            return
        peer.last_used = now
        if message.type == n.RST and message.code == n.EMPTY:
            self._end(exchange, RESET, None, now)
        elif message.type == n.RST or not exchange.confirmable:
            self.counters["unexpected"] += 1
        elif message.code == n.EMPTY:
            self._acknowledged(exchange, now)
        elif message.code >= n.CREATED and exchange.wants_response and message.has_token(exchange.token):
            if not exchange.context or self._opens(exchange, message):
                self._response(exchange, message, now)
        else:
            self.counters["unexpected"] += 1

    def _acknowledged(self, exchange, now):
        if exchange.wants_response:
            self._release(exchange, now)
            exchange.deadline = ticks.add(now, self.parameters.response_timeout)
            self.arm(exchange.deadline)
        else:
            self._end(exchange, ACKNOWLEDGED, None, now)

    def _separate_response(self, message, address, now):
        # Or a notification.
        exchange = self._expecting.get(message.token())
        if exchange and exchange.anyone:
            exchange.responder = address
        elif exchange and exchange.peer.address != address:
            exchange = None
        peer = self.peer(address, now) if exchange else self._peers.get(address)
        if peer and self._is_duplicate(peer, message, now):
            return
        if exchange is None:
            # Not ours, or no longer: RST also tells a server to forget an observer (RFC 7641, 3.6). Nothing
            # is remembered for strangers' sake.
            self.counters["unexpected"] += 1
            self._reject(message, address)
            return
        if peer is None or (exchange.context and not self._opens(exchange, message)):
            return
        if message.unrecognized:
            self._reject(message, address)
        else:
            self._remember(peer, message, now)
            if message.type == n.CON:
                acknowledgement = encode(n.ACK, n.EMPTY, message.mid)
                self._recent.keep_answer(peer.number << 16 | message.mid, acknowledgement)
                self._outgoing.append((acknowledgement, address))
        self._response(exchange, message, now)

    def _opens(self, exchange, message):
        # Whether a protected response is what it seems. If not, whoever sent it, the exchange goes on (RFC 8613, 8.4).
        try:
            self.security.open_response(exchange, message)
        except Refused as refused:
            self.counters[refused.counter] += 1
            return False
        return True

    def _challenge(self, request, options, now):
        # It may be a replay: only its sender can repeat it with this Echo option.
        request.fresh = False
        try:
            self.respond(request, n.UNAUTHORIZED, options, b"", now)
        except Exception as error:
            self._callback_failed(error)

    def _refuse(self, refused, message, address):
        # A request that is not protected as it should be. Nothing is remembered of it.
        self.counters[refused.counter] += 1
        if message.type == n.CON:
            token, diagnostic = message.token(), refused.diagnostic
            datagram = encode(n.ACK, refused.code, message.mid, token, b"", diagnostic)
            self._outgoing.append((datagram, address))
        else:
            self._reject(message, address)

    def _response(self, exchange, message, now):
        if exchange.context and message.code == n.UNAUTHORIZED and message.echo():
            self._repeat(exchange, message.echo(), now)
            return
        if message.unrecognized:
            # It is rejected (RFC 7252, 5.4.1), and asking again would bring the same.
            self._end(exchange, UNUSABLE, None, now)
        else:
            self._end(exchange, RESPONSE, message, now)

    def _is_duplicate(self, peer, message, now):
        key = peer.number << 16 | message.mid
        if not self._recent.knows(key, now):
            return False
        self.counters["duplicates"] += 1
        answer = self._recent.answer(key)
        if answer and message.type == n.CON:
            self._outgoing.append((answer, peer.address))
        return True

    def _remember(self, peer, message, now):
        if self._recent.add(peer.number << 16 | message.mid, now):
            self.arm(ticks.add(now, self.parameters.exchange_lifetime))

    def _reject(self, message, address):
        self._outgoing.append((encode(n.RST, n.EMPTY, message.mid), address))

    def _answer(self, request, datagram):
        # The ACK to a confirmable request, with or without the response.
        request.acknowledged = True
        key = request.peer.number << 16 | request.mid
        self._unanswered.pop(key, None)
        self._recent.keep_answer(key, datagram)
        self._outgoing.append((datagram, request.peer.address))

    def _acknowledgements_due(self, now):
        for request in list(self._unanswered.values()):
            due = ticks.add(request.received, self.parameters.separate_after)
            if ticks.diff(due, now) <= 0:
                self.acknowledge(request)
            else:
                self.arm(due)
