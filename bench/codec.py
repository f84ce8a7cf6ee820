"""Time and garbage of encoding and decoding one message, on each interpreter, beside aiocoap on CPython."""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiocoap

from bench import interpreters
from host_tools.setup import micropython

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "Codec"
NOTES = """\
One CoAP POST with 100 octets of JSON (token of four octets, Uri-Path, Content-Format), and one MSG with the same 100
octets as its payload as JSON of MSGin5G: microseconds for each, the best of five runs. Garbage is what the heap has
grown by for each message with the collector off (MicroPython only); the times include the collections that it causes,
with a heap of 1 MiB. The encoded options of a path are made once, as the
client does. `times aiocoap` is aiocoap's time on CPython divided by ours on CPython, in the same run; aiocoap's encode
and decode include making its Message object, which is how it is used."""

_SCRIPT = Path(__file__).parent / "on_board" / "codec.py"


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    times = 200 if quick else 20_000
    library = interpreters.compiled()
    tell("aiocoap")
    peer = _aiocoap(times)
    tell("cpython")
    ours = {"CPython": _run([sys.executable], interpreters.FIRMWARE, times)}
    for name, path in micropython.interpreters():
        tell(name)
        ours[f"{name}, .mpy"] = _run([str(path), "-X", "heapsize=1M"], library, times)
    rows = []
    for what in ("CoAP encode", "CoAP decode", "messages.encode", "messages.decode"):
        if what in peer:
            rows.append({"what": what, "runtime": "CPython, aiocoap", "µs": round(peer[what], 2)})
        for runtime, measured in ours.items():
            took, garbage = measured[what]
            row = {"what": what, "runtime": runtime, "µs": round(took, 2), "garbage, octets": garbage}
            if runtime == "CPython" and what in peer:
                row["times aiocoap"] = round(peer[what] / took, 1)
            rows.append(row)
    return rows


def _run(command: list[str], library: Path, times: int) -> dict[str, list]:
    return json.loads(interpreters.run(command, library, str(_SCRIPT), str(times)))


def _aiocoap(times: int) -> dict[str, float]:
    body = b'{"temperature": 23.5, "humidity": 41, "battery": 3.71, "counter": 12345, "location": "greenhouse-7"}'

    def encode() -> bytes:
        message = aiocoap.Message(
            code=aiocoap.POST, payload=body, _mtype=aiocoap.CON, _mid=0x1234, _token=b"\1\2\3\4"
        )
        message.opt.uri_path = ("msgin5g",)
        message.opt.content_format = 50
        return message.encode()

    datagram = encode()
    return {
        "CoAP encode": _best(encode, times),
        "CoAP decode": _best(lambda: aiocoap.Message.decode(datagram), times),
    }


def _best(function: Callable[[], object], times: int) -> float:
    runs = []
    for _ in range(5):
        gc.collect()
        since = time.perf_counter_ns()
        for _ in range(times):
            function()
        runs.append(time.perf_counter_ns() - since)
    return min(runs) / 1000 / times
