"""AKMA: keys as TS 33.535 and TS 33.220 derive them, key files, and the server's table of them."""

import contextlib
import hmac
import json
import stat

import msgspec
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from msgin5g import provisioning
from typer.testing import CliRunner

from host_tools import cli
from host_tools.security import akma
from host_tools.security.akma_keys import AkmaDevices, LocalAnchor
from host_tools.security.devices import EnrolmentError
from host_tools.settings import SettingsError
from host_tools.store import SqliteStore

K_AUSF = bytes(range(32))
SUPI = "imsi-001010000000001"
UE, SERVER, FQDN = "gateway@a", "server@a", "msgin5g.example.org"
CCM8 = akma.ua_dtls(0xC0A8)


def sha256_hmac(key, text):
    return hmac.new(key, text, "sha256").digest()


# -- derivation


def test_k_akma_a_tid_and_k_af_are_what_the_annex_says_octet_by_octet():
    supi = SUPI.encode()
    # A.2: 80 || "AKMA" || 0004 || SUPI || 0014
    k_akma = sha256_hmac(K_AUSF, b"\x80AKMA\x00\x04" + supi + b"\x00\x14")
    assert len(supi) == 0x14 and akma.k_akma(K_AUSF, SUPI) == k_akma
    # A.3: 81 || "A-TID" || 0005 || SUPI || 0014
    assert akma.a_tid(K_AUSF, SUPI) == sha256_hmac(K_AUSF, b"\x81A-TID\x00\x05" + supi + b"\x00\x14")
    # A.4: 82 || FQDN || Ua* identifier || 0018; TS 33.220, H.3: 01 00 01 and the cipher suite
    text = b"\x82msgin5g.example.org\x01\x00\x01\xc0\xa8\x00\x18"
    assert akma.k_af(k_akma, FQDN, CCM8) == sha256_hmac(k_akma, text)


def test_k_af_has_not_changed():
    # Computed once with `openssl dgst -sha256 -mac hmac` from the same input.
    k_akma = bytes.fromhex("84edc04fc5dd17bafc6faf001218e9945a4fd10a66dde6f9ce312b6a496298f4")
    assert akma.k_akma(K_AUSF, SUPI) == k_akma
    assert (
        akma.k_af(k_akma, FQDN, CCM8).hex()
        == "3c2bd93e832c2c3a2325fecb67c58e5ed27fe1a6bf5018e97318f2f88bc229ea"
    )


def test_every_server_and_every_protocol_has_a_key_of_its_own():
    keys = [akma.k_af(K_AUSF, fqdn, ua) for fqdn in (FQDN, "other.example.org") for ua in akma.PROTOCOLS]
    assert len(set(keys)) == 2 * len(akma.PROTOCOLS) == 8


def test_oscore_has_keys_from_its_k_af_only():
    k_af = akma.k_af(K_AUSF, FQDN, akma.UA_OSCORE)
    extracted = sha256_hmac(bytes(32), k_af)
    secret = HKDFExpand(SHA256(), 16, b"AKMA-OSCORE").derive(extracted)
    salt = HKDFExpand(SHA256(), 8, b"AKMA-OSCORE salt").derive(extracted)
    assert akma.oscore_keys(k_af) == (secret, salt)


def test_an_a_kid_is_a_name_at_a_realm():
    made = akma.a_kid("012", bytes(32), "5gc.mnc001.mcc001.3gppnetwork.org")
    assert made == "012." + "00" * 32 + "@5gc.mnc001.mcc001.3gppnetwork.org" and akma.is_a_kid(made)
    for wrong in ("", "@a", "a@", "a b@c", "a@b@c", "a\n@b", "a@b;", "x" * 200 + "@a"):
        assert not akma.is_a_kid(wrong), wrong


# -- key files


def of_ue(**members):
    given = {"ue_service_id": UE, "server_service_id": SERVER, "a_kid": "0.ab@example.org", "af_fqdn": FQDN}
    return given | members


def test_a_key_file_has_k_akma_or_each_k_af(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(of_ue(k_akma=K_AUSF.hex())))
    assert akma.read(path).key(CCM8) == akma.k_af(K_AUSF, FQDN, CCM8)
    path.write_text(json.dumps(of_ue(k_af={CCM8.hex().upper(): "ab" * 32})))
    assert akma.read(path).key(CCM8) == bytes.fromhex("ab" * 32)
    assert akma.read(path).key(akma.UA_OSCORE) is None
    with pytest.raises(ValueError, match="no key for OSCORE"):
        akma.read(path).oscore_device()


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        (None, "No such file"),
        ("{", "not JSON"),
        ("[]", "Expected `object`"),
        (json.dumps({"ue_service_id": UE}), "missing required field"),
        (json.dumps(of_ue()), "k_akma or k_af is missing"),
        (json.dumps(of_ue(k_akma="abc")), "64 hexadecimal digits"),
        (json.dumps(of_ue(k_af={"0100": 5})), "Expected `str`"),
        (json.dumps(of_ue(k_akma="00" * 32, a_kid="no realm")), "username@realm"),
        (json.dumps(of_ue(k_akma="00" * 32, af_fqdn="")), "af_fqdn"),
    ],
)
def test_a_key_file_that_cannot_be_used_says_why_and_never_a_key(tmp_path, contents, told):
    path = tmp_path / "keys.json"
    if contents is not None:
        path.write_text(contents)
    with pytest.raises(SettingsError) as raised:
        akma.read(path)
    assert told in str(raised.value) and "key_file" in str(raised.value)
    assert "abc" not in str(raised.value) and "\n" not in str(raised.value)


