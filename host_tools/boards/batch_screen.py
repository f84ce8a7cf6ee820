"""How a batch of boards goes on, for those who plug them in: whose turn it is, and how many are left."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from host_tools.boards.batch import Row


class Screen:
    """A bar on standard error, and a line on standard output for each board; a context manager.

    Args:
        boards: how many there are.
        done: how many of them were finished before.
        as_json: lines of JSON, and no bar.
    """

    def __init__(self, boards: int, done: int, *, as_json: bool) -> None:
        self._as_json = as_json
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            disable=as_json,
        )
        self._task = self._progress.add_task("", total=boards, completed=done)

    def __enter__(self) -> Self:
        """Show it."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what was shown."""
        self._progress.stop()

    def waits(self, row: Row) -> None:
        """See Watcher; who pulls a board and plugs it in again has plugged it in."""
        self._say(f"plug in {row.wish.ue_service_id}, a {row.kind.name}")

    def begins(self, row: Row, port: str) -> None:
        """See Watcher."""
        self._say(f"{row.wish.ue_service_id} at {port}: it is written, leave it plugged in")

    def ended(self, told: dict) -> None:
        """See Watcher."""
        self._progress.advance(self._task)
        self._say("")
        if self._as_json:
            sys.stdout.write(json.dumps(told) + "\n")
        else:
            why = told.get("outcome") or told.get("reason")
            sys.stdout.write(f"{told['state']:6}  {told['ue_service_id']}  {told['port']}  {why}\n")
        sys.stdout.flush()

    def _say(self, text: str) -> None:
        self._progress.update(self._task, description=text)
        if text and not self._as_json and not self._progress.console.is_terminal:
            sys.stderr.write(text + "\n")
