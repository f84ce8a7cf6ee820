"""The server's side of AKMA without a network: a table of A-KIDs and K_AFs, beside the device registry.

In a network the AAnF has these keys, and a server asks it (Naanf_AKMA_ApplicationKey_Get, TS 33.535, 7.1). What asks
here is made for that, too (:class:`host_tools.security.akma.Anchor`); the AAnF itself is not part of this project.

A UE with such a key is a device like any other: ``msgin5g devices`` lists it and ``msgin5g revoke`` ends it. Its OSCORE
keys are derived from K_AF as well, so it may use either protection.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from host_tools.security import akma
from host_tools.security.devices import Devices, EnrolmentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from host_tools.store import SqliteStore

# change: of the device's row when the keys were made: when that is revoked or enrolled anew, these are worth nothing.
SCHEMA = """
CREATE TABLE IF NOT EXISTS akma_keys (
    a_kid TEXT NOT NULL,
    ua BLOB NOT NULL,
    ue_service_id TEXT NOT NULL,
    k_af BLOB NOT NULL,
    expires INTEGER,
    change INTEGER NOT NULL,
    PRIMARY KEY (a_kid, ua)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS akma_keys_by_ue ON akma_keys (ue_service_id);
"""
_FIND = """
SELECT a.ue_service_id, a.k_af, a.expires FROM akma_keys AS a JOIN devices AS d USING (ue_service_id)
WHERE a.a_kid = ? AND a.ua = ? AND a.change = d.change
"""
_ALL = """
SELECT a.ue_service_id, a.a_kid, a.expires, max(a.change = d.change) FROM akma_keys AS a
JOIN devices AS d USING (ue_service_id) GROUP BY a.ue_service_id, a.a_kid, a.expires ORDER BY 1, 2
"""


class LocalAnchor:
    """Keys from the database of a running server.

    Args:
        store: has the tables.
        wall_clock: seconds since 1970.
    """

    def __init__(self, store: SqliteStore, wall_clock: Callable[[], float] = time.time) -> None:
        store.add_tables(SCHEMA)
        self._store = store
        self._wall_clock = wall_clock

    def get(self, a_kid: str, ua: bytes) -> akma.ApplicationKey | None:
        """See :class:`host_tools.security.akma.Anchor`."""
        rows = self._store.rows(_FIND, (a_kid, ua))
        if not rows:
            return None
        found = akma.ApplicationKey(*rows[0])
        return None if found.expires is not None and found.expires <= self._wall_clock() else found


class AkmaEntry(NamedTuple):
    """An A-KID that is known, without its keys.

    Attributes:
        ue_service_id: whose it is.
        a_kid: the A-KID.
        expires: when its keys end, in seconds since 1970; None for never.
        valid: is it the one that its UE was enrolled with last, and neither revoked nor over?
    """

    ue_service_id: str
    a_kid: str
    expires: float | None
    valid: bool


class AkmaDevices(Devices):
    """The device registry of a server, with the keys from AKMA of those that have them. See Devices."""

    @contextmanager
    def enrol_akma(
        self, ue_service_id: str, fqdn: str, realm: str, expires: int | None = None
    ) -> Iterator[akma.UeKeys]:
        """Do a network's part, for a lab: make K_AKMA and A-KID, keep what is the server's.

        Args:
            ue_service_id: of the UE.
            fqdn: the server's name as an Application Function.
            realm: of the A-KID.
            expires: when the keys end, in seconds since 1970; None for never.

        Yields:
            what the UE is to be given. It is enrolled when the block ends without an error.

        Raises:
            EnrolmentError: it is enrolled already, or it is no name for a device.
        """
        made = akma.UeKeys(
            ue_service_id=ue_service_id,
            server_service_id=self.service_id,
            a_kid=akma.a_kid("0", os.urandom(akma.KEY_OCTETS), realm),
            af_fqdn=fqdn,
            k_akma=os.urandom(akma.KEY_OCTETS).hex(),
        )
        with self.add_akma(made, expires) as given:
            yield given

    @contextmanager
    def add_akma(self, keys: akma.UeKeys, expires: int | None = None) -> Iterator[akma.UeKeys]:
        """Enrol a UE with keys that come from elsewhere, a network for instance.

        Args:
            keys: a UE's; K_AF for each protocol that it is to use, or K_AKMA.
            expires: when they end, in seconds since 1970; None for never.

        Yields:
            the same with the Sender ID that it has at this server.

        Raises:
            EnrolmentError: it is enrolled already, or it is no name for a device, or the A-KID is another's.
        """
        if keys.server_service_id != self.service_id:
            raise EnrolmentError(f"these keys are for {keys.server_service_id}, this is {self.service_id}")
        of_oscore = keys.key(akma.UA_OSCORE)
        self._database.executescript(SCHEMA)
        with self.enrol(
            keys.ue_service_id, keys=akma.oscore_keys(of_oscore) if of_oscore else None
        ) as device:
            self._keep(keys, expires)
            given = {name: getattr(keys, name) for name in keys.__struct_fields__}
            if of_oscore:
                given["oscore_sender_id"] = device["oscore"]["sender_id"]
            yield akma.UeKeys(**given)

    def all_akma(self, now: float) -> list[AkmaEntry]:
        """All A-KIDs, those of revoked UEs too, by UE Service ID."""
        self._database.executescript(SCHEMA)
        return [
            AkmaEntry(ue, a_kid, expires, bool(current) and (expires is None or expires > now))
            for ue, a_kid, expires, current in self._database.execute(_ALL)
        ]

    def _keep(self, keys: akma.UeKeys, expires: int | None) -> None:
        ue, a_kid = keys.ue_service_id, keys.a_kid
        other = self._database.execute(
            "SELECT 1 FROM akma_keys WHERE a_kid = ? AND ue_service_id <> ?", (a_kid, ue)
        ).fetchone()
        if other:
            raise EnrolmentError(f"{a_kid} is the A-KID of another UE")
        (change,) = self._database.execute(
            "SELECT change FROM devices WHERE ue_service_id = ?", (ue,)
        ).fetchone()
        # Those of an earlier enrolment are worth nothing any more.
        self._database.execute("DELETE FROM akma_keys WHERE ue_service_id = ?", (ue,))
        rows = [
            (a_kid, ua, ue, key, expires, change)
            for ua in akma.PROTOCOLS
            if (key := keys.key(ua)) is not None
        ]
        if not rows:
            raise EnrolmentError("there is no K_AF for a protocol that this server speaks")
        self._database.executemany("INSERT INTO akma_keys VALUES (?, ?, ?, ?, ?, ?)", rows)
