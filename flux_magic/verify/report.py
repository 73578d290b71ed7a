"""What a whole check found: as a table for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from ..types import one_line
from .verdict import Grade, Outcome, Status, Verdict

WIDE: Final = 100
"""Columns of the table, where labels leave it the room."""

_ORDER: Final = [
    *(grade.value for grade in Grade if grade is not Grade.DIFFERENT),
    *(outcome.value for outcome in Outcome if outcome.is_sound),
    *(Grade.DIFFERENT.value, Outcome.ALTERED.value, Outcome.EDITED.value, Status.UNCHECKED.value),
]


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What a check found: in text a table, and a notebook shows the pairs side by side.

    Attributes:
        verdicts: one a picture, in order.
        others: how many pictures of the notebooks are not of flux_magic.
        problems: what could not be read, a line for each.
        live: whether the pictures were made anew, else they were compared with their records alone.
    """

    verdicts: tuple[Verdict, ...]
    others: int = 0
    problems: tuple[str, ...] = ()
    live: bool = False

    @property
    def passed(self) -> bool:
        """Whether there is a picture, every one passes, and everything could be read."""
        return bool(self.verdicts) and not self.problems and all(one.status is Status.PASS for one in self.verdicts)

    @property
    def exit_code(self) -> int:
        """0 where it passed, else 1."""
        return 0 if self.passed else 1

    @property
    def counts(self) -> dict[str, int]:
        """How many were called what, passes first."""
        counted = Counter(one.called for one in self.verdicts)
        return {name: counted[name] for name in _ORDER if counted[name]}

    @property
    def summary(self) -> str:
        """The counts in a sentence: `75 of 100 pass: 75 same bytes; 20 different, 5 cannot be checked`."""
        if not self.verdicts:
            return "no image of flux_magic found"
        passes = Counter(one.called for one in self.verdicts if one.status is Status.PASS)
        said = [
            ", ".join(f"{number} {name}" for name, number in self.counts.items() if (name in passes) is passing)
            for passing in (True, False)
        ]
        head = f"{passes.total()} of {len(self.verdicts)} pass"
        unread = [f"{len(self.problems)} with a problem"] if self.problems else []
        return f"{head}: {'; '.join(part for part in [*said, *unread] if part)}"

    @property
    def notes(self) -> list[str]:
        """What else there is to say: the problems, and that there are pictures of others."""
        others = {0: [], 1: ["1 other picture is not of flux_magic"]}
        return [
            *(one_line(problem, 1000) for problem in self.problems),
            *others.get(self.others, [f"{self.others} other pictures are not of flux_magic"]),
        ]

    def __repr__(self) -> str:
        return "\n".join([*_table(self.verdicts), *self.notes, self.summary])

    def _repr_html_(self) -> str:
        from .html import fragment

        return fragment(self, small=True)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values, by the schema `flux_magic/verify/report-1.json`; it holds no pictures."""
        return {
            "schema": 1,
            "live": self.live,
            "passed": self.passed,
            "summary": self.summary,
            "counts": self.counts,
            "images": [_as_dict(one) for one in self.verdicts],
            "others": self.others,
            "problems": list(self.problems),
        }

    def as_json(self) -> str:
        """`as_dict` as a text of ASCII letters, with a line end."""
        return f"{json.dumps(self.as_dict(), indent=1)}\n"


def _as_dict(one: Verdict) -> dict[str, Any]:
    return {
        "label": one.label,
        "status": one.status.value,
        "called": one.called,
        "static": one.static.value,
        "grade": one.grade and one.grade.value,
        "distance": one.distance,
        "why": one.why,
        "record": one.record and one.record.as_dict(),
    }


def _table(verdicts: tuple[Verdict, ...]) -> list[str]:
    """A line for each picture, and its reasons below it."""
    rows = [(one.called, one.figure, one_line(one.label)) for one in verdicts]
    called, figure, label = (max((len(row[place]) for row in rows), default=0) for place in range(3))
    indent = " " * (called + 2)
    lines = []
    for (name, number, where), one in zip(rows, verdicts, strict=True):
        head = f"{name:<{called}}  {number:>{figure}}  {where:<{label}}  "
        lines.append(f"{head}{_prompt(one, max(WIDE - len(head), 20))}".rstrip())
        lines += wrap(one_line(one.why, 1000), WIDE, initial_indent=indent, subsequent_indent=indent)
    return [*lines, ""] if lines else []


def _prompt(one: Verdict, room: int) -> str:
    if one.record is None:
        return ""
    seed = "" if one.record.seed is None else f"seed {one.record.seed}: "
    return one_line(f"{seed}{one.record.prompt}", room)
