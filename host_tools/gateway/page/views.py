"""The pages: what each shows, and the parts of it that change while one looks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader

from host_tools.gateway import devices
from host_tools.gateway.page import pictures, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from host_tools.gateway.state import State
    from host_tools.gateway.watch import Seen

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_SHOWN = 60
_LONGEST_SEARCH = 255


@dataclass(frozen=True, slots=True)
class View:
    """A page.

    Attributes:
        name: of its template, and in the address of its stream.
        title: what it is called.
        parts: templates of what changes, each shown in the element with its name as id.
        context: from the query to what the templates need; None when there is no such thing.
    """

    name: str
    title: str
    parts: tuple[str, ...]
    context: Callable[[Mapping[str, str]], dict[str, Any] | None]


class Views:
    """All pages.

    Args:
        state: of the gateway.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._devices = devices.DeviceTable(state.process, state.watch)
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters |= {
            name: getattr(words, name) for name in ("age", "duration", "clock", "iso", "count")
        }
        self._templates.globals |= {
            "KINDS": words.KINDS,
            "STATES": devices.STATES,
            "bar": pictures.bar,
            "sparkline": pictures.sparkline,
            "gateway": state.process.settings.ue_service_id,
            "most_waiting": state.process.settings.most_messages_per_ue,
            "protected": state.process.contexts is not None,
        }
        views = (
            View("devices", "Devices", ("summary", "table"), self._table),
            View("messages", "Messages", ("seen",), self._messages),
            View("counters", "Counters", ("counts",), self._counters),
            View("device", "Device", ("facts", "seen"), self._device),
        )
        self.by_name = {view.name: view for view in views}

    def page(self, name: str, query: Mapping[str, str], **more: Any) -> str | None:
        """A page as HTML; None when there is no such thing."""
        view = self.by_name[name]
        context = view.context(query)
        if context is None:
            return None
        return self.render(f"{name}.html", title=view.title, view=name, query=query, **context, **more)

    def render(self, template: str, **context: Any) -> str:
        """A template as HTML."""
        return self._templates.get_template(template).render(**context, now=time.time())

    def parts(self, name: str, query: Mapping[str, str]) -> dict[str, str]:
        """What changes on a page: the id of each element, and what is in it now."""
        view = self.by_name[name]
        context = view.context(query)
        if context is None:
            return {}
        return {part: self.render(f"parts/{part}.html", query=query, **context) for part in view.parts}

    def _table(self, query: Mapping[str, str]) -> dict[str, Any]:
        search = query.get("search", "")[:_LONGEST_SEARCH]
        names = self._devices.names(search, query.get("state", ""), query.get("after", ""), devices.PAGE + 1)
        rows = self._devices.rows(names[: devices.PAGE])
        return {"rows": rows, "next": rows[-1].ue if len(names) > devices.PAGE else None, **self._summary()}

    def _summary(self) -> dict[str, Any]:
        return {"state": self._state.snapshot()}

    def _messages(self, query: Mapping[str, str]) -> dict[str, Any]:
        return {"seen": list(islice(self._fitting(query), _MOST_SHOWN)), "uplink": self._state.uplink()}

    def _fitting(self, query: Mapping[str, str]) -> Iterator[Seen]:
        search = query.get("search", "")[:_LONGEST_SEARCH].lower()
        kind, direction = query.get("kind", ""), query.get("direction", "")
        for one in self._state.watch.newest():
            if kind and kind != (one.kind or "event"):
                continue
            if direction and direction != one.direction:
                continue
            if search and search not in f"{one.ue or ''}\n{one.peer() or ''}".lower():
                continue
            yield one

    def _counters(self, query: Mapping[str, str]) -> dict[str, Any]:
        return {"groups": words.grouped(self._state.process.snapshot())}

    def _device(self, query: Mapping[str, str]) -> dict[str, Any] | None:
        ue = query.get("ue", "")
        row = self._devices.row(ue)
        if row is None:
            return None
        own = (one for one in self._state.watch.newest() if one.ue == ue)
        return {"row": row, "seen": list(islice(own, _MOST_SHOWN))}
