"""The Application Client of a UE that has no MSGin5G Client of its own (TS 23.554, 8.11; TS 24.538, A.2).

import os
from msgin5g.application_client import ApplicationClient
from msgin5g.application_client_udp import Link

meter = ApplicationClient(7, b"credential", os.urandom)
link = Link(meter, "192.168.4.1", 5690)
meter.register(link.now())
meter.send(b"meters@example.org", b"23.5 C", link.now())
while True:
    link.poll(1000)
"""

from collections.abc import Callable
from typing import Any

class ApplicationClient:
    """As little as a board can do with, for a sensor or an actuator. All of it is in RAM."""

    address: Any
    """Where the MSGin5G Client is, as the link knows it."""
    registered: bool
    on_message: Callable[..., object]
    """on_message(message_id, originator, payload), all octets; False is reported as not delivered."""
    on_told: Callable[..., object]
    """on_told(message_id, cause): taken (0) or refused. message_id is None for a registration."""
    on_report: Callable[..., object]
    """on_report(message_id, delivered): the delivery status report on a message."""

    def __init__(
        self,
        application: int,
        credential: bytes,
        random: Callable[[int], bytes],
        layer_2_id: int = 0,
        ack_timeout: int = 2000,
    ) -> None:
        """Make one.

        Args:
            application: the Application ID.
            credential: what the MSGin5G Client knows it by.
            random: returns octets nobody can guess: `os.urandom`.
            layer_2_id: its own.
            ack_timeout: milliseconds until a message is sent again; doubles up to 32 s.
        """

    def register(self, now: int, leave: bool = False) -> None:
        """Register, or de-register; goes before all else. now: of the link."""

    def send(
        self, target: bytes, payload: bytes, now: int, target_type: int = 1, report: bool = False
    ) -> bytes | None:
        """Send a message.

        Args:
            target: the recipient's Service ID.
            payload: octets.
            now: of the link.
            target_type: as in `l3_table`, an Application Server unless it says otherwise.
            report: ask for a delivery status report.

        Returns:
            The Message ID, or None when four wait already.
        """

    def timer(self) -> int | None: ...
    def datagrams_to_send(self) -> list[tuple[bytes, Any]]: ...
    def handle_timer(self, now: int) -> None: ...
    def receive(self, data: bytes, size: int, address: Any, now: int) -> None: ...
