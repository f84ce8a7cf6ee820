"""Other CoAP implementations in the place of an Application Client (TS 24.538, A.3): plain CoAP and JSON."""

import asyncio
import json

import pytest

from tests.system.processes import free_ports, until
from tests.system.test_application_client import GATEWAY, speaking

REGISTRATION = {"Message Type": "REG", "Application ID": "meter", "UE credential information": "a secret"}
DEREGISTRATION = {"Message Type": "DEREG", "Application ID": "meter"}


def message(text, message_id):
    return {
        "Message Type": "MSG",
        "Target address": "as@example.org",
        "Target type": "AS",
        "Message ID": message_id,
        "Payload": text,
        "Application ID": "meter",
        "Delivery status required": True,
    }


class AiocoapMeter:
    """An Application Client made of aiocoap: keeps what comes, and reports on messages as it is told."""

    def __init__(self, aiocoap, port):
        self.received = []
        self.status = "REPT_DELY_SUCCESS"
        self._aiocoap = aiocoap
        self._uri = f"coap://127.0.0.1:{port}/msgin5g"
        self._tasks = []

    async def start(self):
        from aiocoap import resource

        meter = self

        class Messages(resource.Resource):
            async def render_post(self, request):
                return meter.on_post(request)

        site = resource.Site()
        site.add_resource(["msgin5g"], Messages())
        self._context = await self._aiocoap.Context.create_server_context(site, bind=("127.0.0.1", 0))

    def on_post(self, request):
        assert request.opt.content_format == 50
        assert request.mtype is self._aiocoap.CON
        told = json.loads(request.payload)
        self.received.append(told)
        if told.get("Delivery status required"):
            report = {key: told[key] for key in ("Message ID", "Target address", "Target type")}
            report |= {"Message Type": "IMDN", "Delivery Status": self.status}
            self._tasks.append(asyncio.create_task(self.post(report)))
        return self._aiocoap.Message(code=self._aiocoap.CHANGED)

    async def post(self, members):
        """(code of the answer as text, its members)."""
        response = await self._context.request(
            self._aiocoap.Message(
                code=self._aiocoap.POST,
                uri=self._uri,
                content_format=50,
                payload=json.dumps(members).encode(),
            )
        ).response
        return response.code.dotted, json.loads(response.payload or b"{}")

    async def stop(self):
        """What its reports were answered with."""
        answers = await asyncio.gather(*self._tasks)
        await self._context.shutdown()
        return answers


async def test_aiocoap_registers_sends_receives_and_reports(place):
    aiocoap = pytest.importorskip("aiocoap")
    port, gateway, application_server = await speaking(place)
    meter = AiocoapMeter(aiocoap, port)
    await meter.start()
    assert await meter.post(message("early", "m-0")) == (
        "4.01",
        {"Message Type": "MSGRESP", "Delivery Status": "DELY_FAILED", "Failure Cause": "NOT_REGISTERED"}
        | {"Message ID": "m-0"},
    )
    wrong = REGISTRATION | {"UE credential information": "guessed"}
    code, told = await meter.post(wrong)
    assert code == "4.03" and told["Failure Cause"] == "NOT_AUTHORIZED"
    assert (await meter.post(REGISTRATION))[0] == "2.01"
    assert await meter.post(message("23.5", "m-1")) == ("2.04", {})
    assert await meter.post(message("23.5", "m-1")) == ("2.04", {})
    await until(lambda: meter.received, "the report")
    assert meter.received.pop() == {
        "Message Type": "IMDN",
        "Application ID": "meter",
        "Message ID": "m-1",
        "Target address": "as@example.org",
        "Target type": "AS",
        "Delivery Status": "REPT_DELY_SUCCESS",
    }
    (up,) = application_server.messages
    assert (up.payload, up.originator, up.application) == ("23.5", GATEWAY, "meter")
    await application_server.send("on", GATEWAY, application="meter")
    await until(lambda: application_server.reports, "the report on what went down")
    meter.status = "REPT_DELY_FAILED"
    # In several blocks.
    await application_server.send("x" * 1500, GATEWAY, application="meter")
    await until(lambda: len(application_server.reports) == 2, "the second report")
    assert [report.delivered for report in application_server.reports] == [True, False]
    assert [told["Payload"] for told in meter.received] == ["on", "x" * 1500]
    assert {told["Target address"] for told in meter.received} == {"as@example.org"}
    assert (await meter.post(DEREGISTRATION))[0] == "2.02"
    assert (await meter.post(message("late", "m-2")))[0] == "4.01"
    assert await meter.stop() == [("2.04", {}), ("2.04", {})]
    assert gateway.stored() == []


async def test_libcoap_registers_and_sends(place, coap_client):
    port, _, application_server = await speaking(place)
    (own,) = free_ports(1)

    async def post(members):
        client = await asyncio.create_subprocess_exec(
            *(str(coap_client), "-m", "post", "-t", "50", "-B", "10", "-a", "127.0.0.1", "-p", str(own)),
            *("-e", json.dumps(members), f"coap://127.0.0.1:{port}/msgin5g"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await client.communicate()
        assert client.returncode == 0, said
        return said.decode()

    assert "NOT_REGISTERED" in await post(message("early", "m-0"))
    assert "SUCCESS" in await post(REGISTRATION)
    assert not await post(message("23.5", "m-1"))
    await until(lambda: application_server.messages, "the message")
    assert application_server.messages[0].payload == "23.5"
    assert "SUCCESS" in await post(DEREGISTRATION)
