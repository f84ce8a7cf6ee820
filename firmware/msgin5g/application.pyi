"""What an application has in its hands: a message it has sent, a message it has received."""

from collections.abc import Iterator
from typing import Any, Final, Literal

STORED: Final = "stored"
"""It is in the client's store; with one on flash a power cut does not lose it."""
SENT: Final = "sent"
"""It has been transmitted, and nobody has answered yet."""
ACCEPTED: Final = "accepted"
"""The next hop has it."""
DELIVERED: Final = "delivered"
"""The recipient's delivery status report says so (of a group or a topic: the first such report)."""
FAILED: Final = "failed"
"""`cause` says why."""
EXPIRED: Final = "expired"
"""Its expiration time came first."""

class RegistrationRefused(Exception):
    """The gateway or the server does not register this UE; args[0] is the failure cause."""

class Sent:
    """A message on its way, as its sender sees it."""

    message_id: str
    report: bool
    state: str
    """One of the states above."""
    cause: str | None
    """Why it has failed; of a group or a topic, at the one who has reported last."""
    reporter: str | None
    """Who has reported last: one member after the other, when it went to a group or a topic."""
    since: int
    until: int
    """Ticks (milliseconds, modulo 2**29) at which it was stored, and at which its state last changed."""

    def __init__(self, message_id: str, report: bool, since: int) -> None: ...
    def final(self) -> bool:
        """Will its state change no more?"""

    async def accepted(self) -> bool:
        """Wait for the next hop: True when it has taken the message over, False when it will not."""

    async def delivered(self) -> bool:
        """Wait for the end: True when the recipient's report says so. Only for messages sent with report=True."""

    async def changed(self) -> None:
        """Wait for the next change of its state."""

    def become(self, state: str, cause: str | None, now: int) -> None: ...

class Received:
    """A message for the application."""

    originator_type: Literal["UE", "AS"]
    originator: str
    """The Service ID of its sender."""
    message_id: str
    application: str | None
    """The Application ID."""
    group: str | None
    topic: str | None
    """The group, or the topic, by which it came."""

    def __init__(self, elements: dict[int, Any], large: Any = None) -> None: ...
    @property
    def payload(self) -> str | bytes | None:
        """Text; octets where the sender sent what is not text; None where there is none.

        A large one may not fit into memory (then `save()` it), and is to be read before the next is received.
        """

    def pieces(self) -> Iterator[bytes]:
        """Return its octets, piece by piece."""

    def save(self, name: str) -> None:
        """Write its octets into a file.

        Raises:
            OSError: the file can't be written.
        """
