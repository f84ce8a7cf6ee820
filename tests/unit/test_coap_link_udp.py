# The board's UDP link, on loopback.

import asyncio
import gc
import random
import socket

from coap_pair import body
from msgin5g import ticks
from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import TIMEOUT, Endpoint, Parameters
from msgin5g.coap.message import encode
from msgin5g.coap.server import Server
from msgin5g.link.udp import UdpLink

RUNTIMES = ("micropython",)


class Node:
    def __init__(self, port=None, **parameters):
        self.endpoint = Endpoint(Parameters(**parameters), random.getrandbits)
        self.link = UdpLink(self.endpoint, local_port=port)
        self.client = Client(self.endpoint)
        self.server = Server(self.endpoint)
        self.served = 0
        self.server.add("x", n.POST, self.serve)
        self.link.start()

    def serve(self, request, now):
        self.served += 1
        self.server.respond(request, n.CHANGED, now, request.payload)

    async def ask(self, address, payload=b"hi"):
        responses = []
        done = asyncio.Event()

        def on_response(response, now):
            responses.append(response)
            done.set()

        options = [(n.URI_PATH, "x")]
        self.client.request(address, n.POST, options, payload, on_response, self.link.now())
        self.link.flush()
        await done.wait()
        return responses[0]


def listening(**parameters):
    # A node at a free port: those of the ephemeral range collide now and then.
    for port in range(random.randint(20000, 30000), 31000):
        try:
            return Node(port, **parameters), port
        except OSError:
            pass
    raise OSError("no free port")


async def close(*nodes):
    for node in nodes:
        node.link.close()
    await asyncio.sleep(0)


async def test_request_and_response():
    a = Node()
    b, port = listening()
    address = a.link.resolve("127.0.0.1", port)
    for size in (0, 100, 3000):
        response = await a.ask(address, body(size))
        assert response.code == n.CHANGED and response.payload == body(size)
    assert a.link.errors == b.link.errors == 0
    await close(a, b)


async def test_connected():
    stranger = Node()
    b, port = listening()
    a, own_port = listening()
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    for size in (0, 100, 3000):
        assert (await a.ask(address, body(size))).payload == body(size)
    received = a.endpoint.counters["received"]
    stranger.endpoint.ping(stranger.link.resolve("127.0.0.1", own_port), None, stranger.link.now())
    stranger.link.flush()
    await asyncio.sleep_ms(20)
    assert a.endpoint.counters["received"] == received
    await close(a, b, stranger)


async def test_datagrams_that_wait_are_read_one_by_one():
    b, port = listening(nstart=8)
    a = Node(nstart=8)
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    await a.ask(address)
    # b sends three while a is not looking.
    options = [(n.URI_PATH, "x")]
    payloads = []
    for size in (10, 200, 500):
        peer = next(iter(b.endpoint._peers.values())).address
        b.client.request(
            peer,
            n.POST,
            options,
            body(size),
            lambda response, now: payloads.append(response.payload),
            b.link.now(),
        )
    b.link.flush()
    await asyncio.sleep_ms(50)
    assert payloads == [body(10), body(200), body(500)]
    assert a.endpoint.counters["received"] == 4
    await close(a, b)


async def test_timers_fire():
    a = Node(ack_timeout=20, max_retransmit=1)
    address = a.link.resolve("127.0.0.1", 9)
    assert (await a.ask(address)).how == TIMEOUT
    assert a.endpoint.counters["retransmitted"] == 1
    await close(a)


async def test_a_peer_that_was_away_is_reached_on_a_connected_socket():
    # The network's complaints about what was sent meanwhile must not cost what is sent now.
    b, port = listening()
    await close(b)
    a = Node(ack_timeout=20, max_retransmit=1)
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    assert (await a.ask(address)).how == TIMEOUT
    b = Node(port)
    assert (await a.ask(address)).payload == b"hi"
    await close(a, b)


async def test_a_datagram_that_is_too_long_is_counted_and_not_processed():
    b, port = listening()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    address = socket.getaddrinfo("127.0.0.1", port)[0][-1]
    whole = encode(n.NON, n.POST, 1, b"t", b"\xb1x", bytes(1280 - 8))
    assert len(whole) == 1280
    sender.sendto(whole + b"x", address)
    await asyncio.sleep_ms(50)
    assert (b.served, b.link.oversized, b.endpoint.counters["received"]) == (0, 1, 0)
    sender.sendto(whole, address)
    await asyncio.sleep_ms(50)
    assert (b.served, b.link.oversized) == (1, 1)
    sender.close()
    await close(b)


async def test_a_flood_lets_other_tasks_run():
    b, port = listening()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    address = socket.getaddrinfo("127.0.0.1", port)[0][-1]
    turns = 0
    for mid in range(100):
        sender.sendto(encode(n.NON, n.POST, mid, b"t", b"\xb1x"), address)
    while b.served < 100:
        await asyncio.sleep_ms(0)
        turns += 1
        assert turns < 100000
    assert turns >= 100 // 16
    sender.close()
    await close(b)


async def test_an_error_nobody_caught_does_not_end_the_link():
    a = Node()
    b, port = listening()
    errors = []
    b.link.on_error = errors.append
    receive = b.endpoint.receive

    def broken(data, size, address, now):
        b.endpoint.receive = receive
        raise MemoryError

    b.endpoint.receive = broken
    address = a.link.resolve("127.0.0.1", port)
    a.endpoint.parameters.ack_timeout = 20
    assert (await a.ask(address)).payload == b"hi"
    assert len(errors) == 1 and b.link.errors == 1
    await close(a, b)


class InPieces:
    # A socket on a heap that has no more than so many octets in a row.
    def __init__(self, sock, most):
        self._socket = sock
        self._most = most

    def recvfrom(self, octets):
        if octets > self._most:
            raise MemoryError
        return self._socket.recvfrom(octets)

    def recv(self, octets):
        return self.recvfrom(octets)[0]


async def test_a_heap_in_pieces_takes_what_fits():
    a = Node()
    b, port = listening()
    address = a.link.resolve("127.0.0.1", port)
    taken = a.link._socket
    for connected in (False, True):
        if connected:
            a.link.connect(address)
        a.link._receive_from = InPieces(taken, 700)
        assert (await a.ask(address, body(300))).payload == body(300)
    assert a.link.short_of_memory > 0 and a.link.errors == 0 and a.link.oversized == 0
    # What does not fit is dropped, not taken for something shorter; it would come again.
    peer = next(iter(b.endpoint._peers.values())).address
    received = a.endpoint.counters["received"]
    b.client.request(peer, n.POST, [(n.URI_PATH, "x")], body(900), None, b.link.now())
    b.link.flush()
    await asyncio.sleep_ms(20)
    assert a.link.oversized == 1 and a.endpoint.counters["received"] == received
    await close(a, b)


async def test_now_counts_milliseconds_in_the_period_of_the_core():
    a = Node()
    start = a.link.now()
    assert 0 <= start < ticks.PERIOD
    await asyncio.sleep_ms(20)
    assert 15 <= ticks.diff(a.link.now(), start) < 5000
    await close(a)


async def test_requests_leave_no_memory_behind():
    a = Node(most_recent=4)
    b, port = listening(most_recent=4)
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    held = []
    for _ in range(3):
        for _ in range(20):
            await a.ask(address, b"x" * 100)
        gc.collect()
        held.append(gc.mem_alloc())
    assert abs(held[2] - held[1]) < 500, held
    await close(a, b)
