# Seeded chaos against a model: flash that fails now and then, restarts, garbage and mutations of what is valid.
# Every message that was stored has its end, once; every message acknowledged is received once and reported on once.

from hostile_gateway import AS, Setup, incoming
from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.store import Full
from test_hostile_flash import FlashSetup
from world import Random

STEPS = 250


class Chaos(FlashSetup):
    def __init__(self, seed):
        super().__init__(seed)
        self.dice = Random(seed)
        self.stored = []
        self.acknowledged = []
        self.taken = []
        self.count = 0

    def chance(self, percent):
        return self.dice.bits(14) % 100 < percent

    async def send(self):
        self.count += 1
        try:
            await self.client.send("up %d" % self.count, application_server=AS, report=False)
        except Full:
            return
        self.stored.append("up %d" % self.count)

    def post(self):
        self.count += 1
        name = "down %d" % self.count
        answers = self.gateway.post("ue", incoming(name, name))
        self.world.settle()
        if answers and answers[0].code == wire.ACCEPTED:
            self.acknowledged.append(name)

    def take(self):
        try:
            message = self.client.inbox.take(self.world.now)
        except Full:
            return
        if message:
            self.taken.append(message.payload)

    async def step(self):
        what = self.dice.bits(14) % 100
        if what < 30:
            await self.send()
        elif what < 60:
            self.post()
        elif what < 85:
            self.take()
        elif what < 95:
            self.store.broken = self.chance(40)
        elif what < 97:
            self.store.broken = False
            self.world.settle()
            await self.restarted()
        else:
            self.world.advance(20000)
        self.world.settle()


async def chaos(seed):
    setup = await Chaos(seed).registered()
    for _ in range(STEPS):
        await setup.step()
    setup.store.broken = False
    setup.world.advance(200000)
    while True:
        before = len(setup.taken)
        setup.take()
        if len(setup.taken) == before:
            break
    await setup.world.run(setup.client.settled())
    sent = setup.payloads()
    assert sorted(set(sent)) == sorted(setup.stored), seed
    assert sorted(setup.taken) == sorted(set(setup.taken)), seed
    missing = [name for name in setup.acknowledged if name not in setup.taken]
    assert missing == [], (seed, missing)
    assert sorted(set(setup.reports())) == sorted(setup.taken), seed
    assert setup.errors == []


async def test_chaos_keeps_every_promise():
    await chaos(1)


async def test_other_chaos_keeps_every_promise():
    await chaos(2)


def mutated(octets, dice):
    octets = bytearray(octets)
    for _ in range(1 + dice.bits(2)):
        at = dice.bits(14) % len(octets)
        kind = dice.bits(2)
        if kind == 0:
            octets[at] ^= 1 << dice.bits(3)
        elif kind == 1:
            octets[at] = dice.bits(8)
        elif kind == 2 and len(octets) > 8:
            octets = octets[:at]
        else:
            octets = octets[:at] + octets[at : at + 8] + octets[at:]
        if not octets:
            octets.append(0)
    return bytes(octets)


async def test_mutations_of_what_is_valid():
    setup = await Setup(seed=3).registered()
    dice = Random(3)
    report = messages.report_on(incoming("x", "r"))
    result = messages.registration_result(wire.REG, setup.client.ue_service_id)
    segment = incoming("x", "s")
    segment[wire.SEGMENTATION_SET_ID] = "s"
    segment[wire.SEGMENT_NUMBER] = 1
    segment[wire.TOTAL_SEGMENTS] = 3
    bundle = messages.message((wire.AS, AS), (wire.UE, setup.client.ue_service_id), "b")
    bundle[wire.NUMBER_OF_MESSAGES] = 2
    bundle[wire.INDIVIDUAL_MESSAGES] = [{wire.MESSAGE_ID: "1"}, {wire.MESSAGE_ID: "2"}]
    valid = (incoming(), report, result, segment, bundle)
    for number in range(300):
        content_format = coap.CBOR if number & 1 else coap.JSON
        body = messages.encode(valid[number % len(valid)], content_format)
        setup.gateway.throw("ue", mutated(body, dice), content_format)
        while setup.client.inbox.take(setup.world.now):
            pass
        setup.world.settle()
    assert setup.client.resource.counters["handler_errors"] == 0 and setup.errors == []
    assert setup.client.resource.counters["bad_messages"] > 100
    assert len(setup.client.outbox._told) <= 16 and len(setup.client.outbox._sent) <= 16
    reassembly = setup.client.inbox._reassembly
    assert reassembly is None or len(reassembly) <= 2
    assert await setup.per_minute() < 60
    setup.world.advance(120000)
    await setup.goes_on()
