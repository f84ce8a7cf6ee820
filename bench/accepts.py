"""How many messages a second the server accepts durably, beside servers that store nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from msgin5g.coap import numbers as coap

from bench import load
from bench.machine import BUILD, cores, free_port, on_core
from host_tools.setup import peers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TITLE = "Durable accepts of the server"
NOTES = """\
A CON POST of a message with a payload of 100 octets and a Message ID of its own, for a UE that is away: the server
stores it (SQLite on disk, WAL, `synchronous=FULL`, one commit for each batch drained from the socket) and then
acknowledges it. The peers parse the same request, answer 2.04 and store nothing: an aiocoap server, and libcoap's
example server (C; a PUT, since it has nothing to POST to). Every source has a socket, a UE Service ID and one message
under way. Server and generator have a core each; the contestants take turns; each figure is the median of its rounds.
Per second of the server's CPU time is what compares when something else ran on these cores meanwhile; waiting for the
disk is not in it."""

SOURCES = 128
_PAYLOAD = "x" * 100
_LIBCOAP = "coap-server-notls"
_ROUNDS = 3


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    BUILD.mkdir(parents=True, exist_ok=True)
    seconds, warm_up = (0.2, 0.1) if quick else (2.0, 0.5)
    found: dict[str, list[load.Load]] = {name: [] for name in _contestants()}
    for turn in range(1 if quick else _ROUNDS):
        for name, loads in found.items():
            tell(f"round {turn + 1}: {name}")
            start, options = _contestants()[name]
            with start() as server:
                datagrams = load.corpus(SOURCES, _PAYLOAD, **options)
                loads.append(load.run(server, datagrams, warm_up, seconds, cores()[1]))
    peer = _medians(found[_AIOCOAP])
    return [_row(name, loads, peer) for name, loads in found.items()]


def _medians(loads: list[load.Load]) -> tuple[float, float]:
    return median(one.rate for one in loads), median(one.per_cpu_second for one in loads)


def _row(name: str, loads: list[load.Load], peer: tuple[float, float]) -> dict:
    rate, per_cpu_second = _medians(loads)
    return {
        "server": name,
        "accepts/s": round(rate),
        "times aiocoap": round(rate / peer[0], 2),
        "per CPU second": round(per_cpu_second),
        "times aiocoap per CPU second": round(per_cpu_second / peer[1], 2),
        "p50 ms": round(median(one.p50_ms for one in loads), 1),
        "p99 ms": round(median(one.p99_ms for one in loads), 1),
        "retransmitted": sum(one.retransmitted for one in loads),
        "generator busy": f"{median(one.busy for one in loads):.0%}",
    }


_AIOCOAP = "aiocoap, stores nothing"


def _contestants() -> dict:
    # Each: how to start it, and how it wants to be spoken to.
    found = {
        "msgin5g server, durable": (_msgin5g, {}),
        _AIOCOAP: (_aiocoap, {}),
    }
    if peers.find(_LIBCOAP):
        found["libcoap, stores nothing"] = (_libcoap, {"method": coap.PUT, "path": "example_data"})
    return found


@contextmanager
def _msgin5g() -> Iterator[load.Server]:
    folder = Path(tempfile.mkdtemp(prefix="accepts-", dir=BUILD))
    try:
        with _process([sys.executable, "-m", "bench.serve_msgin5g", str(folder)]) as process:
            yield _told(process)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _aiocoap() -> Iterator[load.Server]:
    with _process([sys.executable, "-m", "bench.serve_aiocoap"]) as process:
        yield _told(process)


@contextmanager
def _libcoap() -> Iterator[load.Server]:
    port = free_port()
    command = [str(peers.find(_LIBCOAP)), "-A", "127.0.0.1", "-p", str(port), "-v", "1"]
    with _process(command) as process:
        time.sleep(0.5)
        yield load.Server(process.pid, port)


def _told(process: subprocess.Popen[str]) -> load.Server:
    assert process.stdout
    return load.Server(process.pid, int(process.stdout.readline()))


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with on_core(cores()[0]):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
