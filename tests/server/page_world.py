"""A gateway with its page, and its server, in this process; and somebody with an HTTP client."""

import contextlib
import json
import re
from typing import Any

import httpx2

from host_tools.lab import Lab, enrol
from host_tools.security.devices import Devices
from host_tools.ue import client
from tests.system.processes import until

__all__ = ["Site", "until"]


class Site:
    """A lab, and who looks at its gateway's page."""

    def __init__(self, directory, security="oscore"):
        self.directory = directory
        self.lab = Lab(directory, ack_timeout=100, security=security)
        self._stack = contextlib.ExitStack()
        self.process: Any = None

    async def start(self):
        await self.lab.start()
        self.process = self.lab.gateway
        self.page = self.process.page
        self.url = self.process.http.url
        self.key = (self.directory / "gateway.sqlite.operator").read_text().strip()
        self.http = httpx2.AsyncClient(base_url=self.url, trust_env=False)
        return self

    async def stop(self):
        self._stack.close()
        await self.http.aclose()
        await self.lab.stop()

    @property
    def counters(self):
        return self.process.snapshot()

    def bearer(self, key=None):
        return {"Authorization": f"Bearer {key or self.key}"}

    async def post(self, path, headers=None, **fields):
        """A form of the page's own, as a browser sends it."""
        return await self.http.post(
            path, data=fields, headers={"Origin": self.url} if headers is None else headers
        )

    async def log_in(self):
        answer = await self.post("/login", key=self.key)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        return answer

    async def enrolled(self, ue):
        """Enrol a device by way of the page; returns its file."""
        answer = await self.post("/enrol", ue=ue, address="{}:{}".format(*self.process.down.address))
        assert answer.status_code == 200, answer.text
        (ticket,) = re.findall(r'name="ticket" value="([^"]+)"', answer.text)
        file = await self.post("/device.json", ticket=ticket)
        path = self.directory / f"device-{len(list(self.directory.glob('device-*')))}.json"
        path.write_bytes(file.content)
        assert json.loads(file.content)["ue_service_id"] == ue
        return path

    async def registered(self, ue, **options):
        """A device of the lab that is registered."""
        device = enrol(self.directory, ue) if self.process.contexts else None
        gateway = None if device else self.process.addresses()["coap"]
        one = self._stack.enter_context(client(gateway, device, ue, **options))
        await one.register()
        return one

    async def events(self, path, count, headers=None):
        """The data of the first events of a stream."""
        found = []
        async with self.http.stream("GET", path, headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            event = []
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    event.append(line[6:])
                elif not line and event:
                    found.append("\n".join(event))
                    event = []
                    if len(found) == count:
                        break
        return found

    def devices(self):
        """The gateway's device registry, as another process has it."""
        return contextlib.closing(Devices(self.process.settings.database, self.process.settings.service_id))
