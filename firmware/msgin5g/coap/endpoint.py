# A CoAP endpoint: messages, and requests with their responses (RFC 7252, 4 and 5). No I/O, no clock.
#
# The adapter around it does four things:
#     endpoint.receive(data, size, address, now)     for every datagram that arrives
#     endpoint.handle_timer(now)                     when timer() says so
#     endpoint.timer()                               the tick at which something is due, or None
#     endpoint.datagrams_to_send()                   after each of these and after each request: what goes out
#
# Two rules hold it together. A confirmable message that is not acknowledged occupies one of its peer's NSTART
# places; the rest wait in the peer's queue. And every message received is known in `recent` before anything is
# done about it, so whatever a duplicate finds there is the whole truth.
#
# Timers are lazy: `_deadline` is never later than the earliest thing due, but may be earlier. An answer that
# arrives costs no bookkeeping; the scan at the deadline finds what is really due and sets the next.

from .. import ticks
from . import numbers as n
from .message import FormatError, Message, NotCoap, encode
from .recent import Recent

# How an exchange ends.
RESPONSE = 0
ACKNOWLEDGED = 1
TIMEOUT = 2
RESET = 3
CANCELLED = 4
# The blocks of a response could not be put together, or were more than this side takes.
UNUSABLE = 5

# A peer's Message IDs are handed out in four quarters; one is not entered again before EXCHANGE_LIFETIME has
# passed since it was left (RFC 7252, 4.4).
_QUARTER = 0x4000


class Full(Exception):
    # A bounded queue has no room; try again when something has been answered.
    pass


class Parameters:
    # RFC 7252, 4.8, in milliseconds, and the bounds of this endpoint. The defaults suit a board.
    def __init__(
        self,
        ack_timeout=2000,
        ack_random_percent=150,
        max_retransmit=4,
        nstart=1,
        max_latency=100000,
        response_timeout=30000,
        separate_after=1000,
        token_length=4,
        most_waiting=8,
        most_peers=8,
        most_unanswered=4,
        most_recent=32,
        most_recent_octets=4096,
    ):
        self.ack_timeout = ack_timeout
        self.ack_random_percent = ack_random_percent
        self.max_retransmit = max_retransmit
        self.nstart = nstart
        # How long a response may take once the request has been acknowledged.
        self.response_timeout = response_timeout
        # A request that has no response by then gets an empty acknowledgement, the response comes separately.
        self.separate_after = separate_after
        self.token_length = token_length
        self.most_waiting = most_waiting
        self.most_peers = most_peers
        self.most_unanswered = most_unanswered
        self.most_recent = most_recent
        self.most_recent_octets = most_recent_octets
        span = ack_timeout * ((1 << max_retransmit) - 1) * ack_random_percent // 100
        self.exchange_lifetime = span + 2 * max_latency + ack_timeout


