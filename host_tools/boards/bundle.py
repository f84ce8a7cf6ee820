"""Bundles: the files of an application for boards, checked, put together and signed (msgin5g.board.bundle says how)."""

from __future__ import annotations

import hmac
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgin5g.board import bundle

from host_tools.boards.board import BoardError
from host_tools.setup import mpy

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a request to the server's HTTP interface may have at most, in base64, with what is around it.
MOST_OCTETS = 48_000
_SOURCE = ".py"


class File(NamedTuple):
    """A file of an application.

    Attributes:
        name: its path in the application's folder.
        octets: what is in it.
    """

    name: str
    octets: bytes


def files(paths: Iterable[Path], *, compiled: bool = False) -> list[File]:
    """Read an application: files, and folders with all that is in them.

    Args:
        paths: of them; one has to be ``app.py``.
        compiled: send what mpy-cross makes of Python files, not these themselves.

    Raises:
        BoardError: a file can't be read or sent, does not compile, or there is no app.py.
    """
    found: dict[str, File] = {}
    for path in paths:
        try:
            for name, inner in _named(path):
                file = _file(name, inner.read_bytes(), compiled=compiled)
                if file.name in found:
                    raise BoardError(f"{inner}: there is another {file.name}")
                found[file.name] = file
        except OSError as error:
            raise BoardError(f"{error.filename}: {error.strerror}") from error
    if not found.keys() & set(bundle.MAIN):
        raise BoardError("name an app.py: it is what the board starts")
    if len(found) > bundle.MOST_FILES:
        raise BoardError(f"{len(found)} files: a board takes {bundle.MOST_FILES} at once")
    return list(found.values())


def body(of: Iterable[File], version: int) -> bytes:
    """What is the same for all devices: the files with a number that is greater than the last one's.

    Raises:
        BoardError: it is too large, or it is no such number.
    """
    if not 0 < version < 1 << 32:
        raise BoardError(f"version {version}: expected a number from 1 to {(1 << 32) - 1}")
    parts = [struct.pack(bundle.HEAD, version)]
    for file in of:
        name = file.name.encode()
        parts.append(struct.pack(bundle.FILE, len(name), len(file.octets)) + name + file.octets)
    octets = b"".join(parts)
    if len(octets) > MOST_OCTETS:
        raise BoardError(
            f"{len(octets):,} octets: at most {MOST_OCTETS:,} go at once; --mpy sends less than the source, and"
            " `msgin5g deploy` puts any size"
        )
    return octets


def signed(octets: bytes, key: bytes) -> bytes:
    """The bundle for one device, by its key."""
    return bundle.MAGIC + hmac.digest(key, octets, "sha256") + octets


def _named(path: Path) -> list[tuple[str, Path]]:
    if not path.is_dir():
        return [(path.name, path)]
    return [
        (inner.relative_to(path).as_posix(), inner)
        for inner in sorted(path.rglob("*"))
        if inner.is_file() and "__pycache__" not in inner.parts
    ]


def _file(name: str, octets: bytes, *, compiled: bool) -> File:
    if not bundle.is_name(name):
        raise BoardError(
            f"{name!r} is no name for a board: letters, digits, '_', '-' and '.', {bundle.MOST_NAME} at most, and"
            " none begins with '.'"
        )
    if name.endswith(_SOURCE):
        made = _compiled(name, octets)
        if compiled:
            return File(name.removesuffix(_SOURCE) + ".mpy", made)
    return File(name, octets)


def _compiled(name: str, octets: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "made.mpy"
        complaint = mpy.compile_text(octets.decode(errors="replace"), target, name)
        if complaint:
            raise BoardError(f"{name} does not compile for MicroPython:\n{complaint}")
        return target.read_bytes()
