"""The peer: an aiocoap server that answers each POST and stores nothing. Prints its port."""

import asyncio

from aiocoap import CHANGED, Context, Message, resource
from msgin5g import wire

from bench.machine import free_port


class Sink(resource.Resource):
    async def render_post(self, request: Message) -> Message:
        return Message(code=CHANGED)


async def main() -> None:
    site = resource.Site()
    site.add_resource([wire.PATH], Sink())
    port = free_port()
    # Kept in a name: a context that is collected stops serving.
    _context = await Context.create_server_context(site, bind=("127.0.0.1", port))
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
