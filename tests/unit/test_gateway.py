# The Gateway UE between a client and a server that accepts everything: registration, relaying, outages, restarts.

from msgin5g import messages, wire
from msgin5g.client import Client, Sent
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.gateway import Gateway
from msgin5g.store.memory import MemoryStore
from server import FakeServer
from world import FakeLink, World

UE = "ue-1@example.org"
OTHER = "ue-2@example.org"
AS = "as-1@example.org"
GATEWAY = "gateway@example.org"


class RegisteredStore(MemoryStore):
    # With the registrations that a gateway keeps.
    def __init__(self, **options):
        super().__init__(**options)
        self.entries = {}

    def registered(self):
        return list(self.entries.values())

    def save_registered(self, entry):
        self.entries[entry.ue_service_id] = entry

    def remove_registered(self, ue_service_id):
        self.entries.pop(ue_service_id, None)


class Setup:
    def __init__(self, **options):
        self.world = World()
        self.server = FakeServer(self.world)
        self.store = RegisteredStore(most_items=100, most_known=1000)
        self.gateway = None
        self.start_gateway(**options)

    def start_gateway(self, **options):
        many = Parameters(nstart=16, most_waiting=64, most_peers=64, most_unanswered=64, most_recent=500)
        down = Endpoint(Parameters(most_peers=64, most_unanswered=64, most_recent=500), self.world.random.bits)
        up = Endpoint(many, self.world.random.bits)
        self.gateway = Gateway(
            GATEWAY, down, up, "server", self.store, self.world.wall_clock, **options
        )
        self.world.join("gateway", down)
        self.world.join("gateway-up", up)
        self.gateway.start(self.world.now)

    def kill_gateway(self):
        self.world.leave("gateway")
        self.world.leave("gateway-up")

    def client(self, ue=UE, address="ue-1"):
        return Client(ue, "gateway", link=FakeLink.at(self.world, address))

    async def run(self, coroutine, **options):
        return await self.world.run(coroutine, **options)

    def received(self, kind=wire.MSG):
        return [message for message in self.server.received if message[wire.MESSAGE_TYPE] == kind]


def to_client(text, message_id="d-1", ue=UE, report=True, expires=None):
    elements = messages.message((wire.AS, AS), (wire.UE, ue), message_id, True, report)
    messages.set_payload(elements, text)
    if expires:
        messages.set_expiration(elements, expires)
    return elements


async def test_registers_itself_and_the_clients_behind_it():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    assert setup.server.registered == {GATEWAY: "gateway-up", UE: "gateway-up"}
    await setup.run(client.deregister())
    setup.world.advance(1000)
    assert setup.server.registered == {GATEWAY: "gateway-up"}
    assert len(setup.gateway.registry) == 0


async def test_a_registration_the_server_refuses_is_refused():
    setup = Setup()
    setup.world.advance(1000)
    setup.server.refuse = wire.NOT_AUTHORIZED
    try:
        await setup.run(setup.client().register())
        raise AssertionError("registered")
    except Exception as refused:
        assert refused.args[0] == wire.NOT_AUTHORIZED
    assert len(setup.gateway.registry) == 0


async def test_relays_up_and_the_report_down():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    sent = await client.send("23.5 C", application_server=AS)
    await setup.run(sent.accepted())
    setup.world.advance(100)
    message = setup.received()[0]
    assert messages.payload(message) == "23.5 C"
    setup.server.post("gateway-up", messages.report_on(message))
    assert await setup.run(sent.delivered())
    setup.world.advance(1000)
    assert len(setup.store) == 0


async def test_relays_down_and_the_report_up():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    answer = setup.server.post("gateway-up", to_client("on"))
    message = await setup.run(client.receive())
    assert message.payload == "on" and answer[0].code == wire.ACCEPTED
    setup.world.advance(1000)
    report = setup.received(wire.IMDN)[0]
    assert report[wire.MESSAGE_ID] == "d-1"
    assert report[wire.DELIVERY_STATUS] == wire.REPORT_SUCCESS


async def test_accepts_while_the_server_is_away_and_sends_when_it_is_back():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    endpoint = setup.world.leave("server")
    for number in range(5):
        sent = await client.send(str(number), application_server=AS, report=False)
        assert await setup.run(sent.accepted())
    setup.world.advance(3 * 60 * 1000)
    assert setup.received() == []
    setup.world.join("server", endpoint)
    setup.world.advance(3 * 60 * 1000)
    assert [messages.payload(m) for m in setup.received()] == ["0", "1", "2", "3", "4"]


async def test_a_restart_loses_nothing_and_doubles_nothing():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    endpoint = setup.world.leave("server")
    sent = await client.send("x", application_server=AS, report=False)
    await setup.run(sent.accepted())
    setup.kill_gateway()
    setup.server.post("gateway-up", to_client("lost for now"))
    setup.world.join("server", endpoint)
    setup.start_gateway()
    setup.world.advance(60000)
    assert [messages.payload(m) for m in setup.received()] == ["x"]
    # The client is still registered, without having noticed.
    assert UE in setup.server.registered
    answer = setup.server.post("gateway-up", to_client("after", "d-2"))
    first = await setup.run(client.receive())
    second = await setup.run(client.receive())
    assert answer[0].code == wire.ACCEPTED
    assert sorted([first.payload, second.payload]) == ["after", "lost for now"]


async def test_holds_messages_for_a_client_that_is_silent():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    answer = setup.server.post("gateway-up", to_client("held"))
    setup.world.advance(200000)
    assert answer[0].code == wire.ACCEPTED
    again = setup.client(address="ue-1-elsewhere")
    await setup.run(again.register())
    message = await setup.run(again.receive())
    assert message.payload == "held"


