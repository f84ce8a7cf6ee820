"""`make emulate`: what goes into the flash of an emulated RP2040, and, where npm's rp2040js is, the emulator itself.

No firmware image and no boot ROM are here: what runs in the emulator are programs of a few instructions.
"""

import asyncio
import os
import struct
import subprocess
import sys
import tty
from pathlib import Path

import pytest
from images import uf2
from pretended import needs_board
from thumb import ERASE, PROGRAM, bootrom, echo, uf2_of, write_to_flash

from host_tools.boards import board as boards
from host_tools.boards.board import BoardError
from host_tools.emulate import emulator, image
from host_tools.emulate.__main__ import FOLDER, KIND, first_message
from host_tools.simulator.pretended_board import PretendedBoard

PICO = boards.load(KIND)
FILES = bytes(range(256)) * (PICO.flash.file_system // 256)
BEGIN_OF_FILES = 0xA0000


def test_the_files_are_where_micropython_looks_for_them(tmp_path):
    (tmp_path / "x.uf2").write_bytes(uf2("rp2040", 40))
    flash = image.flash_with(PICO, tmp_path / "x.uf2", FILES)
    assert len(flash) == 2 << 20
    assert (len(flash) - BEGIN_OF_FILES) // 4096 == 352
    assert flash[BEGIN_OF_FILES:] == FILES
    assert flash[:256] == uf2("rp2040", 40)[32 : 32 + 256]
    assert flash[39 * 256 : 40 * 256] == uf2("rp2040", 40)[39 * 512 + 32 : 39 * 512 + 288]
    assert flash[40 * 256 : BEGIN_OF_FILES] == b"\xff" * (BEGIN_OF_FILES - 40 * 256)


def test_firmware_that_reaches_into_the_files_is_refused(tmp_path):
    reaching = bytearray(uf2("rp2040", 2))
    struct.pack_into("<I", reaching, 512 + 12, 0x10000000 + BEGIN_OF_FILES)
    (tmp_path / "x.uf2").write_bytes(reaching)
    with pytest.raises(BoardError, match=r"a block is for 0x100a0000, .* is from 0x10000000 to 0x100a0000"):
        image.flash_with(PICO, tmp_path / "x.uf2", FILES)


@pytest.mark.parametrize(
    ("octets", "complaint"),
    [(b"<html>", "is no UF2 file"), (uf2("rp2350"), "is for rp2350, and RPI_PICO has rp2040")],
)
def test_a_file_that_is_no_firmware_for_it_is_refused(tmp_path, octets, complaint):
    (tmp_path / "x.uf2").write_bytes(octets)
    with pytest.raises(BoardError, match=complaint):
        image.flash_with(PICO, tmp_path / "x.uf2", FILES)


def test_a_boot_rom_is_known_by_its_first_octets(tmp_path):
    (tmp_path / "rom").write_bytes(bootrom())
    assert image.read_bootrom(tmp_path / "rom") == bootrom()
    for wrong in (bootrom()[:-1], bootrom().replace(b"Mu\x01", b"Mu\x02"), b""):
        (tmp_path / "rom").write_bytes(wrong)
        with pytest.raises(BoardError, match=r"is no boot ROM of an RP2040, .* pico-bootrom-rp2040"):
            image.read_bootrom(tmp_path / "rom")
    with pytest.raises(BoardError, match=r"none: No such file"):
        image.read_bootrom(tmp_path / "none")


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ((), "name both files: make emulate UF2=FILE BOOTROM=FILE"),
        (("--uf2", "none.uf2", "--bootrom", "none.bin"), "none.bin: No such file"),
    ],
)
def test_what_is_missing_is_said(files, complaint, tmp_path):
    command = [sys.executable, "-m", "host_tools.emulate", *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=boards.FOLDER.parent)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_machine_without_node_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BoardError, match=r"there is no node here: install Node.js 18"):
        emulator.node()
    with pytest.raises(BoardError, match=r"there is no npm here"):
        emulator.install(tmp_path / "modules")
    (tmp_path / "node").write_text("#!/bin/sh\necho v12.22.9\n")
    (tmp_path / "node").chmod(0o755)
    with pytest.raises(BoardError, match=r"node v12.22.9 is too old: install Node.js 18"):
        emulator.node()


