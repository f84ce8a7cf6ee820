# A message that is stored for later is discarded or given another expiration time, by the client or at the server.

import msgin5g.client
from msgin5g import messages, wire
from msgin5g.application import ACCEPTED, FAILED
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.store.memory import MemoryStore
from msgin5g.stored_message import NotChanged, discard, update
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"


class Setup:
    def __init__(self):
        self.world = World()
        self.server = FakeServer(self.world)
        self.asked = []
        self.answer = wire.ACCEPTED, None
        self.server.resource._handlers[wire.SFUPD] = self.on_sfupd
        own_clock = msgin5g.client.wall_clock
        msgin5g.client.wall_clock = self.world.wall_clock
        self.client = Client(
            UE, "server", security=NOT_PROTECTED, link=FakeLink.at(self.world, "ue"), store=MemoryStore()
        )
        msgin5g.client.wall_clock = own_clock

    def on_sfupd(self, request, elements, now):
        self.asked.append(elements)
        code, cause = self.answer
        if cause:
            self.server.resource.refuse(request, code, elements, cause, now)
        else:
            self.server.resource.answer(request, code, now)

    async def accepted(self):
        await self.world.run(self.client.register())
        sent = await self.client.send("x", application_server=AS)
        await self.world.run(sent.accepted())
        return sent

    def received(self):
        return [messages.payload(message) for message in self.server.received]


async def test_discards_what_has_not_been_sent():
    setup = Setup()
    first = await setup.client.send("1", application_server=AS)
    await setup.client.send("2", application_server=AS)
    await discard(setup.client, first)
    assert (first.state, first.cause) == (FAILED, wire.DISCARDED)
    await setup.world.run(setup.client.register())
    await setup.world.run(setup.client.settled())
    assert setup.received() == ["2"] and setup.asked == []


async def test_updates_what_has_not_been_sent():
    setup = Setup()
    sent = await setup.client.send("1", application_server=AS)
    until = setup.world.wall_clock() + 3600
    await update(setup.client, sent, until)
    await setup.world.run(setup.client.register())
    await setup.world.run(setup.client.settled())
    assert messages.expiration(setup.server.received[0]) == until
    assert setup.received() == ["1"]
    assert setup.server.received[0][wire.MESSAGE_ID] == sent.message_id


async def test_what_was_sent_is_discarded_at_the_server():
    setup = Setup()
    sent = await setup.accepted()
    await setup.world.run(discard(setup.client, sent))
    assert (sent.state, sent.cause) == (FAILED, wire.DISCARDED)
    asked = setup.asked[0]
    assert asked[wire.MESSAGE_ID] == sent.message_id and messages.originator(asked) == (wire.UE, UE)
    assert wire.STORE_AND_FORWARD_PARAMETERS not in asked


async def test_what_was_sent_is_updated_at_the_server():
    setup = Setup()
    sent = await setup.accepted()
    await setup.world.run(update(setup.client, sent, 1900000000))
    assert messages.expiration(setup.asked[0]) == 1900000000 and sent.state == ACCEPTED


async def test_too_late_is_told():
    setup = Setup()
    sent = await setup.accepted()
    setup.answer = wire.NO_SUCH_RECIPIENT, wire.UNKNOWN_MESSAGE
    for change in (discard(setup.client, sent), update(setup.client, sent, 1900000000)):
        try:
            await setup.world.run(change)
            raise AssertionError("changed")
        except NotChanged as late:
            assert late.args[0] == wire.UNKNOWN_MESSAGE
    assert sent.state == ACCEPTED


async def test_a_server_that_does_not_answer_is_told():
    setup = Setup()
    sent = await setup.accepted()
    setup.world.leave("server")
    try:
        await setup.world.run(discard(setup.client, sent))
        raise AssertionError("changed")
    except NotChanged as late:
        assert late.args[0] == wire.RECIPIENT_NOT_REACHABLE
