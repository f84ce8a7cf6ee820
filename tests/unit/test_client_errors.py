# What an application developer does wrong: each raises an error that names the thing, the value and the way out.

import asyncio
import json

from flash import folder as new_folder
from msgin5g import device_trigger, messages, provisioning, stored_message, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.configuration import Configuration
from msgin5g.store.flash import FlashStore
from msgin5g.topics import _MOST_TOPICS
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"


def setup(**options):
    world = World()
    server = FakeServer(world)
    return (
        world,
        server,
        Client(UE, "server", security=NOT_PROTECTED, link=FakeLink.at(world, "ue"), **options),
    )


def refused(error, function, *arguments):
    # The text of the error that a call raises.
    try:
        function(*arguments)
    except error as raised:
        return raised.args[-1]
    raise AssertionError("nothing was raised")


async def refused_later(error, awaitable):
    try:
        await awaitable
    except error as raised:
        return raised.args[-1]
    raise AssertionError("nothing was raised")


# -- making a Client


def test_security_has_to_be_named():
    text = refused(ValueError, Client, UE, "server")
    assert "provisioning" in text and "NOT_PROTECTED" in text


def test_a_device_without_a_file_is_told_what_writes_one():
    text = refused(provisioning.NotProvisioned, provisioning.client, "missing.json")
    assert "missing.json" in text and "msgin5g enrol" in text


def test_what_is_missing_in_the_file_is_named():
    file = new_folder().rpartition("/")[0] + "/device.json"
    key = {"master_secret": "00" * 16, "master_salt": "", "sender_id": "01", "recipient_id": ""}
    whole = {"ue_service_id": UE, "gateway": "g", "gateway_ue_service_id": "g@example.org", "oscore": key}
    for missing in ("ue_service_id", "gateway_ue_service_id", "oscore"):
        with open(file, "w") as opened:
            json.dump({name: value for name, value in whole.items() if name != missing}, opened)
        text = refused(provisioning.NotProvisioned, provisioning.read, file)
        assert missing in text and file in text
    for missing in ("master_secret", "sender_id", "recipient_id"):
        less = {name: value for name, value in key.items() if name != missing}
        with open(file, "w") as opened:
            json.dump({"ue_service_id": UE, "oscore": less}, opened)
        text = refused(provisioning.NotProvisioned, provisioning.read, file)
        assert missing in text and file in text


def test_a_folder_that_cannot_be_used_is_named():
    folder = new_folder() + "/not/there"
    assert folder in refused(OSError, FlashStore, folder)
    file = new_folder()
    with open(file, "w") as opened:
        opened.write("x")
    assert file in refused(OSError, FlashStore, file)


# -- sending


async def test_one_recipient():
    client = setup()[2]
    assert "not 0" in await refused_later(ValueError, client.send("x"))
    assert "not 2" in await refused_later(ValueError, client.send("x", ue=UE, topic="alarms"))
    for recipient in (5, b"ue", ""):
        assert repr(recipient) in await refused_later(ValueError, client.send("x", ue=recipient))
    assert not len(client.store)


async def test_a_payload_is_text_or_octets():
    client = setup()[2]
    for payload, name in ((5, "int"), (2.5, "float"), ({"a": 1}, "dict"), ([1, 2], "list")):
        text = await refused_later(TypeError, client.send(payload, ue=UE))
        assert name in text and "json.dumps" in text
    assert not len(client.store)
    for payload in ("text", b"octets", bytearray(b"octets"), memoryview(b"octets"), None):
        await client.send(payload, ue=UE)
    assert len(client.store) == 5


async def test_a_file_that_is_not_there_is_named():
    client = setup()[2]
    assert "missing.bin" in await refused_later(OSError, client.send(ue=UE, file="missing.bin"))
    assert "not both" in await refused_later(ValueError, client.send("x", ue=UE, file="missing.bin"))


async def test_a_priority_that_is_none_is_named():
    client = setup()[2]
    text = await refused_later(ValueError, client.send("x", ue=UE, priority="high"))
    assert "'high'" in text and wire.HIGH in text
    assert not len(client.store)


async def test_an_expiration_needs_the_time_of_day():
    import msgin5g.client

    client = setup()[2]
    clock = msgin5g.client.wall_clock
    msgin5g.client.wall_clock = lambda: None
    try:
        assert "set the clock" in await refused_later(ValueError, client.send("x", ue=UE, expires_in=60))
    finally:
        msgin5g.client.wall_clock = clock


# -- in the wrong order


async def test_after_close_nothing_seems_to_be_sent():
    world, _server, client = setup()
    await world.run(client.register())
    client.close()
    client.close()
    assert "closed" in await refused_later(ValueError, client.send("x", ue=UE))
    assert "closed" in await refused_later(ValueError, client.register())


async def test_registering_twice_is_once():
    world, server, client = setup()
    await world.run(client.register())
    await world.run(client.register())
    assert client.registered
    assert server.registered == {UE: "ue"}


async def test_what_waits_for_an_answer_says_that_nobody_would_hear_it():
    client = setup()[2]
    sent = await client.send("x", ue=UE)
    client.store.remove(client.store.pending("", -1, 1)[0])
    assert "register()" in await refused_later(ValueError, client.topics.subscribe("alarms"))
    assert "register()" in await refused_later(ValueError, stored_message.discard(client, sent))
    configuration = Configuration(client, "urn:x", new_folder())
    assert "register()" in await refused_later(ValueError, configuration.get())
    # Got in touch when there is a registration.
    assert device_trigger.triggered(client, b"wake up") is False


async def test_two_that_receive_get_a_message_each():
    world, server, client = setup()
    await world.run(client.register())
    both = [asyncio.create_task(client.receive()), asyncio.create_task(client.receive())]
    for number in ("1", "2"):
        elements = messages.message((wire.AS, AS), (wire.UE, UE), "m-" + number)
        messages.set_payload(elements, number)
        server.post("ue", elements)
    payloads = []
    for task in both:
        payloads.append((await world.run(_result(task))).payload)
    payloads.sort()
    assert payloads == ["1", "2"]


async def _result(task):
    return await task


async def test_one_topic_too_many_says_how_to_make_room():
    client = setup()[2]
    client.topics._wanted.update({"topic-%d" % number: "" for number in range(_MOST_TOPICS)})
    text = await refused_later(ValueError, client.topics.subscribe("one more"))
    assert str(_MOST_TOPICS) in text and "unsubscribe" in text


def test_a_host_that_nobody_knows_is_named():
    import msgin5g.link.udp as udp

    class NoNames:
        @staticmethod
        def getaddrinfo(*_name):
            raise OSError(-2)

    socket, udp.socket = udp.socket, NoNames
    try:
        assert "gateway.example" in refused(OSError, udp.UdpLink.resolve, None, "gateway.example", 5683)
    finally:
        udp.socket = socket
