# The board's UDP link when the network goes away, and finding somebody on it.

import asyncio
import socket

from msgin5g.coap import numbers as n
from msgin5g.link import udp_again
from skipping import SkipTest
from test_coap_link_udp import Node, close, listening

RUNTIMES = ("micropython",)


class Broken:
    # A socket of an interface that has gone: nothing leaves.
    def __init__(self, real):
        self.real = real

    def sendto(self, datagram, address):
        raise OSError(101)

    def close(self):
        self.real.close()


def node(**parameters):
    return Node(ack_timeout=20, max_retransmit=3, **parameters)


async def test_a_socket_closed_under_it_is_replaced():
    b, port = listening()
    a = node()
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    assert (await a.ask(address)).payload == b"hi"
    a.link._socket.close()
    assert (await a.ask(address)).payload == b"hi"
    assert a.link.renewed == 1
    await close(a, b)


async def test_no_network_is_no_end_and_no_busy_loop():
    b, port = listening()
    a = node()
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    made = a.link.open
    without_network = [True]

    def open_one(family):
        made(family)
        if without_network:
            a.link._socket = Broken(a.link._socket)

    a.link.open = open_one
    open_one(socket.AF_INET)
    assert (await a.ask(address)).code is None
    assert (await a.ask(address)).code is None
    # At once, and after a second: not for each datagram.
    assert 1 <= a.link.renewed <= 2 and a.link.errors >= 8
    assert a.link._pause > 0
    without_network.clear()
    while (await a.ask(address)).code is None:
        pass
    assert a.link._pause == 0
    await close(a, b)


class Names:
    # A name server whose answer changes.
    def __init__(self, port):
        self.port = port
        self.asked = 0

    def getaddrinfo(self, host, port):
        assert (host, port) == ("127.0.0.1", self.port)
        self.asked += 1
        if self.answer is None:
            raise OSError(-2)
        return socket.getaddrinfo(*self.answer)


async def test_a_gateway_that_has_moved_is_asked_for_by_name_again():
    b, port = listening()
    a = node()
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    assert (await a.ask(address)).payload == b"hi"
    await close(b)
    names = udp_again.socket = Names(port)
    try:
        names.answer = None
        assert (await a.ask(address)).code is None
        while not names.asked:
            await asyncio.sleep_ms(1)
        c, elsewhere = listening()
        names.answer = ("127.0.0.1", elsewhere)
        for _ in range(20):
            response = await a.ask(address)
            if response.code is not None:
                break
        # To the endpoint it is the same peer.
        assert response.payload == b"hi" and c.served == 1
        assert len(a.endpoint._peers) == 1
    finally:
        udp_again.socket = socket
    await close(a, c)


async def test_a_gateway_that_answers_is_not_asked_for_again():
    b, port = listening()
    a = node()
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    await a.ask(address)
    # One request is lost for good, while others are answered.
    options = [(n.URI_PATH, "x")]
    silent = a.link.resolve("127.0.0.1", 9)
    a.link.connect(address)
    a.client.request(silent, n.POST, options, b"", lambda response, now: None, a.link.now())
    a.link.flush()
    while a.endpoint.counters["timeouts"] == 0:
        await a.ask(address)
    await asyncio.sleep_ms(250)
    assert a.link.renewed == 0
    await close(a, b)


async def test_a_socket_that_hears_again_is_kept():
    # A new one would leave the peer with an address where nobody is.
    b, port = listening()
    a = node()
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    told = []
    a.link.on_renewed = lambda: told.append(1)
    assert (await a.ask(address)).payload == b"hi"
    a.link._pause = 50
    a.link._mend()
    await asyncio.sleep_ms(5)
    assert (await a.ask(address)).payload == b"hi"
    await asyncio.sleep_ms(80)
    assert a.link.renewed == 0 and told == [] and a.link._mending is None
    # In silence it is replaced, and that is told.
    a.link._mend()
    await asyncio.sleep_ms(20)
    assert a.link.renewed == 1 and told == [1]
    await close(a, b)


