"""The file with MicroPython for a board: one that the user has downloaded, and what is remembered of it."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from host_tools.boards.board import Board, BoardError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUMS = "sha256.json"
# UF2 (https://github.com/microsoft/uf2): a block of 512 octets has a header, up to 476 octets, and an end.
_UF2_BLOCK = 512
_UF2_BEGIN = (0x0A324655, 0x9E5D5157)
_UF2_END = 0x0AB16F30
_UF2_HAS_FAMILY = 0x2000
# Families that are for a chip; the one of the RP2350's workaround block (erratum E10) may be in its files as well.
_UF2_FAMILIES = {0xE48BFF56: "rp2040", 0xE48BFF59: "rp2350", 0xE48BFF5A: "rp2350"}
_UF2_ABSOLUTE = 0xE48BFF57
# An image for an ESP32 begins with it, and has the number of its chip in its extended header.
_ESP_MAGIC = 0xE9
_ESP_CHIPS = {0: "esp32", 9: "esp32s3", 5: "esp32c3"}


class FirmwareFile(NamedTuple):
    """MicroPython for a board.

    Attributes:
        path: the file.
        octets: what is in it.
        sha256: of that, in hexadecimal.
        seen: was a file of that name with these octets used before? None when none of that name was.
    """

    path: Path
    octets: bytes
    sha256: str
    seen: bool | None


def cache() -> Path:
    """The folder in which files are looked for, and in which their sums are remembered."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "msgin5g", "firmware")


def find(board: Board, named: Path | None, folder: Path | None = None) -> FirmwareFile:
    """The file that was named, or the newest for the board in the folder.

    Raises:
        BoardError: there is none, it is not for the board, or it has changed since it was used last.
    """
    folder = folder or cache()
    path = named or _newest(board, folder)
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from error
    check(board, path, octets)
    sha256 = hashlib.sha256(octets).hexdigest()
    known = _sums(folder).get(path.name)
    if known not in (None, sha256):
        raise BoardError(
            f"{path} is not the {path.name} that was used before (SHA-256 {known}, now {sha256}). Download it again; if"
            f" the new one is right, remove its line from {folder / _SUMS}"
        )
    return FirmwareFile(path, octets, sha256, None if known is None else True)


def remember(file: FirmwareFile, folder: Path | None = None) -> None:
    """Record the file's sum, by its name."""
    folder = folder or cache()
    folder.mkdir(parents=True, exist_ok=True)
    sums = _sums(folder) | {file.path.name: file.sha256}
    new = folder / (_SUMS + ".new")
    new.write_text(json.dumps(sums, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    new.replace(folder / _SUMS)


def check(board: Board, path: Path, octets: bytes) -> None:
    """Refuse what is not MicroPython for the board's chip.

    Raises:
        BoardError: it is not.
    """
    uf2 = len(octets) >= _UF2_BLOCK and struct.unpack_from("<II", octets) == _UF2_BEGIN
    if board.platform == "rp2":
        if not uf2:
            raise BoardError(f"{path} is no UF2 file: {board.name} takes one, {board.firmware.file}")
        chip = uf2_chip(path, octets)
    else:
        if uf2 or len(octets) < 24 or octets[0] != _ESP_MAGIC:
            raise BoardError(
                f"{path} is no image for an ESP32: {board.name} takes one, {board.firmware.file}"
            )
        chip = _ESP_CHIPS.get(struct.unpack_from("<H", octets, 12)[0], "another chip")
    if chip != board.chip:
        raise BoardError(
            f"{path} is for {chip}, and {board.name} has {board.chip}: take one from {board.firmware.page}"
        )
    room = board.flash.size - (board.firmware.offset or 0)
    if board.platform == "esp32" and len(octets) > room:
        raise BoardError(f"{path} has {len(octets)} octets, and {board.name} has room for {room}")


def uf2_chip(path: Path, octets: bytes) -> str:
    """The chip that a UF2 file is for; each of its blocks is looked at.

    Raises:
        BoardError: it is damaged.
    """
    chips = set()
    for number, block in enumerate(_uf2_blocks(octets)):
        begin = struct.unpack_from("<8I", block)
        if begin[:2] != _UF2_BEGIN or struct.unpack_from("<I", block, 508)[0] != _UF2_END or begin[4] > 476:
            raise BoardError(f"{path} is damaged: block {number} is no UF2 block; download it again")
        if begin[2] & _UF2_HAS_FAMILY and begin[7] != _UF2_ABSOLUTE:
            chips.add(_UF2_FAMILIES.get(begin[7], f"family {begin[7]:#x}"))
    if len(octets) % _UF2_BLOCK:
        raise BoardError(f"{path} is damaged: it ends in the midst of a block; download it again")
    if len(chips) != 1:
        raise BoardError(f"{path} does not say one chip that it is for, but {sorted(chips) or 'none'}")
    return chips.pop()


def _uf2_blocks(octets: bytes) -> Iterator[bytes]:
    for begin in range(0, len(octets) - _UF2_BLOCK + 1, _UF2_BLOCK):
        yield octets[begin : begin + _UF2_BLOCK]


def _newest(board: Board, folder: Path) -> Path:
    # Names have the date first: ESP32_GENERIC-20250415-v1.25.0.bin
    found = sorted(folder.glob(board.firmware.file))
    if not found:
        raise BoardError(
            f"no MicroPython for {board.name} here: download {board.firmware.file} from {board.firmware.page} and name"
            f" it with --firmware, or put it into {folder}"
        )
    return found[-1]


def _sums(folder: Path) -> dict[str, str]:
    path = folder / _SUMS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BoardError(f"{path}: {error}; remove it to begin anew") from error
