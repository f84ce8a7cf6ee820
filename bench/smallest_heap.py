"""The smallest heap in which a client does its work, and whether it stays as it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from typing import TYPE_CHECKING

from bench import interpreters
from bench.rig import rig
from host_tools import lab
from host_tools.settings import OSCORE
from host_tools.setup import frozen, micropython

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TITLE = "Smallest heap"
NOTES = """\
The smallest heap, found by halving between 24 and 192 KiB, in which a client, provisioned and protected, registers,
sends 50 messages of 100 octets to itself by way of gateway and server, and takes each with its report. It varies by a
few KiB from run to run, as garbage lies differently. The interpreter's objects have the size that they have on a 32-bit
board. Minimal: messages in JSON, in a MemoryStore. Full: in CBOR, in the store on flash, with segmentation, aggregation
and topics loaded. The application (bench/on_board/exchange.py) is .mpy and in the heap. Last column: so many messages
in 8 KiB more than that, and by how many octets the heap in use has grown from the 200th to the last."""

_STEP = 2
_SMALLEST, _LARGEST = 24, 192
_PATIENCE_S = 30
_MANY, _SPARE = 10000, 8


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    interpreter = micropython.constrained()
    if interpreter is None:
        return []
    return asyncio.run(_measure(interpreter, quick, tell))


async def _measure(interpreter: Path, quick: bool, tell: Callable[[str], None]) -> list[dict]:
    ways = {".mpy": (interpreter, interpreters.compiled()), "bundled": (interpreter, interpreters.bundled())}
    nothing = interpreters.BUILD / "application"
    ways["in ROMFS, bundled"] = (interpreters.in_rom(interpreter, interpreters.bundled()), nothing)
    if frozen.LAUNCHER.exists():
        ways["frozen"] = (frozen.build(), nothing)
        ways["frozen, bundled"] = (frozen.build(bundled=True), nothing)
    application = interpreters.application("exchange")
    rows = []
    async with rig(OSCORE) as place:
        assert place.folder
        for name, (program, library) in ways.items():
            for which in ("minimal", "full"):
                run = _Run(place.folder, which, f"{application}:{library}:.frozen", program)
                low, high = _SMALLEST, _LARGEST
                while high - low > (64 if quick else _STEP):
                    heap = (low + high) // 2
                    tell(f"{name}, {which}, {heap} KiB")
                    if await run.works(heap, 2 if quick else 50):
                        high = heap
                    else:
                        low = heap
                row = {"what": f"{name}, {which}", "smallest heap, KiB": high if high < _LARGEST else None}
                if not quick and high < _LARGEST:
                    tell(f"{name}, {which}, {_MANY} messages")
                    row |= await run.endures(high + _SPARE)
                rows.append(row)
    return rows


class _Run:
    """One way to have the client on a board."""

    def __init__(self, lab_folder: Path, which: str, path: str, program: Path) -> None:
        self._lab_folder = lab_folder
        self._which = which
        self._path = path
        self._program = program
        self._count = 0

    async def works(self, heap: int, count: int) -> bool:
        """Whether so many messages are exchanged in so many KiB."""
        return bool(await self._exchange(heap, count, _PATIENCE_S))

    async def endures(self, heap: int) -> dict:
        """What to say of very many messages."""
        found = await self._exchange(heap, _MANY, 3600)
        if not found:
            return {"messages": "failed", "growth": None}
        return {"messages": found["delivered"], "growth": found["late"] - found["early"]}

    async def _exchange(self, heap: int, count: int, patience: float) -> dict:
        """What exchange.py says in the end; nothing when it fails."""
        self._count += 1
        name = f"{self._program.name}-{self._which}-{heap}-{self._count}-{id(self)}@bench.example"
        device = lab.enrol(self._lab_folder, name)
        process = await asyncio.create_subprocess_exec(
            *(str(self._program), "-X", f"heapsize={heap}K", "-m", "exchange"),
            *(str(device), self._which, str(count), "100"),
            env={**os.environ, "MICROPYPATH": self._path},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            told, _ = await asyncio.wait_for(process.communicate(), patience)
        except TimeoutError:
            process.kill()
            await process.wait()
            return {}
        if process.returncode == 0:
            with contextlib.suppress(ValueError, IndexError):
                return json.loads(told.splitlines()[-1])
        return {}
