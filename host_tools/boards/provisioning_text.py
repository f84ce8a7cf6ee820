"""The text of a board's label: its ``device.json`` and ``settings.json`` in one line, short enough for a QR code.

The board reads it by ``msgin5g.board.paste``, which also says what the text is made of.
"""

from __future__ import annotations

import base64
import struct
from binascii import crc32
from typing import TYPE_CHECKING, Any

from msgin5g import cbor
from msgin5g.board import paste
from msgin5g.board import settings as board_settings

from host_tools.boards.board import BoardError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a QR code of version 10 holds of these characters, at error correction level L (ISO/IEC 18004, table 7).
MOST = 395


def make(device: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Put both into a text.

    Args:
        device: the content of ``device.json``.
        settings: the content of ``settings.json``.

    Raises:
        BoardError: there is something in them that the text has no place for, or it gets too long.
    """
    oscore = device["oscore"]
    pins = settings["pins"]
    told = {
        "ue_service_id": device["ue_service_id"],
        "gateway_ue_service_id": device["gateway_ue_service_id"],
        "gateway": device.get("gateway"),
        **{name: bytes.fromhex(oscore[name]) for name in ("master_secret", "master_salt", "sender_id")},
        "board": settings["board"],
        "link": settings["link"],
        "networks": [part for network in settings["networks"] for part in network],
        "pins": [pins.get(name) for name in paste.PINS],
        "ntp": settings["ntp"],
        "channel": settings["channel"],
    }
    encoded = cbor.encode([told[name] for name in paste.FIELDS])
    octets = struct.pack(">H", len(encoded)) + encoded
    octets += struct.pack(">I", crc32(octets))
    text = paste.PREFIX + base64.b32encode(octets).decode("ascii").rstrip("=")
    if len(text) > MOST:
        raise BoardError(
            f"{device['ue_service_id']}: its label would have {len(text)} characters, {MOST} is what a QR code of"
            " version 10 holds: shorten names, or name fewer networks"
        )
    if paste.read(text) != (device, _complete(settings)):
        raise BoardError(
            f"{device['ue_service_id']}: its settings have something that a label has no place for"
        )
    return text


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the contents of ``device.json`` and of ``settings.json``.

    Raises:
        BoardError: it is no such text; the message says what is wrong with it.
    """
    try:
        return paste.read(text)
    except paste.BadText as error:
        raise BoardError(f"that is no text of a label: {error}") from error


def _complete(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("board", "link", "networks", "pins", "ntp", "channel")} | {
        name: value for name, value in settings.items() if value != board_settings.DEFAULTS.get(name)
    }
