"""Random bits for tokens and Message IDs, which should not be guessed: read from the system some thousand at a time."""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OCTETS = 8192
_words: Iterator[int] = iter(())


def random_bits(count: int) -> int:
    """``count`` bits, at most 16, from the system's entropy source."""
    global _words  # noqa: PLW0603 (what was read ahead)
    word = next(_words, None)
    if word is None:
        _words = iter(array("H", os.urandom(_OCTETS)))
        word = next(_words)
    return word >> (16 - count)
