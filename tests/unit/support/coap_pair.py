# Two CoAP endpoints joined by a wire in memory, with a time of its own and seeded faults. No test sleeps.

from msgin5g import ticks
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import Message
from msgin5g.coap.server import Server

A = "a"
B = "b"


class Random:
    # xorshift: the same numbers on every runtime, without a big integer.
    def __init__(self, seed):
        self._state = seed or 1

    def bits(self, count):
        state = self._state
        state ^= state << 7 & 0xFFFF
        state ^= state >> 9
        state ^= state << 8 & 0xFFFF
        self._state = state
        return state & ((1 << count) - 1)

    def chance(self, percent):
        return percent and self.bits(15) % 100 < percent


class Wire:
    # Faults in percent of the datagrams; `delay` ms plus up to `jitter` ms, so that they overtake each other.
    def __init__(self, seed=1, loss=0, duplication=0, delay=10, jitter=0, start=0):
        self.now = start
        self.random = Random(seed)
        self.loss = loss
        self.duplication = duplication
        self.delay = delay
        self.jitter = jitter
        self.endpoints = {}
        self.under_way = []
        # Every datagram that was sent: (source, destination, fields)
        self.log = []
        # drop(datagram, source, destination) -> True to lose it
        self.drop = None

    def join(self, address, endpoint):
        self.endpoints[address] = endpoint
        return endpoint

    def send(self, datagram, source, destination):
        # Onto the wire, whoever sends it.
        self.log.append((source, destination, fields(datagram)))
        if self.random.chance(self.loss) or (self.drop and self.drop(datagram, source, destination)):
            return
        for _ in range(2 if self.random.chance(self.duplication) else 1):
            delay = self.delay + (self.random.bits(14) % self.jitter if self.jitter else 0)
            self.under_way.append((ticks.add(self.now, delay), bytes(datagram), source, destination))

    def run(self, milliseconds, until=None):
        # Let time pass, event by event, until `until()` is true.
        end = ticks.add(self.now, milliseconds)
        self.collect()
        while not (until and until()):
            due = self._next_event()
            if due is None or ticks.diff(due, end) > 0:
                self.now = end
                break
            if ticks.diff(due, self.now) > 0:
                self.now = due
            self._deliver()
            for endpoint in list(self.endpoints.values()):
                endpoint.handle_timer(self.now)
            self.collect()

    def collect(self):
        for source, endpoint in list(self.endpoints.items()):
            for datagram, destination in endpoint.datagrams_to_send():
                self.send(datagram, source, destination)

    def _next_event(self):
        earliest = None
        due = [entry[0] for entry in self.under_way]
        due.extend([endpoint.timer() for endpoint in self.endpoints.values()])
        for tick in due:
            if tick is not None and (earliest is None or ticks.diff(tick, earliest) < 0):
                earliest = tick
        return earliest

    def _deliver(self):
        arrived = [entry for entry in self.under_way if ticks.diff(entry[0], self.now) <= 0]
        self.under_way = [entry for entry in self.under_way if ticks.diff(entry[0], self.now) > 0]
        while arrived:
            # sort() is not stable on MicroPython, and neither is UDP.
            first = 0
            for place in range(1, len(arrived)):
                if ticks.diff(arrived[place][0], arrived[first][0]) < 0:
                    first = place
            _, datagram, source, destination = arrived.pop(first)
            endpoint = self.endpoints.get(destination)
            if endpoint:
                endpoint.receive(datagram, len(datagram), source, self.now)

    def sent(self, source):
        return [entry[2] for entry in self.log if entry[0] == source]


class Fields:
    # A copy of what a datagram says, for a test to look at.
    def __init__(self, datagram):
        message = Message()
        message.decode(datagram, len(datagram))
        self.type = message.type
        self.code = message.code
        self.mid = message.mid
        self.token = message.token()
        self.payload = bytes(message.payload())
        self.path = message.path()
        self.observe = message.observe
        self.block1 = message.block1
        self.block2 = message.block2
        self.size1 = message.size1
        self.size2 = message.size2
        self.etag = message.etag()
        self.max_age = message.max_age
        self.content_format = message.content_format

    def __repr__(self):
        return "<%d %02x %04x %r %r>" % (self.type, self.code, self.mid, self.token, self.payload[:20])


def fields(datagram):
    try:
        return Fields(datagram)
    except ValueError:
        return None


class Pair:
    # Endpoint a with a client, endpoint b with a server.
    def __init__(self, parameters=None, server_parameters=None, seed=1, server=None, client=None, **wire):
        self.wire = Wire(seed, **wire)
        parameters = parameters or {}
        server_parameters = parameters if server_parameters is None else server_parameters
        random = self.wire.random.bits
        self.a = self.wire.join(A, Endpoint(Parameters(**parameters), random))
        self.b = self.wire.join(B, Endpoint(Parameters(**server_parameters), random))
        for endpoint in (self.a, self.b):
            endpoint.on_error = raised
        self.client = Client(self.a, **(client or {}))
        self.server = Server(self.b, **(server or {}))
        self.server.on_error = raised_by_handler

    def now(self):
        return self.wire.now

    def run(self, milliseconds=400000, until=None):
        self.wire.run(milliseconds, until)

    def request(self, code, path="x", payload=b"", options=(), confirmable=True):
        # The responses so far: a list that fills while the wire runs.
        responses = []
        self.client.request(
            B,
            code,
            path_options(path) + list(options),
            payload,
            lambda response, now: responses.append(response),
            self.now(),
            confirmable,
        )
        return responses

    def ask(self, *arguments, **options):
        # Request and wait.
        responses = self.request(*arguments, **options)
        self.run(until=lambda: responses)
        assert len(responses) == 1, responses
        return responses[0]


def path_options(path):
    return [(11, segment) for segment in path.split("/")]


def raised(error):
    # A callback of a test that fails must fail the test, here and not in a counter.
    raise error


def raised_by_handler(request, error):
    raise error


def body(size):
    # Octets that show where they are out of place.
    return bytes([(at * 7 + (at >> 8)) & 0xFF for at in range(size)])
