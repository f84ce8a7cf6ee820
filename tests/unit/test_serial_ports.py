# Serial ports that come and go: patterns, several names of one device, what an operator sees. On pseudo-terminals.

import asyncio
import errno
import os
import random
import tempfile

from msgin5g.coap.endpoint import Endpoint, Parameters
from test_link_serial_host import Line, Peer, until

from host_tools import serial_link, serial_ports
from host_tools.link import UdpLink
from host_tools.serial_link import BUSY, FORBIDDEN, MISSING, OPEN, SerialPort, frame
from host_tools.serial_ports import Links, Plan, PortWatch

RUNTIMES = ("cpython",)


class Other(SerialPort):
    carries = "other"


class Gateway:
    # Two endpoints' links, and one watch.
    def __init__(self, *plans, others=()):
        serial_link._FIRST_PAUSE = 0.02
        serial_ports._LOOK_INTERVAL = 0.02
        self.endpoint = Endpoint(Parameters(ack_timeout=30), random.getrandbits)
        self.links, self.others = Links(self.endpoint), Links(Endpoint(Parameters(), random.getrandbits))
        self.watch = PortWatch(
            [(plan, self.links) for plan in plans] + [(plan, self.others) for plan in others]
        )
        self.opened = []
        self.links.on_opened = lambda port: self.opened.append(port.path)
        self.udp = UdpLink(self.links, "127.0.0.1", 0)
        self.udp.start()
        self.links.start(self.udp.flush)
        self.others.start(lambda: None)
        self.watch.start()

    def close(self):
        self.watch.close()
        self.links.close()
        self.others.close()
        self.udp.close()

    def open(self):
        return sorted(port.path for port in self.links.ports if port.is_open)


def folder():
    return tempfile.mkdtemp()


async def test_ports_that_match_are_opened_as_they_come_and_closed_as_they_go():
    here = folder()
    gateway = Gateway(Plan(here + "/ttyACM*"))
    assert gateway.links.status() == []
    lines = [Line(f"{here}/ttyACM{number}") for number in range(3)]
    Line(f"{here}/ttyUSB0")
    await until(lambda: len(gateway.open()) == 3)
    assert gateway.open() == [line.path for line in lines]
    lines[1].unplug()
    await until(lambda: len(gateway.open()) == 2)
    status = gateway.links.port_at(("serial", lines[1].path)).status()
    assert status["state"] == MISSING and status["opened"] == 1 and status["carries"] == "client"
    lines[1].plug()
    await until(lambda: len(gateway.open()) == 3)
    # The same port as before, with its counters; and who waits for it is told.
    assert len(gateway.links.ports) == 3 and gateway.opened.count(lines[1].path) == 2
    gateway.close()


async def test_one_device_is_opened_once_whatever_its_names():
    here = folder()
    line = Line(here + "/ttyACM0")
    os.symlink(line.path, here + "/usb-bridge-0")
    # The name that is said in full goes first, then the longer pattern.
    gateway = Gateway(Plan(here + "/tty*"), others=[Plan(here + "/usb-bridge-*", kind=Other)])
    await until(lambda: gateway.others.ports and gateway.others.ports[0].is_open)
    await asyncio.sleep(0.1)
    assert gateway.links.ports == [] and gateway.others.status()[0]["carries"] == "other"
    gateway.close()
    named = Gateway(Plan(here + "/ttyACM0"), others=[Plan(here + "/usb-bridge-*", kind=Other)])
    await asyncio.sleep(0.1)
    assert len(named.open()) == 1 and named.others.ports == []
    named.close()


async def test_a_name_that_has_just_come_may_get_another():
    here = folder()
    gateway = Gateway(Plan(here + "/tty*"), others=[Plan(here + "/usb-bridge-*", kind=Other)])
    line = Line(here + "/ttyACM0")
    gateway.watch.look()
    os.symlink(line.path, here + "/usb-bridge-0")
    await until(lambda: gateway.others.ports and gateway.others.ports[0].is_open)
    assert gateway.links.ports == []
    gateway.close()


def counted(port):
    return port._frames.noise + port._frames.crc_errors + port._frames.half_frames


async def test_noise_half_frames_and_wrong_check_sequences_are_told_apart():
    rng = random.Random(20261122)
    line = Line()
    gateway = Gateway(Plan(line.path))
    port = gateway.links.ports[0]
    whole = frame(b"\x60\x00\x00\x01" + bytes(20))
    damaged = bytearray(whole)
    damaged[8] ^= 1
    half = whole[:9]
    expected = {"noise": 0, "crc_errors": 0, "half_frames": 0, "frames": 0}
    for _ in range(200):
        what = rng.choice(sorted(expected))
        expected[what] += 1
        if what == "noise":
            # A frame would have octets of its own between two ENDs, and no such escape.
            os.write(line.master, rng.choice([b"\xc0x\xc0", b"\xc0abc\xdbdef\xc0"]))
        elif what == "crc_errors":
            os.write(line.master, damaged)
        elif what == "half_frames":
            os.write(line.master, half)
            await until(lambda: port._frames._size)
            # Nothing comes for longer than within a frame: it is counted with what comes next.
            port._heard -= 2000
            expected["frames"] += 1
            os.write(line.master, whole)
        else:
            os.write(line.master, whole)
        await until(lambda: port.received + counted(port) == sum(expected.values()))
    counts = gateway.links.counts()
    assert port.received == expected["frames"]
    for what in ("noise", "crc_errors", "half_frames"):
        assert counts["serial_" + what] == expected[what], (what, counts, expected)
    assert counts["serial_broken"] == expected["noise"] + expected["crc_errors"]
    gateway.close()


