# CoAP over UDP in a network that has IPv6 alone: what differs is where a gateway is looked for. (A client that knows
# the address of its gateway needs no more than UdpLink, whatever that is.)
#
#     Client(..., link=lambda endpoint: Udp6Link(endpoint, interface="wlan0"))
#
# interface: where the port can tell several apart; their link-local addresses are those of one each.

import socket

from .udp import UdpLink
from .udp_again import ALL_COAP_NODES_V6


class Udp6Link(UdpLink):
    def __init__(self, endpoint, most_octets=1280, local_port=None, interface=None):
        self._interface = interface
        super().__init__(endpoint, most_octets, local_port)

    def open(self, family):
        super().open(socket.AF_INET6)

    def broadcast(self, port, group=None):
        group = group or ALL_COAP_NODES_V6
        if self._interface:
            group += "%" + self._interface
        return super().broadcast(port, group)
