"""A UE without a MSGin5G Client, on a heap of 20 KiB, through gateway and server to an Application Server and back."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from host_tools.setup import micropython
from tests.system.processes import free_ports, seed, until

HEAP = "20K"
METER = Path(__file__).with_name("meter.py")
GATEWAY = "gateway@example.org"


class Meter:
    """The application under MicroPython; what it prints, line by line."""

    def __init__(self, library, port, count, form):
        self.lines = []
        self._command = [str(micropython.constrained()), "-X", f"heapsize={HEAP}", str(METER)]
        self._command += [str(port), str(count), form]
        self._environment = os.environ | {"MICROPYPATH": f"{library}:.frozen"}
        self._process: Any = None

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
        )
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        async for line in self._process.stdout:
            self.lines.append(line.decode().strip())

    async def ended(self):
        await until(self._reading.done, lambda: self.lines)
        return await self._process.wait()

    async def stop(self):
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


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
    if micropython.constrained() is None:
        pytest.skip("no 32-bit MicroPython is here; `make micropython` says why")
    port, gateway, application_server = await speaking(place)
    one = Meter(library, port, 20, request.param)
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
