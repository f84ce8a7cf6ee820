"""The command line's part about applications on boards in the field: ``msgin5g update``."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from host_tools.cli_boards import AsJson, progress, told

_INTERRUPTED = 130


def update(
    ue_service_id: Annotated[str, typer.Argument(help="UE Service ID of the board.", metavar="UE")],
    paths: Annotated[
        list[Path],
        typer.Argument(help="The application: app.py, further files, folders with them.", metavar="FILE..."),
    ],
    more: Annotated[
        list[str] | None, typer.Option("--to", help="Another board for the same; may be repeated.")
    ] = None,
    lab: Annotated[
        Path | None,
        typer.Option("--lab", help="Folder of `msgin5g up`: needs no --settings, --server, --token-file."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings", help="TOML file of the gateway where the boards are enrolled: it has their keys."
        ),
    ] = None,
    server: Annotated[
        str | None, typer.Option("--server", help="http(s)://host:port of the server, to send as an AS.")
    ] = None,
    identity: Annotated[str, typer.Option("--as", help="AS Service ID to send as.")] = "updates@msgin5g.lab",
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the AS's bearer token; without it, MSGIN5G_TOKEN in the environment has it."
        ),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(
            help="Number of this version, greater than all before; the seconds since 1970 if not given."
        ),
    ] = None,
    compiled: Annotated[bool, typer.Option("--mpy", help="Send Python files compiled.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until the boards have told.")] = 300.0,
    listen: Annotated[
        str,
        typer.Option(help="Where the boards' answers are listened for: host:port, as the server reaches it."),
    ] = "127.0.0.1:0",
    as_json: AsJson = False,
) -> None:
    """Replace the application of boards by message: tried in a spare folder, kept when the board registers again."""
    from host_tools import cli
    from host_tools.application_server import Refused
    from host_tools.boards import bundle
    from host_tools.boards.update import Update
    from host_tools.lab import GATEWAY_SETTINGS, TOKEN_FILE, rest_url

    boards: list[str] = list(dict.fromkeys([ue_service_id, *(more or [])]))
    with told():
        body = bundle.body(bundle.files(paths, compiled=compiled), version or int(time.time()))
    if lab:
        with cli.told("--lab"):
            settings, server, token_file = lab / GATEWAY_SETTINGS, rest_url(lab), lab / TOKEN_FILE
    if settings is None or server is None:
        raise cli.Failed(
            "name --lab DIR, or --settings gateway.toml (for the keys) and --server URL (to send)"
        )
    token = cli.bearer_token(token_file)
    keys = _keys(settings, boards)
    with progress(as_json) as step:
        one = Update({ue: bundle.signed(body, keys[ue]) for ue in boards}, step)
        try:
            outcomes = cli.run(one.run(identity, server, token, listen, wait))
        except Refused as refused:
            raise cli.Failed(f"--as {identity}: {refused}") from refused
    if outcomes is None:
        sys.exit(_INTERRUPTED)
    for outcome in outcomes:
        line = f"{outcome.ue_service_id}: {outcome.outcome}" + (f": {outcome.why}" if outcome.why else "")
        sys.stdout.write((json.dumps(outcome.as_json()) if as_json else line) + "\n")
    sys.exit(0 if all(outcome.installed for outcome in outcomes) else 1)


def _keys(settings: Path, boards: list[str]) -> dict[str, bytes]:
    from host_tools.cli import told as failure
    from host_tools.cli_devices import devices_of
    from host_tools.settings import load_either

    with failure(settings), closing(devices_of(load_either(settings))) as devices:
        return {ue: devices.update_key(ue) for ue in boards}
