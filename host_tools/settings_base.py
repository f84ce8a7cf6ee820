"""What all settings are made of."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Octets = Annotated[int, Meta(ge=65_536)]
Milliseconds = Annotated[int, Meta(ge=10, le=600_000)]
ServiceId = Annotated[str, Meta(min_length=1, max_length=255)]

# Of all messages in a store, which take about twice as many in its file; and what is left free on its disk.
MOST_OCTETS = 1 << 30
RESERVE_OCTETS = 64 << 20


class SettingsError(ValueError):
    """A settings file that can't be used; the message says where and why."""


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of all settings: an unknown key is an error, since it is likely a misspelled one."""
