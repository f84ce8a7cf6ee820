# The link by ESP-NOW, on boards that share a modelled air.

import asyncio
import gc
import random

from coap_pair import body
from msgin5g.coap import block
from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import TIMEOUT, Endpoint, Parameters
from msgin5g.coap.server import Server
from msgin5g.link.espnow import EspNowLink
from msgin5g_testing.espnow import BROADCAST, Air

RUNTIMES = ("micropython",)


class Node:
    def __init__(self, air, number, max_data_len=1470, most_octets=None, **parameters):
        self.mac = b"\x24\x0a\xc4\x00\x01" + bytes([number])
        self.board = air.board(self.mac, max_data_len)
        self.board.install()
        self.endpoint = Endpoint(Parameters(ack_timeout=20, **parameters), random.getrandbits)
        self.link = EspNowLink(self.endpoint, most_octets)
        self.client = Client(self.endpoint, self.link.szx)
        self.server = Server(self.endpoint, szx=self.link.szx)
        self.served = 0
        self.server.add("x", n.POST, self.serve)
        self.link.start()

    def serve(self, request, now):
        self.served += 1
        self.server.respond(request, n.CHANGED, now, request.payload)

    async def ask(self, other, payload=b"hi"):
        responses = []
        done = asyncio.Event()

        def on_response(response, now):
            responses.append(response)
            done.set()

        to = getattr(other, "mac", other)
        self.client.request(to, n.POST, [(n.URI_PATH, "x")], payload, on_response, self.link.now())
        self.link.flush()
        await done.wait()
        return responses[0]


async def close(*nodes):
    for node in nodes:
        node.link.close()
    await asyncio.sleep(0)


async def test_frames_of_both_versions():
    for most, size in ((250, 128), (1470, 1024)):
        air = Air()
        a, b = Node(air, 1, most), Node(air, 2, most)
        assert a.link.most_octets == most and block.size(a.link.szx) == size
        # In blocks that fit: no frame was refused.
        for octets in (0, 100, 2000):
            response = await a.ask(b, body(octets))
            assert response.code == n.CHANGED and response.payload == body(octets)
        assert a.link.errors == b.link.errors == 0
        await close(a, b)


async def test_a_v1_radio_is_spoken_to_in_short_frames():
    air = Air()
    a, b = Node(air, 1, 1470, most_octets=250), Node(air, 2, 250)
    assert (await a.ask(b, body(2000))).payload == body(2000)
    await close(a, b)


async def test_addresses():
    air = Air()
    a = Node(air, 1)
    assert a.link.resolve("24:0a:c4:00:01:10", 5683) == b"\x24\x0a\xc4\x00\x01\x10"
    assert a.link.layer_2_id == "24:0a:c4:00:01:01"
    assert a.link.broadcast(5683) == BROADCAST
    for wrong in (
        "192.168.4.1",
        "24:0a:c4:00:01",
        "24:0a:c4:00:01:10:11",
        "",
        "gateway",
        "24:0a:c4:00:01:1ff",
    ):
        try:
            a.link.resolve(wrong, 5683)
            raise AssertionError(wrong)
        except ValueError:
            pass
    await close(a)


async def test_a_broadcast_is_answered_by_all_and_one_is_chosen():
    air = Air()
    a, b, c = Node(air, 1, nstart=2), Node(air, 2), Node(air, 3)
    heard = []
    receive = a.endpoint.receive

    def listen(data, size, address, now):
        heard.append(address)
        receive(data, size, address, now)

    a.endpoint.receive = listen
    to = a.link.broadcast()
    a.client.request(to, n.POST, [(n.URI_PATH, "x")], b"", lambda r, now: None, a.link.now(), False)
    a.link.flush()
    await asyncio.sleep_ms(30)
    assert b.served == c.served == 1
    assert sorted(heard) == [b.mac, c.mac]
    assert a.link.quality(b.mac) == -40 and a.link.quality(BROADCAST) == -127
    a.link.connect(b.mac)
    assert (await a.ask(b)).payload == b"hi"
    # From here on others are not listened to.
    del heard[:]
    assert (await c.ask(a)).how == TIMEOUT
    assert heard == []
    a.link.connect(None)
    assert (await c.ask(a)).payload == b"hi"
    await close(a, b, c)


async def test_loss_costs_time_and_nothing_else():
    air = Air(seed=11)
    a, b = Node(air, 1, max_retransmit=8), Node(air, 2, max_retransmit=8)
    air.loss = 25
    for number in range(30):
        assert (await a.ask(b, body(50 + number))).payload == body(50 + number)
    assert b.served == 30
    assert a.link.unconfirmed() + b.link.unconfirmed() > 5
    assert a.link.errors == b.link.errors == 0
    await close(a, b)


