"""Many boards from one CSV file: what it says, what was done about it, and the next board that is plugged in."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from host_tools.boards import board as boards
from host_tools.boards.board import Board, BoardError
from host_tools.boards.provision import Wish, complaints
from host_tools.security.devices import EnrolmentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REQUIRED = ("ue_service_id", "board")
COLUMNS = (*REQUIRED, "port", "link", "wifi", "address", "ntp", "channel")
MOST_ROWS = 10_000
DONE, FAILED = "done", "failed"
# Of what is wrong, so much is told at a time.
_MOST_TOLD = 20


class Row(NamedTuple):
    """A board of a batch.

    Attributes:
        line: of the file.
        kind: of the board.
        wish: what it is to be; its networks are without passwords yet.
        port: where it is; None: it is plugged in when it is its turn.
    """

    line: int
    kind: Board
    wish: Wish
    port: str | None


class _Wrong(Exception):
    """A row that can't be used."""


def read(path: Path, common: Wish, gateway: str, *, whole: bool = False) -> list[Row]:
    """Read a batch; all that is wrong with it is said at once, before anything is done.

    Args:
        path: the CSV file: a header with the columns above, ``ue_service_id`` and ``board`` at least.
        common: what is wished for all that say nothing else.
        gateway: its own Service ID, which no board can have.
        whole: is there nothing yet that a wish could be added to?

    Raises:
        BoardError: it can't be used; each line that is wrong is named with its number.
    """
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header)
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise BoardError(f"{path}:{reader.line_num}: {error}") from error
    if not 0 < len(lines) <= MOST_ROWS:
        raise BoardError(f"{path}: {len(lines)} boards; expected 1 to {MOST_ROWS}")
    rows, wrong = [], []
    for number, cells in lines:
        try:
            rows.append(_row(number, header, cells, common, whole=whole))
        except _Wrong as error:
            wrong.append((number, str(error)))
    wrong += _twice(rows, gateway)
    if wrong:
        wrong.sort()
        more = f"\n... and {len(wrong) - _MOST_TOLD} more" if len(wrong) > _MOST_TOLD else ""
        told = "".join(f"\n{path}:{number}: {text}" for number, text in wrong[:_MOST_TOLD])
        raise BoardError(f"nothing was done, since {len(wrong)} lines can't be used:{told}{more}")
    return rows


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BoardError(f"{path}:{line}: this is not UTF-8: {error}") from error
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from error


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    if missing or unknown or len(set(header)) < len(header):
        what = f"no column {missing[0]!r}" if missing else f"column {(unknown or header)[0]!r}"
        raise BoardError(
            f"{path}:1: {what}: the first line names the columns, each once: {', '.join(REQUIRED)} and any of"
            f" {', '.join(COLUMNS[len(REQUIRED) :])}"
        )


def _row(number: int, header: list[str], cells: list[str], common: Wish, *, whole: bool) -> Row:
    if len(cells) != len(header):
        raise _Wrong(f"{len(cells)} cells; the header has {len(header)}")
    said = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
    for name in REQUIRED:
        if name not in said:
            raise _Wrong(f"{name} is empty")
    try:
        kind = boards.load(said["board"])
        channel = int(said["channel"]) if "channel" in said else common.channel
    except (BoardError, ValueError) as error:
        raise _Wrong(str(error)) from error
    wish = replace(
        common,
        ue_service_id=said["ue_service_id"],
        channel=channel,
        networks=((said["wifi"], ""),) if "wifi" in said else common.networks,
        # (What it may be is checked below.)
        **{name: said[name] for name in ("link", "address", "ntp") if name in said},  # pyright: ignore[reportArgumentType]
    )
    for complaint in complaints(kind, wish, whole=whole):
        raise _Wrong(complaint)
    return Row(number, kind, wish, said.get("port"))


def _twice(rows: list[Row], gateway: str) -> Iterator[tuple[int, str]]:
    first: dict[tuple[str, str], int] = {("ue_service_id", gateway): 0}
    for row in rows:
        for name, value in (("ue_service_id", row.wish.ue_service_id), ("port", row.port)):
            if value is None:
                continue
            before = first.setdefault((name, value), row.line)
            if before != row.line:
                where = f"line {before} has it too" if before else "that is the gateway's own"
                yield row.line, f"{name} {value!r}: {where}"


class Report:
    """What became of a batch so far: a file of JSON lines, one for each board, whole at any time.

    Args:
        path: of the file; it need not be there yet.

    Raises:
        BoardError: it is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, dict] = {}
        if not path.exists():
            return
        number = 0
        try:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):  # noqa: B007
                told = json.loads(line)
                self._lines[told["ue_service_id"]] = told
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BoardError(
                f"{path}:{number}: {error!r}: this is no report of a batch; name another file with --report"
            ) from error

    def is_done(self, row: Row) -> bool:
        """Was this board finished, now or earlier?"""
        return self._lines.get(row.wish.ue_service_id, {}).get("state") == DONE

    def add(self, row: Row, state: str, **more: str | None) -> dict:
        """Keep what became of a board; returns its line."""
        told = {
            "ue_service_id": row.wish.ue_service_id,
            "board": row.kind.name,
            "line": row.line,
            "state": state,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            **more,
        }
        self._lines[row.wish.ue_service_id] = told
        new = self.path.with_name(self.path.name + ".new")
        with new.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in self._lines.values())
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        return told


class Arrivals:
    """Boards that are plugged in one after the other.

    Args:
        ports: what is plugged in now.
        pause: waits a moment.
    """

    def __init__(self, ports: Callable[[], set[str]], pause: Callable[[], None]) -> None:
        self._ports = ports
        self._pause = pause
        self._known = ports()

    def next(self, taken: set[str]) -> str:
        """Wait until a board is plugged in; returns its port.

        Args:
            taken: ports that are others'.
        """
        before: set[str] = set()
        while True:
            now = self._ports()
            # One that was pulled is new when it comes again.
            self._known &= now
            new = now - self._known - taken
            # Only what is there for a moment has its rights.
            steady = sorted(new & before)
            if steady:
                self._known.add(steady[0])
                return steady[0]
            before = new
            self._pause()


class Watcher(Protocol):
    """Whoever wants to see how a batch goes on."""

    def waits(self, row: Row) -> None:
        """It is this board's turn to be plugged in."""

    def begins(self, row: Row, port: str) -> None:
        """This board is there, and is written."""

    def ended(self, told: dict) -> None:
        """This is what became of it, as the report has it."""


def carry_out(
    rows: list[Row], report: Report, one: Callable[[Row, str], str], arrivals: Arrivals, watcher: Watcher
) -> int:
    """Provision all boards that are not done yet; one that fails is told and reported, and the next has its turn.

    Args:
        rows: the batch.
        report: what was done before, and is done now.
        one: provisions a board at a port; returns what it has done.
        arrivals: boards that are plugged in.
        watcher: is told how it goes on.

    Returns:
        how many have failed.
    """
    failed = 0
    taken = {row.port for row in rows if row.port}
    for row in rows:
        if report.is_done(row):
            continue
        port = row.port
        if port is None:
            watcher.waits(row)
            port = arrivals.next(taken)
        watcher.begins(row, port)
        try:
            told = report.add(row, DONE, port=port, outcome=one(row, port))
        except (BoardError, EnrolmentError) as error:
            failed += 1
            told = report.add(row, FAILED, port=port, reason=str(error))
        watcher.ended(told)
    return failed
