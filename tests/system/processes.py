"""Real processes for the system tests: `msgin5g` as a user starts it, servers and gateways from TOML files, MicroPython."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from host_tools.security import key_file
from host_tools.security.akma_keys import AkmaDevices
from host_tools.security.devices import Devices
from host_tools.setup import micropython

MSGIN5G = Path(sys.executable).with_name("msgin5g")
TOKEN = "a-token-for-the-tests-only"
GATEWAY = "gateway@example.org"
# CoAP's ACK_TIMEOUT in milliseconds: what is lost on loopback was lost with a process.
ACK_TIMEOUT = 150
# What is asserted is that something happens, not when: the bound only ends a test that hangs.
PATIENCE = 60.0


def free_ports(count):
    """Ports on loopback that nobody uses now, UDP or TCP; none that the system gives to who asks for any."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = []
    while len(found) < count:
        port = random.SystemRandom().randrange(10_000, first)
        with (
            socket.socket(type=socket.SOCK_DGRAM) as udp,
            socket.socket() as tcp,
            contextlib.suppress(OSError),
        ):
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


def seed(default):
    """The seed of a test's faults: $MSGIN5G_SEED repeats a run, and is printed."""
    value = int(os.environ.get("MSGIN5G_SEED", str(default)))
    print(f"MSGIN5G_SEED={value}")
    return random.Random(value)


async def until(condition, what, patience=PATIENCE):
    """Wait for a condition; fails with what was waited for."""
    try:
        async with asyncio.timeout(patience):
            while not condition():  # noqa: ASYNC110 (other processes set no Event)
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not in {patience:g} s: {what() if callable(what) else what}") from None


class Program:
    """`msgin5g` with arguments, as a process; what it prints is read line by line."""

    command = (MSGIN5G,)

    def __init__(self, *arguments, log, environment=None):
        self.log = log
        self.lines = []
        self._arguments = [str(argument) for argument in arguments]
        self._environment = os.environ | (environment or {})
        self._process: Any = None
        self._reading: Any = None

    async def start(self):
        """Start it; returns at once."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
            )
        self.lines = []
        self._reading = asyncio.create_task(self._read())

    async def line(self, number=0):
        """A line of its output, from JSON."""
        await until(
            lambda: len(self.lines) > number or self._reading.done(), f"line {number} of {self._arguments}"
        )
        assert len(self.lines) > number, f"{self._arguments} ended: {self.errors()}"
        return json.loads(self.lines[number])

    async def run(self, text=""):
        """Run it to its end; returns its exit status."""
        await self.start()
        self._process.stdin.write(text.encode())
        self._process.stdin.close()
        return await self.ended()

    async def ended(self):
        """Wait for its end; returns its exit status."""
        # Shielded: whoever cleans up after a test that has waited in vain waits for the same.
        async with asyncio.timeout(PATIENCE):
            await asyncio.shield(self._reading)
            return await self._process.wait()

    async def end(self, number=signal.SIGTERM):
        """Tell it to end; returns its exit status."""
        self._process.send_signal(number)
        return await self.ended()

    async def kill(self):
        """End it without a word, as a power cut does."""
        if self._process and self._process.returncode is None:
            self._process.kill()
        await self.ended()

    @property
    def pid(self):
        return self._process.pid

    @property
    def status(self):
        return self._process.returncode

    @property
    def running(self):
        return self._process is not None and self._process.returncode is None

    def errors(self):
        """What it wrote to standard error."""
        return self.log.read_text()

    def resident(self):
        """Octets of memory that it occupies."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    async def _read(self):
        async for line in self._process.stdout:
            self.lines.append(line.decode())


class Daemon(Program):
    """A server or a gateway on files and ports of its own: killed and started again it is the same one."""

    service_id = ""
    address = ("", 0)

    def __init__(self, kind, directory, settings, name=None):
        name = name or kind
        self.directory = directory
        self.file = directory / f"{name}.toml"
        self.file.write_text(settings)
        self.database = directory / f"{name}.sqlite"
        super().__init__(kind, self.file, log=directory / f"{name}.log")

    async def start(self):
        """Start it; returns when it listens."""
        await super().start()
        await self.line()

    def enrol(self, ue_service_id, file):
        """What `msgin5g enrol` does: a key for a device, in a file."""
        with (
            contextlib.closing(Devices(self.database, self.service_id)) as devices,
            devices.enrol(ue_service_id, "{}:{}".format(*self.address)) as device,
        ):
            key_file.write(file, device)

    def revoke(self, ue_service_id):
        """What `msgin5g revoke` does."""
        with contextlib.closing(Devices(self.database, self.service_id)) as devices:
            devices.revoke(ue_service_id)

    def stored(self):
        """Messages in its store, as another process sees them."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute("SELECT kind, originator, hop, message_id FROM messages").fetchall()


class Server(Daemon):
    def __init__(
        self, directory, gateways=(GATEWAY,), more="", security="oscore", ack_timeout=ACK_TIMEOUT, dtls=False
    ):
        self.security = security
        self.service_id = "server@example.org"
        self.port, self.http_port, self.dtls_port = free_ports(3)
        if dtls:
            more = f"dtls_port = {self.dtls_port}\n{more}"
        token_file = directory / "as_token"
        token_file.touch(mode=0o600)
        token_file.write_text(TOKEN + "\n")
        super().__init__(
            "server",
            directory,
            f"""
