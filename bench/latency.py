"""How long a message takes from a board to an Application Server, until its report is back."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from msgin5g.coap import numbers as coap

from bench import interpreters
from bench.echo import round_trips
from bench.rig import Rig, board, rig, send
from host_tools.settings import NONE, OSCORE
from host_tools.setup import micropython

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from host_tools.simulator.boards import Board

TITLE = "Latency, end to end"
NOTES = """\
From `send()` on a board (MicroPython, 192 KiB of heap, .mpy) over its gateway and the server to an Application Server
(HTTP), and back with the delivery status report: milliseconds on the board's clock, which counts whole ones. Gateway
and server share a process and store durably; everything is on loopback, so this is the software's share. A board sends
its next message when the report on the last has come. The last row is what the machine adds by itself at the time: one
datagram to another process and back. With OSCORE a board also keeps its messages in files, synchronised with this
machine's disk before they are sent. TS 22.262 asks for less than 500 ms."""

_HEAP = "192K"
_WAYS = {NONE: "not protected, JSON, messages in memory", OSCORE: "OSCORE, CBOR, messages on flash"}
_PAYLOAD = "x" * 100


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    interpreter = micropython.constrained()
    if interpreter is None:
        return []
    return asyncio.run(_measure(interpreter, 5 if quick else 500, tell))


async def _measure(interpreter: Path, count: int, tell: Callable[[str], None]) -> list[dict]:
    library = interpreters.compiled()
    rows = []
    for security in (NONE, OSCORE):
        for boards in (1, 3):
            tell(f"{security}, {boards} at once")
            async with rig(security) as place:
                took = await _with_boards(place, boards, interpreter, library, count // boards)
                rows.append(_row(f"message and report, {_WAYS[security]}, boards at once: {boards}", took))
    rows.append(_row("datagram there and back", round_trips(count, len(_PAYLOAD))))
    return rows


def _row(what: str, took: list[float]) -> dict:
    took = sorted(took)
    return {
        "what": what,
        "times": len(took),
        "p50 ms": round(took[len(took) // 2], 3),
        "p99 ms": round(took[len(took) * 99 // 100], 3),
        "longest ms": round(took[-1], 3),
    }


async def _with_boards(place: Rig, boards: int, interpreter: Path, library: Path, count: int) -> list[float]:
    form = coap.CBOR if place.folder else coap.JSON
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(
                board(f"board-{number}", place.gateway, interpreter, library, _HEAP, place.folder, form)
            )
            for number in range(boards)
        ]

        took: list[float] = []

        async def one(sender: Board) -> None:
            took.extend([(await send(sender, _PAYLOAD))["ms"] for _ in range(count)])

        await asyncio.gather(*[one(sender) for sender in running])
    return took
