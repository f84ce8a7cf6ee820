# Large messages of a client: they go out in segments and stay until they are confirmed; what comes in segments is
# handed over once, whole or piece by piece.

import os

from msgin5g import messages, wire
from msgin5g.application import ACCEPTED, FAILED
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.segmentation import Large
from msgin5g.store import INBOX, SEGMENTS
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "meters@example.org"
TEXT = "abcdefghij" * 300
NAME = "large-payload.tmp"


class Setup:
    def __init__(self, store=None, **options):
        self.world = World()
        self.server = FakeServer(self.world)
        self.told = []
        handlers = self.server.resource._handlers
        handlers[wire.SEGREC] = handlers[wire.SEGCONFIR] = self.on_segments
        self.store = store or MemoryStore(8, 64, 32)
        self.client = self.begin(**options)

    def begin(self, **options):
        return Client(
            UE,
            "server",
            security=NOT_PROTECTED,
            link=FakeLink.at(self.world, "ue"),
            store=self.store,
            segment_size=1000,
            **options,
        )

    def on_segments(self, request, elements, now):
        self.told.append(elements)
        self.server.resource.answer(request, wire.ACCEPTED, now)

    async def run(self, coroutine):
        return await self.world.run(coroutine, 1000000)

    def segments(self):
        return [message[wire.SEGMENT_NUMBER] for message in self.server.received]

    def joined(self):
        pieces = {}
        for message in self.server.received:
            piece = messages.payload(message)
            pieces[message[wire.SEGMENT_NUMBER]] = piece.encode() if isinstance(piece, str) else piece
        return str(b"".join([pieces[number] for number in sorted(pieces)]), "utf-8")

    def tell(self, kind, **more):
        first = self.server.received[0]
        elements = {
            wire.MESSAGE_TYPE: kind,
            wire.MESSAGE_ID: "told",
            wire.SEGMENTATION_SET_ID: first[wire.SEGMENTATION_SET_ID],
            wire.ORIGINATING_AS: AS,
            wire.RECIPIENT_UE: UE,
        }
        if "missing" in more:
            elements[wire.MISSING_SEGMENT_NUMBERS] = more["missing"]
        answer = self.server.post("ue", elements)
        self.world.settle()
        return answer[0].code

    def stored(self):
        return len(self.store.pending("", -1, 10))


async def test_a_large_message_goes_in_segments_and_stays_until_it_is_confirmed():
    setup = Setup()
    await setup.run(setup.client.register())
    sent = await setup.client.send(TEXT, application_server=AS)
    assert await setup.run(sent.accepted())
    assert setup.joined() == TEXT and setup.segments() == [1, 2, 3, 4, 5, 6]
    assert setup.stored() == 1 and sent.state == ACCEPTED
    assert setup.tell(wire.SEGCONFIR) == wire.ACCEPTED
    assert setup.stored() == 0
    assert setup.tell(wire.SEGCONFIR) == wire.INVALID


async def test_missing_segments_are_sent_again():
    setup = Setup()
    await setup.run(setup.client.register())
    sent = await setup.client.send(TEXT, application_server=AS)
    await setup.run(sent.accepted())
    assert setup.tell(wire.SEGREC, missing=[2, 4]) == wire.ACCEPTED
    setup.world.advance(1000)
    assert setup.segments() == [1, 2, 3, 4, 5, 6, 2, 4] and setup.joined() == TEXT


async def test_others_go_on_while_one_waits_to_be_confirmed():
    setup = Setup()
    await setup.run(setup.client.register())
    await setup.client.send(TEXT, application_server=AS)
    small = await setup.client.send("small", application_server=AS, report=False)
    assert await setup.run(small.accepted())
    setup.client.registration.renew(setup.world.now)
    setup.world.advance(2000)
    # Registered again, it is not sent again.
    assert len(setup.server.received) == 7 and setup.stored() == 1
    setup.world.advance(61000)
    assert setup.stored() == 0


