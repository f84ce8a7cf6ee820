"""Addresses of peers, as people read them."""

from __future__ import annotations

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
