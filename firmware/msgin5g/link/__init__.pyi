"""Links: the only place of the firmware that touches a socket, a UART or a radio.

`link.udp.UdpLink`, `link.serial.SerialLink` and `link.espnow.EspNowLink` have the same shape:

    ue = provisioning.client(link=lambda endpoint: SerialLink(endpoint, machine.UART(1, 115200)))
"""

from collections.abc import Callable
from typing import Any, Protocol, type_check_only

@type_check_only
class Link(Protocol):
    """What a Client needs of its link. An address is whatever its resolve() returns."""

    szx: int
    """The largest CoAP block that fits into a datagram, as the SZX of RFC 7959."""
    before_send: Callable[[], object]
    """Called before anything is sent; when it raises, nothing is."""
    on_renewed: Callable[[], object]
    """Called when the peer may see this side at another address from now on."""

    @property
    def most_octets(self) -> int:
        """Octets of the longest datagram that it carries."""

    def resolve(self, host: str, port: int) -> Any:
        """Return the address of a peer.

        Raises:
            OSError: the name is not known.
            ValueError: it is no address of such a link.
        """

    def broadcast(self, port: int) -> Any:
        """Return the address of everybody in reach (23.554, 8.2.8)."""

    def connect(self, address: Any) -> None:
        """Speak to nobody else from here on; None: to everybody again."""

    def now(self) -> int:
        """Return milliseconds, modulo 2**29."""

    def start(self) -> object:
        """Receive from here on, and drive the endpoint's timers."""

    def flush(self) -> None:
        """Send what the endpoint has made."""

    def close(self) -> None: ...
