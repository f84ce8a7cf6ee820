# A network in memory with its own time: endpoints at addresses, datagrams that may be lost, timers that fire when
# the world is advanced. No test sleeps.

import asyncio

from msgin5g import ticks

# The address that all endpoints but the sender's are at.
EVERYBODY = "*"


class Random:
    # A small linear congruential generator: the same numbers on every runtime.
    def __init__(self, seed=1):
        self._state = seed

    def bits(self, count):
        value = 0
        for _ in range((count + 7) >> 3):
            self._state = (self._state * 1103515245 + 12345) & 0x3FFFFFFF
            value = value << 8 | self._state >> 16 & 0xFF
        return value >> (-count & 7)


class World:
    def __init__(self, seed=1, start=0):
        self.now = start
        self.wall = 1800000000
        self.random = Random(seed)
        self.endpoints = {}
        # Called before anything leaves an endpoint: a store's commit.
        self.before_send = []
        # drop(datagram, source, destination) -> True to lose it
        self.drop = None
        self.datagrams = 0

    def wall_clock(self):
        return self.wall + self.now // 1000

    def join(self, address, endpoint):
        self.endpoints[address] = endpoint
        return endpoint

    def leave(self, address):
        return self.endpoints.pop(address, None)

    def settle(self):
        # Deliver until nothing is under way.
        while True:
            for commit in self.before_send:
                commit()
            under_way = []
            for source, endpoint in list(self.endpoints.items()):
                for datagram, destination in endpoint.datagrams_to_send():
                    under_way.append((datagram, source, destination))
            if not under_way:
                return
            for datagram, source, destination in under_way:
                self.datagrams += 1
                if self.drop and self.drop(datagram, source, destination):
                    continue
                for endpoint in self._at(destination, source):
                    endpoint.receive(bytes(datagram), len(datagram), source, self.now)

    def _at(self, destination, source):
        if destination == EVERYBODY:
            return [self.endpoints[address] for address in sorted(self.endpoints) if address != source]
        endpoint = self.endpoints.get(destination)
        return [endpoint] if endpoint else []

    def advance(self, milliseconds):
        # Let time pass, timer by timer.
        end = ticks.add(self.now, milliseconds)
        self.settle()
        while True:
            due = self._next_timer()
            if due is None or ticks.diff(due, end) > 0:
                break
            if ticks.diff(due, self.now) > 0:
                self.now = due
            for endpoint in list(self.endpoints.values()):
                endpoint.handle_timer(self.now)
            self.settle()
        self.now = end

    def _next_timer(self):
        earliest = None
        for endpoint in self.endpoints.values():
            due = endpoint.timer()
            if due is not None and (earliest is None or ticks.diff(due, earliest) < 0):
                earliest = due
        return earliest

    async def run(self, coroutine, most=600000):
        # The coroutine's result, while time passes as it must; fails when that takes more than `most` ms.
        task = asyncio.create_task(coroutine)
        waited = 0
        while not task.done():
            for _ in range(5):
                await asyncio.sleep(0)
            if task.done():
                break
            self.settle()
            await asyncio.sleep(0)
            if not task.done() and not self._pending():
                assert waited < most, "still waiting"
                self.advance(50)
                waited += 50
        return await task

    def _pending(self):
        return any(endpoint._outgoing for endpoint in self.endpoints.values())


class FakeLink:
    # What a Client takes for its link: FakeLink.at(world, address) as link=.
    def __init__(self, world, address, endpoint):
        self.before_send = _nothing
        self.most_octets = 1280
        self.szx = 6
        self._world = world
        self._address = address
        self._endpoint = endpoint

    @staticmethod
    def at(world, address):
        return lambda endpoint: FakeLink(world, address, endpoint)

    def resolve(self, host, port):
        return host

    def broadcast(self, port):
        return EVERYBODY

    def connect(self, address):
        self.peer = address

    def now(self):
        return self._world.now

    def start(self):
        self._world.join(self._address, self._endpoint)
        self._world.before_send.append(self.before_send)

    def close(self):
        self._world.leave(self._address)
        self._world.before_send.remove(self.before_send)

    def flush(self):
        pass


def _nothing():
    pass
