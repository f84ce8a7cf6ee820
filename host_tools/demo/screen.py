"""What the demo shows: steps, lines, a live table while messages travel, and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from host_tools.demo.tally import Kind, Tally, Totals


class _Progress:
    # Rendered anew each time the live display asks.
    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __rich__(self) -> Table:
        kinds = dict.fromkeys(self._tally.kinds.values())
        return _table([(kind, self._tally.of(kind)) for kind in kinds], "on the way")


class Screen:
    """Standard output, with colours where it is a terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._steps = 0

    def step(self, title: str, clause: str = "") -> None:
        """A step begins."""
        self._steps += 1
        self._console.print(f"\n[bold]{self._steps}  {title}[/bold]  [dim]{clause}[/dim]")

    def line(self, text: str) -> None:
        """Something has happened in it."""
        self._console.print(f"   {text}", markup=False, soft_wrap=True)

    def warning(self, text: str) -> None:
        """Something one should know."""
        self._console.print(f"   [yellow]{text}[/yellow]", soft_wrap=True)

    def failed(self, text: str) -> None:
        """A step did not come to its end."""
        self._console.print(f"\n[bold red]Failed:[/bold red] {text}", soft_wrap=True)

    def watching(self, tally: Tally) -> AbstractContextManager[object]:
        """Show the counts while they change; without a terminal, once at the end."""
        return Live(_Progress(tally), console=self._console, refresh_per_second=8)

    def table(self, rows: list[tuple[Kind, Totals]], totals: Totals, seconds: float) -> None:
        """The result."""
        self._console.print()
        self._console.print(_table([*rows, ("all", totals)], "lost", last_is_sum=True))
        self._console.print(f"   {seconds:.1f} s\n")


def _table(rows: list[tuple[Kind, Totals]], undelivered: str, last_is_sum: bool = False) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("sent", "delivered", undelivered, "doubled", "reports", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for number, (kind, totals) in enumerate(rows):
        last = last_is_sum and number == len(rows) - 1
        table.add_row(
            kind,
            str(totals.sent),
            str(totals.delivered),
            f"[red]{totals.lost}[/red]" if last_is_sum and totals.lost else str(totals.lost),
            f"[red]{totals.duplicates}[/red]" if totals.duplicates else "0",
            str(totals.reports),
            *(_milliseconds(totals.percentile(percent)) for percent in (50, 99)),
            style="bold" if last else None,
        )
    return table


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
