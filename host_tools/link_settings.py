"""Settings of serial ports and of the relay: part of a gateway's."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from host_tools import serial_link
from host_tools.settings_base import Port, ServiceId, Settings, SettingsError


class SerialSettings(Settings):
    """A serial port, or all that match a pattern.

    Attributes:
        path: of the device, or a pattern with ``*``, ``?`` or ``[``.
        baud: bits a second; those of the gateway's ``baud`` when not set.
        packet_size: octets of the longest datagram that is carried.
    """

    path: Annotated[str, Meta(min_length=1)]
    baud: int | None = None
    packet_size: Annotated[int, Meta(ge=128, le=2048)] | None = None


# A path or pattern alone, or with more.
SerialPorts = list[Annotated[str, Meta(min_length=1)] | SerialSettings]


class RelaySettings(Settings):
    """The UE-1 relay (TS 23.554, figure 5.2-2): datagrams of devices whose keys are the server's pass unopened.

    Attributes:
        port: UDP port for devices, at the gateway's ``host``; not set for none.
        serial: serial ports with such a device at the other end.
        server: host and port of the server's CoAP port; the gateway's ``server`` when not set.
        server_service_id: the server's ``service_id``, told to devices that look for a relay; not set: none is told.
        most_devices: bound of the devices that are relayed at once.
        idle: seconds after which a device that is silent, and spoken to by nobody, is forgotten.
        most_datagrams_per_second: of one device, each way; more are dropped.
    """

    port: Port | None = None
    serial: SerialPorts = msgspec.field(default_factory=list)
    server: str | None = None
    server_service_id: ServiceId | None = None
    most_devices: Annotated[int, Meta(ge=1, le=10_000)] = 500
    idle: Annotated[int, Meta(ge=60, le=86_400)] = 3600
    most_datagrams_per_second: Annotated[int, Meta(ge=1, le=10_000)] = 100

    @property
    def wanted(self) -> bool:
        """Is anything to be relayed?"""
        return self.port is not None or bool(self.serial)


def check_serial(baud: int, **lists: SerialPorts) -> None:
    """Each port once, with a speed that the system knows.

    Raises:
        SettingsError: which is not.
    """
    known: dict[str, str] = {}
    for key, ports in lists.items():
        for port in map(serial_settings, ports):
            if port.path in known:
                raise SettingsError(
                    f"{key}: {port.path} is in {known[port.path]} already; expected each port once"
                )
            known[port.path] = key
            _check_speed(f"{key}: {port.path}: baud", port.baud or baud)
    _check_speed("baud", baud)


def _check_speed(key: str, baud: int) -> None:
    try:
        serial_link.speed(baud)
    except ValueError as error:
        raise SettingsError(f"{key} = {baud}: {error}") from error


def serial_settings(port: str | SerialSettings) -> SerialSettings:
    """A port as a table, however it is written."""
    return SerialSettings(path=port) if isinstance(port, str) else port
