# Nobody's backlog keeps others waiting, and each originator's order is kept whatever happens on the way.

from gateway_world import AS, UE, Setup
from msgin5g import messages, wire
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.delivery import AGAIN, DONE, HIGH, LATER, LOW, MIDDLE
from msgin5g.gateway_fair import FairDelivery
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import Random, World

HOP = ""
FLOODER = "flooder"


class Next:
    # A delivery whose transmissions end when the test says so.
    def __init__(self, most_under_way=4, most_loaded=16, gather=None):
        self.world = World()
        endpoint = self.world.join("here", Endpoint(Parameters(), self.world.random.bits))
        self.store = MemoryStore(600, 600)
        self.delivered = []
        self.open = []
        self.delivery = FairDelivery(
            endpoint, self.store, self.send, lambda: None, most_under_way, most_loaded, gather
        )

    def send(self, hop, items, done, now):
        self.open.append((items if isinstance(items, list) else [items], done))

    def put(self, originator, number, priority=MIDDLE):
        item = self.store.put(
            HOP, originator, "MSG", "%s-%d" % (originator, number), 0, b"{}", None, False, priority
        )
        self.delivery.add(item, self.world.now)

    def end(self, index=0, verdict=DONE):
        items, done = self.open.pop(index)
        if verdict == DONE:
            self.delivered += [item.message_id for item in items]
        done(verdict, self.world.now)

    def in_memory(self):
        return sum(window.loaded for hop in self.delivery._hops.values() for window in hop.windows)


def test_who_is_new_does_not_wait_for_a_backlog():
    flood = Next()
    for number in range(300):
        flood.put(FLOODER, number)
    flood.delivery.resume(HOP, 0)
    for _ in range(100):
        flood.end()
    flood.put("a", 0)
    ended = 0
    while "a-0" not in flood.delivered:
        flood.end()
        ended += 1
    assert ended < 4 * 16
    while flood.open:
        flood.end()
    assert [one for one in flood.delivered if one[0] == "f"] == ["%s-%d" % (FLOODER, n) for n in range(300)]
    assert len(flood.store) == 0


def test_several_floods_leave_room_and_share_it():
    flood = Next(most_under_way=8, most_loaded=32)
    for number in range(25):
        for who in range(20):
            flood.put("flooder%d" % who, number)
    for number in range(3):
        for who in "abc":
            flood.put(who, number)
    flood.delivery.resume(HOP, 0)
    most = 0
    while flood.open:
        flood.end()
        most = max(most, flood.in_memory())
    assert most <= 32 and len(flood.delivered) == 509 and len(flood.store) == 0
    for number in range(20):
        own = [one.split("-")[1] for one in flood.delivered if one.startswith("flooder%d-" % number)]
        assert own == [str(count) for count in range(25)]


def _reads(path):
    # Rows of the store that were read for each message, until all are delivered.
    pending = path.store.pending
    count = [0]

    def counted(hop, after, most, priority=None):
        items = pending(hop, after, most, priority)
        count[0] += len(items)
        return items

    path.store.pending = counted
    path.delivery.resume(HOP, 0)
    while path.open:
        path.end()
    assert len(path.store) == 0
    return count[0] / len(path.delivered)


def test_what_is_read_for_a_message_does_not_grow_with_the_backlog():
    reads = []
    for backlog in (50, 500):
        flood = Next()
        for number in range(backlog):
            flood.put(FLOODER, number)
        reads.append(_reads(flood))
    assert reads[1] < 2 * reads[0] + 4


def test_nor_does_it_when_very_many_have_a_little_each():
    for rounds in (3, 14):
        turns = Next(most_loaded=32)
        for number in range(rounds):
            for who in range(40):
                turns.put("o%d" % who, number)
        assert _reads(turns) < 2


def test_the_order_of_each_is_kept_whatever_happens():
    for seed in range(60):
        _run(seed)


