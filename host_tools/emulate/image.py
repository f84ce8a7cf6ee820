"""What is in the flash of an RP2040: the firmware of a UF2 file, and behind it a file system with the client."""

from __future__ import annotations

import json
import shutil
import struct
from typing import TYPE_CHECKING, Any

from host_tools.boards import deploy, firmware_file
from host_tools.boards.board import Board, BoardError
from host_tools.setup import mpy
from host_tools.simulator import pretended_board

if TYPE_CHECKING:
    from pathlib import Path

# Where flash begins in the address space, and the end of the first of its views (RP2040 datasheet, 2.6.3).
FLASH = 0x10000000
_UF2_BLOCK = 512
# RP2040 datasheet, 2.8.2: the ROM, and the three octets that it is known by.
_BOOTROM_OCTETS = 16 << 10
_BOOTROM_MAGIC = (0x10, b"Mu\x01")

# To whom the application on it sends.
AS = "as-1@lab"
APP = f"""# Says one thing, and prints what comes.

async def main(ue, board):
    sent = await ue.send("hello from an RP2040", application_server="{AS}")
    board.log.tell("delivered" if await sent.delivered() else sent.cause)
    async for message in ue:
        board.log.tell("received", message.payload)
"""


def read_bootrom(path: Path) -> bytes:
    """The boot ROM in a file.

    Raises:
        BoardError: it is none of an RP2040.
    """
    octets = _read(path)
    where, magic = _BOOTROM_MAGIC
    if len(octets) != _BOOTROM_OCTETS or octets[where : where + len(magic)] != magic:
        raise BoardError(
            f"{path} is no boot ROM of an RP2040, which has {_BOOTROM_OCTETS} octets: Raspberry Pi publishes it as"
            " pico-bootrom-rp2040"
        )
    return octets


def flash_with(kind: Board, uf2: Path, file_system: bytes) -> bytes:
    """All of a board's flash.

    Args:
        kind: the board.
        uf2: MicroPython for it.
        file_system: what is in its file system, as large as that is.

    Raises:
        BoardError: the file is not for the board, or reaches into the file system.
    """
    octets = _read(uf2)
    firmware_file.check(kind, uf2, octets)
    flash = bytearray(b"\xff" * kind.flash.size)
    begin_of_files = kind.flash.size - kind.flash.file_system
    assert len(file_system) == kind.flash.file_system
    for at in range(0, len(octets), _UF2_BLOCK):
        address, length = struct.unpack_from("<II", octets, at + 12)
        begin = address - FLASH
        if not 0 <= begin <= begin_of_files - length:
            raise BoardError(
                f"{uf2}: a block is for {address:#x}, and the firmware of a {kind.name} is from {FLASH:#x} to"
                f" {FLASH + begin_of_files:#x}: take one from {kind.firmware.page}"
            )
        flash[begin : begin + length] = octets[at + 32 : at + 32 + length]
    flash[begin_of_files:] = file_system
    return bytes(flash)


def file_system(kind: Board, folder: Path, settings: dict[str, Any], device: dict[str, Any]) -> bytes:
    """A board's file system with the client on it, made by a MicroPython of this machine.

    Args:
        kind: the board.
        folder: to work in; what is in it goes.
        settings: its settings.json.
        device: its device.json.
    """
    shutil.rmtree(folder, ignore_errors=True)
    files = folder / "files"
    for file in deploy.library(kind):
        path = files / file.name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.octets)
    shutil.copy(mpy.SOURCE / "main.py", files)
    (files / "app.py").write_text(APP, encoding="ascii")
    (files / "settings.json").write_text(json.dumps(settings), encoding="ascii")
    (files / "device.json").write_text(json.dumps(device), encoding="ascii")
    board = pretended_board.PretendedBoard(folder / "board", kind.pretence())
    board.fill(files)
    return (folder / "board" / "flash").read_bytes()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from error
