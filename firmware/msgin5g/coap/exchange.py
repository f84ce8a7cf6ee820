# What an endpoint keeps: its parameters, its peers, the messages it expects something for, the requests it
# owes an answer to. Data and the Message IDs; what is done with them is in endpoint.py.

from . import numbers as n

# How an exchange ends.
RESPONSE = 0
ACKNOWLEDGED = 1
TIMEOUT = 2
RESET = 3
CANCELLED = 4
# A response that this side can't use: a critical option it does not know, blocks that can't be put together,
# or more of them than it takes.
UNUSABLE = 5

# A peer's Message IDs are handed out in four quarters. One that was left rests for EXCHANGE_LIFETIME before
# it is entered again (RFC 7252, 4.4).
_QUARTER = 0x4000


class Full(Exception):
    # A bounded queue has no room; try again when something has been answered.
    pass


class Refused(Exception):
    # What a security layer says of a message that it does not let through: the counter that counts it, and what
    # a request is answered with, unprotected (RFC 8613, 8.2).
    def __init__(self, counter, code, diagnostic):
        self.counter = counter
        self.code = code
        self.diagnostic = diagnostic


class Parameters:
    # RFC 7252, 4.8, in milliseconds, and the bounds of this endpoint. The defaults suit a board.
    def __init__(
        self,
        ack_timeout=2000,
        ack_random_percent=150,
        max_retransmit=4,
        nstart=1,
        max_latency=100000,
        response_timeout=None,
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
        random_timeout = ack_timeout * ack_random_percent // 100
        # After that, a peer that speaks by these parameters retransmits no more.
        self.max_transmit_wait = random_timeout * ((2 << max_retransmit) - 1)
        self.exchange_lifetime = random_timeout * ((1 << max_retransmit) - 1) + 2 * max_latency + ack_timeout
        # How long a response may take once the request has been acknowledged, or was non-confirmable.
        self.response_timeout = response_timeout or self.max_transmit_wait
        # A request that has no response by then gets an empty acknowledgement, the response comes separately.
        self.separate_after = separate_after
        self.token_length = token_length
        self.most_waiting = most_waiting
        self.most_peers = most_peers
        self.most_unanswered = most_unanswered
        self.most_recent = most_recent
        self.most_recent_octets = most_recent_octets


class Peer:
    # What is known of the endpoint at one address. It may be forgotten when it is idle and room is needed,
    # and be another Peer when it is heard of again: what outlives that goes by the address.
    def __init__(self, number, address, mid, now):
        self.number = number
        self.address = address
        self.next_mid = mid
        # One bit for each quarter that rests.
        self.resting = 0
        self.outstanding = 0
        self.waiting = []
        self.last_used = now

    def take_mid(self):
        # The next Message ID, or -1 while all of them are too young to be used again.
        mid = self.next_mid
        if mid % _QUARTER == 0 and self.resting & quarter_bit(mid):
            return -1
        self.next_mid = (mid + 1) & 0xFFFF
        return mid

    def idle(self):
        return not self.outstanding and not self.waiting


def quarter_bit(mid):
    return 1 << mid // _QUARTER


def ends_quarter(mid):
    return mid % _QUARTER == _QUARTER - 1


class Exchange:
    # A message of ours that something is expected for: a response, or (wants_response False) at most an
    # acknowledgement.

    # The value of the Echo option that a repetition carries (RFC 9175), and how often it was repeated.
    echo = None
    repeated = 0
    # Kept by what protects it: the Partial IV of this request, and the number of the latest response.
    piv = None
    notified = None
    # It went to everybody in reach, and whoever is there may respond; who has responded last.
    anyone = False
    responder = None
    # Set by on_end of an observe request: further responses with this token are wanted.
    keep = False
    mid = -1
    datagram = None
    timeout = 0
    transmissions = 0
    deadline = None
    # It occupies one of its peer's NSTART places now.
    outstanding = False
    over = False

    def __init__(
        self, peer, code, token, options, payload, confirmable, wants_response, on_end, context, request
    ):
        self.peer = peer
        self.code = code
        self.token = token
        self.options = options
        self.payload = payload
        self.confirmable = confirmable
        self.wants_response = wants_response
        # on_end(exchange, how, message, now); message only with RESPONSE, and only valid during the call.
        self.on_end = on_end
        # The security context, or None; the request that this responds to.
        self.context = context
        self.request = request

    def occupies(self):
        # RFC 7252, 4.7: a confirmable message until its acknowledgement, a request until that or its
        # response.
        return self.confirmable or self.wants_response


class Request:
    # A request of a peer, until it is answered.

    # The whole body, set by the server role.
    payload = b""
    # The security context whose peer has sent it, None when it is not protected; its Partial IV; the code that its
    # responses show; whether it is known not to be a replay.
    context = None
    piv = None
    outer = n.CHANGED
    fresh = True
    acknowledged = False
    answered = False

    def __init__(self, peer, message, now):
        self.peer = peer
        self.mid = message.mid
        self.token = message.token()
        self.code = message.code
        self.confirmable = message.type == n.CON
        self.received = now

    def source(self):
        # Whose it is. An address may change, and may be a lie.
        return self.context or self.peer.address
