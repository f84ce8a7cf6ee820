"""The load generator: ``load.c`` where there is a compiler, else the same in Python, which is slower."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import encode, encode_options
from msgin5g.resource import request_options

from bench.machine import BUILD, on_core

_SOURCE = Path(__file__).with_name("load.c")
_TOKEN = bytes(4)
# Patched by the generator; a Message ID of 36 characters.
_MESSAGE_ID = "00000000-0000-0000-8000-000000000000"
# The registration's, which no message uses.
_LAST_MID = 0xFFFF


@dataclass
class Load:
    """What a run of the generator found."""

    seconds: float
    answers: int
    refused: int
    retransmitted: int
    busy: float
    p50_us: int
    p99_us: int

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


def corpus(
    sources: int, payload: str, method: int = coap.POST, path: str = wire.PATH, recipient: str = "away@bench"
) -> bytes:
    """What each source registers with and sends: see load.c."""
    options = encode_options(request_options(path))
    parts = []
    for number in range(sources):
        ue = f"ue-{number}@bench"
        message = messages.message((wire.UE, ue), (wire.UE, recipient), _MESSAGE_ID)
        messages.set_payload(message, payload)
        for mid, elements in ((_LAST_MID, messages.registration(ue)), (0, message)):
            datagram = encode(coap.CON, method, mid, _TOKEN, options, messages.encode(elements))
            parts += [len(datagram).to_bytes(2, "big"), datagram]
    return b"".join(parts)


def generator() -> list[str]:
    """The command that generates load, compiled if it can be."""
    compiler = shutil.which("cc")
    if compiler is None:
        return [sys.executable, "-m", "bench.load_fallback"]
    program = BUILD / "load"
    if not program.exists() or program.stat().st_mtime < _SOURCE.stat().st_mtime:
        subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=True)
    return [str(program)]


def run(port: int, datagrams: bytes, warm_up: float, seconds: float, core: int) -> Load:
    """Load a port on loopback, from one core."""
    command = [*generator(), str(port), str(int(warm_up * 1000)), str(int(seconds * 1000))]
    with on_core(core):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        told, _ = process.communicate(datagrams, timeout=warm_up + seconds + 60)
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(f"the load generator failed on port {port}")
    return Load(**json.loads(told))
