# A gateway's clients are who their keys prove, and where they are heard.

from msgin5g import gateway, gateway_operator  # noqa: F401 (from here on gateway is not as deep)
from test_gateway_cbor import OTHER, UE, Setup


def rebind(setup, client, address):
    # From here on its datagrams come from another address.
    setup.world.endpoints[address] = setup.world.leave("ue-1")
    assert setup.world.endpoints[address] is client.endpoint


async def test_a_client_that_moves_is_found_with_its_next_message():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    rebind(setup, client, "elsewhere")
    sent = await client.send("x", application_server="as@x.org", report=False)
    assert await setup.run(sent.accepted())
    assert setup.store.entries[UE].address == "elsewhere"
    setup.to_client("on")
    assert (await setup.run(client.receive())).payload == "on"


async def test_where_it_was_nobody_else_gets_its_messages_or_speaks_for_it():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    rebind(setup, client, "elsewhere")
    other = setup.client(OTHER, "ue-1")
    await setup.run(other.register())
    setup.to_client("for one")
    setup.world.advance(1000)
    assert not other.store.pending("in", -1, 1)
    sent = await client.send("x", application_server="as@x.org", report=False)
    assert await setup.run(sent.accepted())
    assert (await setup.run(client.receive())).payload == "for one"


async def test_who_is_expelled_is_not_registered_here_nor_at_the_server():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    assert UE in setup.server.registered
    setup.gateway.expel(UE, setup.world.now)
    setup.world.settle()
    setup.world.advance(1000)
    assert UE not in setup.store.entries and UE not in setup.server.registered
    setup.gateway.expel(UE, setup.world.now)
    assert not setup.store.pending("", -1, 1)


async def send_some(sent, client, count):
    sent[client] = []
    for _ in range(count):
        sent[client].append(await client.send("x", application_server="as@x.org", report=False))


async def test_one_client_may_have_bounds_of_its_own():
    setup = Setup()
    client, other = setup.client(), setup.client(OTHER, "ue-2")
    await setup.run(client.register())
    await setup.run(other.register())
    setup.world.advance(5000)
    gateway_operator.limit(setup.gateway, {}, {UE: 2})
    away = setup.world.leave("server")
    sent = {}
    for one in (client, other):
        await send_some(sent, one, 4)
    setup.world.advance(30000)
    assert [one.state for one in sent[client]].count("accepted") == 2
    assert [one.state for one in sent[other]].count("accepted") == 4
    assert setup.gateway.counters["over_share"] >= 1 and setup.gateway.counters["dropped"] == 0
    setup.world.join("server", away)
    setup.world.advance(300000)
    assert [one.state for one in sent[client]].count("accepted") == 4
    # And requests in a second.
    gateway_operator.limit(setup.gateway, {UE: 1}, {})
    sent = {}
    for one in (client, other):
        await send_some(sent, one, 3)
    setup.world.advance(500)
    assert [one.state for one in sent[client]].count("accepted") == 1
    assert [one.state for one in sent[other]].count("accepted") == 3
    assert setup.gateway.counters["too_many"] >= 1
    setup.world.advance(60000)
    assert [one.state for one in sent[client]].count("accepted") == 3
