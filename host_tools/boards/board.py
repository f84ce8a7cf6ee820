"""What is known of each board: the folders below ``boards/``, one each, and what their ``board.toml`` says."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from host_tools.simulator.pretended_board import Pretence

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parents[2] / "boards"
# What a folder has to have to be a board.
FILES = ("board.toml", "manifest.py", "README.md")

Link = Literal["wifi", "serial", "espnow"]
# What MicroPython for a board has only where it has such a link.
_MODULES: dict[Link, tuple[str, ...]] = {"wifi": ("network", "socket"), "espnow": ("espnow",)}
Octets = Annotated[int, Meta(gt=0)]
PinNumber = Annotated[int, Meta(ge=0, le=48)]


class BoardError(Exception):
    """Something is wrong with a board, or with what is said of it; the message says what, and what can be done."""


class Firmware(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """MicroPython for a board, as its maker publishes it.

    Attributes:
        file: pattern of the file's name.
        page: where it is published.
        offset: where in flash it begins; not for a UF2 file, which says so itself.
    """

    file: str
    page: str
    offset: int | None = None


class Flash(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A board's flash.

    Attributes:
        size: octets.
        file_system: octets that MicroPython leaves for files.
    """

    size: Octets
    file_system: Octets


class Pins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wired to where.

    Attributes:
        uart: number of the UART of the serial link.
        tx: its pin that sends.
        rx: its pin that receives.
        led: an LED, by number or by MicroPython's name; None for none.
        led_on: the level at which it shines.
    """

    uart: Annotated[int, Meta(ge=0, le=2)]
    tx: PinNumber
    rx: PinNumber
    led: PinNumber | Literal["LED"] | None = None
    led_on: Annotated[int, Meta(ge=0, le=1)] = 1


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A kind of board.

    Attributes:
        name: MicroPython's name for it, and that of its folder.
        title: for people.
        chip: as esptool calls it, or the RP2's.
        platform: its ``sys.platform``.
        machine: pattern of its ``sys.implementation._machine``.
        pretended_machine: what a pretended one says there, where the pattern is one.
        gateway: has it the memory to be a gateway?
        link: the one that it has unless told otherwise.
        links: all that it can have.
        heap: of its MicroPython, as ``-X heapsize=`` takes it.
        components: what it installs of the firmware (``firmware/components.toml``).
        firmware: MicroPython for it.
        flash: its flash.
        pins: its pins.
    """

    name: str = ""
    title: str
    chip: Literal["esp32", "esp32s3", "esp32c3", "rp2040", "rp2350"]
    platform: Literal["esp32", "rp2"]
    machine: str
    pretended_machine: str | None = None
    gateway: bool
    link: Link
    links: list[Link]
    heap: Annotated[str, Meta(pattern="^[0-9]+[KM]$")]
    components: list[str]
    firmware: Firmware
    flash: Flash
    pins: Pins

    def is_machine(self, machine: str) -> bool:
        """Is a board that says this of itself one of these?"""
        return fnmatchcase(machine, self.machine)

    def pretence(self) -> Pretence:
        """One of these that is not there (host_tools.simulator.pretended_board)."""
        return Pretence(
            platform=self.platform,
            machine=self.pretended_machine or self.machine,
            file_system=self.flash.file_system,
            heap=self.heap,
            without=tuple(
                module for link, modules in _MODULES.items() if link not in self.links for module in modules
            ),
        )


def names(folder: Path = FOLDER) -> list[str]:
    """The boards that there are."""
    return sorted(path.parent.name for path in folder.glob("*/board.toml"))


def load(name: str, folder: Path = FOLDER) -> Board:
    """What is known of a board.

    Raises:
        BoardError: there is no such board, or what is said of it is not right.
    """
    path = folder / name / "board.toml"
    if name not in names(folder):
        raise BoardError(f"there is no board {name!r}; there are {', '.join(names(folder))}")
    try:
        board = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")) | {"name": name}, Board)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BoardError(f"{path}: {error}") from error
    for complaint in complaints(board):
        raise BoardError(f"{path}: {complaint}")
    return board


def complaints(board: Board) -> list[str]:
    """What one value alone can't say about what is wrong with a board."""
    said: list[tuple[bool, str]] = [
        (board.link not in board.links, f"link = {board.link!r} is none of its links"),
        (board.flash.file_system >= board.flash.size, "its file system is as large as its flash"),
        (board.pins.tx == board.pins.rx, "pins: tx and rx are the same"),
        (
            board.platform == "esp32" and board.firmware.offset is None,
            "firmware.offset is missing: esptool has to know where MicroPython begins",
        ),
        (
            not board.is_machine(board.pretended_machine or board.machine),
            "pretended_machine is no such machine",
        ),
    ]
    return [complaint for wrong, complaint in said if wrong]


def missing(name: str, folder: Path = FOLDER, exists: Callable[[Path], bool] = Path.is_file) -> list[str]:
    """The files that a board's folder has not and should."""
    return [file for file in FILES if not exists(folder / name / file)]


def of_machine(machine: str) -> list[Board]:
    """The boards that one that says this of itself may be."""
    return [board for board in map(load, names()) if board.is_machine(machine)]
