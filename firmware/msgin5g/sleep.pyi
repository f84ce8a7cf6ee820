"""Sleeping between wake windows (TS 23.554, 8.2.1 and 8.9).

schedule = profile.availability(1767225600, duration=60, interval=3600)
sleep = Sleep(ue, schedule, wall_clock, machine)
while True:
    await sleep.drain()
    sleep.until_window()
"""

from collections.abc import Callable
from typing import Any

from .client import Client

class Sleep:
    """A Client that sleeps."""

    counters: dict[str, int]
    """`drained`, `not_drained`, `slept`."""

    def __init__(
        self,
        ue: Client,
        schedule: dict[int, Any],
        wall_clock: Callable[[], float | None],
        machine: Any,
        early: int = 3,
    ) -> None:
        """Make one, before register().

        Args:
            ue: whose Client Profile has the schedule.
            schedule: as `profile.availability()` makes it.
            wall_clock: seconds since 1970; `client.wall_clock`.
            machine: the board's module of that name; its deepsleep() and lightsleep() are called with milliseconds.
            early: seconds to be awake before a window begins.
        """

    async def drain(self, most: int = 120000) -> bool:
        """Exchange what there is, both ways, while the application goes on to receive() in a task of its own.

        Args:
            most: milliseconds.

        Returns:
            True: all that is stored here has been accepted, and the gateway has nothing more for this UE.
        """

    def until_window(self, deep: bool = False) -> None:
        """Sleep until the next window, if this one has not ended yet until the one after it.

        Args:
            deep: the board starts anew afterwards, with what its store holds; this does not return.
        """
