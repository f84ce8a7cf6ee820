"""CoAP over ESP-NOW (ESP32): one datagram in one frame, no access point.

EspNowLink(endpoint)                    frames as long as this firmware's: 250 octets, or 1470 with ESP-NOW v2
EspNowLink(endpoint, most_octets=250)   where somebody has v1, which does not hear longer ones at all
"""

from typing import Any

from .common import Link

class EspNowLink(Link):
    """CoAP by radio, from board to board. An address is a MAC address, six octets."""

    renewed: int
    """How often the radio was switched on again."""

    def __init__(self, endpoint: Any, most_octets: int | None = None, interface: Any = None) -> None:
        """Switch the radio on.

        Args:
            endpoint: the Client gives it.
            most_octets: of a frame.
            interface: a network.WLAN; its station when not given.

        Raises:
            ImportError: this board's MicroPython has no ESP-NOW.
        """

    @property
    def layer_2_id(self) -> str:
        """Its own address, as resolve() takes it."""

    def unconfirmed(self) -> int:
        """Return how many frames were sent that no radio has confirmed."""

    def quality(self, address: bytes) -> int:
        """Return the signal strength of what was heard from there last, in dBm."""

    def resolve(self, host: str, port: int | None = None) -> bytes:
        """Return the address in "24:0a:c4:00:01:10".

        Raises:
            ValueError: it is no MAC address.
        """

    def broadcast(self, port: int | None = None) -> bytes: ...
    def connect(self, address: bytes | None) -> None: ...
