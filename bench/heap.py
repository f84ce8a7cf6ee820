"""Heap of the client on a 32-bit board: after each import, and of a Client object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench import interpreters
from host_tools.setup import micropython

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "Heap of the client"
NOTES = """\
Octets in use after a collection on a MicroPython whose objects have the size that they have on a 32-bit board. The
modules are imported in an order in which each brings only itself; tables of the interpreter that grow in steps (of 4 KB
and more) fall to whichever module fills them. The object is a Client with its default bounds, not yet registered. "as
.py" is the same compiled on the interpreter itself. Quoted, not measured here, from runs of other
clients on the same kind of interpreter: after import umqtt.simple 4.8 KB, microCoAPy 12.3 KB (RP2040) and 13.2 KB
(i386), mqtt_as 15.4 KB; they do less: MQTT alone, or CoAP without retransmission, de-duplication and block-wise."""

_SCRIPT = Path(__file__).parent / "on_board" / "heap.py"
_OTHERS = ["socket", "json", "os", "time", "asyncio"]
# What a Client object imports when it is made.
_LINK = "msgin5g.link.udp"
_HEAP = "512K"


def measure(_quick: bool, tell: Callable[[str], None]) -> list[dict]:
    board = micropython.constrained()
    if board is None:
        return []
    command = [str(board), "-X", f"heapsize={_HEAP}"]
    tell("compiled")
    compiled = _figures(command, interpreters.compiled())
    tell("source")
    source = _figures(command, interpreters.FIRMWARE)
    return [{"what": name, ".mpy": compiled[name], "as .py": source[name]} for name in compiled]


def _figures(command: list[str], library: Path) -> dict[str, int]:
    names = [*_OTHERS, *_modules(), "Client"]
    used = json.loads(interpreters.run(command, library, str(_SCRIPT), *names))
    each = {name: after - before for name, before, after in zip(names, used, used[1:], strict=False)}
    client_at = len(names) - 1
    others_at = len(_OTHERS)
    return {
        "asyncio, socket, json, os, time": used[others_at] - used[0],
        "msgin5g.client and all that it imports": used[client_at] - used[others_at],
        "a Client object": each["Client"],
        "sum": used[-1] - used[0],
        **{f"of which {name}": each[name] for name in names[others_at:-1]},
    }


def _modules() -> list[str]:
    # What the client imports, each after those that it imports itself: the order in which CPython is done with them.
    command = [sys.executable, "-X", "importtime", "-c", "import msgin5g.client"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = [line.rpartition("|")[2].strip() for line in told.splitlines()]
    ours = [name for name in found if name.partition(".")[0] == "msgin5g" and name != "msgin5g.client"]
    return [*ours, _LINK, "msgin5g.client"]
