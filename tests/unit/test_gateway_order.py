# Order for each sender and receiver (8.3.2): kept through loss, an outage, priorities, aggregation and a restart of the
# gateway; nothing is lost. Seeds repeat.

from gateway_world import Setup
from msgin5g import messages, wire
from msgin5g.store.memory import MemoryStore
from world import Random

UES = ("ue-1@x", "ue-2@x")
TARGETS = ("as-1@x", "as-2@x")
COUNT = 14


async def test_order_is_kept_whatever_happens():
    for seed in range(12):
        await _run(seed)


async def _run(seed):
    random = Random(seed + 1)

    def below(most):
        return random.bits(16) % most

    lingers = (0, 0, 500, None)
    setup = Setup(up_window=1 + below(4), aggregate_linger=lingers[below(4)])
    world = setup.world
    clients = []
    for number, name in enumerate(UES):
        client = setup.client(name, "at-%d" % number, store=MemoryStore(40, 100, 8))
        await setup.run(client.register())
        clients.append(client)
    world.drop = lambda datagram, source, destination: below(100) < 15
    sent = {}
    away = None
    for number in range(COUNT):
        for name, client in zip(UES, clients):
            target, priority = TARGETS[below(2)], (None, None, wire.LOW, wire.HIGH)[below(4)]
            text = "%d" % number
            await client.send(text, application_server=target, report=False, priority=priority)
            sent.setdefault((name, target, priority or wire.MIDDLE), []).append(text)
        world.advance(below(4) * 1000)
        choice = below(6)
        if choice == 0 and away is None:
            away = world.leave("server")
        elif choice == 1 and away is not None:
            world.join("server", away)
            away = None
        elif choice == 2:
            setup.kill_gateway()
            setup.start_gateway()
    if away is not None:
        world.join("server", away)
    world.advance(1000000)
    world.drop = None
    world.advance(1000000)
    arrived = {}
    for message in setup.received():
        key = (
            message[wire.ORIGINATING_UE],
            message[wire.RECIPIENT_AS],
            message.get(wire.PRIORITY_TYPE, wire.MIDDLE),
        )
        line = arrived.setdefault(key, [])
        text = messages.payload(message)
        if text not in line:
            # The server of this test knows no duplicates.
            line.append(text)
    assert arrived == sent, (seed, arrived, sent)
    assert len(setup.store) == 0, seed
