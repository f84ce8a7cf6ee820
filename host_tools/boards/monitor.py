"""What a board prints, as it runs: its log and its state. Nothing on it is interrupted."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import serial
from msgin5g.board import console

from host_tools.boards.board import BoardError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BAUD = 115200
# Seconds between two looks for a port that has gone.
_AGAIN = 0.1
_LINE = re.compile(r"(\d+) ([IWE]) (.*)", re.DOTALL)
# A board that prints without an end of line must not fill our memory.
_LONGEST = 4096
_LEVELS = {"I": "info", "W": "warning", "E": "error"}


class Line(NamedTuple):
    """A line of what a board prints.

    Attributes:
        text: without the end of the line, and without what is in the other fields.
        level: "info", "warning" or "error"; None for what is no line of its log.
        seconds: of its clock, since 1970 or since its start.
    """

    text: str
    level: str | None = None
    seconds: int | None = None


def parsed(text: str) -> Line:
    """What a line says."""
    match = _LINE.fullmatch(text)
    return Line(match[3], _LEVELS[match[2]], int(match[1])) if match else Line(text)


class Monitor:
    """The port of a board, read without interrupting it.

    Args:
        port: the serial port.
        wait: when it goes away, wait for it to come back; one that never was there is not waited for.

    Attributes:
        state: what the board has said of itself last.
    """

    def __init__(self, port: str, *, wait: bool = True) -> None:
        self.port = port
        self.state: dict[str, Any] | None = None
        self._wait = wait
        self._serial: serial.Serial | None = None
        self._was_there = False

    def lines(self, until: float | None = None) -> Iterator[Line | None]:
        """What it prints, line by line; None now and then while it says nothing.

        Args:
            until: the monotonic time at which to end.

        Raises:
            BoardError: the port can't be used.
        """
        rest = b""
        while until is None or time.monotonic() < until:
            try:
                octets = self._open().read(256)
            except (OSError, serial.SerialException) as error:
                self.close()
                if not self._wait or not self._was_there:
                    raise BoardError(
                        f"{self.port}: {error}: plug it in; `msgin5g boards --ports` lists ports"
                    ) from error
                time.sleep(_AGAIN)
                yield None
                continue
            *whole, rest = (rest + octets).replace(b"\r", b"").split(b"\n")
            if len(rest) > _LONGEST:
                whole, rest = [*whole, rest], b""
            for line in whole:
                text = line.decode(errors="backslashreplace")
                if not self._is_state(text):
                    yield parsed(text)
            if not whole:
                yield None

    def ask_state(self) -> None:
        """Ask the board for its state; it says it among its lines."""
        self._open().write(console.STATE)

    def close(self) -> None:
        """Let go of the port."""
        if self._serial:
            self._serial.close()
            self._serial = None

    def _open(self) -> serial.Serial:
        if self._serial is None:
            try:
                path = os.path.realpath(self.port) if self.port.startswith("/") else self.port
                self._serial = serial.Serial(path, _BAUD, timeout=0.2, exclusive=True)
                self._was_there = True
            except serial.SerialException as error:
                text = str(error)
                if "ermission" in text:
                    raise BoardError(
                        f"{self.port}: {text}: add yourself to the group dialout and log in again"
                    ) from error
                if "lock" in text or "busy" in text:
                    raise BoardError(f"{self.port}: {text}: close the program that uses it") from error
                raise
        return self._serial

    def _is_state(self, text: str) -> bool:
        if not text.startswith(console.MARK):
            return False
        try:
            self.state = json.loads(text[len(console.MARK) :])
        except ValueError:
            return False
        return True


def state(port: str, seconds: float = 5) -> dict[str, Any]:
    """What a board says of itself while its program runs.

    Raises:
        BoardError: it says nothing.
    """
    monitor = Monitor(port, wait=False)
    try:
        # (An OSError that opening raises is told by lines().)
        end = time.monotonic() + seconds
        asked = 0.0
        for _ in monitor.lines(end):
            if monitor.state is not None:
                return monitor.state
            if time.monotonic() - asked > 1:
                monitor.ask_state()
                asked = time.monotonic()
    finally:
        monitor.close()
    raise BoardError(f"the board at {port} says nothing: does its program run? `msgin5g doctor` looks")
