"""What makes a board one of a gateway's devices: ``device.json`` and ``settings.json`` on it, its key at the gateway.

The board comes first: its new key is the last that is written, and the gateway takes it when it is there. What fails
before leaves an old key as it was, and repeating the command finishes the job. Nothing is locked meanwhile: a gateway
that runs has its database to itself (Devices.offer).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgin5g.board import settings as board_settings

from host_tools.addresses import check_device_address, is_mac
from host_tools.boards import deploy
from host_tools.boards.board import Board, BoardError, Link
from host_tools.security.devices import EnrolmentError, Overtaken
from host_tools.settings_base import SettingsError

if TYPE_CHECKING:
    from host_tools.boards.serial_board import SerialBoard
    from host_tools.security.devices import Devices

DEVICE = "/device.json"
SETTINGS = "/settings.json"
# So often a board is written anew when another device was enrolled meanwhile.
_TRIES = 3
# The gateway at the other end of a line is whoever is there.
_THE_LINE = "serial"

Outcome = Literal["provisioned", "rotated", "settings written", "done already"]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a board is to be.

    Attributes:
        ue_service_id: its UE Service ID.
        address: of its gateway, as the board reaches it; None: the one that it has, or else the one that the gateway
            listens on, or else it looks for it.
        link: None: the one that it has, or that its kind has.
        networks: names and passwords of Wi-Fi networks; empty: those that it has.
        ntp: of a time server; None: the one that it has, or none.
        channel: of ESP-NOW; None: the one that it has, or 1.
    """

    ue_service_id: str
    address: str | None = None
    link: Link | None = None
    networks: tuple[tuple[str, str], ...] = ()
    ntp: str | None = None
    channel: int | None = None


def complaints(kind: Board, wish: Wish, *, whole: bool = False) -> list[str]:
    """What is wrong with a wish.

    Args:
        kind: of the board.
        wish: what it is to be.
        whole: is there nothing yet that it could be added to?
    """
    said = [
        (
            not 1 <= len(wish.ue_service_id) <= 255,
            f"ue_service_id {wish.ue_service_id!r}: a UE Service ID has 1 to 255 characters",
        ),
        (
            wish.link is not None and wish.link not in kind.links,
            f"link {wish.link!r}: a {kind.name} has {', '.join(kind.links)}",
        ),
        (
            wish.channel is not None and not 1 <= wish.channel <= 14,
            f"channel {wish.channel}: expected 1 to 14",
        ),
        (
            whole and (wish.link or kind.link) == "wifi" and not wish.networks,
            "wifi is missing: the name of the network (--wifi NAME)",
        ),
    ]
    for name, password in wish.networks:
        length = len(password.encode())
        said += [
            (not 1 <= len(name.encode()) <= 32, f"wifi {name!r}: a network's name has 1 to 32 octets"),
            (
                length > 0 and not 8 <= length <= 64,
                f"wifi {name!r}: a password has 8 to 63 characters, and an open network none",
            ),
        ]
    return [complaint for wrong, complaint in said if wrong] + _of_address(wish)


def _of_address(wish: Wish) -> list[str]:
    if not wish.address:
        return []
    try:
        check_device_address(wish.address, "address")
    except SettingsError as error:
        return [str(error)]
    if (wish.link == "espnow") == is_mac(wish.address):
        return []
    return [f"address {wish.address!r}: link 'espnow' has the MAC address of a bridge, other links have none"]


def settings_for(kind: Board, wish: Wish, old: dict[str, Any] | None = None) -> dict[str, Any]:
    """What ``settings.json`` is to be.

    Args:
        kind: of the board.
        wish: what it is to be.
        old: what is in its ``settings.json``: stays, but for what is wished.

    Raises:
        BoardError: something is missing in it.
    """
    old = old or {}
    link = wish.link or (old["link"] if old.get("link") in kind.links else kind.link)
    pins = old.get("pins") if old.get("board") == kind.name else None
    made = {
        **old,
        "board": kind.name,
        "link": link,
        "networks": [list(network) for network in wish.networks] or old.get("networks", []),
        "pins": pins
        or {name: pin for name, pin in msgspec.structs.asdict(kind.pins).items() if pin is not None},
        "ntp": wish.ntp or old.get("ntp"),
        "channel": wish.channel or old.get("channel", 1),
    }
    wrong = board_settings.complaint(dict(made))
    if wrong:
        raise BoardError(f"{wish.ue_service_id}: {wrong}{' (--wifi NAME)' if 'networks' in wrong else ''}")
    return made


def address_for(link: Link, wish: Wish, listening: str | None, old: str | None = None) -> str | None:
    """What ``device.json`` is to say of where the gateway is; None: the board looks for it.

    Args:
        link: of the board.
        wish: what it is to be.
        listening: what the gateway listens on, when that is one address.
        old: what it says by now.
    """
    if link == "serial":
        return _THE_LINE
    return wish.address or old or (listening if link == "wifi" else None)


