"""The gateway of the benchmark of scale: its database made beforehand, its process, what it uses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgin5g import messages, wire
from msgin5g.registry import Registered

from bench import scale_field
from bench.machine import BUILD, cores, cpu_seconds, free_port, on_core
from host_tools.security.devices import Devices, _kid
from host_tools.settings_base import MOST_OCTETS
from host_tools.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GATEWAY = "gateway@bench.example"
SERVER = "server@bench.example"
_AT_ONCE = 5000


def enrol(folder: Path, devices: int) -> list[dict]:
    """Enrol devices; returns what each is given."""
    made = Devices(folder / "gateway.sqlite", GATEWAY)
    keys, rows = [], []
    try:
        for number in range(devices):
            kid, secret, salt = _kid(number), os.urandom(16), os.urandom(8)
            rows.append((kid, scale_field.ue(number), secret, salt, 0, 1))
            oscore = {
                "master_secret": secret.hex(),
                "master_salt": salt.hex(),
                "sender_id": kid.hex(),
                "recipient_id": "",
            }
            keys.append({"gateway_ue_service_id": GATEWAY, "oscore": oscore})
        with made._transaction():
            made._database.executemany(
                "INSERT INTO devices (kid, ue_service_id, master_secret, master_salt, enrolled, change)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
    finally:
        made.close()
    return keys


def server_keys(folder: Path) -> dict:
    """Enrol the gateway at a server; returns what it is given."""
    devices = Devices(folder / "server.sqlite", SERVER)
    try:
        with devices.enrol(GATEWAY) as device:
            (folder / "gateway-device.json").write_text(json.dumps(device), encoding="ascii")
            return device
    finally:
        devices.close()


def register(folder: Path, devices: int, port: int) -> None:
    """Have devices registered, at the port of them all."""
    store = SqliteStore(folder / "gateway.sqlite")
    for number in range(devices):
        name = scale_field.ue(number)
        body = messages.encode(messages.registration(name))
        store.save_registered(Registered(name, (scale_field.address(number), port), None, body))
    store.close()


def fill(folder: Path, depth: int, devices: int, *, down: bool) -> None:
    """Store messages, in turn of each device, or for each of them."""
    store = SqliteStore(folder / "gateway.sqlite", most_messages=2 * depth + 1, most_octets=4 * MOST_OCTETS)
    expires = int(time.time()) + 86400
    for serial in range(depth):
        number = serial % devices
        body = scale_field.message_of(number, serial + (1 << 31), to_device=down)
        hop, originator = ("", scale_field.ue(number))
        if down:
            hop, originator = originator, scale_field.RECIPIENT
        store.put(hop, originator, wire.MSG, messages.decode(body)[wire.MESSAGE_ID], 0, body, expires)
        if serial % _AT_ONCE == _AT_ONCE - 1:
            store.commit()
    store.close()


@dataclass
class Running:
    """A gateway that runs.

    Attributes:
        process: its process.
        port: for devices.
    """

    process: subprocess.Popen[str]
    port: int

    def cpu(self) -> float:
        """Seconds of CPU time that it has used."""
        return cpu_seconds(self.process.pid)

    def resident(self) -> float:
        """Megabytes (10 ** 6 octets) of memory that it has now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def gateway(folder: Path, server_port: int, more: str = "") -> Iterator[Running]:
    """Run a gateway on the first core; from as many ports as it takes for the Message IDs of CoAP."""
    port = free_port()
    settings = folder / "gateway.toml"
    settings.write_text(
        f'ue_service_id = "{GATEWAY}"\nserver = "127.0.0.1:{server_port}"\nhost = "127.0.0.1"\nport = {port}\n'
        f'http_port = 0\ndatabase = "{folder / "gateway.sqlite"}"\nuplink_ports = 64\n{more}',
        encoding="ascii",
    )
    with _process("gateway", settings, cores()[0]) as process:
        yield Running(process, port)


@contextmanager
def server(folder: Path) -> Iterator[Running]:
    """Run a server on the other core, for the gateway that was enrolled there."""
    port = free_port()
    settings = folder / "server.toml"
    settings.write_text(
        f'service_id = "{SERVER}"\nhost = "127.0.0.1"\nport = {port}\nhttp_port = 0\ngateways = ["{GATEWAY}"]\n'
        f'database = "{folder / "server.sqlite"}"\n',
        encoding="ascii",
    )
    with _process("server", settings, cores()[1]) as process:
        yield Running(process, port)


@contextmanager
def _process(kind: str, settings: Path, core: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "host_tools", kind, str(settings), "--log", "error"]
    with on_core(core):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one run, on the disk of the project."""
    BUILD.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="scale-", dir=BUILD))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def wait(upstream: scale_field.Upstream, until: Callable[[], bool], seconds: float = 120) -> None:
    """Drive what is upstream until something holds.

    Raises:
        TimeoutError: it did not.
    """
    end = time.monotonic() + seconds
    while not until():
        upstream.drain()
        time.sleep(0.001)
        if time.monotonic() > end:
            raise TimeoutError("the gateway does not do what is waited for")
