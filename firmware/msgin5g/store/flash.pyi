"""A store on flash: an append-only log of which a power cut, at whatever octet, costs nothing that was committed.

ue = provisioning.client(store=FlashStore("messages", when_full=DROP_LOWEST))
"""

from collections.abc import Callable
from typing import Any, Final

from ..delivery import Item

REFUSE: Final = 0
"""When there is no room for what is to go out, send() raises store.Full."""
DROP_LOWEST: Final = 1
"""The oldest message of the lowest priority gives way, but none of a higher one than the new one has."""
DROP_OLDEST: Final = 2
"""The oldest message gives way."""

class FlashStore:
    """Messages in files of one folder, on LittleFS or any other file system."""

    on_dropped: Callable[[Any], object] | None
    may_drop: Callable[[Any], bool] | None
    when_full: int
    on_error: Callable[[str], object] | None
    health: str
    """What is wrong with the flash, "" when nothing is."""
    counters: dict[str, int]
    """`refused`, `dropped`, `failed`, `damaged`, `torn`, `foreign`, `moved`."""
    next_key: int
    birth: bytes
    _index: Any
    _new: list[Any]
    _used: tuple[list[int], list[int]]
    _passed: list[Any]

    def __init__(
        self,
        folder: str,
        most_octets: int = 65536,
        most_items: int = 32,
        most_inbox: int = 16,
        most_known: int = 64,
        when_full: int = 0,
        may_drop: Callable[[Any], bool] | None = None,
        on_error: Callable[[str], object] | None = None,
    ) -> None:
        """Open the store, or make it.

        Args:
            folder: is made when it does not exist, not so the one it is in.
            most_octets: that the files take, about. A quarter each is for what goes out and for what has come in.
            most_items: messages that wait to go out.
            most_inbox: messages that have come in, with their segments and the reports on them.
            most_known: identities of incoming messages to remember, so that none is handed over twice.
            when_full: REFUSE, DROP_LOWEST or DROP_OLDEST.
            may_drop: is asked before an item is dropped.
            on_error: called with what is wrong with the flash.

        Raises:
            OSError: the folder can't be used.
            ValueError: most_octets is too small for most_known.
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
    def body(self, key: int) -> bytes: ...
    def _make_room(self, item: Any) -> None: ...
    def _use_new(self, item: Any, items: int) -> None: ...
    def outgoing(self) -> list[tuple[int, int]]: ...
    def find(self, key: int) -> Item | None: ...
