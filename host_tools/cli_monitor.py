"""The command line's part about a board that runs: ``msgin5g monitor``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools.cli_boards import AsJson, Port, told

if TYPE_CHECKING:
    from host_tools.boards.monitor import Line

_STYLES = {"info": "", "warning": "yellow", "error": "bold red", None: "dim"}
# A smaller number is no time of day.
_CLOCK_SET = 1704067200


def monitor(
    port: Port = None,
    state: Annotated[bool, typer.Option("--state", help="Say how the board is, and leave.")] = False,
    kept: Annotated[
        bool, typer.Option("--log", help="Print the log that is kept on its flash, and leave.")
    ] = False,
    seconds: Annotated[float | None, typer.Option(help="Leave after so long.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a board prints, until Ctrl-C; its program goes on. With --log it is interrupted, and starts again."""
    from host_tools.boards import monitor as monitoring
    from host_tools.boards import ports

    with told():
        device = ports.the_one(port)
        if state:
            _show_state(monitoring.state(device), as_json)
        elif kept:
            _show_kept(device, as_json)
        else:
            _follow(device, seconds, as_json)


def _follow(device: str, seconds: float | None, as_json: bool) -> None:
    import time

    from host_tools.boards.monitor import Monitor

    watched = Monitor(device)
    try:
        for line in watched.lines(None if seconds is None else time.monotonic() + seconds):
            if line is not None:
                _show(line, as_json)
    finally:
        watched.close()


def _show_kept(device: str, as_json: bool) -> None:
    from host_tools.boards.monitor import parsed
    from host_tools.boards.serial_board import SerialBoard

    with SerialBoard(device) as board:
        found = [board.read(name) or b"" for name in ("/log.1", "/log.0")]
    text = b"".join(found).decode(errors="backslashreplace")
    # What begins with blanks goes on with the line before.
    for line in text.replace("\n ", "\r ").splitlines():
        _show(parsed(line.replace("\r ", "\n ")), as_json)


def _show_state(state: dict, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(state) + "\n")
        return
    for key, value in state.items():
        if value != "":
            sys.stdout.write(f"{key.replace('_', ' '):12} {_said(value)}\n")


def _said(value: object) -> str:
    words = {True: "yes", False: "no", None: "-"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _show(line: Line, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(line._asdict()) + "\n")
    else:
        from rich.console import Console
        from rich.text import Text

        when = ""
        if line.seconds is not None:
            set_clock = line.seconds > _CLOCK_SET
            when = (
                datetime.fromtimestamp(line.seconds, UTC).strftime("%H:%M:%S")
                if set_clock
                else f"{line.seconds:8}"
            )
        Console(highlight=False).print(Text(f"{when:8}  {line.text}", style=_STYLES[line.level]))
    sys.stdout.flush()
