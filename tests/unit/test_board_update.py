# Updates by message: found before the application sees them, installed at the next start, their sender told.

import asyncio
import json
import os

from bundles import APP, CREDENTIALS, made
from flash import folder, write
from msgin5g import messages, wire
from msgin5g.board.slots import Slots
from msgin5g.board.update import APPLICATION, Updates
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.segmentation import Large
from msgin5g.store import INBOX, SEGMENTS
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "meter-17@example.org"
AS = "updates@example.org"
DEVICE = {"ue_service_id": UE, "oscore": CREDENTIALS}


class Log:
    def __init__(self):
        self.lines = []

    def tell(self, *words):
        self.lines.append(" ".join([str(word) for word in words]))

    complain = tell


class Board:
    # What run.py makes of it, start by start.
    def __init__(self):
        self.root = folder(blocks=64).rpartition("/")[0] + "/"
        write(self.root[:-1], "device.json", json.dumps(DEVICE).encode())
        self.world = World()
        self.server = FakeServer(self.world)
        handlers = self.server.resource._handlers
        handlers[wire.SEGCONFIR] = handlers[wire.SEGREC] = self._on_segments
        self.store = MemoryStore(8, 64, 32)
        self.log = Log()
        self.restarts = 0
        self.ue = None

    def _on_segments(self, request, elements, now):
        self.server.resource.answer(request, wire.ACCEPTED, now)

    async def begin(self):
        self.slots = Slots(self.root)
        self.slots.begin()
        self.ue = Client(
            UE, "server", security=NOT_PROTECTED, link=FakeLink.at(self.world, "ue"), store=self.store
        )
        self.updates = Updates(self.ue, self.slots, self.log, self._restart, self.root + "device.json")
        installed = await self.updates.install(self.world.now)
        self.updates.hide()
        return installed

    async def start_again(self):
        # As often as it takes.
        self.ue.close()
        while await self.begin():
            pass

    def _restart(self):
        self.restarts += 1
        raise Restarted

    async def run(self):
        # Registered, for some seconds or until it wants to restart.
        await self.world.run(self.ue.register())
        task = asyncio.create_task(self.updates.run())
        for _ in range(20):
            for _ in range(5):
                await asyncio.sleep(0)
            self.world.advance(200)
        try:
            if task.done():
                await task
        except Restarted:
            pass
        task.cancel()

    def send(self, octets, message_id="m-1", application=APPLICATION, size=900, sender=(wire.AS, AS)):
        elements = messages.message(sender, (wire.UE, UE), message_id, True, True)
        elements[wire.APPLICATION_ID] = application
        messages.set_payload(elements, octets)
        large = Large(messages.encode(elements), size, messages.encode, messages.decode)
        for number in range(1, large.total + 1):
            answer = self.server.post("ue", messages.decode(large.body(number)))
            self.world.settle()
            assert answer[0].code == wire.ACCEPTED

    def told(self):
        # Of updates, in order.
        return [
            json.loads(messages.payload(one))
            for one in self.server.received
            if one.get(wire.APPLICATION_ID) == APPLICATION
        ]

    def active(self):
        return self.slots.active and os.listdir(self.root + self.slots.active)


class Restarted(Exception):
    pass


async def sent(octets, **options):
    board = Board()
    await board.begin()
    await board.world.run(board.ue.register())
    board.send(octets, **options)
    await board.run()
    assert board.restarts == 1 and board.told() == []
    await board.start_again()
    return board


async def test_one_is_tried_and_its_sender_told_when_it_has_passed():
    for extra in (b"", b"x" * 5000):
        board = await sent(made([("app.py", APP), ("data.bin", extra)], 7))
        assert board.slots.on_trial and sorted(board.active()) == ["app.py", "data.bin"]
        await board.run()
        assert board.told() == []
        board.slots.well()
        await board.run()
        assert board.told() == [{"update": "m-1", "version": 7, "outcome": "installed", "why": ""}]
        assert (
            board.restarts == 1
            and board.store.pending(INBOX, -1, 1) == board.store.pending(SEGMENTS, -1, 1) == []
        )
        # Once.
        await board.start_again()
        await board.run()
        assert len(board.told()) == 1


