"""CoAP over a UART, or over USB, in SLIP frames with a check sequence. There is one peer, at the other end.

SerialLink(endpoint, machine.UART(1, 115200, timeout=0, rxbuf=2048))
SerialLink(endpoint, sys.stdin.buffer, sys.stdout.buffer, waits=True)
"""

from typing import Any

from .common import Link

class SerialLink(Link):
    """CoAP over a stream of octets."""

    def __init__(
        self, endpoint: Any, stream: Any, output: Any = None, waits: bool = False, most_octets: int = 1280
    ) -> None:
        """Make one.

        Args:
            endpoint: the Client gives it.
            stream: to be read, and written unless there is an output.
            output: to be written.
            waits: readinto() of the stream returns when all that it asks for is there, as on USB.
            most_octets: of the longest datagram.
        """

    @property
    def broken(self) -> int:
        """Frames that did not arrive as they were sent, and noise."""

    def resolve(self, host: str | None = None, port: int | None = None) -> Any: ...
    def broadcast(self, port: int | None = None) -> Any: ...
    def connect(self, address: Any) -> None: ...
