"""One client and the next hop, connected by a list: the octets that the firmware puts on the constrained link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgin5g import messages, provisioning, wire
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap.endpoint import Endpoint, Parameters
from msgin5g.coap.server import Server
from msgin5g.oscore.security import Security
from msgin5g.provisioning import DeviceSecurity
from msgin5g.resource import MessageResource, from_peer
from msgin5g.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Coroutine

UE, AS, GATEWAY = "u1@bench.example", "as@bench.example", "gw@bench.example"


class _Number:
    # Keeps OSCORE's sequence number, as long as it is measured.
    number: int | None = None

    def load(self) -> int | None:
        return self.number

    def save(self, number: int) -> None:
        self.number = number


class Hop:
    """A registered client, and what takes its messages.

    Args:
        content_format: of the client.
        secured: with OSCORE, whose identifiers have one octet and none.

    Attributes:
        sizes: of each datagram since the last :meth:`message`, in octets, without any header of the link.
        received: the messages that have arrived, as information elements.
    """

    # What a client asks of its link.
    most_octets = 1280
    szx = 6

    def __init__(self, content_format: int, secured: bool) -> None:
        self.sizes: list[int] = []
        self.received: list[dict[int, Any]] = []
        near, far = _keys() if secured else (NOT_PROTECTED, None)
        self._far = Endpoint(Parameters(), lambda _bits: 1, security=far)
        handlers = {wire.REG: self._on_reg, wire.MSG: self._on_message}
        self._resource = MessageResource(Server(self._far), handlers, implied=from_peer)
        self.before_send = _nothing
        self._client = Client(
            UE,
            "far",
            security=near,
            link=self._joined,
            # Like a store on flash: three octets that it was born with.
            store=_born(MemoryStore()),
            content_format=content_format,
        )

    def message(self, payload: bytes) -> list[int]:
        """Register, and send one message without asking for a report: the sizes of its datagrams."""
        _finish(self._client.register())
        self.sizes.clear()
        _finish(self._client.send(payload, application_server=AS, report=False))
        return self.sizes

    # -- the link

    def _joined(self, endpoint: Endpoint) -> Hop:
        self._near = endpoint
        return self

    def resolve(self, host: str, _port: int) -> str:
        return host

    def connect(self, address: str) -> None:
        assert address == "far"

    def now(self) -> int:
        return 0

    def start(self) -> None:
        pass

    def flush(self) -> None:
        under_way = True
        while under_way:
            under_way = False
            for source, destination, name in (
                (self._near, self._far, "near"),
                (self._far, self._near, "far"),
            ):
                for datagram, _ in source.datagrams_to_send():
                    under_way = True
                    self.sizes.append(len(datagram))
                    destination.receive(bytes(datagram), len(datagram), name, 0)

    # -- the next hop

    def _on_reg(self, request: Any, elements: dict[int, Any], now: int) -> None:
        result = messages.registration_result(wire.REG, elements[wire.UE_SERVICE_ID])
        self._resource.answer(request, wire.REGISTERED, now, result)

    def _on_message(self, request: Any, elements: dict[int, Any], now: int) -> None:
        self.received.append(elements)
        self._resource.answer(request, wire.ACCEPTED, now)


def _keys() -> tuple[DeviceSecurity, Security]:
    secret = {"master_secret": "0f" * 16, "master_salt": ""}
    device = DeviceSecurity(secret | {"sender_id": "01", "recipient_id": ""}, _Number())
    device.use(GATEWAY)
    gateway = secret | {"sender_id": "", "recipient_id": "01"}
    return device, Security(provisioning.context(gateway, GATEWAY, UE, _Number()))


def _born(store: MemoryStore) -> MemoryStore:
    store.birth = store.birth[:3]
    return store


def _finish(coroutine: Coroutine[Any, Any, Any]) -> None:
    # Everything answers at once, so nothing is waited for.
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("it waits for something")


def _nothing() -> None:
    pass
