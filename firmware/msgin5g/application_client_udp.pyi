"""The smallest link of an Application Client: a UDP socket, waited for in poll()."""

from .application_client import ApplicationClient

class Link:
    """Drives one Application Client, without asyncio."""

    client: ApplicationClient

    def __init__(self, client: ApplicationClient, host: str, port: int) -> None:
        """Make one.

        Raises:
            OSError: the name is not known.
        """

    def now(self) -> int:
        """Return milliseconds, modulo 2**29."""

    def poll(self, milliseconds: int, most_octets: int = 256) -> None:
        """Send what there is to send, wait for a datagram at most so long, and handle it."""
