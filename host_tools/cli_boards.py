"""The command line's part about boards: ``msgin5g boards``, ``flash`` and ``pretend``."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from host_tools.boards.board import Board

BoardName = Annotated[
    str, typer.Argument(help="Kind of board, as `msgin5g boards` lists them.", metavar="BOARD")
]
Port = Annotated[str | None, typer.Option(help="Serial port; needed when several boards are here.")]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON, for scripts.")]


@contextmanager
def told() -> Iterator[None]:
    """What is wrong with a board is a user's to know, without a traceback."""
    from host_tools.boards.board import BoardError
    from host_tools.cli import Failed

    try:
        yield
    except BoardError as error:
        raise Failed(str(error)) from error


@contextmanager
def progress(as_json: bool) -> Iterator[Callable[[str, float], None]]:
    """A bar for each step, on standard error; none for a script."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:10}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), disable=as_json) as shown:
        tasks: dict[str, int] = {}

        def step(name: str, done: float) -> None:
            if name not in tasks:
                tasks[name] = shown.add_task(name, total=1)
            shown.update(tasks[name], completed=done)  # pyright: ignore[reportArgumentType]

        yield step


def boards(
    ports: Annotated[
        bool, typer.Option("--ports", help="The ports at which a board may be, instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the kinds of boards that are known, or the ports that boards are at."""
    from host_tools.boards import board
    from host_tools.boards.ports import candidates

    with told():
        if ports:
            rows = [dict(port._asdict()) for port in candidates()]
        else:
            rows = [_row(board.load(name)) for name in board.names()]
    for row in rows:
        sys.stdout.write(
            (json.dumps(row) if as_json else "  ".join(f"{cell:16}" for cell in row.values())) + "\n"
        )


def flash(
    name: BoardName,
    port: Annotated[
        str | None, typer.Option(help="Serial port; of an RP2 the folder where its boot drive is mounted.")
    ] = None,
    firmware: Annotated[
        Path | None,
        typer.Option(help="File with MicroPython; the newest in the cache folder when not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put MicroPython onto a board. What is on it is gone afterwards; a chip of another kind is not touched."""
    from host_tools.boards import board, firmware_file

    with told():
        kind = board.load(name)
        file = firmware_file.find(kind, firmware)
        with progress(as_json) as step:
            place = _flash(kind, port, file, step)
        firmware_file.remember(file)
    done = {"flashed": kind.name, "port": place, "file": str(file.path), "sha256": file.sha256}
    if as_json:
        sys.stdout.write(json.dumps(done) + "\n")
    else:
        known = "the same as before" if file.seen else "new here, and remembered"
        sys.stdout.write(
            f"{kind.name} at {place} has {file.path.name} (SHA-256 {file.sha256[:16]}..., {known})\n"
        )
        sys.stdout.write(f"Next: msgin5g deploy {kind.name}\n")


def _flash(kind: Board, port: str | None, file: object, step: Callable[[str, float], None]) -> str:
    from host_tools.boards import ports
    from host_tools.boards.firmware_file import FirmwareFile

    assert isinstance(file, FirmwareFile)
    if kind.platform == "rp2":
        from host_tools.boards import flash_rp2

        drive = flash_rp2.the_drive(kind, Path(port) if port else None)
        flash_rp2.flash(drive, file, step)
        return str(drive)
    from host_tools.boards import flash_esp

    device = ports.the_one(port)
    flash_esp.flash(kind, device, file, step)
    return device


def pretend(
    name: BoardName,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where its flash is; made when it is not there.")
    ] = Path("pretended-board"),
) -> None:
    """Pretend a board until Ctrl-C: a port that every command which takes --port works with."""
    import signal

    from host_tools.boards import board
    from host_tools.simulator.pretended_board import PretendedBoard

    with told():
        kind = board.load(name)
    with PretendedBoard(folder, kind.pretence()) as pretended:
        sys.stdout.write(f"{kind.name} is at {pretended.port}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def _row(kind: Board) -> dict[str, str]:
    return {
        "name": kind.name,
        "chip": kind.chip,
        "links": ", ".join(kind.links),
        "role": "UE or gateway" if kind.gateway else "UE",
        "title": kind.title,
    }
