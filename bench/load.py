"""What the load generator sends, and what it finds."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import encode, encode_options
from msgin5g.resource import request_options

from bench.generator import PLACEHOLDER
from bench.machine import on_core

_TOKEN = bytes(4)
_MESSAGE_ID = PLACEHOLDER.decode() + "8000-000000000000"
# The registration's, which no message uses.
_LAST_MID = 0xFFFF


@dataclass
class Load:
    """What a run of the generator found: answers a second, how busy it was itself (1.0 is a whole core), latencies."""

    rate: float
    refused: int
    retransmitted: int
    busy: float
    p50_ms: float
    p99_ms: float


def corpus(
    sources: int, payload: str, method: int = coap.POST, path: str = wire.PATH, recipient: str = "away@bench"
) -> bytes:
    """What each source registers with and sends: see generator.py."""
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


def run(port: int, datagrams: bytes, warm_up: float, seconds: float, core: int) -> Load:
    """Load a port of loopback, from one core."""
    command = [sys.executable, "-m", "bench.generator", str(port), str(warm_up), str(seconds)]
    with on_core(core):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        told, _ = process.communicate(datagrams, timeout=warm_up + seconds + 60)
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(f"the load generator failed on port {port}")
    return Load(**json.loads(told))
