# Our server for any client, on CPython or MicroPython:
#     peer_server.py PORT ACK_TIMEOUT [KEYS]
# echo      POST, PUT: the payload comes back
# store     PUT keeps the payload, GET gives it
# slow      GET is answered after a second, separately
# count     a number, observable; a POST adds one
# counters  GET: what the endpoint has counted

import asyncio
import json
import sys

import runtime
from msgin5g import ticks
from msgin5g.coap import numbers as n
from msgin5g.coap.server import Server

SLOW_MS = 1000


class Answerer:
    def __init__(self, port, ack_timeout):
        self.endpoint = runtime.endpoint(ack_timeout)
        self.link = runtime.link(self.endpoint, port)
        self.server = server = Server(self.endpoint, most_body=65536, most_transfers=4)
        self.stored = b""
        self.count = 0
        self.slow = []
        server.add("echo", n.POST, self.on_echo)
        server.add("echo", n.PUT, self.on_echo)
        server.add("store", n.PUT, self.on_store)
        server.add("store", n.GET, self.on_get_store)
        server.add("slow", n.GET, self.on_slow)
        server.add_observable("count", self.render_count)
        server.add("count", n.POST, self.on_count)
        server.add("counters", n.GET, self.on_counters)
        self.endpoint.on_timer.append(self.on_timer)
        self.link.start()

    def on_echo(self, request, now):
        self.server.respond(request, n.CHANGED, now, request.payload, n.OCTET_STREAM)

    def on_store(self, request, now):
        self.stored = request.payload
        self.server.respond(request, n.CHANGED, now)

    def on_get_store(self, request, now):
        self.server.respond(request, n.CONTENT, now, self.stored, n.OCTET_STREAM)

    def on_slow(self, request, now):
        due = ticks.add(now, SLOW_MS)
        self.slow.append((due, request))
        self.endpoint.arm(due)

    def render_count(self, query):
        return n.CONTENT, n.TEXT_PLAIN, str(self.count).encode()

    def on_count(self, request, now):
        self.count += 1
        self.server.notify("count", now)
        self.server.respond(request, n.CHANGED, now)

    def on_counters(self, request, now):
        told = dict(self.endpoint.counters)
        told["observers"] = self.server.observers("count")
        self.server.respond(request, n.CONTENT, now, json.dumps(told).encode(), n.JSON)

    def on_timer(self, now):
        for entry in list(self.slow):
            due, request = entry
            if ticks.diff(due, now) <= 0:
                self.slow.remove(entry)
                self.server.respond(request, n.CONTENT, now, b"slow", n.TEXT_PLAIN)
            else:
                self.endpoint.arm(due)


async def main():
    answerer = Answerer(int(sys.argv[1]), int(sys.argv[2]))
    if len(sys.argv) > 3:
        runtime.secure(answerer.endpoint, sys.argv[3])
    runtime.tell(ready=True)
    while True:
        await runtime.pause(1000)


asyncio.run(main())
