# What an endpoint that speaks OSCORE does with messages that are not what they seem: RFC 8613, 8.2 and 8.4.

from coap_pair import A, B, fields, path_options
from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import RESPONSE, Endpoint, Full, Parameters
from msgin5g.coap.message import dotted, encode, encode_options
from msgin5g.oscore.contexts import Contexts
from msgin5g.oscore.security import Security
from oscore_pair import SecuredPair, Tap, raw, refusals, throw


def test_what_is_not_protected_is_refused():
    pair = SecuredPair(open_paths=("open",)).echo()
    pair.server.add("open", n.GET, lambda request, now: pair.server.respond(request, n.CONTENT, now, b"all"))
    options = encode_options(path_options("x"))
    [answer] = throw(pair, encode(n.CON, n.POST, 1, b"t", options, b"plain"))
    assert (answer.code, answer.token) == (n.UNAUTHORIZED, b"t")
    [answer] = throw(pair, encode(n.NON, n.POST, 2, b"t", options, b"plain"))
    assert (answer.type, answer.code) == (n.RST, n.EMPTY)
    [answer] = throw(pair, encode(n.CON, n.GET, 3, b"t", encode_options(path_options("open"))))
    assert (answer.code, answer.payload) == (n.CONTENT, b"all")
    assert pair.got == [] and refusals(pair) == {"unprotected": 2}
    # It costs no peer its place; a ping is answered as ever.
    assert [fields.type for fields in throw(pair, encode(n.CON, n.EMPTY, 4))] == [n.RST]


def test_forged_replayed_unknown_and_broken_requests():
    pair = SecuredPair().echo()
    tap = Tap(pair)
    pair.ask(n.POST, "x", b"1")
    request = tap.sent(A)[0]
    pair.wire.drop = None

    def at(place, octet, mid):
        changed = bytearray(request)
        changed[2:4] = mid.to_bytes(2, "big")
        changed[place] = octet
        return bytes(changed)

    # Header, token, 0x93 0x09 piv kid, marker, sealed.
    option = request.index(b"\x93\x09\x00\x01\xff")
    said = []
    for datagram in (
        at(0, request[0], 1),
        at(option + 2, 1, 3),
        at(option + 3, 9, 4),
        at(option + 1, 0x0E, 5),
        at(option + 1, 0xE9, 6),
        encode(n.CON, n.POST, 7, b"t", encode_options([(n.OSCORE, b"\x09\x05\x01")])),
        encode(n.CON, n.POST, 8, b"t", encode_options([(n.OSCORE, b"\x09\x05\x01")]), b"12345678"),
        encode(n.CON, n.POST, 9, b"t", encode_options([(n.OSCORE, b"")]), b"1234567890"),
        encode(n.CON, n.POST, 10, b"t", encode_options([(n.OSCORE, b"\x09\x05\x01")] * 2), b"1234567890"),
    ):
        [answer] = throw(pair, datagram)
        said.append((dotted(answer.code), str(answer.payload, "ascii")))
    assert said[:3] == [
        ("4.01", "Replay detected"),
        ("4.00", "Decryption failed"),
        ("4.01", "Security context not found"),
    ]
    assert said[3:] == [("4.02", "Failed to decode COSE")] * 6
    assert refusals(pair) == {"replayed": 1, "forged": 1, "unknown_context": 1, "undecodable": 6}
    # Nothing of it has come through, nor is anything kept of who sent it.
    assert len(pair.got) == 1 and pair.b.occupancy()["peers"] == 1
    assert pair.ask(n.POST, "x", b"2").payload == b"2"


def test_a_forged_request_does_not_stand_in_the_way_of_the_right_one():
    # It has the Message ID that the right one is going to have, and its address.
    pair = SecuredPair().echo()
    tap = Tap(pair)
    pair.ask(n.POST, "x", b"1")
    first = tap.sent(A)[0]
    mid = (raw(first).mid + 1) & 0xFFFF
    forged = bytearray(first)
    forged[2:4] = mid.to_bytes(2, "big")
    # A Partial IV that was not used yet.
    forged[forged.index(b"\x93\x09\x00") + 2] = 1
    pair.wire.send(bytes(forged), A, B)
    pair.run(200)
    assert pair.b.counters["oscore_forged"] == 1
    assert pair.ask(n.POST, "x", b"2").payload == b"2" and pair.a.counters["timeouts"] == 0