async def test_a_peer_out_of_reach_is_counted_and_found_again():
    air = Air()
    a, b = Node(air, 1, max_retransmit=1), Node(air, 2)
    b.board.reachable = False
    assert (await a.ask(b)).how == TIMEOUT
    assert a.link.unconfirmed() == 2
    b.board.reachable = True
    assert (await a.ask(b)).payload == b"hi"
    await close(a, b)


async def test_more_peers_than_the_radio_knows():
    air = Air()
    gateway = Node(air, 0, most_peers=64)
    boards = [Node(air, number) for number in range(1, 31)]
    for _ in range(2):
        for board in boards:
            assert (await board.ask(gateway)).payload == b"hi"
    assert gateway.served == 60 and gateway.link.errors == 0
    assert len(gateway.link._known) == 20
    await close(gateway, *boards)


async def test_somebody_else_who_uses_the_radio():
    air = Air()
    a, b, c = Node(air, 1, nstart=9), Node(air, 2), Node(air, 3)
    radio = a.board.radio
    # Full of others, and with the one that is needed.
    for number in range(19):
        radio.add_peer(b"\x00\x00\x00\x00\x00" + bytes([number]))
    radio.add_peer(b.mac)
    assert (await a.ask(b)).payload == b"hi"
    assert (await a.ask(c)).payload == b"hi"
    # And deleted behind its back.
    radio.del_peer(c.mac)
    assert (await a.ask(c)).payload == b"hi"
    # A broadcast address is not in the list of peers.
    radio.active(False)
    radio.active(True)
    radio.add_peer(BROADCAST)
    a.endpoint.ping(BROADCAST, None, a.link.now())
    a.link.flush()
    assert a.link.errors == 0
    await close(a, b, c)


async def test_a_frame_that_is_too_long():
    air = Air()
    a, b = Node(air, 1, 250), Node(air, 2, 1470)
    assert not a.link._send(bytes(251), b.mac)
    assert a.link._send(bytes(250), b.mac)
    # A radio takes more than this link was told to.
    c = Node(air, 3, 1470, most_octets=250)
    b.link._send(bytes(251), c.mac)
    await asyncio.sleep_ms(20)
    assert c.link.oversized == 1 and c.endpoint.counters["received"] == 0
    await close(a, b, c)


async def test_the_radio_is_switched_on_again():
    air = Air()
    a, b = Node(air, 1), Node(air, 2)
    assert (await a.ask(b)).payload == b"hi"
    a.board.radio.active(False)
    assert (await a.ask(b)).payload == b"hi"
    a.board.interface.active(False)
    assert (await a.ask(b)).payload == b"hi"
    assert a.link.renewed == 2 and a.link.errors == 0
    # One that only listens notices it when a timer of its endpoint is due.
    b.board.radio.active(False)
    b.endpoint.arm(b.link.now())
    b.link.flush()
    assert (await a.ask(b)).payload == b"hi"
    assert b.link.renewed == 1
    await close(a, b)


async def test_an_error_nobody_caught_does_not_end_the_link():
    air = Air()
    a, b = Node(air, 1), Node(air, 2)
    errors = []
    b.link.on_error = errors.append
    receive = b.endpoint.receive

    def broken(data, size, address, now):
        b.endpoint.receive = receive
        raise MemoryError

    b.endpoint.receive = broken
    assert (await a.ask(b)).payload == b"hi"
    assert len(errors) == 1 and b.link.errors == 1
    await close(a, b)


async def test_a_burst_that_the_driver_has_no_room_for():
    air = Air()
    a, b = Node(air, 1, 250), Node(air, 2, 250)
    for _ in range(10):
        a.link._send(bytes(250), b.mac)
    await asyncio.sleep_ms(20)
    # What it has room for, and the rest is lost, as CoAP expects of a link.
    assert b.endpoint.counters["received"] == 3
    assert (await a.ask(b)).payload == b"hi"
    await close(a, b)


async def test_requests_leave_no_memory_behind():
    air = Air()
    a, b = Node(air, 1, most_recent=4), Node(air, 2, most_recent=4)
    held = []
    for _ in range(3):
        for _ in range(20):
            await a.ask(b, b"x" * 100)
        gc.collect()
        held.append(gc.mem_alloc())
    assert abs(held[2] - held[1]) < 500, held
    await close(a, b)
