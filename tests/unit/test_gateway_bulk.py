# Registration of several clients at once, and what each client may use of a gateway.

from gateway_world import AS, GATEWAY, OTHER, UE, Setup, to_client
from msgin5g import messages, wire
from msgin5g.application import RegistrationRefused
from msgin5g.coap import numbers as coap
from msgin5g.resource import request_options
from msgin5g.store.memory import MemoryStore
from server import FakeServer

THIRD = "ue-3@example.org"


class Bulk(Setup):
    # The server answers for each UE: refuses those in `refused`, says nothing about those in `forgotten`.
    def __init__(self, seconds=30, **options):
        super().__init__(bulk_registration_seconds=seconds, **options)
        self.requests = []
        self.refused = {}
        self.forgotten = ()
        self.single = self.server.resource._handlers[wire.REG]
        self.server.resource._handlers[wire.REG] = self.on_reg
        self.world.advance(1000)

    def client(self, *where, **options):
        client = super().client(*where, **options)
        client.registration._wall_clock = self.world.wall_clock
        return client

    def on_reg(self, request, elements, now):
        if wire.REGISTRATION_REQUESTS not in elements:
            self.single(request, elements, now)
            return
        self.requests.append([one[wire.UE_SERVICE_ID] for one in elements[wire.REGISTRATION_REQUESTS]])
        assert elements[wire.NUMBER_OF_REGISTRATION_REQUESTS] == len(self.requests[-1])
        responses = []
        for ue in self.requests[-1]:
            cause = self.refused.get(ue)
            if ue in self.forgotten:
                continue
            if not cause:
                self.server.registered[ue] = request.peer.address
            result = messages.registration_result(wire.REG, ue, cause)
            del result[wire.MESSAGE_TYPE]
            responses.append(result)
        answer = {wire.MESSAGE_TYPE: wire.REG, wire.REGISTRATION_RESPONSES: responses}
        self.server.resource.answer(request, wire.REGISTERED, now, answer)

    def start(self, *clients):
        # They ask, and do not wait.
        for client in clients:
            client._start_link()
            client.registration.start(self.world.now)
        self.world.advance(100)


async def test_three_are_registered_with_one_request():
    setup = Bulk()
    clients = [setup.client(ue, ue) for ue in (UE, OTHER, THIRD)]
    setup.start(*clients)
    assert not [client for client in clients if client.registered]
    assert setup.requests == [] and UE not in setup.server.registered
    setup.world.advance(28000)
    assert setup.requests == []
    setup.world.advance(3000)
    assert [sorted(one) for one in setup.requests] == [sorted([UE, OTHER, THIRD])]
    assert [client.registered for client in clients] == [True] * 3
    assert len(setup.gateway.registry) == 3 and setup.gateway.counters["bulk_registrations"] == 1
    sent = await clients[0].send("x", application_server=AS, report=False)
    assert await setup.run(sent.accepted())


async def test_who_has_less_patience_sets_the_time_for_all():
    setup = Bulk(seconds=60)
    patient, other = setup.client(), setup.client(OTHER, "ue-2", patience=10)
    setup.start(patient, other)
    setup.world.advance(11000)
    assert patient.registered and other.registered and len(setup.requests) == 1


async def test_an_urgent_one_is_registered_at_once():
    setup = Bulk()
    patient, urgent = setup.client(), setup.client(OTHER, "ue-2", urgent=True)
    setup.start(patient, urgent)
    setup.world.advance(500)
    assert urgent.registered and not patient.registered and setup.requests == []


async def test_one_that_is_known_need_not_wait():
    setup = Bulk(seconds=5)
    client = setup.client()
    await setup.run(client.register())
    client.close()
    again = setup.client()
    setup.start(again)
    assert again.registered and len(setup.requests) == 1


async def test_each_learns_its_own_result():
    setup = Bulk(seconds=5)
    setup.refused[OTHER] = wire.NOT_AUTHORIZED
    granted, refused = setup.client(), setup.client(OTHER, "ue-2")
    setup.start(granted)
    try:
        await setup.run(refused.register())
        raise AssertionError("registered")
    except RegistrationRefused as reason:
        assert reason.args[0] == wire.NOT_AUTHORIZED
    setup.world.advance(1000)
    assert granted.registered and len(setup.gateway.registry) == 1
    assert setup.gateway.counters["registrations_refused"] == 1


