"""A UE without a MSGin5G Client, on a heap of 20 KiB, through gateway and server to an Application Server and back."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.system.processes import Script, free_ports, seed, until

HEAP = "20K"
METER = Path(__file__).with_name("meter.py")
GATEWAY = "gateway@example.org"


def a_meter(library, at, count, form):
    """The application under MicroPython; at: a port, or the end of a line."""
    return Script(METER, at, count, form, path=[library], heap=HEAP)


async def speaking(place):
    """(the port, the gateway that speaks for meters there, an Application Server behind its server)."""
    server = await place.server()
    (port,) = free_ports(1)
    credential = place.directory / "meter_credential"
    credential.write_text("a secret\n")
    gateway = await place.gateway(
        server,
        more=f"""
application_clients_port = {port}

[[applications]]
id = "meter"
number = 17
credential_file = {json.dumps(credential.name)}
""",
    )
    return port, gateway, await place.application_server(server)


@pytest.fixture(params=["l3", "coap"])
async def meter(request, place, library):
    """A gateway that speaks for meters, an Application Server, and a meter that is to send 20 messages."""
    port, gateway, application_server = await speaking(place)
    one = a_meter(library, port, 20, request.param)
    yield one, gateway, application_server
    await one.stop()


async def exchange(meter, application_server, count):
    for number in range(count):
        await application_server.send(f"down {number}", GATEWAY, application="meter")
        await asyncio.sleep(0.02)


def check(meter, application_server, count):
    assert meter.lines[0] == "registered 0" and meter.lines[-1] == "done", meter.lines
    assert meter.lines.count("told 0") == count
    assert meter.lines.count("reported True") == count
    assert [line for line in meter.lines if line.startswith("received")] == [
        f"received down {number}" for number in range(count)
    ]
    assert [message.payload for message in application_server.messages] == [
        f"message {number}" for number in range(count)
    ]
    assert {message.originator for message in application_server.messages} == {GATEWAY}
    assert {message.application for message in application_server.messages} == {"meter"}


async def test_registers_sends_receives_and_reports(meter):
    meter, gateway, application_server = meter
    await meter.start()
    await until(lambda: "registered 0" in meter.lines, lambda: meter.lines)
    await exchange(meter, application_server, 20)
    assert await meter.ended() == 0, "\n".join(meter.lines[-30:])
    check(meter, application_server, 20)
    await until(lambda: len(application_server.reports) == 20, lambda: application_server.reports)
    assert all(report.delivered for report in application_server.reports)
    assert gateway.stored() == []


async def test_nothing_is_lost_or_doubled_when_the_gateway_is_killed(meter):
    meter, gateway, application_server = meter
    random = seed(7)
    await meter.start()
    await until(lambda: "registered 0" in meter.lines, lambda: meter.lines)
    sending = asyncio.create_task(exchange(meter, application_server, 20))
    for _ in range(4):
        await asyncio.sleep(random.uniform(0.05, 0.3))
        await gateway.kill()
        await gateway.start()
    await sending
    assert await meter.ended() == 0, "\n".join(meter.lines[-30:])
    check(meter, application_server, 20)
    await until(lambda: len(application_server.reports) == 20, lambda: application_server.reports)
    assert all(report.delivered for report in application_server.reports)