class Peer:
    # What is known of the endpoint at one address.
    def __init__(self, number, address, mid, now):
        self.number = number
        self.address = address
        self.next_mid = mid
        self.outstanding = 0
        self.waiting = []
        self.last_seen = now
        self._quarter_left = None

    def take_mid(self, lifetime, now):
        # The next Message ID, or -1 while all of them are too young to be used again.
        mid = self.next_mid
        if mid % _QUARTER == 0 and self._quarter_left:
            left = self._quarter_left[mid // _QUARTER]
            if left is not None and ticks.diff(now, left) < lifetime:
                return -1
        self.next_mid = (mid + 1) & 0xFFFF
        if self.next_mid % _QUARTER == 0:
            if self._quarter_left is None:
                self._quarter_left = [None, None, None, None]
            self._quarter_left[mid // _QUARTER] = now
        return mid

    def idle(self):
        return not self.outstanding and not self.waiting


class Exchange:
    # A message of ours that something is expected for: a response, or (token_wanted False) an acknowledgement.
    def __init__(self, peer, code, token, options, payload, confirmable, token_wanted, on_end):
        self.peer = peer
        self.code = code
        self.token = token
        self.options = options
        self.payload = payload
        self.confirmable = confirmable
        self.token_wanted = token_wanted
        # on_end(exchange, how, message, now); message only with RESPONSE, and only valid during the call.
        self.on_end = on_end
        # Set by on_end of an observe request: further responses with this token are wanted.
        self.keep = False
        self.mid = -1
        self.datagram = None
        self.timeout = 0
        self.transmissions = 0
        self.deadline = None
        self.over = False


class Request:
    # A request of a peer, until it is answered.
    def __init__(self, peer, message, now):
        self.peer = peer
        self.mid = message.mid
        self.token = message.token()
        self.code = message.code
        self.confirmable = message.type == n.CON
        self.acknowledged = False
        self.answered = False
        self.received = now


class Endpoint:
    def __init__(self, parameters, randbits, on_request=None):
        # randbits(k) -> k random bits. on_request(request, message, now) -> None; it, or someone later,
        # calls respond().
        self.parameters = parameters
        self.on_request = on_request
        self._randbits = randbits
        self._message = Message()
        self._peers = {}
        self._next_peer = 0
        self._recent = Recent(
            parameters.exchange_lifetime, parameters.most_recent, parameters.most_recent_octets
        )
        self._unacknowledged = {}
        self._expecting = {}
        self._unanswered = {}
        self._outgoing = []
        self._deadline = None
        self._blocked = False
        # Called by every handle_timer() that finds the deadline passed; each arms what it waits for next.
        self.on_timer = []
        self.counters = {
            "received": 0,
            "sent": 0,
            "retransmitted": 0,
            "duplicates": 0,
            "not_coap": 0,
            "format_errors": 0,
            "unexpected": 0,
            "timeouts": 0,
            "resets": 0,
            "refused_busy": 0,
            "peers_forgotten": 0,
        }

    # -- what the adapter calls

    def receive(self, data, size, address, now):
        counters = self.counters
        counters["received"] += 1
        message = self._message
        try:
            message.decode(data, size)
        except NotCoap:
            counters["not_coap"] += 1
            return
        except FormatError:
            counters["format_errors"] += 1
            if message.type <= n.NON:
                self._send(encode(n.RST, n.EMPTY, message.mid), address)
            return
        peer = self._peers.get(address)
        if peer is None:
            peer = self.peer(address, now)
            if peer is None:
                counters["refused_busy"] += 1
                return
        peer.last_seen = now
        if message.type >= n.ACK:
            self._acknowledgement(peer, message, now)
            return
        key = peer.number << 16 | message.mid
        if self._recent.knows(key, now):
            counters["duplicates"] += 1
            answer = self._recent.answer(key)
            if answer and message.type == n.CON:
                self._send(answer, address)
        elif message.code == n.EMPTY:
            # A ping (RFC 7252, 4.3). An empty NON means nothing.
            if message.type == n.CON:
                self._reject(peer, message)
        elif message.code < n.CREATED:
            self._recent.add(key, now)
            self._request(peer, message, now)
        else:
            self._recent.add(key, now)
            self._separate_response(peer, message, now)

    def timer(self):
        return self._deadline

    def handle_timer(self, now):
        if self._deadline is None or ticks.diff(self._deadline, now) > 0:
            return
        self._deadline = None
        for exchange in list(self._unacknowledged.values()):
            if ticks.diff(exchange.deadline, now) <= 0:
                self._retransmit(exchange, now)
            if not exchange.over:
                self.arm(exchange.deadline)
        for exchange in list(self._expecting.values()):
            if exchange.deadline is None or exchange.over:
                continue
            if ticks.diff(exchange.deadline, now) <= 0:
                self._end(exchange, TIMEOUT, None, now)
            else:
                self.arm(exchange.deadline)
        for request in list(self._unanswered.values()):
            due = ticks.add(request.received, self.parameters.separate_after)
            if ticks.diff(due, now) <= 0:
                self.acknowledge(request)
            else:
                self.arm(due)
        if self._blocked:
            self._blocked = False
            for peer in list(self._peers.values()):
                self._start_waiting(peer, now)
        for callback in self.on_timer:
            callback(now)

    def datagrams_to_send(self):
        # [(datagram, address)], oldest first.
        outgoing = self._outgoing
        if not outgoing:
            return ()
        self._outgoing = []
        self.counters["sent"] += len(outgoing)
        return outgoing

    # -- what the layers above call

    def peer(self, address, now):
        # The peer at an address; None when there are too many and all are busy.
        peer = self._peers.get(address)
        if peer is None:
            if len(self._peers) >= self.parameters.most_peers:
                self._forget_peers(now)
                if len(self._peers) >= self.parameters.most_peers:
                    return None
            # The number is part of the keys in `recent`: a peer that was forgotten and comes back is a new one.
            self._next_peer += 1
            peer = Peer(self._next_peer, address, self._randbits(16), now)
            self._peers[address] = peer
        return peer

    def request(self, address, code, options, payload, on_end, now, confirmable=True, token=None):
        # options as encode_options() made them; a token only to use an earlier one again. Raises Full when
        # the peer's queue is.
        peer = self.peer(address, now)
        if peer is None:
            raise Full
        token = token or self._new_token()
        exchange = Exchange(peer, code, token, options, payload, confirmable, True, on_end)
        self._submit(exchange, now)
        self._expecting[exchange.token] = exchange
        return exchange

    def ping(self, address, on_end, now):
        # on_end gets RESET when the peer is there (RFC 7252, 4.3), TIMEOUT when it does not answer.
        peer = self.peer(address, now)
        if peer is None:
            raise Full
        exchange = Exchange(peer, n.EMPTY, b"", b"", b"", True, False, on_end)
        self._submit(exchange, now)
        return exchange

    def cancel(self, exchange, now):
        self._end(exchange, CANCELLED, None, now)

    def acknowledge(self, request):
        # The response will come separately (RFC 7252, 5.2.2).
        if request.confirmable and not request.acknowledged:
            request.acknowledged = True
            key = request.peer.number << 16 | request.mid
            self._unanswered.pop(key, None)
            self._answer(request.peer, request.mid, encode(n.ACK, n.EMPTY, request.mid))

    def respond(self, request, code, options, payload, now):
        # The first response is the response.
        if request.answered:
            return
        request.answered = True
        peer = request.peer
        if request.confirmable and not request.acknowledged:
            request.acknowledged = True
            self._unanswered.pop(peer.number << 16 | request.mid, None)
            self._answer(
                peer, request.mid, encode(n.ACK, code, request.mid, request.token, options, payload)
            )
        else:
            try:
                self.notify(peer, code, request.token, options, payload, request.confirmable, None, now)
            except Full:
                # The peer does not acknowledge what it has been sent; its request will time out.
                self.counters["refused_busy"] += 1

    def notify(self, peer, code, token, options, payload, confirmable, on_end, now):
        # A response that travels in a message of its own: a separate one, or a notification.
        exchange = Exchange(peer, code, token, options, payload, confirmable, False, on_end)
        self._submit(exchange, now)
        return exchange

    def occupancy(self):
        # What is held at the moment, for an operator to see.
        return {
            "peers": len(self._peers),
            "exchanges": len(self._expecting),
            "unanswered": len(self._unanswered),
            "recent": len(self._recent),
            "recent_shed": self._recent.shed,
        }

    # -- receiving

    def _request(self, peer, message, now):
        if message.unrecognized:
            if message.type == n.NON:
                self._reject(peer, message)
                return
            code = n.BAD_OPTION
            if message.unrecognized in (n.PROXY_URI, n.PROXY_SCHEME):
                code = n.PROXYING_NOT_SUPPORTED
            self._answer(peer, message.mid, encode(n.ACK, code, message.mid, message.token()))
            return
        request = Request(peer, message, now)
        if request.confirmable:
            if len(self._unanswered) >= self.parameters.most_unanswered:
                self.counters["refused_busy"] += 1
                self.respond(request, n.SERVICE_UNAVAILABLE, b"", b"", now)
                return
            self._unanswered[peer.number << 16 | request.mid] = request
            self.arm(ticks.add(now, self.parameters.separate_after))
        if self.on_request:
            self.on_request(request, message, now)
        else:
            self.respond(request, n.NOT_FOUND, b"", b"", now)

    def _acknowledgement(self, peer, message, now):
        exchange = self._unacknowledged.get(peer.number << 16 | message.mid)
        if exchange is None:
            # The RST that ends a notification sent as NON comes here as well: nothing waits for it.
            self.counters["unexpected"] += 1
        elif message.type == n.RST:
            self.counters["resets"] += 1
            self._end(exchange, RESET, None, now)
        elif message.code == n.EMPTY:
            if exchange.token_wanted:
                self._release(exchange, now)
                exchange.deadline = ticks.add(now, self.parameters.response_timeout)
                self.arm(exchange.deadline)
            else:
                self._end(exchange, ACKNOWLEDGED, None, now)
        elif message.code >= n.CREATED and message.has_token(exchange.token) and not message.unrecognized:
            self._end(exchange, RESPONSE, message, now)
        else:
            self.counters["unexpected"] += 1

    def _separate_response(self, peer, message, now):
        exchange = self._expecting.get(message.token())
        if exchange is None or exchange.peer is not peer or message.unrecognized:
            # Not ours, or no longer: RST also tells a server to forget an observer (RFC 7641, 3.6).
            self.counters["unexpected"] += 1
            self._reject(peer, message)
            return
        if message.type == n.CON:
            self._answer(peer, message.mid, encode(n.ACK, n.EMPTY, message.mid))
        self._end(exchange, RESPONSE, message, now)

    def _reject(self, peer, message):
        self._answer(peer, message.mid, encode(n.RST, n.EMPTY, message.mid))

    def _answer(self, peer, mid, datagram):
        self._recent.keep_answer(peer.number << 16 | mid, datagram)
        self._send(datagram, peer.address)

    # -- sending

    def _submit(self, exchange, now):
        peer = exchange.peer
        if not peer.waiting and (not exchange.confirmable or peer.outstanding < self.parameters.nstart):
            if self._start(exchange, now):
                return
        if len(peer.waiting) >= self.parameters.most_waiting:
            raise Full
        peer.waiting.append(exchange)

    def _start(self, exchange, now):
        peer = exchange.peer
        parameters = self.parameters
        mid = peer.take_mid(parameters.exchange_lifetime, now)
        if mid < 0:
            # Every Message ID has been used within EXCHANGE_LIFETIME: it waits for the oldest quarter.
            self._blocked = True
            self.arm(ticks.add(now, 1000))
            return False
        exchange.mid = mid
        kind = n.CON if exchange.confirmable else n.NON
        datagram = encode(kind, exchange.code, mid, exchange.token, exchange.options, exchange.payload)
        self._send(datagram, peer.address)
        # The datagram is all that is needed from here on.
        exchange.options = exchange.payload = None
        if exchange.confirmable:
            spread = parameters.ack_timeout * (parameters.ack_random_percent - 100) // 100
            exchange.timeout = parameters.ack_timeout + (spread * self._randbits(8) >> 8)
            exchange.datagram = datagram
            exchange.transmissions = 1
            exchange.deadline = ticks.add(now, exchange.timeout)
            peer.outstanding += 1
            self._unacknowledged[peer.number << 16 | mid] = exchange
        elif exchange.token_wanted:
            exchange.deadline = ticks.add(now, parameters.response_timeout)
        else:
            return True
        self.arm(exchange.deadline)
        return True

    def _retransmit(self, exchange, now):
        if exchange.transmissions > self.parameters.max_retransmit:
            self.counters["timeouts"] += 1
            self._end(exchange, TIMEOUT, None, now)
            return
        exchange.transmissions += 1
        exchange.timeout *= 2
        exchange.deadline = ticks.add(now, exchange.timeout)
        self.counters["retransmitted"] += 1
        self._send(exchange.datagram, exchange.peer.address)

    def _end(self, exchange, how, message, now):
        if exchange.over:
            return
        self._release(exchange, now)
        if how == RESPONSE:
            # Known before on_end is called: it may set keep, or send the next request.
            exchange.deadline = None
            if exchange.on_end:
                exchange.on_end(exchange, how, message, now)
            if exchange.keep:
                return
        exchange.over = True
        if exchange.token_wanted and self._expecting.get(exchange.token) is exchange:
            del self._expecting[exchange.token]
        if how != RESPONSE and exchange.on_end:
            exchange.on_end(exchange, how, None, now)

    def _release(self, exchange, now):
        # It no longer occupies a place of its peer's: acknowledged, ended, or taken out of the queue.
        peer = exchange.peer
        if exchange.datagram is not None:
            exchange.datagram = None
            del self._unacknowledged[peer.number << 16 | exchange.mid]
            peer.outstanding -= 1
            self._start_waiting(peer, now)
        elif exchange.mid < 0 and exchange in peer.waiting:
            peer.waiting.remove(exchange)

    def _start_waiting(self, peer, now):
        while peer.waiting and peer.outstanding < self.parameters.nstart:
            exchange = peer.waiting.pop(0)
            if not self._start(exchange, now):
                peer.waiting.insert(0, exchange)
                return

    def _send(self, datagram, address):
        self._outgoing.append((datagram, address))

    def arm(self, deadline):
        # Something is due then: see on_timer.
        if self._deadline is None or ticks.diff(deadline, self._deadline) < 0:
            self._deadline = deadline

    def random(self, below):
        # 0 <= result < below, for jitter; below is at most 2**14 on a 32-bit board before the heap is touched.
        return self._randbits(16) * below >> 16

    def _new_token(self):
        length = self.parameters.token_length
        while True:
            token = self._randbits(8 * length).to_bytes(length, "big")
            if token not in self._expecting:
                return token

    def _forget_peers(self, now):
        # Those silent for EXCHANGE_LIFETIME; when that makes no room, all that have nothing under way.
        busy = {exchange.peer.number for exchange in self._expecting.values()}
        lifetime = self.parameters.exchange_lifetime
        for patient in (True, False):
            for address, peer in list(self._peers.items()):
                if peer.idle() and peer.number not in busy:
                    if not patient or ticks.diff(now, peer.last_seen) >= lifetime:
                        del self._peers[address]
                        self.counters["peers_forgotten"] += 1
            if len(self._peers) < self.parameters.most_peers:
                return
