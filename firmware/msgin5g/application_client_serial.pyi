"""The link of an Application Client over a serial line, waited for in poll()."""

from typing import Any

class Link:
    """Drives one Application Client, without asyncio."""

    client: Any
    """Of application_client.py, or of application_client_coap.py."""

    errors: int
    """Messages that were not sent: the line takes nothing."""

    @property
    def broken(self) -> int:
        """Frames that did not arrive as they were sent, and noise."""

    def __init__(
        self, client: Any, stream: Any, output: Any = None, waits: bool = False, most_octets: int = 256
    ) -> None:
        """Make one.

        Args:
            client: see above.
            stream: a machine.UART, or a file.
            output: where it writes; the stream when not given.
            waits: does the stream's readinto() return when all that it asks for is there?
            most_octets: the longest message that is taken.
        """

    def now(self) -> int:
        """Return milliseconds, modulo 2**29."""

    def poll(self, milliseconds: int) -> None:
        """Send what there is to send, wait for octets at most so long, and handle what has come whole."""