host = "127.0.0.1"
port = {self.port}
http_port = {self.http_port}
database = "server.sqlite"
gateways = {json.dumps(list(gateways))}
service_id = "{self.service_id}"
security = "{security}"
{more}

[coap]
ack_timeout = {ack_timeout}

[[credentials]]
service_id = "*"
token_file = "as_token"
roles = ["as", "message-gateway"]
""",
        )
        self.address = ("127.0.0.1", self.port)
        self.coap_url = f"coap://127.0.0.1:{self.port}"
        self.url = f"http://127.0.0.1:{self.http_port}"

    def enrol_akma(self, ue_service_id, file):
        """What `msgin5g akma enrol` does: keys for a gateway, in a file."""
        with (
            contextlib.closing(AkmaDevices(self.database, self.service_id)) as devices,
            devices.enrol_akma(ue_service_id, "msgin5g.invalid", "example.org") as keys,
        ):
            key_file.write(file, msgspec.to_builtins(keys))

    def metrics(self):
        return metrics(self.url, "server")


class Gateway(Daemon):
    def __init__(
        self,
        directory,
        server,
        ue_service_id=GATEWAY,
        name="gateway",
        more="",
        security=None,
        ack_timeout=ACK_TIMEOUT,
        uplink=None,
        server_port=None,
    ):
        # Towards the server it is as the server wants it, towards clients too unless it is said.
        self.security = security or server.security
        uplink = uplink or server.security
        server_port = server_port or (server.dtls_port if uplink == "dtls" else server.port)
        self.service_id = ue_service_id
        key = directory / f"{name}-device.json"
        if server.security == "oscore" and not key.exists():
            (server.enrol if uplink == "oscore" else server.enrol_akma)(ue_service_id, key)
        self.port, self.http_port = free_ports(2)
        super().__init__(
            "gateway",
            directory,
            f"""
ue_service_id = "{ue_service_id}"
server = "127.0.0.1:{server_port}"
host = "127.0.0.1"
port = {self.port}
http_port = {self.http_port}
database = "{name}.sqlite"
security = "{self.security}"
server_security = "{uplink}"
key_file = "{key.name}"
{more}

[coap]
ack_timeout = {ack_timeout}
""",
            name,
        )
        self.address = ("127.0.0.1", self.port)
        self.coap_url = f"coap://127.0.0.1:{self.port}"
        self.url = f"http://127.0.0.1:{self.http_port}"

    def metrics(self):
        return metrics(self.url, "gateway")


def interpreter():
    """The MicroPython with a 32-bit board's object sizes; the test is skipped where there is none."""
    path = micropython.constrained()
    if path is None:
        pytest.skip("no 32-bit MicroPython is here; `make micropython` says why")
    return path


class Script:
    """A program of a test's own under MicroPython; what it prints, line by line.

    Args:
        arguments: those of MicroPython: a file and what it is given, or "-c" and the program.
        path: folders with its modules.
        heap: as MicroPython takes it.
        folder: where it runs.
    """

    def __init__(self, *arguments, path, heap="256K", folder=None):
        self.lines = []
        self._command = [str(one) for one in (interpreter(), "-X", f"heapsize={heap}", *arguments)]
        self._environment = os.environ | {"MICROPYPATH": ":".join([*map(str, path), ".frozen"])}
        self._folder = folder
        self._process: Any = None
        self._reading: Any = None

    async def start(self):
        """Start it; returns at once."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def run(self):
        """Run it to its end; returns what it has printed."""
        await self.start()
        try:
            await self.ended()
        finally:
            await self.stop()
        return self.lines

    def said(self, text):
        """Lines with a text in them."""
        return [line for line in self.lines if text in line]

    async def ended(self):
        """Wait for its end; returns its exit status."""
        await until(self._reading.done, lambda: self.lines)
        return await self._process.wait()

    async def stop(self):
        """End it, if it runs."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _read(self):
        async for line in self._process.stdout:
            self.lines.append(line.decode().strip())


def metrics(url, kind):
    """The counters on /metrics, without what their names begin with."""
    answer = httpx2.get(url + "/metrics", trust_env=False)
    assert answer.status_code == 200
    pairs = [line.split() for line in answer.text.splitlines() if not line.startswith("#")]
    return {name.removeprefix(f"msgin5g_{kind}_"): float(value) for name, value in pairs}
