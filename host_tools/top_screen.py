"""What `msgin5g top` shows, from two answers of the gateway: a few lines, and a table of UEs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

# Lines that are neither above the table nor of its body: its header, and the keys.
_AROUND = 2
# Numbers that go up and down, and say nothing as a rate.
_NO_RATES = (
    "_peers",
    "_recent",
    "_recent_octets",
    "_outstanding",
    "_exchanges",
    "_unanswered",
    "store_known",
)


class Shown:
    """One look at a gateway.

    Args:
        state: what ``/api/state`` has answered.
        devices: what ``/api/devices`` has.
        before: the look before this one; without it there are no rates.
    """

    def __init__(
        self, state: dict[str, Any], devices: list[dict[str, Any]], before: Shown | None = None
    ) -> None:
        self.state = state
        self.devices = devices
        self._before = before.state if before else None

    def rates(self) -> list[tuple[str, float]]:
        """Counters that move, by how much a second: messages first, then the fastest."""
        if self._before is None:
            return []
        passed = self.state["now"] - self._before["now"]
        was = self._before["counters"]
        moved = (
            (name, (value - was.get(name, 0)) / passed)
            for name, value in self.state["counters"].items()
            if passed > 0 and value > was.get(name, 0) and not name.endswith(_NO_RATES)
        )
        return sorted(moved, key=lambda one: (not one[0].startswith("messages"), -one[1], one[0]))

    def screen(self, width: int, height: int, keys: str = "") -> RenderableType:
        """All of it in so many columns and lines."""
        lines = self._head(width)
        body = max(1, height - _AROUND - len(lines)) if height else len(self.devices)
        footer = Text(keys, "dim", no_wrap=True, overflow="ellipsis")
        return Group(*lines, self._table(body, width), *([footer] if keys else []))

    def _head(self, width: int) -> list[Text]:
        state = self.state
        devices = state["devices"]
        delivery = state["delivery_seconds"]
        minutes = {side: counts[-2:] for side, counts in state["per_minute"].items()}
        lines = [
            Text.assemble(
                (plain(state["gateway"]), "bold"),
                f"  {clock(state['now'])}  running {span(state['now'] - state['started'])}"
                f"  {state['listening']['coap']}  {state['listening']['http']}",
            ),
            self._uplink(),
            Text(
                f"UEs     {devices['registered']} registered, {devices['enrolled']} enrolled,"
                f" {devices['revoked']} revoked; {devices['waiting_down']} messages for {devices['ues_waiting']} wait"
            ),
            *(
                Text(
                    f"{side:7} {minutes[side][-1]} stored this minute, {minutes[side][0]} the last; delivered in"
                    f" {span(delivery[side]['p50']) or '-'}, 99 % in {span(delivery[side]['p99']) or '-'}"
                )
                for side in ("up", "down")
            ),
        ]
        if state["ports"]:
            lines.append(self._ports())
        if self._before:
            rates = "  ".join(f"{name} {rate:.3g}" for name, rate in self.rates())
            lines.append(Text(f"a sec.  {rates or 'nothing moves'}"))
        for line in lines:
            line.no_wrap = True
            line.overflow = "ellipsis"
            line.truncate(width, overflow="ellipsis")
        return lines

    def _uplink(self) -> Text:
        uplink = self.state["uplink"]
        since = uplink["oldest_waiting_since"]
        waits = f"{uplink['waiting']} wait"
        if since:
            more = " and more" if uplink["oldest_before_start"] else ""
            waits += f", the oldest {span(self.state['now'] - since)}{more}"
        word = ("registered", "green") if uplink["registered"] else ("NOT REGISTERED", "bold red")
        return Text.assemble(
            f"server  {plain(uplink['server'])} ({uplink['protection']}) ", word, f"; {waits}"
        )

    def _ports(self) -> Text:
        # Those that are not open first: there may be more than fit.
        line = Text("serial ")
        for port in sorted(self.state["ports"], key=lambda port: (port["state"] == "open", port["port"])):
            style = "green" if port["state"] == "open" else "bold red"
            line.append(f" {plain(port['port'].removeprefix('/dev/'))} ").append(port["state"], style)
        return line

    def _table(self, most: int, width: int) -> Table:
        table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="reverse")
        wide = width >= 100
        table.add_column("UE", no_wrap=True, overflow="ellipsis", ratio=3 if wide else 2)
        table.add_column("state", no_wrap=True, overflow="ellipsis", width=15 if wide else 10)
        table.add_column("link", no_wrap=True, overflow="ellipsis", ratio=2)
        for name, columns in (("seen", 6), ("down", 6), ("up", 6), ("took", 6)):
            table.add_column(name, no_wrap=True, justify="right", width=columns)
        for one in self.devices[:most]:
            seen = one["last_seen"]
            table.add_row(
                Text(plain(one["ue"])),
                Text(one["state"], _STYLES.get(one["state"], "")),
                Text(plain(one["link"] or "")),
                span(self.state["now"] - seen) if seen else "",
                str(one["waiting_down"] or ""),
                str(one["waiting_up"] or ""),
                span(one["took"]),
            )
        return table


_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_STYLES = {"registered": "green", "revoked": "red", "not registered": "dim", "never seen": "dim"}


def plain(text: str) -> str:
    """Text that a terminal takes for nothing else."""
    return "".join(one if one.isprintable() else "?" for one in text)


def span(seconds: float | None) -> str:
    """A time that has passed, in six characters at most; nothing for None."""
    if seconds is None:
        return ""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def clock(at: float) -> str:
    """A time of day on this machine."""
    return time.strftime("%H:%M:%S", time.localtime(at))
