# The board's serial link, on a UART that is two lists of octets.

import asyncio
import gc
import io
import random

from coap_pair import body
from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.server import Server
from msgin5g.link import serial
from msgin5g.link.serial import SerialLink

RUNTIMES = ("micropython",)

_POLL = 3
_READABLE = 1
_WRITABLE = 4


class Wire:
    # One direction of a line.
    def __init__(self):
        self.octets = bytearray()
        self.most = 100000
        self.noise = None


class Uart(io.IOBase):
    def __init__(self, incoming, outgoing):
        self.incoming = incoming
        self.outgoing = outgoing
        self.unplugged = False
        self.polls = 0
        self.most_written = 1000

    def ioctl(self, request, flags):
        if request != _POLL:
            return -1
        self.polls += 1
        ready = 0
        if self.incoming.octets or self.unplugged:
            ready |= _READABLE
        if len(self.outgoing.octets) < self.outgoing.most:
            ready |= _WRITABLE
        return ready & flags

    def readinto(self, buffer):
        if self.unplugged:
            raise OSError(5)
        count = min(len(buffer), len(self.incoming.octets))
        if not count:
            return None
        buffer[:count] = self.incoming.octets[:count]
        self.incoming.octets = self.incoming.octets[count:]
        return count

    def write(self, octets):
        if self.unplugged:
            raise OSError(5)
        count = min(len(octets), self.outgoing.most - len(self.outgoing.octets), self.most_written)
        if count <= 0:
            return None
        octets = bytes(octets[:count])
        if self.outgoing.noise:
            octets = self.outgoing.noise(octets)
        self.outgoing.octets.extend(octets)
        return count


class Node:
    def __init__(self, uart, **parameters):
        self.endpoint = Endpoint(Parameters(**parameters), random.getrandbits)
        self.link = SerialLink(self.endpoint, uart)
        self.client = Client(self.endpoint, self.link.szx)
        self.server = Server(self.endpoint)
        self.served = 0
        self.server.add("x", n.POST, self.serve)
        self.link.start()

    def serve(self, request, now):
        self.served += 1
        self.server.respond(request, n.CHANGED, now, request.payload)

    async def ask(self, payload=b"hi"):
        responses = []
        done = asyncio.Event()

        def on_response(response, now):
            responses.append(response)
            done.set()

        address = self.link.resolve()
        self.client.request(address, n.POST, [(n.URI_PATH, "x")], payload, on_response, self.link.now())
        self.link.flush()
        await done.wait()
        return responses[0]


def pair(**parameters):
    up, down = Wire(), Wire()
    return Node(Uart(down, up), **parameters), Node(Uart(up, down), **parameters)


async def close(*nodes):
    for node in nodes:
        node.link.close()
    await asyncio.sleep(0)


async def test_request_and_response():
    a, b = pair()
    for size in (0, 100, 3000):
        response = await a.ask(body(size))
        assert response.code == n.CHANGED and response.payload == body(size)
    assert a.link.errors == b.link.errors == 0
    assert a.link.broken == b.link.broken == 0
    await close(a, b)


async def test_everybody_is_the_one_at_the_other_end():
    a, b = pair()
    assert a.link.broadcast(5683) == a.link.resolve("gateway", 5683) == a.link.resolve()
    a.link.connect(a.link.resolve())
    assert (await a.ask()).payload == b"hi"
    await close(a, b)


async def test_a_stream_that_waits_is_read_octet_by_octet():
    a, b = pair()
    await close(a)
    uart = a.link._source
    readinto = uart.readinto

    def all_or_nothing(buffer):
        assert len(buffer) <= len(uart.incoming.octets), "it would wait"
        return readinto(buffer)

    uart.readinto = all_or_nothing
    a.link = SerialLink(a.endpoint, uart, waits=True)
    a.link.start()
    assert (await a.ask(body(700))).payload == body(700)
    await close(a, b)


async def test_a_line_that_takes_little_at_a_time():
    a, b = pair()
    a.link._output.most_written = 3
    assert (await a.ask(body(200))).payload == body(200)
    await close(a, b)


