"""The server's HTTP interfaces over real connections: HTTP/2 with and without TLS, HTTP/1.1, and to Application Servers."""

import asyncio
import contextlib
import json
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgin5g import messages, wire
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from host_tools.link import now
from host_tools.server.rest.http_server import HttpServer
from tests.rest.process import HEADERS, TOKEN, Process

REGISTRATIONS = "/msgs-asregistration/v1/registrations"
DELIVER = "/msgs-msgdelivery/v1/deliver-as-message"
DELIVER_UE = "/msgs-msgdelivery/v1/deliver-ue-message"


class RecordingAs:
    """An Application Server that remembers what it got."""

    def __init__(self, **options):
        self.received = []
        self.arrived = asyncio.Condition()
        self.http = HttpServer(
            Starlette(routes=[Route("/{path:path}", self._take, methods=["POST"])]), **options
        )

    async def _take(self, request):
        body = await request.json()
        async with self.arrived:
            self.received.append((request.scope["http_version"], request.url.path, body))
            self.arrived.notify_all()
        return Response(status_code=204)

    async def wait_for(self, count):
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: len(self.received) >= count)


def message(message_id, to="ue1", to_kind="UE", kind="AS", origin="as1", **members):
    return {
        "oriAddr": {"addrType": kind, "addr": origin},
        "destAddr": {"addrType": to_kind, "addr": to},
        "msgId": message_id,
        "stoAndFwInd": True,
    } | members


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """(certificate, key, context that trusts it) for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    import ipaddress

    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return (
        folder / "cert.pem",
        folder / "key.pem",
        ssl.create_default_context(cafile=str(folder / "cert.pem")),
    )


@pytest.fixture
async def start(tmp_path):
    async with contextlib.AsyncExitStack() as stack:

        async def run(**options):
            process = Process(tmp_path / "server.sqlite", **options)
            await process.start()
            stack.push_async_callback(process.stop)
            return process

        yield run


def client(process, **options):
    return httpx2.AsyncClient(base_url=process.http.url, headers=HEADERS, timeout=10, **options)


async def conversation(http):
    registered = await http.post(REGISTRATIONS, json={"asSvcId": "as1"})
    assert registered.status_code == 201
    sent = await http.post(DELIVER, json=message("m1"))
    assert sent.status_code == 200 and sent.json()["status"] == "DELY_STORED"
    assert (await http.post(DELIVER, json=message("m1"))).status_code == 200
    assert (await http.post(DELIVER, content=b"x" * 70000)).status_code == 415
    too_large = await http.post(DELIVER, content=b"x" * 70000, headers={"Content-Type": "application/json"})
    assert too_large.status_code == 413
    assert (await http.get("/nothing")).status_code == 404
    location = registered.headers["location"]
    assert location.startswith(str(http.base_url).rstrip("/") + REGISTRATIONS + "/")
    gone = await http.delete(location)
    assert gone.status_code == 204
    return gone.http_version


@pytest.mark.parametrize(
    ("options", "version"),
    [({"http1": False, "http2": True}, "HTTP/2"), ({}, "HTTP/1.1")],
    ids=["h2c by prior knowledge", "HTTP/1.1"],
)
async def test_without_tls(start, options, version):
    process = await start()
    async with client(process, **options) as http:
        assert await conversation(http) == version
    assert process.store.depth("ue1") == 1


@pytest.mark.parametrize(("http2", "version"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
async def test_tls_by_alpn(start, tls, http2, version):
    certificate, key, trust = tls
    process = await start(certificate=certificate, key=key)
    async with client(process, http2=http2, verify=trust) as http:
        assert await conversation(http) == version


async def test_tls_port_speaks_nothing_else(start, tls):
    process = await start(certificate=tls[0], key=tls[1])
    async with httpx2.AsyncClient() as http:
        with pytest.raises(httpx2.HTTPError):
            await http.get(process.http.url.replace("https", "http") + REGISTRATIONS)


async def test_many_at_once_on_one_connection(start):
    process = await start()
    count = 1000
    async with client(process, http1=False, http2=True, limits=httpx2.Limits(max_connections=1)) as http:
        before = process.commits
        began = time.perf_counter()
        answers = await asyncio.gather(*(http.post(DELIVER, json=message(f"m{n}")) for n in range(count)))
        seconds = time.perf_counter() - began
    assert {answer.status_code for answer in answers} == {200}
    assert process.store.depth("ue1") == count
    commits = process.commits - before
    print(
        f"{count / seconds:.0f} durable deliveries/s, client included; {count / commits:.1f} for each commit"
    )
    # One commit serves those that came together.
    assert commits < count


async def test_a_body_that_trickles(start):
    process = await start(body_timeout=0.3)
    reader, writer = await asyncio.open_connection(*process.http.address)
    writer.write(
        f"POST {DELIVER} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{".encode()
    )
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_client_that_hangs_up_in_the_middle(start):
    process = await start()
    _, writer = await asyncio.open_connection(*process.http.address)
    writer.write(
        f"POST {DELIVER} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{".encode()
    )
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.sleep(0.2)
    assert process.face.counters["status_500"] == 0
    async with client(process) as http:
        assert (await http.post(DELIVER, json=message("m1"))).status_code == 200


async def test_request_and_response_survive_a_stop(start):
    process = await start()
    released = asyncio.Event()
    committed = process.face.committed

    async def slowly():
        await released.wait()
        await committed()

    process.face.committed = slowly
    async with client(process) as http:
        sending = asyncio.create_task(http.post(DELIVER, json=message("m1")))
        await asyncio.sleep(0.2)
        stopping = asyncio.create_task(process.http.stop(5))
        await asyncio.sleep(0.1)
        released.set()
        assert (await sending).status_code == 200
        async with asyncio.timeout(5):
            await stopping
        with pytest.raises(httpx2.HTTPError):
            await http.get("/")


async def test_an_idle_client_does_not_hold_up_a_stop(start):
    process = await start()
    async with client(process, http1=False, http2=True) as http:
        await http.get("/")
        began = time.perf_counter()
        await process.http.stop(0.3)
        assert time.perf_counter() - began < 2


async def test_a_port_in_use_is_an_error(start):
    process = await start()
    second = HttpServer(process.face.app(), port=process.http.address[1])
    with pytest.raises(OSError):
        await second.start()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        third = HttpServer(process.face.app(), port=other.getsockname()[1])
        with pytest.raises(OSError):
            await third.start()


async def test_a_port_can_be_used_again_at_once(start):
    process = await start()
    async with client(process, http1=False, http2=True) as http:
        await http.get("/")
        await process.http.stop(0.1)
    second = HttpServer(process.face.app(), port=process.http.address[1])
    await second.start()
    async with client(process) as http:
        assert (await http.get("/")).status_code == 404
    await second.stop()


async def test_names_and_v6_addresses(start):
    process = await start()
    for host, numeric in (("localhost", None), ("::1", "::1")):
        server = HttpServer(process.face.app(), host=host)
        try:
            await server.start()
        except OSError as error:
            if host == "::1":
                pytest.skip(f"no IPv6 here: {error}")
            raise
        async with httpx2.AsyncClient() as http:
            assert (await http.get(server.url)).status_code == 404
        assert numeric in (None, server.address[0])
        await server.stop()


def test_certificate_and_key_belong_together(tls):
    with pytest.raises(ValueError, match="both"):
        HttpServer(Starlette(), certificate=tls[0])


# -- towards Application Servers


@pytest.mark.parametrize("secure", [False, True])
async def test_from_ue_to_as(start, tls, secure):
    options = {"certificate": tls[0], "key": tls[1]} if secure else {}
    process = await start(verify=tls[2])
    application_server = RecordingAs(**options)
    await application_server.http.start()
    async with client(process, http2=True) as http:
        target = application_server.http.url + "/in"
        await http.post(REGISTRATIONS, json={"asSvcId": "as1", "targetUri": target})
        body = message("m1", "as1", "AS", "UE", "legacy1", payload="hello")
        assert (await http.post(DELIVER_UE, json=body)).status_code == 200
        # and a report on something the AS had sent
        await http.post(DELIVER, json=message("m2", "legacy1"))
        report = {
            "oriAddr": {"addrType": "UE", "addr": "legacy1"},
            "destAddr": {"addrType": "AS", "addr": "as1"},
            "msgId": "m2",
            "delivSt": "REPT_DELY_SUCCESS",
        }
        assert (await http.post("/msgs-msgdelivery/v1/deliver-report", json=report)).status_code == 200
        await application_server.wait_for(2)
    version = "2" if secure else "1.1"
    got = sorted(application_server.received, key=lambda one: one[1])
    assert got == [(version, "/in", body), (version, "/in/deliver-report", report)]
    await application_server.http.stop(0.2)


async def test_an_as_that_is_not_who_it_says(start, tls):
    process = await start()
    application_server = RecordingAs(certificate=tls[0], key=tls[1])
    await application_server.http.start()
    async with client(process) as http:
        target = application_server.http.url
        await http.post(REGISTRATIONS, json={"asSvcId": "as1", "targetUri": target})
        await http.post(DELIVER_UE, json=message("m1", "as1", "AS", "UE", "legacy1"))
        await asyncio.sleep(0.3)
    assert application_server.received == [] and process.callback.counters["no_connection"] == 1
    await application_server.http.stop(0.2)


async def test_an_as_that_is_away_for_a_while(start):
    process = await start()
    application_server = RecordingAs()
    await application_server.http.start()
    target = application_server.http.url
    await application_server.http.stop(0.1)
    async with client(process) as http:
        await http.post(REGISTRATIONS, json={"asSvcId": "as1", "targetUri": target})
        for n in range(5):
            await http.post(DELIVER_UE, json=message(str(n), "as1", "AS", "UE", "legacy1"))
        await asyncio.sleep(0.2)
        assert process.callback.counters["no_connection"] >= 1 and len(process.store) == 5
        application_server.http = HttpServer(
            application_server.http._app, port=application_server.http.address[1]
        )
        await application_server.http.start()
        await application_server.wait_for(5)
    assert [body["msgId"] for _, _, body in application_server.received] == list("01234")
    await asyncio.sleep(0.1)
    assert len(process.store) == 0
    await application_server.http.stop(0.2)


async def test_an_as_that_never_answers(start):
    process = await start(timeout=0.3)
    accepted = []

    async def silent(reader, writer):
        accepted.append(writer)
        await reader.read()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    target = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with client(process) as http:
        await http.post(REGISTRATIONS, json={"asSvcId": "as1", "targetUri": target})
        await http.post(DELIVER_UE, json=message("m1", "as1", "AS", "UE", "legacy1"))
        await asyncio.sleep(0.6)
    assert process.callback.counters["timeouts"] == 1 and len(process.store) == 1
    server.close()
    for writer in accepted:
        writer.close()


async def test_many_to_an_as(start):
    process = await start()
    application_server = RecordingAs()
    await application_server.http.start()
    async with client(process) as http:
        await http.post(REGISTRATIONS, json={"asSvcId": "as1", "targetUri": application_server.http.url})
    count = 500
    began = time.perf_counter()
    for n in range(count):
        elements = messages.message((wire.UE, f"ue{n % 50}"), (wire.AS, "as1"), str(n))
        process.service.submit(elements, messages.encode(elements), now())
    process.link.flush()
    await application_server.wait_for(count)
    print(f"{count / (time.perf_counter() - began):.0f} messages/s to one AS, the AS included")
    assert sorted(json.dumps(body["msgId"]) for *_, body in application_server.received) == sorted(
        json.dumps(str(n)) for n in range(count)
    )
    async with asyncio.timeout(5):
        while len(process.store):  # noqa: ASYNC110 (a store has no event)
            await asyncio.sleep(0.01)
    await application_server.http.stop(0.2)
