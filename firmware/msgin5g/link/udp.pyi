"""CoAP over UDP, on Wi-Fi or Ethernet. It outlives changes of addresses and access points that go away."""

from typing import Any

from .common import Link

class UdpLink(Link):
    """CoAP over a UDP socket."""

    short_of_memory: int
    """How often less than most_octets had to do for a datagram."""
    renewed: int
    """How often there was a new socket."""
    _family: int
    _socket: Any
    _names: dict[Any, tuple[str, int]]
    _target: Any
    _pause: int
    _mending: Any

    def __init__(self, endpoint: Any, most_octets: int = 1280, local_port: int | None = None) -> None:
        """Make one. A device that only asks needs no local_port.

        Raises:
            OSError: there is no network interface, or the port is in use.
        """

    def open(self, family: int) -> None: ...
    def resolve(self, host: str, port: int) -> Any:
        """Return the address of a name.

        Raises:
            OSError: the name is not known.
        """

    def broadcast(self, port: int, group: str | None = None) -> Any:
        """Return the address of a multicast group ("All CoAP Nodes"), or of the network's broadcast."""

    def connect(self, address: Any) -> None: ...
