"""Index of the records in one folder of a store, by which they are listed and searched.

The files are the truth. The index is brought up to date from the listings of the folders that have changed: names not
yet known are read, names that are gone are dropped. A record never changes under its name.

The prompts are in a full-text table of trigrams, so that any part of a word is found, in scripts without spaces as
well. A word of two characters is looked for as the trigrams that begin with it; a word of one, and all words where
SQLite lacks trigrams, in each prompt. Identifiers are times: a list in order of time, the newest first, needs no
sorting.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import RecordError
from ..types import UNKNOWN, Record
from .database import Database
from .listing import is_record_name, list_months
from .marks import FOLDER as MARKS
from .marks import SUFFIX, Marks, read_marks
from .query import Wanted, count_microseconds, fold, fold_value
from .selection import PADDING, SLOTS, UNDATED, Selection
from .store import read_stored

SETTLED: Final = 2.0
"""Seconds for which a folder must have stayed the same before its listing is trusted: no clock of files is coarser."""

_BATCH: Final = 1000


@dataclass(slots=True)
class _Part:
    """A folder with records: that of a month, the store's own, or that of the other marks.

    Attributes:
        number: its number in the database.
        path: the folder.
        state: its state before it was listed.
        begin: when it was listed, in seconds since 1970.
        known: the records that the index had before.
        names: all that is there.
    """

    number: int
    path: Path
    state: str
    begin: float
    known: set[str]
    names: set[str]


class Index:
    """The index of one folder; one thread at a time may use it. Its methods raise TryAgain if the database fails.

    Args:
        root: the store's folder.
        is_own: True for the user's own store, whose folder `marks` is read as well.

    Attributes:
        is_there: False if the folder could not be listed when the index was last brought up to date.
    """

    def __init__(self, root: Path, *, is_own: bool = False) -> None:
        self.root, self.is_own, self.is_there = root, is_own, False
        self._database = Database(root)
        self._next_slots: dict[tuple[int, int], int] = {}

    def get_stamp(self) -> tuple[int, int, int]:
        """Return a value that changes whenever the index does."""
        with self._database.use() as db:
            return id(db), self._database.changes, int(db.execute("PRAGMA data_version").fetchone()[0])

    def refresh(self) -> Iterator[None]:
        """Bring the index up to date from the files, in steps of some tenths of a second."""
        try:
            os.scandir(self.root).close()
            self.is_there = True
        except (OSError, ValueError):  # a path with a NUL is a ValueError
            self.is_there = False
            return
        parts = [*list_months(self.root), "", *([MARKS] if self.is_own else [])]
        with self._database.use() as db:
            known = {name: tuple(facts) for name, *facts in db.execute("SELECT name, state, is_settled FROM parts")}
        if gone := known.keys() - {*parts}:
            self._drop_parts(gone)
        for part in parts:
            state = _describe(self.root / part)
            if known.get(part) != (state, 1):
                yield from self._refresh_part(self._list_part(part, state), reads=part != MARKS)
        with self._database.use() as db:
            found = db.execute("SELECT part, parts.name, skipped.name FROM skipped JOIN parts ON id = part").fetchall()
        for number, part, name in found:  # somebody may have mended it in its place
            self._add(number, self.root / part, [name])
            yield

    def _list_part(self, part: str, state: str) -> _Part:
        begin, folder = time.time(), self.root / part
        with self._database.write(is_change=False) as db:
            db.execute("INSERT OR IGNORE INTO parts(name, state, seen, is_settled) VALUES (?, '', 0, 0)", [part])
            number = db.execute("SELECT id FROM parts WHERE name = ?", [part]).fetchone()[0]
            known = {name for (name,) in db.execute("SELECT name FROM names WHERE part = ?", [number])}
        names: set[str] = set()
        with suppress(OSError, ValueError):
            names = set(os.listdir(folder))  # noqa: PTH208 - as the records are listed
        return _Part(number, folder, state, begin, known, names)

    def _refresh_part(self, part: _Part, *, reads: bool) -> Iterator[None]:
        came = (name for name in part.names - part.known if name.endswith(".json") and is_record_name(name))
        new = sorted(came, reverse=True) if reads else []
        for start in range(0, len(new), _BATCH):
            self._add(part.number, part.path, new[start : start + _BATCH])
            yield
        self._settle(part)

    def _settle(self, part: _Part) -> None:
        """Drop what is gone from a part, read its marks, and note its state before the listing.

        Other processes may be at work on the folder: if it has changed meanwhile, the next refresh lists it once more.
        """
        marked = {name: _describe(part.path / name) for name in part.names if name.endswith(SUFFIX)}
        with self._database.use() as db:
            known = dict(db.execute("SELECT name, state FROM marks WHERE part = ?", [part.number]))
            skipped = {name for (name,) in db.execute("SELECT name FROM skipped WHERE part = ?", [part.number])}
            state, seen = db.execute("SELECT state, seen FROM parts WHERE id = ?", [part.number]).fetchone()
        seen = seen if state == part.state and seen <= part.begin else part.begin
        changed = [name for name, found in marked.items() if known.get(name) != found]
        gone = part.known - part.names
        lost = (known.keys() - marked.keys()) | (skipped - part.names)
        with self._database.write(is_change=bool(changed or gone or lost)) as db:
            # The files are looked at once more: what another process has put there since is in the index by now.
            self._drop(db, part.number, _list_missing(part.path, gone))
            missing = [(part.number, name) for name in _list_missing(part.path, lost)]
            for table in ("marks", "skipped"):
                db.executemany(f"DELETE FROM {table} WHERE part = ? AND name = ?", missing)
            read = [(name, _describe(part.path / name), *_flatten(read_marks(part.path / name))) for name in changed]
            db.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?)", [(part.number, *one) for one in read])
            is_settled = part.begin - seen >= SETTLED
            db.execute(
                "UPDATE parts SET state = ?, seen = ?, is_settled = ? WHERE id = ?",
                [part.state, seen, is_settled, part.number],
            )

    def _add(self, part: int, folder: Path, names: Sequence[str]) -> None:
        """Read records, and add them to the index, as far as no other process has done so."""
        with self._database.use() as db:
            known = "SELECT 1 FROM names WHERE part = ? AND name = ?"
            missing = [name for name in names if db.execute(known, [part, name]).fetchone() is None]
            before = dict(db.execute("SELECT name, reason FROM skipped WHERE part = ?", [part]))
        read: list[tuple[str, Record]] = []
        skipped: dict[str, str] = {}
        for name in missing:
            try:
                read.append((name, read_stored(folder / name).record))
            except FileNotFoundError:  # somebody deleted it just now
                continue
            except RecordError as error:
                skipped[name] = error.message
            except OSError as error:
                skipped[name] = error.strerror or type(error).__name__
        if not read and {name: before[name] for name in names if name in before} == skipped:
            return
        with self._database.write() as db:
            db.executemany("DELETE FROM skipped WHERE part = ? AND name = ?", [(part, name) for name in names])
            rows = [(part, name, reason) for name, reason in skipped.items()]
            db.executemany("INSERT OR REPLACE INTO skipped VALUES (?, ?, ?)", rows)
            for name, record in read:
                self._insert(db, part, name, record)

    def _insert(self, db: sqlite3.Connection, part: int, name: str, record: Record) -> None:
        chosen = self._choose_id(db, _get_began(record), name)
        if not db.execute("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", [chosen, part, name]).rowcount:
            return  # another process was quicker
        model, first = fold(f"{record.model} {record.requested_model}"), record.files[0]
        db.execute("INSERT OR IGNORE INTO models(folded) VALUES (?)", [model])
        db.execute(
            "INSERT INTO jobs SELECT ?, id, ?, ?, ?, ?, ? FROM models WHERE folded = ?",
            [chosen, _fit(record.seed), first.width, first.height, _fit(record.steps), _identify(record), model],
        )
        prompt = f"{fold(record.prompt)}{PADDING}"
        db.execute("INSERT INTO prompts VALUES (?, ?)", [chosen, prompt])
        trigrams = {prompt[place : place + 3] for place in range(len(prompt) - 2)}
        db.executemany("INSERT OR IGNORE INTO trigrams VALUES (?)", [(one,) for one in trigrams])
        values = [(name, fold_value(value), chosen) for name, value in record.parameters.items()]
        db.executemany("INSERT OR IGNORE INTO parameters VALUES (?, ?, ?)", values)
        db.executemany("INSERT OR IGNORE INTO inputs VALUES (?, ?)", [(one.digest, chosen) for one in record.images])

    def _choose_id(self, db: sqlite3.Connection, began: int, name: str) -> int:
        """Return a free identifier: among jobs of the same time that of a later name is higher."""
        base = began * SLOTS
        same = "SELECT id, name FROM names WHERE id BETWEEN ? AND ? ORDER BY id"
        last = db.execute(f"{same} DESC LIMIT 1", [base, base + SLOTS - 1]).fetchone()
        if last is None:
            return base + SLOTS // 2
        first = db.execute(f"{same} LIMIT 1", [base, base + SLOTS - 1]).fetchone()
        step = 1 if name > first[1] else -1
        chosen: int = self._next_slots.get((base, step), last[0] + 1 if step > 0 else first[0] - 1)
        while db.execute("SELECT 1 FROM names WHERE id = ?", [chosen]).fetchone():
            chosen += step
        self._next_slots[base, step] = chosen + step
        return chosen

    def _drop(self, db: sqlite3.Connection, part: int, names: Iterable[str]) -> None:
        one = "SELECT id FROM names WHERE part = ? AND name = ?"
        found = [number for name in names for (number,) in db.execute(one, [part, name])]
        for table, key in (
            ("names", "id"),
            ("jobs", "id"),
            ("prompts", "id"),
            ("parameters", "job"),
            ("inputs", "job"),
        ):
            if found:
                db.execute(f"DELETE FROM {table} WHERE {key} IN ({_join(found)})")

    def _drop_parts(self, parts: Iterable[str]) -> None:
        with self._database.write() as db:
            for part in parts:
                for (number,) in db.execute("SELECT id FROM parts WHERE name = ?", [part]).fetchall():
                    rows = db.execute("SELECT name FROM names WHERE part = ?", [number]).fetchall()
                    self._drop(db, number, [name for (name,) in rows])
                    for table, key in (("marks", "part"), ("skipped", "part"), ("parts", "id")):
                        db.execute(f"DELETE FROM {table} WHERE {key} = ?", [number])

    def find(self, wanted: Wanted, most: int, start: int = 0) -> list[int]:
        """Return the identifiers of the jobs for which all holds, the newest first, but for the first `start`."""
        with self._database.use() as db:
            one = Selection(db, wanted)
            rows = db.execute(
                f"SELECT {one.key} {one.sql} ORDER BY {one.key} DESC LIMIT ? OFFSET ?", [*one.values, most, start]
            )
            return [number for (number,) in rows]

    def count(self, wanted: Wanted) -> int:
        """Return the number of the jobs for which all holds."""
        with self._database.use() as db:
            one = Selection(db, wanted)
            return int(db.execute(f"SELECT count(*) {one.sql}", one.values).fetchone()[0])

    def locate(self, ids: Sequence[int]) -> dict[int, Path]:
        """Return the paths of the records of some jobs, by their identifiers."""
        with self._database.use() as db:
            rows = db.execute(
                "SELECT names.id, parts.name, names.name FROM names JOIN parts ON parts.id = part "
                f"WHERE names.id IN ({_join(ids)})"
            )
            return {number: self.root / part / name for number, part, name in rows}

    def list_skipped(self) -> list[str]:
        """Return what is no record of ours, or is damaged: a line for each."""
        with self._database.use() as db:
            rows = db.execute("SELECT name, reason FROM skipped ORDER BY part, name DESC").fetchall()
        return [f"{name} is skipped: {' '.join(reason.split())}" for name, reason in rows]

    def has_parameter(self, name: str) -> bool:
        """Return True if a job has a parameter of this name."""
        with self._database.use() as db:
            return db.execute("SELECT 1 FROM parameters WHERE name = ? LIMIT 1", [name]).fetchone() is not None

    def has_input(self, digest: str, but: Path) -> bool:
        """Return True if an image went into another job than the one whose record is at `but`."""
        with self._database.use() as db:
            jobs = [job for (job,) in db.execute("SELECT job FROM inputs WHERE digest = ?", [digest])]
        return any(path != but for path in self.locate(jobs).values())

    def list_files(self, among: Sequence[int] | None = None) -> dict[int, int]:
        """Return the highest identifier of the jobs with the same files, by a number for these files.

        With `among` only files of these numbers are looked for.
        """
        with self._database.use() as db:
            if among is None:
                return dict(db.execute("SELECT files, max(id) FROM jobs GROUP BY files").fetchall())
            rows = [(one, db.execute("SELECT max(id) FROM jobs WHERE files = ?", [one]).fetchone()) for one in among]
        return {one: row[0] for one, row in rows if row[0] is not None}

    def get_size(self) -> int:
        """Return the number of all jobs."""
        with self._database.use() as db:
            return int(db.execute("SELECT count(*) FROM jobs").fetchone()[0])

    def hide(self, files: Iterable[int]) -> None:
        """Leave out the jobs with these files from now on, and no others."""
        with self._database.write(is_change=False) as db:
            db.execute("DELETE FROM hidden")
            db.executemany("INSERT INTO hidden SELECT id FROM jobs WHERE files = ?", [(one,) for one in files])

    def read_other_marks(self) -> dict[str, Marks]:
        """Return the marks of what others keep, by the name of their file."""
        with self._database.use() as db:
            rows = db.execute(
                "SELECT marks.name, starred, tags FROM marks JOIN parts ON id = part WHERE parts.name = ?", [MARKS]
            )
            return {name: Marks(bool(starred), tuple(json.loads(tags))) for name, starred, tags in rows}

    def apply_marks(self, others: Mapping[str, Marks]) -> None:
        """Let the marks beside the records count from now on, and before them those by the name of their file."""
        with self._database.write(is_change=False) as db:
            rows = db.execute(
                "SELECT names.id, starred, tags FROM marks CROSS JOIN names ON names.part = marks.part "
                f"AND names.name = substr(marks.name, 1, length(marks.name) - {len(SUFFIX)}) || '.json'"
            )
            found = {number: Marks(bool(starred), tuple(json.loads(tags))) for number, starred, tags in rows}
            parts = db.execute("SELECT id FROM parts").fetchall()
            one = "SELECT id FROM names WHERE part = ? AND name = ?"
            for name, marks in others.items():
                for (part,) in parts:
                    row = db.execute(one, [part, name.removesuffix(SUFFIX) + ".json"]).fetchone()
                    found |= {} if row is None else {row[0]: marks}
            db.execute("DELETE FROM starred")
            db.execute("DELETE FROM tagged")
            db.executemany("INSERT INTO starred VALUES (?)", [(one,) for one, marks in found.items() if marks.starred])
            tags = [(tag, one) for one, marks in found.items() for tag in marks.tags]
            db.executemany("INSERT INTO tagged VALUES (?, ?)", tags)

    def count_tags(self) -> dict[str, int]:
        """Return every tag with the number of its images."""
        with self._database.use() as db:
            shown = "id NOT IN (SELECT id FROM hidden)"
            return dict(db.execute(f"SELECT tag, count(*) FROM tagged WHERE {shown} GROUP BY tag").fetchall())


def _list_missing(folder: Path, names: Iterable[str]) -> list[str]:
    return [name for name in names if not os.path.lexists(folder / name)]


def _join(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _describe(path: Path) -> str:
    """Return a folder's or file's state, as far as changes show in it; empty if it is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_dev}:{found.st_ino}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_size}"


def _get_began(record: Record) -> int:
    """Return when a job began, in microseconds since 1970; 0 if that is not known."""
    started = record.circumstances.started
    with suppress(ValueError):
        return 0 if started == UNKNOWN else max(count_microseconds(started), UNDATED // SLOTS + 1)
    return 0


def _identify(record: Record) -> int:
    """Return a number for the files of a record: the same for the same files."""
    known = "\n".join(f"{one.media_type} {one.width} {one.height} {one.digest} {one.sha256}" for one in record.files)
    return int.from_bytes(hashlib.sha256(known.encode()).digest()[:8], "big", signed=True)


def _fit(number: int | None) -> int | None:
    """Return a number that a database can have, else None."""
    return number if number is not None and abs(number) < 2**63 else None


def _flatten(marks: Marks) -> tuple[bool, str]:
    return marks.starred, json.dumps(marks.tags)
