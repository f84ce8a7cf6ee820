"""Our DTLS against OpenSSL's and libcoap's programs, both ways, on loopback."""

import asyncio
import contextlib
import shutil
import subprocess
from typing import Any

import pytest
from msgin5g.coap import numbers
from msgin5g.coap.client import Client as CoapClient
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import uri_options

from host_tools import dtls, dtls_server
from host_tools.dtls_link import DtlsClient
from host_tools.link import UdpLink, now
from host_tools.security import akma
from host_tools.setup import peers
from tests.interop.conftest import free_port

A_KID, FQDN, K_AKMA = "0.ab@example.org", "localhost", bytes(range(32))
IDENTITY = akma.PREFIX + A_KID
SUITES = list(dtls.SUITES)
# libcoap's programs take a key as text only; which suite they agree on depends on their OpenSSL.
TEXT_A_KID, TEXT_KEY = "0.cd@example.org", b"abcdefghijklmnopqrstuvwxyz012345"
# A confirmable ping, and what it is answered with.
PING, RST = b"\x40\x00\x12\x34", b"\x70\x00\x12\x34"


def key(suite):
    return akma.k_af(K_AKMA, FQDN, akma.ua_dtls(dtls.SUITES[suite]))


class Anchor:
    def get(self, a_kid, ua):
        k_af = {A_KID: akma.k_af(K_AKMA, FQDN, ua), TEXT_A_KID: TEXT_KEY}.get(a_kid)
        return akma.ApplicationKey("ue@a", k_af, None) if k_af else None


def endpoint():
    return Endpoint(Parameters(ack_timeout=200, max_retransmit=6), lambda bits: 0x55 & ((1 << bits) - 1))


def program(name):
    found = peers.find(name) if name.startswith("coap") else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not here; `make peers` says why")
    return str(found)


@pytest.fixture
async def our_server():
    """A DTLS port whose resource answers with who has asked."""
    served = endpoint()
    served.on_request = lambda request, _message, at: served.respond(
        request, numbers.CONTENT, b"", request.peer.address[1].encode(), at
    )
    server: Any = dtls_server.DtlsServer(served, Anchor())
    beside = dtls_server.Beside(served, server)

    def settle():
        # Without a link of its own for what comes in the clear.
        assert beside.datagrams_to_send() == []
        link.transmit()

    link = dtls_server.link(server, "127.0.0.1", 0, settle)
    link.start()
    server.port = link.address[1]
    yield server
    link.close()


