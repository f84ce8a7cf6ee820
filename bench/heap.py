"""Heap of the client on a 32-bit board: of two sets of modules, compiled and frozen, and of a Client object."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import interpreters
from host_tools.setup import frozen, micropython

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "Heap of the client"
NOTES = """\
Octets in use after a collection on a MicroPython whose objects have the size that they have on a 32-bit board. The
minimal set is what a Client made from a device's file (provisioning.py), with a MemoryStore, has loaded before it
registers: CoAP, OSCORE, registration, sending and receiving, UDP. The full set has besides them the store on flash,
messages in CBOR, segmentation, reassembly, aggregation and topics. The object is that Client, with its keys. ".mpy" has
constants in place (host_tools/setup/constants.py), ".mpy, no lines" is compiled with -O3 besides: tracebacks tell no
line then; "bundled" has what is always loaded together in one module (host_tools/setup/bundle.py). "frozen" is a
MicroPython with the modules in it (`make frozen`), so that code and names are no part of the heap; "in ROMFS" are the
.mpy files in a file system that is executed where it is, for a MicroPython with a partition for it (`mpremote romfs
deploy`), which need not be built anew for other modules. "As .py" is compiled on the interpreter itself. Modules are
listed in an order in which each brings only itself; tables of the interpreter that grow in steps (of 4 KB and more)
fall to whichever module fills them. Quoted, not measured here, from runs of other clients on the same kind of
interpreter: after import umqtt.simple 4.8 KB, microCoAPy 12.3 KB (RP2040) and 13.2 KB (i386), mqtt_as 15.4 KB; they do
less: MQTT alone, or CoAP without retransmission, de-duplication, block-wise and security."""

_SCRIPT = Path(__file__).parent / "on_board" / "heap.py"
_OTHERS = ["socket", "json", "os", "time", "asyncio"]
_FULL = [
    f"msgin5g.{name}"
    for name in (
        "store.flash",
        "messages_cbor",
        "segmentation",
        "reassembly",
        "aggregation",
        "topics",
    )
]
# For a UE without a client, with all that it imports: in place of everything above.
_LINK = "msgin5g.application_client_udp"
_APPLICATION_CLIENTS = {"L3": "msgin5g.application_client", "CoAP": "msgin5g.application_client_coap"}
_HEAP = "512K"
_NOTHING = Path("/nowhere")
_DEVICE = {
    "ue_service_id": "ue@bench.example",
    "gateway": "127.0.0.1:5683",
    "gateway_ue_service_id": "gateway@bench.example",
    "oscore": {"master_secret": "00" * 16, "master_salt": "11" * 8, "sender_id": "01", "recipient_id": "02"},
}


def measure(_quick: bool, tell: Callable[[str], None]) -> list[dict]:
    board = micropython.constrained()
    if board is None:
        return []
    ways = {
        ".mpy": (board, interpreters.compiled()),
        "bundled": (board, interpreters.bundled()),
        ".mpy, no lines": (board, interpreters.compiled_without_lines()),
        "as .py": (board, interpreters.FIRMWARE),
        # Nothing is to be found in the folder, so that all comes out of the ROMFS, or of the program.
        "in ROMFS": (interpreters.in_rom(board, interpreters.compiled()), _NOTHING),
        "in ROMFS, bundled": (interpreters.in_rom(board, interpreters.bundled()), _NOTHING),
    }
    if frozen.LAUNCHER.exists():
        tell("building frozen")
        ways["frozen"] = (frozen.build(), _NOTHING)
        ways["frozen, bundled"] = (frozen.build(bundled=True), _NOTHING)
    rows: dict[str, dict] = {}
    for name, (program, library) in ways.items():
        tell(name)
        for what, octets in _figures(program, library).items():
            rows.setdefault(what, {"what": what})[name] = octets
    return [*rows.values()]


def _figures(program: Path, library: Path) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        device = folder / "device.json"
        device.write_text(json.dumps(_DEVICE))
        # Paths of modules are kept in the heap; so they are as long here as on a board, which has them in /lib.
        lib = Path("lib")
        (folder / lib).symlink_to(library.resolve())

        def run(*arguments: str) -> dict:
            command = [str(program), "-X", f"heapsize={_HEAP}"]
            return json.loads(interpreters.run(command, lib, str(_SCRIPT), *arguments, cwd=folder))

        minimal = _in_order(run(str(device), *_OTHERS)["loaded"])
        used = run(str(device), *_OTHERS, *minimal)["used"]
        everything = _in_order(run("-", *_OTHERS, *minimal, *_FULL)["loaded"])
        rest = [name for name in everything if name not in minimal]
        alone = {
            form: run("-", *_OTHERS, client, _LINK)["used"] for form, client in _APPLICATION_CLIENTS.items()
        }
        full = run("-", *_OTHERS, *minimal, *rest)["used"]
    names = [*_OTHERS, *minimal, *rest]
    each = {name: after - before for name, before, after in zip(names, full, full[1:], strict=False)}
    start, small = len(_OTHERS), len(_OTHERS) + len(minimal)
    return {
        "asyncio, socket, json, os, time": full[start] - full[0],
        "minimal set": full[small] - full[start],
        "full set": full[len(names)] - full[start],
        "a Client object": used[-1] - used[-2],
        **{
            f"instead: an Application Client (8.11), {form}": used[start + 2] - used[start]
            for form, used in alone.items()
        },
        **{f"of which {name}": each[name] for name in [*minimal, *rest]},
    }


_IMPORT_EACH = """
import contextlib, sys
for name in sys.argv[1:]:
    with contextlib.suppress(ImportError):
        __import__(name)
"""


def _in_order(loaded: list[str]) -> list[str]:
    # Each after those that it imports itself: the order in which CPython is done with them. What only a board can
    # import comes last.
    command = [sys.executable, "-X", "importtime", "-c", _IMPORT_EACH, *sorted(loaded)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    found = [line.rpartition("|")[2].strip() for line in told.splitlines()]
    return [*(name for name in found if name in loaded), *sorted(set(loaded) - set(found))]
