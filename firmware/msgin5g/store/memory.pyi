"""A store in RAM: what a Client uses that is given no other. Bounded; power loss empties it."""

from collections.abc import Callable
from typing import Any

from ..delivery import Item

class MemoryStore:
    """Messages in RAM."""

    on_dropped: Callable[[Any], object] | None
    birth: bytes
    next_key: int

    def __init__(self, most_items: int = 8, most_known: int = 32, most_inbox: int = 8) -> None:
        """Make an empty one.

        Args:
            most_items: messages that wait to go out.
            most_known: identities to remember, of what has come in and of the others each.
            most_inbox: messages that have come in, and the reports on them.
        """

    def __len__(self) -> int: ...
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
    ) -> Item | None: ...
    def knows(self, hop: str, originator: str, kind: str, message_id: str, segment: int) -> bool: ...
    def remove(self, item: Item) -> None: ...
    def withdraw(self, item: Item) -> None: ...
    def keep(self, item: Item) -> None: ...
    def pending(self, hop: str, after: int, most: int, priority: int | None = None) -> list[Item]: ...
    def expired(self, seconds: int, most: int) -> list[Item]: ...
    def commit(self) -> None: ...
