"""The Application Client in CoAP and JSON (TS 24.538, A.3), for links other than PC5 (TS 23.554, 8.11).

import os
from msgin5g.application_client_coap import ApplicationClient
from msgin5g.application_client_udp import Link

meter = ApplicationClient("meter", "credential", os.urandom)
link = Link(meter, "192.168.4.1", 5691)
meter.register(link.now())
meter.send("meters@example.org", "23.5 C", link.now())
while True:
    link.poll(1000, 512)
"""

from collections.abc import Callable
from typing import Any

class ApplicationClient:
    """A UE that has no MSGin5G Client of its own. All of it is in RAM."""

    address: Any
    """Where the MSGin5G Client is, as the link knows it."""
    registered: bool
    on_message: Callable[..., object]
    """on_message(message_id, originator, payload); False is reported as not delivered."""
    on_told: Callable[..., object]
    """on_told(message_id, cause): taken (0) or refused (CoAP's code). message_id is None for a registration."""
    on_report: Callable[..., object]
    """on_report(message_id, delivered): the delivery status report on a message."""

    def __init__(
        self, application: str, credential: str, random: Callable[[int], bytes], ack_timeout: int = 2000
    ) -> None:
        """Make one.

        Args:
            application: the Application ID.
            credential: what the MSGin5G Client knows it by.
            random: returns octets nobody can guess: `os.urandom`.
            ack_timeout: CoAP's ACK_TIMEOUT in milliseconds.
        """

    def register(self, now: int, leave: bool = False) -> None:
        """Register, or de-register; goes before all else. now: of the link."""

    def send(
        self, target: str, payload: str | bytes, now: int, target_type: str = "AS", report: bool = False
    ) -> str | None:
        """Send a message.

        Args:
            target: the recipient's Service ID.
            payload: text, or octets.
            now: of the link.
            target_type: "AS", "UE" or "GROUP".
            report: ask for a delivery status report.

        Returns:
            The Message ID, or None when four wait already.
        """

    def timer(self) -> int | None: ...
    def datagrams_to_send(self) -> list[tuple[bytes, Any]]: ...
    def handle_timer(self, now: int) -> None: ...
    def receive(self, data: bytes, size: int, address: Any, now: int) -> None: ...
