"""Very many devices and a server, in one process and two sockets: what the benchmark of scale loads a gateway with.

Each device has an address of its own in 127.0.0.0/8, a UE Service ID and a key. The server accepts whatever the gateway
sends, under OSCORE, and stores nothing; bodies in blocks it does not take.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from msgin5g import messages, wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.exchange import Exchange, Peer, Refused, Request
from msgin5g.coap.message import Message, encode, encode_options
from msgin5g.oscore.security import Security
from msgin5g.provisioning import context
from msgin5g.resource import request_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from msgin5g.oscore.context import Context

PAYLOAD_OCTETS = 100
RECIPIENT = "as@bench.example"
_SERIAL = "5e71a100"
_MESSAGE_ID = f"{_SERIAL}-0000-4000-8000-000000000001"
_END_OF_ID = b'-%s"' % _MESSAGE_ID.partition("-")[2].encode()
_PACKET_INFO = struct.Struct("=i4s4s")
_IP_PKTINFO = 8
_SOCKET_BUFFER = 8 << 20
_LONGEST = 4096
# Other requests of the devices, so that they are at different Message IDs of CoAP.
_FIRST_MID = 977
_RETRANSMIT_S = 3.0
# What a gateway retransmits after seconds comes behind thousands of others.
_WINDOW = 1 << 15
_MOST_ANSWERS = 100_000


def ue(number: int) -> str:
    """UE Service ID of a device."""
    return f"device-{number}@bench.example"


def address(number: int) -> str:
    """Where it is."""
    return socket.inet_ntoa((0x7F010001 + number).to_bytes(4, "big"))


class _Numbers:
    """Sequence numbers that are kept nowhere: the keys are thrown away after the run."""

    number: int | None = None

    def load(self) -> int | None:
        return self.number

    def save(self, number: int) -> None:
        self.number = number


def _context(keys: dict, gateway: str, name: str, window: int = 32) -> Context:
    return context(keys, gateway, name, _Numbers(), window)


def _udp(host: str) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        one.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER)
    one.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    one.bind((host, 0))
    one.setblocking(False)
    return one


class Upstream:
    """What the gateway takes for its server.

    Args:
        keys: what the gateway was given for it: ``device.json``.

    Attributes:
        port: its UDP port of loopback.
        registrations: how many it has accepted, the gateway's own too.
        requests: how many requests it has answered.
        arrived: messages in them.
        silent: it answers nothing new.
    """

    def __init__(self, keys: dict) -> None:
        self.socket = _udp("127.0.0.1")
        self.port = self.socket.getsockname()[1]
        self.registrations = self.requests = self.arrived = 0
        self.silent = False
        oscore = keys["oscore"]
        swapped = oscore | {"sender_id": oscore["recipient_id"], "recipient_id": oscore["sender_id"]}
        self._context = _context(swapped, keys["gateway_ue_service_id"], keys["ue_service_id"], _WINDOW)
        self._security = Security(self._context)
        self._security._counters = {}
        self._message = Message()
        self._peers: dict[tuple, Peer] = {}
        # Answers, by address and Message ID: what comes again is answered again.
        self._answers: OrderedDict[tuple, bytes | bytearray] = OrderedDict()

    def drain(self, most: int = 256) -> None:
        """Answer what has arrived."""
        for _ in range(most):
            try:
                data, source = self.socket.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            if data[0] >> 4 & 3 == coap.CON and data[1]:
                self._answer(data, source)

    def _answer(self, data: bytes, source: tuple) -> None:
        known = self._answers.get((source, data[2:4]))
        if known is None:
            if self.silent:
                return
            known = self._accept(data, source)
        self.socket.sendto(known, source)

    def _accept(self, data: bytes, source: tuple) -> bytes | bytearray:
        message = self._message
        message.decode(data, len(data))
        opened = self._security.open_request(message, source)
        assert opened
        peer = self._peers.setdefault(source, Peer(len(self._peers), source, 0, 0))
        request = Request(peer, message, 0)
        request.context, request.piv, request.outer, _ = opened
        payload = bytes(message.payload())
        registers = b'"REG"' in payload
        self.requests += 1
        self.registrations += registers
        self.arrived += payload.count(_END_OF_ID)
        code = wire.REGISTERED if registers else wire.ACCEPTED
        code, outside, sealed = self._security.seal_response(request, code, b"", b"")
        answer = encode(coap.ACK, code, request.mid, request.token, bytes(outside), sealed)
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.popitem(last=False)
        self._answers[source, data[2:4]] = answer
        return answer


class Devices:
    """The devices.

    Args:
        keys: what each was given: ``device.json``.
        gateway: (host, port) of the gateway.

    Attributes:
        gateway: see above; may be changed.
        port: of all of them.
        acknowledged: requests that were answered 2.xx.
        refused: those that were answered otherwise.
        challenged: those that had to be repeated with an Echo option.
        retransmitted: how many were sent again.
        delivered: messages that came down.
        results: how many were told what became of their registration.
    """

    def __init__(self, keys: list[dict], gateway: tuple[str, int]) -> None:
        self.socket = _udp("0.0.0.0")
        self.acknowledged = self.refused = self.challenged = self.retransmitted = 0
        self.delivered = self.results = 0
        self._keys = keys
        self.gateway = gateway
        self.port = self.socket.getsockname()[1]
        self._contexts: dict[int, Context] = {}
        self._next: dict[int, int] = {}
        self._options = encode_options(request_options())
        self._security: Any = Security(None)
        self._security._counters = {}
        self._message = Message()
        self._peer = Peer(0, gateway, 0, 0)
        # Device -> [its exchange, the datagram, when it was sent last]
        self._under_way: dict[int, list] = {}
        self._serial = 0

    def _context(self, number: int) -> Context:
        found = self._contexts.get(number)
        if found is None:
            keys = self._keys[number]
            gateway = keys["gateway_ue_service_id"]
            found = self._contexts[number] = _context(keys["oscore"], gateway, gateway)
        return found

    def registration(self, number: int, patience: int | None = None) -> bytes:
        """The REG request of a device; with patience it may wait for others for so many seconds."""
        elements: dict = messages.registration(ue(number))
        if patience is not None:
            elements[wire.REGISTRATION_EXPIRATION_TIME] = patience
        return messages.encode(elements)

    def message(self, number: int) -> bytes:
        """A message that it has not sent before."""
        self._serial += 1
        return message_of(number, self._serial)

    def run(
        self,
        requests: Iterator[tuple[int, bytes]],
        window: int,
        upstream: Upstream | None,
        until: Callable[[], bool] | None = None,
        seconds: float = 600,
    ) -> None:
        """Send requests, so many under way at once, until all are answered, and then until something holds.

        Args:
            requests: (device, body) of each.
            window: how many are under way at once.
            upstream: is driven meanwhile.
            until: see above.
            seconds: how long at most.

        Raises:
            TimeoutError: it took longer.
        """
        sockets = [self.socket, *([upstream.socket] if upstream else [])]
        poll = select.poll()
        for one in sockets:
            poll.register(one, select.POLLIN)
        end = time.monotonic() + seconds
        looked = time.monotonic()
        more = True
        while more or self._under_way or not (until is None or until()):
            while more and len(self._under_way) < window:
                found = next(requests, None)
                more = found is not None
                if found:
                    self._send(*found)
            poll.poll(5)
            self._drain()
            if upstream:
                upstream.drain()
            now = time.monotonic()
            if now > end:
                raise TimeoutError(f"{len(self._under_way)} under way, {self.acknowledged} acknowledged")
            if now > looked + 0.5:
                looked = now
                self._retransmit(now - _RETRANSMIT_S)

    def _send(self, number: int, body: bytes, echo: bytes | None = None) -> None:
        made = self._context(number)
        place = self._next[number] = self._next.get(number, 0) + 1
        token = number.to_bytes(4, "big")
        exchange = Exchange(self._peer, coap.POST, token, self._options, body, True, True, print, made, None)
        exchange.echo = echo
        code, outside, sealed = self._security.seal(exchange)
        datagram = encode(coap.CON, code, number * _FIRST_MID + place & 0xFFFF, token, bytes(outside), sealed)
        self._under_way[number] = [exchange, datagram, time.monotonic()]
        self._transmit(number, datagram)

    def _transmit(self, number: int, datagram: bytes | bytearray) -> None:
        source = socket.inet_aton(address(number))
        info = _PACKET_INFO.pack(0, source, bytes(4))
        self.socket.sendmsg([datagram], [(socket.IPPROTO_IP, _IP_PKTINFO, info)], 0, self.gateway)

    def _retransmit(self, before: float) -> None:
        for number, waiting in self._under_way.items():
            if waiting[2] < before:
                waiting[2] = time.monotonic()
                self.retransmitted += 1
                self._transmit(number, waiting[1])

    def _drain(self, most: int = 256) -> None:
        for _ in range(most):
            try:
                data, ancillary, _, _ = self.socket.recvmsg(_LONGEST, 64)
            except BlockingIOError:
                return
            kind = data[0] >> 4 & 3
            if kind == coap.ACK and data[0] & 15 == 4:
                self._answered(data)
            elif kind == coap.CON:
                _, _, destination = _PACKET_INFO.unpack(ancillary[0][2])
                self._request(data, int.from_bytes(destination, "big") - 0x7F010001)

    def _answered(self, data: bytes) -> None:
        number = int.from_bytes(data[4:8], "big")
        waiting = self._under_way.get(number)
        if waiting is None or data[2:4] != waiting[1][2:4]:
            return
        message = self._message
        message.decode(data, len(data))
        exchange = waiting[0]
        try:
            self._security.open_response(exchange, message)
        except Refused:
            # Not protected: the gateway does not know who it is.
            self.refused += 1
            del self._under_way[number]
            return
        del self._under_way[number]
        if message.code == coap.UNAUTHORIZED and message.echo():
            self.challenged += 1
            self._send(number, bytes(exchange.payload), message.echo())
        elif message.code >> 5 == 2:
            self.acknowledged += 1
        else:
            self.refused += 1

    def _request(self, data: bytes, number: int) -> None:
        message = self._message
        message.decode(data, len(data))
        try:
            opened = self._security_of(number).open_request(message, None)
        except Refused:
            # It came before.
            return
        assert opened
        request = Request(self._peer, message, 0)
        request.context, request.piv, request.outer, _ = opened
        payload = bytes(message.payload())
        self.delivered += payload.count(_END_OF_ID)
        self.results += b'"REG"' in payload
        code, outside, sealed = self._security.seal_response(request, wire.ACCEPTED, b"", b"")
        answer = encode(coap.ACK, code, request.mid, request.token, bytes(outside), sealed)
        self._transmit(number, answer)

    def _security_of(self, number: int) -> Security:
        self._security.context = self._context(number)
        return self._security


def message_of(number: int, serial: int, to_device: bool = False) -> bytes:
    """A message of a device for an Application Server, or the other way, as it is stored."""
    device, other = (wire.UE, ue(number)), (wire.AS, RECIPIENT)
    template = _template(number, to_device, device, other)
    return template.replace(_SERIAL.encode(), b"%08x" % serial, 2)


_templates: dict[tuple[int, bool], bytes] = {}


def _template(number: int, to_device: bool, device: tuple, other: tuple) -> bytes:
    found = _templates.get((number, to_device))
    if found is None:
        elements = messages.message(*((other, device) if to_device else (device, other)), _MESSAGE_ID)
        messages.set_payload(elements, f"#{_SERIAL} ".ljust(PAYLOAD_OCTETS, "x"))
        found = messages.encode(elements)
        if len(_templates) < 10_000:
            _templates[number, to_device] = found
    return found