async def run(*command, text=b"", patience=20):
    """The output of a program, whatever its exit status."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(patience):
        return (await process.communicate(text))[0]


class Program:
    """A program that is spoken to while it runs."""

    def __init__(self, *command):
        self._command = [str(one) for one in command]
        self.output = b""
        self._process: Any = None

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self):
        while octets := await self._process.stdout.read(4096):
            self.output += octets

    def write(self, octets):
        self._process.stdin.write(octets)

    async def says(self, text):
        async with asyncio.timeout(20):
            while text not in self.output:
                assert not self._reading.done(), self.output.decode(errors="replace")
                await asyncio.sleep(0.02)


def s_client(port, suite, psk, identity=IDENTITY):
    options = ["-quiet", "-dtls1_2", "-cipher", f"{suite}:@SECLEVEL=0", "-connect", f"127.0.0.1:{port}"]
    return [program("openssl"), "s_client", *options, "-psk_identity", identity, "-psk", psk.hex()]


# -- our server


@pytest.mark.parametrize("suite", SUITES)
async def test_openssl_s_client_sends_a_datagram_through_its_session(our_server, suite):
    async with Program(*s_client(our_server.port, suite, key(suite))) as client:
        async with asyncio.timeout(20):
            while not our_server.counters["handshakes"]:  # noqa: ASYNC110 (it sets no Event)
                await asyncio.sleep(0.02)
        client.write(PING)
        await client.says(RST)
    assert our_server.endpoint.counters["received"] == 1


async def test_openssl_s_client_with_a_wrong_key_gets_nowhere(our_server):
    async with Program(*s_client(our_server.port, SUITES[0], bytes(32))):
        async with asyncio.timeout(20):
            while not our_server.counters["wrong_key"]:  # noqa: ASYNC110 (it sets no Event)
                await asyncio.sleep(0.02)
    assert our_server.counters["handshakes"] == 0


async def test_openssl_s_client_that_nobody_knows_is_told_so(our_server):
    output = await run(
        *s_client(our_server.port, SUITES[0], key(SUITES[0]), akma.PREFIX + "1.ab@example.org")
    )
    assert b"unknown psk identity" in output
    assert our_server.counters["unknown_identity"] == 1


async def test_openssl_s_client_is_given_the_hint_of_akma(our_server):
    command = [one for one in s_client(our_server.port, SUITES[0], key(SUITES[0])) if one != "-quiet"]
    output = await run(*command, text=b"Q\n")
    assert b"PSK identity hint: 3GPP-AKMA" in output and b"PSK-AES128-CCM8" in output


async def coap_client(server, *options):
    uri = f"coaps://127.0.0.1:{server.port}/who"
    identity, psk = akma.PREFIX + TEXT_A_KID, TEXT_KEY.decode()
    command = (program("coap-client-openssl"), "-v", 4, "-B", 15, "-u", identity, "-k", psk, *options, uri)
    return await run(*command)


async def test_libcoap_client_asks(our_server):
    assert b"ue@a" in await coap_client(our_server)
    assert our_server.counters["handshakes"] == 1
    # It says farewell.
    assert our_server.occupancy()["sessions"] == 0


@pytest.mark.parametrize("lost", ["2", "3", "5", "1,4"])
async def test_libcoap_client_asks_through_loss(our_server, lost):
    # Which of its own datagrams are lost.
    assert b"ue@a" in await coap_client(our_server, "-l", lost)


# -- our client


class OurClient:
    def __init__(self, port, psk):
        self.endpoint = endpoint()
        self._link = UdpLink(self.endpoint)
        self.server = self._link.resolve("127.0.0.1", port)
        client = dtls.Client(IDENTITY, psk, FQDN)
        self.dtls = DtlsClient(self.endpoint, client, self.server, 2000)
        self._link.endpoint = self.dtls
        self._coap = CoapClient(self.endpoint)
        self.suites = []

    async def __aenter__(self):
        self._link.start()
        return self

    async def __aexit__(self, *_):
        self._link.close()

    async def established(self):
        async with asyncio.timeout(20):
            while not self.dtls.established:  # noqa: ASYNC110 (it sets no Event)
                await asyncio.sleep(0.02)

    async def get(self, path):
        answered = asyncio.get_running_loop().create_future()
        self._coap.request(
            self.server,
            numbers.GET,
            uri_options(path),
            b"",
            lambda response, _now: answered.set_result(response.payload),
            now(),
        )
        self._link.flush()
        async with asyncio.timeout(20):
            return bytes(await answered)


def by_suite(number):
    return akma.k_af(K_AKMA, FQDN, akma.ua_dtls(number))


@pytest.mark.parametrize("suite", SUITES)
async def test_our_client_speaks_to_openssl_s_server(suite):
    port = free_port()
    options = ["-dtls1_2", "-accept", f"127.0.0.1:{port}", "-nocert", "-cipher", f"{suite}:@SECLEVEL=0"]
    psk = ["-psk_identity", IDENTITY, "-psk_hint", akma.PREFIX, "-psk", key(suite).hex(), "-listen", "-quiet"]
    server = Program(program("openssl"), "s_server", *options, *psk)
    async with server, OurClient(port, by_suite) as client:
        await client.established()
        client.endpoint.ping(client.server, None, now())
        client._link.flush()
        await server.says(b"\x40\x00")


async def test_our_client_asks_libcoap_server_and_has_a_new_session_when_it_restarts():
    port = free_port()
    command = [program("coap-server-openssl"), "-A", "127.0.0.1", "-p", port, "-v", "3"]
    # Its DTLS port is the one after.
    psk = ["-h", akma.PREFIX, "-k", TEXT_KEY.decode()]
    async with OurClient(port + 1, lambda _suite: TEXT_KEY) as client:
        for _ in range(2):
            async with Program(*command, *psk):
                assert b"libcoap" in await client.get("")
    assert client.endpoint.counters["dtls_handshakes"] == 2
