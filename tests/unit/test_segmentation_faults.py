# Messages in segments through loss, duplication, reordering and restarts of both ends: each arrives once, exactly as it
# was, or its sender gets a failed report; never both, and nothing is left behind.

from msgin5g import messages, ticks, wire
from msgin5g.coap.client import Response
from msgin5g.coap.endpoint import CANCELLED, Endpoint, Parameters
from msgin5g.delivery import DONE, KEPT, LATER, Delivery
from msgin5g.reassembly import Reassembly
from msgin5g.resource import ACCEPTED, REFUSED, meaning
from msgin5g.segmentation import Segmentation, prepare
from msgin5g.store.memory import MemoryStore
from world import World

SEEDS = 40


class Faults:
    def __init__(self, seed, loss):
        self.world = World(seed)
        self.endpoint = self.world.join("here", Endpoint(Parameters(), self.world.random.bits))
        self.loss = loss
        # (tick, function, arguments): what happens later.
        self.later = []
        self.sender_gone = False
        self.out, self.inbox = MemoryStore(100, 1000), MemoryStore(100, 1000, 100)
        self.arrived, self.reports, self.failed = [], [], []
        self.timers = {}
        self.restart_sender()
        self.restart_receiver()

    def chance(self, percent):
        return self.world.random.bits(16) % 100 < percent

    def owned(self, make):
        # What make() adds to the endpoint's timers.
        before = len(self.endpoint.on_timer)
        made = make()
        return made, self.endpoint.on_timer[before:]

    def restart_sender(self):
        for callback in self.timers.pop("sender", ()):
            self.endpoint.on_timer.remove(callback)
        made, self.timers["sender"] = self.owned(self.make_sender)
        self.segmentation, self.delivery = made
        self.delivery.resume("", self.world.now)

    def make_sender(self):
        delivery = Delivery(self.endpoint, self.out, self.send, lambda: None)
        return Segmentation(self.endpoint, self.out, self.post, delivery.release, self.on_failed), delivery

    def restart_receiver(self):
        for callback in self.timers.pop("receiver", ()):
            self.endpoint.on_timer.remove(callback)
        self.reassembly, self.timers["receiver"] = self.owned(
            lambda: Reassembly(
                self.endpoint, self.inbox, self.told, lambda message, now: None, most_segments=200
            )
        )
        self.reassembly.load(self.world.now)

    # -- the sender

    def on_failed(self, item, cause, now):
        self.failed.append(item.message_id)

    def send(self, hop, item, done, now):
        def on_response(response, now):
            outcome = meaning(response)
            if outcome == REFUSED:
                self.failed.append(item.message_id)
            done(KEPT if outcome == ACCEPTED else DONE if outcome == REFUSED else LATER, now)

        self.segmentation.send(item, on_response, now)

    def post(self, item, body, on_response, now):
        segmentation = self.segmentation

        def answer(code):
            # Answers to a sender that is not there any more go nowhere.
            if segmentation is self.segmentation and not self.sender_gone:
                response = Response(CANCELLED)
                response.code = code
                on_response(response, self.world.now)

        def arrive():
            elements = messages.decode(body)
            code, _ = self.reassembly.take(elements, body, self.world.now)
            return code

        if self.chance(self.loss):
            # The request or its answer.
            if self.chance(50):
                self.after(500, arrive)
            self.after(8000, answer, None)
            return
        self.after(500, lambda: self.after(500, answer, arrive()))
        if self.chance(self.loss):
            self.after(30000, arrive)

    # -- the receiver

    def told(self, elements, now):
        kind = elements[wire.MESSAGE_TYPE]
        if kind == wire.IMDN:
            self.reports.append(elements[wire.MESSAGE_ID])
        elif not self.chance(self.loss):
            self.after(500, self.take_told, elements)

    def take_told(self, elements):
        if self.sender_gone:
            return
        set_id = elements[wire.SEGMENTATION_SET_ID]
        if elements[wire.MESSAGE_TYPE] == wire.SEGCONFIR:
            self.segmentation.confirm("", set_id)
        else:
            numbers = elements[wire.MISSING_SEGMENT_NUMBERS]
            self.segmentation.recover("", set_id, numbers, self.world.now)

    def read(self):
        # What the application does, some time.
        for message in list(self.reassembly.whole):
            self.arrived.append((message.message_id, b"".join(message.pieces())))
            self.reassembly.remove(message)

    # -- time

    def after(self, most, function, *arguments):
        delay = self.world.random.bits(16) % most
        self.later.append((ticks.add(self.world.now, delay), function, arguments))

    def run(self, seconds):
        for _ in range(seconds * 4):
            self.world.advance(250)
            due = [one for one in self.later if ticks.diff(one[0], self.world.now) <= 0]
            self.later = [one for one in self.later if ticks.diff(one[0], self.world.now) > 0]
            for _, function, arguments in due:
                function(*arguments)
            if self.chance(10):
                self.read()


def payload(faults):
    # More than one segment takes.
    length = 400 + faults.world.random.bits(16) % 1500
    if faults.chance(50):
        return bytes([faults.world.random.bits(8) for _ in range(length)])
    letters = 'a\u00e4\u20ac\U0001f600"'
    return "".join([letters[faults.world.random.bits(8) % 5] for _ in range(length // 3 + 1)]).encode()


def put(faults, message_id, octets):
    elements = messages.message((wire.UE, "ue1@a"), (wire.UE, "ue2@a"), message_id, True, True)
    messages.set_payload(elements, octets)
    prepare(elements, 64 + faults.world.random.bits(8) % 200)
    item = faults.out.put("", "ue1@a", wire.MSG, message_id, 0, messages.encode(elements))
    faults.delivery.add(item, faults.world.now)


def test_each_arrives_once():
    for seed in range(1, SEEDS + 1):
        faults = Faults(seed, seed % 4 * 10)
        expected = {}
        for number in range(2):
            expected["m-%d" % number] = payload(faults)
            put(faults, "m-%d" % number, expected["m-%d" % number])
        for _ in range(8):
            faults.run(4 + faults.world.random.bits(8) % 16)
            if faults.chance(30):
                faults.restart_sender()
            if faults.chance(30):
                faults.restart_receiver()
        # A pause after each loss, of up to a minute.
        faults.run(1500)
        faults.world.advance(100000)
        faults.read()
        assert sorted(faults.arrived) == sorted(expected.items()), seed
        assert not faults.reports and not faults.failed, seed
        assert len(faults.out) == len(faults.inbox) == 0, seed
        assert len(faults.segmentation) == len(faults.reassembly) == 0, seed


def test_a_sender_that_is_gone_for_long():
    for seed in range(1, SEEDS + 1):
        faults = Faults(seed, 10)
        expected = payload(faults) * 3
        put(faults, "m-0", expected)
        faults.run(1 + seed % 8)
        faults.sender_gone = True
        faults.world.advance(1200000)
        faults.read()
        faults.sender_gone = False
        faults.restart_sender()
        faults.run(200)
        faults.world.advance(100000)
        faults.read()
        if faults.arrived:
            assert faults.arrived == [("m-0", expected)] and not faults.reports and not faults.failed, seed
        else:
            # The sender learns it once more, from the refusal of what it still had to send.
            assert faults.failed == ["m-0"] and faults.reports in ([], ["m-0"]), seed
        assert len(faults.out) == len(faults.inbox) == 0, seed
        assert len(faults.segmentation) == len(faults.reassembly) == 0, seed
