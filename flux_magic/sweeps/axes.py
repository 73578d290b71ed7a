"""What a sweep varies: axes that multiply, and where each combination of their values stands.

The place of a combination is its number among all of them, from 0, the last axis varying the fastest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InvalidRequest, NotInSweep, few, shown
from ..parameters.settings import MOST_SWEPT
from ..parameters.table import EXTRA, ROWS, SWEPT

EXTRA_COLUMNS: Final = tuple(row.name for row in EXTRA)

COLUMNS: Final = (
    *("prompt", "seed", "steps", "width", "height", *EXTRA_COLUMNS, "model", "digest", "path", "replayed", "seconds"),
)
"""What a table says of every image, beside what was varied."""

TAKEN: Final = (*SWEPT, *COLUMNS)
"""Names that no list of the notebook may have."""

WORD: Final = "word"
"""The name of the first axis of alternatives; the second is `word_2`."""

MOST_NAMED: Final = 12
"""Values and images that a message names."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that a sweep varies.

    Attributes:
        name: `seed`, `steps`, `size` or another of SWEPT, the name of a list of the notebook, or `word` (`word_2`, …)
            for alternatives in the prompt.
        values: in the order typed, no two the same: numbers for the numeric options, strings for all else
            (a size is `512x768`).
    """

    name: str
    values: tuple[float | str, ...]

    def label(self, place: int) -> str:
        """One of the values as a person reads it beside a row or column: `seed 42`, `512×768`, `red`."""
        value = self.values[place]
        if self.name == "size":
            return str(value).replace("x", "×")
        return f"{self.name} {value}" if self.name in ROWS or not isinstance(value, str) else value

    def find(self, value: object) -> int:
        """Where a value is among the axis' own, which are compared as texts; raises NotInSweep."""
        if isinstance(value, slice) or (isinstance(value, list | tuple) and self.name != "size"):
            raise NotInSweep(f"{self.name} is {shown(value)}: give one value; a list of them is for a loop")
        if isinstance(value, float) and value in self.values:
            value = self.values[self.values.index(value)]  # a table's column of numbers may be one of floats
        text = "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value).strip()
        for place, one in enumerate(self.values):
            if text in {str(one), str(one).strip()}:
                return place
        known = ", ".join(few([str(one) for one in self.values], MOST_NAMED))
        raise NotInSweep(f"this sweep has no {self.name} {shown(value)}: it has {known}")

    def __str__(self) -> str:
        name = WORD if is_word(self.name) else self.name
        if name not in {*SWEPT, WORD}:
            return f"{len(self.values)} {{{name}}}"
        return f"{len(self.values)} {name}{'' if len(self.values) == 1 or name.endswith('s') else 's'}"


def is_word(name: str) -> bool:
    """Whether this is the name of an axis of alternatives."""
    return re.fullmatch(rf"{WORD}(_\d+)?", name) is not None


def distinct(typed: str, values: Sequence[Any], more: str = "") -> tuple[Any, ...]:
    """The values of an axis, where there are some and no two are the same.

    Raises InvalidRequest where that is not so, which names what was `typed`, and says `more` where one is there twice.
    """
    if not values:
        raise InvalidRequest(f"{typed} is empty: give one value or more")
    if len(values) > MOST_SWEPT:
        raise InvalidRequest(f"{typed}: {len(values)} values are more than {MOST_SWEPT}")
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise InvalidRequest(f"{typed[:60]}: {shown(value)} is there twice{more}")
        seen.add(value)
    return tuple(values)


def how_many(axes: Sequence[Axis]) -> int:
    """How many combinations there are: 1 of no axes."""
    return math.prod(len(axis.values) for axis in axes)


def coordinates(axes: Sequence[Axis], place: int) -> tuple[int, ...]:
    """Where in the axes the values of one combination stand, by its place."""
    found: list[int] = []
    for axis in reversed(axes):
        place, at = divmod(place, len(axis.values))
        found.insert(0, at)
    return tuple(found)


def place_of(axes: Sequence[Axis], at: Sequence[int]) -> int:
    """The place of the combination whose values stand there in the axes."""
    place = 0
    for axis, one in zip(axes, at, strict=True):
        place = place * len(axis.values) + one
    return place


def values_at(axes: Sequence[Axis], place: int) -> dict[str, float | str]:
    """The values of one combination, by the axes' names."""
    return {axis.name: axis.values[at] for axis, at in zip(axes, coordinates(axes, place), strict=True)}
