# Our client against any server, on CPython or MicroPython:
#     peer_client.py PORT '[{"do": "post", "path": "echo", "size": 20000}, ...]' ACK_TIMEOUT SZX [KEYS]
# A step is one request, {"do": method, "path":, "size":, "con":}, or {"do": "observe", "path":, "count":}, which takes
# so many notifications and cancels. Each step prints what came of it.

import asyncio
import json
import sys

import runtime
from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.message import uri_options

METHODS = {"get": n.GET, "post": n.POST, "put": n.PUT, "delete": n.DELETE}


class Asker:
    def __init__(self, port, ack_timeout, szx):
        self.endpoint = runtime.endpoint(ack_timeout)
        self.link = runtime.link(self.endpoint)
        self.client = Client(self.endpoint, szx=szx, most_body=65536)
        self.link.start()
        self.address = self.link.resolve("127.0.0.1", port)

    async def request(self, step):
        done = asyncio.Event()
        responses = []

        def on_response(response, now):
            responses.append(response)
            done.set()

        path, _, query = step["path"].partition("?")
        self.client.request(
            self.address,
            METHODS[step["do"]],
            uri_options(path, query),
            runtime.body(step["size"]) if step.get("size") else b"",
            on_response,
            self.link.now(),
            step.get("con", True),
        )
        self.link.flush()
        await done.wait()
        response = responses[0]
        runtime.tell(
            how=response.how,
            code=response.code,
            size=len(response.payload),
            seal=runtime.seal(response.payload),
            head=str(response.payload[:40]),
        )

    async def observe(self, step):
        enough = asyncio.Event()
        seen = []

        def on_response(response, now):
            seen.append(str(response.payload[:40]) if response.code == n.CONTENT else response.how)
            if len(seen) >= step["count"]:
                enough.set()

        observation = self.client.observe(
            self.address, uri_options(step["path"]), on_response, self.link.now()
        )
        self.link.flush()
        await enough.wait()
        observation.cancel(self.link.now())
        self.link.flush()
        count = len(seen)
        await runtime.pause(step.get("quiet", 500))
        runtime.tell(seen=seen[:count], after_cancel=len(seen) - count)


async def main():
    asker = Asker(int(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4]))
    if len(sys.argv) > 5:
        runtime.secure(asker.endpoint, sys.argv[5])
    for step in json.loads(sys.argv[2]):
        await (asker.observe(step) if step["do"] == "observe" else asker.request(step))
    # A link on a host sends at the end of a turn of the loop.
    await asyncio.sleep(0)
    runtime.tell(counters=asker.endpoint.counters, occupancy=asker.endpoint.occupancy())
    asker.link.close()


asyncio.run(main())