async def test_noise_loses_datagrams_and_nothing_else():
    random.seed(7)
    a, b = pair(ack_timeout=60, max_retransmit=8)

    def noise(octets):
        # One write in eight: an octet is lost, changed or too many.
        if random.getrandbits(3):
            return octets
        place = random.getrandbits(8) % len(octets)
        middle = (b"", bytes([random.getrandbits(8)]), octets[place : place + 1] + b"\xc0")
        return octets[:place] + middle[random.getrandbits(8) % 3] + octets[place + 1 :]

    a.link._output.outgoing.noise = b.link._output.outgoing.noise = noise
    for number in range(20):
        payload = body(40 + number)
        assert (await a.ask(payload)).payload == payload
    assert b.served == 20
    assert a.link.broken + b.link.broken > 0
    await close(a, b)


async def test_messages_of_a_board_that_starts_are_passed_over():
    a, b = pair()
    a.link._source.incoming.octets.extend(b"ets Jul 29 2019 12:21:46\r\nrst:0x1 (POWERON_RESET)\r\n")
    assert (await a.ask()).payload == b"hi"
    assert a.link.broken == 1
    await close(a, b)


async def test_unplugged_is_no_busy_loop_and_plugged_again_it_goes_on():
    a, b = pair(ack_timeout=20, max_retransmit=2)
    assert (await a.ask()).payload == b"hi"
    uart = a.link._source
    uart.unplugged = True
    assert (await a.ask()).code is None
    polls = uart.polls
    await asyncio.sleep_ms(500)
    # The Unix port itself polls such an object every millisecond, for each that waits; the link looks rarely.
    assert uart.polls - polls < 1500
    assert a.link.errors >= 1
    uart.unplugged = False
    for _ in range(50):
        if (await a.ask()).code is not None:
            break
    assert (await a.ask()).payload == b"hi"
    await close(a, b)


async def test_what_nobody_reads_does_not_grow():
    a, b = pair(nstart=100, most_waiting=100)
    uart = a.link._output
    uart.outgoing.most = 0
    for _ in range(40):
        a.endpoint.ping(a.link.resolve(), None, a.link.now())
    a.link.flush()
    await asyncio.sleep_ms(20)
    assert len(a.link._unsent) <= serial._MOST_UNSENT
    assert a.link.errors == 40 - serial._MOST_UNSENT - 1 or a.link.errors == 40 - serial._MOST_UNSENT
    await close(a, b)


async def test_a_datagram_that_is_too_long():
    a, b = pair()
    a.link._send(bytes(1280), None)
    assert not a.link._send(bytes(1281), None)
    b.link.most_octets = 1500
    b.link._send(bytes(1281), None)
    while not a.link.oversized:
        await asyncio.sleep_ms(5)
    assert a.link.oversized == 1 and a.endpoint.counters["received"] == 0
    assert b.link.oversized == 0 and b.endpoint.counters["received"] == 1
    assert (await a.ask()).payload == b"hi"
    await close(a, b)


async def test_an_error_nobody_caught_costs_its_own_datagram():
    a, b = pair(ack_timeout=20)
    errors = []
    b.link.on_error = errors.append
    receive = b.endpoint.receive

    def broken(data, size, address, now):
        b.endpoint.receive = receive
        raise MemoryError

    b.endpoint.receive = broken
    assert (await a.ask()).payload == b"hi"
    assert len(errors) == 1 and b.link.errors == 1
    await close(a, b)


def test_receiving_makes_no_garbage():
    link = SerialLink(Endpoint(Parameters(), random.getrandbits), Uart(Wire(), Wire()))
    noise = bytes(range(1, 65)) * 4
    taken = [0]

    def readinto(buffer):
        count = min(len(buffer), len(noise) - taken[0])
        for place in range(count):
            buffer[place] = noise[taken[0] + place]
        taken[0] += count
        return count

    class Line:
        pass

    link._source = Line()
    link._source.readinto = readinto
    link._readable = lambda: taken[0] < len(noise)
    link._drain()
    gc.collect()
    held = []
    for _ in range(3):
        taken[0] = 0
        held.append(gc.mem_alloc())
        link._drain()
    held.append(gc.mem_alloc())
    # What is left is the list that counts.
    assert held[3] - held[2] <= 64, held


async def test_requests_leave_no_memory_behind():
    a, b = pair(most_recent=4)
    held = []
    for _ in range(3):
        for _ in range(20):
            await a.ask(b"x" * 100)
        gc.collect()
        held.append(gc.mem_alloc())
    assert abs(held[2] - held[1]) < 500, held
    await close(a, b)