def test_forged_responses_are_ignored():
    # Piggybacked ones, in place of the right one, and the right one comes with the retransmission.
    for change in ("tag", "unprotected", "code", "empty"):
        pair = SecuredPair().echo()
        forgeries = []

        def forge(datagram, source, destination, change=change, forgeries=forgeries, pair=pair):
            if source != B or forgeries:
                return False
            forged = bytearray(datagram)
            if change == "tag":
                forged[-1] ^= 0x80
            elif change == "code":
                forged[1] = n.UNAUTHORIZED
                forged[-1] ^= 1
            elif change == "empty":
                forged = forged[: forged.index(b"\xff")]
            else:
                message = raw(bytes(datagram))
                forged = encode(n.ACK, n.UNAUTHORIZED, message.mid, message.token(), b"", b"go away")
            forgeries.append(bytes(forged))
            pair.wire.send(bytes(forged), B, A)
            return True

        pair.wire.drop = forge
        response = pair.ask(n.POST, "x", b"1")
        assert (response.how, response.payload) == (RESPONSE, b"1"), change
        ignored = {"tag": "forged", "code": "forged", "unprotected": "unprotected", "empty": "undecodable"}
        assert pair.a.counters["oscore_" + ignored[change]] == 1, change
        assert pair.a.counters["retransmitted"] == 1 and len(pair.got) == 1
        assert pair.a.security.told == (n.UNAUTHORIZED if change == "unprotected" else None)


def test_a_forged_separate_response_is_not_acknowledged():
    pair = SecuredPair()
    held = []
    pair.server.add("slow", n.GET, lambda request, now: held.append(request))
    responses = pair.request(n.GET, "slow")
    pair.run(5000)
    token = pair.wire.sent(A)[0].token
    option = encode_options([(n.OSCORE, b"\x01\x09")])
    pair.wire.send(encode(n.CON, n.CONTENT, 77, token, option, b"123456789012"), B, A)
    pair.wire.send(encode(n.CON, n.CONTENT, 78, token, b"", b"plain"), B, A)
    before = len(pair.wire.sent(A))
    pair.run(1000)
    assert responses == [] and len(pair.wire.sent(A)) == before
    pair.server.respond(held[0], n.CONTENT, pair.now(), b"right")
    pair.run(5000)
    assert responses[0].payload == b"right"


def test_a_response_belongs_to_its_request():
    # One that was made for another request with the same token, by the right peer.
    pair = SecuredPair(parameters={"token_length": 0}).echo()
    tap = Tap(pair)
    pair.ask(n.POST, "x", b"first")
    old = tap.sent(B)[0]
    tap.lose = lambda datagram, source: source == B
    responses = pair.request(n.POST, "x", b"second")
    pair.run(100)
    mid = raw(tap.sent(A)[-1]).mid
    tap.lose = None
    pair.wire.send(old[:2] + mid.to_bytes(2, "big") + old[4:], B, A)
    pair.run(100)
    assert responses == [] and pair.a.counters["oscore_forged"] == 1
    pair.run(10000)
    assert responses[0].payload == b"second"


def test_strangers_do_not_push_out_a_peer():
    pair = SecuredPair(parameters={"most_peers": 2}).echo()
    tap = Tap(pair)
    pair.ask(n.POST, "x", b"1")
    request = tap.sent(A)[0]
    for number in range(20):
        throw(pair, encode(n.CON, n.POST, number, b"", encode_options(path_options("x"))), at="s%d" % number)
    # A late duplicate is still known for one.
    before = len(tap.sent(B))
    pair.wire.send(request, A, B)
    pair.run(200)
    assert tap.sent(B)[before:] == [tap.sent(B)[0]] and pair.b.counters["peers_forgotten"] == 0


def test_an_endpoint_without_security_does_not_know_the_option():
    pair = SecuredPair().echo()
    pair.b.security = None
    [answer] = throw(
        pair, encode(n.CON, n.POST, 1, b"t", encode_options([(n.OSCORE, b"\x09\0\1")]), b"123456789")
    )
    assert answer.code == n.BAD_OPTION and answer.payload == b"option 9"


def test_no_request_goes_out_unprotected_by_mistake():
    for security in (Contexts(lambda kid, kid_context: None), Security(None)):
        endpoint = Endpoint(Parameters(), lambda bits: 0, security=security)
        try:
            endpoint.request("a", n.GET, b"", b"", None, 0)
            raise AssertionError("it went out")
        except Full:
            pass
        assert endpoint.datagrams_to_send() == ()
        # On purpose it may.
        endpoint.request("a", n.GET, b"", b"", None, 0, context=False)
        [(datagram, _)] = endpoint.datagrams_to_send()
        assert fields(datagram).code == n.GET


def test_what_can_not_be_sealed_is_given_up_and_the_endpoint_goes_on():
    pair = SecuredPair().echo()
    errors = []
    pair.a.on_error = errors.append

    def full(number):
        raise OSError(28)

    pair.storages[0].save, saved = full, pair.storages[0].save
    pair.contexts[0]._limit = 0
    response = pair.ask(n.POST, "x", b"1")
    assert response.code is None and len(errors) == 1 and pair.got == []
    assert pair.a.occupancy()["exchanges"] == pair.a.occupancy()["outstanding"] == 0
    pair.storages[0].save = saved
    assert pair.ask(n.POST, "x", b"2").payload == b"2"
