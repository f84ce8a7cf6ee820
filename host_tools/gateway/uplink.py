"""How a gateway's link to its server is protected: what ``server_security`` and ``key_file`` come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgin5g import wire

from host_tools.dtls import Client
from host_tools.dtls_link import DtlsClient
from host_tools.gateway.uplink_ports import PortsLink
from host_tools.link import anywhere
from host_tools.security import akma, key_file
from host_tools.settings import AKMA_OSCORE, DTLS, NONE, SettingsError, host_and_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from msgin5g.coap.endpoint import Endpoint
    from msgin5g.provisioning import DeviceSecurity

    from host_tools.link import UdpLink
    from host_tools.settings import GatewaySettings

# Of coaps (RFC 7252, 6.2).
_DTLS_PORT = 5684
# Sequence numbers reserved at a time in the file beside the gateway's key.
_NUMBERS_AHEAD = 8192
# So many times ACK_TIMEOUT without any answer, a retransmission included, and the session is doubted.
_PATIENCE = 3


def server(settings: GatewaySettings) -> tuple[str, int]:
    """Host and port of the server."""
    return host_and_port(settings.server, port=_DTLS_PORT if settings.server_security == DTLS else wire.PORT)


def security(settings: GatewaySettings) -> DeviceSecurity | None:
    """What the endpoint is secured by: OSCORE, as one of the server's devices. None where it is something else.

    Raises:
        SettingsError: the key file can't be used, or is another's.
    """
    path = settings.key_file
    if settings.server_security in (NONE, DTLS):
        return None
    from_akma = settings.server_security == AKMA_OSCORE
    device = _oscore_device(path) if from_akma else key_file.read(path, "key_file")
    _check(settings, device["ue_service_id"])
    return key_file.security(path, device, _NUMBERS_AHEAD, "key_file")


def link(settings: GatewaySettings, endpoint: Endpoint, on_batch: Callable[[], None]) -> PortsLink:
    """The link to the server, not started yet. Only by its keys a server knows a gateway that has several ports."""
    ports = settings.uplink_ports if endpoint.security else 1
    return PortsLink(endpoint, anywhere(*server(settings)), ports, on_batch)


def dtls(settings: GatewaySettings, endpoint: Endpoint, link: UdpLink) -> DtlsClient | None:
    """Put DTLS between the endpoint and its link, where it is wanted; returns what is there then.

    Raises:
        SettingsError: the key file can't be used, or is another's.
    """
    if settings.server_security != DTLS:
        return None
    keys = akma.read(settings.key_file)
    _check(settings, keys.ue_service_id)
    client = Client(akma.PREFIX + keys.a_kid, lambda suite: keys.key(akma.ua_dtls(suite)), keys.af_fqdn)
    patience = _PATIENCE * settings.coap.ack_timeout
    made = DtlsClient(endpoint, client, link.resolve(*server(settings)), patience)
    link.endpoint = made
    return made


def _oscore_device(path: Path) -> dict:
    keys = akma.read(path)
    try:
        return keys.oscore_device()
    except ValueError as error:
        raise SettingsError(f"key_file: {path}: {error}") from error


def _check(settings: GatewaySettings, ue_service_id: str) -> None:
    if ue_service_id != settings.ue_service_id:
        raise SettingsError(f"key_file: {settings.key_file} is the key of {ue_service_id}")
