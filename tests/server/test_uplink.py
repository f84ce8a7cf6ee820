"""What a gateway's `server_security` and `key_file` come to, and what is wrong with them."""

import asyncio
import contextlib
import json

import msgspec
import pytest
from msgin5g.coap import numbers
from msgin5g.coap.endpoint import RESPONSE, Endpoint, Parameters

from host_tools import dtls_server
from host_tools.gateway import uplink
from host_tools.link import UdpLink
from host_tools.security import akma
from host_tools.security.akma_keys import AkmaDevices, LocalAnchor
from host_tools.settings import GatewaySettings, ServerSettings, SettingsError, load
from host_tools.store import SqliteStore

GATEWAY, SERVER = "gateway@a", "server@a"


@pytest.fixture
def key_file(tmp_path):
    with (
        contextlib.closing(AkmaDevices(tmp_path / "server.sqlite", SERVER)) as devices,
        devices.enrol_akma(GATEWAY, "localhost", "example.org") as keys,
    ):
        (tmp_path / "keys.json").write_text(json.dumps(msgspec.to_builtins(keys)))
    return tmp_path / "keys.json"


def settings(key_file, kind, **members):
    given = {"ue_service_id": GATEWAY, "server": "localhost", "server_security": kind, "key_file": key_file}
    return GatewaySettings(**(given | members))


@pytest.mark.parametrize(
    ("kind", "server", "found"),
    [
        ("oscore", "localhost", ("localhost", 5683)),
        ("dtls", "localhost", ("localhost", 5684)),
        ("dtls", "coaps://[::1]/", ("::1", 5684)),
        ("dtls", "coaps://localhost:4711", ("localhost", 4711)),
    ],
)
def test_dtls_has_a_port_of_its_own(key_file, kind, server, found):
    assert uplink.server(settings(key_file, kind, server=server)) == found


def test_dtls_is_put_between_endpoint_and_link(key_file):
    endpoint = Endpoint(Parameters(), lambda _bits: 0)
    link = UdpLink(endpoint, "127.0.0.1")
    try:
        made = uplink.dtls(settings(key_file, "dtls"), endpoint, link)
        assert made and made is link.endpoint and made.endpoint is endpoint
        assert uplink.security(settings(key_file, "dtls")) is None
        assert uplink.dtls(settings(key_file, "oscore-akma"), endpoint, link) is None
    finally:
        link.close()


@pytest.mark.parametrize(
    ("listens", "reached"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")]
)
async def test_a_request_goes_through_on_ipv4_and_ipv6(key_file, tmp_path, listens, reached):
    served = Endpoint(Parameters(), lambda _bits: 1)
    served.on_request = lambda request, _message, at: served.respond(request, numbers.CONTENT, b"", b"x", at)
    anchor = LocalAnchor(SqliteStore(tmp_path / "server.sqlite", 10))
    server = dtls_server.DtlsServer(served, anchor)
    beside = dtls_server.Beside(served, server)

    def settle():
        assert beside.datagrams_to_send() == []
        at_server.transmit()

    at_server = dtls_server.link(server, listens, 0, settle)
    endpoint = Endpoint(Parameters(), lambda _bits: 1)
    link = UdpLink(endpoint, "::" if ":" in reached else "0.0.0.0")
    host = f"[{reached}]" if ":" in reached else reached
    wanted = settings(key_file, "dtls", server=f"{host}:{at_server.address[1]}")
    uplink.dtls(wanted, endpoint, link)
    answered = asyncio.get_running_loop().create_future()
    with contextlib.closing(at_server), contextlib.closing(link):
        at_server.start()
        link.start()
        address = link.resolve(*uplink.server(wanted))
        endpoint.request(address, numbers.GET, b"", b"", lambda *end: answered.set_result(end[1]), link.now())
        link.flush()
        assert await asyncio.wait_for(answered, 20) == RESPONSE
    assert server.occupancy()["sessions"] == 1


def test_oscore_has_the_keys_of_its_k_af(key_file):
    security = uplink.security(settings(key_file, "oscore-akma"))
    assert security and security.context and security.context.name == SERVER


def test_a_key_file_of_another_gateway_is_refused(key_file):
    other = settings(key_file, "oscore-akma", ue_service_id="other@a")
    with pytest.raises(SettingsError, match=f"is the key of {GATEWAY}"):
        uplink.security(other)
    endpoint = Endpoint(Parameters(), lambda _bits: 0)
    other = settings(key_file, "dtls", ue_service_id="other@a")
    with contextlib.closing(UdpLink(endpoint)) as link, pytest.raises(SettingsError, match="is the key of"):
        uplink.dtls(other, endpoint, link)


def test_a_key_file_without_a_key_for_oscore_is_refused(key_file):
    keys = akma.read(key_file)
    ua = akma.ua_dtls(0xC0A8)
    only = msgspec.structs.replace(keys, k_akma=None, k_af={ua.hex(): "00" * 32})
    key_file.write_text(json.dumps(msgspec.to_builtins(only)))
    with pytest.raises(SettingsError, match=r"keys\.json: there is no key for OSCORE"):
        uplink.security(settings(key_file, "oscore-akma"))


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (
            GatewaySettings,
            'ue_service_id = "a"\nserver = "b"\nserver_security = "tls"',
            '"oscore" or "dtls" or "oscore-akma" or "none"',
        ),
        (ServerSettings, 'dtls_port = 5684\nsecurity = "none"', "dtls_port: needs"),
        (ServerSettings, "dtls_port = 70000", "dtls_port = 70000"),
        (ServerSettings, 'af_fqdn = "not a name"', "af_fqdn"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, kind, text, told):
    file = tmp_path / "it.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as raised:
        load(file, kind)
    assert told in str(raised.value)
