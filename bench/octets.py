"""What one reliable message costs on the constrained link, in datagrams and octets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from msgin5g.coap import numbers as coap

from bench import interpreters
from bench.hop import Hop
from bench.rig import board, rig, send
from host_tools.setup import micropython

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TITLE = "Octets on the constrained link"
NOTES = """\
One message with a payload of 100 octets from a board to an Application Server, everything in both directions, without
any header of the link. On IP each datagram costs 28 octets more (IPv4 and UDP). The first rows are seen by a relay
between board and gateway, with the delivery status report, in JSON and not secured. The others are a client and what
takes its messages in one process: acknowledged, no report asked for, the first message after the registration. OSCORE's
number and the message's key in its store take another octet each from the 256th message on, and from the 65,536th.
Service IDs are as@bench.example and of that length, those of the first rows of 18 octets or fewer."""

_HEAP = "128K"
_IP_AND_UDP = 28


class Relay(asyncio.DatagramProtocol):
    """Between one board and its gateway; keeps the size of every datagram."""

    def __init__(self, gateway: tuple[str, int]) -> None:
        self.sizes: dict[str, list[int]] = {}
        self.clear()
        self._gateway = gateway
        self._board: tuple[str, int] | None = None

    def clear(self) -> None:
        self.sizes = {"board to gateway": [], "gateway to board": []}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr == self._gateway:
            self.sizes["gateway to board"].append(len(data))
            self._transport.sendto(data, self._board)
        else:
            self.sizes["board to gateway"].append(len(data))
            self._board = addr
            self._transport.sendto(data, self._gateway)


def measure(_quick: bool, _tell: Callable[[str], None]) -> list[dict]:
    interpreter = micropython.constrained()
    rows = asyncio.run(_measure(interpreter)) if interpreter else []
    return rows + [
        _row(
            f"message acknowledged, {name}, {'OSCORE' if secured else 'not secured'}",
            _ways(hop.message(b"x" * 100)),
        )
        for secured in (False, True)
        for name, content_format in (("JSON", coap.JSON), ("CBOR", coap.CBOR))
        for hop in [Hop(content_format, secured)]
    ]


def _ways(sizes: list[int]) -> dict[str, list[int]]:
    # A request, and what acknowledges it.
    return {"board to gateway": sizes[:1], "gateway to board": sizes[1:]}


async def _measure(interpreter: Path) -> list[dict]:
    library = interpreters.compiled()
    loop = asyncio.get_running_loop()
    async with rig() as place:
        _, relay = await loop.create_datagram_endpoint(
            lambda: Relay(place.gateway), local_addr=("127.0.0.1", 0)
        )
        async with board("board-1", relay.address, interpreter, library, _HEAP) as sender:
            rows = [_row("registration", relay.sizes)]
            relay.clear()
            await send(sender, "x" * 100)
            # The acknowledgement of the report follows it.
            await asyncio.sleep(0.2)
            rows.append(_row("message, and its report", relay.sizes))
    return rows


def _row(what: str, ways: dict[str, list[int]]) -> dict:
    sizes = [size for each in ways.values() for size in each]
    return {
        "what": what,
        **{f"{way}, octets": " + ".join(map(str, each)) for way, each in ways.items()},
        "datagrams": len(sizes),
        "octets": sum(sizes),
        "octets with IP and UDP": sum(sizes) + _IP_AND_UDP * len(sizes),
    }
