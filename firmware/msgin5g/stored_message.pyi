"""Updating or discarding a message that is stored for later delivery (TS 23.554, 8.3.6.1).

sent = await ue.send("door open?", ue="door-2@example.org")
await stored_message.discard(ue, sent)
"""

from .application import Sent
from .client import Client

class NotChanged(Exception):
    """It is too late, or nobody has it. args[0] is the failure cause."""

async def discard(ue: Client, sent: Sent) -> None:
    """Take it back: its state is FAILED then, with the cause DISCARDED.

    Raises:
        NotChanged: it could not be taken back.
    """

async def update(ue: Client, sent: Sent, expires_at: int) -> None:
    """Let it expire at another time, in seconds since 1970.

    Raises:
        NotChanged: it is as it was.
    """
