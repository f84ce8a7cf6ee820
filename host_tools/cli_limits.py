"""The command line's part about bounds of single devices: ``msgin5g limit``."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from host_tools.security.limits import Limit

# Seconds to wait for a process that works with the database.
_PATIENCE = 10.0


def limit(
    settings: Annotated[Path, typer.Argument(help="TOML file of the gateway.")],
    ue_service_id: Annotated[
        str | None, typer.Argument(help="UE Service ID of the device; without it all bounds are listed.")
    ] = None,
    requests_per_second: Annotated[
        int | None, typer.Option(min=1, help="Its requests in a second; more are answered 4.29.")
    ] = None,
    messages: Annotated[
        int | None,
        typer.Option(
            min=1, help="Messages it has sent that are still here, and that wait for it; more: 5.03."
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="No bounds of its own any more.")] = False,
) -> None:
    """Bound what one device may send, in place of what all may. The gateway may run meanwhile.

    For devices that are known by their keys (security = "oscore").
    """
    from host_tools.cli import Failed, told
    from host_tools.security import limits
    from host_tools.settings import GatewaySettings, load

    given = limits.Limit(ue_service_id or "", requests_per_second, messages)
    if ue_service_id and (given[1:] == (None, None)) != none:
        raise Failed("expected --requests-per-second, --messages or both; or --none alone")
    with told(settings):
        path = load(settings, GatewaySettings).database
        path.touch(mode=0o600, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as database:
            if ue_service_id:
                limits.put(database, given)
            shown = [given] if ue_service_id else limits.of_all(database)
    for one in shown:
        sys.stdout.write(_line(one) + "\n")


def _line(one: Limit) -> str:
    return json.dumps(one._asdict())
