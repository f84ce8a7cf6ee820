"""``python -m bench [NAME ...] [--quick]``: measure, print tables, write docs/measurements.md."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from rich.console import Console
from rich.table import Table

from bench import document

NAMES = (
    "codec",
    "oscore",
    "accepts",
    "relay",
    "relay_parts",
    "scale",
    "scale_backlog",
    "scale_bulk",
    "latency",
    "octets",
    "flash",
    "heap",
    "smallest_heap",
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure, print tables, write docs/measurements.md."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which, all when not given: {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="as little as shows that it works: figures are not kept"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    for name in arguments.names or NAMES:
        benchmark = importlib.import_module(f"bench.{name}")
        rows = _measure(console, benchmark, arguments.quick)
        if not rows:
            console.print(f"{benchmark.TITLE}: nothing to measure with here")
        elif not arguments.quick:
            document.write(name, benchmark, rows)
    return 0


def _measure(console: Console, benchmark, quick: bool) -> list[dict]:
    begin = time.monotonic()
    with console.status(benchmark.TITLE) as status:
        rows = benchmark.measure(quick, lambda step: status.update(f"{benchmark.TITLE}: {step}"))
    if rows:
        table = Table(title=f"{benchmark.TITLE} ({time.monotonic() - begin:.0f} s)", title_justify="left")
        for column in document.columns(rows):
            table.add_column(column)
        for row in rows:
            table.add_row(*[document.cell(row.get(column)) for column in document.columns(rows)])
        console.print(table)
    return rows


if __name__ == "__main__":
    sys.exit(main())
