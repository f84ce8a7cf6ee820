"""What the page says for people: ages, durations, kinds of messages, groups of counters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgin5g import gateway_operator, wire

from host_tools.gateway import devices

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = {
    wire.MSG: "message",
    wire.IMDN: "delivery report",
    wire.MSGRESP: "message response",
    wire.REG: "registration",
    wire.DEREG: "de-registration",
    wire.SEGREC: "segments asked for",
    wire.SEGCONFIR: "segments confirmed",
    wire.SFUPD: "update of a stored message",
}

# What the states of a UE mean.
MEANINGS = {
    gateway_operator.REGISTERED: "What is for it is sent at once.",
    gateway_operator.ASLEEP: "What is for it waits until it listens again.",
    gateway_operator.WAITING: "It did not answer, or had no room, the last time. That is tried again, less and less"
    " often, and at once when it says something.",
    gateway_operator.REGISTERING: "It has asked to be registered, and the server has not answered yet.",
    gateway_operator.ABSENT: "It has been here, and is not registered now. What is for it waits.",
    devices.NEVER_SEEN: "It is enrolled, and has not used its key yet.",
    devices.REVOKED: "Its key is refused.",
}

# Names of counters, or how they begin, by what they are about; the first that fits counts.
_GROUPS = {
    "Store": "store_ over_share expired flushed dropped duplicates",
    "Messages": "messages_ aggregates_ aggregated_ updated discarded refused_by_ unknown_recipient not_from_server",
    "Registration and configuration": "registered clients claims_ registrations_ bulk_ not_registered selections"
    " forwarded forwarding_ configurations_",
    "Keys and sessions": "contexts oscore_ page_ too_many",
    "Link to devices": "down_ not_reachable serial_ports_ relay_",
    "Link to the server": "up_ dtls_",
    "Application clients": "applications_",
    "What clients asked": "clients_",
    "What the server asked": "server_",
    "Clock and disk": "clock_ disk_",
}
_REST = "Everything else"
# What a group says already.
_SAID = ("down_", "up_", "store_", "applications_", "clients_", "server_")


def age(at: float | None, now: float | None = None) -> str:
    """How long ago that was; coarse, so that what is shown seldom changes."""
    if at is None:
        return "–"
    seconds = max(0, int((time.time() if now is None else now) - at))
    if seconds < 10:
        return "now"
    if seconds < 60:
        return f"{seconds // 10 * 10} s ago"
    return f"{_long(seconds)} ago"


def duration(seconds: float | None) -> str:
    """A duration, with as many digits as one reads."""
    if seconds is None:
        return "–"
    if seconds < 0.9995:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return _long(int(seconds))


def _long(seconds: int) -> str:
    for unit, name in ((86400, "d"), (3600, "h")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds // 60} min"


def clock(at: float) -> str:
    """A time of day, of the gateway's clock."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def iso(at: float) -> str:
    """A point in time for programs."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def count(number: float) -> str:
    """A number of things."""
    return f"{int(number):,}"


def plain(counter: str) -> str:
    """A counter's name, without what its group says already."""
    for start in _SAID:
        counter = counter.removeprefix(start)
    return counter.replace("_", " ")


def grouped(counters: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Counters by what they are about."""
    groups: dict[str, dict[str, float]] = {name: {} for name in (*_GROUPS, _REST)}
    for name, value in counters.items():
        groups[_group(name)][name] = value
    return {name: of for name, of in groups.items() if of}


def _group(name: str) -> str:
    # What ends in "_" is how a name begins, all else is a name, or how one begins.
    for group, starts in _GROUPS.items():
        for start in starts.split():
            if name == start or name.startswith(start if start.endswith("_") else f"{start}_"):
                # clients_... are a resource's, and clients how many there are.
                if start == "clients" and name != start:
                    continue
                return group
    return _REST
