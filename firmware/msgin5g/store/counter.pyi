"""One number that must not be forgotten, in two small files that are written in turn."""

class Counter:
    """A durable number, for OSCORE's sequence numbers.

    counter = Counter("device.json.sequence")
    counter.save((counter.load() or 0) + 64)
    """

    doubtful: bool
    """After load(): one file is damaged, and a later number may have been saved."""

    def __init__(self, path: str) -> None:
        """Make one. path: of both files, without their ".0" and ".1"; its folder exists."""

    def load(self) -> int | None:
        """Return what was saved last, None when there is nothing.

        Raises:
            ValueError: both files are damaged.
        """

    def save(self, number: int) -> None:
        """Save a number from 0 to 2**32 - 1; it is durable when this returns.

        Raises:
            OSError: it may not be; then what was saved before still is.
        """
