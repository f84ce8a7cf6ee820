"""The durable store of the gateway and of the server, on SQLite.

One writer, WAL, ``synchronous=FULL``: what was put is durable when :meth:`SqliteStore.commit` returns. The caller
commits once for each batch it has drained from its socket, before anything that depends on it leaves the process.
What was put is collected meanwhile, and written in one go.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING

from msgin5g import wire
from msgin5g.delivery import HIGH, LOW, MIDDLE, Item
from msgin5g.registry import Registered
from msgin5g.store import Full

from host_tools.duplicates import Duplicates
from host_tools.settings_base import MOST_OCTETS
from host_tools.store_schema import bring_up_to_date

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# An identity is remembered at least this long after the message was stored, in seconds, unless there are too many.
REMEMBERED = wire.LONGEST_EXPIRATION
# The log is copied into the database every 32 MiB: pages that change often are then copied once, not each time.
_CHECKPOINT = "wal_autocheckpoint=8000"
# Pages in memory, in KiB: more of them make no message cheaper, with 300,000 stored neither.
_CACHE = "cache_size=-2000"
# How much longer than a message a report on it may be, in octets.
_LONGER = 512
# Rows of one purge: it must not hold up the messages that arrive meanwhile.
_PURGE_STEP = 500

_COLUMNS = "key, hop, originator, kind, message_id, body, expires, report, priority, segment"
_INSERT = f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_PENDING = f"SELECT {_COLUMNS} FROM messages WHERE hop = ? AND priority = ? AND key > ? ORDER BY key LIMIT ?"  # noqa: S608
# In order, with `+` so that it is not first all of that originator's, and sorted then.
_PENDING_OF = (
    f"SELECT {_COLUMNS} FROM messages WHERE hop = ? AND priority = ? AND key > ? AND key <= ?"  # noqa: S608
    " AND +originator = ? ORDER BY key LIMIT ?"
)
_ONE = "hop = ? AND originator = ? AND kind = ? AND message_id = ? AND segment = 0"
_DELETE = "DELETE FROM messages WHERE key = ?"
_TOTALS = "SELECT count(*), ifnull(sum(length(body)), 0) FROM messages"
_EXPIRED = f"SELECT {_COLUMNS} FROM messages WHERE expires <= ? ORDER BY expires LIMIT ?"  # noqa: S608


class NoSpace(Full):
    """There is room for another message, but hardly any on the disk: it makes no difference which of them goes."""


class SqliteStore:
    """Messages, the memory of duplicates, and registrations, in one SQLite file.

    Args:
        path: the database file; it is created with mode 0600.
        most_messages: bound of messages on their way; :class:`~msgin5g.store.Full` is raised beyond it.
        wall_clock: seconds since 1970, or a clock that never jumps (:mod:`host_tools.clock`).
        most_known: bound of the memory against duplicates, 12 to 24 octets each; the oldest are forgotten beyond it.
        most_octets: bound of the octets of all messages on their way.

    Attributes:
        disk_low: there is hardly any space on its disk: nothing is taken any more (:mod:`host_tools.disk`).
        duplicates: the memory against duplicates, but for what is not written yet.
        on_dropped: part of what all stores have; this one refuses and drops nothing.

    Raises:
        sqlite3.Error: the file is no store, can't be written, or was written by a newer msgin5g.
    """

    def __init__(
        self,
        path: Path,
        most_messages: int = 1_000_000,
        wall_clock: Callable[[], float] = time.time,
        most_known: int = 4_000_000,
        most_octets: int = MOST_OCTETS,
    ) -> None:
        self.path = path
        path.touch(mode=0o600, exist_ok=True)
        self.on_dropped: Callable[[Item], None] | None = None
        self._wall_clock = wall_clock
        self._most_messages = most_messages
        self._most_octets = most_octets
        self.disk_low = False
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", _CACHE, _CHECKPOINT):
            self._database.execute(f"PRAGMA {pragma}")
        bring_up_to_date(self._database, path)
        self._execute = self._database.execute
        self._open = False
        self._broken: sqlite3.Error | None = None
        self._count: int
        self._octets: int
        self._count, self._octets = self._execute(_TOTALS).fetchone()
        # Put and not written yet: rows of messages, and their identities.
        self._rows: list[tuple] = []
        self._fresh: set[int] = set()
        # Keys of those removed and not written yet.
        self._gone: set[int] = set()
        # Octets that may be put in their place before the next commit.
        self._freed = 0
        self.duplicates = Duplicates(most_known, REMEMBERED)
        self._known_row = self._load_known()
        # Never given twice while the process runs, though SQLite would: what is under way goes by its key.
        self._next_key: int = self._execute("SELECT ifnull(max(key), 0) + 1 FROM messages").fetchone()[0]

    def __len__(self) -> int:
        """Messages on their way."""
        return self._count

    @property
    def next_key(self) -> int:
        """The key of the next message."""
        return self._next_key

    @property
    def uncommitted(self) -> bool:
        """Is there anything that is not durable yet?"""
        return self._open or bool(self._fresh or self._gone)

    def close(self) -> None:
        """Commit and close."""
        try:
            self.commit()
        finally:
            self._database.close()

    def _load_known(self) -> int:
        row = 0
        for row, at, octets in self._execute("SELECT key, at, identities FROM known ORDER BY key"):
            self.duplicates.add(array("q", octets), row, at)
        return row

    def _begin(self) -> None:
        if not self._open:
            self._execute("BEGIN IMMEDIATE")
            self._open = True

    def commit(self) -> None:
        """Make everything so far durable.

        Raises:
            sqlite3.Error: it can't be, now or ever. Nothing since the last commit may be acknowledged, and what is
                in memory is ahead of the file: the process has to end.
        """
        if self._broken:
            raise self._broken
        self._write()
        self._freed = 0
        if self._open:
            try:
                self._execute("COMMIT")
            except sqlite3.Error as error:
                self._broken = error
                raise
            self._open = False

    def _write(self) -> None:
        # To be called before anything that reads or changes messages.
        if not self._fresh and not self._gone:
            return
        try:
            self._begin()
            if self._fresh:
                self._write_fresh()
            if self._gone:
                self._write_gone()
        except sqlite3.Error as error:
            # Some may be written and others not: that must not be committed.
            self._broken = error
            raise

    def _write_fresh(self) -> None:
        self._database.executemany(_INSERT, self._rows)
        self._rows.clear()
        at = int(self._wall_clock())
        self._known_row += 1
        octets = array("q", self._fresh).tobytes()
        self._execute("INSERT INTO known VALUES (?, ?, ?)", (self._known_row, at, octets))
        self.duplicates.add(self._fresh, self._known_row, at)
        self._fresh.clear()

    def _write_gone(self) -> None:
        deleted = self._database.executemany(_DELETE, [(key,) for key in self._gone]).rowcount
        if deleted != len(self._gone):
            # Some had been removed before.
            self._count, self._octets = self._execute(_TOTALS).fetchone()
        self._gone.clear()

    # -- messages

    def put(  # noqa: PLR0913, PLR0917 (the face of all stores)
        self,
        hop: str,
        originator: str,
        kind: str,
        message_id: str,
        segment: int,
        body: bytes,
        expires: int | None = None,
        report: bool = False,
        priority: int = MIDDLE,
    ) -> Item | None:
        """Store a message for a hop.

        Returns:
            The stored item, or None when the same message was stored before: it is a duplicate.

        Raises:
            Full: there are ``most_messages`` or ``most_octets`` on their way.
            NoSpace: the disk is nearly full.
        """
        identity = _identity(hop, originator, kind, message_id, segment)
        if identity in self._fresh or identity in self.duplicates:
            return None
        full = self._count >= self._most_messages or self._octets + len(body) > self._most_octets
        if full or self.disk_low:
            # What takes the place of what goes has room: a report on it, most likely.
            if len(body) > self._freed:
                raise Full if full else NoSpace
            self._freed -= len(body)
        key = self._next_key
        self._next_key = key + 1
        self._count += 1
        self._octets += len(body)
        self._fresh.add(identity)
        row = (key, hop, originator, kind, message_id, body, expires, report, priority, segment)
        self._rows.append(row)
        return Item(*row)

    def knows(self, hop: str, originator: str, kind: str, message_id: str, segment: int) -> bool:
        """Was this message stored before, whatever became of it?"""
        identity = _identity(hop, originator, kind, message_id, segment)
        return identity in self._fresh or identity in self.duplicates

    def remember(self, hop: str, originator: str, kind: str, message_id: str, segment: int) -> bool:
        """Know a message from now on that itself is not stored: copies of it are, for others.

        Returns:
            False when it was known before: it is a duplicate.
        """
        if self.knows(hop, originator, kind, message_id, segment):
            return False
        self._fresh.add(_identity(hop, originator, kind, message_id, segment))
        return True

    def find_message(self, hop: str, originator: str, kind: str, message_id: str) -> Item | None:
        """A message that is on its way to a hop and not segmented, None when there is none."""
        items = self.items_where(_ONE, (hop, originator, kind, message_id))
        return items[0] if items else None

    def shares(self) -> list[tuple[str, str, int]]:
        """(hop, originator, how many) of all messages on their way."""
        return self.rows("SELECT hop, originator, count(*) FROM messages GROUP BY hop, originator")

    def room(self, octets: int = 1) -> int:
        """How many more messages of a size there is room for."""
        if self.disk_low:
            return 0
        return min(self._most_messages - self._count, (self._most_octets - self._octets) // octets)

    def lacks(self, octets: int) -> int:
        """How many octets of messages have to go before one of a size has room; 0 where it is a matter of number."""
        return max(0, self._octets + octets - self._most_octets)

    @property
    def octets(self) -> int:
        """Of all messages on their way."""
        return self._octets

    def replace(self, item: Item, body: bytes, expires: int | None) -> Item:
        """Change a message that is on its way: it is the newest from then on.

        Returns:
            What is stored now.
        """
        self._write()
        self._begin()
        key, self._next_key = self._next_key, self._next_key + 1
        self._octets += len(body) - len(item.body)
        self._execute(
            "UPDATE messages SET key = ?, body = ?, expires = ? WHERE key = ?", (key, body, expires, item.key)
        )
        return Item(
            key,
            item.hop,
            item.originator,
            item.kind,
            item.message_id,
            body,
            expires,
            item.report,
            item.priority,
            item.segment,
        )

    def remove(self, item: Item) -> None:
        """Take a message out: accepted, refused or expired. It stays known."""
        if item.key not in self._gone:
            self._gone.add(item.key)
            self._count -= 1
            self._octets -= len(item.body)
            self._freed += len(item.body) + _LONGER

    def pending(self, hop: str, after: int, most: int, priority: int | None = None) -> list[Item]:
        """The oldest messages for a hop with a key above ``after``, of one priority or of all."""
        if priority is not None:
            return self._items(_PENDING, (hop, priority, after, most))
        items = [item for each in range(HIGH, LOW + 1) for item in self.pending(hop, after, most, each)]
        items.sort(key=lambda item: item.key)
        return items[:most]

    def pending_of(
        self, hop: str, originator: str, after: int, last: int, most: int, priority: int
    ) -> list[Item]:
        """The oldest messages of one originator for a hop, with a key above ``after`` and up to ``last``."""
        return self._items(_PENDING_OF, (hop, priority, after, last, originator, most))

    def expired(self, seconds: float, most: int) -> list[Item]:
        """Messages whose expiration time has come."""
        return self._items(_EXPIRED, (int(seconds), most))

    def hops(self) -> list[str]:
        """The hops that messages wait for."""
        self._write()
        return [row[0] for row in self._execute("SELECT DISTINCT hop FROM messages")]

    def depth(self, hop: str) -> int:
        """Messages on their way to one hop."""
        self._write()
        return self._execute("SELECT count(*) FROM messages WHERE hop = ?", (hop,)).fetchone()[0]

    def purge(self) -> int:
        """Forget identities that are too old or too many, a bounded number at a time.

        Returns:
            0 when there is nothing left to purge.
        """
        row = self.duplicates.forget(int(self._wall_clock()))
        if not row:
            return 0
        self._begin()
        return self._execute(
            "DELETE FROM known WHERE key IN (SELECT key FROM known WHERE key <= ? ORDER BY key LIMIT ?)",
            (row, _PURGE_STEP),
        ).rowcount

    def _items(self, query: str, values: tuple) -> list[Item]:
        return [Item(*row) for row in self.rows(query, values)]

    # -- what others keep in the same file, and commit with the same commit

    def add_tables(self, schema: str) -> None:
        """Have further tables or indices: statements with IF NOT EXISTS, at the start of a process."""
        self.commit()
        self._database.executescript(schema)

    def items_where(self, condition: str, values: tuple = ()) -> list[Item]:
        """Messages on their way, by a condition in SQL on the columns of the table of messages."""
        return self._items(f"SELECT {_COLUMNS} FROM messages WHERE {condition}", values)  # noqa: S608

    def last_written(self) -> int:
        """When something was stored last, by the clock of this store; 0 for never."""
        rows = self._execute("SELECT at FROM known ORDER BY key DESC LIMIT 1").fetchall()
        return rows[0][0] if rows else 0

    def foreign_changes(self) -> int:
        """A number that changes when another process has changed the file."""
        return self._execute("PRAGMA data_version").fetchone()[0]

    def rows(self, query: str, values: tuple = ()) -> list[tuple]:
        """What a SELECT finds."""
        self._write()
        try:
            return self._execute(query, values).fetchall()
        except sqlite3.Error as error:
            # The file is damaged: nothing in it is sure any more.
            self._broken = error
            raise

    def change(self, statement: str, *rows: tuple) -> None:
        """Execute a statement that changes something, once for each row of values."""
        self._write()
        try:
            self._begin()
            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            # All that is not committed yet may be gone by that.
            self._broken = error
            raise

    # -- registrations of UEs (msgin5g.registry)

    def registered(self) -> list[Registered]:
        """All registered UEs."""
        rows = self._execute("SELECT ue_service_id, address, via, body, content_format FROM registered")
        return [Registered(ue, tuple(json.loads(address)), *rest) for ue, address, *rest in rows]

    def save_registered(self, entry: Registered) -> None:
        """Add or replace a registered UE."""
        self._begin()
        self._execute(
            "INSERT OR REPLACE INTO registered VALUES (?, ?, ?, ?, ?)",
            (entry.ue_service_id, json.dumps(entry.address), entry.via, entry.body, entry.content_format),
        )

    def remove_registered(self, ue_service_id: str) -> None:
        """Remove a registered UE."""
        self._begin()
        self._execute("DELETE FROM registered WHERE ue_service_id = ?", (ue_service_id,))

    # -- registrations of Application Servers

    def application_servers(self) -> list[tuple[str, str, str]]:
        """(registration id, AS Service ID, registration as JSON) of all registered Application Servers."""
        return self._execute(
            "SELECT registration_id, as_service_id, registration FROM application_servers"
        ).fetchall()

    def save_application_server(self, registration_id: str, as_service_id: str, registration: str) -> None:
        """Add a registered Application Server, in place of an earlier registration of the same one."""
        self._begin()
        self._execute(
            "INSERT OR REPLACE INTO application_servers VALUES (?, ?, ?)",
            (registration_id, as_service_id, registration),
        )

    def remove_application_server(self, registration_id: str) -> None:
        """Remove a registered Application Server."""
        self._begin()
        self._execute("DELETE FROM application_servers WHERE registration_id = ?", (registration_id,))


def _identity(hop: str, originator: str, kind: str, message_id: str, segment: int) -> int:
    # With four million remembered, one of 4 * 10 ** 12 new ones would be taken for another. In the file are the octets
    # of the hash, whatever the machine's order is; 0 has another meaning in memory.
    fields = f"{hop}\0{originator}\0{kind}\0{message_id}\0{segment}"
    return int.from_bytes(blake2b(fields.encode(), digest_size=8).digest(), sys.byteorder, signed=True) or 1
