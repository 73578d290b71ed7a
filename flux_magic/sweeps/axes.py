"""The axes of a sweep: they multiply, and each combination of values has a place.

The place of a combination is its number among all of them, from 0, the last axis varying the fastest. Axes that are
walked together, in pairs, are the parts of one axis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InvalidRequest, NotInSweep, list_few, show_value
from ..parameters.settings import MOST_SWEPT
from ..parameters.table import EXTRA, ROWS, SWEPT, format_value

EXTRA_COLUMNS: Final = tuple(row.name for row in EXTRA)

COLUMNS: Final = (
    *("prompt", "seed", "steps", "width", "height", *EXTRA_COLUMNS, "model", "digest", "path", "replayed", "seconds"),
)
"""Columns of the table for every image, beside what was varied."""

TAKEN: Final = (*SWEPT, *COLUMNS)
"""Names that a list of the notebook may not have."""

WORD: Final = "word"
"""The name of the first axis of alternatives; the second is `word_2`."""

MOST_NAMED: Final = 12
"""The number of values and images that a message names."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that a sweep varies.

    Attributes:
        name: `seed`, `steps`, `size` or another of SWEPT, the name of a list of the notebook, or `word` (`word_2`, …)
            for alternatives in the prompt; a parameter of the model's own by its own name.
        values: in the order typed, no two the same: numbers for the numeric options, strings for all else
            (a size is `512x768`).
        parts: the axes that are walked together, for an axis of pairs; values may occur twice in these.
    """

    name: str
    values: tuple[float | str, ...]
    parts: tuple[Axis, ...] = ()

    def format_label(self, place: int) -> str:
        """Return one of the values as a label beside a row or column: `seed 42`, `512×768`, `red`."""
        value = self.values[place]
        if self.parts:
            return " · ".join(part.format_label(place) for part in self.parts)
        if self.name == "size":
            return str(value).replace("x", "×")
        if self.name in ROWS or not isinstance(value, str):
            shown = format_value(value) or '""'
            return f"{self.name} {shown}"
        return value

    def format_values(self) -> list[str]:
        """Return all values as they are shown: `["1", "3.5"]`."""
        return [format_value(value) for value in self.values]

    def find(self, value: object) -> list[int]:
        """Return the positions of a value on the axis; values are compared as strings. Raises NotInSweep."""
        if isinstance(value, slice) or (isinstance(value, list | tuple) and self.name != "size"):
            raise NotInSweep(f"{self.name} is {show_value(value)}: give one value; a list of them is for a loop")
        text = "x".join(map(str, value)) if isinstance(value, list | tuple) else format_value(value).strip()
        found = [
            place for place, one in enumerate(self.values) if text in {str(one), str(one).strip(), format_value(one)}
        ]
        if found:
            return found
        known = ", ".join(list_few(self.format_values(), MOST_NAMED))
        raise NotInSweep(f"this sweep has no {self.name} {show_value(value)}: it has {known}")

    def take(self, places: Sequence[int]) -> Axis:
        """Return the axis with the values at these positions alone."""
        values = tuple(self.values[place] for place in places)
        return Axis(self.name, values, tuple(part.take(places) for part in self.parts))

    def __str__(self) -> str:
        if self.parts:
            first, *others = map(str, self.parts)
            return f"{first} with {' and '.join(others)} in pairs"
        name = WORD if is_word(self.name) else self.name
        if name not in {*_COUNTED, WORD}:
            is_list = name not in SWEPT and isinstance(self.values[0], str)  # the items of a list are strings
            return f"{len(self.values)} {{{name}}}" if is_list else f"{len(self.values)} values of {name}"
        return f"{len(self.values)} {name}{'' if len(self.values) == 1 or name.endswith('s') else 's'}"


_COUNTED: Final = ("seed", "steps", "size", "width", "height")
"""Names that have a plural."""


def is_word(name: str) -> bool:
    """Return True for the name of an axis of alternatives."""
    return re.fullmatch(rf"{WORD}(_\d+)?", name) is not None


def pair_axes(axes: Sequence[Axis]) -> Axis:
    """Return one axis on which these, which have as many values each, are walked together: one alone as it is."""
    if len(axes) == 1:
        return axes[0]
    places = range(len(axes[0].values))
    labels = tuple(" · ".join(axis.format_label(place) for axis in axes) for place in places)
    return Axis("+".join(axis.name for axis in axes), labels, tuple(axes))


def flatten(axes: Iterable[Axis]) -> list[Axis]:
    """Return the axes with those of pairs one by one."""
    return [part for axis in axes for part in axis.parts or (axis,)]


def check_distinct(typed: str, values: Sequence[Any], more: str = "", *, repeats: bool = False) -> tuple[Any, ...]:
    """Return the axis values.

    Raises InvalidRequest if there are none, or if one occurs twice without `repeats`; the message quotes `typed` and
    ends with `more`.
    """
    if not values:
        raise InvalidRequest(f"{typed} is empty: give one value or more")
    if len(values) > MOST_SWEPT:
        raise InvalidRequest(f"{typed}: {len(values)} values are more than {MOST_SWEPT}")
    seen: set[Any] = set()
    for value in values:
        if value in seen and not repeats:
            raise InvalidRequest(f"{typed[:60]}: {show_value(value)} occurs twice{more}")
        seen.add(value)
    return tuple(values)


def count_combinations(axes: Sequence[Axis]) -> int:
    """Return the number of combinations: 1 for no axes."""
    return math.prod(len(axis.values) for axis in axes)


def get_coordinates(axes: Sequence[Axis], place: int) -> tuple[int, ...]:
    """Return the positions on the axes of one combination, by its place."""
    found: list[int] = []
    for axis in reversed(axes):
        place, at = divmod(place, len(axis.values))
        found.insert(0, at)
    return tuple(found)


def get_place(axes: Sequence[Axis], at: Sequence[int]) -> int:
    """Return the place of the combination with these positions on the axes."""
    place = 0
    for axis, one in zip(axes, at, strict=True):
        place = place * len(axis.values) + one
    return place


def get_values(axes: Sequence[Axis], place: int) -> dict[str, float | str]:
    """Return the values of one combination, by the axes' names."""
    coordinates = zip(axes, get_coordinates(axes, place), strict=True)
    return {part.name: part.values[at] for axis, at in coordinates for part in axis.parts or (axis,)}
