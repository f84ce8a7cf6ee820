"""UEs without a MSGin5G Client on serial lines: MicroPython, pseudo-terminals, and the gateway that speaks for them."""

import asyncio
import json

import pytest

from tests.system.processes import seed, until
from tests.system.test_application_client import a_meter, check, exchange
from tests.system.test_serial import Line

COUNT = 12


async def speaking(place, more):
    """(a gateway that speaks for meters on a line, an Application Server behind its server)."""
    server = await place.server()
    credential = place.directory / "meter_credential"
    credential.write_text("a secret\n")
    gateway = await place.gateway(
        server,
        more=f"""
{more}

[[applications]]
id = "meter"
number = 17
credential_file = {json.dumps(credential.name)}
""",
    )
    return gateway, await place.application_server(server)


async def started(place, library, line, form="l3"):
    meter = a_meter(library, line.board_end, COUNT, form)
    place._others.append(meter)
    await meter.start()
    await until(lambda: "registered 0" in meter.lines, lambda: meter.lines)
    return meter


async def ended(meter, gateway, application_server):
    assert await meter.ended() == 0, "\n".join(meter.lines[-30:])
    check(meter, application_server, COUNT)
    await until(lambda: len(application_server.reports) == COUNT, lambda: application_server.reports)
    assert all(report.delivered for report in application_server.reports)
    assert gateway.stored() == []


@pytest.mark.parametrize("form", ["l3", "coap"])
async def test_on_a_line_that_damages_octets_without_any_udp_port(place, library, form):
    line = Line(place.directory, "meter", seed(11), damage=0.03)
    gateway, application_server = await speaking(
        place, f'application_clients_serial = ["{place.directory}/met*"]'
    )
    meter = await started(place, library, line, form)
    await exchange(meter, application_server, COUNT)
    await ended(meter, gateway, application_server)
    counts = gateway.metrics()
    assert counts["applications_serial_open"] == 1 and counts["applications_registrations"] >= 1
    # It is no client of MSGin5G-6, whatever it says.
    assert counts["down_received"] == 0
    line.close()


async def test_a_line_that_is_pulled_loses_nothing(place, library):
    line = Line(place.directory, "meter", seed(12))
    gateway, application_server = await speaking(
        place, f'application_clients_serial = ["{line.gateway_end}"]'
    )
    meter = await started(place, library, line)
    sending = asyncio.create_task(exchange(meter, application_server, COUNT))
    for arrived in (2, 5, 8):
        await until(lambda least=arrived: len(application_server.messages) >= least, lambda: meter.lines)
        line.unplug()
        await until(lambda: gateway.metrics()["applications_serial_open"] == 0, "the gateway notices")
        line.plug()
        await until(lambda: gateway.metrics()["applications_serial_open"] == 1, "the gateway opens it again")
    await sending
    await ended(meter, gateway, application_server)
    assert gateway.metrics()["applications_serial_opened"] == 4
    line.close()
