"""MicroPython into the flash of an ESP32, by esptool."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import esptool
from esptool import cmds
from esptool.logger import TemplateLogger, log

from host_tools.boards.board import Board, BoardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from host_tools.boards.firmware_file import FirmwareFile

_BAUD = 460800
# The pretended bootloader of the tests is behind a socket, whose reset has no wires.
_SOCKET = "socket://"


class _Quiet(TemplateLogger):
    # What esptool says goes to whoever shows the progress.
    progress: Callable[[str, float], None]
    step = ""

    def print(self, *args: object, **kwargs: object) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""

    def warning(self, message: str) -> None:
        """Nothing."""

    def error(self, message: str) -> None:
        """Nothing: it comes as an exception as well."""

    def stage(self, finish: bool = False) -> None:
        """Nothing."""

    def set_verbosity(self, verbosity: str) -> None:
        """Nothing."""

    def progress_bar(
        self, cur_iter: int, total_iters: int, prefix: str = "", suffix: str = "", bar_length: int = 30
    ) -> None:
        """So much is done."""
        self.progress(self.step, cur_iter / max(1, total_iters))


@cache
def _quiet() -> _Quiet:
    # esptool takes another logger once.
    quiet = _Quiet()
    log.set_logger(quiet)  # pyright: ignore[reportAttributeAccessIssue]
    return quiet


def flash(board: Board, port: str, file: FirmwareFile, progress: Callable[[str, float], None]) -> None:
    """Write it and verify it; another chip than the board's is not touched.

    Args:
        board: the kind of board.
        port: its serial port.
        file: MicroPython for it.
        progress: called with a step, and with how much of it is done, 0 to 1.

    Raises:
        BoardError: it can't be done; the message says why, and what can be.
    """
    assert board.firmware.offset is not None
    quiet = _quiet()
    quiet.progress = progress
    with _explained(port), _connected(board, port, quiet) as chip:
        quiet.step = "write"
        progress("write", 0)
        cmds.write_flash(chip, [(board.firmware.offset, file.octets)], compress=True)
        quiet.step = "verify"
        progress("verify", 0)
        cmds.verify_flash(chip, [(board.firmware.offset, file.octets)])
        progress("verify", 1)
        if not port.startswith(_SOCKET):
            cmds.reset_chip(chip, "hard-reset")


@contextmanager
def _connected(board: Board, port: str, quiet: _Quiet) -> Iterator[esptool.ESPLoader]:
    quiet.step = "connect"
    mode = "no-reset" if port.startswith(_SOCKET) else "default-reset"
    chip = cmds.detect_chip(port, connect_mode=mode)
    try:
        found = chip.CHIP_NAME.lower().replace("-", "")
        if found != board.chip:
            raise BoardError(
                f"the chip at {port} is {chip.CHIP_NAME}, not that of {board.name} ({board.chip}); nothing was written"
            )
        if not port.startswith(_SOCKET):
            chip = cmds.run_stub(chip)
            chip.change_baud(_BAUD)
        cmds.attach_flash(chip)
        yield chip
    finally:
        chip._port.close()  # noqa: SLF001 (esptool's own main() does so)


# What esptool and the system say of a port, and what can be done about it.
_WAYS_OUT = (
    ("ermission", "add yourself to the group dialout and log in again"),
    ("o such file", "plug it in; `msgin5g boards --ports` lists the ports that are here"),
    ("esource busy", "close the program that uses it: a terminal, an editor, `msgin5g monitor`"),
    ("ould not exclusively lock", "close the program that uses it: a terminal, an editor, `msgin5g monitor`"),
    ("ailed to connect", "hold the button BOOT while you plug it in, and repeat the command"),
    ("", "plug it in again and repeat the command: it begins anew"),
)


@contextmanager
def _explained(port: str) -> Iterator[None]:
    try:
        yield
    except (OSError, esptool.FatalError) as error:
        # (What pyserial raises is an OSError.)
        text = " ".join(str(error).split("Hint:")[0].split())
        way_out = next(way for sign, way in _WAYS_OUT if sign in text)
        raise BoardError(f"{port}: {text}: {way_out}") from error
