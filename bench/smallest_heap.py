"""The smallest heap on which a board does its main job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench import interpreters
from bench.rig import Rig, board, rig, send
from host_tools.setup import frozen, micropython
from host_tools.simulator.boards import BoardFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TITLE = "Smallest heap"
NOTES = """\
The smallest heap, found by halving between 24 and 192 KiB, on which a simulated board (MicroPython whose objects have
the size that they have on a 32-bit board) registers, sends 20 messages of 100 octets with their reports, and receives
20. It varies by a few KiB from run to run, as garbage lies differently. The application
(host_tools/simulator/board.py, which parses commands and prints events as JSON) is included in the heap. Compiled: it
and the firmware are .mpy. Frozen: the firmware is in the program (`make frozen`), the application is .mpy. As source:
both are compiled on the board, which leaves the heap in pieces."""

_STEP = 2
_SMALLEST, _LARGEST = 24, 192
_PAYLOAD = "x" * 100
_PATIENCE_S = 10


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    interpreter = micropython.constrained()
    if interpreter is None:
        return []
    return asyncio.run(_measure(interpreter, quick, tell))


async def _measure(interpreter: Path, quick: bool, tell: Callable[[str], None]) -> list[dict]:
    count = 1 if quick else 20
    ways = {
        "compiled": (interpreter, interpreters.compiled()),
        "as source": (interpreter, interpreters.FIRMWARE),
    }
    if frozen.LAUNCHER.exists():
        ways["frozen"] = (frozen.build(), interpreters.application_alone())
    rows = []
    async with rig() as place:
        for name, (program, library) in ways.items():
            low, high = _SMALLEST, _LARGEST
            while high - low > (64 if quick else _STEP):
                heap = (low + high) // 2
                tell(f"{name}, {heap} KiB")
                if await _works(place, f"board-{heap}-{len(rows)}", program, library, f"{heap}K", count):
                    high = heap
                else:
                    low = heap
            works = high if high < _LARGEST else None
            rows.append({"what": name, "smallest heap that works, KiB": works, "largest that does not": low})
    return rows


async def _works(place: Rig, name: str, interpreter: Path, library: Path, heap: str, count: int) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async with board(name, place.gateway, interpreter, library, heap) as one:
                for _ in range(count):
                    await send(one, _PAYLOAD)
                since = len(one.events)
                for number in range(count):
                    await place.application_server.send(f"{_PAYLOAD}{number}", one.ue_service_id)
                    await one.wait(lambda event: event["event"] == "received", since=since)
                    since = 1 + max(
                        place for place, event in enumerate(one.events) if event["event"] == "received"
                    )
    except (BoardFailed, TimeoutError, RuntimeError):
        return False
    return True
