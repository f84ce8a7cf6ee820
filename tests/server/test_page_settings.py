"""The page over TLS, without a page, and what is said about where it can be reached."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from host_tools.gateway.process import GatewayProcess
from host_tools.settings import GatewaySettings, SettingsError


def settings(tmp_path, **more):
    return GatewaySettings(
        ue_service_id="gateway@a",
        server="127.0.0.1:9",
        server_security="none",
        host="127.0.0.1",
        port=0,
        http_port=0,
        database=tmp_path / "gateway.sqlite",
        **more,
    )


@pytest.fixture
async def start():
    started = []

    async def start(settings):
        process = GatewayProcess(settings)
        started.append(process)
        await process.start()
        return process

    yield start
    for process in started:
        await process.stop()


@pytest.fixture
def tls(tmp_path):
    """(certificate, key) for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "page.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "page.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return tmp_path / "page.crt", tmp_path / "page.key"


async def test_over_tls_the_cookie_goes_nowhere_else(tmp_path, start, tls):
    process = await start(settings(tmp_path, http_certificate=tls[0], http_key=tls[1]))
    url = process.addresses()["http"]
    assert url.startswith("https://")
    trust = ssl.create_default_context(cafile=str(tls[0]))
    async with httpx2.AsyncClient(base_url=url, verify=trust, trust_env=False) as http:
        key = (tmp_path / "gateway.sqlite.operator").read_text().strip()
        answer = await http.post("/login", data={"key": key}, headers={"Origin": url})
        assert answer.status_code == 303 and "Secure" in answer.headers["set-cookie"]
        assert (await http.get("/")).status_code == 200


def test_a_certificate_needs_its_key(tmp_path):
    with pytest.raises(SettingsError, match="one needs the other"):
        settings(tmp_path, http_certificate=tmp_path / "page.crt")


async def test_without_a_page_there_is_neither_login_nor_key(tmp_path, start):
    process = await start(settings(tmp_path, page=False))
    assert "operator_key_file" not in process.addresses()
    assert not (tmp_path / "gateway.sqlite.operator").exists()
    async with httpx2.AsyncClient(base_url=process.http.url, trust_env=False) as http:
        answers = [
            (await http.get(path)).status_code for path in ("/metrics", "/healthz", "/login", "/api/state")
        ]
        assert "msgin5g_gateway_delivery_seconds_count" in (await http.get("/metrics")).text
    # It is not registered: there is no server.
    assert answers == [200, 503, 404, 404]


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
async def test_where_it_is_and_whether_others_can_read_along(tmp_path, start, capsys, host, warned):
    process = await start(settings(tmp_path, http_host=host))
    said = capsys.readouterr().out
    assert process.http.url in said and str(tmp_path / "gateway.sqlite.operator") in said
    assert ("the operator's page is not encrypted" in said) is warned
    assert (tmp_path / "gateway.sqlite.operator").read_text().strip() not in said