class StandIn:
    """In the place of the emulator: a pretended board with the files that are in the flash image, and its UART."""

    def __init__(self, folder, flash):
        self._line, self._board_end = os.openpty()
        self._back, self._gateway_end = os.openpty()
        for end in (self._board_end, self._gateway_end):
            tty.setraw(end)
        self.port = Path(os.ttyname(self._gateway_end))
        folder.mkdir()
        (folder / "flash").write_bytes(flash[BEGIN_OF_FILES:])
        (folder / "uart").symlink_to(os.ttyname(self._board_end))
        self._board = PretendedBoard(folder, PICO.pretence())

    async def start(self):
        loop = asyncio.get_running_loop()
        loop.add_reader(self._line, lambda: os.write(self._back, os.read(self._line, 4096)))
        loop.add_reader(self._back, lambda: os.write(self._line, os.read(self._back, 4096)))
        self._board.__enter__()

    async def stop(self):
        self._board.__exit__()
        for end in (self._line, self._back):
            asyncio.get_running_loop().remove_reader(end)
        for end in (self._line, self._back, self._board_end, self._gateway_end):
            os.close(end)

    async def ended(self):
        await asyncio.Event().wait()


@needs_board
async def test_what_is_in_the_image_registers_by_its_uart_and_sends(tmp_path):
    (tmp_path / "x.uf2").write_bytes(uf2("rp2040"))

    def make(files):
        return StandIn(tmp_path / "board", image.flash_with(PICO, tmp_path / "x.uf2", files))

    told = await first_message(PICO, tmp_path / "lab", make, 60)
    assert (told["originator"], told["payload"]) == ("emulated@lab", "hello from an RP2040")


@pytest.fixture
async def emulated(tmp_path):
    """Starts a program in the emulator; what it writes to its UART0."""
    if not emulator.installed(FOLDER):
        pytest.skip("rp2040js is not here: `make emulate` gets it")
    started = []

    async def start(program):
        (tmp_path / "rom").write_bytes(bootrom())
        (tmp_path / "x.uf2").write_bytes(uf2_of(program))
        (tmp_path / "flash").write_bytes(image.flash_with(PICO, tmp_path / "x.uf2", FILES))
        one = emulator.Emulator(FOLDER, tmp_path / "rom", tmp_path / "flash", print)
        await one.start()
        started.append(one)
        return one.port

    yield start
    for one in started:
        await one.stop()


async def read(port, count):
    """So many octets of a serial port."""
    terminal = os.open(port, os.O_RDWR | os.O_NOCTTY)
    try:
        octets = b""
        async with asyncio.timeout(30):
            while len(octets) < count:
                octets += await asyncio.to_thread(os.read, terminal, count)
        return octets
    finally:
        os.close(terminal)


async def test_what_comes_on_the_line_is_on_its_uart_and_back(emulated):
    port = await emulated(echo())
    # More than its FIFO has room for, and every octet.
    octets = bytes(range(256)) * 4
    port.write_bytes(octets)
    assert await read(port, len(octets)) == octets


async def test_flash_is_erased_and_written_by_the_functions_of_the_rom(emulated):
    # The first octet of the files: as it was, erased, written, written over without being erased.
    port = await emulated(write_to_flash(BEGIN_OF_FILES + 0x41))
    assert await read(port, 4) == bytes((0x41, 0xFF, 0x5A, 0x5A & 0x0F))


def test_the_addresses_of_the_rom_are_those_of_its_table():
    assert {ERASE, PROGRAM} == {struct.unpack_from("<H", bootrom(), at + 2)[0] & ~1 for at in (0x100, 0x104)}
