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
from bench.machine import cpu_seconds, on_core

_TOKEN = bytes(4)
_MESSAGE_ID = PLACEHOLDER.decode() + "8000-000000000000"
# The registration's, which no message uses.
_LAST_MID = 0xFFFF


@dataclass
class Server:
    """A server that runs.

    Attributes:
        process: its process ID.
        port: its UDP port of loopback.
    """

    process: int
    port: int


@dataclass
class Load:
    """What a run of the generator found.

    Attributes:
        rate: answers a second, after the warm-up.
        answers: all of them, the warm-up's too.
        refused: those that were not a success.
        retransmitted: messages sent again since nothing came.
        busy: how busy the generator was itself; 1.0 is a whole core.
        p50_ms: half of the answers took no longer.
        p99_ms: nor did 99 of 100 than this.
        per_cpu_second: answers for each second of the server's CPU time.
    """

    rate: float
    answers: int
    refused: int
    retransmitted: int
    busy: float
    p50_ms: float
    p99_ms: float
    per_cpu_second: float


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


def run(server: Server, datagrams: bytes, warm_up: float, seconds: float, core: int) -> Load:
    """Load a server on loopback, from one core."""
    command = [sys.executable, "-m", "bench.generator", str(server.port), str(warm_up), str(seconds)]
    used = cpu_seconds(server.process)
    with on_core(core):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        told, _ = process.communicate(datagrams, timeout=warm_up + seconds + 60)
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(f"the load generator failed on port {server.port}")
    found = json.loads(told)
    if found["refused"]:
        raise RuntimeError(f"{found['refused']} of {found['answers']} messages were refused: {found}")
    used = cpu_seconds(server.process) - used
    return Load(**found, per_cpu_second=found["answers"] / used)
