"""`msgin5g provision` of one board: what is on it, what its gateway knows, and what happens when one of both fails."""

import contextlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import GATEWAY, PASSWORD, call, told
from pretended import needs_board

from host_tools.boards import board as boards
from host_tools.boards import provision, provisioning_text
from host_tools.boards.board import BoardError
from host_tools.boards.networks import VARIABLE, passwords
from host_tools.boards.provision import Wish
from host_tools.boards.serial_board import SerialBoard
from host_tools.cli import Failed
from host_tools.security.devices import Devices
from host_tools.simulator.pretended_board import PretendedBoard

pytestmark = pytest.mark.usefixtures("password")
KIND = boards.load("ESP32_GENERIC")
UE = "meter-17@example.org"


@pytest.fixture
def board(tmp_path):
    with PretendedBoard(tmp_path / "board", KIND.pretence()) as found:
        yield found


def run(*arguments):
    return told("provision", *arguments)


def on(board):
    """Its two files."""
    with SerialBoard(board.port) as found:
        return [json.loads(found.read(name) or "null") for name in (provision.SETTINGS, provision.DEVICE)]


def wifi(board, gateway, *options, ue=UE):
    return (KIND.name, gateway, ue, "--port", board.port, "--wifi", "site", *options)


@needs_board
def test_a_board_is_provisioned_once_and_then_it_is_done(board, gateway, devices):
    done = run(*wifi(board, gateway, "--ntp", "192.0.2.9"))
    assert done == {
        "ue_service_id": UE,
        "gateway": "192.0.2.1:5683",
        "outcome": "provisioned",
        "board": KIND.name,
        "port": str(board.port),
        "at": GATEWAY,
    }
    settings, device = on(board)
    assert settings == {
        "board": KIND.name,
        "link": "wifi",
        "networks": [["site", PASSWORD]],
        "pins": {"uart": 2, "tx": 17, "rx": 16, "led": 2, "led_on": 1},
        "ntp": "192.0.2.9",
        "channel": 1,
    }
    assert devices.holds(device) and device["gateway"] == "192.0.2.1:5683"
    # Again, with nothing said but who it is.
    assert run(KIND.name, gateway, UE, "--port", board.port)["outcome"] == "done already"
    assert on(board) == [settings, device]


@needs_board
def test_what_is_not_named_stays_and_the_key_too(board, gateway, devices):
    run(*wifi(board, gateway, "--address", "192.0.2.77:5683"))
    before, device = on(board)
    with SerialBoard(board.port) as found:
        provision.write(found, {provision.SETTINGS: before | {"watchdog": 7}})
    done = run(KIND.name, gateway, UE, "--port", board.port, "--wifi", "another")
    assert done["outcome"] == "settings written"
    settings, same = on(board)
    assert settings == before | {"networks": [["another", PASSWORD]], "watchdog": 7} and same == device
    done = run(KIND.name, gateway, UE, "--port", board.port, "--address", "192.0.2.78")
    assert done["outcome"] == "settings written"
    assert on(board)[1] == device | {"gateway": "192.0.2.78"} and devices.holds(device)


@needs_board
def test_the_key_is_shown_when_it_is_asked_for_alone(board, gateway):
    text = call("provision", *wifi(board, gateway)).output
    secret = on(board)[1]["oscore"]["master_secret"]
    assert secret not in text and PASSWORD not in text and "provisioned: meter-17@example.org" in text
    assert secret in call("provision", *wifi(board, gateway, "--show")).output


@needs_board
def test_rotated_and_revoked(board, gateway, devices):
    run(*wifi(board, gateway))
    settings, old = on(board)
    assert run(KIND.name, gateway, UE, "--port", board.port, "--rotate")["outcome"] == "rotated"
    now, new = on(board)
    assert now == settings and new["oscore"]["master_secret"] != old["oscore"]["master_secret"]
    assert devices.holds(new) and not devices.holds(old)
    call("revoke", gateway, UE)
    assert not devices.holds(new)
    # A board that was revoked may come back, with another key.
    assert run(KIND.name, gateway, UE, "--port", board.port)["outcome"] == "provisioned"
    assert devices.holds(on(board)[1])


def fails_at(monkeypatch, name):
    """Writing that file fails, as when the cable is pulled."""
    whole = SerialBoard.write

    def write(self, to, octets, on_written=None):
        if to == name:
            raise BoardError("pulled out")
        whole(self, to, octets, on_written)

    monkeypatch.setattr(SerialBoard, "write", write)


@needs_board
def test_a_board_that_is_half_written_is_not_enrolled_and_the_same_command_finishes(
    board, gateway, devices, monkeypatch
):
    with monkeypatch.context() as patch:
        fails_at(patch, provision.DEVICE)
        with pytest.raises(Failed, match="pulled out"):
            run(*wifi(board, gateway))
    assert devices.all() == [] and on(board)[1] is None
    assert run(*wifi(board, gateway))["outcome"] == "provisioned"
    assert devices.holds(on(board)[1])


