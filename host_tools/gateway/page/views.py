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
            name: getattr(words, name) for name in ("age", "duration", "clock", "iso", "count", "plain")
        }
        self._templates.globals |= {
            "KINDS": words.KINDS,
            "MEANINGS": words.MEANINGS,
            "STATES": devices.STATES,
            "bar": pictures.bar,
            "sparkline": pictures.sparkline,
            "gateway": state.process.settings.ue_service_id,
            "most_waiting": state.process.settings.most_messages_per_ue,
            "protected": state.process.contexts is not None,
        }
        views = (
            View("devices", "Devices", ("uplink", "summary", "table"), self._table),
            View("messages", "Messages", ("uplink", "seen"), self._messages),
            View("counters", "Counters", ("uplink", "counts"), self._counters),
            View("device", "Device", ("uplink", "facts", "seen"), self._device),
        )
        self.by_name = {view.name: view for view in views}

    def page(self, name: str, query: Mapping[str, str], **more: Any) -> str | None:
        """A page as HTML; None when there is no such thing."""
        view = self.by_name[name]
        context = self._context(view, query)
        if context is None:
            return None
        return self.render(f"{name}.html", title=view.title, view=name, query=query, **context, **more)

    def render(self, template: str, **context: Any) -> str:
        """A template as HTML."""
        html = self._templates.get_template(template).render(**context, now=time.time())
        # JSON lets a name have halves of characters in it, which no document can.
        return html.encode("utf-8", "replace").decode()

    def parts(self, name: str, query: Mapping[str, str]) -> dict[str, str]:
        """What changes on a page: the id of each element, and what is in it now."""
        view = self.by_name[name]
        context = self._context(view, query)
        if context is None:
            return {}
        return {part: self.render(f"parts/{part}.html", query=query, **context) for part in view.parts}

    def _context(self, view: View, query: Mapping[str, str]) -> dict[str, Any] | None:
        context = view.context(query)
        return None if context is None else {"uplink": self._state.uplink(), **context}

    def _table(self, query: Mapping[str, str]) -> dict[str, Any]:
        search = query.get("search", "")[:_LONGEST_SEARCH]
        names = self._devices.names(search, query.get("state", ""), query.get("after", ""), devices.PAGE + 1)
        rows = self._devices.rows(names[: devices.PAGE])
        more = rows[-1].ue if len(names) > devices.PAGE else None
        return {"rows": rows, "next": more, "state": self._state.summary()}

    def _messages(self, query: Mapping[str, str]) -> dict[str, Any]:
        return {"seen": list(islice(self._fitting(query), _MOST_SHOWN))}

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
