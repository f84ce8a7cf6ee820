"""What takes a walk over all UEs is worked out anew only as often as a process that relays can afford it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

# The share of its time that a gateway gives to it.
_SHARE = 0.01
# Seconds that a result is remembered at most.
_OLDEST = 30.0
_MOST_REMEMBERED = 64


class Sparingly(Generic[P, T]):
    """A function whose results are remembered for a hundred times as long as they took, up to half a minute.

    Args:
        compute: the function; its arguments can be keys of a dict.
    """

    def __init__(self, compute: Callable[P, T]) -> None:
        self._compute = compute
        self._results: dict[tuple, tuple[float, T]] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result, which may be a little old."""
        key = (args, *kwargs.items())
        until, result = self._results.pop(key, (0.0, None))
        if result is None or time.monotonic() >= until:
            # Of the processor: on a busy machine nothing gets old for being slow.
            begun = time.thread_time()
            result = self._compute(*args, **kwargs)
            took = time.thread_time() - begun
            until = time.monotonic() + min(took / _SHARE, _OLDEST)
        while len(self._results) >= _MOST_REMEMBERED:
            del self._results[next(iter(self._results))]
        self._results[key] = (until, result)
        return result
