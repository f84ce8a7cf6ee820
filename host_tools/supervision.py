"""What a process tells who has started it: systemd, by its notification protocol (sd_notify(3)), or a person.

Without NOTIFY_SOCKET in the environment nobody is told anything, and nothing is needed for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path


def notify(text: str) -> bool:
    """Tell systemd; False when there is none, or when it does not listen."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
        try:
            # A name that begins with @ is an abstract one.
            one.sendto(text.encode(), "\0" + path[1:] if path[0] == "@" else path)
        except OSError:
            return False
    return True


def watchdog_interval() -> float | None:
    """Seconds between two signs of life, half of what systemd waits; None when it waits for none from this process."""
    asked_of = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if asked_of != str(os.getpid()) or not microseconds.isdecimal() or microseconds == "0":
        return None
    return int(microseconds) / 2e6


@asynccontextmanager
async def supervised() -> AsyncIterator[None]:
    """While a process does its work: says that it has begun, that its event loop goes round, and that it ends."""
    notify("READY=1")
    interval = watchdog_interval()
    living = asyncio.create_task(_live(interval)) if interval else None
    try:
        yield
    finally:
        notify("STOPPING=1")
        if living:
            living.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await living


async def _live(interval: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval)


def greeting(addresses: Mapping[str, str], settings: Path) -> str:
    """For a person at a terminal: where a gateway or server is, and how to look at it."""
    lines = [f"listens at {addresses['coap']}"]
    http = addresses.get("http")
    if http and "operator_key_file" in addresses:
        lines.append(f"page       {http}   the key to log in with is in {addresses['operator_key_file']}")
        lines.append(f"terminal   msgin5g top {settings}")
        lines.append(f"Wireshark  msgin5g capture {settings} -w FILE.pcapng")
    if http:
        lines.append(f"metrics    {http}/metrics")
    return "".join(f"  {line}\n" for line in lines)
