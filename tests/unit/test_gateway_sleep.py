# A UE that sleeps between its windows, behind a gateway: nothing is sent into its sleep, and nothing is lost.

import asyncio

from gateway_world import AS, UE, Setup, to_client
from msgin5g import messages, profile, wire
from msgin5g.resource import told
from msgin5g.sleep import Sleep
from msgin5g.store.memory import MemoryStore
from server import FakeServer

HOUR = 3600
WINDOW = 60


class Machine:
    slept = 0

    def lightsleep(self, ms):
        self.slept = ms


class Sleeper(Setup):
    # A UE that drains in each window and sleeps until the next.
    def __init__(self, offset=0, **options):
        super().__init__(**options)
        self.schedule = profile.availability(self.world.wall + 10, WINDOW, HOUR)
        self.world.advance(offset * 1000)
        self.profile = profile.client_profile(availability=self.schedule)
        self.ue = self.client(store=MemoryStore(20, 100, 20), profile=self.profile)
        self.machine = Machine()
        self.sleep = Sleep(self.ue, self.schedule, self.world.wall_clock, self.machine)
        self.taken = []
        self.asleep = False
        self.into_sleep = 0
        self.hooks = []
        self.world.drop = self.on_datagram

    def on_datagram(self, datagram, source, destination):
        if self.asleep and destination == "ue-1":
            self.into_sleep += 1
            return True
        for hook in self.hooks:
            hook()
        return False

    async def begin(self):
        await self.run(self.ue.register())
        self.taking = asyncio.create_task(self.take())

    async def take(self):
        async for message in self.ue:
            self.taken.append(message.payload)

    async def window(self):
        # Awake until everything is drained, then asleep until the next.
        assert await self.run(self.sleep.drain(), most=200000)
        self.fall_asleep()
        self.world.advance(self.machine.slept)
        self.wake_up()

    def fall_asleep(self):
        # It hears nothing, and sends nothing.
        self.sleep.until_window()
        self.asleep = True
        self.world.leave("ue-1")

    def wake_up(self):
        self.asleep = False
        self.world.join("ue-1", self.ue.endpoint)

    def post(self, text, **options):
        return self.server.post("gateway-up", to_client(text, text, **options))


async def test_a_message_waits_for_the_window():
    setup = Sleeper()
    await setup.begin()
    assert await setup.run(setup.sleep.drain())
    setup.fall_asleep()
    setup.world.advance(3000)
    answer = setup.post("on")
    setup.world.advance(1000)
    assert answer[0].code == wire.ACCEPTED and setup.into_sleep == 0
    assert setup.store.pending(UE, -1, 9)
    setup.world.advance(setup.machine.slept - 4000)
    setup.wake_up()
    await setup.window()
    assert setup.taken == ["on"] and setup.into_sleep == 0


async def test_without_a_word_from_the_ue_it_goes_when_the_window_opens():
    setup = Sleeper()
    await setup.begin()
    assert await setup.run(setup.sleep.drain())
    setup.fall_asleep()
    setup.post("on")
    setup.world.advance(9000)
    assert setup.into_sleep == 0
    setup.wake_up()
    setup.world.advance(4000)
    for _ in range(5):
        await asyncio.sleep(0)
    assert setup.taken == ["on"]


async def test_a_message_at_every_moment_arrives_once_and_not_into_sleep():
    # Before each datagram of three windows, those that tell it that nothing waits among them.
    moment = 0
    while True:
        moment += 1
        setup = Sleeper(offset=11)
        await setup.begin()
        began = setup.world.datagrams
        posted = []

        def post(setup=setup, began=began, posted=posted, moment=moment):
            if not posted and setup.world.datagrams - began == moment:
                posted.append(setup.post("on"))

        setup.hooks.append(post)
        for _ in range(3):
            await setup.window()
        assert setup.into_sleep == 0, moment
        if not posted:
            break
        await setup.window()
        assert setup.taken == ["on"], moment
        reports = setup.received(wire.IMDN)
        assert [report[wire.DELIVERY_STATUS] for report in reports] == [wire.REPORT_SUCCESS], moment
        setup.taking.cancel()
        setup.ue.close()
    assert moment > 8


async def test_the_ue_is_told_how_much_waits():
    setup = Sleeper(offset=11)
    await setup.begin()
    await setup.window()
    setup.ue.close()
    for number in range(3):
        setup.post("m%d" % number)
    setup.world.advance(1000)
    told_waiting = []
    # It takes none of them: what is under way to it still waits.
    ue = FakeServer(setup.world, "ue-1")
    ue.resource._handlers[wire.MSG] = lambda request, elements, now: None
    for _ in range(2):
        answer = ue.post("gateway", messages.registration(UE, setup.profile))
        setup.world.advance(6000)
        told_waiting.append(told(answer[0])[wire.MESSAGES_WAITING])
    assert told_waiting == [3, 3]


async def test_a_sign_of_life_wakes_it():
    setup = Sleeper()
    await setup.begin()
    assert await setup.run(setup.sleep.drain())
    setup.post("on")
    setup.world.advance(1000)
    assert setup.taken == []
    sent = await setup.ue.send("hello", application_server=AS, report=False)
    await setup.run(sent.accepted())
    setup.world.advance(1000)
    for _ in range(5):
        await asyncio.sleep(0)
    assert setup.taken == ["on"]


