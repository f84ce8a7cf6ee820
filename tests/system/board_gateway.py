"""A gateway on a board: `firmware/examples/gateway.py` under MicroPython with the heap of a board with PSRAM."""

import asyncio
import json
import os
from typing import Any

from msgin5g.gateway_devices import Devices

from host_tools.security import key_file
from host_tools.setup import mpy
from tests.system.processes import ACK_TIMEOUT, GATEWAY, free_ports, interpreter, until

HEAP = "2M"
EXAMPLE = mpy.SOURCE / "examples" / "gateway.py"


class BoardGateway:
    """Killed and started again it is the same one: everything it keeps is in its folder.

    Args:
        directory: where its folder is made.
        server: the server, at which it is enrolled.
        library: the firmware as boards get it.
        heap: of its MicroPython.
        settings: further ones.
    """

    security = "oscore"
    service_id = GATEWAY

    def __init__(self, directory, server, library, heap=HEAP, **settings):
        self.folder = directory / "board-gateway"
        self.folder.mkdir(exist_ok=True)
        key = self.folder / "gateway-device.json"
        if not key.exists():
            server.enrol(GATEWAY, key)
        (port,) = free_ports(1)
        self.address = ("127.0.0.1", port)
        self.settings = {"port": port, "ack_timeout": ACK_TIMEOUT} | settings
        (self.folder / "gateway.json").write_text(json.dumps(self.settings))
        self.lines: list[str] = []
        self._library = library
        self._heap = heap
        self._process: Any = None
        self._reading: Any = None

    def enrol(self, ue_service_id, file):
        """A key for a device, by the file; before it starts."""
        devices = Devices(str(self.folder / "devices.jsonl"), GATEWAY, 64, print)
        key_file.write(file, devices.enrol(ue_service_id, "{}:{}".format(*self.address)))

    async def start(self):
        """Start it; returns when it listens."""
        self._process = await asyncio.create_subprocess_exec(
            str(interpreter()),
            *("-X", f"heapsize={self._heap}"),
            str(EXAMPLE),
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"MICROPYPATH": f"{self._library}:.frozen"},
        )
        begin = len(self.lines)
        self._reading = asyncio.create_task(self._read())
        await until(lambda: self.said("listening", begin) or self._reading.done(), lambda: self.lines[-5:])
        assert self.running, self.lines
        return self

    async def registered(self):
        """Wait until it is registered at the server."""
        await until(lambda: self.said("registered "), lambda: self.lines)

    async def kill(self):
        """End it without a word, as a power cut does."""
        if self.running:
            self._process.kill()
        await self._reading
        await self._process.wait()

    async def stop(self):
        """For the place's end."""
        if self._process:
            await self.kill()

    @property
    def running(self):
        return self._process is not None and self._process.returncode is None

    def said(self, text, since=0):
        """Lines on its console that begin so."""
        return [line for line in self.lines[since:] if line.startswith(text)]

    async def ask(self, line):
        """A line on its console; returns the answer."""
        begin = len(self.lines)
        self._process.stdin.write(line.encode() + b"\n")
        await until(lambda: self.said("{", begin), lambda: self.lines[begin:])
        return json.loads(self.said("{", begin)[0])

    async def state(self):
        """What it counts."""
        return (await self.ask("state"))["state"]

    async def _read(self):
        async for line in self._process.stdout:
            self.lines.append(line.decode().rstrip())
