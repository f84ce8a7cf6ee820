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
    # Kept in a name: a context that is collected stops serving.
    port, _context = await listening(site)
    print(port, flush=True)
    await asyncio.Event().wait()


async def listening(site: resource.Site) -> tuple[int, Context]:
    # It binds to the port for TCP as well, which somebody else may have taken.
    for _ in range(10):
        port = free_port()
        try:
            return port, await Context.create_server_context(site, bind=("127.0.0.1", port))
        except OSError:
            continue
    raise OSError("no port that is free for UDP and for TCP")


if __name__ == "__main__":
    asyncio.run(main())
