"""DTLS between gateways and the server: sessions made, lost, replaced and refused, without a socket."""

import random

import msgspec
import pytest
from msgin5g import messages

from host_tools import dtls
from host_tools.dtls_server import MOST_HANDSHAKES, SCHEME
from host_tools.security import akma
from tests.server.dtls_lab import DTLS_SERVER, FQDN, PATIENCE, DtlsLab, DtlsPeer, Stranger
from tests.server.lab import GATEWAY, UE1, UE2, msg


@pytest.fixture
def lab(tmp_path):
    return DtlsLab(tmp_path / "server.sqlite")


def registered(lab, name="gateway", ue=GATEWAY, **options):
    peer = lab.peer(name, ue, **options)
    assert peer.register(ue)[0] == "2.01"
    return peer


def client(keys, identity=None):
    """A bare session of whoever has keys."""
    return dtls.Client(
        identity or akma.PREFIX + keys.a_kid, lambda suite: keys.key(akma.ua_dtls(suite)), FQDN
    ).session()


# -- who is believed


def test_a_gateway_registers_and_gets_messages_through_its_session(lab):
    gateway, ue = registered(lab), registered(lab, "ue", UE2)
    assert gateway.register(UE1)[0] == "2.01"
    assert lab.via(UE1) == GATEWAY and lab.address(GATEWAY) == (SCHEME, GATEWAY, *gateway.address)
    assert ue.post(msg("m-1", UE2, UE1))[0] == "2.04"
    assert gateway.ids() == ["m-1"]
    assert lab.dtls.counters["handshakes"] == 2 and gateway.count("handshakes") == 1


def test_what_waits_for_the_first_session_is_sent_when_there_is_one(lab):
    gateway = lab.peer("gateway", GATEWAY)
    responses = gateway.send(messages.registration(GATEWAY))
    assert len(responses) == 1 and gateway.endpoint.counters["retransmitted"] == 0


def test_a_name_belongs_to_whoever_has_its_key(lab):
    ue, thief = lab.peer("ue", UE1), lab.peer("thief", UE2)
    assert thief.register(UE1)[0] == "4.03"
    assert ue.register(UE1)[0] == "2.01"
    assert thief.post(msg(origin=UE1))[0] == "4.03"
    assert thief.post(messages.deregistration(UE1))[0] == "4.03"
    assert thief.register(GATEWAY)[0] == "4.03"
    assert lab.address(UE1) == (SCHEME, UE1, *ue.address)


def test_the_prefix_may_be_followed_by_a_semicolon(lab):
    keys = lab.enrol(UE1)
    peer = DtlsPeer(lab.world, "ue", keys, f"{akma.PREFIX};{keys.a_kid}")
    assert peer.register(UE1)[0] == "2.01"


@pytest.mark.parametrize("wrong", ["unknown", "no prefix", "expired", "revoked", "enrolled anew"])
def test_an_identity_that_is_not_known_is_refused_and_counted(lab, wrong):
    keys = lab.enrol(UE1, int(lab.world.wall_clock()) - 1 if wrong == "expired" else None)
    identity = {"unknown": akma.PREFIX + "0.ab@example.org", "no prefix": keys.a_kid}.get(wrong)
    if wrong in ("revoked", "enrolled anew"):
        lab.revoke(UE1)
    if wrong == "enrolled anew":
        lab.enrol(UE1)
    peer = DtlsPeer(lab.world, "ue", keys, identity)
    assert peer.send(messages.registration(UE1)) == []
    assert lab.dtls.counters["unknown_identity"] == 1 and peer.count("handshakes_failed") == 1
    assert lab.dtls.occupancy() == {"sessions": 0, "handshakes_under_way": 0}


