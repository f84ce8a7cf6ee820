"""Links tell who watches them of each datagram."""

import asyncio
import os
import random
import tty

from msgin5g.coap import numbers as coap
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.message import encode

from host_tools.link import IN, OUT, UdpLink
from host_tools.serial_link import SerialPort, frame
from tests.system.processes import until

PING = bytes(encode(coap.CON, coap.EMPTY, 7))
PONG = bytes(encode(coap.RST, coap.EMPTY, 7))


async def test_a_udp_link_tells_both_directions_and_nothing_when_nobody_watches():
    one, other = (UdpLink(Endpoint(Parameters(), random.getrandbits), "127.0.0.1") for _ in range(2))
    seen = []
    one.on_datagram = lambda direction, data, address: seen.append((direction, bytes(data), address))
    one.start()
    other.start()
    ended = []
    try:
        other.endpoint.ping(one.address, lambda *how: ended.append(how), other.now())
        other.flush()
        await until(lambda: ended, "a pong")
        (direction, asked, address), answer = seen
        assert (direction, address) == (IN, other.address) and asked[:2] == PING[:2]
        assert answer == (OUT, PONG[:2] + asked[2:], other.address)
        one.on_datagram = None
        other.endpoint.ping(one.address, lambda *how: ended.append(how), other.now())
        other.flush()
        await until(lambda: len(ended) == 2, "another pong")
        assert len(seen) == 2
    finally:
        one.close()
        other.close()


async def test_a_serial_port_tells_datagrams_and_not_frames():
    master, slave = os.openpty()
    tty.setraw(slave)
    port = SerialPort(os.ttyname(slave))
    seen = []
    port.on_datagram = lambda direction, data, address: seen.append((direction, bytes(data), address))
    port.start()
    try:
        os.write(master, frame(PING))
        await until(lambda: seen, "a datagram")
        port.send(PONG)
        await asyncio.sleep(0)
        assert seen == [(IN, PING, port.address), (OUT, PONG, port.address)]
        port.send(bytes(5000))
        assert len(seen) == 2
    finally:
        port.close()
        os.close(master)
        os.close(slave)
