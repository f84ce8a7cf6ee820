"""Labels: what `msgin5g provision` makes for a QR code, boards read, at their consoles too."""

import json
import random
import re
import shutil
import stat
import time
import urllib.request
from xml.etree import ElementTree as ET

import pytest
from command_line import GATEWAY, PASSWORD, call, told
from pretended import Console, needs_board

from host_tools.boards import board as boards
from host_tools.boards import labels, provision, provisioning_text
from host_tools.boards.board import BoardError
from host_tools.boards.provision import Wish
from host_tools.boards.serial_board import SerialBoard
from host_tools.cli import Failed
from host_tools.lab import GATEWAY as LAB_GATEWAY
from host_tools.lab import GATEWAY_SETTINGS
from host_tools.security.devices import Devices
from host_tools.settings import load_either
from host_tools.simulator.pretended_board import PretendedBoard

pytestmark = pytest.mark.usefixtures("password")
KIND = boards.load("ESP32_GENERIC")
UE = "meter-17@example.org"
WISH = Wish(ue_service_id=UE, networks=(("site", PASSWORD),), ntp="192.0.2.9")
SETTINGS = provision.settings_for(KIND, WISH)
KEY = {
    "master_secret": "ab" * 16,
    "master_salt": "cd" * 8,
    "sender_id": "05",
    "recipient_id": "",
}
KEYED = {"ue_service_id": UE, "gateway_ue_service_id": GATEWAY, "gateway": "192.168.4.1:5683", "oscore": KEY}


def provisioned(*arguments, typed=None):
    return told("provision", *arguments, input=typed)


def made(*arguments):
    return provisioned(*arguments, "--wifi", "site")


# -- the text


def test_what_is_made_is_read():
    for settings in (
        SETTINGS,
        provision.settings_for(KIND, Wish(ue_service_id=UE, link="espnow", channel=6)),
    ):
        for device in (KEYED, {name: value for name, value in KEYED.items() if name != "gateway"}):
            assert provisioning_text.read(provisioning_text.make(device, settings)) == (device, settings)


def test_every_kind_of_board_has_a_label_with_every_link():
    for kind in map(boards.load, boards.names()):
        for link in kind.links:
            wish = Wish(ue_service_id=UE, link=link, networks=(("site", ""),))
            settings = provision.settings_for(kind, wish)
            text = provisioning_text.make(KEYED, settings)
            assert provisioning_text.read(text) == (KEYED, settings)
            assert int(labels.code(text).version) <= 10


def test_what_has_no_place_in_it_is_not_lost_in_silence():
    for device, settings in (
        (KEYED, SETTINGS | {"watchdog": 7}),
        (KEYED | {"oscore": KEY | {"recipient_id": "01"}}, SETTINGS),
        (KEYED, SETTINGS | {"pins": {**SETTINGS["pins"], "cs": 5}}),
    ):
        with pytest.raises(BoardError, match="no place for"):
            provisioning_text.make(device, settings)


def test_what_is_too_long_for_a_qr_code_is_named():
    name = "n" * 120
    with pytest.raises(BoardError, match=r"its label would have \d+ characters, 395 is what"):
        provisioning_text.make(KEYED | {"ue_service_id": name, "gateway_ue_service_id": name}, SETTINGS)


def test_the_longest_text_fits_into_version_10_and_no_longer_one():
    assert int(labels.code(provisioning_text.paste.PREFIX.ljust(provisioning_text.MOST, "A")).version) == 10
    with pytest.raises(BoardError, match="does not fit"):
        labels.code("A" * (provisioning_text.MOST + 1))


