"""A query as SQL: the identifiers of the jobs for which all its conditions hold."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from .database import has_trigrams
from .query import Wanted

SLOTS: Final = 1000
"""Identifiers within a microsecond: jobs that began at the same time are in the order of their names."""

UNDATED: Final = 10**12
"""An identifier below is that of a job whose time is not known."""

PADDING: Final = "  "
"""Follows each prompt, so that its last characters begin trigrams as well; no word has a space."""

_FEW: Final = 1000
"""Jobs with a number, up to which they are looked at one by one."""

_LIKE: Final = "LIKE ? ESCAPE '\\'"


class Selection:
    """The conditions of a query as SQL, with their values.

    Attributes:
        key: the column of the identifiers.
        sql: the rest of the SELECT.
        values: those of its places.
    """

    def __init__(self, db: sqlite3.Connection, wanted: Wanted) -> None:
        self.values: list[Any] = []
        self._tables: list[str] = []
        self._conditions: list[str] = []
        self._rare = _find_rare(db, wanted)
        self._match_words(db, wanted)
        self.key = f"{self._tables[0]}.{_KEYS[self._tables[0]]}"
        for table in self._tables[1:]:
            self._add(f"{table}.id = {self.key}")
        self._match_job(db, wanted)
        self._match_time(wanted)
        for name, value in wanted.parameters:
            self._match_parameter(name, value)
        if wanted.starred:
            self._add(f"{self.key} IN (SELECT id FROM starred)")
        for tag in wanted.tags:
            self._add(f"{self.key} IN (SELECT id FROM tagged WHERE tag = ?)", tag)
        if db.execute("SELECT 1 FROM hidden LIMIT 1").fetchone():
            self._add(f"{self.key} NOT IN (SELECT id FROM hidden)")
        where = f" WHERE {' AND '.join(self._conditions)}" if self._conditions else ""
        # CROSS JOIN keeps the order of the tables.
        self.sql = f"FROM {' CROSS JOIN '.join(self._tables)}{where}"

    def _add(self, condition: str, *values: Any) -> None:
        self._conditions.append(condition)
        self.values += values

    def _match_words(self, db: sqlite3.Connection, wanted: Wanted) -> None:
        """Choose the tables, in the order in which they are looked into; the conditions come in the same order."""
        is_rare = bool(self._rare or wanted.starred or wanted.tags)
        long = [] if is_rare or not has_trigrams() else [word for word in wanted.words if len(word) > 1]
        short = [word for word in wanted.words if word not in long]
        if long:
            self._tables.append("words")
            self._add("words MATCH ?", " AND ".join(_match_trigrams(db, word) for word in long))
        if is_rare or wanted.numbers or wanted.model or not wanted.words:
            self._tables.append("jobs")
        if short:
            self._tables.append("prompts")
        for word in short:
            self._add(f"prompts.folded {_LIKE}", _match_part(word))

    def _match_job(self, db: sqlite3.Connection, wanted: Wanted) -> None:
        if wanted.model:
            rows = db.execute("SELECT id, folded FROM models").fetchall()
            found = [str(number) for number, folded in rows if all(word in folded for word in wanted.model)]
            self._add(f"jobs.model IN ({','.join(found)})")
        for name, number in wanted.numbers.items():
            without_index = "+" if name != self._rare else ""
            self._add(f"{without_index}jobs.{name} = ?", number)

    def _match_time(self, wanted: Wanted) -> None:
        if wanted.after is not None:
            self._add(f"{self.key} >= ?", max(wanted.after * SLOTS, UNDATED))
        if wanted.before is not None:
            self._add(f"{self.key} BETWEEN {UNDATED} AND ?", wanted.before * SLOTS - 1)

    def _match_parameter(self, name: str, value: str) -> None:
        of_job = f"{self.key} IN (SELECT job FROM parameters WHERE name = ? AND value"
        if _is_number(value):
            self._add(f"{of_job} = ?)", name, value)
            return
        for word in value.split() or [""]:
            self._add(f"{of_job} {_LIKE})", name, _match_part(word))


_KEYS: Final = {"words": "rowid", "jobs": "id", "prompts": "id"}


def _find_rare(db: sqlite3.Connection, wanted: Wanted) -> str:
    """Return the name of a number that few jobs have, or an empty one."""
    for name, number in wanted.numbers.items():
        some = f"SELECT 1 FROM jobs WHERE {name} = ? LIMIT {_FEW + 1}"
        if db.execute(f"SELECT count(*) FROM ({some})", [number]).fetchone()[0] <= _FEW:
            return name
    return ""


def _match_trigrams(db: sqlite3.Connection, word: str) -> str:
    """Return a word as the full-text table finds it; one of two characters as all trigrams that begin with it."""
    found = [word]
    if len(word) == 2:
        sql = "SELECT characters FROM trigrams WHERE characters BETWEEN ? AND ?"
        found = [one for (one,) in db.execute(sql, [word, word + "\U0010ffff"])] or [f"{word} "]  # that is not there
    return "(" + " OR ".join('"' + one.replace('"', '""') + '"' for one in found) + ")"


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _match_part(word: str) -> str:
    """Return the pattern of LIKE for what has a word in it."""
    return "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
