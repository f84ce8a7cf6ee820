"""Boards that run scripts of their own against `msgin5g up`: MicroPython with a board's heap, provisioned."""

from typing import Any

from host_tools import lab
from host_tools.setup import mpy
from tests.system.conftest import ApplicationServer
from tests.system.processes import Script

EXAMPLES = mpy.SOURCE / "examples"
HEAP = "160K"
AS = "meters@example.org"


class Field:
    """`msgin5g up` with an Application Server, and boards that were enrolled there."""

    def __init__(self, place, library):
        self._place = place
        self._library = library
        self._folder = place.directory / "lab"
        self._program = place.program("up", "--dir", self._folder)
        self.application_server: Any = None

    async def start(self):
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
        # An example's constants are what the test says, so it is not the compiled one, where they are in place.
        path = [library or self._library, EXAMPLES]
        boot = Script("-c", script, path=path, heap=HEAP, folder=folder)
        self._place._others.append(boot)
        return await boot.start()
