"""Where a board is plugged in."""

from __future__ import annotations

from typing import NamedTuple

from serial.tools import list_ports

from host_tools.boards.board import BoardError


class Port(NamedTuple):
    """A serial port that a board may be behind.

    Attributes:
        device: its path.
        about: what the system says of it.
    """

    device: str
    about: str


def candidates() -> list[Port]:
    """The serial ports with something on USB behind them."""
    return [
        Port(port.device, " ".join(filter(None, (port.manufacturer, port.product))) or port.description)
        for port in sorted(list_ports.comports())
        if port.vid is not None
    ]


def the_one(named: str | None, found: list[Port] | None = None) -> str:
    """The port that is meant: the one that was named, or else the only one that there is.

    Raises:
        BoardError: there is none, or there are several.
    """
    if named:
        return named
    found = candidates() if found is None else found
    if not found:
        raise BoardError(
            "no board on USB here: plug it in, or name its port with --port. A cable for charging alone has no data,"
            " and Linux wants you in the group dialout"
        )
    if len(found) > 1:
        listed = "".join(f"\n  --port {port.device}  {port.about}" for port in found)
        raise BoardError(f"several boards are here; name one:{listed}")
    return found[0].device
