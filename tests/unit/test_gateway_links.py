# What a gateway knows of the links that its clients are on: how long a packet may be, and that one is there again.

from gateway_world import UE, Setup, to_client
from msgin5g import wire
from msgin5g.coap import block

OTHER = "ue-2@example.org"
# Of ESP-NOW v1.
SHORT = 250


def longest_to(setup, address):
    # Octets of the longest datagram that arrives at an address from here on, as a list of one.
    longest = [0]

    def drop(datagram, source, destination):
        if destination == address:
            longest[0] = max(longest[0], len(datagram))
            # As the link does with one that it can't carry.
            return len(datagram) > SHORT
        return False

    setup.world.drop = drop
    return longest


async def test_what_does_not_fit_a_packet_goes_in_blocks():
    setup = Setup(packet_size=lambda address: SHORT if address == "ue-1" else 1280)
    client = setup.client()
    client.link.szx = client.coap.szx = block.szx_for(SHORT)
    await setup.run(client.register())
    longest = longest_to(setup, "ue-1")
    answer = setup.server.post("gateway-up", to_client("y" * 700))
    message = await setup.run(client.receive())
    assert message.payload == "y" * 700 and answer[0].code == wire.ACCEPTED
    assert 100 < longest[0] <= SHORT
    await setup.run(client.settled())


async def test_and_elsewhere_in_one_piece():
    setup = Setup(packet_size=lambda address: SHORT if address == "ue-1" else 1280)
    client = setup.client(OTHER, "ue-2")
    await setup.run(client.register())
    before = setup.world.datagrams
    setup.server.post("gateway-up", to_client("y" * 700, ue=OTHER, report=False))
    message = await setup.run(client.receive())
    assert message.payload == "y" * 700
    # From the server, its answer, to the client, its answer.
    assert setup.world.datagrams - before == 4


async def test_who_is_on_a_link_that_is_there_again_is_not_waited_for():
    setup = Setup()
    clients = [setup.client(), setup.client(OTHER, "ue-2")]
    for client in clients:
        await setup.run(client.register())
    # The line of both is pulled for so long that the gateway tries only now and then.
    setup.world.drop = lambda datagram, source, destination: "ue-" in source + destination
    for number, ue in enumerate((UE, OTHER)):
        setup.server.post("gateway-up", to_client("held", "d-%d" % number, ue=ue, report=False))
    downlink = setup.gateway._relay.downlink
    setup.world.advance(600000)
    for _ in range(200):
        if downlink.waiting(UE) and downlink.waiting(OTHER):
            break
        setup.world.advance(1000)
    setup.world.drop = None
    began = setup.world.now
    setup.gateway.reachable(lambda address: address == "ue-1", setup.world.now)
    assert downlink.waiting(OTHER)
    message = await setup.run(clients[0].receive())
    # At once.
    assert message.payload == "held" and setup.world.now == began
