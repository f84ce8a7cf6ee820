"""Recording what goes over a gateway's links, as a stream of pcapng: ``GET /api/capture``.

A gateway's datagrams have no packets around them that a program without privileges could see, and on a serial line
there are none. So IP and UDP headers are made for them here, from the addresses; where there is no IP address, from
made-up ones of the prefix for documentation (RFC 3849), and the interface in the file says so.

While nobody records, the links and endpoints are as they are without this module.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from host_tools import pcapng
from host_tools.gateway.inside import Inside
from host_tools.link import IN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from msgin5g.coap.endpoint import Endpoint
    from starlette.requests import Request

_log = structlog.get_logger("msgin5g.capture")

# Recordings at once.
MOST_RECORDERS = 4
# Octets that wait to be fetched; packets beyond that are counted and missing.
MOST_WAITING = 4 << 20
# Seconds after which a reader that is gone is noticed, when nothing else is to be told.
_INTERVAL = 1.0
_MADE_UP = "2001:db8::"
_MADE_UP_PORT = 5683
_ONE_OF_MANY = _MADE_UP + "ffff"
_MADE_UP_SAID = "not IP: addresses 2001:db8::/32 and port 5683 are made up; ::1 is the gateway"
_MOST_ADDRESSES = 4096


class Watched(NamedTuple):
    """A link that can be recorded.

    Attributes:
        name: of its interface in the file.
        link: a UdpLink, or something with its ``on_datagram``.
        endpoint: what speaks over it.
        bound: the IP address and port of this end; None where it has none.
        is_clients: whether UEs are at its other end.
        is_inside: whether what is recorded here is inside something that protects it.
    """

    name: str
    link: Any
    endpoint: Endpoint
    bound: tuple[str, int] | None
    is_clients: bool
    is_inside: bool = False


class Recorder:
    """One recording.

    Args:
        decrypted: messages as they are inside OSCORE, where they could be opened.
        wanted: which peers of UEs are recorded, by address, and then nothing but UEs; None for all that there is.
        most_octets: bound of what waits to be fetched.

    Attributes:
        packets: how many were taken.
        dropped: how many were not, because nobody fetched those before.
    """

    def __init__(
        self,
        decrypted: bool = False,
        wanted: Callable[[tuple], bool] | None = None,
        most_octets: int = MOST_WAITING,
    ) -> None:
        self.decrypted = decrypted
        self.packets = 0
        self.dropped = 0
        self._wanted = wanted
        self._most_octets = most_octets
        self._blocks = [pcapng.section("msgin5g gateway")]
        self._waiting = 0
        self._ready = asyncio.Event()
        self._ready.set()
        self._over = False
        self._numbers: dict[str, int] = {}
        self._missing: dict[int, int] = {}
        self._untold: set[int] = set()
        self._addresses = _Addresses()

    def wants(self, watched: Watched, address: tuple) -> bool:
        """Whether a datagram from or to there is to be recorded."""
        if watched.is_inside and not self.decrypted:
            return False
        return self._wanted is None or (watched.is_clients and self._wanted(address))

    def record(self, watched: Watched, at: int, inbound: bool, payload: bytes, address: tuple) -> None:
        """Take a datagram, or count it as missing."""
        number = self._number(watched)
        if self._waiting > self._most_octets:
            self.dropped += 1
            self._missing[number] = self._missing.get(number, 0) + 1
            self._untold.add(number)
            return
        here, there, comment = self._addresses.of(watched, address)
        octets = pcapng.datagram(*((there, here) if inbound else (here, there)), payload)
        self.packets += 1
        self._add(pcapng.packet(number, at, octets, inbound, comment))

    def end(self) -> None:
        """Nothing more is to come."""
        self._over = True
        self._ready.set()

    async def stream(self) -> AsyncIterator[bytes]:
        """What was recorded, piece by piece, until the end; an empty piece now and then when there is nothing."""
        while not self._over:
            try:
                await asyncio.wait_for(self._ready.wait(), _INTERVAL)
            except TimeoutError:
                yield b""
            else:
                yield self._fetched()
        yield self._fetched()

    def _fetched(self) -> bytes:
        for number in self._untold:
            self._blocks.append(pcapng.statistics(number, time.time_ns(), self._missing[number]))
        self._untold.clear()
        octets = b"".join(self._blocks)
        self._blocks.clear()
        self._waiting = 0
        if not self._over:
            self._ready.clear()
        return octets

    def _number(self, watched: Watched) -> int:
        number = self._numbers.get(watched.name)
        if number is None:
            number = self._numbers[watched.name] = len(self._numbers)
            self._add(pcapng.interface(watched.name, "" if watched.bound else _MADE_UP_SAID))
            # That nothing is missing is said too.
            self._missing[number] = 0
            self._untold.add(number)
        return number

    def _add(self, block: bytes) -> None:
        self._blocks.append(block)
        self._waiting += len(block)
        self._ready.set()


class _Addresses:
    # The addresses of packets: both ends, and a comment where one is used for the first time that is made up.
    def __init__(self) -> None:
        self._local: dict[tuple, str] = {}
        self._made_up: dict[tuple, str] = {}

    def of(self, watched: Watched, address: tuple) -> tuple[tuple[str, int], tuple[str, int], str]:
        if watched.bound and _is_ip(address[0]):
            return (self._here(watched.bound[0], address), watched.bound[1]), address[:2], ""
        comment = ""
        made_up = self._made_up.get(address)
        if made_up is None and len(self._made_up) >= _MOST_ADDRESSES:
            made_up = _ONE_OF_MANY
        elif made_up is None:
            made_up = self._made_up[address] = f"{_MADE_UP}{len(self._made_up) + 2:x}"
            comment = f"{made_up} is {' '.join(map(_shown, address))}"
        return (_MADE_UP + "1", _MADE_UP_PORT), (made_up, _MADE_UP_PORT), comment

    def _here(self, bound: str, peer: tuple) -> str:
        # A socket that is bound to no address uses the one of the route to the peer.
        if bound not in {"0.0.0.0", "::"}:
            return bound
        here = self._local.get(peer[:1])
        if here is None:
            if len(self._local) >= _MOST_ADDRESSES:
                self._local.clear()
            here = self._local[peer[:1]] = _route(peer) or bound
        return here


def _route(peer: tuple) -> str | None:
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent.
            probe.connect(peer)
        except OSError:
            return None
        return probe.getsockname()[0]


def _is_ip(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


def _shown(part: object) -> str:
    return part.hex(":") if isinstance(part, bytes) else str(part)


class Recorders:
    """Who records a gateway at the moment.

    Args:
        links: what can be recorded, asked now and then, since serial ports come and go.
    """

    def __init__(self, links: Callable[[], Iterable[Watched]]) -> None:
        self._links = links
        self._active: list[Recorder] = []
        self._hooked: dict[int, Watched] = {}
        self._insides: dict[int, Inside] = {}

    def __len__(self) -> int:
        return len(self._active)

    async def recording(self, recorder: Recorder, seconds: float | None = None) -> AsyncIterator[bytes]:
        """Record from now on; yields what is to be written, until the end or until the reader is gone."""
        self._active.append(recorder)
        self._look()
        _log.warning("capture begins", decrypted=recorder.decrypted, recorders=len(self))
        ending = asyncio.get_running_loop().call_later(seconds, recorder.end) if seconds else None
        try:
            async for piece in recorder.stream():
                self._look()
                yield piece
        finally:
            if ending:
                ending.cancel()
            self._active.remove(recorder)
            self._look()
            _log.warning("capture ends", packets=recorder.packets, dropped=recorder.dropped)

    async def respond(self, request: Request, address_of: Callable[[str], Any]) -> Response:
        """Answer ``GET /api/capture``: query parameters ``decrypted``, ``seconds`` and ``ue``.

        Args:
            request: of somebody who may ask for it.
            address_of: where a UE is registered at this moment, or None.
        """
        if len(self) >= MOST_RECORDERS:
            return PlainTextResponse(f"{len(self)} captures run already; end one\n", 503)
        try:
            seconds = float(request.query_params.get("seconds", "0"))
        except ValueError:
            return PlainTextResponse("seconds: expected a number\n", 400)
        ue = request.query_params.get("ue")
        wanted = (lambda address: address == address_of(ue)) if ue else None
        recorder = Recorder(request.query_params.get("decrypted") == "1", wanted)
        # What it finds out about UEs is nobody else's business: no cache keeps it.
        headers = {"Cache-Control": "no-store"}
        pieces = self.recording(recorder, seconds if seconds > 0 else None)
        return StreamingResponse(pieces, media_type="application/x-pcapng", headers=headers)

    def close(self) -> None:
        """End all."""
        for recorder in self._active:
            recorder.end()

    def _look(self) -> None:
        # Hooks and proxies are in place for as long as somebody needs them.
        for watched in self._links() if self._active else ():
            if id(watched.link) not in self._hooked:
                self._hooked[id(watched.link)] = watched
                watched.link.on_datagram = self._hook(watched)
        decrypted = any(recorder.decrypted for recorder in self._active)
        for watched in self._hooked.values():
            if (
                decrypted
                and getattr(watched.endpoint, "security", None)
                and id(watched.endpoint) not in self._insides
            ):
                self._insides[id(watched.endpoint)] = Inside(watched.endpoint)
        if not decrypted:
            for inside in self._insides.values():
                inside.detach()
            self._insides.clear()
        if not self._active:
            for watched in self._hooked.values():
                watched.link.on_datagram = None
            self._hooked.clear()

    def _hook(self, watched: Watched) -> Callable[[str, bytes | bytearray, tuple], None]:
        def on_datagram(direction: str, data: bytes | bytearray, address: tuple) -> None:
            inside = self._insides.get(id(watched.endpoint))
            inner = inside.within(direction, data, address) if inside else None
            at = time.time_ns()
            for recorder in self._active:
                if recorder.wants(watched, address):
                    payload = inner if recorder.decrypted and inner else bytes(data)
                    recorder.record(watched, at, direction == IN, payload, address)

        return on_datagram
