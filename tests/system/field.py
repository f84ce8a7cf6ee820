"""Boards that run scripts of their own against `msgin5g up`: MicroPython with a board's heap, provisioned."""

import asyncio
import os
from typing import Any

import pytest

from host_tools import lab
from host_tools.setup import micropython, mpy
from tests.system.conftest import ApplicationServer
from tests.system.processes import until

EXAMPLES = mpy.SOURCE / "examples"
HEAP = "160K"
AS = "meters@example.org"


class Boot:
    """One start of a board: what is said on its console, line by line."""

    def __init__(self, library, folder, script):
        # An example's constants are what the test says, so it is not the compiled one, where they are in place.
        self._environment = os.environ | {"MICROPYPATH": f"{library}:{EXAMPLES}:.frozen"}
        self._command = [str(micropython.constrained()), "-X", f"heapsize={HEAP}", "-c", script]
        self._folder = folder
        self.lines = []
        self._process: Any = None

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def _read(self):
        async for line in self._process.stdout:
            self.lines.append(line.decode().strip())

    def said(self, text):
        return [line for line in self.lines if text in line]

    async def ended(self):
        await until(self._reading.done, lambda: self.lines)
        return await self._process.wait()

    async def stop(self):
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class Field:
    """`msgin5g up` with an Application Server, and boards that were enrolled there."""

    def __init__(self, place, library):
        self._place = place
        self._library = library
        self._folder = place.directory / "lab"
        self._program = place.program("up", "--dir", self._folder)
        self.application_server: Any = None

    async def start(self):
        if micropython.constrained() is None:
            pytest.skip("no 32-bit MicroPython is here; `make micropython` says why")
        await self._program.start()
        self._told = await self._program.line()
        self.application_server = await self.listen(AS)
        return self

    async def listen(self, service_id):
        self.url = self._told["server"]["rest"]
        application_server = ApplicationServer(service_id, self, self._told["server"]["as_token"])
        self._place._others.append(application_server)
        await application_server.start()
        return application_server

    async def boot(self, ue_service_id, script, library=None):
        folder = lab.enrol(self._folder, ue_service_id).parent
        boot = Boot(library or self._library, folder, script)
        self._place._others.append(boot)
        return await boot.start()
