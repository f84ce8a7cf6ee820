"""The emulator: npm's rp2040js, in a process whose standard input and output are the UART0 of an RP2040."""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import subprocess
import tty
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.boards.board import BoardError

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
PROGRAM = HERE / "rp2040.mjs"
_NODE = 18
_AT_ONCE = 4096


def node() -> str:
    """The program `node`.

    Raises:
        BoardError: it is not there, or too old.
    """
    found = shutil.which("node")
    if found is None:
        raise BoardError(f"there is no node here: install Node.js {_NODE} or newer, with npm")
    said = subprocess.run([found, "--version"], check=False, capture_output=True, text=True).stdout
    if not said.startswith("v") or int(said[1:].split(".")[0]) < _NODE:
        raise BoardError(f"node {said.strip()} is too old: install Node.js {_NODE} or newer, with npm")
    return found


def install(folder: Path) -> None:
    """Get rp2040js, in the version that is pinned here, into a folder; nothing when it is there.

    Raises:
        BoardError: npm is not there, or can't.
    """
    if installed(folder):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise BoardError("there is no npm here: it comes with Node.js, or as the package npm")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(
        [npm, "ci", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BoardError(f"npm can't install rp2040js: {done.stderr.strip() or done.stdout.strip()}")


def installed(folder: Path) -> bool:
    """Is the version there that is pinned here?"""
    there = folder / "package-lock.json"
    return (folder / "node_modules" / "rp2040js").is_dir() and there.read_bytes() == (
        HERE / there.name
    ).read_bytes()


class Emulator:
    """A running RP2040.

    Args:
        modules: the folder that rp2040js was installed into.
        bootrom: file with the boot ROM.
        flash: file with what is in its flash; that stays as it is.
        on_print: called with each line that it prints on its USB.

    Attributes:
        port: the other end of its UART0, a serial port for the gateway.
    """

    def __init__(self, modules: Path, bootrom: Path, flash: Path, on_print: Callable[[str], None]) -> None:
        self._command = [node(), str(PROGRAM), str(modules), str(bootrom), str(flash)]
        self._on_print = on_print
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        # Kept open, so that the line is there before and behind the gateway.
        self._line, self._kept_open = pty.openpty()
        tty.setraw(self._kept_open)
        os.set_blocking(self._line, False)
        self.port = Path(os.ttyname(self._kept_open))

    async def start(self) -> None:
        """Switch it on."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe
        )
        asyncio.get_running_loop().add_reader(self._line, self._from_gateway)
        self._tasks = [asyncio.create_task(task) for task in (self._to_gateway(), self._prints())]

    async def stop(self) -> None:
        """Switch it off."""
        asyncio.get_running_loop().remove_reader(self._line)
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        os.close(self._line)
        os.close(self._kept_open)

    async def ended(self) -> None:
        """Wait for its end, which comes of a mistake only.

        Raises:
            BoardError: always.
        """
        assert self._process
        status = await self._process.wait()
        raise BoardError(f"the emulator has ended (exit status {status}); what it said is above")

    def _from_gateway(self) -> None:
        assert self._process
        assert self._process.stdin
        self._process.stdin.write(os.read(self._line, _AT_ONCE))

    async def _to_gateway(self) -> None:
        assert self._process
        assert self._process.stdout
        while octets := await self._process.stdout.read(_AT_ONCE):
            # (The line takes what its reader has room for, and loses the rest, as a line does.)
            try:
                os.write(self._line, octets)
            except BlockingIOError:
                continue

    async def _prints(self) -> None:
        assert self._process
        assert self._process.stderr
        async for line in self._process.stderr:
            self._on_print(line.decode(errors="replace").rstrip())