@needs_board
def test_the_old_key_is_good_until_the_board_has_the_new_one(board, gateway, devices, monkeypatch):
    run(*wifi(board, gateway))
    old = on(board)[1]
    with monkeypatch.context() as patch:
        fails_at(patch, provision.DEVICE)
        with pytest.raises(Failed, match="pulled out"):
            run(*wifi(board, gateway, "--rotate"))
    assert on(board)[1] == old and devices.holds(old)
    assert run(*wifi(board, gateway, "--rotate"))["outcome"] == "rotated"


@needs_board
def test_ended_between_board_and_gateway_it_says_what_to_do(board, gateway, devices, monkeypatch):
    run(*wifi(board, gateway))
    old = on(board)[1]
    with monkeypatch.context() as patch:
        patch.setattr(
            Devices, "accept", lambda *_, **__: (_ for _ in ()).throw(sqlite3.OperationalError("full"))
        )
        with pytest.raises(Failed, match="full"):
            run(*wifi(board, gateway, "--rotate"))
    assert devices.holds(old) and on(board)[1] != old
    with pytest.raises(Failed, match="is enrolled already; for another key say --rotate"):
        run(*wifi(board, gateway))
    run(*wifi(board, gateway, "--rotate"))
    assert devices.holds(on(board)[1])


@needs_board
def test_a_gateway_has_its_database_while_a_board_is_written(board, gateway, devices, monkeypatch):
    whole = SerialBoard.write
    meanwhile = []

    def write(self, name, octets, on_written=None):
        with contextlib.closing(Devices(gateway.parent / "gateway.sqlite", GATEWAY)) as other:
            if not meanwhile:
                with other.enrol("other@example.org") as device:
                    meanwhile.append(device)
        whole(self, name, octets, on_written)

    monkeypatch.setattr(SerialBoard, "write", write)
    run(*wifi(board, gateway))
    # The other one has taken what was offered; this one has the next.
    found = on(board)[1]
    assert devices.holds(found) and devices.holds(meanwhile[0])
    assert found["oscore"]["sender_id"] != meanwhile[0]["oscore"]["sender_id"]


@needs_board
def test_a_board_that_is_somebody_else_is_not_taken_by_mistake(board, gateway, devices):
    run(*wifi(board, gateway))
    with pytest.raises(
        Failed, match=rf"is {UE} already: take another board, or say --replace \(and `msgin5g"
    ):
        run(*wifi(board, gateway, ue="meter-18@example.org"))
    run(*wifi(board, gateway, "--replace", ue="meter-18@example.org"))
    assert on(board)[1]["ue_service_id"] == "meter-18@example.org"
    assert len(devices.all()) == 2


@needs_board
def test_files_that_are_no_json_are_written_anew(board, gateway, devices):
    with SerialBoard(board.port) as found:
        found.write(provision.DEVICE, b"{ damaged")
        found.write(provision.SETTINGS, b"[]")
    assert run(*wifi(board, gateway))["outcome"] == "provisioned"
    assert devices.holds(on(board)[1])


@needs_board
def test_a_port_that_somebody_uses_and_a_board_of_another_kind(board, gateway, devices):
    with (
        SerialBoard(board.port),
        pytest.raises(Failed, match="close the program that uses it"),
    ):
        run(*wifi(board, gateway))
    with pytest.raises(Failed, match="not a RPI_PICO; it may be: ESP32_GENERIC"):
        run("RPI_PICO", gateway, UE, "--port", board.port)
    assert devices.all() == []


@needs_board
def test_a_board_at_a_line(tmp_path, gateway, devices):
    kind = boards.load("RPI_PICO")
    with PretendedBoard(tmp_path / "pico", kind.pretence()) as pico:
        run(kind.name, gateway, UE, "--port", pico.port)
        settings, device = on(pico)
    assert settings["link"] == "serial" and settings["pins"]["uart"] == 0 and settings["pins"]["led"] == "LED"
    assert device["gateway"] == "serial" and devices.holds(device)


# -- what needs no board


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "no board on USB here|several boards"),
        (["--link", "radio"], "link 'radio': a ESP32_GENERIC has wifi, serial, espnow"),
        (["--address", "a b"], "address = 'a b': expected host:port"),
        (["--address", "24:0a:c4:00:01:10"], "link 'espnow' has the MAC address of a bridge"),
        (["--link", "espnow", "--address", "gw:5683"], "link 'espnow' has the MAC address of a bridge"),
        (["--channel", "99"], "channel 99: expected 1 to 14"),
        (["--wifi", "n" * 33], "a network's name has 1 to 32 octets"),
        (["--qr"], "wifi is missing: the name of the network"),
        (["--qr", "--batch", "x.csv"], "msgin5g provision takes one of"),
        (["--text", "-"], "msgin5g provision takes one of"),
    ],
)
def test_what_can_not_be_is_named(gateway, devices, options, said):
    with pytest.raises(Failed, match=said):
        run(KIND.name, gateway, UE, *options)
    assert devices.all() == []


