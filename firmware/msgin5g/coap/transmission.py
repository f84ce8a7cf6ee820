# The sending half of an endpoint: peers and their NSTART places, Message IDs, tokens, retransmission (RFC
# 7252, 4).
#
# A message that is outstanding occupies one of its peer's NSTART places; the rest wait in the peer's queue.
#
# Timers are lazy: `_deadline` is never later than the earliest thing due, but may be earlier. An answer that
# arrives costs no bookkeeping; the scan at the deadline finds what is really due and sets the next.

from .. import ticks
from . import numbers as n
from .exchange import CANCELLED, RESET, RESPONSE, TIMEOUT, Exchange, Full, Peer, ends_quarter, quarter_bit
from .message import encode

# Deadlines are met up to so many milliseconds late, so that those which lie close together cost one scan.
_GRAIN = 32
_MOST_REPETITIONS = 3


class Transmission:
    def __init__(self, parameters, randbits, security=None):
        # randbits(k) -> k random bits, k at most 16.
        self.parameters = parameters
        # What protects messages (oscore/security.py), or None.
        self.security = security
        # on_error(exception): a callback raised it.
        self.on_error = _only_counted
        self._randbits = randbits
        self._peers = {}
        self._next_peer = 0
        # By peer and Message ID: what occupies a place. By token: what a response is expected for.
        self._outstanding = {}
        self._expecting = {}
        # (peer, quarter of its Message IDs, since when it rests), oldest first
        self._resting = []
        self._outgoing = []
        self._deadline = None
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
            "callback_errors": 0,
        }

    def timer(self):
        return self._deadline

    def datagrams_to_send(self) -> "list | tuple":
        # [(datagram, address)], oldest first.
        outgoing = self._outgoing
        if not outgoing:
            return ()
        self._outgoing = []
        self.counters["sent"] += len(outgoing)
        return outgoing

    def peer(self, address, now):
        # The peer at an address; None when there are too many and all are busy.
        peer = self._peers.get(address)
        if peer is None:
            if len(self._peers) >= self.parameters.most_peers and not self._forget_peers(now):
                self.counters["refused_busy"] += 1
                return None
            # The number is part of the keys in `recent`: a peer that was forgotten and comes back is a new
            # one.
            self._next_peer += 1
            peer = Peer(self._next_peer, address, self._randbits(16), now)
            self._peers[address] = peer
        peer.last_used = now
        return peer

    def arm(self, deadline):
        # Something is due then: see on_timer.
        if self._deadline is None or ticks.diff(deadline, self._deadline) < 0:
            self._deadline = ticks.add(deadline, _GRAIN - 1) & -_GRAIN

    def random(self, below):
        # 0 <= result < below, for jitter; below is at most 2**14 on a 32-bit board before the heap is
        # touched.
        return self._randbits(16) * below >> 16

    # -- one message

    def _submit(
        self,
        address,
        code,
        token,
        options,
        payload,
        confirmable,
        wants_response,
        on_end,
        now,
        context=None,
        request=None,
    ):
        peer = self.peer(address, now)
        if peer is None:
            raise Full
        exchange = Exchange(
            peer, code, token, options, payload, confirmable, wants_response, on_end, context, request
        )
        room = peer.outstanding < self.parameters.nstart and not peer.waiting
        if (room or not exchange.occupies()) and self._start(exchange, now):
            return exchange
        if len(peer.waiting) >= self.parameters.most_waiting:
            raise Full
        peer.waiting.append(exchange)
        return exchange

    def _start(self, exchange, now):
        # False while there is no Message ID to be had.
        peer = exchange.peer
        mid = peer.take_mid()
        if mid < 0:
            return False
        if ends_quarter(mid):
            self._rest(peer, mid, now)
        exchange.mid = mid
        kind = n.CON if exchange.confirmable else n.NON
        code, options, payload = exchange.code, exchange.options, exchange.payload
        if exchange.context:
            # Here, so that a retransmission is the same datagram, and no number is given to what never leaves.
            try:
                code, options, payload = self.security.seal(exchange)
            except Exception as error:
                self._callback_failed(error)
                self._end(exchange, CANCELLED, None, now)
                return True
        datagram = encode(kind, code, mid, exchange.token, options, payload)
        self._outgoing.append((datagram, peer.address))
        if not exchange.context or not exchange.wants_response:
            # The datagram is all that is needed from here on.
            exchange.options = exchange.payload = None
        if exchange.occupies():
            # First what may find no memory: a place that is taken has to be given back.
            self._outstanding[peer.number << 16 | mid] = exchange
            exchange.outstanding = True
            peer.outstanding += 1
            wait = self.parameters.response_timeout
            if exchange.confirmable:
                wait = self._first_timeout()
                exchange.datagram = datagram
                exchange.timeout = wait
                exchange.transmissions = 1
            exchange.deadline = ticks.add(now, wait)
            self.arm(exchange.deadline)
        return True

    def _first_timeout(self):
        # Between ACK_TIMEOUT and ACK_TIMEOUT * ACK_RANDOM_FACTOR (RFC 7252, 4.2)
        parameters = self.parameters
        spread = parameters.ack_timeout * (parameters.ack_random_percent - 100) // 100
        return parameters.ack_timeout + (spread * self._randbits(8) >> 8)

    def _retransmit(self, exchange, now):
        if exchange.transmissions > self.parameters.max_retransmit:
            self._end(exchange, TIMEOUT, None, now)
            return
        exchange.transmissions += 1
        exchange.timeout *= 2
        exchange.deadline = ticks.add(now, exchange.timeout)
        self.counters["retransmitted"] += 1
        self._outgoing.append((exchange.datagram, exchange.peer.address))

    def _end(self, exchange, how, message, now):
        if exchange.over:
            return
        self._release(exchange, now)
        exchange.deadline = None
        if how == RESPONSE:
            # It is still expected while on_end is called, which may set keep.
            self._call_on_end(exchange, how, message, now)
            if exchange.keep:
                return
        exchange.over = True
        if self._expecting.get(exchange.token) is exchange:
            del self._expecting[exchange.token]
        if how == RESPONSE:
            return
        if how == TIMEOUT:
            self.counters["timeouts"] += 1
        elif how == RESET:
            self.counters["resets"] += 1
        self._call_on_end(exchange, how, None, now)

    def _call_on_end(self, exchange, how, message, now):
        if exchange.on_end:
            try:
                exchange.on_end(exchange, how, message, now)
            except Exception as error:
                self._callback_failed(error)

    def _release(self, exchange, now):
        # It no longer occupies a place of its peer's: acknowledged, ended, or taken out of the queue.
        peer = exchange.peer
        if exchange.outstanding:
            exchange.outstanding = False
            exchange.datagram = None
            del self._outstanding[peer.number << 16 | exchange.mid]
            peer.outstanding -= 1
            if peer.waiting:
                self._start_waiting(peer, now)
        elif exchange.mid < 0 and exchange in peer.waiting:
            peer.waiting.remove(exchange)

    def _start_waiting(self, peer, now):
        while peer.waiting and (peer.outstanding < self.parameters.nstart or not peer.waiting[0].occupies()):
            exchange = peer.waiting.pop(0)
            if not self._start(exchange, now):
                peer.waiting.insert(0, exchange)
                return

    def _repeat(self, exchange, echo, now):
        # The peer wants to know whether the request is new (RFC 9175, 2.3): once more, with its Echo option.
        exchange.repeated += 1
        if exchange.repeated > _MOST_REPETITIONS:
            self._end(exchange, TIMEOUT, None, now)
            return
        exchange.echo = echo
        exchange.peer.waiting.insert(0, exchange)
        self._release(exchange, now)
        if not exchange.outstanding:
            exchange.mid = -1
            self._start_waiting(exchange.peer, now)

    # -- what is due

    def _outstanding_due(self, now):
        for exchange in list(self._outstanding.values()):
            if not exchange.outstanding:
                continue
            if ticks.diff(exchange.deadline, now) <= 0:
                if exchange.confirmable:
                    self._retransmit(exchange, now)
                else:
                    self._end(exchange, TIMEOUT, None, now)
            if exchange.outstanding:
                self.arm(exchange.deadline)

    def _responses_due(self, now):
        # Of requests that have been acknowledged.
        for exchange in list(self._expecting.values()):
            if exchange.outstanding or exchange.deadline is None:
                continue
            if ticks.diff(exchange.deadline, now) <= 0:
                self._end(exchange, TIMEOUT, None, now)
            else:
                self.arm(exchange.deadline)

    # -- Message IDs, tokens, peers

    def _rest(self, peer, mid, now):
        peer.resting |= quarter_bit(mid)
        self._resting.append((peer, quarter_bit(mid), now))
        self.arm(ticks.add(now, self.parameters.exchange_lifetime))

    def _wake_quarters(self, now):
        while self._resting:
            peer, bit, since = self._resting[0]
            due = ticks.add(since, self.parameters.exchange_lifetime)
            if ticks.diff(due, now) > 0:
                self.arm(due)
                return
            self._resting.pop(0)
            peer.resting &= ~bit
            self._start_waiting(peer, now)

    def _new_token(self):
        length = self.parameters.token_length
        while True:
            token = b""
            while len(token) < length:
                bits = self._randbits(16)
                token += bytes((bits >> 8, bits & 0xFF))
            token = token[:length]
            if token not in self._expecting:
                return token

    def _forget_peers(self, now):
        # The eighth of the idle ones that was not used for longest. False when none is idle.
        idle = [
            (ticks.age(peer.last_used, now), peer.number, address)
            for address, peer in self._peers.items()
            if peer.idle()
        ]
        idle.sort()
        for _, _, address in idle[-1 - len(idle) // 8 :]:
            del self._peers[address]
            self.counters["peers_forgotten"] += 1
        return bool(idle)

    def _callback_failed(self, error):
        self.counters["callback_errors"] += 1
        self.on_error(error)


def _only_counted(error):
    pass
