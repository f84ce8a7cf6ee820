"""The store on flash: its heap, its time, and what a message wears off, on LittleFS in RAM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from bench import interpreters
from host_tools.setup import micropython

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "Store on flash"
NOTES = """\
A store with its default bounds (64 KiB, 32 messages to be sent, 16 received, 64 identities) on LittleFS on a block
device in RAM, on a MicroPython whose objects have the size that they have on a 32-bit board, from .mpy. The times are
those of the code and of LittleFS; a flash adds its own for each octet programmed and each block erased. The life of a
message with 100 octets is two commits: it is put, and later removed; each is one sync of a file, for which LittleFS
copies the block that is not full. LittleFS spreads the erasures over all free blocks. "Heap for one more message" is 0
because the table that says where each is, 30 octets for each message of the bounds, is allocated at the beginning."""

_SCRIPT = Path(__file__).parent / "on_board" / "flash.py"
_BLOCKS = (4096, 512)


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    interpreter = micropython.constrained()
    if interpreter is None:
        return []
    rows: dict[str, dict] = {}
    for block in _BLOCKS:
        tell(f"blocks of {block}")
        command = [str(interpreter), "-X", "heapsize=2M"]
        count = "20" if quick else "2000"
        found = json.loads(
            interpreters.run(command, interpreters.compiled(), str(_SCRIPT), str(block), count)
        )
        for what, key in (
            ("heap after its import, octets", "import"),
            ("heap of a store, octets", "store"),
            ("heap for one more message, octets", "item"),
            ("put() and commit(), µs", "put_us"),
            ("remove() and commit(), µs", "remove_us"),
            ("opening with 32 messages, µs", "open_us"),
            ("pending(), 16 of them, µs", "pending_us"),
            ("reading a body, µs", "body_us"),
            ("octets programmed in a message's life", "octets"),
            ("blocks erased in a message's life", "erased"),
        ):
            row = rows.setdefault(what, {"what": what})
            row[f"blocks of {block}"] = round(found[key], 1)
    return list(rows.values())
