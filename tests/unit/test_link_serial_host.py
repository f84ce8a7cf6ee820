# The gateway's end of a serial line, on pseudo-terminals.

import asyncio
import os
import random
import tempfile
import termios
import tty

from msgin5g.coap import numbers as n
from msgin5g.coap.client import Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.server import Server
from msgin5g.link.slip import Deframer

from host_tools import serial_link
from host_tools.link import UdpLink
from host_tools.serial_link import SerialPort, frame
from host_tools.serial_ports import Links

RUNTIMES = ("cpython",)


class Line:
    # A pseudo-terminal: the port opens `path`, the test has the other end.
    def __init__(self, path=None):
        self.path = path or os.path.join(tempfile.mkdtemp(), "tty")
        self.master = None
        self.plug()

    def plug(self):
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.symlink(os.ttyname(slave), self.path)
        self.slave = slave
        os.set_blocking(self.master, False)

    def unplug(self):
        os.unlink(self.path)
        os.close(self.slave)
        os.close(self.master)
        self.master = None

    def read(self):
        try:
            return os.read(self.master, 100000)
        except BlockingIOError:
            return b""


class Gateway:
    # An endpoint on UDP and on lines.
    def __init__(self, *lines, on_batch=None):
        self.endpoint = Endpoint(Parameters(ack_timeout=30), random.getrandbits)
        self.ports = [SerialPort(line.path) for line in lines]
        self.links = Links(self.endpoint, self.ports)
        self.udp = UdpLink(self.links, "127.0.0.1", 0, on_batch and (lambda: on_batch(self)))
        self.server = Server(self.endpoint)
        self.client = Client(self.endpoint)
        self.served = []
        self.server.add("x", n.POST, self.serve)
        self.udp.start()
        self.links.start(self.udp.flush)

    def serve(self, request, now):
        self.served.append(request.peer.address)
        self.server.respond(request, n.CHANGED, now, request.payload)

    def close(self):
        self.links.close()
        self.udp.close()


class Peer:
    # What is at the other end of a line.
    def __init__(self, line):
        self.line = line
        self.endpoint = Endpoint(Parameters(ack_timeout=30), random.getrandbits)
        self.client = Client(self.endpoint)
        self.deframer = Deframer(1280, self._on_frame)

    def _on_frame(self, buffer, size):
        self.endpoint.receive(buffer, size, "gateway", 0)

    async def ask(self, payload, mangle=lambda octets: octets):
        responses = []
        self.client.request(
            "gateway", n.POST, [(n.URI_PATH, "x")], payload, lambda r, _now: responses.append(r), 0
        )
        for turn in range(400):
            for datagram, _ in self.endpoint.datagrams_to_send():
                os.write(self.line.master, mangle(frame(datagram)))
            await asyncio.sleep(0.003)
            octets = self.line.read()
            self.deframer.feed(octets, len(octets))
            if responses:
                return responses[0]
            if turn % 20 == 19:
                # Time passes for it as it is needed.
                due = self.endpoint.timer()
                if due is not None:
                    self.endpoint.handle_timer(due)
        raise AssertionError("no answer")


async def until(condition):
    while not condition():  # noqa: ASYNC110 (nothing sets an Event)
        await asyncio.sleep(0.005)


async def test_lines_and_udp_under_one_endpoint():
    a, b = Line(), Line()
    gateway = Gateway(a, b)
    for line in (a, b):
        assert (await Peer(line).ask(b"from " + line.path.encode())).payload == b"from " + line.path.encode()
    udp = Endpoint(Parameters(), random.getrandbits)
    link = UdpLink(udp, "127.0.0.1")
    link.start()
    answered = asyncio.Event()
    to = link.resolve(*gateway.udp.address)
    Client(udp).request(to, n.POST, [(n.URI_PATH, "x")], b"u", lambda _r, _now: answered.set(), link.now())
    link.flush()
    await answered.wait()
    assert gateway.served == [("serial", a.path), ("serial", b.path), link.address]
    assert gateway.links.counts() == {
        "serial_open": 2,
        "serial_opened": 2,
        "serial_broken": 0,
        "serial_noise": 0,
        "serial_crc_errors": 0,
        "serial_half_frames": 0,
        "serial_oversized": 0,
        "serial_errors": 0,
    }
    link.close()
    gateway.close()


async def test_every_octet_goes_through():
    line = Line()
    gateway = Gateway(line)
    assert (await Peer(line).ask(bytes(range(256)) * 3)).payload == bytes(range(256)) * 3
    gateway.close()


async def test_a_body_in_blocks():
    line = Line()
    gateway = Gateway(line)
    assert (await Peer(line).ask(bytes(3000))).payload == bytes(3000)
    gateway.close()


