"""Samples as a row: their median, the interval that it lies in, the target, and whether that is reached."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing.

    Attributes:
        what: its name.
        middle: the median.
        low, high: between which it lies with a probability of 95 %, by bootstrap; the same if it is a plain count.
        samples: how many there were.
        unit: of all three; empty for a ratio.
        target: what it must not exceed, or None if there is no target.
        remark: what else is to be known.
    """

    what: str
    middle: float
    low: float
    high: float
    samples: int
    unit: str = ""
    target: float | None = None
    remark: str = ""

    @property
    def reached(self) -> bool | None:
        """True if the lower end of the interval reaches the target, or None if there are none."""
        return None if self.target is None else self.low <= self.target


def row(what: str, samples: Sequence[float], unit: str = "", target: float | None = None, remark: str = "") -> Row:
    """Return the row of some samples."""
    low, high = interval(samples)
    return Row(what, statistics.median(samples), low, high, len(samples), unit, target, remark)


def count(what: str, number: float, unit: str = "", target: float | None = None, remark: str = "") -> Row:
    """Return the row of what was counted, or measured once."""
    return Row(what, number, number, number, 1, unit, target, remark)


def interval(samples: Sequence[float]) -> tuple[float, float]:
    """Between which the median lies with a probability of 95 %: the same samples drawn again and again."""
    chance = random.Random(0)
    medians = sorted(statistics.median(chance.choices(samples, k=len(samples))) for _ in range(RESAMPLES))
    return medians[RESAMPLES * 25 // 1000], medians[RESAMPLES * 975 // 1000 - 1]


@dataclass
class Table:
    """The sections' rows, as they come."""

    sections: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, section: str, rows: Sequence[Row]) -> None:
        self.sections.setdefault(section, []).extend(rows)

    def markdown(self) -> str:
        parts = []
        for section, rows in self.sections.items():
            lines = [_line(one) for one in rows]
            head = ["| what | median | 95 % interval | of | target | |", "|---|---|---|---|---|---|"]
            parts.append("\n".join([f"## {section}", "", *head, *lines]))
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> None:
        """Both forms, as `speed.md` and `speed.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "speed.md").write_text(self.markdown(), "utf-8")
        told = {name: [{**asdict(one), "reached": one.reached} for one in rows] for name, rows in self.sections.items()}
        (folder / "speed.json").write_text(json.dumps(told, indent=1), "utf-8")


def _line(one: Row) -> str:
    between = "" if one.samples == 1 else f"{_number(one.low)} to {_number(one.high)}"
    target = "" if one.target is None else f"≤ {one.target:g} {one.unit}".rstrip()
    verdict = {None: "", True: "reached", False: "**missed**"}[one.reached]
    said = "; ".join(part for part in (verdict, one.remark) if part)
    return f"| {one.what} | {_number(one.middle)} {one.unit} | {between} | {one.samples} | {target} | {said} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"