def test_a_wrong_key_is_refused_and_counted(lab):
    keys = lab.enrol(UE1)
    wrong = msgspec.structs.replace(keys, k_akma="00" * 32)
    peer = DtlsPeer(lab.world, "ue", wrong)
    assert peer.send(messages.registration(UE1)) == []
    assert not peer.dtls.established
    lab.world.advance(5000)
    assert lab.dtls.counters["wrong_key"] == 1 and lab.dtls.counters["handshakes"] == 0
    assert lab.dtls.occupancy() == {"sessions": 0, "handshakes_under_way": 0}


def test_a_revoked_gateway_is_out_at_once(lab):
    gateway = registered(lab)
    lab.revoke(GATEWAY)
    gateway.send(msg("m-1", GATEWAY, UE2))
    assert lab.dtls.occupancy()["sessions"] == 0 and not gateway.dtls.established
    assert lab.address(GATEWAY) is None and lab.held(UE2) == []
    assert gateway.count("ended") == 1


def test_a_session_ends_with_its_key(lab):
    peer = DtlsPeer(lab.world, "ue", lab.enrol(UE1, int(lab.world.wall_clock()) + 60))
    assert peer.register(UE1)[0] == "2.01"
    lab.world.advance(50_000)
    assert lab.dtls.occupancy()["sessions"] == 1
    lab.world.advance(30_000)
    assert lab.dtls.occupancy()["sessions"] == 0 and peer.count("ended") == 1


def test_oscore_inside_a_session_is_not_taken(lab):
    gateway = registered(lab)
    # A POST with an OSCORE option.
    session = gateway.dtls._session
    (sealed,) = [session.seal(b"\x40\x02\x00\x09\x93\x09\x00\x00\xff\x01")]
    before = lab.face._endpoint.counters["oscore_undecodable"]
    Stranger(lab.world).send(sealed, gateway.address)
    assert lab.face._endpoint.counters["oscore_undecodable"] == before + 1


# -- sessions lost and replaced


def test_a_server_that_has_lost_the_session_is_told_to_have_and_nothing_is_lost(lab):
    gateway = registered(lab)
    lab.world.advance(5000)
    lab.restart()
    responses = gateway.send(msg("m-1", GATEWAY, UE2))
    lab.world.advance(10_000)
    assert len(responses) == 1 and lab.held(UE2) == ["m-1"]
    assert gateway.count("handshakes") == 2


def test_a_server_with_something_to_send_lets_the_gateway_know_that_the_session_is_lost(lab):
    gateway = registered(lab)
    lab.world.advance(5000)
    lab.restart()
    assert registered(lab, "ue", UE2).post(msg("m-1", UE2, GATEWAY))[0] == "2.04"
    lab.world.advance(100_000)
    assert gateway.count("handshakes") == 2
    assert gateway.ids() == ["m-1"]


def test_a_silent_server_is_asked_for_a_new_session(lab):
    gateway = registered(lab)
    lab.world.drop = lambda datagram, source, _: source == DTLS_SERVER and dtls.kind(datagram) == dtls.ALERT
    lab.restart()
    responses = gateway.send(msg("m-1", GATEWAY, UE2))
    lab.world.advance(PATIENCE + 10_000)
    assert len(responses) == 1 and gateway.count("doubted") == 1 and gateway.count("handshakes") == 2
    assert lab.held(UE2) == ["m-1"]


def test_an_answered_message_does_not_make_a_session_doubtful(lab):
    gateway, ue = registered(lab), registered(lab, "ue", UE2)
    for number in range(5):
        assert ue.post(msg(f"m-{number}", UE2, GATEWAY))[0] == "2.04"
        lab.world.advance(2 * PATIENCE)
    assert len(gateway.ids()) == 5
    assert gateway.count("doubted") == 0 and gateway.count("handshakes") == 1


