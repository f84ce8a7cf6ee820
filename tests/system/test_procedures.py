"""What constrained UEs can do, each through a real gateway and server: groups, topics, large and small messages,
priorities, sleep, amendments, another gateway."""

import asyncio
import contextlib
import time

import pytest
from msgin5g import profile, stored_message, wire
from msgin5g.application import FAILED
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap.endpoint import Parameters
from msgin5g.sleep import Sleep
from msgin5g.store.memory import MemoryStore

from host_tools.link import UdpLink
from host_tools.security import key_file
from tests.system.processes import ACK_TIMEOUT, PATIENCE, until

UE, OTHER, THIRD, AS = "ue@example.org", "other@example.org", "third@example.org", "as@example.org"
GROUP = "pumps@example.org"
SECOND_GATEWAY = "gateway-2@example.org"
GROUPS = f"""
[[groups]]
service_id = "{GROUP}"
members = ["{UE}", "{OTHER}", "{THIRD}"]
"""


class Ue:
    """An MSGin5G Client in this process, that keeps what it has got."""

    def __init__(self, name, by, directory, link=None, **options):
        security = NOT_PROTECTED
        if by.security == "oscore":
            path = directory / f"{name}.json"
            if not path.exists():
                by.enrol(name, path)
            security = key_file.security(path, key_file.read(path))
        host, port = (None, by.port) if link else by.address
        options.setdefault("store", MemoryStore(100, 400, 100))
        parameters = Parameters(ack_timeout=ACK_TIMEOUT, token_length=4)
        link = link or _link
        self.client = Client(name, host, port, security, link=link, parameters=parameters, **options)
        self.messages = []
        self._taking = None

    async def start(self):
        """Register, and take what comes."""
        async with asyncio.timeout(PATIENCE):
            await self.client.register()
        self._taking = asyncio.create_task(self._take())

    async def _take(self):
        async for message in self.client:
            self.messages.append((message.originator, message.payload))

    def received(self):
        return [payload for _, payload in self.messages]

    def close(self):
        if self._taking:
            self._taking.cancel()
        self.client.close()


def _link(endpoint):
    return UdpLink(endpoint, "127.0.0.1")


@pytest.fixture
async def ues(place):
    """Makes UEs; they are closed at the end."""
    with contextlib.ExitStack() as stack:

        async def make(name, by, **options):
            ue = Ue(name, by, place.directory, **options)
            stack.callback(ue.close)
            await ue.start()
            return ue

        yield make


async def delivered(sent):
    async with asyncio.timeout(PATIENCE):
        return await sent.delivered()


async def accepted(sent):
    async with asyncio.timeout(PATIENCE):
        assert await sent.accepted(), (sent.state, sent.cause)


async def test_a_group_message_reaches_its_members_and_they_report(place, ues):
    server = await place.server(more=GROUPS)
    gateway = await place.gateway(server)
    ue, other, third = [await ues(name, gateway) for name in (UE, OTHER, THIRD)]
    reporters = set()
    ue.client.on_state = lambda sent: reporters.add(sent.reporter)
    sent = await ue.client.send("to all", group=GROUP)
    assert await delivered(sent)
    await until(lambda: other.received() == third.received() == ["to all"], "two members have it")
    await until(lambda: {OTHER, THIRD} <= reporters, lambda: reporters)


async def test_a_topic_is_subscribed_to_and_published_to(place, ues):
    gateway, server = await place.gateway_and_server()
    ue, other = [await ues(name, gateway) for name in (UE, OTHER)]
    async with asyncio.timeout(PATIENCE):
        ends = await other.client.topics.subscribe("alarms/roof")
    assert ends is not None and ends > time.time()
    await accepted(await ue.client.send("fire", topic="alarms/roof", report=False))
    await until(lambda: other.received() == ["fire"], other.received)
    async with asyncio.timeout(PATIENCE):
        await other.client.topics.unsubscribe("alarms/roof")
    await accepted(await ue.client.send("again", topic="alarms/roof", report=False))
    last = await ue.client.send("last", ue=OTHER)
    assert await delivered(last)
    assert other.received() == ["fire", "last"]
    assert gateway.metrics()["forwarded"] == 2
    assert server.metrics()["store_messages"] == 0


async def test_large_messages_go_up_and_down_in_segments(place, ues):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue = await ues(UE, gateway, profile=profile.client_profile(segment_size=512), segment_size=512)
    text = "0123456789 " * 1000
    assert await delivered(await ue.client.send(text, application_server=AS))
    assert application_server.received() == [text]
    message_id, _ = await application_server.send(text[1:], UE)
    await until(lambda: application_server.report_on(message_id), "report")
    assert ue.received() == [text[1:]]
    await until(lambda: gateway.metrics()["store_messages"] == 0, "nothing is left")


async def test_small_messages_travel_up_as_one(place, ues):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue = await ues(UE, gateway, linger=200)
    before = ue.client.endpoint.counters["sent"]
    sent = [await ue.client.send(f"v{number}", application_server=AS) for number in range(5)]
    for one in sent:
        await accepted(one)
    # One request for all of them.
    assert ue.client.endpoint.counters["sent"] - before <= 2
    for one in sent:
        assert await delivered(one)
    assert sorted(application_server.received()) == [f"v{number}" for number in range(5)]
    assert gateway.metrics()["messages_up"] >= 5
    assert server.metrics()["store_messages"] == 0


