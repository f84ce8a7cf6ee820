"""What the devices of the relay benchmark send, made before the run: see relay_load.c."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.exchange import Exchange, Peer
from msgin5g.coap.message import encode, encode_options
from msgin5g.oscore.security import Security
from msgin5g.provisioning import context
from msgin5g.resource import request_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    # (Message ID of CoAP, token, options, payload) -> datagram
    Seal = Callable[[int, bytes, bytes, bytes], bytes]

PAYLOAD_OCTETS = 100
_SERIAL = "5e71a100"
_PAYLOAD = f"#{_SERIAL} ".ljust(PAYLOAD_OCTETS, "x")
_MESSAGE_ID = f"{_SERIAL}-0000-4000-8000-000000000001"
RECIPIENT = "as@bench.example"
# Another request for each, so that the devices are at different Message IDs.
_FIRST_MID = 977


def ue(number: int) -> str:
    """UE Service ID of a device."""
    return f"device-{number}@bench.example"


def write(path: Path, devices: int, each: int, to: int | None = None, keys: list[dict] | None = None) -> None:
    """Write the datagrams of all devices.

    Args:
        path: the file.
        devices: how many there are.
        each: messages of one device, at most 60,000: no Message ID of CoAP comes twice.
        to: the port of loopback to which a forward proxy is to send them; None for whom they are sent to.
        keys: what each device was given, where it is protected by OSCORE: ``device.json``.
    """
    options = encode_options(request_options() + (_proxied(to) if to else []))
    with path.open("wb") as file:
        for number in range(devices):
            seal = _sealing(keys[number]) if keys else _plain
            mid = number * _FIRST_MID
            for place, body in enumerate(_bodies(number, each)):
                token = struct.pack(">HH", number, place)
                datagram = seal(mid + place & 0xFFFF, token, options, body)
                file.write(struct.pack("<HH", number, len(datagram)) + datagram)


def _proxied(port: int) -> list[tuple[int, int | str]]:
    return [(coap.URI_HOST, "127.0.0.1"), (coap.URI_PORT, port), (coap.PROXY_SCHEME, "coap")]


def _bodies(number: int, each: int) -> Iterator[bytes]:
    yield messages.encode(messages.registration(ue(number)))
    message = messages.message((wire.UE, ue(number)), (wire.AS, RECIPIENT), _MESSAGE_ID)
    messages.set_payload(message, _PAYLOAD)
    template = messages.encode(message)
    for place in range(each):
        yield template.replace(_SERIAL.encode(), b"%08x" % (number * each + place), 2)


def _plain(mid: int, token: bytes, options: bytes, body: bytes) -> bytes:
    return bytes(encode(coap.CON, coap.POST, mid, token, options, body))


class _Numbers:
    """Sequence numbers that are kept nowhere: the keys are thrown away after the run."""

    number: int | None = None

    def load(self) -> int | None:
        return self.number

    def save(self, number: int) -> None:
        self.number = number


def _sealing(device: dict) -> Seal:
    gateway = device["gateway_ue_service_id"]
    made = context(device["oscore"], gateway, gateway, _Numbers())
    security = Security(made)
    peer = Peer(0, None, 0, 0)

    def seal(mid: int, token: bytes, options: bytes, body: bytes) -> bytes:
        exchange = Exchange(peer, coap.POST, token, options, body, True, True, print, made, None)
        code, outside, sealed = security.seal(exchange)
        return bytes(encode(coap.CON, code, mid, token, bytes(outside), sealed))

    return seal
