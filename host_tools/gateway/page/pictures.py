"""Small pictures in SVG, drawn here: how much passed in each minute, how much waits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 240, 48
_BAR = 100


def sparkline(up: Sequence[int], down: Sequence[int]) -> Markup:
    """Messages in each minute: up as an area, down as a line over it; both to one scale."""
    most = max(1, *up, *down)
    label = f"Messages a minute: {up[-1]} up and {down[-1]} down in this one, at most {most} in the last hour"
    area = f"0,{_HEIGHT} {_points(up, most)} {_WIDTH},{_HEIGHT}"
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<polygon class="up" points="{}"/><polyline class="down" points="{}"/></svg>'
    ).format(_WIDTH, _HEIGHT, label, area, _points(down, most))


def bar(waiting: int, most: int) -> Markup:
    """How much waits of what may: each tenfold takes as much room, so that little can be seen and much is too."""
    width = min(_BAR, round(_BAR * math.log10(1 + waiting) / math.log10(1 + most)))
    return Markup(
        '<svg class="bar" viewBox="0 0 {} 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="all" width="{}" height="8" rx="2"/><rect class="full" width="{}" height="8" rx="2"/></svg>'
    ).format(_BAR, _BAR, max(width, 3) if waiting else 0)


def _points(counts: Sequence[int], most: int) -> str:
    step = _WIDTH / (len(counts) - 1)
    room = _HEIGHT - 4
    return " ".join(
        f"{place * step:.1f},{_HEIGHT - 1 - room * count / most:.1f}" for place, count in enumerate(counts)
    )
