# What the two scripts need that differs between CPython and MicroPython: the link, randomness, output, and bodies.

import asyncio
import json
import random
import sys
from binascii import crc32

from msgin5g.coap.endpoint import Endpoint, Parameters


def endpoint(ack_timeout):
    return Endpoint(
        Parameters(
            ack_timeout=ack_timeout,
            max_retransmit=7,
            separate_after=200,
            most_recent=64,
            most_recent_octets=16000,
        ),
        random.getrandbits,
    )


def link(coap_endpoint, port=None):
    if sys.implementation.name == "micropython":
        from msgin5g.link.udp import UdpLink

        return UdpLink(coap_endpoint, local_port=port)
    from host_tools.link import UdpLink

    return UdpLink(coap_endpoint, "127.0.0.1", port or 0)


def secure(coap_endpoint, path):
    # A file of JSON with what provisioning writes under "oscore", and the file for sequence numbers.
    from msgin5g.oscore.derive import from_credentials
    from msgin5g.oscore.security import Security
    from msgin5g.store.counter import Counter

    with open(path) as file:  # noqa: PTH123 (a board has no pathlib)
        given = json.load(file)
    context = from_credentials(given["oscore"], Counter(given["numbers"]), "peer")
    coap_endpoint.security = Security(context)
    coap_endpoint.security.join(coap_endpoint)


def tell(**record):
    # One line of JSON for whoever has started this.
    sys.stdout.write(json.dumps(record) + "\n")
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()


def body(size):
    # No list of so many numbers: a heap is in pieces.
    octets = bytearray(size)
    for at in range(size):
        octets[at] = (at * 7 + (at >> 8)) & 0xFF
    return bytes(octets)


def seal(octets):
    return crc32(octets) & 0xFFFFFFFF


async def pause(milliseconds):
    await asyncio.sleep(milliseconds / 1000)
