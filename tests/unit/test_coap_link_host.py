# The host's UDP link, on loopback.

import asyncio
import random
import socket

from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import TIMEOUT, Endpoint, Parameters
from msgin5g.coap.message import encode
from msgin5g.coap.server import Server
from skipping import SkipTest

from host_tools import link as link_module
from host_tools.link import UdpLink

RUNTIMES = ("cpython",)


class Node:
    def __init__(self, host="127.0.0.1", on_batch=None, **parameters):
        self.endpoint = Endpoint(Parameters(**parameters), random.getrandbits)
        self.link = UdpLink(self.endpoint, host, 0, on_batch and (lambda: on_batch(self)))
        self.client = Client(self.endpoint)
        self.server = Server(self.endpoint)
        self.served = 0
        self.server.add("x", n.POST, self.serve)
        self.link.start()

    def serve(self, request, now):
        self.served += 1
        self.server.respond(request, n.CHANGED, now, request.payload)

    async def ask(self, address, payload=b"hi"):
        done = asyncio.get_running_loop().create_future()
        self.client.request(
            address,
            n.POST,
            [(n.URI_PATH, "x")],
            payload,
            lambda response, _now: done.set_result(response),
            self.link.now(),
        )
        self.link.flush()
        return await done

    def resolve(self, other):
        return self.link.resolve(*other.link.address)


async def test_request_and_response_over_ipv4_and_ipv6():
    for host in ("127.0.0.1", "::1"):
        try:
            a, b = Node(host), Node(host)
        except OSError:
            raise SkipTest("this machine has no " + host) from None
        response = await a.ask(a.resolve(b), b"x" * 3000)
        assert response.code == n.CHANGED and response.payload == b"x" * 3000
        assert a.link.address[0] == host
        a.link.close()
        b.link.close()


async def test_ipv4_on_an_ipv6_socket():
    try:
        a = Node("::")
    except OSError:
        raise SkipTest("this machine has no IPv6") from None
    b = Node("127.0.0.1")
    response = await a.ask(a.link.resolve(*b.link.address))
    assert response.payload == b"hi"
    a.link.close()
    b.link.close()


async def test_connected():
    a, b, stranger = Node(), Node(), Node()
    a.link.connect(a.resolve(b))
    assert (await a.ask(a.resolve(b))).payload == b"hi"
    stranger.endpoint.ping(stranger.resolve(a), None, stranger.link.now())
    stranger.link.flush()
    await asyncio.sleep(0.01)
    assert a.endpoint.counters["received"] == 1
    for node in (a, b, stranger):
        node.link.close()


async def test_timers_fire():
    a = Node(ack_timeout=20, max_retransmit=1)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    assert (await a.ask(silent.getsockname())).how == TIMEOUT
    assert a.endpoint.counters["retransmitted"] == 1
    silent.close()
    a.link.close()


async def test_one_commit_for_a_batch_before_anything_leaves():
    log = []

    def settle(node):
        log.append(("commit", node.served))
        node.link.transmit()

    b = Node(on_batch=settle, most_recent=1000)
    await asyncio.sleep(0.01)
    log.clear()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setblocking(False)
    for mid in range(100):
        sender.sendto(encode(n.CON, n.POST, mid, b"t", b"\xb1x"), b.link.address)
    await asyncio.sleep(0.01)
    assert log == [("commit", 100)]
    answers = 0
    while True:
        try:
            sender.recv(2048)
        except BlockingIOError:
            break
        answers += 1
    assert answers == 100
    sender.close()
    b.link.close()


async def test_a_batch_is_bounded():
    log = []

    def settle(node):
        log.append(node.served)
        node.link.transmit()

    b = Node(on_batch=settle, most_recent=10)
    await asyncio.sleep(0.01)
    log.clear()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    most = link_module._MOST_DATAGRAMS
    for mid in range(most + 10):
        sender.sendto(encode(n.NON, n.POST, mid, b"t", b"\xb1x"), b.link.address)
    await asyncio.sleep(0.1)
    assert log == [most, most + 10]
    sender.close()
    b.link.close()


