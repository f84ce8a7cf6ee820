"""The command line's part about what is wrong with a board: ``msgin5g doctor``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from host_tools.cli_boards import AsJson, Port, told

_SIGNS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("·", "dim")}


def doctor(
    name: Annotated[
        str | None,
        typer.Argument(help="Kind of board; what it says of itself when not given.", metavar="[BOARD]"),
    ] = None,
    port: Port = None,
    gateway: Annotated[
        Path | None,
        typer.Option(help="TOML file of its gateway: is the board enrolled there, with this key?"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at a board from its chip to its gateway, and say what can be done about what is wrong.

    Its program is interrupted, and starts again at the end. The exit status is 1 when something is wrong.
    """
    from rich.console import Console
    from rich.text import Text

    from host_tools.boards import doctor as doctors
    from host_tools.boards import ports
    from host_tools.boards.serial_board import SerialBoard

    console = Console(highlight=False)
    healthy = True
    with told():
        kind = doctors.kind_named(name)
        registry = doctors.registry_of(gateway) if gateway else None
        device = ports.the_one(port)
        with SerialBoard(device) as found:
            for check in doctors.Doctor(found, kind, registry).checks():
                healthy = healthy and check.ok is True
                if as_json:
                    sys.stdout.write(json.dumps(check._asdict()) + "\n")
                    continue
                sign, style = _SIGNS[check.ok]
                console.print(Text(f"{sign} {check.name:12} {check.said}", style=style))
                if check.way_out:
                    console.print(Text(f"  {'':12} -> {check.way_out}"))
    if not healthy:
        raise typer.Exit(1)
