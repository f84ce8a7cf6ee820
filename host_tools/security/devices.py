"""The device registry: a table in the database of a gateway or of a server, and what ``msgin5g enrol`` does with it.

The process that serves the devices may run meanwhile: see contexts.py, which notices what is changed here.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# kid: what the device calls itself by in OSCORE, its Sender ID. number: the sequence numbers below it may have been
# used towards the device; NULL before the first. change: grows with each enrolment and revocation.
SCHEMA = """
CREATE TABLE IF NOT EXISTS devices (
    kid BLOB PRIMARY KEY,
    ue_service_id TEXT NOT NULL UNIQUE,
    master_secret BLOB NOT NULL,
    master_salt BLOB NOT NULL,
    number INTEGER,
    revoked INTEGER NOT NULL DEFAULT 0,
    enrolled INTEGER NOT NULL,
    change INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS devices_by_change ON devices (change);
"""

_SECRET_OCTETS = 16
_SALT_OCTETS = 8
# Seconds to wait for a process that works with the database.
_PATIENCE = 10.0
_ADD = """
INSERT INTO devices (kid, ue_service_id, master_secret, master_salt, enrolled, change) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (ue_service_id) DO UPDATE SET master_secret = excluded.master_secret, master_salt = excluded.master_salt,
    number = iif(master_secret = excluded.master_secret, number, NULL), revoked = 0,
    enrolled = excluded.enrolled, change = excluded.change
"""


class EnrolmentError(ValueError):
    """A device can't be enrolled or revoked; the message says why, and what can be done."""


class Device(NamedTuple):
    """A device, without its key.

    Attributes:
        ue_service_id: its UE Service ID.
        kid: its Sender ID in OSCORE.
        revoked: is it refused?
        enrolled: when, in seconds since 1970.
    """

    ue_service_id: str
    kid: bytes
    revoked: bool
    enrolled: int


class Devices:
    """The devices of one gateway or server.

    Args:
        database: its database; made, with mode 0600, when there is none yet.
        service_id: the Service ID of the gateway or server, which the devices know it by.

    Raises:
        OSError, sqlite3.Error: the database can't be used.
    """

    def __init__(self, database: Path, service_id: str) -> None:
        self.service_id = service_id
        database.touch(mode=0o600, exist_ok=True)
        self._database = sqlite3.connect(database, timeout=_PATIENCE, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def all(self) -> list[Device]:
        """All devices, revoked ones too, by name."""
        rows = self._database.execute("SELECT ue_service_id, kid, revoked, enrolled FROM devices ORDER BY 1")
        return [Device(ue, kid, bool(revoked), enrolled) for ue, kid, revoked, enrolled in rows]

    @contextmanager
    def enrol(
        self, ue_service_id: str, address: str | None = None, keys: tuple[bytes, bytes] | None = None
    ) -> Iterator[dict]:
        """Make a key for a device; it is enrolled when the block with what it is to be given ends without an error.

        Args:
            ue_service_id: its UE Service ID.
            address: ``host:port`` of the gateway, as the device reaches it; None when it is to find it.
            keys: its master secret and master salt, never used before; None for new ones.

        Yields:
            the contents of its ``device.json`` (msgin5g.provisioning).

        Raises:
            EnrolmentError: it is enrolled already, or it is no name for a device.
        """
        if not 1 <= len(ue_service_id) <= 255 or min(ue_service_id) < " ":
            raise EnrolmentError(f"{ue_service_id!r}: a UE Service ID has 1 to 255 characters, no control characters")
        if ue_service_id == self.service_id:
            raise EnrolmentError(f"{ue_service_id} is the one that devices are enrolled at")
        with self._transaction() as change:
            known = self._find(ue_service_id)
            if known and not known.revoked:
                raise EnrolmentError(
                    f"{ue_service_id} is enrolled already; for another key `msgin5g revoke` it first"
                )
            # No row is ever removed: the next number was never used.
            kid = known.kid if known else _kid(self._count())
            secret, salt = keys or (os.urandom(_SECRET_OCTETS), os.urandom(_SALT_OCTETS))
            self._database.execute(_ADD, (kid, ue_service_id, secret, salt, int(time.time()), change))
            device: dict = {"ue_service_id": ue_service_id, "gateway_ue_service_id": self.service_id}
            if address:
                device["gateway"] = address
            device["oscore"] = {
                "master_secret": secret.hex(),
                "master_salt": salt.hex(),
                "sender_id": kid.hex(),
                "recipient_id": "",
            }
            yield device

    def revoke(self, ue_service_id: str) -> None:
        """Refuse a device from now on.

        Raises:
            EnrolmentError: there is no such device, or it is revoked already.
        """
        with self._transaction() as change:
            known = self._find(ue_service_id)
            if known is None:
                raise EnrolmentError(f"{ue_service_id} is not enrolled")
            if known.revoked:
                raise EnrolmentError(f"{ue_service_id} is revoked already")
            self._database.execute(
                "UPDATE devices SET revoked = 1, change = ? WHERE ue_service_id = ?", (change, ue_service_id)
            )

    @contextmanager
    def _transaction(self) -> Iterator[int]:
        # With the number of the change.
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database.execute("SELECT ifnull(max(change), 0) + 1 FROM devices").fetchone()[0]
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _find(self, ue_service_id: str) -> Device | None:
        row = self._database.execute(
            "SELECT ue_service_id, kid, revoked, enrolled FROM devices WHERE ue_service_id = ?",
            (ue_service_id,),
        ).fetchone()
        return Device(*row) if row else None

    def _count(self) -> int:
        return self._database.execute("SELECT count(*) FROM devices").fetchone()[0]


def _kid(number: int) -> bytes:
    # The shortest that is left: one octet for the first 256, then two. None is the gateway's own.
    size, first = 1, 0
    while number - first >= 1 << (size << 3):
        first += 1 << (size << 3)
        size += 1
    return (number - first).to_bytes(size, "big")
