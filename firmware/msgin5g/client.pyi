"""The MSGin5G Client: what an application on a board uses (TS 23.554, 8.2 and 8.3)."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal, Self

from .application import Received, Sent
from .coap.client import Client as CoapClient
from .coap.endpoint import Endpoint
from .coap.exchange import Parameters
from .inbox import Inbox
from .oscore.security import Security
from .outbox import Outbox
from .registration import Registration
from .resource import MessageResource
from .topics import Topics

NOT_PROTECTED: Final = False
"""For `security=`: CoAP without any protection, for a lab."""

class Client:
    """A UE's MSGin5G Client. It keeps its registration, and sends what its store holds in the order it was given.

    Most applications get theirs from `provisioning.client()`. In a lab:

        ue = Client("meter-17@example.org", "192.168.4.1", security=NOT_PROTECTED)
        async with ue:
            await ue.send("23.5 C", application_server="meters@example.org")
            message = await ue.receive()

    All waiting is asyncio's. What is sent before register(), or without a network, is stored and sent later.
    """

    ue_service_id: str
    counters: dict[str, int]
    """`duplicates`, `inbox_full`, `unreadable`, `dropped`, `unknown_reports`, `not_for_us`."""
    on_state: Callable[[Sent], object]
    """Called with a message at each change of its state, also of those that were sent before a restart."""
    on_registration: Callable[[bool, str | None], object]
    """Called with (registered, failure cause); the cause is None when contact was lost."""
    segment_size: int
    content_format: int
    endpoint: Endpoint
    link: Any
    """See `link`."""
    coap: CoapClient
    store: Any
    """See `store.Store`."""
    inbox: Inbox
    outbox: Outbox
    resource: MessageResource
    registration: Registration
    changed: asyncio.Event

    def __init__(
        self,
        ue_service_id: str,
        gateway: Any = None,
        port: int = 5683,
        security: Security | Literal[False] | None = None,
        link: Callable[[Any], Any] | None = None,
        parameters: Parameters | None = None,
        store: Any = None,
        profile: dict[int, Any] | None = None,
        urgent: bool | None = None,
        patience: int | None = None,
        segment_size: int = 2048,
        content_format: int = 50,
        linger: int | None = None,
        most_sent: int = 16,
    ) -> None:
        """Make a Client; nothing goes out before register().

        Args:
            ue_service_id: who this UE is (23.554, 6.2).
            gateway: name or address of its gateway, as its link takes it; None to find one (8.2.8), and another
                one when it falls silent.
            port: the gateway's UDP port.
            security: the keys (see `provisioning`), or NOT_PROTECTED. There is no default.
            link: called with the endpoint, makes the link; UDP when not given:
                `link=lambda endpoint: SerialLink(endpoint, machine.UART(1, 115200))`.
            parameters: times and bounds of CoAP.
            store: where messages are; in RAM when not given. `store.flash.FlashStore` outlives a power cut.
            profile: the Client Profile (8.2.1), as `profile.client_profile()` makes it.
            urgent: False lets a gateway that registers several UEs at once wait with this one (8.2.7).
            patience: seconds that this registration may wait there.
            segment_size: octets of payload above which a message goes in segments (8.5).
            content_format: `coap.numbers.JSON`, or `CBOR` for less than half the octets.
            linger: milliseconds that a small message waits for others to travel with (8.4); None: each alone.
            most_sent: messages of which the state is followed.

        Raises:
            ValueError: security is not given.
            OSError: the gateway's name is not known, or there is no network interface.
        """

    @property
    def registered(self) -> bool:
        """Does the gateway know this UE now?"""

    @property
    def topics(self) -> Topics:
        """Subscriptions to Messaging Topics (8.8)."""

    async def register(self) -> None:
        """Register (8.2.1), however long the gateway takes to be reached; the registration is kept from then on.

        Raises:
            RegistrationRefused: the gateway or the server says no; args[0] is the failure cause.
            ValueError: after close().
        """

    async def until_registered(self) -> None:
        """Wait until registered (again).

        Raises:
            RegistrationRefused: as register().
        """

    async def change(self) -> None:
        """Wait until something has happened: then look whether it is what you wait for."""

    async def deregister(self) -> None:
        """De-register (8.2.2). What is still stored is sent after the next register()."""

    async def send(
        self,
        payload: str | bytes | bytearray | memoryview | None = None,
        ue: str | None = None,
        application_server: str | None = None,
        group: str | None = None,
        topic: str | None = None,
        area: str | None = None,
        application: str | None = None,
        report: bool = True,
        store_and_forward: bool = True,
        expires_in: float | None = None,
        priority: Literal["HIGH", "MIDDLE", "LOW"] | None = None,
        latency: int | None = None,
        file: str | None = None,
    ) -> Sent:
        """Store a message to be sent (8.3.2); it goes out when there is contact, in the order of its priority.

            sent = await ue.send("open", ue="valve-3@example.org", expires_in=600, priority="HIGH")
            if not await sent.delivered():
                print(sent.state, sent.cause)

        Args:
            payload: text, or octets. Anything else: `json.dumps()` it first.
            ue, application_server, group, topic, area: one of them: the recipient's Service ID, the Messaging
                Topic (8.8), or the Broadcast Area ID.
            application: the Application ID at the recipient.
            report: ask for a delivery status report (8.3.4), for `Sent.delivered()`.
            store_and_forward: may be stored on its way while the recipient can't be reached (8.3.6).
            expires_in: seconds after which it is not worth delivering. Needs the time of day.
            priority: "HIGH" overtakes "MIDDLE" (the default), which overtakes "LOW".
            latency: milliseconds that it may take (8.3.2).
            file: instead of a payload, the name of a file with it, which stays as it is until the message has
                had its end: for what does not fit into memory.

        Returns:
            When it is stored: with a FlashStore a power cut does not lose it any more.

        Raises:
            ValueError: no recipient, or two; expires_in without a clock; an unknown priority; after close().
            TypeError: the payload is neither text nor octets.
            OSError: there is no such file.
            store.Full: the store has no room.
        """

    async def receive(self) -> Received:
        """Return the next message, each once. Its delivery status report goes out now, if its sender wants one."""

    async def settled(self) -> None:
        """Wait until everything stored, reports included, has been accepted or refused by the next hop."""

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> Received: ...
    async def __aenter__(self) -> Self:
        """register()."""

    async def __aexit__(self, *raised: object) -> None:
        """deregister() and close()."""

    def close(self) -> None:
        """End without a word to the gateway; deregister() first to be off politely. There is no way back."""

    def must_run(self) -> None:
        """Refuse what waits for an answer that nobody would hear.

        Raises:
            ValueError: before register(), or after close().
        """

    def new_message_id(self) -> str:
        """Return a Message ID for what is put into the store next."""

    def post(self, body: bytes, on_response: Callable[[Any, int], object], now: int) -> None: ...
    def most_body(self) -> int:
        """Return how many octets of a message fit into one packet of the link."""

def wall_clock() -> int | None:
    """Return seconds since 1970 on every port; None while the clock has not been set."""

def _randbits(bits: int) -> int:
    """Return so many bits from the entropy source of the board."""
