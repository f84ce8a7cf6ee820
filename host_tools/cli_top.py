"""The command line's part about watching a gateway: ``msgin5g top``."""

from __future__ import annotations

import json
import os
import select
import sys
import termios
import time
import tty
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from host_tools.operator_client import OperatorClient
    from host_tools.top_screen import Shown

_SORTS = ("seen", "queue", "took", "name")
# UEs that a screen of any height has room for.
_MOST = 200
_LONGEST_FILTER = 255
_ESCAPE, _BACKSPACE, _ENTER = "\x1b", "\x7f\b", "\r\n"


def top(
    settings: Annotated[Path, typer.Argument(help="TOML file of a gateway that runs on this machine.")],
    every: Annotated[float, typer.Option(min=0.2, help="Seconds from one look to the next.")] = 2.0,
    sort: Annotated[str, typer.Option(help="seen, queue, took or name.")] = "seen",
    search: Annotated[str, typer.Option("--filter", help="Only UEs with this in their name.")] = "",
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One look as a line of JSON, and end.")] = False,
) -> None:
    """Watch a running gateway: its UEs, what waits, how long delivery takes. Keys: q, s (sort), / (filter)."""
    from host_tools.cli import Failed, told
    from host_tools.operator_client import OperatorClient
    from host_tools.settings import GatewaySettings, load

    if sort not in _SORTS:
        raise Failed(f"--sort {sort!r}: expected one of {', '.join(_SORTS)}")
    with told(settings), closing(OperatorClient(load(settings, GatewaySettings))) as client:
        view = View(client, sort, search)
        if as_json:
            shown = view.look()
            sys.stdout.write(json.dumps(shown.state | {"ues": shown.devices}) + "\n")
        elif once or not (sys.stdin.isatty() and sys.stdout.isatty()):
            _once(view)
        else:
            _live(view, every)


class View:
    """What is looked at: an order, a filter, and the filter that is being typed."""

    def __init__(self, client: OperatorClient, sort: str, search: str) -> None:
        self.sort = sort
        self.search = search
        self.typed: str | None = None
        self._client = client
        self._last: Shown | None = None

    def look(self) -> Shown:
        """Ask the gateway."""
        from host_tools.top_screen import Shown

        parameters = {"sort": self.sort, "search": self.search, "most": _MOST}
        devices = self._client.get("devices", **parameters)["devices"]
        self._last = Shown(self._client.get("state"), devices, self._last)
        return self._last

    def press(self, key: str) -> bool:
        """A key was pressed; False for the one that ends it."""
        if self.typed is not None:
            self._type(key)
        elif key in {"q", "Q", "\x03"}:
            return False
        elif key == "s":
            self.sort = _SORTS[(_SORTS.index(self.sort) + 1) % len(_SORTS)]
        elif key == "/":
            self.typed = self.search
        return True

    def _type(self, key: str) -> None:
        assert self.typed is not None
        if key in _ENTER:
            self.search, self.typed = self.typed, None
        elif key == _ESCAPE:
            self.typed = None
        elif key in _BACKSPACE:
            self.typed = self.typed[:-1]
        elif key.isprintable():
            self.typed = (self.typed + key)[:_LONGEST_FILTER]

    def footer(self) -> str:
        """The last line."""
        if self.typed is not None:
            return f"filter: {self.typed}_   Enter takes it, Esc does not"
        filtered = f" (now {self.search!r})" if self.search else ""
        return f"q quit   s sort (now {self.sort})   / filter{filtered}"


def _once(view: View) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(view.look().screen(console.width, 0))


def _live(view: View, every: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        shown, next_look = view.look(), time.monotonic() + every
        while True:
            live.update(shown.screen(console.width, console.height, view.footer()), refresh=True)
            keys = pressed(max(0.0, next_look - time.monotonic()))
            if not all(view.press(key) for key in keys):
                return
            if not keys or view.typed is None:
                shown, next_look = view.look(), time.monotonic() + every


class _Keys:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __call__(self, seconds: float) -> str:
        # What was pressed, nothing when there was nothing in time. An arrow or the like begins as the Escape key does,
        # and is none of ours.
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return ""
        keys = os.read(self._descriptor, 64).decode(errors="ignore")
        if keys.startswith(_ESCAPE):
            return keys if keys == _ESCAPE else ""
        return keys or "q"


@contextmanager
def _keys() -> Iterator[_Keys]:
    # Keys as they are pressed, without being shown.
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield _Keys(descriptor)
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
