"""The command line's part about keys from AKMA: ``msgin5g akma enrol``, ``add`` and ``list``."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from host_tools.security.akma_keys import AkmaDevices, AkmaEntry
    from host_tools.settings import ServerSettings

app = typer.Typer(
    no_args_is_help=True,
    help="Keys from AKMA (TS 33.535) between a gateway, or a UE, and the server: for DTLS, and for OSCORE.",
)

Settings = Annotated[Path, typer.Argument(help="TOML file of the server.")]
Out = Annotated[Path, typer.Option(help="File to write the keys to: key_file in gateway.toml.")]
Days = Annotated[
    int | None, typer.Option(min=1, max=36500, help="Days until the keys end; without it they don't end.")
]
_DAY = 86400
_OUT = Path("gateway-akma.json")


@app.command()
def enrol(
    settings: Settings,
    ue_service_id: Annotated[str, typer.Argument(help="UE Service ID of the gateway or UE.")],
    out: Out = _OUT,
    days: Days = None,
    realm: Annotated[str, typer.Option(help="Realm of the A-KID.")] = "msgin5g.invalid",
) -> None:
    """Make the keys of both sides, as the network would: for a lab. The server may run meanwhile."""
    from host_tools.cli import private, told
    from host_tools.security import key_file

    private()
    with told(settings):
        found = _server(settings)
        with (
            closing(_devices(found)) as devices,
            devices.enrol_akma(ue_service_id, found.af_fqdn, realm, _end(days)) as keys,
        ):
            key_file.write(out, _contents(keys))
    _tell({"enrolled": ue_service_id, "at": found.service_id, "a_kid": keys.a_kid, "file": str(out)})


@app.command()
def add(
    settings: Settings,
    keys: Annotated[
        Path, typer.Argument(help="Key file: A-KID with k_af (or k_akma); docs/akma.md has its members.")
    ],
    out: Out = _OUT,
    days: Days = None,
) -> None:
    """Let in whom a network has given keys. What is written is the key file with its Sender ID for OSCORE added."""
    from host_tools.cli import private, told
    from host_tools.security import akma, key_file

    private()
    with told(settings):
        found = _server(settings)
        given = akma.read(keys, "keys")
        with closing(_devices(found)) as devices, devices.add_akma(given, _end(days)) as made:
            key_file.write(out, _contents(made))
    _tell({"enrolled": made.ue_service_id, "at": found.service_id, "a_kid": made.a_kid, "file": str(out)})


@app.command("list")
def list_(
    settings: Settings,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each.")] = False,
) -> None:
    """List the A-KIDs that the server knows; never their keys. `msgin5g revoke` ends one."""
    from host_tools.cli import told

    with told(settings), closing(_devices(_server(settings))) as devices:
        for entry in devices.all_akma(time.time()):
            sys.stdout.write(_line(entry, as_json) + "\n")


def _server(settings: Path) -> ServerSettings:
    from host_tools.settings import ServerSettings, load

    return load(settings, ServerSettings)


def _devices(settings: ServerSettings) -> AkmaDevices:
    from host_tools.security.akma_keys import AkmaDevices

    return AkmaDevices(settings.database, settings.service_id)


def _end(days: int | None) -> int | None:
    return int(time.time()) + days * _DAY if days else None


def _contents(keys: object) -> dict:
    import msgspec

    return msgspec.to_builtins(keys)


def _tell(members: dict) -> None:
    sys.stdout.write(json.dumps(members) + "\n")


def _line(entry: AkmaEntry, as_json: bool) -> str:
    if as_json:
        return json.dumps(entry._asdict())
    end = datetime.fromtimestamp(entry.expires, UTC).isoformat(timespec="seconds") if entry.expires else "-"
    return f"{'valid' if entry.valid else 'ended':5}  {end:25}  {entry.ue_service_id}  {entry.a_kid}"
