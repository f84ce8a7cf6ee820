"""`msgin5g flash` against a pretended boot loader, and against a folder that looks like a boot drive."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import call, told
from images import boot_drive, esp, uf2

from host_tools.boards import board, firmware_file, flash_esp, flash_rp2, ports
from host_tools.boards.board import BoardError
from host_tools.cli import Failed
from tests.system.processes import free_ports

ESP32 = "ESP32_GENERIC-20250415-v1.25.0.bin"
PICO = "RPI_PICO_W-20250415-v1.25.0.uf2"


@pytest.fixture
def bootloader():
    """Starts a boot loader of a chip behind a socket; its address."""
    started = []

    def start(chip):
        (port,) = map(str, free_ports(1))
        program = Path(sys.executable).parent / "esp32-mock-bootloader"
        subprocess.run([program, "start", "--chip", chip, "--port", port], check=True, capture_output=True)
        started.append((program, port))
        return f"socket://127.0.0.1:{port}"

    yield start
    for program, port in started:
        subprocess.run([program, "stop", "--port", port], check=False, capture_output=True)


@pytest.mark.parametrize(
    ("name", "chip"),
    [("ESP32_GENERIC", "esp32"), ("ESP32_GENERIC_S3", "esp32s3"), ("ESP32_GENERIC_C3", "esp32c3")],
)
def test_an_esp32_is_flashed_and_verified(bootloader, tmp_path, cache, name, chip):
    file = tmp_path / "mine.bin"
    file.write_bytes(esp(chip))
    done = told("flash", name, "--port", bootloader(chip), "--firmware", file)
    assert done["flashed"] == name and len(done["sha256"]) == 64
    assert json.loads((cache / "sha256.json").read_text()) == {"mine.bin": done["sha256"]}


def test_another_chip_is_not_touched(bootloader, tmp_path):
    address = bootloader("esp32s3")
    (tmp_path / ESP32).write_bytes(esp("esp32"))
    with pytest.raises(Failed, match=r"ESP32-S3, not that of ESP32_GENERIC \(esp32\); nothing was written"):
        call("flash", "ESP32_GENERIC", "--port", address, "--firmware", tmp_path / ESP32)


def test_the_progress_is_seen(bootloader, tmp_path):
    (tmp_path / ESP32).write_bytes(esp("esp32", 200_000))
    seen = []
    kind = board.load("ESP32_GENERIC")
    file = firmware_file.find(kind, tmp_path / ESP32)
    flash_esp.flash(kind, bootloader("esp32"), file, lambda step, done: seen.append((step, done)))
    writes = [done for step, done in seen if step == "write"]
    assert len(writes) > 3 and writes == sorted(writes)
    assert seen[-1] == ("verify", 1)


def test_a_boot_loader_that_goes_away_is_named(tmp_path):
    (tmp_path / ESP32).write_bytes(esp("esp32"))
    (port,) = free_ports(1)
    with pytest.raises(Failed, match="plug it in again"):
        call("flash", "ESP32_GENERIC", "--port", f"socket://127.0.0.1:{port}", "--firmware", tmp_path / ESP32)


def test_a_port_that_is_not_there(tmp_path):
    (tmp_path / ESP32).write_bytes(esp("esp32"))
    with pytest.raises(Failed, match=r"/dev/none: .*No such file.*boards --ports"):
        call("flash", "ESP32_GENERIC", "--port", "/dev/none", "--firmware", tmp_path / ESP32)


def test_the_newest_in_the_cache_folder_is_taken(cache):
    kind = board.load("ESP32_GENERIC")
    with pytest.raises(
        BoardError, match=r"download ESP32_GENERIC-2\*.bin from https://micropython.org/download/ESP32"
    ):
        firmware_file.find(kind, None)
    for date in ("20240602-v1.23.0", "20250415-v1.25.0"):
        (cache / f"ESP32_GENERIC-{date}.bin").write_bytes(esp("esp32"))
    (cache / "ESP32_GENERIC_S3-20260101-v1.28.0.bin").write_bytes(esp("esp32s3"))
    assert firmware_file.find(kind, None).path.name == ESP32


def test_a_file_that_has_changed_is_refused(cache):
    kind = board.load("ESP32_GENERIC")
    path = cache / ESP32
    path.write_bytes(esp("esp32"))
    first = firmware_file.find(kind, None)
    assert first.seen is None
    firmware_file.remember(first)
    assert firmware_file.find(kind, None).seen is True
    path.write_bytes(esp("esp32")[:-1] + b"?")
    with pytest.raises(BoardError, match=r"is not the ESP32_GENERIC-.* that was used before"):
        firmware_file.find(kind, None)


@pytest.mark.parametrize(
    ("name", "octets", "complaint"),
    [
        ("ESP32_GENERIC", b"<html>not found</html>", "is no image for an ESP32"),
        ("ESP32_GENERIC", uf2("rp2040"), "is no image for an ESP32"),
        ("ESP32_GENERIC", esp("esp32s3"), "is for esp32s3, and ESP32_GENERIC has esp32"),
        ("RPI_PICO_W", esp("esp32"), "is no UF2 file"),
        ("RPI_PICO_W", uf2("rp2350"), "is for rp2350, and RPI_PICO_W has rp2040"),
        ("RPI_PICO2_W", uf2("rp2350")[:-100], "ends in the midst of a block"),
        ("RPI_PICO2_W", uf2("rp2350")[:512] + bytes(512), "block 1 is no UF2 block"),
        ("RPI_PICO_W", uf2("rp2040") + uf2("rp2350"), "does not say one chip"),
        ("ESP32_GENERIC", b"", "is no image"),
    ],
)
def test_what_is_not_for_the_board_is_refused(tmp_path, name, octets, complaint):
    (tmp_path / "file").write_bytes(octets)
    with pytest.raises(BoardError, match=complaint):
        firmware_file.find(board.load(name), tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "chip"), [("RPI_PICO_W", "rp2040"), ("RPI_PICO", "rp2040"), ("RPI_PICO2_W", "rp2350")]
)
def test_an_rp2_gets_a_copy(tmp_path, name, chip):
    drive = boot_drive(tmp_path / "drive", chip)
    (tmp_path / "file.uf2").write_bytes(uf2(chip))
    done = call("flash", name, "--port", drive, "--firmware", tmp_path / "file.uf2")
    assert (drive / "file.uf2").read_bytes() == uf2(chip)
    assert f"Next: msgin5g deploy {name}" in done.stdout


def test_the_boot_drive_of_another_chip_is_not_touched(tmp_path):
    drive = boot_drive(tmp_path / "drive", "rp2350")
    (tmp_path / PICO).write_bytes(uf2("rp2040"))
    with pytest.raises(Failed, match="is the boot drive of RP2350, not of RPI_PICO_W"):
        call("flash", "RPI_PICO_W", "--port", drive, "--firmware", tmp_path / PICO)
    assert [path.name for path in drive.iterdir()] == ["INFO_UF2.TXT"]


def test_which_drive_is_meant(tmp_path):
    kind = board.load("RPI_PICO_W")
    one, two = boot_drive(tmp_path / "one", "rp2040"), boot_drive(tmp_path / "two", "rp2040")
    other = boot_drive(tmp_path / "other", "rp2350")
    assert flash_rp2.the_drive(kind, None, [other, one]) == one
    with pytest.raises(BoardError, match="hold BOOTSEL"):
        flash_rp2.the_drive(kind, None, [other])
    with pytest.raises(BoardError, match="several boot drives"):
        flash_rp2.the_drive(kind, None, [one, two])
    with pytest.raises(BoardError, match="is no boot drive"):
        flash_rp2.the_drive(kind, tmp_path)


def test_a_drive_that_goes_in_the_midst_is_named(tmp_path, monkeypatch):
    kind = board.load("RPI_PICO_W")
    drive = boot_drive(tmp_path / "drive", "rp2040")
    (tmp_path / PICO).write_bytes(uf2("rp2040", 400))
    file = firmware_file.find(kind, tmp_path / PICO)

    def pulled(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(flash_rp2.os, "fsync", pulled)
    with pytest.raises(BoardError, match=r"after 65536 of 204800 octets; hold BOOTSEL"):
        flash_rp2.flash(drive, file, lambda step, done: None)


def test_which_port_is_meant():
    one, two = ports.Port("/dev/ttyUSB0", "CP2102"), ports.Port("/dev/ttyACM0", "Pico")
    assert ports.the_one("/dev/x", []) == "/dev/x"
    assert ports.the_one(None, [one]) == "/dev/ttyUSB0"
    with pytest.raises(BoardError, match="no board on USB here"):
        ports.the_one(None, [])
    with pytest.raises(BoardError, match=r"--port /dev/ttyUSB0  CP2102\n  --port /dev/ttyACM0  Pico"):
        ports.the_one(None, [one, two])