async def test_one_whose_result_does_not_come_asks_again():
    setup = Bulk(seconds=5)
    setup.forgotten = (OTHER,)
    granted, forgotten = setup.client(), setup.client(OTHER, "ue-2")
    setup.start(granted, forgotten)
    setup.world.advance(8000)
    assert granted.registered and not forgotten.registered
    setup.forgotten = ()
    setup.world.advance(30000)
    assert forgotten.registered and setup.requests[1:] == [[OTHER]]


async def test_a_server_that_is_away_costs_nobody_its_registration():
    setup = Bulk(seconds=5)
    clients = [setup.client(), setup.client(OTHER, "ue-2")]
    setup.start(*clients)
    endpoint = setup.world.leave("server")
    setup.world.advance(100000)
    setup.world.join("server", endpoint)
    setup.world.advance(200000)
    assert [client.registered for client in clients] == [True, True]


async def test_so_many_at_once_and_no_more():
    setup = Bulk()
    setup.gateway._bulk._most = 3
    setup.start(*[setup.client("u%d@example.org" % number, "u%d" % number) for number in range(7)])
    setup.world.advance(1000)
    assert [len(one) for one in setup.requests] == [3, 3] and len(setup.gateway._bulk) == 1


# -- what each may use


async def test_one_ue_cannot_fill_the_store():
    setup = Setup(most_messages_per_ue=5)
    client, other = setup.client(store=MemoryStore(20, 100, 20)), setup.client(OTHER, "ue-2")
    await setup.run(client.register())
    await setup.run(other.register())
    endpoint = setup.world.leave("server")
    sent = []
    for number in range(8):
        sent.append(await client.send(str(number), application_server=AS, report=False))
    setup.world.advance(20000)
    assert [one.state for one in sent] == ["accepted"] * 5 + ["sent", "stored", "stored"]
    others = await other.send("x", application_server=AS, report=False)
    assert await setup.run(others.accepted())
    assert setup.gateway.counters["over_share"] >= 1
    # A repetition of what is there is no more.
    setup.kill_gateway()
    setup.start_gateway(most_messages_per_ue=5)
    setup.world.advance(20000)
    assert len(setup.store.pending("", -1, 99)) == 6
    setup.world.join("server", endpoint)
    setup.world.advance(600000)
    assert [messages.payload(m) for m in setup.received() if m[wire.ORIGINATING_UE] == UE] == list("01234567")
    assert setup.gateway._stored._store._used == {}


async def test_what_waits_for_one_ue_cannot_fill_the_store():
    setup = Setup(most_messages_per_ue=5)
    client = setup.client()
    await setup.run(client.register())
    client.close()
    codes = []
    for number in range(7):
        answer = setup.server.post("gateway-up", to_client("x", "d-%d" % number))
        setup.world.advance(10)
        codes.append((answer[0].code, answer[0].max_age))
    assert [code for code, _ in codes] == [wire.ACCEPTED] * 5 + [wire.UNAVAILABLE] * 2
    assert codes[-1][1] == 5
    # What is here already is accepted again.
    answer = setup.server.post("gateway-up", to_client("x", "d-0"))
    setup.world.advance(10)
    assert answer[0].code == wire.ACCEPTED


async def test_a_flood_of_one_does_not_reach_the_others():
    setup = Setup(most_requests_per_second=10)
    quiet = setup.client(OTHER, "ue-2")
    await setup.run(quiet.register())
    setup.world.advance(2000)
    flood = FakeServer(setup.world, "ue-1")
    codes = []
    for _ in range(30):
        flood.coap.request(
            "gateway",
            coap.POST,
            request_options(),
            b"{}",
            lambda response, now: codes.append((response.code, response.max_age)),
            setup.world.now,
        )
        setup.world.settle()
    assert codes.count((wire.INVALID, -1)) == 10 and codes.count((wire.OVERLOADED, 1)) == 20
    sent = await quiet.send("x", application_server=AS, report=False)
    assert await setup.run(sent.accepted())
    assert setup.gateway.counters["too_many"] == 20
    # After a second it may go on.
    setup.world.advance(1000)
    answer = flood.post("gateway", messages.registration(UE))
    setup.world.advance(100)
    assert answer[0].code == wire.REGISTERED and GATEWAY in setup.server.registered


async def test_a_client_that_is_slowed_down_loses_nothing():
    setup = Setup(most_requests_per_second=2)
    client = setup.client(store=MemoryStore(20, 100, 20))
    await setup.run(client.register())
    for number in range(10):
        sent = await client.send(str(number), application_server=AS, report=False)
    assert await setup.run(sent.accepted())
    setup.world.advance(1000)
    assert [messages.payload(m) for m in setup.received()] == [str(number) for number in range(10)]
    assert setup.gateway.counters["too_many"] > 0
