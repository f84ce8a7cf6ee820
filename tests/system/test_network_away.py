"""The IP network: gone for longer than a message waits, and asked for whoever is there."""

import asyncio
import re
import socket

from tests.system.processes import ACK_TIMEOUT, Gateway, until

# How much heap a board needs is tested elsewhere.
HEAP = "192K"
AS = "as@example.org"
# Until a message times out (RFC 7252, 4.8.2: 31 times ACK_TIMEOUT, or up to half as much more), in seconds.
TIMEOUT = ACK_TIMEOUT * 31 * 1.5 / 1000


async def test_silence_that_outlasts_a_message_is_survived(place):
    server = await place.server()
    gateway = await place.gateway(server)
    application_server = await place.application_server(server, AS)
    board = await place.board("board@example.org", gateway, heap=HEAP)
    first = await board.send("before", **{"as": AS})
    await board.state(first, "delivered")

    await gateway.kill()
    # Nobody answers there, and nothing says that nobody is there.
    silence = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silence.bind(gateway.address)
    sent = [await board.send(f"meanwhile {number}", **{"as": AS}) for number in range(3)]
    await asyncio.sleep(TIMEOUT + 1)
    sources = {silence.recvfrom(2048)[1] for _ in range(5)}
    silence.close()
    await gateway.start()

    for message_id in sent:
        await board.state(message_id, "delivered")
    assert application_server.received() == ["before", "meanwhile 0", "meanwhile 1", "meanwhile 2"]
    # It was a new socket that got through: at the gateway, the board is at another address.
    told = [line for line in gateway.errors().splitlines() if "client registered" in line]
    registered = re.findall(r"127\.0\.0\.1\W+(\d+)", "\n".join(told))
    assert len(set(registered)) >= 2, registered
    assert ("127.0.0.1", int(registered[0])) in sources

    # And the other way round it is found there.
    message_id, _ = await application_server.send("welcome back", ue=board.ue_service_id)
    await until(lambda: application_server.report_on(message_id), "a report")
    assert board.received() == ["welcome back"]


async def test_a_gateway_hears_what_is_sent_to_all_coap_nodes(place):
    server = await place.server()
    gateway = Gateway(place.directory, server, more='multicast = ["lo"]')
    settings = gateway.file.read_text()
    gateway.file.write_text(settings.replace('\nhost = "127.0.0.1"', '\nhost = "0.0.0.0"'))
    await place._started(gateway)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        one.settimeout(5)
        # A CoAP ping, and its answer from where the gateway is.
        one.sendto(b"\x40\x00\x12\x34", ("224.0.1.187", gateway.port))
        assert one.recvfrom(100) == (b"\x70\x00\x12\x34", ("127.0.0.1", gateway.port))


async def test_an_interface_that_is_not_there_ends_the_start(place):
    server = await place.server()
    gateway = Gateway(place.directory, server, more='multicast = ["nowhere0"]')
    settings = gateway.file.read_text()
    gateway.file.write_text(settings.replace('\nhost = "127.0.0.1"', '\nhost = "0.0.0.0"'))
    program = place.program("gateway", gateway.file)
    assert await program.run() != 0
    assert "nowhere0" in program.errors() and "Traceback" not in program.errors()
