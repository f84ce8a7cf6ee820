"""The command line's part about what is on a board: ``msgin5g deploy``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools.cli_boards import AsJson, BoardName, Port, progress, told

if TYPE_CHECKING:
    from host_tools.boards.serial_board import SerialBoard


def deploy(
    name: BoardName,
    port: Port = None,
    application: Annotated[
        Path | None,
        typer.Option("--app", help="Your application; what is on the board stays when not given."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a main.py that is not ours.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the firmware onto a board: what has changed of it. Interrupted, the same command goes on from there."""
    from host_tools.boards import board, ports
    from host_tools.boards import deploy as deployment
    from host_tools.boards.serial_board import SerialBoard

    with told():
        kind = board.load(name)
        device = ports.the_one(port)
        with SerialBoard(device) as found:
            found.soft_reset()
            before = found.identity()
            deployment.check(kind, before)
            what = deployment.plan(kind, found, application, replace=replace)
            deployment.check_room(what, before)
            if not dry_run:
                with progress(as_json) as step:
                    deployment.carry_out(what, found, step)
                if application:
                    deployment.use_application(found)
            after = found.identity()
            heap = None if dry_run else _heap_with_client(found)
    report = {
        "board": kind.name,
        "port": device,
        "micropython": ".".join(map(str, before.version)),
        "written": len(what.write),
        "octets": what.octets,
        "unchanged": what.same,
        "removed": len(what.remove),
        "frozen": what.frozen,
        "flash_free_before": before.free,
        "flash_free": after.free,
        "heap_free_before": before.heap_free,
        "heap_free_with_client": heap,
        "dry_run": dry_run,
    }
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    did = "would write" if dry_run else "wrote"
    sys.stdout.write(
        f"{kind.name} at {device}, MicroPython {report['micropython']}: {did} {len(what.write)} files"
        f" ({what.octets:,} octets), removed {len(what.remove)}, {what.same} were there\n"
        f"flash: {before.free:,} octets free before, {after.free:,} now\n"
    )
    if heap is not None:
        sys.stdout.write(f"heap: {before.heap_free:,} octets free before, {heap:,} with the client loaded\n")
    sys.stdout.write(f"Next: msgin5g provision {kind.name} gateway.toml NAME\n")


def _heap_with_client(found: SerialBoard) -> int:
    # As the board begins, with what its main.py loads.
    found.soft_reset()
    return found.ask("import msgin5g.board.run,gc\ngc.collect()\nprint(gc.mem_free())")