async def test_the_application_never_sees_it():
    board = Board()
    await board.begin()
    await board.world.run(board.ue.register())
    board.send("before", "m-0", "meter")
    board.send(made())
    board.send("after", "m-2", "meter")
    assert board.ue.inbox.take(board.world.now) is None and board.updates.waiting
    await board.run()
    await board.start_again()
    assert (await board.world.run(board.ue.receive())).payload == "before"
    assert (await board.world.run(board.ue.receive())).payload == "after"
    assert board.ue.inbox.take(board.world.now) is None


async def test_other_ues_can_not_even_make_it_restart():
    board = Board()
    await board.begin()
    await board.world.run(board.ue.register())
    for number, octets in enumerate((made(), made([("app.py", b"#" * 3000)]), b"noise")):
        board.send(octets, "m-%d" % number, sender=(wire.UE, "thief@example.org"))
    await board.run()
    assert board.restarts == 0 and not board.updates.waiting
    assert [told["why"] for told in board.told()] == ["updates are sent by Application Servers"] * 3
    assert board.store.pending(INBOX, -1, 1) == board.store.pending(SEGMENTS, -1, 1) == []
    board.send(made(), "m-9")
    await board.run()
    assert board.restarts == 1


async def test_one_that_goes_back_is_told_with_its_reason():
    board = await sent(made())
    await board.run()
    board.slots.back("it was bad")
    await board.start_again()
    await board.run()
    assert board.told() == [{"update": "m-1", "version": 1, "outcome": "rolled back", "why": "it was bad"}]
    assert board.active() == ""


async def test_a_wrong_signature_is_refused_and_nothing_written():
    for size in (300, 5000):
        board = await sent(made([("app.py", b"#" * size)], key=b"?" * 32))
        await board.run()
        (told,) = board.told()
        assert told["outcome"] == "refused" and "signature" in told["why"]
        assert not board.slots.on_trial and "a" not in os.listdir(board.root)
        assert board.restarts == 1


async def test_what_is_signed_and_bad_leaves_nothing():
    for files, why in (([("app.py", APP), ("../x", b"")], "no file"), ([("x.py", b"x" * 3000)], "no app.py")):
        board = await sent(made(files))
        await board.run()
        assert board.told()[0]["outcome"] == "refused" and why in board.told()[0]["why"]
        assert os.listdir(board.root + "a") == []


async def again(board, octets, message_id):
    board.send(octets, message_id)
    await board.run()
    await board.start_again()
    await board.run()
    return board.told()[-1]


async def test_the_same_again_is_told_again_and_does_nothing():
    board = await sent(made(version=5))
    board.slots.well()
    await board.run()
    told = await again(board, made(version=5), "m-2")
    assert told == {"update": "m-2", "version": 5, "outcome": "installed", "why": ""}
    assert not board.slots.on_trial and board.slots.active == "a"


async def test_nothing_older_is_taken_not_even_after_it_went_back():
    board = await sent(made(version=5))
    board.slots.back("it was bad")
    await board.run()
    for version, text in ((4, b"# 4"), (5, b"# other")):
        told = await again(board, made([("app.py", text)], version), "m-%d" % version)
        assert told["outcome"] == "refused" and "not newer" in told["why"]
    told = await again(board, made(version=5), "m-6")
    assert (told["outcome"], told["why"]) == ("rolled back", "it was bad")


async def test_the_next_one_waits_for_the_end_of_a_trial():
    board = await sent(made(version=5))
    await board.run()
    board.send(made(version=6), "m-2")
    await board.run()
    assert board.restarts == 1 and board.slots.starts == 1
    board.slots.well()
    await board.run()
    assert board.restarts == 2
    await board.start_again()
    assert board.slots.on_trial and board.slots.version == 6 and board.slots.active == "b"


async def test_two_at_once_are_taken_one_by_one():
    board = Board()
    await board.begin()
    await board.world.run(board.ue.register())
    board.send(made(key=b"?" * 32), "m-0")
    board.send(made(version=5), "m-1")
    board.send(made(version=6), "m-2")
    await board.run()
    await board.start_again()
    assert board.slots.version == 5
    await board.run()
    board.slots.well()
    await board.run()
    assert [(told["update"], told["outcome"]) for told in board.told()] == [
        ("m-0", "refused"),
        ("m-1", "installed"),
    ]
    await board.start_again()
    assert board.slots.on_trial and board.slots.version == 6
