"""`msgin5g doctor`: each thing that can be wrong with a board is named, with the way out."""

import json

import pytest
from pretended import deployed, needs_board

from host_tools.boards import board as boards
from host_tools.boards.doctor import Doctor, registry_of
from host_tools.boards.serial_board import SerialBoard
from host_tools.lab import enrol
from host_tools.security.devices import Devices
from host_tools.settings import load_either

pytestmark = needs_board
APP = "async def main(ue, board):\n    pass\n"
KIND = boards.load("ESP32_GENERIC")


@pytest.fixture
def board(tmp_path, library, lab, request):
    """A board that is enrolled at the lab and all right; and what is on its flash before it is switched on."""
    name = f"{request.node.name[:40]}@lab"
    device = json.loads(enrol(lab, name).read_text())
    with deployed(tmp_path, library, APP, device=device) as pretended:
        yield pretended, device


def diagnose(pretended, lab, spoil="", kind: boards.Board | None = KIND):
    with SerialBoard(pretended.port, restart=False) as found:
        if spoil:
            found.run(spoil)
        checks = list(Doctor(found, kind, registry_of(lab / "gateway.toml")).checks())
    wrong = [check for check in checks if check.ok is False]
    assert len(wrong) <= 1, wrong
    # What comes after it depends on it.
    if wrong and wrong[0].name not in ("application", "clock"):
        later = checks[checks.index(wrong[0]) + 1 :]
        assert all(check.ok is None for check in later)
    return checks, wrong[0] if wrong else None


def test_a_healthy_board_is_registered_in_the_end(board, lab):
    pretended, device = board
    checks, wrong = diagnose(pretended, lab, kind=None)
    assert wrong is None
    assert checks[0].said.startswith("ESP32_GENERIC: ")
    assert checks[-1].name == "gateway" and "registered at" in checks[-1].said
    told = " ".join(check.said for check in checks)
    assert device["oscore"]["master_secret"] not in told and "secret" not in told


def _replaced(text, other):
    return (
        f"f=open('/settings.json')\ns=f.read().replace({text!r},{other!r})\nf.close()\n"
        "f=open('/settings.json','w')\nf.write(s)\nf.close()"
    )


@pytest.mark.parametrize(
    ("spoil", "name", "said", "way_out"),
    [
        (
            "import os\nos.remove('/lib/msgin5g/board/led.mpy')",
            "firmware",
            "1 files are missing",
            "msgin5g deploy",
        ),
        ("open('/lib/msgin5g/ticks.mpy','w').close()", "firmware", "1 files are missing", "msgin5g deploy"),
        ("import os\nos.remove('/app.py')", "application", "there is no app.py", "msgin5g deploy"),
        ("import os\nos.remove('/settings.json')", "settings", "there is no file settings.json", "provision"),
        (
            "f=open('/settings.json','w')\nf.write('?')\nf.close()",
            "settings",
            "settings.json is not JSON",
            "provision",
        ),
        ("import os\nos.remove('/device.json')", "key", "there is no file device.json", "enrol"),
        (
            _replaced('"secret"', '"Secret"'),
            "network",
            "home: wrong password",
            "msgin5g provision with the right password",
        ),
        (
            _replaced('"home"', '"hmoe"'),
            "network",
            "hmoe: not there",
            "2.4 GHz",
        ),
    ],
)
def test_what_is_wrong_is_named(board, lab, monkeypatch, spoil, name, said, way_out):
    monkeypatch.setattr("host_tools.boards.doctor._PATIENCE", 3)
    _, wrong = diagnose(board[0], lab, spoil)
    assert wrong and wrong.name == name
    assert said in wrong.said and way_out in wrong.way_out


def test_a_gateway_that_is_not_there(board, lab, monkeypatch):
    monkeypatch.setattr("host_tools.boards.doctor._PATIENCE", 3)
    device = board[1] | {"gateway": "127.0.0.1:9"}
    _, wrong = diagnose(
        board[0], lab, f"f=open('/device.json','w')\nf.write({json.dumps(device)!r})\nf.close()"
    )
    assert wrong and wrong.name == "gateway"
    assert "127.0.0.1:9 does not answer" in wrong.said and "firewall" in wrong.way_out


def test_a_key_that_is_not_the_gateways(board, lab, monkeypatch):
    monkeypatch.setattr("host_tools.boards.doctor._PATIENCE", 5)
    device = json.loads(json.dumps(board[1]))
    device["oscore"]["master_secret"] = "00" * 16
    _, wrong = diagnose(
        board[0], lab, f"f=open('/device.json','w')\nf.write({json.dumps(device)!r})\nf.close()"
    )
    assert wrong and wrong.name == "gateway" and "--rotate" in wrong.way_out


def test_a_revoked_device(board, lab):
    settings = load_either(lab / "gateway.toml")
    devices = Devices(settings.database, settings.service_id)
    devices.revoke(board[1]["ue_service_id"])
    devices.close()
    _, wrong = diagnose(board[0], lab)
    assert wrong and wrong.name == "enrolment" and "is revoked" in wrong.said and "--rotate" in wrong.way_out


def test_another_kind_of_board(board, lab):
    _, wrong = diagnose(board[0], lab, kind=boards.load("RPI_PICO_W"))
    assert wrong and wrong.name == "board" and "ESP32_GENERIC" in wrong.said + wrong.way_out
