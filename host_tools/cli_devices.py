"""The command line's part about the device registry: ``msgin5g enrol``, ``revoke`` and ``devices``."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from host_tools.security.devices import Device, Devices
    from host_tools.settings import GatewaySettings, ServerSettings

Settings = Annotated[Path, typer.Argument(help="TOML file of the gateway, or of the server.")]
UeServiceId = Annotated[str, typer.Argument(help="UE Service ID of the device.")]
# Addresses that a gateway listens on and nobody sends to.
_ANY = {"0.0.0.0", "::"}


def enrol(
    settings: Settings,
    ue_service_id: UeServiceId,
    out: Annotated[Path, typer.Option(help="File to write the device's key to.")] = Path("device.json"),
    address: Annotated[
        str | None,
        typer.Option(
            help="host:port at which the device reaches the gateway, or the MAC address of a bridge for ESP-NOW; the"
            " one it listens on if that is one address."
            " Without any, the device looks for its gateway."
        ),
    ] = None,
    show: Annotated[bool, typer.Option(help="Print what is in the file too, the key included.")] = False,
) -> None:
    """Let a device in: make a key for it. The gateway or server may run meanwhile, and takes it at once."""
    from host_tools.addresses import check_device_address
    from host_tools.cli import private, told
    from host_tools.security import key_file
    from host_tools.settings import load_either

    private()
    with told(settings):
        found = load_either(settings)
        if address:
            check_device_address(address, "--address")
        with (
            closing(devices_of(found)) as devices,
            devices.enrol(ue_service_id, address or listening_address(found)) as device,
        ):
            key_file.write(out, device)
    sys.stdout.write(
        json.dumps(
            {"enrolled": ue_service_id, "at": found.service_id, "file": str(out)} | (device if show else {})
        )
        + "\n"
    )


def revoke(settings: Settings, ue_service_id: UeServiceId) -> None:
    """Keep a device out: its key is refused from now on. The gateway or server may run meanwhile."""
    from host_tools.cli import told
    from host_tools.settings import load_either

    with told(settings):
        found = load_either(settings)
        with closing(devices_of(found)) as devices:
            devices.revoke(ue_service_id)
    sys.stdout.write(json.dumps({"revoked": ue_service_id, "at": found.service_id}) + "\n")


def devices(
    settings: Settings,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each.")] = False,
) -> None:
    """List the devices that are let in, and those that are revoked; never their keys."""
    from host_tools.cli import told
    from host_tools.settings import load_either

    with told(settings), closing(devices_of(load_either(settings))) as found:
        for device in found.all():
            sys.stdout.write(_line(device, as_json) + "\n")


def devices_of(settings: GatewaySettings | ServerSettings) -> Devices:
    """Open the device registry of a gateway or server."""
    from host_tools.security.devices import Devices

    return Devices(settings.database, settings.service_id)


def listening_address(settings: GatewaySettings | ServerSettings) -> str | None:
    """``host:port`` that devices reach it at, None when it listens on all addresses."""
    if settings.host in _ANY or not settings.port:
        return None
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _line(device: Device, as_json: bool) -> str:
    enrolled = datetime.fromtimestamp(device.enrolled, UTC).isoformat(timespec="seconds")
    state = "revoked" if device.revoked else "enrolled"
    if not as_json:
        return f"{enrolled}  {state:8}  {device.kid.hex():4}  {device.ue_service_id}"
    return json.dumps(
        {"ue_service_id": device.ue_service_id, "kid": device.kid.hex(), "state": state, "enrolled": enrolled}
    )