async def test_flushes_of_one_turn_share_a_batch():
    log = []

    def settle(node):
        log.append(1)
        node.link.transmit()

    a, b = Node(on_batch=settle, nstart=10), Node()
    await asyncio.sleep(0.01)
    log.clear()
    requests = [asyncio.ensure_future(a.ask(a.resolve(b))) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(log) == 1 and a.endpoint.counters["sent"] == 5
    await asyncio.gather(*requests)
    a.link.close()
    b.link.close()


async def test_closing_waits_for_no_turn_of_the_loop_to_send_what_was_flushed():
    log = []

    def settle(node):
        log.append("commit")
        node.link.transmit()

    a, b = Node(on_batch=settle), Node()
    await asyncio.sleep(0.01)
    log.clear()
    a.endpoint.ping(a.resolve(b), None, a.link.now())
    a.link.flush()
    a.link.close()
    await asyncio.sleep(0.01)
    # In a batch of its own, as always; and closed means closed.
    assert log == ["commit"] and b.endpoint.counters["received"] == 1
    b.link.close()


async def test_closing_sends_nothing_when_the_commit_fails():
    a = Node()
    a.link._socket = sock = Reluctant(a.link._socket)
    await asyncio.sleep(0.01)
    commits = []

    def fail():
        commits.append(1)
        raise OSError("disk full")

    failures = []
    a.link.on_failure = failures.append
    a.link._on_batch = fail
    ping(a)
    a.link.flush()
    a.link.close()
    await asyncio.sleep(0.01)
    assert sock.sent == [] and [str(error) for error in failures] == ["disk full"]
    # A batch that fails while the next one is put off is not tried again on the way out.
    b = Node()
    b.link._on_batch = fail
    b.link.on_failure = failures.append
    commits.clear()
    b.link.flush()
    b.link._on_timer()
    await asyncio.sleep(0.01)
    assert len(commits) == 1 and len(failures) == 2


async def test_nothing_leaves_when_the_commit_fails():
    failures = []

    def settle(node):
        raise OSError("disk full")

    a = Node(ack_timeout=50, max_retransmit=0)
    b = Node()
    await asyncio.sleep(0.01)
    b.link.on_failure = failures.append
    b.link._on_batch = lambda: settle(b)
    assert (await a.ask(a.resolve(b))).how == TIMEOUT
    assert b.served == 1 and [str(error) for error in failures] == ["disk full"]
    assert b.endpoint.counters["sent"] == 0
    a.link.close()


async def test_a_failure_nobody_asked_for_reaches_the_loop():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    b = Node()
    await asyncio.sleep(0.01)
    b.link._on_batch = lambda: 1 / 0
    b.link.flush()
    await asyncio.sleep(0.01)
    assert [type(error) for error in told] == [ZeroDivisionError]
    b.link.flush()
    await asyncio.sleep(0.01)
    assert len(told) == 1


async def test_a_datagram_that_is_too_long_is_counted_and_not_processed():
    b = Node()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    whole = encode(n.NON, n.POST, 1, b"t", b"\xb1x", bytes(2048 - 8))
    assert len(whole) == 2048
    sender.sendto(whole + b"x", b.link.address)
    await asyncio.sleep(0.01)
    assert (b.served, b.link.oversized, b.endpoint.counters["received"]) == (0, 1, 0)
    sender.sendto(whole, b.link.address)
    await asyncio.sleep(0.01)
    assert (b.served, b.link.oversized) == (1, 1)
    sender.close()
    b.link.close()


class Reluctant:
    # A socket whose buffer is full when the test says so.
    def __init__(self, real):
        self.real = real
        self.full = False
        self.errors = []
        self.sent = []

    def sendto(self, datagram, address):
        if self.full:
            raise BlockingIOError
        if self.errors:
            raise self.errors.pop()
        self.sent.append(bytes(datagram))

    def __getattr__(self, name):
        return getattr(self.real, name)


def ping(node, count=1):
    for _ in range(count):
        node.endpoint.ping(("127.0.0.1", 9), None, node.link.now())


async def test_a_full_socket_buffer_puts_datagrams_off():
    a = Node(nstart=100)
    a.link._socket = sock = Reluctant(a.link._socket)
    sock.full = True
    ping(a, 3)
    a.link.flush()
    await asyncio.sleep(0.01)
    ping(a, 2)
    a.link.flush()
    await asyncio.sleep(0.01)
    assert sock.sent == []
    sock.full = False
    await asyncio.sleep(0.01)
    assert len(sock.sent) == 5 and a.link.errors == 0
    a.link.close()


async def test_what_is_put_off_is_bounded():
    a = Node(nstart=10000)
    a.link._socket = sock = Reluctant(a.link._socket)
    sock.full = True
    ping(a, link_module._MOST_UNSENT + 7)
    a.link.flush()
    await asyncio.sleep(0.01)
    assert len(a.link._unsent) == link_module._MOST_UNSENT and a.link.errors == 7
    a.link.close()


async def test_an_error_about_the_last_datagram_does_not_cost_this_one():
    a = Node(nstart=100)
    a.link._socket = sock = Reluctant(a.link._socket)
    sock.errors = [ConnectionRefusedError()]
    ping(a)
    a.link.transmit()
    assert len(sock.sent) == 1 and a.link.errors == 0
    sock.errors = [OSError("no route"), OSError("no route")]
    ping(a, 2)
    a.link.transmit()
    assert len(sock.sent) == 2 and a.link.errors == 1
    a.link.close()


async def test_counts_for_an_operator():
    a = Node()
    counts = a.link.counts()
    assert counts["socket_errors"] == counts["oversized"] == counts["received"] == counts["peers"] == 0
    a.link.close()


async def test_a_link_has_the_shape_that_all_have():
    a = Node()
    assert (a.link.most_octets, a.link.szx) == (2048, 6)
    assert a.link.broadcast(5683) == ("224.0.1.187", 5683)
    a.link.close()


async def test_before_send_comes_before_anything_leaves_and_ends_the_link_when_it_fails():
    a, b = Node(), Node()
    a.link._socket = sock = Reluctant(a.link._socket)
    log = []
    a.link.before_send = lambda: log.append(len(sock.sent))
    a.link.transmit()
    ping(a)
    a.link.transmit()
    assert log == [0] and len(sock.sent) == 1

    def fail():
        raise OSError("disk full")

    failures = []
    a.link.on_failure = failures.append
    a.link.before_send = fail
    a.endpoint.ping(("127.0.0.1", 10), None, a.link.now())
    a.link.flush()
    await asyncio.sleep(0.01)
    assert len(sock.sent) == 1 and [str(error) for error in failures] == ["disk full"]
    b.link.close()


async def test_connected_no_more():
    a, b, c = Node(), Node(), Node()
    port = a.link.address[1]
    a.link.connect(a.resolve(b))
    assert (await a.ask(a.resolve(b))).payload == b"hi"
    a.link.connect(None)
    assert a.link.address[1] == port
    assert (await a.ask(a.resolve(c))).payload == b"hi"
    assert (await c.ask(a.resolve(a))).payload == b"hi"
    for node in (a, b, c):
        node.link.close()


async def test_a_multicast_is_heard_where_it_was_joined():
    a, b = Node("0.0.0.0"), Node("0.0.0.0")
    for node in (a, b):
        # Whatever an earlier process on this machine has joined, this socket hears what it has joined itself.
        node.link._socket.setsockopt(socket.IPPROTO_IP, 49, 0)
    port = b.link.address[1]
    a.link._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    everybody = a.link.broadcast(port)

    def ask():
        a.client.request(everybody, n.POST, [(n.URI_PATH, "x")], b"", lambda _r, _now: None, 0, False)
        a.link.flush()

    a.endpoint.parameters.nstart = 2
    ask()
    await asyncio.sleep(0.05)
    assert b.served == 0
    b.link.join("lo")
    ask()
    await asyncio.sleep(0.05)
    assert b.served == 1 and a.endpoint.counters["received"] == 1
    a.link.close()
    b.link.close()


async def test_ipv6_multicast_is_joined_as_well():
    for index, name in socket.if_nameindex():
        try:
            a, b = Node("::"), Node("::")
            b.link.join(name)
            a.link._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            everybody = a.link.broadcast(b.link.address[1])
            a.link._socket.sendto(b"", everybody)
            break
        except OSError:
            pass
    else:
        raise SkipTest("this machine has no interface with IPv6 multicast")
    assert everybody[0] == "ff02::fd"
    a.client.request(everybody, n.POST, [(n.URI_PATH, "x")], b"", lambda _r, _now: None, 0, False)
    a.link.flush()
    await asyncio.sleep(0.05)
    assert b.served == 1
    a.link.close()
    b.link.close()


async def test_an_interface_that_is_not_there_is_named():
    a = Node()
    try:
        a.link.join("nowhere0")
        raise AssertionError
    except OSError as error:
        assert "No such device: network interface nowhere0" in str(error)
    a.link.close()
