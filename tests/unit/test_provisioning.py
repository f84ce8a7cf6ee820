# A provisioned device: protected with keys of its own for each gateway.

import json
import os

from msgin5g import provisioning, wire
from msgin5g.client import Client
from msgin5g.coap import numbers as coap
from msgin5g.oscore.contexts import Contexts
from msgin5g.provisioning import NotProvisioned
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"
FILE = "device.tmp.json"
SECRET = "0102030405060708090a0b0c0d0e0f10"
DEVICE = {
    "ue_service_id": UE,
    "gateway": "a:5683",
    "gateway_ue_service_id": "a@example.org",
    "oscore": {"master_secret": SECRET, "master_salt": "9e7c", "sender_id": "01", "recipient_id": ""},
}


class Number:
    # Storage of a sequence number that outlives whoever uses it.
    def __init__(self):
        self.number = None

    def load(self):
        return self.number

    def save(self, number):
        self.number = number


class Gateway(FakeServer):
    # One that knows the device, and can be found.
    def __init__(self, world, address, secret=SECRET):
        name = address + "@example.org"
        keys = {"master_secret": secret, "master_salt": "9e7c", "sender_id": "", "recipient_id": "01"}
        context = provisioning.context(keys, name, UE, Number())
        contexts = Contexts(lambda kid, kid_context: context if kid == b"\1" else None)
        contexts.open_paths = (wire.SELECTION_PATH,)
        super().__init__(world, address, contexts)
        self.told = {wire.UE_SERVICE_ID: name, wire.ALLOWED_PACKET_SIZE: 1280}
        self.resource._server.add(wire.SELECTION_PATH, coap.POST, self.on_selection)

    def on_selection(self, request, now):
        self.resource.answer(request, coap.CONTENT, now, self.told)


def write(device):
    with open(FILE, "w") as file:
        file.write(device if isinstance(device, str) else json.dumps(device))


def begin(world, device, storage):
    write(device)
    try:
        return provisioning.client(FILE, storage, link=FakeLink.at(world, "ue"), store=MemoryStore())
    finally:
        os.remove(FILE)


async def exchange(world, client, gateway):
    sent = await client.send("x", application_server=AS, report=False)
    assert await world.run(sent.accepted())
    elements = {
        wire.MESSAGE_TYPE: wire.MSG,
        wire.MESSAGE_ID: "m-%d" % len(gateway.received),
        wire.ORIGINATING_AS: AS,
        wire.RECIPIENT_UE: UE,
        wire.STORE_AND_FORWARD_FLAG: True,
        wire.PAYLOAD: "on",
    }
    gateway.post("ue", elements)
    assert (await world.run(client.receive())).payload == "on"


async def test_every_octet_is_protected():
    world = World()
    seen = []
    world.drop = lambda datagram, source, destination: seen.append(bytes(datagram))
    gateway = Gateway(world, "a")
    client = begin(world, DEVICE, Number())
    await world.run(client.register())
    await exchange(world, client, gateway)
    assert len(seen) >= 6
    assert not [one for one in seen if AS.encode() in one or UE.encode() in one or b"msgin5g" in one]


async def test_goes_on_after_a_restart_of_either():
    world = World()
    gateway = Gateway(world, "a")
    number = Number()
    client = begin(world, DEVICE, number)
    await world.run(client.register())
    await exchange(world, client, gateway)
    client.close()
    client = begin(world, DEVICE, number)
    await world.run(client.register())
    await exchange(world, client, gateway)
    world.leave("a")
    again = Gateway(world, "a")
    world.advance(200000)
    await world.run(client.until_registered())
    await exchange(world, client, again)


async def test_finds_the_gateway_that_knows_it_and_has_other_keys_with_another():
    world = World()
    first, second = Gateway(world, "a"), Gateway(world, "b")
    device = {key: DEVICE[key] for key in ("ue_service_id", "oscore")}
    client = begin(world, device, Number())
    await world.run(client.register())
    await exchange(world, client, first)
    before = client.endpoint.security.context
    world.leave("a")
    sent = await client.send("y", application_server=AS, report=False)
    assert await world.run(sent.accepted(), 1200000)
    assert second.registered and client.endpoint.security.context.sender_iv != before.sender_iv
    await exchange(world, client, second)


async def test_a_gateway_with_other_keys_is_not_believed():
    world = World()
    gateway = Gateway(world, "a", "ff" * 16)
    client = begin(world, DEVICE, Number())
    client._start_link()
    client.registration.start(world.now)
    world.advance(200000)
    assert not client.registered and gateway.registered == {}
    assert gateway.endpoint.counters["oscore_forged"] > 0


def test_what_is_not_provisioned_says_what_is_wrong():
    world = World()
    for device, word in (
        ("no", "JSON"),
        ("[]", "object"),
        ({}, "ue_service_id"),
        ({"ue_service_id": UE}, "oscore"),
        ({"ue_service_id": UE, "oscore": DEVICE["oscore"], "gateway": "a"}, "gateway_ue_service_id"),
        (dict(DEVICE, oscore={}), "sender_id"),
        (dict(DEVICE, oscore=dict(DEVICE["oscore"], master_secret="xyz")), FILE),
        (dict(DEVICE, oscore=[]), FILE),
        (dict(DEVICE, gateway=5), FILE),
    ):
        try:
            begin(world, device, Number())
            raise AssertionError(device)
        except NotProvisioned as wrong:
            assert word in wrong.args[0], wrong.args[0]
    try:
        provisioning.read("no-such-file.json")
        raise AssertionError("read")
    except NotProvisioned as wrong:
        assert "no-such-file.json" in wrong.args[0]


def test_where_a_gateway_is():
    for written, meant in (
        ("192.168.4.1", ("192.168.4.1", 5683)),
        ("gateway.example.org:5684", ("gateway.example.org", 5684)),
        ("[fe80::1%wlan0]:5684", ("fe80::1%wlan0", 5684)),
        ("[::1]", ("::1", 5683)),
        ("::1", ("::1", 5683)),
        ("24:0a:c4:00:01:10", ("24:0a:c4:00:01:10", 5683)),
    ):
        assert provisioning.host_and_port(written) == meant


def test_a_client_without_keys_says_so():
    try:
        Client(UE, "a", link=FakeLink.at(World(), "ue"))
        raise AssertionError("not protected")
    except ValueError as error:
        assert "NOT_PROTECTED" in error.args[0]
