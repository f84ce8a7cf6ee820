"""An MSGin5G Client on a host: what ``msgin5g send`` and ``msgin5g watch`` are when they act as a UE."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgin5g.client import NOT_PROTECTED, Client

from host_tools.housekeeping import take
from host_tools.link import UdpLink, anywhere
from host_tools.security import key_file
from host_tools.settings import SettingsError, host_and_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from msgin5g.coap.endpoint import Endpoint


@contextmanager
def client(
    gateway: str | None = None, device: Path | None = None, identity: str | None = None, **options: Any
) -> Iterator[Client]:
    """An MSGin5G Client, closed at the end.

    Args:
        gateway: its gateway, or a server: ``coap://host:port`` or ``host:port``; the one of the device when None.
        device: file with its key; None for one that is not protected, in a lab.
        identity: its UE Service ID; the one of the device when None.
        options: of :class:`msgin5g.client.Client`.

    Raises:
        SettingsError: the device's file can't be used, is used by another process, or is another UE's.
    """
    security: Any = NOT_PROTECTED
    lock = None
    if device:
        given = key_file.read(device)
        if identity not in {None, given["ue_service_id"]}:
            raise SettingsError(f"--as {identity}: {device} is the key of {given['ue_service_id']}")
        identity = given["ue_service_id"]
        gateway = gateway or given.get("gateway")
        if gateway is None:
            raise SettingsError(f"{device} names no gateway: --gateway does")
        # Numbers are never used twice, and nobody is in two places.
        lock = take(device)
        security = key_file.security(device, given)
    assert gateway
    assert identity
    host, port = host_and_port(gateway, "--gateway")

    def link(endpoint: Endpoint) -> UdpLink:
        return UdpLink(endpoint, anywhere(host, port))

    ue = Client(identity, host, port, security, link=link, **options)
    try:
        yield ue
    finally:
        ue.close()
        if lock:
            lock.close()