async def test_unplugged_in_the_middle_of_a_frame_and_plugged_again():
    rng = random.Random(7)
    line = Line()
    gateway = Gateway(Plan(line.path))
    port = gateway.links.ports[0]
    peer = Peer(line)
    for turn in range(1, 6):
        whole = frame(rng.randbytes(rng.randrange(20, 200)))
        os.write(line.master, whole[: rng.randrange(4, len(whole) - 2)])
        await until(lambda: port._frames._size)
        line.unplug()
        await until(lambda: port.state == MISSING)
        assert port.status()["half_frames"] == turn
        line.plug()
        await until(lambda: port.state == OPEN)
        # The first frame afterwards is whole.
        os.write(line.master, frame(b"\x40\x00\x00" + bytes([turn])))
        await until(lambda turn=turn: port.received == turn)
    assert port.opened == 6 and peer.line is line
    gateway.close()


async def test_a_port_that_opens_and_closes_at_once_is_tried_less_and_less():
    serial_link._FIRST_PAUSE = 0.02
    here = folder()
    path = here + "/tty0"
    line = Line(path)
    gateway = Gateway(Plan(here + "/tty*"))
    await until(gateway.open)
    port = gateway.links.ports[0]
    # Its name stays, and leads nowhere that lasts.
    opened, tried = serial_link._opened, []

    def hung_up(path, speed):
        descriptor = opened(path, speed)
        tried.append(path)
        os.close(line.master)
        line.master = None
        os.close(line.slave)
        os.unlink(path)
        line.plug()
        return descriptor

    serial_link._opened = hung_up
    try:
        line.unplug()
        line.plug()
        await asyncio.sleep(0.8)
        # 20, 60, 140, 300, 620 ms
        assert 2 <= len(tried) <= 8, len(tried)
        count = len(tried)
    finally:
        serial_link._opened = opened
    await until(lambda: port.is_open)
    os.write(line.master, frame(b"\x40\x00\x00\x01"))
    await until(lambda: port.received)
    assert port.opened > count
    gateway.close()


async def test_who_may_not_use_a_port_is_told_the_way_out_once():
    opened = serial_link._opened
    tried, told = [], []
    reasons = [errno.EACCES] * 5 + [errno.EBUSY] * 5 + [errno.ENOTTY] * 2

    def refused(path, speed):
        tried.append(path)
        number = reasons[min(len(tried), len(reasons)) - 1]
        raise OSError(number, os.strerror(number))

    class Log:
        warning = staticmethod(lambda _event, **detail: told.append(detail["reason"]))
        info = staticmethod(lambda _event, **_detail: None)

    serial_link._opened = refused
    log, serial_link._log = serial_link._log, Log
    longest, serial_link._LONGEST_PAUSE = serial_link._LONGEST_PAUSE, 0.02
    try:
        port = SerialPort("/dev/null")
        port.start()
        assert port.state == FORBIDDEN and told == []
        await until(lambda: port.state == BUSY)
        await until(lambda: len(tried) >= len(reasons) + 2)
        port.close()
    finally:
        serial_link._opened, serial_link._log, serial_link._LONGEST_PAUSE = opened, log, longest
    assert len(told) == 3, told
    assert "usermod -aG" in told[0] and "fuser /dev/null" in told[1] and told[2] == "no serial port"


async def test_more_ports_than_there_may_be():
    here = folder()
    most, serial_ports.MOST_PORTS = serial_ports.MOST_PORTS, 3
    try:
        lines = [Line(f"{here}/tty{number}") for number in range(5)]
        gateway = Gateway(Plan(here + "/tty*"))
        await until(lambda: len(gateway.open()) == 3)
        await asyncio.sleep(0.1)
        assert len(gateway.links.ports) == 3 and gateway.watch.ignored == 2
        # One that has gone makes room.
        lines[0].unplug()
        await until(lambda: lines[3].path in gateway.open() or lines[4].path in gateway.open())
        assert len(gateway.links.ports) == 3
        gateway.close()
    finally:
        serial_ports.MOST_PORTS = most


def test_a_path_with_a_wildcard_is_a_pattern():
    assert Plan("/dev/ttyACM*").is_pattern and Plan("/dev/ttyUSB[01]").is_pattern
    assert not Plan("/dev/ttyACM0").is_pattern
