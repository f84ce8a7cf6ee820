"""MicroPython onto an RP2040 or RP2350: a UF2 file, copied to the drive that its boot loader is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.boards.board import Board, BoardError

if TYPE_CHECKING:
    from collections.abc import Callable

    from host_tools.boards.firmware_file import FirmwareFile

_INFO = "INFO_UF2.TXT"
# What a drive says that it is, by chip.
_BOARD_IDS = {"rp2040": "RPI-RP2", "rp2350": "RP2350"}
_PLACES = ("/media/*/*", "/run/media/*/*", "/media/*", "/mnt/*", "/Volumes/*")
_AT_ONCE = 65536


def drives() -> list[Path]:
    """The boot drives that are mounted here."""
    found = {info.parent for place in _PLACES for info in Path("/").glob(f"{place[1:]}/{_INFO}")}
    return sorted(found)


def board_id(drive: Path) -> str:
    """What a boot drive says that it is.

    Raises:
        BoardError: it is none.
    """
    try:
        lines = (drive / _INFO).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise BoardError(f"{drive} is no boot drive of an RP2: {_INFO}: {error.strerror}") from error
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    return said.get("Board-ID", "").strip()


def the_drive(board: Board, named: Path | None, found: list[Path] | None = None) -> Path:
    """The boot drive of such a board: the one that was named, or else the only one.

    Raises:
        BoardError: there is none, there are several, or it is another chip's.
    """
    wanted = _BOARD_IDS[board.chip]
    if named:
        if board_id(named) != wanted:
            raise BoardError(
                f"{named} is the boot drive of {board_id(named) or 'something else'}, not of {board.name}"
            )
        return named
    fitting = [drive for drive in (drives() if found is None else found) if board_id(drive) == wanted]
    if not fitting:
        raise BoardError(
            f"no boot drive of {board.name} here: hold BOOTSEL while you plug it in, and mount the drive {wanted}, or"
            " name the folder that it is mounted at with --port"
        )
    if len(fitting) > 1:
        raise BoardError(
            f"several boot drives are here; name one with --port: {', '.join(map(str, fitting))}"
        )
    return fitting[0]


def flash(drive: Path, file: FirmwareFile, progress: Callable[[str, float], None]) -> None:
    """Copy it. The board restarts when it has all blocks, and the drive is gone then; if it stays, it is compared.

    Raises:
        BoardError: it can't be done; the message says why, and what can be.
    """
    target = drive / file.path.name
    again = "hold BOOTSEL, plug it in again, and repeat the command: it begins anew"
    progress("write", 0)
    written = 0
    try:
        with target.open("wb") as opened:
            while written < len(file.octets):
                written += opened.write(file.octets[written : written + _AT_ONCE])
                opened.flush()
                os.fsync(opened.fileno())
                progress("write", written / len(file.octets))
    except OSError as error:
        # At the last block the drive may go while it is written.
        if written < len(file.octets) or (drive / _INFO).exists():
            raise BoardError(
                f"{target}: {error.strerror} after {written} of {len(file.octets)} octets; {again}"
            ) from error
    progress("verify", 0)
    try:
        left = target.read_bytes()
    except OSError:
        # It has restarted with it: that is the boot loader's word for all blocks.
        left = file.octets
    if left != file.octets:
        raise BoardError(f"{target} is not what was written; {again}")
    progress("verify", 1)
