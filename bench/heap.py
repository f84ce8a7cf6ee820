"""Heap of the client on a 32-bit board: after each import, and of a Client object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from bench import interpreters
from host_tools.setup import micropython

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "Heap of the client"
NOTES = """\
Octets in use after a collection on a MicroPython whose objects have the size that they have on a 32-bit board. The
modules are imported in an order in which each brings only itself; the object is a Client with its default bounds, not
yet registered. "as .py" is the same compiled on the interpreter itself. Quoted, not measured here, from runs of other
clients on the same kind of interpreter: after import umqtt.simple 4.8 KB, microCoAPy 12.3 KB (RP2040) and 13.2 KB
(i386), mqtt_as 15.4 KB; they do less: MQTT alone, or CoAP without retransmission, de-duplication and block-wise."""

_SCRIPT = Path(__file__).parent / "on_board" / "heap.py"
# Modules that msgin5g.client needs, each after those that it imports itself.
_OTHERS = ["socket", "json", "os", "time", "asyncio"]
_MODULES = [
    "ticks",
    "coap.numbers",
    "coap.message",
    "coap.recent",
    "coap.exchange",
    "coap.transmission",
    "coap.endpoint",
    "coap.block",
    "coap.client",
    "coap.observe",
    "coap.server",
    "rfc3339",
    "wire",
    "messages",
    "store",
    "delivery",
    "store.memory",
    "resource",
    "registration",
    "link.udp",
    "client",
]
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
    names = [*_OTHERS, "msgin5g", *(f"msgin5g.{module}" for module in _MODULES), "Client"]
    used = json.loads(interpreters.run(command, library, str(_SCRIPT), *names))
    each = {name: after - before for name, before, after in zip(names, used, used[1:], strict=False)}
    client_at = names.index("msgin5g.client") + 1
    others_at = len(_OTHERS)
    return {
        "asyncio, socket, json, os, time": used[others_at] - used[0],
        "msgin5g.client and all that it imports": used[client_at] - used[others_at],
        "a Client object": each["Client"],
        "sum": used[-1] - used[0],
        **{f"of which {name}": each[name] for name in names[others_at:-1]},
    }
