# With OSCORE on, what is not protected by the gateway, was heard before or comes back changes nothing of a client.

from hostile_gateway import AS, UE, Setup, incoming
from msgin5g import messages, wire
from msgin5g.application import SENT, STORED
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import encode, encode_options, uri_options
from msgin5g.oscore.security import Security
from oscore_pair import two_contexts
from world import Random


class SecuredSetup(Setup):
    def __init__(self):
        ours, theirs = two_contexts()
        ours.name = "gateway"
        theirs.name = UE
        super().__init__(security=Security(ours))
        self.gateway.endpoint.security = Security(theirs)
        self.gateway.endpoint.security.join(self.gateway.endpoint)
        # What went each way.
        self.heard = []
        self.world.drop = self.hear

    def hear(self, datagram, source, destination):
        if len(self.heard) < 200:
            self.heard.append((bytes(datagram), source))
        return False

    def state(self):
        client = self.client
        return (
            client.registered,
            client.registration.answers,
            client.inbox.arrived,
            dict(client.counters),
            len(client.store),
            list(client.outbox._told),
            [sent.state for sent in client.outbox._sent],
            client.endpoint.occupancy()["unanswered"],
        )

    def throw_at_client(self, datagram, source):
        self.client.endpoint.receive(datagram, len(datagram), source, self.world.now)
        self.world.settle()


async def secured():
    setup = await SecuredSetup().registered()
    setup.gateway.post("ue", incoming("first", "m-0"))
    await setup.world.run(setup.client.receive())
    await setup.world.run(setup.client.settled())
    return setup


async def test_unprotected_requests_change_nothing():
    setup = await secured()
    before = setup.state()
    registration = messages.registration_result(wire.REG, UE, "NO")
    told = messages.response((wire.UE, UE), "m", wire.DELIVERY_FAILED, "NO")
    for number, elements in enumerate((incoming(), registration, messages.report_on(incoming()), told)):
        options = encode_options(uri_options(wire.PATH) + [(coap.CONTENT_FORMAT, coap.JSON)])
        datagram = encode(coap.CON, coap.POST, 60000 + number, b"t", options, messages.encode(elements))
        for source in ("server", "attacker"):
            setup.throw_at_client(bytes(datagram), source)
            assert setup.state() == before
    assert setup.client.endpoint.counters["oscore_unprotected"] == 8
    await setup.goes_on()


async def test_replayed_and_reflected_datagrams_change_nothing():
    setup = await secured()
    before = setup.state()
    heard = list(setup.heard)
    assert len(heard) > 4
    for turn in range(3):
        for datagram, _ in heard:
            # Its own come back, the gateway's come again; with another Message ID, as CoAP would not know them.
            changed = bytearray(datagram)
            changed[2] ^= turn << 5
            for source in ("server", "attacker"):
                setup.throw_at_client(bytes(changed), source)
                assert setup.state() == before
    setup.world.advance(300000)
    assert setup.state()[2:4] == before[2:4]
    await setup.goes_on()


async def test_forged_datagrams_change_nothing():
    setup = await secured()
    before = setup.state()
    dice = Random(5)
    heard = list(setup.heard)
    for number in range(400):
        datagram, _ = heard[dice.bits(14) % len(heard)]
        forged = bytearray(datagram)
        if len(forged) < 16:
            continue
        forged[2] = dice.bits(8)
        forged[3] = dice.bits(8)
        for _ in range(1 + dice.bits(1)):
            forged[4 + dice.bits(14) % (len(forged) - 4)] ^= 1 << dice.bits(3)
        setup.throw_at_client(bytes(forged), "server" if number & 1 else "attacker")
        assert setup.state() == before, number
    await setup.goes_on()


async def test_numbers_that_can_not_be_reserved_for_a_while_stop_nothing():
    # The flash is full when the numbers that were reserved are used up: at that moment nothing can be protected.
    for moment in ("message", "registration", "report"):
        setup = await secured()
        context = setup.client.endpoint.security.context
        save, context._storage.save = context._storage.save, full
        context._limit = context._next
        sent = await setup.client.send("up", application_server=AS, report=False)
        if moment == "registration":
            setup.client.registration.confirm(setup.world.now)
        elif moment == "report":
            setup.client.outbox.put_report(messages.report_on(incoming("late", "m-9")), setup.world.now)
        setup.world.advance(200000)
        assert sent.state in (STORED, SENT)
        context._storage.save = save
        assert await setup.world.run(sent.accepted())
        await setup.world.run(setup.client.until_registered())
        await setup.world.run(setup.client.settled())
        await setup.goes_on()


def full(number):
    raise OSError(28)
