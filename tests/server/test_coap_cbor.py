"""UEs that speak CBOR with the server itself: what they send is stored in JSON, what they get is in their format."""

from typing import Any

import pytest
from msgin5g import cbor, messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import dotted
from msgin5g.resource import told

from tests.server.lab import SERVER, UE1, UE2, Lab, msg


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "server.sqlite")
    yield lab
    lab.store.close()


class InCbor:
    """A peer of the lab that sends CBOR, and keeps the bodies that it gets."""

    def __init__(self, lab, name):
        self.peer = lab.peer(name)
        self.world = lab.world
        self.bodies = []
        take = self.peer.resource._handlers[wire.MSG]
        for kind in self.peer.resource._handlers:
            self.peer.resource._handlers[kind] = lambda request, *rest: (
                self.bodies.append((request.content_format, request.payload)),
                take(request, *rest),
            )

    def post(self, elements):
        """Send a message: (code, format of the answer, its elements)."""
        responses = []
        body = messages.encode(elements, coap.CBOR) if isinstance(elements, dict) else elements
        self.peer.client.request(
            SERVER, coap.POST, [], body, lambda response, now: responses.append(response), self.world.now
        )
        self.world.settle()
        (response,) = responses
        return dotted(response.code), response.content_format, told(response)


def test_a_ue_registers_sends_and_receives_in_cbor(lab):
    ue, other = InCbor(lab, "one"), lab.peer("two")
    answer = ("2.01", coap.CBOR, messages.registration_result(wire.REG, UE1))
    assert ue.post(messages.registration(UE1)) == answer
    other.register(UE2)
    assert ue.post(msg("m-1"))[0] == "2.04"
    assert other.received == [msg("m-1")]
    report = messages.report_on(msg("m-1"))
    assert other.post(report)[0] == "2.04"
    ((content_format, body),) = ue.bodies
    members: Any = cbor.decode(body)
    assert content_format == coap.CBOR and members[wire.DELIVERY_STATUS] == 0
    assert ue.peer.received == [report]


def test_what_is_stored_for_later_is_stored_in_json(lab):
    ue = InCbor(lab, "one")
    ue.post(messages.registration(UE1))
    code, content_format, elements = ue.post(msg("m-1"))
    assert (code, content_format, elements[wire.DELIVERY_STATUS]) == ("2.04", coap.CBOR, wire.DELIVERY_STORED)
    (item,) = lab.store.pending(UE2, -1, 10)
    assert messages.decode(item.body) == msg("m-1")


def test_the_format_outlasts_a_restart(lab):
    ue, other = InCbor(lab, "one"), lab.peer("two")
    other.register(UE1)
    ue.post(messages.registration(UE2))
    lab.restart()
    other.post(msg("m-1"))
    ((content_format, _),) = ue.bodies
    assert content_format == coap.CBOR and ue.peer.received == [msg("m-1")]


def test_errors_are_answered_in_cbor(lab):
    ue = InCbor(lab, "one")
    for body in (b"", b"\xff", b"\xa0", b"\x9f", b"\xa1\x00\x04"):
        code, content_format, elements = ue.post(body)
        assert (code, content_format) == ("4.00", coap.CBOR)
        assert elements[wire.FAILURE_CAUSE]
    assert ue.post(msg("m-1")) == (
        "4.03",
        coap.CBOR,
        messages.response((wire.UE, UE1), "m-1", wire.DELIVERY_FAILED, wire.NOT_REGISTERED),
    )


def test_several_registrations_at_once_are_not_for_everyone(lab):
    bulk = {wire.MESSAGE_TYPE: wire.REG, wire.REGISTRATION_REQUESTS: [{wire.UE_SERVICE_ID: UE1}]}
    assert lab.peer("one").post(bulk)[0] == "4.03"
    assert lab.face.resource.counters["handler_errors"] == 0