def test_another_address_gets_another_session_and_the_gateway_is_found_there(lab):
    gateway, ue = registered(lab), registered(lab, "ue", UE2)
    lab.world.advance(5000)
    gateway.move("elsewhere")
    responses = gateway.send(msg("m-1", GATEWAY, UE2))
    lab.world.advance(10_000)
    assert len(responses) == 1 and ue.ids() == ["m-1"]
    assert lab.address(GATEWAY) == (SCHEME, GATEWAY, *gateway.address)
    assert lab.dtls.occupancy()["sessions"] == 2
    assert ue.post(msg("m-2", UE2, GATEWAY))[0] == "2.04"
    assert gateway.ids() == ["m-2"]


def test_a_gateway_that_has_lost_the_session_gets_another_at_the_same_address(lab):
    gateway = registered(lab)
    again = DtlsPeer(lab.world, "gateway", gateway.keys)
    assert again.register(GATEWAY)[0] == "2.01"
    assert lab.dtls.counters["handshakes"] == 2 and lab.dtls.occupancy()["sessions"] == 1


def test_a_handshake_that_is_not_finished_leaves_the_session_as_it_is(lab):
    gateway = registered(lab)
    stranger, other = Stranger(lab.world), client(lab.enrol(UE1))
    (hello,) = other.outgoing()
    (verify,) = stranger.send(hello, gateway.address)
    other.feed(verify)
    (hello,) = other.outgoing()
    assert stranger.send(hello, gateway.address)
    assert lab.dtls.occupancy() == {"sessions": 1, "handshakes_under_way": 1}
    assert gateway.post(msg("m-1", GATEWAY, UE2))[0] == "2.04"
    assert gateway.count("handshakes") == 1


def test_a_session_that_is_old_or_has_carried_much_is_replaced(lab):
    gateway = registered(lab, longest=60_000, most_records=10)
    lab.world.advance(65_000)
    assert gateway.post(msg("m-0", GATEWAY, UE2))[0] == "2.04"
    assert gateway.count("handshakes") == 2
    for number in range(1, 25):
        assert gateway.post(msg(f"m-{number}", GATEWAY, UE2))[0] == "2.04"
    assert gateway.count("handshakes") == 4
    assert lab.held(UE2) == [f"m-{number}" for number in range(25)]
    gateway.dtls.rehandshake()
    lab.world.settle()
    assert gateway.count("handshakes") == 5


def test_who_says_without_proof_that_the_session_is_lost_gets_a_handshake_and_no_more(lab):
    gateway = registered(lab)
    lab.world.advance(5000)
    for _ in range(100):
        gateway.dtls.receive(dtls.GONE, len(dtls.GONE), DTLS_SERVER, lab.world.now)
        assert gateway.dtls.established
        lab.world.settle()
    assert gateway.count("handshakes") == 2 and gateway.count("ended") == 0


def test_who_says_farewell_is_let_go(lab):
    gateway = registered(lab)
    gateway.dtls.close()
    lab.world.settle()
    assert lab.dtls.occupancy()["sessions"] == 0
    assert lab.dtls.counters["ended"] == 1


# -- what anybody may send


def test_nothing_is_kept_of_whom_does_not_repeat_the_cookie(lab):
    stranger = Stranger(lab.world)
    (hello,) = client(lab.enrol(UE1)).outgoing()
    for number in range(2000):
        (answer,) = stranger.send(hello, ("spoofed", number))
        assert len(answer) < len(hello)
    assert lab.dtls.occupancy() == {"sessions": 0, "handshakes_under_way": 0}
    assert lab.dtls.counters["cookies_sent"] == 2000 and stranger.got < stranger.sent
    assert registered(lab).dtls.established


def test_a_cookie_is_good_for_its_address_only(lab):
    stranger, session = Stranger(lab.world), client(lab.enrol(UE1))
    (verify,) = stranger.send(session.outgoing()[0], ("one", 1))
    session.feed(verify)
    (hello,) = session.outgoing()
    stranger.send(hello, ("another", 1))
    assert lab.dtls.occupancy()["handshakes_under_way"] == 0
    assert len(stranger.send(hello, ("one", 1))) > 1
    assert lab.dtls.occupancy()["handshakes_under_way"] == 1


