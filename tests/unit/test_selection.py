# Finding a gateway: who is asked, whose answer counts, which one is taken, and another one when it falls silent.

from msgin5g import messages, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap import numbers as coap
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.selection import Selection
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"


class Gateway(FakeServer):
    # One that can be found.
    def __init__(self, world, address, allowed=1280, name=None):
        super().__init__(world, address)
        self.asked = []
        self.answer = {
            wire.UE_SERVICE_ID: name or address + "@example.org",
            wire.ALLOWED_PACKET_SIZE: allowed,
        }
        self.resource._server.add(wire.SELECTION_PATH, coap.POST, self.on_selection)

    def on_selection(self, request, now):
        self.asked.append(request.payload)
        if self.answer is not None:
            self.resource.answer(request, coap.CONTENT, now, self.answer)


class Asking:
    def __init__(self, required=1000):
        self.world = World()
        self.endpoint = Endpoint(Parameters(), self.world.random.bits)
        self.world.join("ue", self.endpoint)
        self.link = FakeLink(self.world, "ue", self.endpoint)
        self.selection = Selection(self.endpoint, self.link, UE, required)

    async def find(self):
        found = await self.world.run(self.selection.find())
        return [one.address for one in found]


async def test_everybody_is_asked_and_the_answers_are_compared():
    asking = Asking()
    gateways = [Gateway(asking.world, name) for name in ("b", "a", "c")]
    assert await asking.find() == ["a", "b", "c"]
    assert all(len(gateway.asked) == 1 for gateway in gateways)
    assert b"1000" in gateways[0].asked[0] and UE.encode() in gateways[0].asked[0]


async def test_a_better_link_comes_first():
    asking = Asking()
    for name in ("a", "b", "c"):
        Gateway(asking.world, name)
    asking.link.quality = lambda address: {"a": -90, "b": -40, "c": -60}[address]
    assert await asking.find() == ["b", "c", "a"]


async def test_one_that_carries_less_than_is_required_does_not_count():
    asking = Asking()
    Gateway(asking.world, "a", allowed=250)
    Gateway(asking.world, "b", allowed=1000)
    assert await asking.find() == ["b"]
    assert asking.selection.counters["too_small"] == 1


async def test_answers_that_say_nothing_do_not_count():
    asking = Asking()
    for name, answer in (
        ("a", {wire.ALLOWED_PACKET_SIZE: 1280}),
        ("b", {wire.UE_SERVICE_ID: "b"}),
        ("c", {wire.UE_SERVICE_ID: "c", wire.ALLOWED_PACKET_SIZE: -5}),
        ("d", {}),
    ):
        Gateway(asking.world, name).answer = answer
    Gateway(asking.world, "e")
    assert await asking.find() == ["e"]
    assert asking.selection.counters["bad_answers"] == 4


async def test_it_asks_until_there_is_one():
    asking = Asking()

    def appear(datagram, source, destination):
        if asking.world.now > 20000 and not appeared:
            appeared.append(Gateway(asking.world, "late"))
        return False

    appeared = []
    asking.world.drop = appear
    assert await asking.find() == ["late"]
    assert 3 <= asking.selection.counters["asked"] <= 6


async def test_the_number_of_answers_is_bounded():
    asking = Asking()
    for number in range(12):
        Gateway(asking.world, "g%02d" % number)
    assert len(await asking.find()) == 8


async def test_a_client_without_a_gateway_finds_one():
    world = World()
    gateway = Gateway(world, "a")
    client = Client(UE, security=NOT_PROTECTED, link=FakeLink.at(world, "ue"))
    await world.run(client.register())
    assert client.registered and gateway.registered == {UE: "ue"} and client.link.peer == "a"


async def test_a_second_gateway_takes_over_in_the_middle_of_traffic():
    world = World()
    first, second = Gateway(world, "a"), Gateway(world, "b")
    client = Client(UE, security=NOT_PROTECTED, link=FakeLink.at(world, "ue"))
    await world.run(client.register())
    for number in range(3):
        await client.send(str(number), application_server=AS, report=False)
    world.leave("a")
    await client.send("3", application_server=AS, report=False)
    await world.run(client.settled(), 1200000)
    assert client.registered and second.registered == {UE: "ue"} and client.link.peer == "b"
    received = [messages.payload(message) for message in first.received + second.received]
    assert sorted(set(received)) == ["0", "1", "2", "3"]


async def test_the_only_gateway_is_kept_until_it_is_back():
    world = World()
    gateway = Gateway(world, "a")
    client = Client(UE, security=NOT_PROTECTED, link=FakeLink.at(world, "ue"))
    await world.run(client.register())
    endpoint = world.leave("a")
    sent = await client.send("x", application_server=AS, report=False)
    world.advance(1000)

    def come_back(datagram, source, destination):
        if world.now > 900000:
            world.join("a", endpoint)
        return False

    world.drop = come_back
    await world.run(sent.accepted(), 2000000)
    assert client.registered and len(gateway.received) == 1