def _run(seed):
    random = Random(seed)

    def below(most):
        return random.bits(16) % most

    together = below(2)
    gather = (lambda items, now: min(len(items), 1 + below(4))) if together else None
    path = Next(1 + below(6), 4 + below(30), gather)
    stored = {}
    names = ["o%d" % number for number in range(1 + below(8))]
    for _ in range(300):
        choice = below(10)
        if choice < 4:
            who, priority = names[below(1 + below(len(names)))], (HIGH, MIDDLE, MIDDLE, LOW)[below(4)]
            line = stored.setdefault((who, priority), [])
            number = len(line) + priority * 1000
            line.append("%s-%d" % (who, number))
            path.put(who, number, priority)
        elif choice == 4:
            path.delivery.forget(HOP)
        elif choice == 5:
            path.delivery.resume(HOP, path.world.now)
        elif choice == 6:
            path.world.advance(below(3000))
        elif path.open:
            path.end(below(len(path.open)), (DONE, DONE, DONE, LATER, AGAIN)[below(5)])
    path.delivery.resume(HOP, path.world.now)
    for _ in range(5000):
        if not path.open:
            path.world.advance(70000)
            path.delivery.resume(HOP, path.world.now)
            if not path.open:
                break
        path.end(0)
    assert len(path.store) == 0, seed
    first = []
    for one in path.delivered:
        if one not in first:
            # A hop that was forgotten gets what was under way once more, and knows it.
            first.append(one)
    for (who, priority), line in stored.items():
        own = [
            one for one in first if one.startswith(who + "-") and int(one.split("-")[1]) // 1000 == priority
        ]
        assert own == line, (seed, who, own, line)


async def test_a_flood_costs_others_nothing():
    # One sends far more than an uplink takes that does one message in 100 ms; eight others send now and then.
    alone, flooded = _latencies(0), _latencies(120)
    assert len(alone) == len(flooded) == 24
    assert max(flooded) <= max(alone) + 2 * ROUND_TRIP


ROUND_TRIP = 100


def _latencies(flood):
    setup = Setup(up_window=4, aggregate_linger=None, most_messages_per_ue=500)
    setup.store._most_items = 200
    setup.store._most_known = 500
    world = setup.world
    # The server takes its time to answer.
    taken = setup.server.resource._handlers[wire.MSG]
    waiting = []
    at = {}
    sent = {}

    def on_message(request, elements, now):
        if elements[wire.MESSAGE_ID] in sent:
            at.setdefault(elements[wire.MESSAGE_ID], now)
        waiting.append((now + ROUND_TRIP, request, elements))

    setup.server.resource._handlers[wire.MSG] = on_message

    def answer():
        while waiting and waiting[0][0] <= world.now:
            _, request, elements = waiting.pop(0)
            taken(request, elements, world.now)

    world.advance(1000)
    names = ["ue-%d@x" % number for number in range(8)]
    names.append(FLOODER)
    ues = []
    for number, name in enumerate(names):
        ue = FakeServer(world, "at-%d" % number)
        ue.post("gateway", messages.registration(name))
        world.advance(10)
        ues.append(ue)

    def send(ue, name, message_id):
        elements = messages.message((wire.UE, name), (wire.AS, AS), message_id, True, False)
        messages.set_payload(elements, "x")
        if message_id[0] == "m":
            sent[message_id] = world.now
        ue.post("gateway", elements)

    count = 0
    for step in range(240):
        if count < flood:
            for _ in range(2):
                send(ues[-1], FLOODER, "f-%d" % count)
                count += 1
        if step % 10 == 0:
            number = step // 10
            send(ues[number % 8], names[number % 8], "m-%d" % number)
        world.advance(10)
        answer()
        world.settle()
    for _ in range(100):
        world.advance(50)
        answer()
        world.settle()
    return [at[one] - sent[one] for one in sent]


async def test_who_sends_too_much_is_told_and_the_others_are_not():
    setup = Setup(most_requests_per_second=5)
    world = setup.world
    world.advance(1000)
    ues = []
    for number, name in enumerate((UE, FLOODER)):
        ue = FakeServer(world, "at-%d" % number)
        ue.post("gateway", messages.registration(name))
        ues.append(ue)
    world.advance(2000)
    answers = []
    for number in range(20):
        elements = messages.message((wire.UE, FLOODER), (wire.AS, AS), "f-%d" % number, True, False)
        answers.append(ues[1].post("gateway", elements))
    honest = ues[0].post("gateway", messages.message((wire.UE, UE), (wire.AS, AS), "m", True, False))
    world.advance(900)
    codes = [answer[0].code for answer in answers if answer]
    assert codes.count(wire.ACCEPTED) == 5 and wire.OVERLOADED in codes
    assert honest[0].code == wire.ACCEPTED
