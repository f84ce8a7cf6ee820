"""A gateway's link on several ports: over real sockets, and as the server sees it."""

import asyncio

import pytest
from msgin5g.coap import numbers as coap
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters

from host_tools.gateway.uplink_ports import PortsLink
from host_tools.link import UdpLink
from host_tools.randomness import random_bits
from tests.server.lab import AS, GATEWAY, UE1, msg
from tests.server.test_secured import SecuredLab


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_come_back_to_the_port_that_asked(host):
    async def run():
        server = Endpoint(Parameters(most_unanswered=64, most_peers=64), random_bits)
        asked = []

        def on_request(request, message, now):
            asked.append(request.peer.address[1])
            server.respond(request, coap.CHANGED, b"", bytes(message.payload()), now)

        server.on_request = on_request
        listener = UdpLink(server, host)
        endpoint = Endpoint(Parameters(nstart=8, most_waiting=64, most_peers=64), random_bits)
        link = PortsLink(endpoint, host, 3)
        client = Client(endpoint)
        listener.start()
        link.start()
        answers = []
        complete = asyncio.Event()
        seen = []
        link.on_datagram = lambda way, _data, address: seen.append((way, address))
        ways = link.ways(link.resolve(*listener.address))

        def on_response(response, _now):
            answers.append(response.payload)
            if len(answers) == 6:
                complete.set()

        for turn in range(2):
            for number, way in enumerate(ways):
                client.request(way, coap.POST, [], b"%d %d" % (turn, number), on_response, link.now())
        link.flush()
        async with asyncio.timeout(10):
            await complete.wait()
        assert sorted(answers) == [b"%d %d" % (turn, number) for turn in range(2) for number in range(3)]
        assert len(set(asked)) == 3 and all(asked.count(port) == 2 for port in asked)
        assert link.address[1] in asked and len(seen) == 12
        link.close()
        listener.close()
        # Nothing is sent from sockets that are closed.
        client.request(ways[1], coap.POST, [], b"", lambda _response, _now: None, link.now())
        link.transmit()
        assert link.errors == 1

    try:
        asyncio.run(run())
    except OSError as error:
        if host == "::1":
            pytest.skip(f"no IPv6 here: {error}")
        raise


@pytest.fixture
def lab(tmp_path):
    return SecuredLab(tmp_path / "server.sqlite")


def at_port(lab, gateway, port):
    """From here on it is at another port of its host."""
    lab.world.leave(gateway.address)
    gateway.address = (gateway.address[0], port)
    lab.world.join(gateway.address, gateway.endpoint)


def test_a_gateway_that_speaks_from_another_port_has_not_moved(lab):
    gateway = lab.peer("gateway", GATEWAY)
    assert gateway.register(GATEWAY)[0] == gateway.register(UE1)[0] == "2.01"
    registered = gateway.address
    assert gateway.post(msg("1", UE1, AS))[0] == "2.04"
    for message_id, port in (("2", 6001), ("3", 6002)):
        at_port(lab, gateway, port)
        assert gateway.post(msg(message_id, UE1, AS))[0] == "2.04"
        assert lab.address(GATEWAY) == lab.address(UE1) == registered
    # Unless it is heard nowhere else for long, as behind a NAT that has forgotten it.
    lab.world.advance(61_000)
    assert gateway.post(msg("4", UE1, AS))[0] == "2.04"
    assert lab.address(GATEWAY) == lab.address(UE1) == gateway.address


def test_a_gateway_that_registers_from_another_port_is_there(lab):
    gateway = lab.peer("gateway", GATEWAY)
    assert gateway.register(GATEWAY)[0] == gateway.register(UE1)[0] == "2.01"
    assert gateway.post(msg("1", UE1, AS))[0] == "2.04"
    at_port(lab, gateway, 6001)
    assert gateway.register(GATEWAY)[0] == "2.01"
    assert lab.address(GATEWAY) == lab.address(UE1) == gateway.address


def test_a_gateway_on_another_host_has_moved(lab):
    gateway = lab.peer("gateway", GATEWAY)
    assert gateway.register(GATEWAY)[0] == "2.01"
    assert gateway.post(msg("1", GATEWAY, AS))[0] == "2.04"
    gateway.move("gateway-elsewhere")
    assert gateway.post(msg("2", GATEWAY, AS))[0] == "2.04"
    assert lab.address(GATEWAY) == gateway.address
