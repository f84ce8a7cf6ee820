"""Where the gateway's time goes when it relays a message: CPU time by part, in one process, without other processes."""

from __future__ import annotations

import cProfile
import pstats
import shutil
import socket
import struct
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgin5g.coap.endpoint import Endpoint
from msgin5g.gateway import Gateway

from bench import relay_corpus
from bench.machine import BUILD
from bench.relay import DEVICES
from host_tools import quick_json
from host_tools.randomness import random_bits
from host_tools.security.contexts import DeviceContexts
from host_tools.security.devices import Devices
from host_tools.settings import Coap
from host_tools.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable

TITLE = "Where the gateway's time goes"
NOTES = """\
Microseconds of CPU time of one message of the benchmark above, in the gateway's core: taken from a device, stored,
acknowledged, sent upstream, acknowledged there and taken out, 64 at a time, without the event loop. The total is the
median of all batches; it is divided among the parts as a profiler sees them, which is near enough to say which is large
and not more. Calls are those of Python functions. The last row is what the system takes for the four datagrams of a
message, measured by itself. Waiting for the disk is in none of them."""

_GATEWAY = "gateway@bench.example"
_SERVER = ("192.0.2.1", 5683)
_WINDOW = 64
# Part: what the names of its files have in them.
_PARTS = {
    "OSCORE": ("msgin5g/oscore/", "security/contexts", "aead", "AESCCM"),
    "CoAP": ("msgin5g/coap/", "randomness", "msgin5g/ticks"),
    "messages: JSON, checks": (
        "msgin5g/messages",
        "quick_json",
        "msgspec",
        "msgin5g/wire",
        "msgin5g/resource",
    ),
    "gateway, relay, fairness": ("msgin5g/gateway", "msgin5g/relay", "msgin5g/registry"),
    "delivery": ("msgin5g/delivery", "gateway_fair", "gateway_aggregate"),
    "store, SQLite": ("host_tools/store", "duplicates", "sqlite3", "_blake2"),
}
_OTHER = "built-in functions"


def measure(quick: bool, tell: Callable[[str], None]) -> list[dict]:
    BUILD.mkdir(parents=True, exist_ok=True)
    batches = 20 if quick else 300
    columns = {}
    for name, protected in (("plain", False), ("OSCORE", True)):
        tell(name)
        total, _ = _run(protected, batches, None)
        profile = cProfile.Profile()
        _, messages = _run(protected, batches, profile)
        columns[name] = (total, _shares(profile), messages)
    rows = []
    for part in (*_PARTS, _OTHER):
        row: dict = {"part": part}
        for name, (total, shares, messages) in columns.items():
            took, calls = shares.get(part, (0.0, 0))
            all_of_it = sum(one for one, _ in shares.values())
            row[f"{name}, µs"] = round(total * took / all_of_it, 1)
            row[f"{name}, calls"] = round(calls / messages)
        rows.append(row)
    totals: dict = {"part": "all"}
    for name, (total, shares, messages) in columns.items():
        totals[f"{name}, µs"] = round(total, 1)
        totals[f"{name}, calls"] = round(sum(calls for _, calls in shares.values()) / messages)
    datagrams = round(2 * _socket_pair(200 if quick else 20_000), 1)
    rows += [totals, {"part": "datagrams: two in, two out", "plain, µs": datagrams, "OSCORE, µs": datagrams}]
    return rows


