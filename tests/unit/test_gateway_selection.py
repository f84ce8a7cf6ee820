# Being found: who asks everybody in reach is told of a gateway that carries its packets.

from gateway_world import GATEWAY, UE, Setup
from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import encode_options
from msgin5g.resource import request_options, told
from server import FakeServer
from world import EVERYBODY


def ask(setup, body, address="gateway", confirmable=False, source="asking"):
    asking = FakeServer(setup.world, source)
    answers = []
    asking.coap.request(
        address,
        coap.POST,
        request_options(wire.SELECTION_PATH),
        body,
        lambda response, now: answers.append(response),
        setup.world.now,
        confirmable,
    )
    return answers


def request(**more):
    elements = {wire.UE_SERVICE_ID: UE, wire.REQUIRED_PACKET_SIZE: 250}
    elements.update(more)
    return messages.encode(elements)


async def test_a_client_finds_the_gateway_and_registers_there():
    setup = Setup()
    setup.world.advance(1000)
    client = setup.client(gateway=None)
    await setup.run(client.register())
    assert client.registration.address == "gateway"
    assert setup.server.registered[UE] == "gateway-up"
    assert setup.gateway.counters["selections"] == 1


async def test_where_everybody_is_one_it_is_found():
    # At the other end of a line, for example.
    setup = Setup()
    setup.world.advance(1000)
    client = setup.client(gateway=None)
    client.link.broadcast = lambda port: "gateway"
    await setup.run(client.register())
    assert client.registration.address == "gateway"


async def test_it_is_told_who_this_is_and_how_much_it_carries():
    setup = Setup()
    setup.gateway.selection.packet_size = lambda address: 250
    setup.gateway.selection.layer_2_id = lambda address: "a1b2"
    answers = ask(setup, request())
    setup.world.advance(1000)
    assert told(answers[0]) == {
        wire.UE_SERVICE_ID: GATEWAY,
        wire.ALLOWED_PACKET_SIZE: 250,
        wire.LAYER_2_ID: "a1b2",
    }


async def test_what_went_to_everybody_is_answered_after_a_while():
    setup = Setup()
    setup.world.advance(1000)
    at = []
    setup.world.drop = lambda datagram, source, destination: (
        at.append(setup.world.now) if (source, destination) == ("gateway", "asking") else None
    )
    began = setup.world.now
    for _ in range(5):
        asking = FakeServer(setup.world, "asking")
        asking.endpoint.request(
            EVERYBODY,
            coap.POST,
            encode_options(request_options(wire.SELECTION_PATH)),
            request(),
            lambda *ended: None,
            setup.world.now,
            confirmable=False,
        )
        setup.world.advance(1)
    setup.world.advance(1000)
    assert len(at) == 5 and max(at) - began > 20 and max(at) - began < 510


async def test_who_requires_larger_packets_hears_nothing():
    setup = Setup()
    answers = ask(setup, request().replace(b"250", b"9000"))
    setup.world.advance(5000)
    assert answers == [] and setup.gateway.counters["selections_ignored"] == 1


async def test_nonsense_to_everybody_hears_nothing_and_to_this_one_an_error():
    setup = Setup()
    for number, body in enumerate((b"", b"{", b"[]", b'{"x":1}', b"x" * 600)):
        assert ask(setup, body, source="n%d" % number) == []
        setup.world.advance(1000)
    assert setup.gateway.counters["selections_ignored"] == 5
    answers = ask(setup, b"{", confirmable=True)
    setup.world.advance(100)
    assert answers[0].code == wire.INVALID


async def test_so_many_a_second_and_no_more():
    setup = Setup()
    setup.world.advance(1000)
    for number in range(60):
        ask(setup, request(), source="n%d" % number)
        setup.world.advance(2)
    setup.world.advance(700)
    assert setup.gateway.counters["selections"] == 50 and setup.gateway.counters["selections_ignored"] == 10
