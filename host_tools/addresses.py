"""Addresses as people write and read them."""

from __future__ import annotations

import re

from msgin5g import wire

from host_tools.settings_base import SettingsError

_HOST_AND_PORT = re.compile(
    r"(\[(?P<v6>[0-9A-Fa-f:.]+(%[^\s/\[\]%]+)?)\]|(?P<host>[^\s:/\[\]]+))(:(?P<port>[0-9]{1,5}))?"
)
_MAC = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_V4_MAPPED = "::ffff:"
_NAMED = ("serial", "espnow")


def text(address: tuple) -> str:
    """An address of an endpoint's peer.

    ``192.0.2.1:5683``, ``[fe80::1%eth0]:5683``, ``/dev/ttyUSB0``, ``24:0a:c4:00:01:10 by /dev/ttyUSB0``.
    """
    if address[0] in _NAMED:
        return " by ".join(filter(None, reversed(address[1:])))
    host = str(address[0])
    if "." in host:
        host = host.removeprefix(_V4_MAPPED)
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"


def host_and_port(text: str, key: str = "server", port: int = wire.PORT) -> tuple[str, int]:
    """``host:port``, ``[v6]:port``, or either behind ``coap://`` or ``coaps://``, to its parts.

    Raises:
        SettingsError: when it is none of these.
    """
    plain = text.removeprefix("coap://").removeprefix("coaps://").rstrip("/")
    match = _HOST_AND_PORT.fullmatch(plain)
    port = int(match["port"] or port) if match else 0
    if match is None or port > 65535:
        raise SettingsError(f"{key} = {text!r}: expected host:port, with a port up to 65535")
    return match["v6"] or match["host"], port


def check_device_address(text: str, key: str) -> None:
    """Is that where a device may be told its gateway is?

    Raises:
        SettingsError: neither ``host:port`` nor, for ESP-NOW, the MAC address of a bridge's radio.
    """
    if not is_mac(text):
        host_and_port(text, key)


def is_mac(text: str) -> bool:
    """Is it a MAC address, ``24:0a:c4:00:01:10``?"""
    return _MAC.fullmatch(text) is not None