async def test_what_expires_while_it_sleeps_is_reported():
    setup = Sleeper(offset=11)
    await setup.begin()
    assert await setup.run(setup.sleep.drain())
    setup.fall_asleep()
    setup.post("on", expires=setup.world.wall_clock() + 100)
    setup.world.advance(200000)
    (report,) = setup.received(wire.IMDN)
    assert report[wire.FAILURE_CAUSE] == wire.EXPIRED and setup.into_sleep == 0
    assert len(setup.store) == 0


async def test_one_that_is_gone_is_not_called_all_night():
    setup = Sleeper(offset=11)
    await setup.begin()
    setup.ue.close()
    setup.asleep = True
    await asyncio.sleep(0)
    setup.world.advance(120000)
    setup.into_sleep = 0
    setup.post("on")
    # In ten windows of a minute each, and between them.
    setup.world.advance(10 * HOUR * 1000)
    assert 10 <= setup.into_sleep <= 10 * 10


async def test_after_a_restart_windows_are_kept():
    setup = Sleeper(offset=11)
    await setup.begin()
    assert await setup.run(setup.sleep.drain())
    setup.fall_asleep()
    setup.world.advance(WINDOW * 1000)
    setup.post("on")
    setup.world.advance(1000)
    setup.kill_gateway()
    setup.start_gateway()
    setup.world.advance(1000 * HOUR - 1000 * (WINDOW + 5))
    assert setup.into_sleep == 0
    setup.wake_up()
    setup.world.advance(10000)
    for _ in range(5):
        await asyncio.sleep(0)
    assert setup.taken == ["on"]


# -- the Store and forward option (8.2.1)


def choosy(setup, wants):
    # A UE whose windows are an hour apart, the first one open, that says whether it wants what comes between them.
    setup.world.advance(1000)
    ue = FakeServer(setup.world, "ue-1")
    schedule = profile.availability(setup.world.wall_clock(), WINDOW, HOUR, store_and_forward=wants)
    ue.post("gateway", messages.registration(UE, profile.client_profile(availability=schedule)))
    setup.world.advance(1000)
    ue.registered[AS] = "gateway"
    return ue


async def test_who_wants_nothing_stored_gets_only_what_comes_while_it_listens():
    setup = Setup()
    ue = choosy(setup, False)
    # It was told that nothing waits for it, and sleeps from then on until it says something.
    ue.post("gateway", messages.message((wire.UE, UE), (wire.AS, AS), "m-0", True, False))
    setup.world.advance(100)
    setup.server.post("gateway-up", to_client("a", "d-1"))
    setup.world.advance(1000)
    assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-1"]
    setup.world.advance(HOUR * 500)
    answer = setup.server.post("gateway-up", to_client("b", "d-2"))
    setup.world.advance(1000)
    assert answer[0].code == wire.REFUSED
    assert told(answer[0])[wire.FAILURE_CAUSE] == wire.RECIPIENT_NOT_REACHABLE
    assert setup.gateway.counters["not_reachable"] == 1
    # One that it has is not refused because its acknowledgement was lost; a report is no message.
    answer = setup.server.post("gateway-up", to_client("a", "d-1"))
    setup.world.advance(1000)
    assert answer[0].code == wire.ACCEPTED
    report = messages.report_on(messages.message((wire.UE, UE), (wire.AS, AS), "m-1", True, True))
    answer = setup.server.post("gateway-up", report)
    setup.world.advance(HOUR * 500)
    assert answer[0].code == wire.ACCEPTED
    setup.server.post("gateway-up", to_client("c", "d-3"))
    setup.world.advance(5000)
    assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-1", "m-1", "d-3"]


async def test_who_says_nothing_about_it_gets_everything():
    for wants in (True, None):
        setup = Setup()
        ue = choosy(setup, wants)
        setup.world.advance(HOUR * 500)
        answer = setup.server.post("gateway-up", to_client("b", "d-2"))
        setup.world.advance(1000)
        assert answer[0].code == wire.ACCEPTED and ue.received == []
        setup.world.advance(HOUR * 500)
        assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-2"]


# -- a clock that jumps


async def test_a_clock_that_jumps_keeps_nobody_asleep():
    for jump in (-86400 + 100, 86400 + 100, 86400 * 365 + 100):
        setup = Setup(held_clock=lambda: 1800000000)
        ue = choosy(setup, True)
        setup.world.advance(HOUR * 500)
        setup.server.post("gateway-up", to_client("b", "d-2"))
        setup.world.advance(1000)
        assert ue.received == []
        # By the new clock its window opens in less than an hour, whatever the old one said.
        setup.world.wall += jump
        setup.gateway.clock_jumped(setup.world.now)
        setup.world.advance(HOUR * 1000)
        if jump > 0:
            assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-2"], jump
        else:
            # Before its first window: it has said from when on it listens.
            assert ue.received == []
            setup.world.wall += 86400
            setup.gateway.clock_jumped(setup.world.now)
            setup.world.advance(HOUR * 1000)
            assert [m[wire.MESSAGE_ID] for m in ue.received] == ["d-2"]
