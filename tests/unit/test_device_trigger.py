# A device trigger makes a UE get in touch; what it carries is a message, or the application's.

from msgin5g import messages, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap import numbers as coap
from msgin5g.device_trigger import triggered
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"


class Setup:
    def __init__(self):
        self.world = World()
        self.server = FakeServer(self.world)
        self.registrations = []
        self.world.drop = self.count
        self.client = Client(
            UE,
            "server",
            security=NOT_PROTECTED,
            link=FakeLink.at(self.world, "ue"),
            store=MemoryStore(4, 8, 1),
        )

    def count(self, datagram, source, destination):
        if b'"REG"' in datagram and source == "ue":
            self.registrations.append(self.world.now)
        return False

    async def register(self):
        await self.world.run(self.client.register())
        del self.registrations[:]


def message(to=UE):
    elements = messages.message((wire.AS, AS), (wire.UE, to), "m-1", True, True)
    messages.set_payload(elements, "wake up")
    return elements


async def test_gets_in_touch_whatever_it_carries():
    for payload in (b"", b"\x01wake", b"{}", b"\xff", b'{"Message Type":"REG"}'):
        setup = Setup()
        await setup.register()
        assert not triggered(setup.client, payload)
        setup.world.settle()
        assert len(setup.registrations) == 1 and setup.client.registered


async def test_a_message_that_it_carries_is_received_once():
    for content_format in (coap.JSON, coap.CBOR):
        setup = Setup()
        await setup.register()
        body = messages.encode(message(), content_format)
        assert triggered(setup.client, body) and triggered(setup.client, body)
        received = await setup.world.run(setup.client.receive())
        assert (received.payload, received.message_id) == ("wake up", "m-1")
        assert setup.client.counters["duplicates"] == 1
        await setup.world.run(setup.client.settled())
        assert setup.server.received[0][wire.MESSAGE_TYPE] == wire.IMDN


async def test_a_message_for_somebody_else_is_none():
    setup = Setup()
    await setup.register()
    assert not triggered(setup.client, messages.encode(message("other@example.org")))


async def test_a_full_inbox_is_counted():
    setup = Setup()
    await setup.register()
    setup.server.post("ue", message())
    setup.world.settle()
    other = message()
    other[wire.MESSAGE_ID] = "m-2"
    assert triggered(setup.client, messages.encode(other))
    assert setup.client.counters["inbox_full"] == 1