# -- the server's side


@pytest.fixture
def devices(tmp_path):
    with contextlib.closing(AkmaDevices(tmp_path / "server.sqlite", SERVER)) as opened:
        yield opened


@pytest.fixture
def anchor(tmp_path, devices):
    return LocalAnchor(SqliteStore(tmp_path / "server.sqlite", 10), lambda: 1000.0)


def enrol(devices, expires=None):
    with devices.enrol_akma(UE, FQDN, "example.org", expires) as keys:
        return keys


def test_both_sides_have_the_same_keys_and_the_server_not_k_akma(devices, anchor, tmp_path):
    keys = enrol(devices)
    for ua in akma.PROTOCOLS:
        found = anchor.get(keys.a_kid, ua)
        assert found == (UE, keys.key(ua), None)
    database = (tmp_path / "server.sqlite").read_bytes() + (tmp_path / "server.sqlite-wal").read_bytes()
    assert bytes.fromhex(keys.k_akma) not in database and keys.k_akma.encode() not in database
    assert anchor.get("0.ab@example.org", CCM8) is None
    assert anchor.get(keys.a_kid, bytes(5)) is None


def test_oscore_of_both_sides_fits_together(devices, tmp_path):
    keys = enrol(devices)
    path = tmp_path / "device.json"
    path.write_text(json.dumps(keys.oscore_device()))
    device = provisioning.read(str(path))
    (row,) = devices._database.execute("SELECT kid, master_secret, master_salt FROM devices").fetchall()
    given = device["oscore"]
    assert [one.hex() for one in row] == [given["sender_id"], given["master_secret"], given["master_salt"]]


def test_keys_end_when_they_say_with_their_ue_and_with_the_next_ones(devices, anchor):
    assert anchor.get(enrol(devices, 1000).a_kid, CCM8) is None
    devices.revoke(UE)
    first = enrol(devices, 1001)
    assert anchor.get(first.a_kid, CCM8)
    devices.revoke(UE)
    assert anchor.get(first.a_kid, CCM8) is None
    second = enrol(devices)
    assert anchor.get(first.a_kid, CCM8) is None and anchor.get(second.a_kid, CCM8)
    devices.revoke(UE)
    with devices.enrol(UE):
        pass
    assert anchor.get(second.a_kid, CCM8) is None


def test_who_is_enrolled_is_not_enrolled_again_and_an_a_kid_is_one_ues(devices):
    keys = enrol(devices)
    with pytest.raises(EnrolmentError, match="enrolled already"):
        enrol(devices)
    other = msgspec.structs.replace(keys, ue_service_id="other@a")
    with pytest.raises(EnrolmentError, match="another UE"), devices.add_akma(other):
        pass
    elsewhere = msgspec.structs.replace(keys, server_service_id="server@b")
    with pytest.raises(EnrolmentError, match="this is server@a"), devices.add_akma(elsewhere):
        pass
    useless = msgspec.structs.replace(
        keys, ue_service_id="third@a", a_kid="0.cd@b", k_akma=None, k_af={"00": "00" * 32}
    )
    with pytest.raises(EnrolmentError, match="no K_AF"), devices.add_akma(useless):
        pass
    assert [device.ue_service_id for device in devices.all()] == [UE]


def test_the_same_keys_let_in_again_go_on_counting(devices):
    keys = enrol(devices)
    devices._database.execute("UPDATE devices SET number = 640")
    devices.revoke(UE)
    with devices.add_akma(keys) as again:
        assert again == keys
    assert devices._database.execute("SELECT number FROM devices").fetchone() == (640,)


# -- the command line


@pytest.fixture
def run(tmp_path):
    settings = tmp_path / "server.toml"
    settings.write_text(f'service_id = "{SERVER}"\naf_fqdn = "{FQDN}"\n')

    def run_(command, *arguments):
        return CliRunner().invoke(cli.app, ["akma", command, str(settings), *map(str, arguments)])

    return run_


def test_enrol_writes_a_file_for_its_owner_only_and_list_shows_no_key(run, tmp_path):
    out = tmp_path / "keys.json"
    result = run("enrol", UE, "--out", out, "--days", 1, "--realm", "example.org")
    assert result.exit_code == 0, result.output
    keys = akma.read(out)
    assert json.loads(result.output) == {"enrolled": UE, "at": SERVER, "a_kid": keys.a_kid, "file": str(out)}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert keys.af_fqdn == FQDN and keys.a_kid.endswith("@example.org")
    (line,) = run("list", "--json").output.splitlines()
    entry = json.loads(line)
    assert entry["ue_service_id"] == UE and entry["a_kid"] == keys.a_kid and entry["valid"]
    assert "valid" in run("list").output and keys.k_akma not in run("list").output


def test_keys_of_a_network_are_let_in(run, tmp_path):
    given, out = tmp_path / "given.json", tmp_path / "keys.json"
    given.write_text(json.dumps(of_ue(k_af={CCM8.hex(): "ab" * 32, akma.UA_OSCORE.hex(): "cd" * 32})))
    assert run("add", given, "--out", out).exit_code == 0
    assert akma.read(out).oscore_device()["oscore"]["sender_id"] == "00"
    assert akma.read(out).key(CCM8) == bytes.fromhex("ab" * 32)


def test_what_goes_wrong_changes_nothing_and_is_told(run, tmp_path):
    out = tmp_path / "keys.json"
    out.write_text("something else")
    result = run("enrol", UE, "--out", out)
    assert result.exit_code != 0 and "File exists" in str(result.exception)
    assert out.read_text() == "something else" and run("list").output == ""