def test_a_hello_that_is_played_again_begins_nothing(lab):
    stranger, keys = Stranger(lab.world), lab.enrol(UE1)
    session, address = client(keys), ("one", 1)
    (verify,) = stranger.send(session.outgoing()[0], address)
    session.feed(verify)
    (hello,) = session.outgoing()
    flight = stranger.send(hello, address)
    assert stranger.send(hello, address) == []
    for datagram in flight:
        session.feed(datagram)
    for datagram in session.outgoing():
        stranger.send(datagram, address)
    assert lab.dtls.occupancy() == {"sessions": 1, "handshakes_under_way": 0}
    assert stranger.send(hello, address) == []
    assert lab.dtls.occupancy() == {"sessions": 1, "handshakes_under_way": 0}


def test_handshakes_and_sessions_are_bounded(tmp_path):
    DtlsLab.limits = {"most_sessions": 8}
    try:
        lab = DtlsLab(tmp_path / "server.sqlite")
    finally:
        DtlsLab.limits = {}
    stranger, keys = Stranger(lab.world), lab.enrol(UE1)
    for number in range(MOST_HANDSHAKES + 20):
        session, address = client(keys), ("one", number)
        (verify,) = stranger.send(session.outgoing()[0], address)
        session.feed(verify)
        stranger.send(session.outgoing()[0], address)
    assert lab.dtls.occupancy()["handshakes_under_way"] == MOST_HANDSHAKES
    assert lab.dtls.counters["handshakes_shed"] == 20
    lab.world.advance(40_000)
    assert lab.dtls.occupancy()["handshakes_under_way"] == 0
    for number in range(20):
        lab.world.advance(1000)
        registered(lab, f"device{number}", f"device{number}@a")
        assert lab.dtls.occupancy()["sessions"] <= 8
    assert lab.dtls.counters["sessions_shed"] >= 12


def test_a_record_that_comes_again_is_taken_once(lab):
    gateway = registered(lab)
    record = gateway.dtls._session.seal(b"\x40\x00\x12\x34")
    stranger = Stranger(lab.world)
    for _ in range(2):
        stranger.send(record, gateway.address)
        lab.world.settle()
    assert lab.dtls.counters["ignored"] == 1
    # The RST that answers a ping, once.
    assert gateway.endpoint.counters["unexpected"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_garbage_is_answered_by_nothing_much_and_ends_nothing(lab, seed):
    numbers = random.Random(seed)
    gateway = registered(lab)
    stranger = Stranger(lab.world)
    (hello,) = client(lab.enrol(UE1)).outgoing()
    for _ in range(1000):
        datagram = bytearray(numbers.choice((hello, gateway.dtls._session.seal(b"\x40\x00\x12\x34"))))
        if numbers.random() < 0.3:
            datagram = bytearray(numbers.randbytes(numbers.randrange(200)))
            datagram[:3] = bytes((numbers.choice((20, 21, 22, 23, 99)), 0xFE, 0xFD))
        for _ in range(numbers.randrange(1, 4)):
            datagram[numbers.randrange(len(datagram))] = numbers.randrange(256)
        del datagram[numbers.randrange(len(datagram)) + 1 :]
        stranger.send(bytes(datagram), numbers.choice((("stranger", 1), gateway.address)))
        gateway.dtls.receive(datagram, len(datagram), DTLS_SERVER, lab.world.now)
    lab.world.advance(30_000)
    assert gateway.post(msg("m-1", GATEWAY, UE2))[0] == "2.04"
    assert stranger.got <= 2 * stranger.sent


def test_who_watches_sees_what_is_inside(lab):
    gateway, seen = lab.peer("gateway", GATEWAY), []
    gateway.dtls.on_datagram = lambda direction, datagram, _address: seen.append((direction, datagram[1]))
    assert gateway.register(GATEWAY)[0] == "2.01"
    assert seen == [("out", 0x02), ("in", 0x41)]