async def test_before_send_is_called_before_anything_leaves():
    b, port = listening()
    a = node()
    address = a.link.resolve("127.0.0.1", port)
    log = []
    send = a.link._send
    a.link._send = lambda datagram, to: log.append("send") or send(datagram, to)
    a.link.before_send = lambda: log.append("commit")
    a.link.flush()
    assert log == []
    await a.ask(address)
    assert log == ["commit", "send"]
    await close(a, b)


async def test_nothing_is_sent_when_before_send_fails():
    b, port = listening()
    a = node()
    address = a.link.resolve("127.0.0.1", port)
    errors = []
    a.link.on_error = errors.append

    def full():
        raise OSError(28)

    a.link.before_send = full
    assert (await a.ask(address)).code is None
    assert b.endpoint.counters["received"] == 0
    assert [error.errno for error in errors] == [28] * 4 and a.link.errors == 4
    a.link.before_send = errors.clear
    assert (await a.ask(address)).payload == b"hi"
    await close(a, b)


async def test_an_error_in_on_error_does_not_end_the_link():
    b, port = listening()
    a = node()
    address = a.link.resolve("127.0.0.1", port)

    def worse(error):
        raise MemoryError

    def broken(now):
        raise ValueError

    a.link.on_error = worse
    handle_timer = a.endpoint.handle_timer
    a.endpoint.handle_timer = broken
    drain = a.link._drain
    a.link._drain = lambda: broken(0)
    a.client.request(address, n.POST, [(n.URI_PATH, "x")], b"", lambda response, now: None, a.link.now())
    a.link.flush()
    await asyncio.sleep_ms(100)
    a.link._drain = drain
    a.endpoint.handle_timer = handle_timer
    assert (await a.ask(address)).payload == b"hi"
    assert a.link.errors > 1
    await close(a, b)


async def test_a_broadcast_is_heard_and_answered_by_unicast():
    b, port = listening()
    a = node(nstart=2)
    everybody = a.link.broadcast(port, "127.255.255.255")
    a.client.request(everybody, n.POST, [(n.URI_PATH, "x")], b"", lambda r, now: None, a.link.now(), False)
    a.link.flush()
    await asyncio.sleep_ms(50)
    assert b.served == 1 and a.endpoint.counters["received"] == 1 and a.link.errors == 0
    # Then one is chosen, and later perhaps all are asked again.
    address = a.link.resolve("127.0.0.1", port)
    a.link.connect(address)
    assert (await a.ask(address)).payload == b"hi"
    a.link.connect(None)
    a.client.request(everybody, n.POST, [(n.URI_PATH, "x")], b"", lambda r, now: None, a.link.now(), False)
    a.link.broadcast(port, "127.255.255.255")
    a.link.flush()
    await asyncio.sleep_ms(50)
    assert b.served == 3 and a.link.errors == 0
    await close(a, b)


async def test_everybody_is_all_coap_nodes():
    a = node()
    expected = socket.getaddrinfo("224.0.1.187", 5683)[0][-1]
    assert bytes(a.link.broadcast(5683)) == bytes(expected)
    await close(a)


async def test_ipv6():
    try:
        server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        server.setblocking(False)
        server.bind(socket.getaddrinfo("::1", 20683)[0][-1])
    except OSError:
        raise SkipTest("this machine has no IPv6") from None
    a = node()
    address = a.link.resolve("::1", 20683)
    a.link.connect(address)
    a.endpoint.ping(address, None, a.link.now())
    a.link.flush()
    await asyncio.sleep_ms(20)
    datagram, source = server.recvfrom(100)
    server.sendto(bytes([0x70]) + datagram[1:], source)
    await asyncio.sleep_ms(20)
    assert a.endpoint.counters["resets"] == 1
    assert bytes(a.link.broadcast(5683)) == bytes(socket.getaddrinfo("ff02::fd", 5683)[0][-1])
    server.close()
    await close(a)


async def test_a_link_says_which_block_fits():
    from msgin5g.coap import block
    from msgin5g.link.udp import UdpLink

    for most, size in ((1280, 1024), (1000, 512), (250, 128), (100, 16)):
        a = UdpLink(None, most)
        assert (a.most_octets, block.size(a.szx)) == (most, size)
        a._socket.close()