async def test_what_is_urgent_overtakes_on_the_way_to_a_ue(place, ues):
    gateway, _ = await place.gateway_and_server()
    ue, other = [await ues(name, gateway) for name in (UE, OTHER)]
    other.close()
    for number, priority in enumerate((wire.MIDDLE, wire.LOW, wire.LOW, wire.MIDDLE, wire.HIGH)):
        sent = await ue.client.send(f"{number} {priority}", ue=OTHER, priority=priority, report=False)
        await accepted(sent)
    await until(lambda: gateway.metrics()["store_messages"] == 5, "all wait at the gateway")
    back = await ues(OTHER, gateway)
    await until(lambda: len(back.messages) == 5, back.received)
    assert back.received() == ["4 HIGH", "0 MIDDLE", "3 MIDDLE", "1 LOW", "2 LOW"]


class Machine:
    def lightsleep(self, ms):
        self.slept = ms / 1000


async def test_a_ue_that_sleeps_gets_its_messages_in_its_window(place, ues):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    start = int(time.time()) + 2
    schedule = profile.availability(start, 3, 8)
    ue = await ues(UE, gateway, profile=profile.client_profile(availability=schedule))
    machine = Machine()
    sleep = Sleep(ue.client, schedule, time.time, machine, early=0)
    first, _ = await application_server.send("while it is awake", UE)
    for _ in range(3):
        async with asyncio.timeout(PATIENCE):
            assert await sleep.drain()
    assert ue.received() == ["while it is awake"]
    sleep.until_window()
    # It was told that nothing waits: from now on it must not be spoken to.
    before = ue.client.endpoint.counters["received"]
    second, _ = await application_server.send("while it sleeps", UE)
    await until(lambda: gateway.metrics()["store_messages"] == 1, "it waits at the gateway")
    opens = time.time() + machine.slept
    while time.time() < opens - 0.3:
        assert ue.client.endpoint.counters["received"] == before
        await asyncio.sleep(0.1)
    await until(lambda: application_server.report_on(second), "report")
    assert time.time() >= opens - 0.3
    assert ue.received() == ["while it is awake", "while it sleeps"]
    assert application_server.report_on(first).delivered and application_server.report_on(second).delivered


async def test_a_stored_message_is_discarded(place, ues):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue = await ues(UE, gateway)
    # At the server, where it waits for a UE that is not there.
    sent = await ue.client.send("never mind", ue=OTHER)
    await accepted(sent)
    await until(lambda: server.metrics()["store_messages"] == 1, "it waits at the server")
    async with asyncio.timeout(PATIENCE):
        await stored_message.discard(ue.client, sent)
    assert (sent.state, sent.cause) == (FAILED, wire.DISCARDED)
    await until(lambda: server.metrics()["store_messages"] == 0, "gone")
    # At the gateway, while the server is away.
    await server.kill()
    lost = await ue.client.send("first", application_server=AS, report=False)
    await accepted(lost)
    await until(lambda: not gateway.metrics()["registered"], "the gateway has noticed", 60)
    sent = await ue.client.send("never mind", application_server=AS)
    await accepted(sent)
    async with asyncio.timeout(PATIENCE):
        await stored_message.discard(ue.client, sent)
    last = await ue.client.send("last", application_server=AS)
    await server.start()
    assert await delivered(last)
    assert application_server.received() == ["first", "last"]
    assert gateway.metrics()["discarded"] == 1


async def test_another_gateway_takes_over(place, ues):
    server = await place.server(gateways=("gateway@example.org", SECOND_GATEWAY), security="none")
    first = await place.gateway(server)
    second = await place.gateway(server, ue_service_id=SECOND_GATEWAY, name="gateway-2")
    application_server = await place.application_server(server)
    links = []

    class Link(UdpLink):
        # Everybody in reach is one gateway here: the first until it is gone.
        def broadcast(self, port, group=None):
            return (first if first.running else second).address

    def link(endpoint):
        links.append(Link(endpoint, "127.0.0.1"))
        return links[-1]

    ue = await ues(UE, first, link=link)
    assert ue.client.registration.address == first.address
    assert await delivered(await ue.client.send("one", application_server=AS))
    await first.kill()
    sent = [await ue.client.send(f"{number}", application_server=AS) for number in range(3)]
    for one in sent:
        async with asyncio.timeout(120):
            assert await one.delivered()
    assert ue.client.registration.address == second.address
    assert application_server.received() == ["one", "0", "1", "2"]
    message_id, _ = await application_server.send("down", UE)
    await until(lambda: application_server.report_on(message_id), "report")
    assert ue.received() == ["down"]
    assert second.metrics()["selections"] >= 1


async def test_boards_are_registered_several_at_once(place):
    server = await place.server()
    gateway = await place.gateway(server, more="bulk_registration_seconds = 3")
    application_server = await place.application_server(server)
    names = [f"board-{number}@example.org" for number in range(4)]
    boards = await asyncio.gather(*(place.board(name, gateway) for name in names))
    assert gateway.metrics()["bulk_registrations"] <= 2
    assert server.metrics()["ues"] == 5
    sent = [(board, await board.send(board.ue_service_id, **{"as": AS})) for board in boards]
    for board, message_id in sent:
        await board.state(message_id, "delivered")
    assert sorted(application_server.received()) == names
