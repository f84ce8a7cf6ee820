"""What no one should send, to a server: each gets the standard's answer, something counts it, nothing of it is kept."""

import json

import pytest
from hostile import (
    Attacker,
    abandoned_upload,
    broken_coap,
    broken_messages,
    endless_upload,
    long_bodies,
    option_bombs,
)
from msgin5g import messages, wire

from tests.server.lab import AS, SERVER, UE1, UE2, UE3, Lab, msg

# EXCHANGE_LIFETIME (RFC 7252, 4.8.2), and then some.
LATER = 300_000


class Attacked(Lab):
    """A server that two UEs are registered at, and someone who means no good."""

    def __init__(self, path):
        super().__init__(path)
        self.errors = []
        self.endpoint = self.world.endpoints[SERVER]
        self.endpoint.on_error = self.errors.append
        self.first, self.second = self.peer("one"), self.peer("two")
        self.first.register(UE1)
        self.second.register(UE2)
        self.attacker = Attacker(self.world, ("attacker", 1))

    def throw(self, datagram):
        return self.attacker.throw(datagram, SERVER)

    def post(self, elements):
        return self.throw(self.attacker.request(messages.encode(elements)))

    def occupied(self):
        """Everything that is held because of somebody's datagram, apart from the bounded table of peers."""
        held = self.endpoint.occupancy()
        for name in ("peers", "recent_shed"):
            held.pop(name)
        return held | {"store": len(self.store), "claims": len(self.face.registry._claims)}

    def survived(self):
        """It works, nothing was raised, and after a while nothing is held."""
        assert self.errors == []
        assert self.face.resource.counters["handler_errors"] == 0
        assert self.first.post(msg("still there"))[0] == "2.04"
        assert self.second.ids()[-1] == "still there"
        self.world.advance(LATER)
        held = self.occupied()
        assert held == dict.fromkeys(held, 0)
        assert len(self.face.registry) == 2
        blocks = self.face.resource._server._blocks
        assert blocks is None or len(blocks.uploads) == len(blocks.downloads) == 0


@pytest.fixture
def server(tmp_path):
    server = Attacked(tmp_path / "server.sqlite")
    yield server
    server.survived()
    server.store.close()


def test_broken_coap(server):
    valid = server.attacker.request(messages.encode(msg()))
    for datagram, expected in broken_coap(server.attacker, valid):
        assert server.throw(datagram) == expected, datagram[:20]
    assert server.endpoint.counters["not_coap"] > 5
    assert server.endpoint.counters["format_errors"] > 10


def test_option_bombs(server):
    for datagram, expected in option_bombs(server.attacker):
        assert server.throw(datagram) == expected


def test_broken_messages(server):
    bodies = broken_messages()
    for body, expected in bodies:
        assert server.throw(server.attacker.request(body)) == expected, body[:40]
    assert server.face.resource.counters["bad_messages"] == len(bodies)


def test_bodies_that_are_too_long(server):
    for body in long_bodies():
        assert server.throw(server.attacker.request(body)) == "4.13"


def test_endless_uploads(server):
    assert endless_upload(server.attacker, SERVER, 1000) == ("4.13", 64)


def test_uploads_that_are_never_ended(server):
    answers = {abandoned_upload(Attacker(server.world, (f"a-{n}", 1)), SERVER) for n in range(60)}
    assert answers == {"2.31"}


def test_the_ue_service_id_of_another(server):
    assert server.post(messages.registration(UE1)) == "4.03"
    assert server.face.registry.claims_refused == 1
    assert server.post(messages.deregistration(UE1)) == "4.03"
    assert server.post(msg()) == "4.03"
    assert server.face.counters["not_registered"] == 2


def test_a_report_for_a_message_that_nobody_sent(server):
    code, answer = server.second.post(messages.report_on(msg("never")))
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.04", wire.UNKNOWN_MESSAGE)
    assert server.service.counters["unknown_message"] == 1


@pytest.mark.parametrize("kind", [wire.AS, wire.BROADCAST])
def test_recipients_that_are_not_served(server, kind):
    elements = messages.message((wire.UE, UE1), (kind, AS), "m-1")
    code, answer = server.first.post(elements)
    assert (code, answer[wire.FAILURE_CAUSE]) == ("4.04", wire.UNSUPPORTED_RECIPIENT)
    assert server.service.counters["unsupported_recipient"] == 1


@pytest.mark.parametrize("name", ["AS\tas@a", "ue1@a\0", "\ud800", "x" * 256])
def test_names_that_would_be_somebody_elses_in_the_store(server, name):
    members = {"Message Type": wire.REG, "UE Service ID": name}
    body = json.dumps(members).encode()
    assert server.throw(server.attacker.request(body)) == "4.00"
    assert server.face.registry.get(name) is None


def test_message_types_that_are_not_for_a_server(server):
    assert server.post(messages.response((wire.UE, UE1), "m-1")) == "4.00"
    segment = {wire.ORIGINATING_UE: UE1, wire.RECIPIENT_UE: UE3, wire.SEGMENTATION_SET_ID: "s"}
    assert server.post({wire.MESSAGE_TYPE: wire.SEGCONFIR, **segment}) == "4.03"
    assert server.face.resource.counters["bad_messages"] == 1


def test_messages_for_many_who_are_not_there_are_bounded_and_expire(server):
    accepted, code, answer = 0, "", {}
    for number in range(1100):
        code, answer = server.first.post(msg(str(number), to=f"nobody-{number}@a", report=False))
        accepted += code == "2.04"
    assert (code, answer[wire.FAILURE_CAUSE]) == ("5.03", wire.STORE_FULL)
    assert accepted == len(server.store) == 1000
    assert server.service.counters["store_full"] == 100
    server.world.wall += wire.DEFAULT_EXPIRATION + 1000
    server.service.expire(server.world.now)
    assert len(server.store) == 0
