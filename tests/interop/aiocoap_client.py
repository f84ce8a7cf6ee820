"""aiocoap as a client of peer_server.py: `aiocoap_client.py PORT STEPS [OSCORE_FOLDER]`, with peer_client.py's steps and output."""

import asyncio
import json
import sys
from zlib import crc32

import aiocoap
from aiocoap import Code, Message
from aiocoap.numbers import TransportTuning

METHODS = {"get": Code.GET, "post": Code.POST, "put": Code.PUT}


class Tuning(TransportTuning):
    ACK_TIMEOUT = 0.2
    MAX_RETRANSMIT = 7


def body(size):
    return bytes([(at * 7 + (at >> 8)) & 0xFF for at in range(size)])


def tell(**record):
    print(json.dumps(record), flush=True)


def message(port, step, **options):
    return Message(
        code=METHODS.get(step["do"], Code.GET),
        uri=f"coap://127.0.0.1:{port}/{step['path']}",
        payload=body(step.get("size", 0)),
        transport_tuning=Tuning() if step.get("con", True) else aiocoap.numbers.Unreliable,
        **options,
    )


async def request(context, port, step):
    response = await context.request(message(port, step)).response
    tell(
        code=int(response.code),
        size=len(response.payload),
        seal=crc32(response.payload),
        head=repr(response.payload[:40]),
    )


async def observe(context, port, step):
    watched = context.request(message(port, step, observe=0))
    seen = [(await watched.response).payload.decode()]
    notifications = aiter(watched.observation)
    while len(seen) < step["count"]:
        await context.request(message(port, {"do": "post", "path": step["path"]})).response
        seen.append((await anext(notifications)).payload.decode())
    watched.observation.cancel()
    tell(seen=seen)


async def main():
    port = int(sys.argv[1])
    context = await aiocoap.Context.create_client_context()
    if len(sys.argv) > 3:
        keys = {"oscore": {"basedir": sys.argv[3]}}
        context.client_credentials.load_from_dict({f"coap://127.0.0.1:{port}/*": keys})
    for step in json.loads(sys.argv[2]):
        await (observe if step["do"] == "observe" else request)(context, port, step)
    await context.shutdown()


asyncio.run(main())
