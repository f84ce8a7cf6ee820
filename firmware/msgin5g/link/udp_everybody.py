# A UDP link that hears what is sent to "All CoAP Nodes" (RFC 7252, 12.8) as well: where UEs look for a gateway.

import socket

from .udp import UdpLink

_ALL_COAP_NODES = b"\xe0\x00\x01\xbb"
_ANY_INTERFACE = bytes(4)
_IPPROTO_IP = 0
# Boards say theirs; this is Linux's.
_IP_ADD_MEMBERSHIP = 35


class ListeningLink(UdpLink):
    # Does it hear them? Without a network interface, or on a port that can't, it hears what is sent to itself, and to
    # the network's broadcast address.
    hears_everybody = False

    def __init__(self, endpoint, local_port, most_octets=1280):
        super().__init__(endpoint, most_octets, local_port)

    def open(self, family):
        super().open(family)
        option = getattr(socket, "IP_ADD_MEMBERSHIP", _IP_ADD_MEMBERSHIP)
        try:
            self._socket.setsockopt(_IPPROTO_IP, option, _ALL_COAP_NODES + _ANY_INTERFACE)
            self.hears_everybody = True
        except (OSError, AttributeError, TypeError):
            self.hears_everybody = False
