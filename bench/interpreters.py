"""Runs scripts on MicroPython, as a board would."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from typing import TYPE_CHECKING

from mpremote.romfs import make_romfs

from bench.machine import BUILD, ROOT
from host_tools.setup import mpy

if TYPE_CHECKING:
    from pathlib import Path

FIRMWARE = ROOT / "firmware"


def compiled() -> Path:
    """The firmware as .mpy, up to date."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        failed = mpy.main()
    if failed:
        raise RuntimeError(said.getvalue())
    return mpy.TARGET


def compiled_without_lines() -> Path:
    """The same without the numbers of source lines."""
    compiled()
    return mpy.WITHOUT_LINES


def bundled() -> Path:
    """The same with what is always loaded together in one module."""
    compiled()
    return mpy.BUNDLED_TARGET


def application(name: str) -> Path:
    """A folder with a script of on_board, compiled, without the firmware, which an interpreter may have frozen in."""
    folder = BUILD / "application"
    source = ROOT / "bench" / "on_board" / f"{name}.py"
    complaint = mpy.compile_text(source.read_text(), folder / f"{name}.mpy", name)
    if complaint:
        raise RuntimeError(complaint)
    return folder


def in_rom(program: Path, library: Path) -> Path:
    """A program that finds the modules of a folder in a ROMFS, which is executed where it is.

    Args:
        program: the interpreter; it is given ``-X heapsize=...`` first.
        library: folder with the ``msgin5g`` package.
    """
    folder = BUILD / "rom" / library.name
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        image = make_romfs(str(library), mpy_cross=False)
    (folder / "image.romfs").write_bytes(image)
    launcher = folder / f"rom-{program.name}"
    script = ROOT / "bench" / "on_board" / "in_rom.py"
    launcher.write_text(
        f'#!/bin/sh\nheap="$2"; shift 2\nexec "{program}" -X "$heap" "{script}" "{folder}/image.romfs" "$@"\n'
    )
    launcher.chmod(0o755)
    return launcher


def run(command: list[str], library: Path, *arguments: str, cwd: Path | None = None) -> str:
    """What a script prints, with the firmware from a folder.

    Args:
        command: the interpreter and its options.
        library: folder with the ``msgin5g`` package.
        arguments: the script and its arguments.
        cwd: where it runs.
    """
    done = subprocess.run(
        [*command, *arguments],
        env={**os.environ, "MICROPYPATH": f"{library}:.frozen", "PYTHONPATH": str(library)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout
