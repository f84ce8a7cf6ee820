"""How many messages a second the gateway relays, durably, beside a proxy and a server that store nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench import relay_corpus
from bench.machine import BUILD, cores, free_port, on_core
from host_tools.security.devices import Devices
from host_tools.settings import NONE, OSCORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

TITLE = "What the gateway relays"
NOTES = """\
A CON POST of a message with a payload of 100 octets and a Message ID of its own, from a device that is registered: the
gateway (`msgin5g gateway`, a process of its own) stores it (SQLite on disk, WAL, `synchronous=FULL`), acknowledges it,
POSTs it to what is upstream and takes it out of its store when that has answered. Small messages of one device that
wait there anyway travel as one POST, unless `aggregate` is false. "Relayed" is what has arrived upstream, each message
counted once; "acknowledged" is what the devices were told; the back-log is what was acknowledged and had not arrived
when the time was over: all of it arrives afterwards, or the run fails. The peers store nothing: `aiocoap-proxy`
forwards the same requests to the same upstream; with OSCORE an aiocoap server opens the requests of the same devices,
answers 2.04 and relays nothing. OSCORE is that between devices and gateway; the upstream is not protected. 64 devices
each have a socket, a UE Service ID, a key and one message under way (NSTART = 1). Devices and upstream are one process
(C, `bench/relay_load.c`) on one core, what is measured is on the other; what the devices send is sealed before. The
contestants take turns; each figure is the median of its rounds. Per second of CPU time is what compares when something
else ran on these cores and this disk meanwhile: waiting for the disk is not in it."""

DEVICES = 64
_GATEWAY = "gateway@bench.example"
_PROXY = "aiocoap-proxy, stores nothing"
_SERVER = "aiocoap server, OSCORE, stores and relays nothing"
_ROUNDS = 5
# So many messages are prepared for each second; of a peer that is slower, so many.
_PREPARED = 25_000
_PREPARED_FOR_PEER = 8_000
_SOURCE = Path(__file__).with_name("relay_load.c")


@dataclass
class Contestant:
    """Who relays.

    Attributes:
        name: in the table.
        security: of the devices.
        start: starts it: (upstream port, folder, keys of the devices) -> (process, port).
        gateway: does it register at the upstream before it takes devices?
        proxied: is it spoken to as a proxy?
    """

    name: str
    security: str
    start: Callable
    gateway: bool = False
    proxied: bool = False


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    compiler = shutil.which("cc")
    if not compiler:
        return []
    BUILD.mkdir(parents=True, exist_ok=True)
    load = BUILD / "relay_load"
    subprocess.run([compiler, "-O2", "-o", str(load), str(_SOURCE)], check=True)
    seconds, warm_up = (0.3, 0.1) if quick else (2.5, 0.5)
    found: dict[str, list[dict]] = {one.name: [] for one in CONTESTANTS}
    for turn in range(1 if quick else _ROUNDS):
        for one in CONTESTANTS:
            tell(f"round {turn + 1}: {one.name}")
            found[one.name].append(run(one, load, warm_up, seconds))
    return [_row(one, found) for one in CONTESTANTS]


def _row(one: Contestant, found: dict[str, list[dict]]) -> dict:
    def rates(name: str) -> tuple[float, float]:
        runs = found[name]
        per_second = median(run["relayed"] / run["seconds"] for run in runs)
        return per_second, median(run["relayed"] / run["cpu"] if run["cpu"] else 0 for run in runs)

    runs = found[one.name]
    rate, per_cpu_second = rates(one.name)
    peer_rate, peer_per_cpu_second = rates(_PEER_OF[one.security])
    return {
        "what": one.name,
        "relayed/s": round(rate),
        "times the peer": round(rate / peer_rate, 2),
        "per CPU second": round(per_cpu_second),
        "times the peer per CPU second": round(per_cpu_second / peer_per_cpu_second, 2)
        if peer_per_cpu_second
        else None,
        "acknowledged/s": round(median(run["acknowledged"] / run["seconds"] for run in runs)),
        "back-log": round(median(run["backlog"] for run in runs)),
        "messages in a POST": _in_a_post(runs),
        "p50 ms": round(median(run["p50_ms"] for run in runs), 1),
        "p99 ms": round(median(run["p99_ms"] for run in runs), 1),
        "retransmitted": sum(run["retransmitted"] for run in runs),
        "load busy": f"{median(run['busy'] for run in runs):.0%}",
    }


def _in_a_post(runs: list[dict]) -> float | None:
    if not all(run["requests_upstream"] for run in runs):
        return None
    return round(median(run["relayed"] / run["requests_upstream"] for run in runs), 1)


def run(one: Contestant, load: Path, warm_up: float, seconds: float) -> dict:
    """One run.

    Returns:
        what relay_load.c prints.

    Raises:
        RuntimeError: something was refused, lost or doubled, or the load had nothing left to send.
    """
    folder = Path(tempfile.mkdtemp(prefix="relay-", dir=BUILD))
    try:
        with on_core(cores()[1]):
            generator = subprocess.Popen(
                [str(load)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert generator.stdout
        try:
            upstream = int(generator.stdout.readline())
            keys = _keys(folder, one) if one.security == OSCORE else None
            prepared = _PREPARED if one.gateway else _PREPARED_FOR_PEER
            corpus = folder / "corpus"
            each = min(60_000, round(prepared * (warm_up + seconds) / DEVICES))
            relay_corpus.write(corpus, DEVICES, each, upstream if one.proxied else None, keys)
            with one.start(upstream, folder, keys) as (process, port):
                line = f"{port} {process} {int(one.gateway)} {warm_up} {seconds} {corpus}\n"
                told, _ = generator.communicate(line, timeout=warm_up + seconds + 90)
        finally:
            generator.kill()
            generator.wait()
        if generator.returncode:
            raise RuntimeError(f"{one.name}: the load ended with {generator.returncode}")
    finally:
        shutil.rmtree(folder)
    found = json.loads(told)
    arrives = one.gateway or one.proxied
    lost = arrives and found["relayed_in_all"] < found["acknowledged_in_all"]
    if found["refused"] or found["exhausted"] or lost:
        raise RuntimeError(f"{one.name}: not every message was taken, sent or relayed: {found}")
    if not arrives:
        found["relayed"] = found["acknowledged"]
        found["backlog"] = 0
    return found


# -- contestants: each yields its process ID and its port


@contextmanager
def _gateway(
    upstream: int, folder: Path, keys: list[dict] | None, more: str = ""
) -> Iterator[tuple[int, int]]:
    port = free_port()
    settings = folder / "gateway.toml"
    settings.write_text(
        f'ue_service_id = "{_GATEWAY}"\nserver = "127.0.0.1:{upstream}"\nhost = "127.0.0.1"\nport = {port}\n'
        f'http_port = 0\ndatabase = "{folder / "gateway.sqlite"}"\nserver_security = "none"\n'
        f'security = "{OSCORE if keys else NONE}"\n{more}',
        encoding="ascii",
    )
    command = [sys.executable, "-m", "host_tools", "gateway", str(settings), "--log", "error"]
    with _process(command) as process:
        yield process.pid, port


def _gateway_without_aggregates(
    upstream: int, folder: Path, keys: list[dict] | None
) -> AbstractContextManager[tuple[int, int]]:
    return _gateway(upstream, folder, keys, "aggregate = false\n")


@contextmanager
def _proxy(_upstream: int, _folder: Path, _keys: list[dict] | None) -> Iterator[tuple[int, int]]:
    port = free_port()
    with _process(
        [sys.executable, "-m", "aiocoap.cli.proxy", "--forward", "--bind", f"127.0.0.1:{port}"]
    ) as process:
        time.sleep(2)
        yield process.pid, port


@contextmanager
def _aiocoap_oscore(_upstream: int, _folder: Path, keys: list[dict] | None) -> Iterator[tuple[int, int]]:
    with _process([sys.executable, "-m", "bench.serve_aiocoap_oscore"]) as process:
        assert process.stdin
        assert process.stdout
        json.dump(keys, process.stdin)
        process.stdin.close()
        yield process.pid, int(process.stdout.readline())


@contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with on_core(cores()[0]):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _keys(folder: Path, one: Contestant) -> list[dict]:
    # The devices are enrolled at the gateway; the peer gets keys of the same kind.
    database = folder / ("gateway.sqlite" if one.gateway else "unused.sqlite")
    devices = Devices(database, _GATEWAY)
    try:
        keys = []
        for number in range(DEVICES):
            with devices.enrol(relay_corpus.ue(number)) as device:
                keys.append(device)
        return keys
    finally:
        devices.close()


CONTESTANTS = [
    Contestant("msgin5g gateway, durable", NONE, _gateway, gateway=True),
    Contestant(
        "msgin5g gateway, durable, aggregate = false", NONE, _gateway_without_aggregates, gateway=True
    ),
    Contestant(_PROXY, NONE, _proxy, proxied=True),
    Contestant("msgin5g gateway, durable, OSCORE", OSCORE, _gateway, gateway=True),
    Contestant(_SERVER, OSCORE, _aiocoap_oscore),
]
_PEER_OF = {NONE: _PROXY, OSCORE: _SERVER}