async def test_a_client_comes_back_while_the_server_is_away():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    endpoint = setup.world.leave("server")
    again = setup.client(address="elsewhere")
    await setup.run(again.register())
    sent = await again.send("x", application_server=AS, report=False)
    assert await setup.run(sent.accepted())
    setup.world.join("server", endpoint)
    setup.world.advance(200000)
    assert len(setup.received()) == 1


async def test_a_new_client_is_asked_to_wait_while_the_server_is_away():
    setup = Setup()
    setup.world.advance(1000)
    endpoint = setup.world.leave("server")
    client = setup.client()

    def come_back(datagram, source, destination):
        if setup.world.now > 120000 and "server" not in setup.world.endpoints:
            setup.world.join("server", endpoint)
        return False

    setup.world.drop = come_back
    await setup.run(client.register())
    assert setup.server.registered[UE] == "gateway-up"
    assert setup.gateway.counters["registrations_refused"] >= 1


async def test_a_ue_service_id_belongs_to_whoever_answers_for_it():
    setup = Setup()
    holder = setup.client()
    await setup.run(holder.register())
    thief = setup.client(address="thief")
    try:
        await setup.run(thief.register())
        raise AssertionError("registered")
    except Exception as refused:
        assert refused.args[0] == wire.UE_SERVICE_ID_NOT_OWNED
    assert setup.gateway.registry.get(UE).address == "ue-1"
    assert setup.gateway.registry.claims_refused == 1


async def test_a_message_from_an_address_that_is_not_the_originators_is_refused():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    stranger = FakeServer(setup.world, "stranger")
    elements = messages.message((wire.UE, UE), (wire.AS, AS), "m-1")
    answer = stranger.post("gateway", elements)
    setup.world.settle()
    assert answer[0].code == wire.REFUSED
    elements = messages.message((wire.UE, OTHER), (wire.AS, AS), "m-1")
    answer = stranger.post("gateway", elements)
    setup.world.settle()
    assert answer[0].code == wire.REFUSED
    assert setup.gateway.counters["not_registered"] == 2


async def test_only_the_server_sends_down():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    stranger = FakeServer(setup.world, "stranger")
    answer = stranger.post("gateway-up", to_client("x"))
    setup.world.settle()
    assert answer[0].code == wire.REFUSED
    assert setup.gateway.counters["not_from_server"] == 1


async def test_a_message_for_a_ue_that_is_not_here_is_refused():
    setup = Setup()
    setup.world.advance(1000)
    answer = setup.server.post("gateway-up", to_client("x"))
    setup.world.settle()
    assert answer[0].code == wire.NO_SUCH_RECIPIENT


async def test_duplicates_are_relayed_once():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    for _ in range(3):
        setup.server.post("gateway-up", to_client("x"))
        setup.world.advance(1000)
    await setup.run(client.receive())
    setup.world.advance(1000)
    assert client._inbox == [] and client.counters["duplicates"] == 0
    assert setup.gateway.counters["duplicates"] == 2


async def test_what_the_server_refuses_is_told_to_the_client():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    told = messages.response((wire.UE, UE), "m", wire.DELIVERY_FAILED, wire.UNKNOWN_RECIPIENT)
    setup.server.answers.append((wire.NO_SUCH_RECIPIENT, told))
    sent = await client.send("x", ue="nobody@example.org")
    assert not await setup.run(sent.delivered())
    assert (sent.state, sent.cause) == (Sent.FAILED, wire.UNKNOWN_RECIPIENT)


async def test_what_expires_on_the_way_up_is_told_to_the_client():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    setup.world.leave("server")
    elements = messages.message((wire.UE, UE), (wire.AS, AS), "m-1", report=True)
    messages.set_expiration(elements, setup.world.wall_clock() + 30)
    sent = Sent("m-1", True, 0)
    client._remember(sent)
    client._delivery.add(client._put(elements, UE), setup.world.now)
    assert not await setup.run(sent.delivered())
    assert sent.state == Sent.EXPIRED
    assert setup.gateway.counters["expired"] == 1


async def test_what_expires_on_the_way_down_is_reported():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    client.close()
    setup.server.post("gateway-up", to_client("x", expires=setup.world.wall_clock() + 30))
    setup.world.advance(200000)
    report = setup.received(wire.IMDN)[0]
    assert report[wire.DELIVERY_STATUS] == wire.REPORT_FAILED
    assert report[wire.FAILURE_CAUSE] == wire.EXPIRED
    assert len(setup.store) == 0


async def test_registers_again_at_a_server_that_has_forgotten_everything():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    setup.server.registered.clear()
    sent = await client.send("x", application_server=AS, report=False)
    await setup.run(sent.accepted())
    setup.world.advance(60000)
    assert len(setup.received()) == 1
    assert set(setup.server.registered) >= {UE}


async def test_a_full_store_asks_the_client_to_wait():
    setup = Setup()
    client = setup.client()
    await setup.run(client.register())
    endpoint = setup.world.leave("server")
    setup.store._most_items = 3
    sent = []
    for number in range(5):
        sent.append(await client.send(str(number), application_server=AS, report=False))
    setup.world.advance(30000)
    assert [s.state for s in sent] == ["accepted"] * 3 + ["stored"] * 2
    assert setup.gateway.counters["store_full"] >= 1
    setup.world.join("server", endpoint)
    setup.world.advance(400000)
    assert [messages.payload(m) for m in setup.received()] == ["0", "1", "2", "3", "4"]
