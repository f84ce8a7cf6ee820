"""What an Application Server makes of what the server POSTs to it, also of what comes twice after a crash."""

import httpx2
import pytest

from host_tools.application_server import ApplicationServer
from host_tools.server.rest import wire_api

UE, AS = "ue@example.org", "as@example.org"
MESSAGE = {
    "oriAddr": {"addrType": "UE", "addr": UE},
    "destAddr": {"addrType": "AS", "addr": AS},
    "msgId": "m-1",
    "stoAndFwInd": True,
    "payload": "23.5 C",
}
REPORT = {
    "oriAddr": {"addrType": "UE", "addr": UE},
    "destAddr": {"addrType": "AS", "addr": AS},
    "msgId": "m-1",
    "delivSt": "REPT_DELY_SUCCESS",
}


class Setup:
    def __init__(self):
        self.messages, self.reports, self.to_server = [], [], []
        self.application_server = ApplicationServer(
            AS, "http://server.invalid", "token", self.messages.append, self.reports.append
        )
        self.application_server._http = httpx2.AsyncClient(
            transport=httpx2.MockTransport(self._serve), base_url="http://server.invalid"
        )
        self.server = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.application_server.app), base_url="http://as.invalid"
        )

    def _serve(self, request):
        self.to_server.append(request)
        return httpx2.Response(200, json={})

    async def post(self, path, body):
        return (await self.server.post(path, json=body)).status_code

    async def close(self):
        await self.application_server.close()
        await self.server.aclose()


@pytest.fixture
async def setup():
    setup = Setup()
    yield setup
    await setup.close()


async def test_a_message_that_comes_twice_is_taken_once_and_acknowledged_twice(setup):
    assert await setup.post("/", MESSAGE) == 204
    assert await setup.post("/", MESSAGE) == 204
    assert [message.payload for message in setup.messages] == ["23.5 C"]
    assert setup.application_server.counters["repeated"] == 1


async def test_a_report_that_comes_twice_is_taken_once_and_acknowledged_twice(setup):
    assert await setup.post(wire_api.CALLBACK_REPORT, REPORT) == 204
    assert await setup.post(wire_api.CALLBACK_REPORT, REPORT) == 204
    assert [report.message_id for report in setup.reports] == ["m-1"]
    assert setup.application_server.counters["repeated"] == 1


async def test_a_message_and_a_report_may_have_the_same_message_id(setup):
    await setup.post("/", MESSAGE)
    await setup.post(wire_api.CALLBACK_REPORT, REPORT)
    assert len(setup.messages) == len(setup.reports) == 1


async def test_a_report_is_sent_for_each_copy_as_the_first_may_be_what_got_lost(setup):
    for _ in range(2):
        await setup.post("/", MESSAGE | {"delivStReqInd": True})
    await setup.application_server.close()
    assert [request.url.path for request in setup.to_server] == [wire_api.DELIVER_REPORT] * 2


async def test_what_is_no_message_is_refused_and_nothing_is_taken(setup):
    for body in ({}, [], 1, MESSAGE | {"msgId": None}, {**MESSAGE, "oriAddr": UE}):
        assert await setup.post("/", body) == wire_api.INVALID
    assert await setup.post(wire_api.CALLBACK_REPORT, MESSAGE) == wire_api.INVALID
    assert setup.messages == setup.reports == []
