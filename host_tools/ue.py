"""An MSGin5G Client on a host: what ``msgin5g send`` and ``msgin5g watch`` are when they act as a UE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgin5g.client import NOT_PROTECTED, Client

from host_tools.link import UdpLink
from host_tools.settings import host_and_port

if TYPE_CHECKING:
    from msgin5g.coap.endpoint import Endpoint


def client(ue_service_id: str, gateway: str, **options: Any) -> Client:
    """An MSGin5G Client with this UE Service ID.

    Args:
        ue_service_id: its UE Service ID.
        gateway: its gateway, or a server: ``coap://host:port`` or ``host:port``.
        options: of :class:`msgin5g.client.Client`.
    """
    host, port = host_and_port(gateway, "--gateway")

    def link(endpoint: Endpoint) -> UdpLink:
        return UdpLink(endpoint, "::" if ":" in host else "0.0.0.0")

    return Client(ue_service_id, host, port, NOT_PROTECTED, link=link, **options)
