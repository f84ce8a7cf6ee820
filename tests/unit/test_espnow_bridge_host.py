# The gateway's end of a bridge board, on a pseudo-terminal.

import asyncio
import os
import random
import struct

from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.server import Server
from msgin5g.link.bridge import ABOUT, MAC_OCTETS, NOBODY
from msgin5g.link.slip import Deframer
from test_link_serial_host import Line, until

from host_tools import espnow_bridge, serial_link
from host_tools.addresses import text
from host_tools.espnow_bridge import BridgePort
from host_tools.link import UdpLink
from host_tools.serial_link import frame
from host_tools.serial_ports import Links

RUNTIMES = ("cpython",)

HERE = b"\x24\x0a\xc4\x00\x00\x01"


class Setup:
    def __init__(self, most_octets=espnow_bridge.MOST_OCTETS):
        serial_link._FIRST_PAUSE = 0.02
        self.line = Line()
        self.endpoint = Endpoint(Parameters(ack_timeout=1000), random.getrandbits)
        self.port = BridgePort(self.line.path, most_octets=most_octets)
        self.links = Links(self.endpoint, [self.port])
        self.served = []
        Server(self.endpoint).add("x", n.POST, self.serve)
        self.udp = UdpLink(self.links, "127.0.0.1", 0)
        self.udp.start()
        self.links.start(self.udp.flush)
        self.frames = []
        self.deframer = Deframer(2000, lambda buffer, size: self.frames.append(bytes(buffer[:size])))

    def serve(self, request, now):
        self.served.append((request.peer.address, bytes(request.payload)))

    def say(self, mac, content=b""):
        os.write(self.line.master, frame(mac + content))

    def about(self, octets=250, unconfirmed=0, lost=0):
        self.say(NOBODY, struct.pack(ABOUT, HERE, octets, unconfirmed, lost))

    def post(self, number, payload=b"hello", sender=b"\x24\x0a\xc4\x00\x00\x09"):
        # NON POST /x
        self.say(sender, b"\x50\x02" + number.to_bytes(2, "big") + b"\xb1x\xff" + payload)

    async def heard(self, count=1):
        for _ in range(400):
            octets = self.line.read()
            self.deframer.feed(octets, len(octets))
            if len(self.frames) >= count:
                return self.frames
            await asyncio.sleep(0.005)
        raise AssertionError(self.frames)

    def close(self):
        self.links.close()
        self.udp.close()


async def test_it_asks_the_bridge_and_knows_it_then():
    setup = Setup()
    assert await setup.heard() == [NOBODY]
    assert setup.port.status()["bridge"] is None and not setup.port.status()["bridge_answers"]
    # Until it knows better.
    assert setup.port.packet_size(("espnow",)) == 250 and setup.port.layer_2_id() == ""
    setup.about(1470, 3, 4)
    await until(lambda: setup.port.mac)
    status = setup.links.status()[0]
    assert status["carries"] == "espnow" and status["bridge"] == "24:0a:c4:00:00:01"
    assert status["bridge_answers"] and status["unconfirmed"] == 3 and status["lost"] == 4
    assert status["packet_size"] == 1470 and setup.port.layer_2_id() == "24:0a:c4:00:00:01"
    # Unplugged and plugged again it is asked again.
    setup.line.unplug()
    await until(lambda: not setup.port.is_open)
    setup.frames.clear()
    setup.line.plug()
    assert await setup.heard() == [NOBODY]
    setup.close()


async def test_a_packet_is_no_longer_than_settings_and_radio_say():
    setup = Setup(most_octets=300)
    setup.about(1470)
    await until(lambda: setup.port.mac)
    assert setup.port.packet_size(("espnow",)) == 300
    to = ("espnow", setup.line.path, "24:0a:c4:00:00:09")
    setup.port.send(bytes(301), to)
    assert setup.port.errors == 1
    setup.frames.clear()
    setup.port.send(bytes(300), to)
    await setup.heard(2)
    assert setup.frames[-1] == b"\x24\x0a\xc4\x00\x00\x09" + bytes(300)
    setup.close()


async def test_many_devices_on_one_port_each_with_its_address():
    setup = Setup()
    for number in range(300):
        setup.post(number, b"%d" % number, b"\x24\x0a\xc4\x00" + number.to_bytes(2, "big"))
        if number % 20 == 19:
            await until(lambda least=number + 1: len(setup.served) == least)
    addresses = [address for address, _ in setup.served]
    assert len(set(addresses)) == 300
    assert addresses[258] == ("espnow", setup.line.path, "24:0a:c4:00:01:02")
    assert text(addresses[258]) == f"24:0a:c4:00:01:02 by {setup.line.path}"
    assert setup.links.port_at(addresses[0]) is setup.port
    # What an operator is shown of them is bounded.
    assert setup.links.status()[0]["peers"] == 256
    setup.close()


async def test_an_answer_goes_to_who_has_asked():
    setup = Setup()
    # CON POST to a path that is not there, from two devices with the same Message ID.
    for last in (8, 9):
        setup.say(b"\x24\x0a\xc4\x00\x00" + bytes([last]), b"\x40\x02\x00\x01\xb1y")
    await setup.heard(3)
    answers = [one for one in setup.frames if one != NOBODY]
    assert sorted(one[MAC_OCTETS - 1] for one in answers) == [8, 9]
    assert all(one[MAC_OCTETS + 1] == n.NOT_FOUND for one in answers)
    setup.close()


async def test_garbage_does_not_get_through_and_the_port_goes_on():
    rng = random.Random(20261122)
    setup = Setup()
    for number in range(100):
        what = rng.randrange(4)
        if what == 0:
            setup.say(NOBODY, rng.randbytes(rng.randrange(1, 30)))
        elif what == 1:
            setup.say(rng.randbytes(rng.randrange(MAC_OCTETS + 1)))
        elif what == 2:
            setup.say(rng.randbytes(MAC_OCTETS), rng.randbytes(rng.randrange(1, 200)))
        else:
            os.write(setup.line.master, rng.randbytes(rng.randrange(1, 60)) + b"\xc0")
        setup.post(number, b"%d" % number)
        await until(lambda wanted=b"%d" % number: [one for _, one in setup.served if one == wanted])
    assert setup.port.is_open and setup.port.status()["noise"] > 0
    setup.close()
