"""The server's two faces put together, on real sockets."""

import asyncio
import hashlib
import random
import time

from msgin5g import wire
from msgin5g.coap.endpoint import Endpoint, Parameters

from host_tools.link import UdpLink, now
from host_tools.server.application_servers import ApplicationServers
from host_tools.server.callback import Callback
from host_tools.server.coap_face import CoapFace
from host_tools.server.rest.app import RestFace
from host_tools.server.rest.auth import Credentials
from host_tools.server.rest.http_server import HttpServer
from host_tools.server.service import Service
from host_tools.settings import Credential
from host_tools.store import SqliteStore

TOKEN = "lab-secret"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


class Process:
    """A server put together: store, both faces, a UDP socket, and granian."""

    def __init__(self, path, certificate=None, key=None, verify=True, body_timeout=10.0, timeout=10.0):
        self.store = SqliteStore(path)
        self.service = Service(self.store, time.time)
        endpoint = Endpoint(Parameters(), random.getrandbits)
        self.link = UdpLink(endpoint, "127.0.0.1", 0, self._batch)
        application_servers = ApplicationServers(self.store)
        self.callback = Callback(
            endpoint,
            self.service,
            application_servers,
            time.time,
            now,
            self.link.flush,
            timeout=timeout,
            verify=verify,
        )
        coap = CoapFace(endpoint, self.service, time.time, ())
        self.service.outbound = {wire.UE: coap, wire.AS: self.callback}
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        credentials = Credentials(
            [Credential(service_id="*", token_sha256=digest, roles=["as", "message-gateway"])]
        )
        self.face = RestFace(
            self.service,
            application_servers,
            self.callback,
            credentials,
            self._committed,
            now,
            body_timeout=body_timeout,
        )
        self.http = HttpServer(self.face.app(), certificate=certificate, key=key)
        self.commits = 0
        self._waiting = []

    def _batch(self):
        self.store.commit()
        self.commits += 1
        self.link.transmit()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def _committed(self):
        one = asyncio.get_running_loop().create_future()
        self._waiting.append(one)
        self.link.flush()
        await one

    async def start(self):
        self.link.start()
        self.callback.start(now())
        await self.http.start()

    async def stop(self):
        await self.http.stop(0.5)
        await self.callback.stop()
        self.link.close()
        self.store.close()
