"""The UE-1 relay: boards whose keys are the server's, through the gateway process, which opens nothing."""

import asyncio
import socket

from tests.system.processes import Script, free_ports, seed, until
from tests.system.tap import Tap
from tests.system.test_serial import Line

MESSAGES = 12
# What must not be seen on the way.
PLAIN = b"the reading is secret"


class Relay:
    """Where the relay of a gateway is, as a board takes it."""

    def __init__(self, port):
        self.address = ("127.0.0.1", port)


async def relaying(place, more="", behind=lambda server: server.port):
    """(server, gateway, where its relay is, an Application Server); `behind`: the port that the relay sends to."""
    server = await place.server()
    (port,) = free_ports(1)
    gateway = await place.gateway(
        server,
        more=f"""
[relay]
port = {port}
server = "127.0.0.1:{behind(server)}"
{more}
""",
    )
    return server, gateway, Relay(port), await place.application_server(server)


async def exchange(board, application_server, count=MESSAGES):
    name = board.ue_service_id
    for number in range(count):
        message_id = await board.send(f"{PLAIN.decode()} {number} {name}", **{"as": "as@example.org"})
        await board.state(message_id, "delivered")
        told, _ = await application_server.send(f"down {number} {PLAIN.decode()}", name)
        await until(lambda told=told: application_server.report_on(told), f"report {number} of {name}")


async def test_boards_speak_with_the_server_and_nobody_on_the_way_sees_what(place):
    taps = []

    def behind(server):
        taps.append(Tap(server.address))
        return taps[0].address[1]

    server, gateway, relay, application_server = await relaying(place, behind=behind)
    front = Tap(relay.address)
    board = await place.board("one@example.org", front, by=server)
    await exchange(board, application_server)
    assert len(application_server.received()) == MESSAGES
    seen = front.up + front.down + taps[0].up + taps[0].down
    assert len(seen) > 4 * MESSAGES and not [one for one in seen if b"secret" in one or b"one@example" in one]
    # Octet for octet what went in.
    assert front.up == taps[0].up and front.down == taps[0].down
    # To the gateway it is nobody: not its client, and nothing of it is stored.
    counts = gateway.metrics()
    assert counts["clients"] == 0 and counts["messages_up"] == 0 and gateway.stored() == []
    assert counts["relay_devices"] == 1 and counts["relay_up"] == len(front.up)
    assert counts["relay_down"] == len(front.down) and counts["relay_down_octets"] == sum(
        map(len, front.down)
    )
    for tap in (front, taps[0]):
        tap.close()


async def test_relayed_and_gateways_clients_side_by_side(place):
    server, gateway, relay, application_server = await relaying(place)
    boards = [
        await place.board("relayed-1@example.org", relay, by=server),
        await place.board("relayed-2@example.org", relay, by=server),
        await place.board("client@example.org", gateway),
    ]
    await asyncio.gather(*(exchange(board, application_server, 5) for board in boards))
    assert len(application_server.received()) == 15
    counts = gateway.metrics()
    assert counts["relay_devices"] == 2 and counts["clients"] == 1 and counts["relay_devices_refused"] == 0


async def test_a_device_changes_its_address_and_server_and_relay_are_killed(place):
    server, gateway, relay, application_server = await relaying(place)
    front = Tap(relay.address)
    board = await place.board("one@example.org", front, by=server)
    await exchange(board, application_server, 2)
    # Another address: the server notices with the next message, and sends to it.
    front.rebind()
    await exchange(board, application_server, 2)
    assert gateway.metrics()["relay_devices"] == 2
    await server.kill()
    await server.start()
    await application_server.register(application_server._listener.url)
    await exchange(board, application_server, 2)
    # The relay forgets its sockets: who is behind it is at another address from the next message on.
    await gateway.kill()
    await gateway.start()
    await exchange(board, application_server, 2)
    assert len(application_server.received()) == len(set(application_server.received())) + 6
    assert gateway.metrics()["relay_devices"] == 1
    front.close()


async def test_a_flood_is_bounded_and_a_device_goes_on(place):
    server, gateway, relay, application_server = await relaying(
        place, "most_datagrams_per_second = 50\nmost_devices = 40"
    )
    board = await place.board("one@example.org", relay, by=server)
    random = seed(20261122)
    flooders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(60)]

    async def flood():
        while True:
            for one in flooders:
                one.sendto(random.randbytes(random.randrange(1, 200)), relay.address)
            await asyncio.sleep(0.005)

    flooding = asyncio.create_task(flood())
    await exchange(board, application_server, 6)
    await until(lambda: gateway.metrics()["relay_too_many"] > 0, "a flooder is told to wait")
    flooding.cancel()
    counts = gateway.metrics()
    assert counts["relay_devices"] <= 40 and counts["relay_devices_refused"] > 0
    assert len(application_server.received()) == 6 and gateway.running
    for one in flooders:
        one.close()


async def test_a_device_on_a_serial_line_is_relayed(place, tmp_path):
    line = Line(tmp_path, "relayed", seed(3), damage=0.03)
    server, gateway, relay, application_server = await relaying(place, f'serial = ["{line.gateway_end}"]')
    board = await place.board("wired@example.org", line, by=server)
    await exchange(board, application_server, 6)
    counts = gateway.metrics()
    assert counts["relay_serial_open"] == 1 and counts["clients"] == 0 and counts["relay_devices"] == 1
    line.close()


async def test_a_client_looks_for_a_relay_and_has_the_right_key(place, library):
    server, gateway, relay, application_server = await relaying(
        place, 'server_service_id = "server@example.org"'
    )
    folder = place._provisioned("finder@example.org", server)
    script = SCRIPT.format(port=relay.address[1], folder=folder)
    said = await Script("-c", script, path=[library]).run()
    assert said == ["registered with server@example.org", "delivered"]
    assert gateway.metrics()["relay_selections"] >= 1
    assert application_server.received() == ["found"]


# "Everybody in reach" is this machine.
SCRIPT = """
import asyncio
from msgin5g import provisioning
from msgin5g.client import Client
from msgin5g.coap.endpoint import Parameters
device = provisioning.read("{folder}/device.json")
security = provisioning.DeviceSecurity(device["oscore"], provisioning.Counter("{folder}/sequence"))
ue = Client(device["ue_service_id"], port={port}, security=security, parameters=Parameters(ack_timeout=150))
broadcast = ue.link.broadcast
ue.link.broadcast = lambda port: ue.link.resolve("127.0.0.1", port)
async def main():
    await ue.register()
    print("registered with", security.context.name)
    sent = await ue.send("found", application_server="as@example.org")
    print("delivered" if await sent.delivered() else sent.cause)
    ue.close()
asyncio.run(main())
"""
