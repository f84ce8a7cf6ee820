# Sleeping between wake windows: what is drained before, what is told, when it wakes.

import asyncio

from msgin5g import messages, profile, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.sleep import Sleep
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"
HOUR = 3600
START = 1800000000


class Machine:
    def __init__(self):
        self.slept = []

    def deepsleep(self, ms):
        self.slept.append(("deep", ms))

    def lightsleep(self, ms):
        self.slept.append(("light", ms))


class Gateway(FakeServer):
    # Keeps what is for the UE until it gives a sign of life, and tells how much that is.
    def __init__(self, world):
        super().__init__(world)
        self.kept = []

    def _on_reg(self, request, elements, now):
        result = messages.registration_result(wire.REG, UE)
        result[wire.MESSAGES_WAITING] = len(self.kept)
        self.registered[UE] = request.peer.address
        self.profile = elements.get(wire.CLIENT_PROFILE)
        self.resource.answer(request, wire.REGISTERED, now, result)
        self.deliver()

    def deliver(self):
        while self.kept:
            self.post("ue", self.kept.pop(0))


class Setup:
    def __init__(self, offset=0):
        self.world = World()
        self.world.wall = START + offset
        self.gateway = Gateway(self.world)
        self.schedule = profile.availability(START, 60, HOUR)
        self.client = Client(
            UE,
            "server",
            security=NOT_PROTECTED,
            link=FakeLink.at(self.world, "ue"),
            store=MemoryStore(8, 32, 8),
            profile=profile.client_profile(availability=self.schedule, segment_size=512),
        )
        self.machine = Machine()
        self.sleep = Sleep(self.client, self.schedule, self.world.wall_clock, self.machine)
        self.taken = []

    async def begin(self):
        await self.world.run(self.client.register())
        self.taking = asyncio.create_task(self.take())

    async def take(self):
        async for message in self.client:
            self.taken.append(message.payload)

    async def drain(self, **options):
        return await self.world.run(self.sleep.drain(**options))

    def keep(self, text):
        elements = messages.message((wire.AS, AS), (wire.UE, UE), text, True, True)
        messages.set_payload(elements, text)
        self.gateway.kept.append(elements)


async def test_the_profile_tells_the_schedule():
    setup = Setup()
    await setup.begin()
    told = setup.gateway.profile
    assert told[wire.COMMUNICATION_AVAILABILITY] == setup.schedule
    assert told[wire.SUPPORTED_SEGMENT_SIZE] == 512


async def test_drains_both_ways_until_there_is_nothing_more():
    setup = Setup()
    await setup.begin()
    await setup.client.send("up", application_server=AS, report=False)
    for number in range(3):
        setup.keep("down-%d" % number)
    assert await setup.drain()
    assert setup.taken == ["down-0", "down-1", "down-2"]
    kinds = [one[wire.MESSAGE_TYPE] for one in setup.gateway.received]
    assert kinds.count(wire.MSG) == 1 and kinds.count(wire.IMDN) == 3
    assert setup.client.outbox.empty() and setup.sleep.counters["drained"] == 1


async def test_with_nothing_to_do_one_exchange_is_enough():
    setup = Setup()
    await setup.begin()
    before = setup.world.datagrams
    assert await setup.drain()
    assert setup.world.datagrams - before == 2


async def test_not_forever_when_the_gateway_is_away():
    setup = Setup()
    await setup.begin()
    setup.world.leave("server")
    await setup.client.send("up", application_server=AS, report=False)
    assert not await setup.drain(most=30000)
    assert setup.sleep.counters["not_drained"] == 1 and not setup.client.outbox.empty()


async def test_a_promise_that_is_not_kept_is_asked_about():
    setup = Setup()
    await setup.begin()
    setup.keep("lost")
    setup.gateway.deliver = setup.gateway.kept.clear
    assert await setup.drain()
    assert setup.taken == []


async def test_sleeps_until_the_next_window():
    for offset, seconds in (
        (10, HOUR - 10),
        (59, HOUR - 59),
        (60, HOUR - 60),
        (-100, 100),
        (HOUR + 61, HOUR - 61),
    ):
        setup = Setup(offset)
        setup.sleep.until_window()
        assert setup.machine.slept == [("light", (seconds - 3) * 1000)], offset


async def test_a_deep_sleep_leaves_everything_on_flash():
    setup = Setup(10)
    await setup.begin()
    setup.sleep.until_window(deep=True)
    assert setup.machine.slept[0][0] == "deep" and "ue" not in setup.world.endpoints


async def test_without_the_time_of_day_it_does_not_sleep():
    setup = Setup()
    setup.sleep._wall_clock = lambda: None
    setup.sleep.until_window()
    assert setup.machine.slept == [("light", 0)]
