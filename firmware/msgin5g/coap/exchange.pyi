"""What an endpoint keeps. An application uses Parameters."""

from collections.abc import Callable
from typing import Any, Final

RESPONSE: Final = 0
ACKNOWLEDGED: Final = 1
TIMEOUT: Final = 2
RESET: Final = 3
CANCELLED: Final = 4
UNUSABLE: Final = 5

class Full(Exception):
    """A bounded queue has no room; try again when something has been answered."""

class Refused(Exception):
    """What a security layer says of a message that it does not let through."""

    counter: str
    code: int
    diagnostic: bytes
    def __init__(self, counter: str, code: int, diagnostic: bytes) -> None: ...

class Parameters:
    """RFC 7252, 4.8, in milliseconds, and the bounds of an endpoint. The defaults suit a board.

    ue = provisioning.client(parameters=Parameters(ack_timeout=4000, token_length=1))
    """

    ack_timeout: int
    ack_random_percent: int
    max_retransmit: int
    nstart: int
    max_transmit_wait: int
    exchange_lifetime: int
    response_timeout: int
    separate_after: int
    token_length: int
    most_waiting: int
    most_peers: int
    most_unanswered: int
    most_recent: int
    most_recent_octets: int

    def __init__(
        self,
        ack_timeout: int = 2000,
        ack_random_percent: int = 150,
        max_retransmit: int = 4,
        nstart: int = 1,
        max_latency: int = 100000,
        response_timeout: int | None = None,
        separate_after: int = 1000,
        token_length: int = 4,
        most_waiting: int = 8,
        most_peers: int = 8,
        most_unanswered: int = 4,
        most_recent: int = 32,
        most_recent_octets: int = 4096,
    ) -> None:
        """Set them.

        Args:
            ack_timeout: until the first retransmission; each further one takes twice as long.
            ack_random_percent: up to so much of it, so that many boards do not speak at once.
            max_retransmit: retransmissions.
            nstart: messages under way to one peer.
            max_latency: that a datagram may take.
            response_timeout: until a response, after the acknowledgement; None: as long as a peer retransmits.
            separate_after: an empty acknowledgement goes out when there is no response by then.
            token_length: octets; one will do where all is protected.
            most_waiting: messages that wait for a place, for each peer.
            most_peers: peers that are remembered.
            most_unanswered: requests of peers that wait for their response.
            most_recent: messages remembered to tell duplicates.
            most_recent_octets: of the answers to these.
        """

class Peer:
    number: int
    address: Any
    next_mid: int
    resting: int
    outstanding: int
    waiting: list[Any]
    last_used: int
    def __init__(self, number: int, address: Any, mid: int, now: int) -> None: ...
    def take_mid(self) -> int: ...
    def idle(self) -> bool: ...

def quarter_bit(mid: int) -> int: ...
def ends_quarter(mid: int) -> bool: ...

class Exchange:
    echo: bytes | None
    repeated: int
    piv: Any
    notified: Any
    anyone: bool
    responder: Any
    peer: Peer
    code: int
    token: bytes
    options: Any
    payload: Any
    confirmable: bool
    wants_response: bool
    on_end: Callable[..., object]
    keep: bool
    mid: int
    datagram: Any
    timeout: int
    transmissions: int
    deadline: Any
    outstanding: bool
    over: bool
    context: Any
    request: Any
    def __init__(
        self,
        peer: Peer,
        code: int,
        token: bytes,
        options: Any,
        payload: Any,
        confirmable: bool,
        wants_response: bool,
        on_end: Callable[..., object],
        context: Any,
        request: Any,
    ) -> None: ...
    def occupies(self) -> bool: ...

class Request:
    query: Any
    content_format: int
    payload: Any
    context: Any
    piv: Any
    outer: int
    fresh: bool
    peer: Peer
    mid: int
    token: bytes
    code: int
    confirmable: bool
    acknowledged: bool
    answered: bool
    received: int
    def __init__(self, peer: Peer, message: Any, now: int) -> None: ...
    def source(self) -> Any: ...
