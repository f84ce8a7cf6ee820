"""docs/measurements.md: one section for each benchmark, replaced when that benchmark has run."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime

from bench.machine import ROOT, description

_RESULTS = "docs/measurements.md"
FILE = ROOT / _RESULTS
_HEAD = """\
# Measurements

Written by `make bench`; each section says how to take its figures again. Machines differ and are shared, so what counts
are the ratios to the peers that were measured in the same run.
"""


def write(name: str, benchmark, rows: list[dict]) -> None:
    """Put a benchmark's results in place of its earlier ones."""
    sections = _sections()
    sections[benchmark.TITLE] = "\n\n".join((benchmark.NOTES.strip(), markdown(rows), _how(name)))
    FILE.parent.mkdir(exist_ok=True)
    parts = [_HEAD.strip(), *(f"## {title}\n\n{text}" for title, text in sections.items())]
    FILE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def columns(rows: list[dict]) -> list[str]:
    """All columns, in the order they are met."""
    return list(dict.fromkeys(column for row in rows for column in row))


def cell(value: object) -> str:
    """A figure as people read it."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def markdown(rows: list[dict]) -> str:
    """Rows as a table."""
    names = columns(rows)
    lines = [names, ["---"] * len(names), *([cell(row.get(name)) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _how(name: str) -> str:
    load = os.getloadavg()[0]
    day = datetime.now(UTC).date().isoformat()
    return f"`.venv/bin/python -m bench {name}`, {day}, commit {_commit()}, load average {load:.1f}: {description()}."


def _commit() -> str:
    # With a mark where something else than the results themselves differs from the commit.
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{_RESULTS}")
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _sections() -> dict[str, str]:
    text = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    _, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
