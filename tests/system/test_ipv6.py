"""IPv6: clients of both kinds at one gateway, an uplink by IPv6, link-local addresses, and a gateway that is looked for."""

import asyncio
import json
import socket

import pytest

from tests.system.processes import Gateway, Script, Server, until

INTERFACES = "/proc/net/if_inet6"


def loopback():
    """Skips where there is no IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
            one.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error.strerror}")


def link_local():
    """(address, interface) of one that is up; skips where there is none."""
    loopback()
    try:
        lines = [line.split() for line in open(INTERFACES, encoding="ascii")]  # noqa: PTH123, SIM115 (two lines of /proc)
    except OSError:
        lines = []
    for digits, _, _, scope, _, name in lines:
        if scope == "20":
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)), name
    pytest.skip("no network interface here has a link-local IPv6 address")


class At:
    """Where a board reaches a gateway."""

    def __init__(self, host, port):
        self.address = (host, port)


async def on_all(place, more="", uplink="::1"):
    """A server and a gateway that listen on "::", and the IPv6 address of the first that is the other's uplink."""
    server = Server(place.directory)
    listen(server)
    await place._started(server)
    gateway = Gateway(place.directory, server, more=more)
    listen(gateway)
    change(gateway, f'server = "127.0.0.1:{server.port}"', f'server = "[{uplink}]:{server.port}"')
    await place._started(gateway)
    return server, gateway, await place.application_server(server)


def listen(daemon):
    change(daemon, '\nhost = "127.0.0.1"', '\nhost = "::"')


def change(daemon, before, after):
    text = daemon.file.read_text()
    assert before in text
    daemon.file.write_text(text.replace(before, after))


async def exchange(board, application_server):
    name = board.ue_service_id
    for number in range(5):
        message_id = await board.send(f"up {number} {name}", **{"as": "as@example.org"})
        await board.state(message_id, "delivered")
        told, _ = await application_server.send(f"down {number}", name)
        await until(lambda told=told: application_server.report_on(told), f"report {number} of {name}")
    assert board.received() == [f"down {number}" for number in range(5)]


async def test_clients_by_ipv4_and_ipv6_at_once_and_an_uplink_by_ipv6(place):
    loopback()
    server, gateway, application_server = await on_all(place)
    boards = [
        await place.board("four@example.org", At("127.0.0.1", gateway.port), by=gateway),
        await place.board("six@example.org", At("::1", gateway.port), by=gateway),
        # And one at the server itself.
        await place.board("direct@example.org", At("::1", server.port), by=server),
    ]
    await asyncio.gather(*(exchange(board, application_server) for board in boards))
    assert len(application_server.received()) == 15
    # Addresses are told as people write them.
    assert json.loads(gateway.lines[0])["coap"] == f"coap://[::]:{gateway.port}"
    addresses = [json.loads(line).get("address", "") for line in gateway.errors().splitlines()]
    assert any(one.startswith("127.0.0.1:") for one in addresses)
    assert any(one.startswith("[::1]:") for one in addresses)
    assert not [one for one in addresses if "ffff" in one]


async def test_a_client_and_an_uplink_by_link_local_addresses(place):
    address, interface = link_local()
    _, gateway, application_server = await on_all(place, uplink=f"{address}%{interface}")
    board = await place.board("local@example.org", At(f"{address}%{interface}", gateway.port), by=gateway)
    await exchange(board, application_server)


KNOWN = """
import asyncio
from msgin5g import provisioning
ue = provisioning.client("{folder}/device.json", folder="{folder}/messages")
"""
FOUND = """
import asyncio
from msgin5g import provisioning
from msgin5g.link.udp6 import Udp6Link
ue = provisioning.client(
    "{folder}/device.json", folder="{folder}/messages", port={port},
    link=lambda endpoint: Udp6Link(endpoint, interface="{interface}"),
)
"""
ON = """
async def main():
    await ue.register()
    sent = await ue.send("by IPv6", application_server="as@example.org")
    print("delivered" if await sent.delivered() else sent.cause)
    ue.close()
asyncio.run(main())
"""


async def delivered(library, script, application_server):
    """Is what a board sends delivered, by a script of its own?"""
    said = await Script("-c", script + ON, path=[library]).run()
    assert said == ["delivered"] and application_server.received() == ["by IPv6"], said


def provisioned(place, gateway, address):
    folder = place._provisioned("six@example.org", gateway)
    file = folder / "device.json"
    device = json.loads(file.read_text())
    device.pop("gateway")
    file.write_text(json.dumps(device | ({"gateway": address} if address else {})))
    return folder


async def test_a_board_whose_device_json_names_an_ipv6_address(place, library):
    loopback()
    _, gateway, application_server = await on_all(place)
    folder = provisioned(place, gateway, f"[::1]:{gateway.port}")
    await delivered(library, KNOWN.format(folder=folder), application_server)


async def test_a_gateway_is_found_by_ipv6_multicast(place, library):
    _, interface = link_local()
    _, gateway, application_server = await on_all(place, f'multicast = ["{interface}"]')
    folder = provisioned(place, gateway, None)
    script = FOUND.format(folder=folder, port=gateway.port, interface=interface)
    await delivered(library, script, application_server)
    assert gateway.metrics()["selections"] >= 1


async def test_a_server_with_a_scope_in_its_address():
    address, interface = link_local()
    from host_tools.link import UdpLink, anywhere
    from host_tools.settings import host_and_port

    host, port = host_and_port(f"[{address}%{interface}]:5683")
    assert (host, port) == (f"{address}%{interface}", 5683) and anywhere(host, port) == "::"
    link = UdpLink(None, anywhere(host, port))
    assert link.resolve(host, port) == (address, 5683, 0, socket.if_nametoindex(interface))
    assert anywhere("127.0.0.1", 5683) == "0.0.0.0"
    link.close()