@pytest.mark.parametrize("name", ["", "u" * 256, GATEWAY])
def test_no_name_for_a_device(gateway, devices, name):
    with pytest.raises(Failed, match=r"a UE Service ID has 1 to 255|is the one that devices are enrolled at"):
        run(KIND.name, gateway, name, "--qr", "--wifi", "site")
    assert devices.all() == []


def test_a_gateway_without_keys_is_named(gateway):
    gateway.write_text(gateway.read_text() + 'security = "none"\n')
    with pytest.raises(Failed, match='security = "none"'):
        run(KIND.name, gateway, UE, "--qr", "--wifi", "site")


def test_passwords_of_networks(tmp_path):
    asked = []

    def prompt(name):
        asked.append(name)
        return "p of " + name

    assert passwords(["a", "b", "a"], None, None, prompt) == {"a": "p of a", "b": "p of b"}
    assert asked == ["a", "b"]
    assert passwords([], None, "x", None) == {}
    assert passwords(["a"], None, "secret", None) == {"a": "secret"}
    file = tmp_path / "password"
    file.write_text('{"a": "one", "b": ""}\n')
    assert passwords(["a", "b"], file, "not this", None) == {"a": "one", "b": ""}
    file.write_text("12345678\n")
    assert passwords(["a"], file, None, None) == {"a": "12345678"}
    for wanted, text, said in (
        (["a", "b"], "one", "for several networks expected JSON"),
        (["a"], "one\ntwo", "for several networks expected JSON"),
        (["b"], '{"a": "one"}', "no password for 'b'"),
    ):
        with pytest.raises(BoardError, match=said):
            passwords(wanted, None, text, None)
    with pytest.raises(BoardError, match="the password of 'a' is missing"):
        passwords(["a"], None, None, None)
    with pytest.raises(BoardError, match="--wifi-password-file"):
        passwords(["a"], tmp_path / "none", None, None)


def test_a_password_that_is_typed_is_not_shown(gateway, tmp_path):
    outer, inner = os.openpty()
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    msgin5g = Path(sys.executable).with_name("msgin5g")
    options = ("--wifi", "site", "--png", tmp_path / "x.png", "--show")
    process = subprocess.Popen(
        [msgin5g, "provision", KIND.name, gateway, UE, *options],
        stdin=inner,
        stdout=subprocess.PIPE,
        stderr=inner,
        env=environment,
        start_new_session=True,
    )
    os.close(inner)
    seen = b""
    while b"Password of the network site: " not in seen:
        seen += os.read(outer, 1000)
    os.write(outer, PASSWORD.encode() + b"\n")
    out, _ = process.communicate(timeout=60)
    os.set_blocking(outer, False)
    with contextlib.suppress(OSError):
        seen += os.read(outer, 1000)
    os.close(outer)
    assert process.returncode == 0 and PASSWORD.encode() not in seen + out
    _, settings = provisioning_text.read(out.decode().splitlines()[-1])
    assert settings["networks"] == [["site", PASSWORD]]


def test_what_a_board_has_is_kept_where_it_fits():
    wish = Wish(ue_service_id=UE)
    old = {"board": KIND.name, "link": "serial", "pins": {"uart": 1, "tx": 5, "rx": 6}, "baud": 9600}
    made = provision.settings_for(KIND, wish, old)
    assert (made["link"], made["pins"], made["baud"]) == ("serial", old["pins"], 9600)
    # Of another kind of board its pins are no good.
    made = provision.settings_for(KIND, wish, old | {"board": "RPI_PICO"})
    assert made["pins"]["tx"] == 17
    with pytest.raises(BoardError, match=r"link = 'wifi' needs one \(--wifi NAME\)"):
        provision.settings_for(KIND, wish)


def test_where_a_gateway_is():
    wish = Wish(ue_service_id=UE)
    named = Wish(ue_service_id=UE, address="gw:1")
    assert provision.address_for("wifi", wish, None) is None
    assert provision.address_for("wifi", wish, "a:1", "b:2") == "b:2"
    assert provision.address_for("wifi", named, "a:1", "b:2") == "gw:1"
    assert provision.address_for("espnow", wish, "a:1") is None
    assert provision.address_for("serial", named, "a:1") == "serial"


def test_the_registry_is_its_owners_only(gateway, tmp_path):
    run(KIND.name, gateway, UE, "--qr", "--wifi", "site")
    assert stat.S_IMODE((tmp_path / "gateway.sqlite").stat().st_mode) == 0o600
