"""The firmware onto a board: what its kind needs, compiled, and of that only what has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from host_tools.boards.board import Board, BoardError, of_machine
from host_tools.setup import mpy, packages

if TYPE_CHECKING:
    from collections.abc import Callable

    from host_tools.boards.serial_board import Identity, SerialBoard

LIBRARY = "/lib/msgin5g"
MAIN = "/main.py"
APPLICATION = "/app.py"
# What mpy-cross makes (MicroPython 1.23 and newer read it).
_MPY = (6, 3)
# A main.py of ours has this in it; any other is somebody's.
_OURS = b"msgin5g.board"
# What is loaded already says nothing of where it came from.
_FROZEN = """
import sys
p=sys.path[:]
sys.path[:]=['.frozen']
for m in list(sys.modules):
 if m.split('.')[0]=='msgin5g':del sys.modules[m]
try:
 import msgin5g.ticks
 print('True')
except ImportError:print('False')
sys.path[:]=p
"""
# What came by message gives way to what is put there by hand (msgin5g.board.slots).
_LEAVE_SLOT = "from msgin5g.board.slots import Slots\nSlots().leave()"
# LittleFS keeps files in blocks, and a small one in its folder.
_BLOCK = 4096


class File(NamedTuple):
    """A file for a board.

    Attributes:
        name: its path there.
        octets: what is in it.
    """

    name: str
    octets: bytes

    @property
    def sha256(self) -> str:
        """Its sum, in hexadecimal."""
        return hashlib.sha256(self.octets).hexdigest()


class Plan(NamedTuple):
    """What there is to do.

    Attributes:
        write: files that are not there, or others.
        remove: files of the library that are not wanted any more.
        same: how many are there already.
        frozen: has its MicroPython the library frozen in? Then no file of it is needed.
    """

    write: list[File]
    remove: list[str]
    same: int
    frozen: bool

    @property
    def octets(self) -> int:
        """To be written."""
        return sum(len(file.octets) for file in self.write)


def check(board: Board, identity: Identity) -> None:
    """Refuse a board of another kind, and a MicroPython that is too old.

    Raises:
        BoardError: it is one.
    """
    if not board.is_machine(identity.machine):
        others = ", ".join(other.name for other in of_machine(identity.machine)) or "none that is known"
        raise BoardError(
            f"this is a {identity.machine or identity.platform}, not a {board.name}; it may be: {others}"
        )
    if identity.mpy_version != _MPY:
        version = ".".join(map(str, identity.version))
        raise BoardError(
            f"MicroPython {version} on it does not take modules of version {_MPY[0]}.{_MPY[1]}: `msgin5g flash"
            f" {board.name}` puts a newer one there (1.23 or newer)"
        )


def library(board: Board) -> list[File]:
    """The compiled modules of the components that a kind of board has.

    Raises:
        BoardError: the firmware does not compile.
    """
    complaints = mpy.compile_all()
    if complaints:
        raise BoardError(complaints[0])
    table = packages.components()
    wanted: set[str] = set()
    for name in board.components:
        wanted |= packages.with_needs(table, name)
    modules = sorted({module for name in wanted for module in table[name].modules})
    files = []
    for module in modules:
        compiled = mpy.TARGET / Path(packages.path_of(module)).with_suffix(".mpy")
        # One of constants alone has nothing left.
        if compiled.exists():
            files.append(File(f"/lib/{compiled.relative_to(mpy.TARGET)}", compiled.read_bytes()))
    return files


def plan(board: Board, found: SerialBoard, application: Path | None, *, replace: bool = False) -> Plan:
    """Compare what a board is to have with what is there.

    Args:
        board: its kind.
        found: the board.
        application: the user's app.py; None: the one that is there stays, and an example comes where there is none.
        replace: take the place of a main.py that is somebody else's.

    Raises:
        BoardError: something else is there.
    """
    frozen = _is_frozen(found)
    files = [] if frozen else library(board)
    files.append(File(MAIN, (mpy.SOURCE / "main.py").read_bytes()))
    main = found.read(MAIN)
    if main is not None and _OURS not in main and not replace:
        raise BoardError(f"there is a {MAIN} on it that is not ours: save it, or say --replace")
    if application:
        try:
            octets = application.read_bytes()
        except OSError as error:
            raise BoardError(f"{application}: {error.strerror}") from error
        _compiles(application, octets)
        files.append(File(APPLICATION, octets))
    elif found.read(APPLICATION) is None:
        files.append(File(APPLICATION, (mpy.SOURCE / "app.py").read_bytes()))
    sums = found.sha256(file.name for file in files)
    write = [file for file in files if sums[file.name] != file.sha256]
    wanted = {file.name for file in files}
    remove = [name for name in found.files(LIBRARY) if name not in wanted]
    return Plan(write, remove, len(files) - len(write), frozen)


def check_room(what: Plan, identity: Identity) -> None:
    """Refuse to begin what can't end.

    Raises:
        BoardError: there is no room for it.
    """
    # Each file is there twice for a moment; what is replaced is not counted as room.
    needed = sum(-(-len(file.octets) // _BLOCK) * _BLOCK for file in what.write)
    if needed > identity.free:
        raise BoardError(
            f"it has {identity.free} octets free and {needed} are needed: remove files that are yours"
            " (`mpremote fs ls`)"
        )


def carry_out(what: Plan, found: SerialBoard, progress: Callable[[str, float], None]) -> None:
    """Write and remove; main.py last, so that nothing starts by halves.

    Raises:
        BoardError: it was interrupted; the same command goes on from there.
    """
    # Before all else, since it makes room.
    for name in what.remove:
        found.remove(name)
    written = 0

    def on_written(octets: int) -> None:
        nonlocal written
        written += octets
        progress("write", written / max(1, what.octets))

    for file in sorted(what.write, key=lambda file: (file.name == MAIN, file.name)):
        found.write(file.name, file.octets, on_written)
    progress("verify", 0)
    sums = found.sha256(file.name for file in what.write)
    wrong = [file.name for file in what.write if sums[file.name] != file.sha256]
    if wrong:
        raise BoardError(f"{wrong[0]} is not what was written; repeat the command")
    progress("verify", 1)


def use_application(found: SerialBoard) -> None:
    """Let the board start the application that was deployed, and none that has come by message before.

    Raises:
        BoardError: it does not answer.
    """
    found.run(_LEAVE_SLOT)


def _is_frozen(found: SerialBoard) -> bool:
    return found.ask(_FROZEN)


def _compiles(path: Path, octets: bytes) -> None:
    # Not kept: a board compiles its application itself, and tells lines in it.
    complaint = mpy.compile_text(octets.decode(errors="replace"), mpy.ROOT / "build" / "app.mpy", path.name)
    if complaint:
        raise BoardError(f"{path} does not compile for MicroPython:\n{complaint}")