def provision(
    found: SerialBoard,
    kind: Board,
    devices: Devices,
    wish: Wish,
    *,
    listening: str | None = None,
    rotate: bool = False,
    replace: bool = False,
) -> tuple[Outcome, dict[str, Any]]:
    """Make a board one of a gateway's devices.

    Args:
        found: the board.
        kind: its kind.
        devices: those of the gateway.
        wish: what the board is to be.
        listening: what the gateway listens on, when that is one address.
        rotate: a new key, whatever key it has.
        replace: the board may be another device by now.

    Returns:
        what was done, and its ``device.json``.

    Raises:
        BoardError, EnrolmentError: it can't be; the message says what can be done.
    """
    old_settings, old_device = _before(found, kind, wish.ue_service_id, replace=replace)
    was = (old_device or {}).get("ue_service_id")
    settings = settings_for(kind, wish, old_settings)
    same_link = (old_settings or {}).get("link") == settings["link"] and was == wish.ue_service_id
    old_address = (old_device or {}).get("gateway") if same_link else None
    address = address_for(settings["link"], wish, listening, old_address)
    to_write = {} if settings == old_settings else {SETTINGS: settings}
    if old_device and was == wish.ue_service_id and not rotate and devices.holds(old_device):
        # The same key; its gateway may be elsewhere by now.
        device = {name: value for name, value in old_device.items() if name != "gateway"}
        device |= {"gateway": address} if address else {}
        if device != old_device:
            to_write[DEVICE] = device
        write(found, to_write)
        return ("settings written" if to_write else "done already"), device
    for _ in range(_TRIES):
        [device] = offer(devices, {wish.ue_service_id: address}, rotate=rotate)
        write(found, to_write | {DEVICE: device})
        try:
            devices.accept([device], rotate=rotate)
        except Overtaken:
            continue
        return ("rotated" if rotate else "provisioned"), device
    raise BoardError(
        f"{wish.ue_service_id}: too many others are enrolled at the same time; repeat the command"
    )


def provision_from_label(
    found: SerialBoard,
    kind: Board,
    device: dict[str, Any],
    settings: dict[str, Any],
    *,
    replace: bool = False,
) -> Outcome:
    """Give a board what is on its label; its gateway has known the key since that was made.

    Args:
        found: the board.
        kind: its kind.
        device: for its ``device.json``.
        settings: for its ``settings.json``.
        replace: the board may be another device by now.

    Raises:
        BoardError: it can't be; the message says what can be done.
    """
    if settings["board"] != kind.name:
        raise BoardError(f"this label is for a {settings['board']}, not for a {kind.name}")
    old_settings, old_device = _before(found, kind, device["ue_service_id"], replace=replace)
    settings = {**(old_settings or {}), **settings}
    wanted = {SETTINGS: (settings, old_settings), DEVICE: (device, old_device)}
    to_write = {name: new for name, (new, old) in wanted.items() if new != old}
    write(found, to_write)
    return "provisioned" if to_write else "done already"


def _before(
    found: SerialBoard, kind: Board, ue_service_id: str, *, replace: bool
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    # What is in its settings.json and device.json.
    deploy.check(kind, found.identity())
    settings, device = (_read(found, name) for name in (SETTINGS, DEVICE))
    was = (device or {}).get("ue_service_id")
    if was not in (None, ue_service_id) and not replace:
        raise BoardError(
            f"the board at {found.port} is {was} already: take another board, or say --replace"
            f" (and `msgin5g revoke` {was})"
        )
    return settings, device


def offer(
    devices: Devices, addresses: dict[str, str | None], *, rotate: bool = False
) -> list[dict[str, Any]]:
    """Offer keys as Devices.offer does; what is wrong is told with the way out that this command has."""
    try:
        return devices.offer(addresses, rotate=rotate)
    except EnrolmentError as error:
        raise EnrolmentError(str(error).replace("`msgin5g revoke` it first", "say --rotate")) from error


def write(found: SerialBoard, contents: dict[str, dict[str, Any]]) -> None:
    """Write files in their order.

    Raises:
        BoardError: one can't be written; it and what comes behind it are as they were.
    """
    octets = {name: json.dumps(content).encode("ascii") + b"\n" for name, content in contents.items()}
    for name, content in octets.items():
        found.write(name, content)
    sums = found.sha256(octets) if octets else {}
    wrong = [name for name, content in octets.items() if sums[name] != hashlib.sha256(content).hexdigest()]
    if wrong:
        raise BoardError(f"{wrong[0]} is not what was written; repeat the command")


def _read(found: SerialBoard, name: str) -> dict[str, Any] | None:
    # None for what is no file of ours: it is written anew.
    try:
        content = json.loads(found.read(name) or b"null")
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