def _shares(profile: cProfile.Profile) -> dict[str, tuple[float, int]]:
    # (seconds, calls of Python functions) by part.
    found: dict[str, tuple[float, int]] = {}
    for (file, _, function), (_, calls, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        text = file + function
        parts = [part for part, names in _PARTS.items() if any(name in text for name in names)]
        # Of two that fit the later one is more exact.
        part = parts[-1] if parts else _OTHER
        before = found.get(part, (0.0, 0))
        found[part] = (before[0] + own, before[1] + (calls if file != "~" else 0))
    return found


def _run(protected: bool, batches: int, profile: cProfile.Profile | None) -> tuple[float, int]:
    """Relay; returns the median CPU time of a message in microseconds, and how many there were."""
    folder = Path(tempfile.mkdtemp(prefix="parts-", dir=BUILD))
    try:
        site = _Site(folder, protected, batches)
        site.batch(0)
        site.settle()
        took = []
        if profile:
            profile.enable()
        for number in range(1, batches + 1):
            begin = time.process_time()
            site.batch(number)
            took.append(time.process_time() - begin)
        if profile:
            profile.disable()
        site.store.close()
        return sorted(took)[len(took) // 2] / DEVICES * 1e6, batches * DEVICES
    finally:
        shutil.rmtree(folder)


class _Site:
    """A gateway whose server answers at once, and devices with finished datagrams."""

    def __init__(self, folder: Path, protected: bool, batches: int) -> None:
        quick_json.use()
        database = folder / "gateway.sqlite"
        keys = _enrolled(database) if protected else None
        self._datagrams = _datagrams(folder, batches, keys)
        self.store = SqliteStore(database)
        contexts = DeviceContexts(self.store, _GATEWAY) if protected else None
        self.down = Endpoint(Coap().parameters(), random_bits, security=contexts)
        self.up = Endpoint(Coap().parameters(_WINDOW), random_bits)
        gateway = Gateway(_GATEWAY, self.down, self.up, _SERVER, self.store, time.time, up_window=_WINDOW)
        self._now = 0
        gateway.start(self._now)
        self._answers: list[bytes] = []
        self.settle()

    def batch(self, number: int) -> None:
        """One datagram of each device, and the server's answers to what came before."""
        self._now += 8
        self._answer()
        for device, datagrams in enumerate(self._datagrams):
            datagram = datagrams[number]
            self.down.receive(datagram, len(datagram), ("192.0.2.2", 1024 + device), self._now)
        self.store.commit()
        self.down.datagrams_to_send()
        for datagram, _ in self.up.datagrams_to_send():
            end = 4 + (datagram[0] & 15)
            self._answers.append(bytes((0x60 | datagram[0] & 15, 0x44)) + bytes(datagram[2:end]))

    def settle(self) -> None:
        """Until nothing is under way."""
        while True:
            for datagram, _ in self.up.datagrams_to_send():
                end = 4 + (datagram[0] & 15)
                self._answers.append(bytes((0x60 | datagram[0] & 15, 0x41)) + bytes(datagram[2:end]))
            if not self._answers:
                break
            self._answer()
        self.store.commit()
        self.down.datagrams_to_send()

    def _answer(self) -> None:
        answers, self._answers = self._answers, []
        for answer in answers:
            self.up.receive(answer, len(answer), _SERVER, self._now)


def _enrolled(database: Path) -> list[dict]:
    devices = Devices(database, _GATEWAY)
    keys = []
    for number in range(DEVICES):
        with devices.enrol(relay_corpus.ue(number)) as device:
            keys.append(device)
    devices.close()
    return keys


def _datagrams(folder: Path, batches: int, keys: list[dict] | None) -> list[list[bytes]]:
    corpus = folder / "corpus"
    relay_corpus.write(corpus, DEVICES, batches, None, keys)
    octets = corpus.read_bytes()
    found: list[list[bytes]] = [[] for _ in range(DEVICES)]
    at = 0
    while at < len(octets):
        device, size = struct.unpack_from("<HH", octets, at)
        found[device].append(octets[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def _socket_pair(times: int) -> float:
    """CPU time of one datagram sent and one received, in microseconds."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        address = one.getsockname()
        datagram = bytes(300)
        begin = time.process_time()
        for _ in range(times):
            other.sendto(datagram, address)
            one.recvfrom(2049)
        return (time.process_time() - begin) / times * 1e6
