"""The smallest link of an Application Client: a UDP socket, waited for in poll()."""

from typing import Any

class Link:
    """Drives one Application Client, without asyncio."""

    client: Any
    """Of application_client.py, or of application_client_coap.py."""

    def __init__(self, client: Any, host: str, port: int) -> None:
        """Make one.

        Raises:
            OSError: the name is not known.
        """

    def now(self) -> int:
        """Return milliseconds, modulo 2**29."""

    def poll(self, milliseconds: int, most_octets: int = 256) -> None:
        """Send what there is to send, wait for a datagram at most so long, and handle it."""
