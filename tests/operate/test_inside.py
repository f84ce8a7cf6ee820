"""What is inside OSCORE, as a recording sees it: both directions, what comes twice, and nothing that was not opened."""

from msgin5g.coap import numbers as coap
from msgin5g.coap.message import encode, encode_options

from host_tools.gateway import inside
from host_tools.gateway.inside import Inside
from host_tools.link import IN, OUT

PEER = ("192.0.2.7", 5683)
OSCORE = encode_options(((coap.OSCORE, b"\x09\x00"),))
OUTER = bytes(encode(coap.CON, coap.POST, 7, b"t", OSCORE, b"sealed"))
INNER = bytes(encode(coap.CON, coap.POST, 7, b"t", b"", b"plain"))


class Peer:
    address = PEER


class Exchange:
    code, options, payload, mid, token = coap.POST, b"", b"plain", 7, b"t"
    confirmable = wants_response = True
    echo = None
    peer = Peer


class Opened:
    # A Message after it was opened.
    data = INNER
    _end = len(INNER)


class Security:
    told = "by whoever is asked"

    def seal(self, exchange):
        return coap.POST, OSCORE, b"sealed"

    def open_request(self, message, address):
        return None if message is None else ("context",)


class Endpoint:
    def __init__(self):
        self.security = Security()


def an_endpoint():
    endpoint = Endpoint()
    return endpoint, Inside(endpoint)  # pyright: ignore[reportArgumentType]


def test_what_is_sent_is_known_by_where_it_goes_and_its_message_id_however_often():
    endpoint, within = an_endpoint()
    assert endpoint.security.seal(Exchange) == (coap.POST, OSCORE, b"sealed")
    assert within.within(OUT, OUTER, PEER) == within.within(OUT, OUTER, PEER) == INNER
    assert within.within(OUT, OUTER, ("192.0.2.8", 5683)) is None
    # Not protected, though it has the same Message ID; and an empty acknowledgement.
    assert within.within(OUT, INNER, PEER) is None
    assert within.within(OUT, bytes(encode(coap.ACK, coap.EMPTY, 7)), PEER) is None


def test_what_is_received_is_told_once_it_was_opened_and_when_it_comes_again():
    endpoint, within = an_endpoint()
    assert within.within(IN, OUTER, PEER) is None
    endpoint.security.open_request(Opened, PEER)
    assert within.within(IN, OUTER, PEER) == INNER
    assert within.within(IN, OUTER, PEER) == INNER
    assert within.within(IN, OUTER + b"!", PEER) is None
    assert endpoint.security.open_request(None, PEER) is None
    assert within.within(IN, b"\x40", PEER) is None


def test_all_else_is_the_security_s_own_and_it_is_put_back():
    endpoint, within = an_endpoint()
    assert endpoint.security.told == "by whoever is asked"
    within.detach()
    assert type(endpoint.security) is Security


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(inside, "_MOST_REMEMBERED", 1)
    endpoint, within = an_endpoint()
    endpoint.security.seal(Exchange)

    class Next(Exchange):
        mid = 8

    endpoint.security.seal(Next)
    assert within.within(OUT, OUTER, PEER) is None
