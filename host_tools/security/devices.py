"""The device registry: a table in the database of a gateway or of a server, and what ``msgin5g enrol`` does with it.

The process that serves the devices may run meanwhile: see contexts.py, which notices what is changed here.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from msgin5g.board import bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
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


class Overtaken(EnrolmentError):
    """Another device has what was offered."""


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
        with self._transaction() as change:
            device = self._made(ue_service_id, address, self._count(), keys)
            self._add(device, change)
            yield device

    def offer(self, addresses: Mapping[str, str | None], *, rotate: bool = False) -> list[dict]:
        """Make keys for devices that are not let in by them yet: :meth:`accept` does that.

        For what takes longer than a file, a board for example: nothing is locked meanwhile, and an old key counts.

        Args:
            addresses: of the gateway, as :meth:`enrol` has it, for each UE Service ID.
            rotate: new keys for those that are enrolled already.

        Returns:
            the contents of their ``device.json``.

        Raises:
            EnrolmentError: one is enrolled already and is not to be rotated, or it is no name for a device.
        """
        made, count = [], self._count()
        for ue_service_id, address in addresses.items():
            made.append(self._made(ue_service_id, address, count, rotate=rotate))
            count += self._find(ue_service_id) is None
        return made

    def accept(self, offered: Iterable[dict], *, rotate: bool = False) -> None:
        """Let devices in, all or none, by what :meth:`offer` has made for them; older keys of theirs end.

        Raises:
            Overtaken: others were enrolled meanwhile; a new offer is needed.
            EnrolmentError: as offer().
        """
        with self._transaction() as change:
            for device in offered:
                known = self._find(device["ue_service_id"])
                self._check(device["ue_service_id"], known, rotate=rotate)
                kid = known.kid if known else _kid(self._count())
                if kid.hex() != device["oscore"]["sender_id"]:
                    raise Overtaken("others were enrolled at the same time; repeat the command")
                self._add(device, change)

    def holds(self, device: dict) -> bool:
        """Would the device that has this in its ``device.json`` be let in?"""
        row = self._database.execute(
            "SELECT kid, master_secret, master_salt FROM devices WHERE ue_service_id = ? AND NOT revoked",
            (device.get("ue_service_id"),),
        ).fetchone()
        oscore = device.get("oscore")
        return (
            row is not None
            and isinstance(oscore, dict)
            and device.get("gateway_ue_service_id") == self.service_id
            and [octets.hex() for octets in row]
            == [oscore.get(name) for name in ("sender_id", "master_secret", "master_salt")]
        )

    def update_key(self, ue_service_id: str) -> bytes:
        """The key that updates of a device's application are signed with (msgin5g.board.bundle).

        Raises:
            EnrolmentError: there is no such device, or it is revoked.
        """
        row = self._database.execute(
            "SELECT master_secret, master_salt FROM devices WHERE ue_service_id = ? AND NOT revoked",
            (ue_service_id,),
        ).fetchone()
        if row is None:
            raise EnrolmentError(
                f"{ue_service_id} is not enrolled, or it is revoked: `msgin5g devices` lists them"
            )
        return bundle.key({"master_secret": row[0].hex(), "master_salt": row[1].hex()})

    def _check(self, ue_service_id: str, known: Device | None, *, rotate: bool) -> None:
        if not 1 <= len(ue_service_id) <= 255 or min(ue_service_id) < " ":
            raise EnrolmentError(
                f"{ue_service_id!r}: a UE Service ID has 1 to 255 characters, no control characters"
            )
        if ue_service_id == self.service_id:
            raise EnrolmentError(f"{ue_service_id} is the one that devices are enrolled at")
        if known and not known.revoked and not rotate:
            raise EnrolmentError(
                f"{ue_service_id} is enrolled already; for another key `msgin5g revoke` it first"
            )

    def _made(
        self,
        ue_service_id: str,
        address: str | None,
        count: int,
        keys: tuple[bytes, bytes] | None = None,
        *,
        rotate: bool = False,
    ) -> dict:
        # What a device is to be given. count: of the devices that there are before it.
        known = self._find(ue_service_id)
        self._check(ue_service_id, known, rotate=rotate)
        # No row is ever removed: the next number was never used.
        kid = known.kid if known else _kid(count)
        secret, salt = keys or (os.urandom(_SECRET_OCTETS), os.urandom(_SALT_OCTETS))
        device: dict = {"ue_service_id": ue_service_id, "gateway_ue_service_id": self.service_id}
        if address:
            device["gateway"] = address
        device["oscore"] = {
            "master_secret": secret.hex(),
            "master_salt": salt.hex(),
            "sender_id": kid.hex(),
            "recipient_id": "",
        }
        return device

    def _add(self, device: dict, change: int) -> None:
        oscore = device["oscore"]
        kid, secret, salt = [
            bytes.fromhex(oscore[name]) for name in ("sender_id", "master_secret", "master_salt")
        ]
        self._database.execute(_ADD, (kid, device["ue_service_id"], secret, salt, int(time.time()), change))

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
