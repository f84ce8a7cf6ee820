"""What is wrong with a settings file: file, key, value and what is allowed."""

from __future__ import annotations

import re
from typing import Any, get_args, get_origin, get_type_hints

from host_tools.settings_base import Settings

# What msgspec says about keys, and about a value that is none of a few words.
_MISSING = re.compile(r"Object missing required field `(.+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_WORDS = re.compile(r"matching regex '\^\(([a-z|-]+)\)\$'")
# A value that must not be in a log, though it was put where it does not belong.
_SECRET = "token"  # noqa: S105


def explained(values: dict[str, Any], kind: type[Settings], error: str) -> str:
    """What is wrong with the values of a settings file, as their writer sees it.

    Args:
        values: what is in the file.
        kind: what they were to be.
        error: what msgspec says about it.
    """
    # "Expected `int` <= 65535 - at `$.coap.port`"; the value is what the reader looks for.
    reason, _, where = error.partition(" - at `$")
    key = where.rstrip("`").lstrip(".")
    found: Any = values
    here: Any = kind
    for part in re.findall(r"[^.\[\]]+", key):
        found = found[int(part) if isinstance(found, list) else part]
        here = _type_of(here, part)
    prefix = f"{key}." if key else ""
    if missing := _MISSING.fullmatch(reason):
        return f"{prefix}{missing[1]} is missing"
    if unknown := _UNKNOWN.fullmatch(reason):
        allowed = ", ".join(here.__struct_fields__)
        key = prefix + unknown[1]
        return f"{key} = {_shown(key, found[unknown[1]])}: there is no such key; there are {allowed}"
    if not key:
        return reason
    if words := _WORDS.search(reason):
        reason = "expected " + " or ".join(f'"{word}"' for word in words[1].split("|"))
    return f"{key} = {_shown(key, found)}: {reason}"


def _shown(key: str, value: Any) -> str:
    return "..." if _SECRET in key and isinstance(value, str) else repr(value)


def _type_of(kind: Any, part: str) -> Any:
    # The type of a member, or of the elements of a list; of several, the table.
    found = get_args(kind)[0] if part.isdecimal() else get_type_hints(kind)[part]
    tables = [one for one in get_args(found) if isinstance(one, type) and issubclass(one, Settings)]
    return tables[0] if tables and get_origin(found) is not list else found
