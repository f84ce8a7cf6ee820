"""Finding a gateway (TS 23.554, 8.2.8): everybody in reach is asked, and the answers are compared.

A Client without a gateway does this by itself.
"""

from typing import Any

class Found:
    """A gateway that has answered."""

    ue_service_id: str
    address: Any
    """As the link knows it."""
    allowed: int
    """Octets of the largest packet that it carries for this UE."""
    quality: int
    """Of the link, higher is better; 0 where the link can't tell."""
    server: str | None
    """Whom a relay relays for: the one that this UE's key has to be for. None of a gateway."""

    def __init__(
        self, ue_service_id: str, address: Any, allowed: int, quality: int, server: str | None = None
    ) -> None: ...
    def better_than(self, other: Found) -> bool: ...

class Selection:
    """Asks for gateways.

    found = await Selection(ue.endpoint, ue.link, ue.ue_service_id, ue.link.most_octets).find()
    print(found[0].ue_service_id)
    """

    counters: dict[str, int]
    """`asked`, `answers`, `too_small`, `bad_answers`."""

    def __init__(self, endpoint: Any, link: Any, ue_service_id: str, required: int, port: int = 5683) -> None:
        """Make one.

        Args:
            endpoint, link: of a Client.
            ue_service_id: who asks.
            required: octets of the largest packet that this UE wants to send.
            port: at which gateways listen.
        """

    async def find(self) -> list[Found]:
        """Return the gateways in reach, the best first; waits until there is one. Cancel its task to end it."""

class Finder:
    """What a Client without a gateway finds one with, and another one when that has fallen silent."""

    def __init__(self, ue: Any, port: int) -> None: ...
    async def find(self) -> None: ...
    def on_registration(self, registered: bool) -> None: ...
    def cancel(self) -> None: ...
