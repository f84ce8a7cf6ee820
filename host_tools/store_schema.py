"""The tables of a store's file, and how an older file gets those of today."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SCHEMA = """
-- Messages on their way, in the order they were stored.
CREATE TABLE IF NOT EXISTS messages (
    key INTEGER PRIMARY KEY,
    hop TEXT NOT NULL,
    originator TEXT NOT NULL,
    kind TEXT NOT NULL,
    message_id TEXT NOT NULL,
    body BLOB NOT NULL,
    expires INTEGER,
    report INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    segment INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_priority ON messages (hop, priority, key);
CREATE INDEX IF NOT EXISTS messages_by_originator ON messages (originator, message_id);
CREATE INDEX IF NOT EXISTS messages_by_expiry ON messages (expires) WHERE expires IS NOT NULL;

-- Identities of all messages stored lately, whether still on their way or not: the memory against duplicates. A row
-- has those that were written together, 8 octets each. It is read when the store is opened; an index over random
-- identities would dirty a page for each message.
CREATE TABLE IF NOT EXISTS known (
    key INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    identities BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS registered (
    ue_service_id TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    via TEXT,
    body BLOB,
    content_format INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS application_servers (
    registration_id TEXT PRIMARY KEY,
    as_service_id TEXT NOT NULL UNIQUE,
    registration TEXT NOT NULL
) WITHOUT ROWID;
"""

# What the tables above are, as PRAGMA user_version says it. A file without a version is one of version 1, or new.
_VERSION = 2
_FROM_1_TO_2 = """
ALTER TABLE messages ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
ALTER TABLE messages ADD COLUMN segment INTEGER NOT NULL DEFAULT 0;
ALTER TABLE registered ADD COLUMN content_format INTEGER NOT NULL DEFAULT 50;
DROP INDEX messages_by_hop;
"""


def bring_up_to_date(database: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file, or change those of an older one.

    Raises:
        sqlite3.Error: the file is no store, can't be written, or was written by a newer msgin5g; it is closed then.
    """
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        database.close()
        reason = f"{path} was written by a newer msgin5g (version {version} of its tables)"
        raise sqlite3.DatabaseError(f"{reason}: use that one, or another file")
    steps = _SCHEMA
    if not version and database.execute("PRAGMA table_info(messages)").fetchall():
        steps = _FROM_1_TO_2 + _SCHEMA
    database.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version={_VERSION}; COMMIT")
