"""CoAP over UDP in a network that has IPv6 alone."""

from typing import Any

from .udp import UdpLink

class Udp6Link(UdpLink):
    """Looks for gateways at ff02::fd, on a network interface."""

    def __init__(
        self,
        endpoint: Any,
        most_octets: int = 1280,
        local_port: int | None = None,
        interface: str | None = None,
    ) -> None:
        """Make one.

        Args:
            endpoint: of a Client.
            most_octets: the longest datagram that is taken.
            local_port: where it is bound; any when not given.
            interface: where the port can tell several apart.
        """
