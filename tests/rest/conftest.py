"""The server's HTTP face in one process, in a time of its own: a real store, UEs that are a list."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from msgin5g import messages, wire
from msgin5g.coap.endpoint import Endpoint, Parameters
from world import World

from host_tools.server.application_servers import ApplicationServers
from host_tools.server.callback import Callback
from host_tools.server.groups import Groups
from host_tools.server.rest import wire_api
from host_tools.server.rest.app import RestFace
from host_tools.server.rest.auth import Credentials
from host_tools.server.rest.topics import TopicOperations
from host_tools.server.service import Service
from host_tools.server.topics import Topics
from host_tools.settings import ApplicationServer, Credential, Group
from host_tools.settings import Topics as TopicBounds
from host_tools.store import SqliteStore

AS_TOKEN, OTHER_TOKEN, GATEWAY_TOKEN, LAB_TOKEN = "as-secret", "other-secret", "gateway-secret", "lab-secret"


class Ues:
    """The way out to UEs, as far as the service knows."""

    def __init__(self):
        self.registered = {"ue1"}
        self.items = []

    def reachable(self, service_id):
        return service_id in self.registered

    def known(self, service_id):
        return service_id in self.registered

    def opens(self, service_id):
        return None

    def wants_storing(self, service_id):
        return True

    def add(self, item, now):
        self.items.append(item)

    def discard(self, item):
        pass

    def under_way(self, item):
        return False


class FakeAs:
    """What Application Servers answer: `answer(request)` -> status, exception or a coroutine of these."""

    def __init__(self):
        self.requests = []
        self.answer = lambda request: 204

    async def handle(self, request):
        self.requests.append(request)
        answer = self.answer(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(answer, stream=NoBody())


class NoBody(httpx2.AsyncByteStream):
    async def __aiter__(self):
        return
        yield b""


class Server:
    """All of it, as a process would put it together."""

    def __init__(self, path: Path, configured=(), most_messages=100, most=100, **face):
        self.world = World()
        self.store = SqliteStore(path, most_messages, self.world.wall_clock)
        self.service = Service(self.store, self.world.wall_clock)
        self.endpoint = self.world.join("server", Endpoint(Parameters(), self.world.random.bits))
        self.application_servers = ApplicationServers(self.store, configured, most)
        self.commits = 0
        self.settled = 0
        self.callback = Callback(
            self.endpoint,
            self.service,
            self.application_servers,
            self.world.wall_clock,
            lambda: self.world.now,
            self.settle,
            timeout=0.2,
        )
        self.application_server = FakeAs()
        self.callback._client = httpx2.AsyncClient(
            transport=httpx2.MockTransport(self.application_server.handle), follow_redirects=False
        )
        self.ues = Ues()
        self.service.outbound = {wire.UE: self.ues, wire.AS: self.callback}
        self.credentials = Credentials(
            [
                Credential(service_id=service_id, token_sha256=digest(token), roles=[role])
                for service_id, token, role in (
                    ("as1", AS_TOKEN, wire_api.ROLE_AS),
                    ("as2", OTHER_TOKEN, wire_api.ROLE_AS),
                    ("*", GATEWAY_TOKEN, wire_api.ROLE_MESSAGE_GATEWAY),
                    ("*", LAB_TOKEN, wire_api.ROLE_AS),
                )
            ]
        )
        self.face = RestFace(
            self.service,
            self.application_servers,
            self.callback,
            self.credentials,
            self.committed,
            lambda: self.world.now,
            **face,
        )
        Groups(self.service, [Group(service_id="pumps", members=["ue1"], application_servers=["as1"])])
        self.topics = Topics(self.service, TopicBounds(most_for_one=2, most=3))
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(
                self.face.app(TopicOperations(self.face, self.topics).routes()), raise_app_exceptions=False
            ),
            base_url="http://server.example",
            headers={"Authorization": f"Bearer {AS_TOKEN}"},
        )

    async def committed(self):
        await asyncio.sleep(0)
        self.store.commit()
        self.commits += 1

    def settle(self):
        self.store.commit()
        self.settled += 1

    async def post(self, path, body, token=AS_TOKEN, **options):
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.post(path, json=body, headers=headers, **options)

    async def register(self, service_id="as1", token=LAB_TOKEN, target="http://as.example/in"):
        body = {"asSvcId": service_id, "targetUri": target}
        return await self.post("/msgs-asregistration/v1/registrations", body, token)

    async def idle(self):
        # Until no request to an Application Server is under way.
        while self.callback._tasks:
            await asyncio.wait(self.callback._tasks)
            await asyncio.sleep(0)

    async def advance(self, milliseconds):
        self.world.advance(milliseconds)
        await self.idle()

    def from_ue(self, message_id="m1", to="as1", report=False, payload=None, **elements):
        message = messages.message((wire.UE, "ue1"), (wire.AS, to), message_id, True, report)
        if payload is not None:
            messages.set_payload(message, payload)
        outcome = self.service.submit(message, messages.encode(message), self.world.now)
        self.store.commit()
        return outcome

    async def close(self):
        await self.callback.stop()
        await self.client.aclose()
        self.store.close()


def digest(token):
    import hashlib

    return hashlib.sha256(token.encode()).hexdigest()


def message(kind="AS", origin="as1", to="ue1", to_kind="UE", message_id="m1", **members):
    return {
        "oriAddr": {"addrType": kind, "addr": origin},
        "destAddr": {"addrType": to_kind, "addr": to},
        "msgId": message_id,
        "stoAndFwInd": True,
    } | members


def report(kind="AS", origin="as1", to="ue1", to_kind="UE", message_id="m1", **members):
    members = {"delivSt": "REPT_DELY_SUCCESS"} | members
    return {
        "oriAddr": {"addrType": kind, "addr": origin},
        "destAddr": {"addrType": to_kind, "addr": to},
        "msgId": message_id,
    } | members


def problem(response, status, cause=None):
    """An error is ProblemDetails, whatever it is about; returns it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    details = response.json()
    assert details["status"] == status and details["title"]
    assert details.get("cause") == cause
    return details


@pytest.fixture
async def make_server(tmp_path):
    servers = []

    def make(name="server.sqlite", **options):
        server = Server(tmp_path / name, **options)
        servers.append(server)
        return server

    yield make
    for server in servers:
        await server.close()


@pytest.fixture
async def server(make_server):
    return make_server()


@pytest.fixture(name="message")
def message_():
    return message


@pytest.fixture(name="report")
def report_():
    return report


@pytest.fixture(name="problem")
def problem_():
    return problem


@pytest.fixture
def configured():
    return [ApplicationServer(service_id="static", target_uri="https://static.example/msg")]


@pytest.fixture
def tokens():
    return {"as1": AS_TOKEN, "as2": OTHER_TOKEN, "gateway": GATEWAY_TOKEN, "lab": LAB_TOKEN}
