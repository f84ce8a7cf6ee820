"""Stores hold messages until the next hop has accepted them, or the application has taken them.

`store.flash.FlashStore` outlives a power cut, `store.memory.MemoryStore` does not. Write one of your own by
`Store` below.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol, type_check_only

from ..delivery import Item

INBOX: Final = "in"
REPORTS: Final = "reports"
SEGMENTS: Final = "segments"
INCOMING: Final = (INBOX, REPORTS, SEGMENTS)
"""Hops of what has come in, which has room of its own and is never dropped."""

class Full(Exception):
    """There is no room: send it again when `ue.settled()`, or choose a policy (`store.flash`)."""

class Broken(Full):
    """The medium fails: what was put or removed since the last commit() may not outlive a restart."""

def identify(hop: str, originator: str, kind: str, message_id: str, segment: int) -> bytes:
    """Return what a message is known by: 8 octets."""

@type_check_only
class Store(Protocol):
    """What a Client needs of its store."""

    on_dropped: Callable[[Any], object] | None
    """Called with an item that was dropped to make room."""
    birth: bytes
    """A few octets that were random when the store was made."""
    next_key: int
    """The key of the next item; keys only grow."""

    def put(
        self,
        hop: str,
        originator: str,
        kind: str,
        message_id: str,
        segment: int,
        body: bytes,
        expires: int | None = None,
        report: bool = False,
        priority: int = 1,
    ) -> Item | None:
        """Take an item; None for one that is known.

        Raises:
            Full: there is no room.
        """

    def remove(self, item: Item) -> None:
        """Forget an item that was accepted, refused or has expired; it stays known as a duplicate."""

    def withdraw(self, item: Item) -> None:
        """Forget an item, as if it had never come: commit() has failed."""

    def keep(self, item: Item) -> None:
        """Have an item again, as if it had not been removed: commit() has failed."""

    def knows(self, hop: str, originator: str, kind: str, message_id: str, segment: int) -> bool:
        """Was it put before, whatever became of it?"""

    def pending(self, hop: str, after: int, most: int, priority: int | None = None) -> list[Item]:
        """Return items of a hop with a key above `after`, oldest first."""

    def expired(self, seconds: int, most: int) -> list[Item]:
        """Return items whose expiration time, in seconds since 1970, has come."""

    def commit(self) -> None:
        """Make durable what was put and removed, all of it or nothing.

        Raises:
            Broken: the medium fails.
        """
