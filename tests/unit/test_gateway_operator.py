# What an operator sees of a gateway's UEs, and does with them.

from gateway_world import AS, OTHER, UE, Setup, to_client
from msgin5g import gateway_operator, wire


def watched(setup):
    seen = []
    setup.gateway.on_traffic = lambda word, item, ue, now: seen.append((word, ue))
    return seen


async def test_every_message_is_seen_on_its_way():
    setup = Setup()
    seen = watched(setup)
    client = setup.client()
    await setup.run(client.register())
    sent = await client.send("23.5 C", application_server=AS, report=False)
    await setup.run(sent.accepted())
    setup.world.advance(1000)
    assert seen == [("heard", UE), ("stored", UE), ("delivered", UE)]
    del seen[:]
    setup.server.post("gateway-up", to_client("on", report=False))
    await setup.run(client.receive())
    setup.world.advance(1000)
    assert seen[:2] == [("stored", UE), ("delivered", UE)]


async def test_the_state_of_a_ue_and_its_queue():
    setup = Setup()
    gateway = setup.gateway
    assert gateway_operator.state(gateway, UE) == gateway_operator.ABSENT
    client = setup.client()
    await setup.run(client.register())
    assert gateway_operator.state(gateway, UE) == gateway_operator.REGISTERED
    setup.world.leave("ue-1")
    setup.server.post("gateway-up", to_client("on"))
    setup.world.advance(100)
    assert gateway_operator.queue(gateway, UE) == (1, 0)
    setup.world.advance(93000)
    assert gateway_operator.state(gateway, UE) == gateway_operator.WAITING


async def test_a_ue_that_the_server_has_not_answered_yet_is_registering():
    setup = Setup()
    setup.world.advance(1000)
    setup.world.leave("server")
    client = setup.client()
    begun = setup.world.now
    try:
        await setup.run(client.register(), most=3000)
    except Exception as error:
        assert setup.world.now - begun >= 3000, error
    assert gateway_operator.state(setup.gateway, UE) == gateway_operator.REGISTERING


async def test_what_is_flushed_is_gone_but_what_is_under_way_and_its_sender_is_told():
    setup = Setup()
    seen = watched(setup)
    client = setup.client()
    await setup.run(client.register())
    other = setup.client(OTHER, "ue-2")
    await setup.run(other.register())
    setup.world.leave("ue-1")
    for number in range(3):
        setup.server.post("gateway-up", to_client("on", "d-%d" % number))
    setup.world.advance(100)
    assert gateway_operator.queue(setup.gateway, UE)[0] == 3
    count, after = gateway_operator.flush(setup.gateway, UE, -1, setup.world.now)
    assert (count, after) == (2, None)
    assert setup.gateway.counters["flushed"] == 2
    assert seen.count(("flushed", UE)) == 2
    setup.world.advance(1000)
    reports = setup.received(wire.IMDN)
    assert sorted([report[wire.MESSAGE_ID] for report in reports]) == ["d-1", "d-2"]
    # The one that was under way waits for an answer, and goes in its turn.
    assert gateway_operator.queue(setup.gateway, UE)[0] == 1
    for _ in range(400):
        setup.world.advance(500)
        if gateway_operator.flush(setup.gateway, UE, -1, setup.world.now) == (1, None):
            break
    assert gateway_operator.queue(setup.gateway, UE)[0] == 0
