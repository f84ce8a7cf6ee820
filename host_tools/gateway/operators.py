"""Who may operate a gateway: whoever has the operator key, in a browser after logging in, or as a bearer token.

The key is in a file beside the database, which only the gateway's own user can read.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from typing import TYPE_CHECKING

from host_tools.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from host_tools.settings import GatewaySettings

# Without letters and digits that are taken for one another. 20 of them are 99 bits, and can be typed on a phone.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 5, 4
_SHORTEST_KEY, _LONGEST_KEY = 16, 255

# Seconds that a session lasts after its login; a browser forgets its cookie then as well.
SESSION_SECONDS = 12 * 3600
_MOST_SESSIONS = 64
# From one address so many wrong keys at once, and one more every so many seconds.
_WRONG_AT_ONCE = 5
_WRONG_INTERVAL = 12.0
_MOST_ADDRESSES = 1024


def key_file(settings: GatewaySettings) -> Path:
    """The file with the operator key of a gateway."""
    return settings.database.with_name(settings.database.name + ".operator")


def operator_key(settings: GatewaySettings) -> str:
    """The operator key of a gateway; a new one, in a file with mode 0600, when there is none yet.

    Raises:
        SettingsError: the file can't be read or made, is readable for others, or has no key in it.
    """
    path = key_file(settings)
    try:
        _make(path)
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path}: others can read the operator key: chmod 600 {path}, and remove it")
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise SettingsError(f"{path}: expected a key of 16 to 255 characters; remove the file for a new one")
    return key


def _make(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    key = "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(descriptor)


class Operators:
    """Logins, sessions and bearer tokens.

    Args:
        key: the operator key.
        clock: seconds that only grow.

    Attributes:
        counters: what became of those who tried.
    """

    def __init__(self, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._digest = _digest(key)
        self._clock = clock
        # Digest of a session's token -> when it ends: a lookup's time tells nothing about a token.
        self._sessions: dict[bytes, float] = {}
        # Address -> when it will have made up for its wrong keys.
        self._wrong: dict[str, float] = {}
        self.counters = {"logins": 0, "wrong_keys": 0, "too_many_wrong_keys": 0}

    def wait(self, address: str) -> float:
        """Seconds until somebody at an address may try a key again; 0 for now. Who may not is counted."""
        left = self._wrong.get(address, 0) - self._clock() - (_WRONG_AT_ONCE - 1) * _WRONG_INTERVAL
        if left > 0:
            self.counters["too_many_wrong_keys"] += 1
        return max(0.0, left)

    def login(self, key: str, address: str) -> str | None:
        """The token of a new session; None when the key is wrong. To be called when :meth:`wait` is 0."""
        if not self._is_key(key.strip(), address):
            return None
        now = self._clock()
        self._sessions = {one: end for one, end in self._sessions.items() if end > now}
        if len(self._sessions) >= _MOST_SESSIONS:
            # The one that would have ended first.
            del self._sessions[next(iter(self._sessions))]
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = now + SESSION_SECONDS
        self.counters["logins"] += 1
        return token

    def knows(self, token: str | None) -> bool:
        """Is this the token of a session that has not ended?"""
        return token is not None and self._sessions.get(_digest(token), 0) > self._clock()

    def logout(self, token: str | None) -> None:
        """End a session."""
        if token is not None:
            self._sessions.pop(_digest(token), None)

    def bearer(self, authorization: str, address: str) -> bool:
        """Is this the value of an Authorization header with the operator key (RFC 6750)?"""
        scheme, _, key = authorization.partition(" ")
        return scheme.lower() == "bearer" and self._is_key(key.strip(), address)

    def _is_key(self, key: str, address: str) -> bool:
        # In constant time. A wrong one is counted against its address.
        if hmac.compare_digest(_digest(key), self._digest):
            return True
        self.counters["wrong_keys"] += 1
        if len(self._wrong) >= _MOST_ADDRESSES and address not in self._wrong:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[address] = max(self._wrong.get(address, 0), self._clock()) + _WRONG_INTERVAL
        return False


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