async def test_nothing_is_answered_before_the_commit():
    log = []

    def settle(gateway):
        log.append(("commit", len(gateway.served), line.read()))
        gateway.udp.transmit()

    line = Line()
    gateway = Gateway(line, on_batch=settle)
    await Peer(line).ask(b"x")
    assert ("commit", 1, b"") in log
    gateway.close()


async def test_noise_is_counted_and_passed_over():
    random.seed(5)
    line = Line()
    gateway = Gateway(line)
    peer = Peer(line)

    def mangle(octets):
        noise = random.randbytes(random.randrange(20))
        if random.random() < 0.3:
            place = random.randrange(len(octets))
            return noise + octets[:place] + octets[place + 1 :]
        return noise + octets

    for number in range(20):
        assert (await peer.ask(b"%d" % number, mangle)).payload == b"%d" % number
    assert len(gateway.served) == 20
    assert gateway.links.counts()["serial_broken"] >= 20
    gateway.close()


async def test_unplugged_and_plugged_again():
    serial_link._FIRST_PAUSE = 0.02
    line = Line()
    gateway = Gateway(line)
    peer = Peer(line)
    for times in range(1, 4):
        assert (await peer.ask(b"here")).payload == b"here"
        assert gateway.ports[0].is_open and gateway.ports[0].opened == times
        # Half a frame was on its way.
        os.write(line.master, frame(b"0123456789")[:6])
        line.unplug()
        await until(lambda: not gateway.ports[0].is_open)
        gateway.ports[0].send(b"nobody is there")
        line.plug()
        await until(lambda: gateway.ports[0].is_open)
    assert gateway.ports[0].errors == 3
    gateway.close()


async def test_a_port_that_is_not_there_yet():
    serial_link._FIRST_PAUSE = 0.02
    line = Line()
    line.unplug()
    gateway = Gateway(line)
    assert not gateway.ports[0].is_open
    await asyncio.sleep(0.1)
    line.plug()
    await until(lambda: gateway.ports[0].is_open)
    assert (await Peer(line).ask(b"late")).payload == b"late"
    gateway.close()


async def test_attempts_become_rare():
    serial_link._FIRST_PAUSE = 0.01
    tried = []
    opened = serial_link._opened
    serial_link._opened = lambda path, _speed: tried.append(path) or opened("/nowhere/tty", _speed)
    try:
        port = SerialPort("/nowhere/tty")
        port.start()
        await asyncio.sleep(0.4)
        port.close()
        # 0, 10, 30, 70, 150, 310 ms
        assert 3 <= len(tried) <= 6
        count = len(tried)
        await asyncio.sleep(0.4)
        assert len(tried) == count
    finally:
        serial_link._opened = opened


async def test_what_nobody_reads_does_not_grow():
    line = Line()
    gateway = Gateway(line)
    port = gateway.ports[0]
    for _ in range(200):
        port.send(bytes(1000))
    assert port._unsent_octets <= serial_link._MOST_UNSENT and port.errors > 100
    # When it is read again, whole frames come, and the line goes on.
    taken = []
    deframer = Deframer(1280, lambda buffer, size: taken.append(bytes(buffer[:size])))
    while len(taken) < 200 - port.errors:
        octets = line.read()
        deframer.feed(octets, len(octets))
        await asyncio.sleep(0.001)
    assert taken == [bytes(1000)] * (200 - port.errors) and deframer.broken == 0
    assert port._unsent_octets == 0
    assert (await Peer(line).ask(b"x")).payload == b"x"
    gateway.close()


async def test_a_datagram_that_is_too_long():
    line = Line()
    gateway = Gateway(line)
    gateway.ports[0].send(bytes(1281))
    assert gateway.ports[0].errors == 1
    os.write(line.master, frame(bytes(1281)) + frame(bytes(1280)))
    await until(lambda: gateway.endpoint.counters["received"])
    assert gateway.links.counts()["serial_oversized"] == 1
    assert gateway.endpoint.counters["received"] == 1
    gateway.close()


async def test_a_port_is_for_one_process():
    line = Line()
    a, b = SerialPort(line.path), SerialPort(line.path)
    a.start()
    b.start()
    assert a.is_open and not b.is_open
    a.close()
    await until(lambda: b.is_open)
    b.close()


async def test_something_that_is_no_port_is_tried_again():
    descriptor, path = tempfile.mkstemp()
    os.close(descriptor)
    port = SerialPort(path)
    port.start()
    assert not port.is_open and port.opened == 0
    port.close()
    os.unlink(path)


def test_baud_rates():
    assert serial_link.speed(115200) == termios.B115200
    for wrong in (0, -1, 115201, 0x7FFFFFFF):
        try:
            SerialPort("/dev/null", wrong)
            raise AssertionError
        except ValueError as error:
            assert "115200" in str(error)
