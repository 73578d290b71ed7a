"""The database of one folder of a store: a file in the user's cache folder, which can be made again at any time.

Where no file can be written, it is in memory.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from .cache import find_local_cache

VERSION: Final = 2
"""A database of another version has another name."""

_BUSY: Final = 10.0
"""Seconds to wait for another process; each of its changes takes some tenths of one."""

_UNUSED: Final = 90 * 86400.0
"""Seconds after which the database of a folder that is not asked for goes."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS parts(
    id INTEGER PRIMARY KEY, name TEXT UNIQUE, state TEXT, seen REAL, is_settled INTEGER);
CREATE TABLE IF NOT EXISTS names(id INTEGER PRIMARY KEY, part INTEGER, name TEXT, UNIQUE(part, name));
CREATE TABLE IF NOT EXISTS jobs(
    id INTEGER PRIMARY KEY, model INTEGER, seed INTEGER, width INTEGER, height INTEGER, steps INTEGER, files INTEGER);
CREATE INDEX IF NOT EXISTS jobs_files ON jobs(files);
CREATE INDEX IF NOT EXISTS jobs_seed ON jobs(seed);
CREATE INDEX IF NOT EXISTS jobs_width ON jobs(width);
CREATE INDEX IF NOT EXISTS jobs_height ON jobs(height);
CREATE INDEX IF NOT EXISTS jobs_steps ON jobs(steps);
CREATE TABLE IF NOT EXISTS prompts(id INTEGER PRIMARY KEY, folded TEXT);
CREATE TABLE IF NOT EXISTS trigrams(characters TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS models(id INTEGER PRIMARY KEY, folded TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS parameters(
    name TEXT, value TEXT, job INTEGER, PRIMARY KEY(name, value, job)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inputs(digest TEXT, job INTEGER, PRIMARY KEY(digest, job)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks(
    part INTEGER, name TEXT, state TEXT, starred INTEGER, tags TEXT, PRIMARY KEY(part, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS skipped(part INTEGER, name TEXT, reason TEXT, PRIMARY KEY(part, name)) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS hidden(id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS starred(id INTEGER PRIMARY KEY);
CREATE TEMP TABLE IF NOT EXISTS tagged(tag TEXT, id INTEGER, PRIMARY KEY(tag, id)) WITHOUT ROWID;
"""
_TRIGRAMS: Final = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    folded, content=prompts, content_rowid=id, tokenize='trigram case_sensitive 1');
CREATE TRIGGER IF NOT EXISTS come AFTER INSERT ON prompts BEGIN
    INSERT INTO words(rowid, folded) VALUES (new.id, new.folded); END;
CREATE TRIGGER IF NOT EXISTS go AFTER DELETE ON prompts BEGIN
    INSERT INTO words(words, rowid, folded) VALUES ('delete', old.id, old.folded); END;
"""


class TryAgain(Exception):
    """The database could not be used. An empty one is in its place, in memory if need be."""


@functools.cache
def has_trigrams() -> bool:
    """Return True if this SQLite has full-text tables of trigrams: 3.34 or later, built with FTS5."""
    db = sqlite3.connect(":memory:")
    try:
        db.execute("CREATE VIRTUAL TABLE words USING fts5(folded, tokenize='trigram case_sensitive 1')")
    except sqlite3.Error:
        return False
    finally:
        db.close()
    return True


class Database:
    """A connection that is opened when it is first used.

    Args:
        root: the folder of the store.

    Attributes:
        changes: how often this connection has changed the database.
    """

    def __init__(self, root: Path) -> None:
        self.changes = 0
        self._place = _choose_place(root)
        self._db: sqlite3.Connection | None = None
        self._has_failed = False

    def close(self) -> None:
        """Close the connection; it is opened again when it is needed."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """Give the connection. An error of SQLite raises TryAgain, with an empty database in place of this one."""
        try:
            if self._db is None:
                self._db = self._open()
            yield self._db
        except sqlite3.Error as error:
            if self._place is None:
                raise
            self.close()
            is_damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            if self._has_failed or not is_damaged or not _remove(self._place):
                self._place = None
            self._has_failed = True
            raise TryAgain from error

    @contextmanager
    def write(self, *, is_change: bool = True) -> Iterator[sqlite3.Connection]:
        """Give the connection, and let the block be one transaction; errors are those of `use`."""
        with self.use() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            self.changes += is_change

    def _open(self) -> sqlite3.Connection:
        if self._place is not None:
            try:
                self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _remove_unused(self._place)
            except OSError:
                self._place = None
        db = sqlite3.connect(self._place or ":memory:", timeout=_BUSY, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, db.close)
        try:
            for name, value in (("journal_mode", "WAL"), ("synchronous", "NORMAL"), ("temp_store", "MEMORY")):
                db.execute(f"PRAGMA {name} = {value}")
            db.execute("BEGIN IMMEDIATE")
            for one in f"{_TABLES}{_TRIGRAMS if has_trigrams() else ''}".split(";\n"):
                db.execute(one)
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db


def _choose_place(root: Path) -> Path | None:
    cache = find_local_cache()
    if cache is None:
        return None
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return cache / "index" / f"{digest}-{VERSION}{'t' if has_trigrams() else ''}.sqlite"


def _remove(place: Path) -> bool:
    """Remove a database with what SQLite keeps beside it; return False if that fails."""
    try:
        for suffix in ("", "-wal", "-shm"):
            place.with_name(f"{place.name}{suffix}").unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _remove_unused(place: Path) -> None:
    """Note that a database is in use, and remove the others that were not for long."""
    with suppress(OSError):
        os.utime(place)
    with suppress(OSError):
        for other in place.parent.glob("*.sqlite"):
            if other.stat().st_mtime < time.time() - _UNUSED:
                _remove(other)
