"""Secured peers at the server: who they are is what their keys prove, and where they are is where they are heard."""

import contextlib

import pytest
from msgin5g import messages, wire
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.server import Server as CoapServer
from msgin5g.provisioning import DeviceSecurity
from msgin5g.resource import MessageResource

from host_tools.security.contexts import DeviceContexts
from host_tools.security.devices import Devices
from tests.server.lab import AS, GATEWAY, SERVER, UE1, UE2, Lab, Peer, msg

SERVER_ID = "server@a"


class Number:
    number = None

    def load(self):
        return self.number

    def save(self, number):
        self.number = number


class SecuredLab(Lab):
    """A server that takes nobody without a key."""

    def secured(self, store):
        """What its endpoint is secured by."""
        return DeviceContexts(store, SERVER_ID)

    def enrol(self, ue):
        with (
            contextlib.closing(Devices(self.path, SERVER_ID)) as devices,
            devices.enrol(ue) as device,
        ):
            return device

    def peer(self, name, ue=None):
        return SecuredPeer(self.world, name, self.enrol(ue or name))


class SecuredPeer(Peer):
    """A UE or a gateway with a key."""

    def __init__(self, world, name, device):
        super().__init__(world, name)
        security = DeviceSecurity(device["oscore"], Number())
        security.use(SERVER_ID)
        parameters = Parameters(nstart=8, most_waiting=64, most_unanswered=64, most_peers=32)
        self.endpoint = world.join(self.address, Endpoint(parameters, world.random.bits, security=security))
        self.client = Client(self.endpoint)
        self.resource = MessageResource(
            CoapServer(self.endpoint),
            dict.fromkeys((wire.MSG, wire.IMDN, wire.MSGRESP), self._on_message),
        )

    def move(self, name):
        """From here on it is at another address, as behind a NAT that has forgotten."""
        self.world.leave(self.address)
        self.address = (name, 5683)
        self.world.join(self.address, self.endpoint)


@pytest.fixture
def lab(tmp_path):
    return SecuredLab(tmp_path / "server.sqlite")


def test_a_name_belongs_to_whoever_has_its_key(lab):
    ue, thief = lab.peer("ue", UE1), lab.peer("thief", UE2)
    assert thief.register(UE1)[0] == "4.03"
    assert ue.register(UE1)[0] == "2.01"
    assert thief.register(UE1)[0] == "4.03"
    assert thief.post(msg(origin=UE1))[0] == "4.03"
    assert thief.post(messages.deregistration(UE1))[0] == "4.03"
    assert thief.register(GATEWAY)[0] == "4.03"
    assert lab.address(UE1) == ue.address and lab.via(UE1) is None


def test_a_gateway_is_who_has_the_gateways_key(lab):
    gateway = lab.peer("gateway", GATEWAY)
    assert gateway.register(GATEWAY)[0] == "2.01"
    assert gateway.register(UE1)[0] == "2.01"
    assert lab.via(UE1) == GATEWAY
    # Who comes to its address is no gateway for that.
    gateway.leave()
    other = lab.peer("gateway", UE2)
    assert other.register(UE1)[0] == "4.03"
    assert other.post(msg(origin=UE1))[0] == "4.03"
    assert other.register(UE2)[0] == "2.01"


def test_what_goes_to_a_ue_is_for_its_key_wherever_it_is(lab):
    ue, sender = lab.peer("ue", UE1), lab.peer("sender", UE2)
    assert ue.register(UE1)[0] == "2.01" and sender.register(UE2)[0] == "2.01"
    ue.move("elsewhere")
    assert ue.post(msg("m-0", UE1, UE2))[0] == "2.04"
    assert lab.address(UE1) == ue.address
    assert sender.post(msg("m-1", UE2, UE1))[0] == "2.04"
    assert ue.ids() == ["m-1"]


def test_a_gateway_that_moves_takes_those_behind_it_along(lab):
    gateway, sender = lab.peer("gateway", GATEWAY), lab.peer("sender", UE2)
    for name in (GATEWAY, UE1):
        assert gateway.register(name)[0] == "2.01"
    assert sender.register(UE2)[0] == "2.01"
    gateway.move("elsewhere")
    assert gateway.post(msg("m-0", UE1, UE2))[0] == "2.04"
    assert lab.address(UE1) == lab.address(GATEWAY) == gateway.address
    assert sender.post(msg("m-1", UE2, UE1))[0] == "2.04"
    assert gateway.ids() == ["m-1"]


def test_after_a_restart_what_is_stored_goes_to_who_has_not_been_heard_yet(lab):
    gateway, sender = lab.peer("gateway", GATEWAY), lab.peer("sender", UE2)
    for name in (GATEWAY, UE1):
        assert gateway.register(name)[0] == "2.01"
    assert sender.register(UE2)[0] == "2.01"
    gateway.leave()
    assert sender.post(msg("m-1", UE2, UE1))[0] == "2.04"
    lab.restart()
    gateway.back()
    lab.face.start(lab.world.now)
    lab.world.advance(60000)
    assert gateway.ids() == ["m-1"]


def test_a_ue_that_was_behind_a_gateway_has_to_register_to_speak_for_itself(lab):
    gateway, ue = lab.peer("gateway", GATEWAY), lab.peer("ue", UE1)
    for name in (GATEWAY, UE1):
        assert gateway.register(name)[0] == "2.01"
    assert ue.post(msg(origin=UE1))[0] == "4.03"
    assert ue.register(UE1)[0] == "2.01"
    assert lab.via(UE1) is None
    assert ue.post(msg(origin=UE1, to=AS))[0] in {"2.04", "4.04"}


def test_who_is_expelled_is_not_registered_any_more(lab):
    ue = lab.peer("ue", UE1)
    assert ue.register(UE1)[0] == "2.01"
    lab.face.expel(UE1)
    assert lab.address(UE1) is None
    lab.face.expel(UE1)
    assert SERVER in lab.world.endpoints


def test_with_a_gateway_go_those_that_it_has_vouched_for(lab):
    gateway, other = lab.peer("gateway", GATEWAY), lab.peer("other", UE2)
    for name in (GATEWAY, UE1):
        assert gateway.register(name)[0] == "2.01"
    assert other.register(UE2)[0] == "2.01"
    lab.face.expel(GATEWAY)
    assert lab.address(GATEWAY) is None and lab.address(UE1) is None
    assert lab.address(UE2) == other.address
    # What is for them waits until somebody else registers them.
    assert other.post(msg("m-1", UE2, UE1))[0] == "2.04"
    ue = lab.peer("ue", UE1)
    assert ue.register(UE1)[0] == "2.01"
    lab.world.advance(1000)
    assert ue.ids() == ["m-1"]