async def test_a_refused_segment_fails_the_message():
    setup = Setup()
    await setup.run(setup.client.register())
    told = messages.response((wire.UE, UE), "m", wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    setup.server.answers.append((wire.ACCEPTED, None))
    setup.server.answers.append((wire.NO_SUCH_RECIPIENT, told))
    sent = await setup.client.send(TEXT, ue="nobody@example.org")
    assert not await setup.run(sent.accepted())
    assert (sent.state, sent.cause) == (FAILED, wire.UNKNOWN_RECIPIENT) and setup.stored() == 0


async def test_characters_of_several_octets_count_as_such():
    setup = Setup()
    await setup.run(setup.client.register())
    text = "\u20ac" * 700
    sent = await setup.client.send(text, application_server=AS)
    await setup.run(sent.accepted())
    assert setup.segments() == [1, 2, 3, 4] and setup.joined() == text


def write(octets):
    with open(NAME, "wb") as file:
        file.write(octets)


def read():
    with open(NAME, "rb") as file:
        return file.read()


async def test_a_payload_from_a_file():
    write(TEXT.encode())
    try:
        setup = Setup()
        await setup.run(setup.client.register())
        sent = await setup.client.send(file=NAME, application_server=AS)
        assert await setup.run(sent.accepted())
        assert setup.joined() == TEXT
    finally:
        os.remove(NAME)


async def test_begins_again_after_a_restart():
    setup = Setup()
    await setup.run(setup.client.register())
    setup.world.drop = lambda datagram, source, destination: source == "ue" and len(setup.server.received) > 1
    await setup.client.send(TEXT, application_server=AS)
    setup.world.advance(2000)
    setup.client.close()
    setup.world.drop = None
    again = setup.begin()
    await setup.run(again.register())
    setup.world.advance(5000)
    assert setup.segments() == [1, 2, 1, 2, 3, 4, 5, 6] and setup.joined() == TEXT


# -- incoming


def segments(text=TEXT, message_id="m-1", size=900):
    elements = messages.message((wire.AS, AS), (wire.UE, UE), message_id, True, True)
    messages.set_payload(elements, text)
    large = Large(messages.encode(elements), size, messages.encode, messages.decode)
    return [messages.decode(large.body(number)) for number in range(1, large.total + 1)]


async def test_what_comes_in_segments_is_received_whole_and_reported_once():
    setup = Setup()
    await setup.run(setup.client.register())
    for segment in segments():
        answer = setup.server.post("ue", segment)
        setup.world.settle()
        assert answer[0].code == wire.ACCEPTED
    message = await setup.run(setup.client.receive())
    assert (message.payload, message.message_id, message.originator) == (TEXT, "m-1", AS)
    assert b"".join(message.pieces()) == TEXT.encode()
    setup.world.advance(1000)
    assert [told[wire.MESSAGE_TYPE] for told in setup.told] == [wire.SEGCONFIR]
    assert setup.server.received == []
    # It has been read when the next is asked for.
    setup.server.post("ue", segments("next", "m-2")[0])
    assert (await setup.run(setup.client.receive())).payload == "next"
    await setup.run(setup.client.settled())
    assert [report[wire.MESSAGE_ID] for report in setup.server.received] == ["m-1", "m-2"]
    assert setup.store.pending(SEGMENTS, -1, 1) == setup.store.pending(INBOX, -1, 1) == []


async def test_a_large_message_into_a_file():
    setup = Setup()
    await setup.run(setup.client.register())
    for segment in segments():
        setup.server.post("ue", segment)
        setup.world.settle()
    message = await setup.run(setup.client.receive())
    message.save(NAME)
    try:
        assert read() == TEXT.encode()
    finally:
        os.remove(NAME)


async def test_segments_outlive_a_restart():
    setup = Setup()
    await setup.run(setup.client.register())
    parts = segments()
    for segment in parts[:2]:
        setup.server.post("ue", segment)
        setup.world.settle()
    setup.client.close()
    again = setup.begin()
    await setup.run(again.register())
    for segment in parts[1:]:
        setup.server.post("ue", segment)
        setup.world.settle()
    assert (await setup.run(again.receive())).payload == TEXT


async def test_a_missing_segment_is_asked_for():
    setup = Setup()
    await setup.run(setup.client.register())
    parts = segments()
    for segment in parts[:1] + parts[2:]:
        setup.server.post("ue", segment)
        setup.world.settle()
    setup.world.advance(20000)
    assert setup.told[0][wire.MESSAGE_TYPE] == wire.SEGREC
    assert setup.told[0][wire.MISSING_SEGMENT_NUMBERS] == [2]


async def test_a_segment_that_lies_is_refused():
    setup = Setup()
    await setup.run(setup.client.register())
    first = segments()[0]
    first[wire.TOTAL_SEGMENTS] = 4000
    answer = setup.server.post("ue", first)
    setup.world.settle()
    assert answer[0].code == wire.TOO_LARGE