def test_random_values_are_the_same_on_the_other_side():
    draw = random.Random(5)

    def text(most):
        return "".join(draw.choice("aZ09-_.:/ é漢💡") for _ in range(draw.randint(1, most)))

    for _ in range(200):
        device = {
            "ue_service_id": text(20),
            "gateway_ue_service_id": text(20),
            "gateway": text(15),
            "oscore": {name: draw.randbytes(len(value) // 2).hex() for name, value in KEY.items()},
        }
        settings = provision.settings_for(
            KIND, Wish(ue_service_id="x", networks=((text(8), text(8)),), channel=draw.randint(1, 14))
        )
        try:
            label = provisioning_text.make(device, settings)
        except BoardError as error:
            assert "395" in str(error)  # noqa: PT017 (the other way out)
            continue
        assert provisioning_text.read(label.lower()) == (device, settings)
        # One character is another one.
        place = draw.randrange(len(label))
        other = draw.choice([one for one in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567 :9" if one != label[place]])
        with pytest.raises(BoardError, match="that is no text of a label"):
            provisioning_text.read(label[:place] + other + label[place + 1 :])


# -- QR codes


def test_a_label_in_the_terminal_lets_its_device_in(gateway, devices):
    drawn = call("provision", KIND.name, gateway, UE, "--qr", "--wifi", "site").stdout
    lines = drawn.splitlines()
    assert len(lines[0]) <= 65 and set(lines[0]) <= set("█▀▄ ")
    assert "which has its key" in lines[-1] and "MSGIN5G1" not in drawn
    assert [one.ue_service_id for one in devices.all()] == [UE]
    with pytest.raises(Failed, match="enrolled already; for another key say --rotate"):
        made(KIND.name, gateway, UE, "--qr")
    done = made(KIND.name, gateway, UE, "--qr", "--rotate", "--show")
    device, _ = provisioning_text.read(done["text"])
    assert devices.holds(device) and done["characters"] == len(done["text"])


def test_a_label_as_png_and_as_a_page_for_its_owner_only(gateway, devices, tmp_path):
    png, page = tmp_path / "label.png", tmp_path / "label.html"
    done = made(KIND.name, gateway, UE, "--png", png, "--sheet", page)
    assert done["files"] == [str(png), str(page)] and "text" not in done
    for file in (png, page):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert png.read_bytes().startswith(b"\x89PNG")
    # A file that is there is not lost, and nobody is let in.
    with pytest.raises(Failed, match="is there already: name another file, or say --replace"):
        made(KIND.name, gateway, "meter-18@example.org", "--png", png)
    assert len(devices.all()) == 1
    made(KIND.name, gateway, "meter-18@example.org", "--png", png, "--replace")
    assert stat.S_IMODE(png.stat().st_mode) == 0o600 and len(devices.all()) == 2


def test_a_sheet_for_a_batch(gateway, devices, tmp_path):
    names = [f"<b>meter-{number}</b>@example.org" for number in range(1, 4)]
    batch, sheet = tmp_path / "boards.csv", tmp_path / "labels.html"
    batch.write_text("ue_service_id,board\n" + "".join(f"{name},ESP32_GENERIC\n" for name in names))
    done = made("--batch", batch, gateway, "--sheet", sheet)
    assert done["labels"] == 3 and stat.S_IMODE(sheet.stat().st_mode) == 0o600
    page = sheet.read_text()
    svgs = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(svgs) == 3 == len({*svgs})
    for svg in svgs:
        ET.fromstring(svg)
    assert (
        "&lt;b&gt;meter-1&lt;/b&gt;" in page
        and "<b>meter" not in page
        and "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    )
    assert len(devices.all()) == 3
    with pytest.raises(Failed, match="is enrolled already"):
        made("--batch", batch, gateway, "--sheet", tmp_path / "again.html")
    assert not (tmp_path / "again.html").exists()


def test_a_page_that_can_not_be_written_lets_nobody_in(gateway, devices, tmp_path):
    with pytest.raises(Failed, match="No such file"):
        made(KIND.name, gateway, UE, "--sheet", tmp_path / "nowhere" / "x.html")
    assert devices.all() == []


def test_a_label_that_the_gateway_does_not_take_is_not_kept(gateway, devices, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr(Devices, "accept", fail)
    with pytest.raises(Failed, match="no space"):
        made(KIND.name, gateway, UE, "--png", tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


# -- boards that read it


@needs_board
def test_a_board_gets_it_by_cable_from_a_file_and_from_standard_input(tmp_path, gateway, devices):
    text = made(KIND.name, gateway, UE, "--qr", "--show")["text"]
    file = tmp_path / "label.txt"
    file.write_text(text + "\n")
    with PretendedBoard(tmp_path / "board", KIND.pretence()) as board:
        done = provisioned(KIND.name, "--text", file, "--port", board.port)
        assert done["outcome"] == "provisioned"
        done = provisioned(KIND.name, "--text", "-", "--port", board.port, typed=text)
        assert done["outcome"] == "done already" and done["at"] == GATEWAY
        with SerialBoard(board.port) as found:
            assert devices.holds(json.loads(found.read(provision.DEVICE) or b""))
        other = provisioning_text.make(KEYED | {"ue_service_id": "else@x"}, SETTINGS)
        with pytest.raises(Failed, match=f"is {UE} already"):
            provisioned(KIND.name, "--text", "-", "--port", board.port, typed=other)
    with (
        PretendedBoard(tmp_path / "pico", boards.load("RPI_PICO").pretence()) as pico,
        pytest.raises(Failed, match="this label is for a ESP32_GENERIC, not for a RPI_PICO"),
    ):
        provisioned("RPI_PICO", "--text", file, "--port", pico.port)


@pytest.mark.parametrize(
    ("text", "said"),
    [("hello", "does not begin with"), ("x" * 9000, "longer than 512"), ("MSGIN5G1:AAAA", "cut off")],
)
def test_a_text_that_is_none_is_named(text, said):
    with pytest.raises(Failed, match=f"that is no text of a label: .*{said}"):
        provisioned(KIND.name, "--text", "-", typed=text)


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff")
    for name in ("x", "none"):
        with pytest.raises(Failed, match="--text"):
            provisioned(KIND.name, "--text", tmp_path / name)


@needs_board
def test_from_the_label_to_a_registered_board_another_key_and_out(tmp_path, library, lab):
    settings = lab / GATEWAY_SETTINGS
    files = tmp_path / "files"
    shutil.copytree(library, files)
    (files / "app.py").write_text("async def main(ue, board):\n    pass\n")
    board = PretendedBoard(tmp_path / "board", KIND.pretence())
    board.fill(files)
    (tmp_path / "board" / "air.json").write_text(json.dumps({"site": PASSWORD}))
    text = made(KIND.name, settings, "label@lab", "--qr", "--show")["text"]
    with board:
        console = Console(board)
        console.wait("Paste the text of this board's label")
        console.type("nonsense\r")
        console.wait("That is no label: it does not begin with MSGIN5G1:. Again, please")
        console.type(text[:40] + "\r")
        console.wait("That is no label: it is cut off")
        console.type(text + "\r")
        said = console.wait("registered as label@lab", 40)
        assert "provisioned as label@lab" in said and text not in said
        console.close()
        rotated = provisioned(KIND.name, settings, "label@lab", "--port", board.port, "--rotate")
        assert rotated["outcome"] == "rotated" and rotated["at"] == LAB_GATEWAY
        console = Console(board)
        console.wait("registered as label@lab", 40)
        call("revoke", settings, "label@lab")
        console.type("\x03")
        console.wait(">>> ")
        console.type("\x04")
        console.wait("started: SOFT_RESET")
        _refused(settings)


def _refused(settings):
    """The gateway has refused who was revoked, and has no client any more."""
    port = load_either(settings).http_port
    end = time.monotonic() + 30
    while True:
        told = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        if re.search(r"^msgin5g_gateway_down_oscore_revoked(_total)? [1-9]", told, re.MULTILINE):
            assert re.search(r"^msgin5g_gateway_clients 0", told, re.MULTILINE), told
            return
        assert time.monotonic() < end, told
        time.sleep(0.1)
