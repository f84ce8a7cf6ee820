"""Sequence numbers that are reserved ahead, of one security context or of all that share a Counter."""

from .counter import Counter

class Numbers:
    """The storage of security contexts (msgin5g.oscore.context)."""

    def __init__(self, counter: Counter, ahead: int = 0) -> None:
        """Make one. ahead: so many numbers more than asked for are reserved."""

    @property
    def doubtful(self) -> bool:
        """See Counter."""

    def load(self) -> int | None:
        """Return the number below which all may have been used, None when none was.

        Raises:
            ValueError: both files of the counter are damaged.
        """

    def save(self, number: int) -> None:
        """Reserve the numbers below this one; durable when it returns.

        Raises:
            OSError: it may not be.
        """
