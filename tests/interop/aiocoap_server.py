"""aiocoap as a server: `aiocoap_server.py PORT [OSCORE_FOLDER]`. The same resources as peer_server.py has."""

import asyncio
import sys

import aiocoap
from aiocoap import Code, Message, resource
from aiocoap.credentials import CredentialsMap
from aiocoap.oscore_sitewrapper import OscoreSiteWrapper


class Echo(resource.Resource):
    async def render_post(self, request):
        return Message(code=Code.CHANGED, payload=request.payload)

    render_put = render_post


class Store(resource.Resource):
    content = b""

    async def render_put(self, request):
        self.content = request.payload
        return Message(code=Code.CHANGED)

    async def render_get(self, request):
        return Message(code=Code.CONTENT, payload=self.content)


class Slow(resource.Resource):
    async def render_get(self, request):
        await asyncio.sleep(1)
        return Message(code=Code.CONTENT, payload=b"slow")


class Count(resource.ObservableResource):
    """Counts by itself while it is observed."""

    count = 0
    observers = 0

    def __init__(self):
        super().__init__()
        self._task = asyncio.create_task(self._run())

    async def _run(self):
        while True:
            await asyncio.sleep(0.1)
            if self.observers:
                self.count += 1
                self.updated_state()

    def update_observation_count(self, newcount):
        self.observers = newcount

    async def render_get(self, request):
        return Message(code=Code.CONTENT, payload=b"%d" % self.count)


class Observers(resource.Resource):
    def __init__(self, count):
        super().__init__()
        self._count = count

    async def render_get(self, request):
        return Message(code=Code.CONTENT, payload=b"%d" % self._count.observers)


async def main():
    site = resource.Site()
    count = Count()
    for path, where in {
        "echo": Echo(),
        "store": Store(),
        "slow": Slow(),
        "count": count,
        "observers": Observers(count),
    }.items():
        site.add_resource([path], where)
    credentials = CredentialsMap()
    if len(sys.argv) > 2:
        credentials.load_from_dict({":peer": {"oscore": {"basedir": sys.argv[2]}}})
        site = OscoreSiteWrapper(site, credentials)
    await aiocoap.Context.create_server_context(
        site, server_credentials=credentials, bind=("127.0.0.1", int(sys.argv[1]))
    )
    print("{}", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
