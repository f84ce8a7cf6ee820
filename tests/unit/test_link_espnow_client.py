# The MSGin5G Client by ESP-NOW in short frames: registration and messages, through loss.

import asyncio
import random

from msgin5g import Client, wire
from msgin5g.client import NOT_PROTECTED
from msgin5g.coap.endpoint import Parameters
from msgin5g.link.espnow import EspNowLink
from msgin5g_testing.espnow import Air
from server import FakeServer

RUNTIMES = ("micropython",)

_GATEWAY = b"\x24\x0a\xc4\x00\x00\x01"


class Bits:
    bits = staticmethod(random.getrandbits)


class OnAir:
    # What FakeServer takes for its world.
    random = Bits

    def __init__(self, air):
        self.air = air

    def join(self, mac, endpoint):
        self.air.board(mac, 250).install()
        self.link = EspNowLink(endpoint)
        self.link.start()
        return endpoint


async def test_register_send_and_receive_in_short_frames_through_loss():
    air = Air(seed=3)
    world = OnAir(air)
    gateway = FakeServer(world, _GATEWAY)
    gateway.endpoint.parameters.ack_timeout = 30
    air.board(b"\x24\x0a\xc4\x00\x00\x02", 250).install()
    parameters = Parameters(ack_timeout=30, max_retransmit=8)
    ue = Client(
        "ue@example.org",
        "24:0a:c4:00:00:01",
        link=EspNowLink,
        parameters=parameters,
        security=NOT_PROTECTED,
    )
    assert ue.link.most_octets == 250
    air.loss = 15
    await ue.register()
    assert gateway.registered["ue@example.org"] == b"\x24\x0a\xc4\x00\x00\x02"
    payloads = ["a" * size for size in (10, 100, 160)]
    for payload in payloads:
        await ue.send(payload, application_server="as@example.org", report=False)
    while len(gateway.received) < len(payloads):
        await asyncio.sleep_ms(5)
    assert [elements[wire.PAYLOAD] for elements in gateway.received] == payloads
    # Each message is longer than a frame: it went in blocks, and no frame was refused by a radio.
    assert ue.link.errors == world.link.errors == 0
    ue.close()
    world.link.close()
    await asyncio.sleep(0)
