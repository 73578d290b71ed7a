"""The layout of a sheet: rows and columns, sizes of cells and labels, and the words of the labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import list_few
from . import lettering
from .axes import Axis

WIDE: Final = 1280
"""Pixels that the columns share."""

HIGH: Final = 8000
"""Cells get smaller where a sheet would be higher than this many pixels, as long as they are wider than the least."""

MOST: Final = 60_000
"""No sheet is wider or higher than this: JPEG ends at 65,535 pixels."""

MOST_CELL: Final = 320
LEAST_CELL: Final = 40
"""Pixels of a cell's width."""

_LABELS: Final = 240
"""Pixels of the rows' labels, at most."""

TURNED: Final = 200
"""Pixels of a column's label that is turned, at most."""

MARGIN: Final = 16
_SPACE: Final = 10
"""Pixels between a label and its cell."""

_IN_ONE_ROW: Final = 5
_ACROSS: Final = 20
"""Of one axis alone, more cells than this are not put side by side, so that their labels can be read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The positions and sizes of everything on a sheet, in pixels.

    Attributes:
        columns: how many cells stand side by side.
        above: labels of the columns, or of each cell if there are no others.
        beside: labels of the rows.
        together: how many rows belong together, with more space between those of one group and the next.
        wide: a cell.
        highs: the cells of each row: as high as what was asked for there.
        above_rows: all cells above each row, one below the other.
        scale: pixels of the sheet for one of an image as it was asked for.
        gap: between cells.
        above_size, beside_size: of the characters; 0 if there is no room for any.
        over: height of a label above.
        aside: width of the labels beside.
        turned: whether the labels above stand upright.
    """

    columns: int
    above: tuple[str, ...]
    beside: tuple[str, ...] = ()
    together: int = 0
    wide: int = 1
    highs: tuple[int, ...] = ()
    above_rows: tuple[int, ...] = ()
    scale: float = 1.0
    gap: int = 0
    above_size: int = 0
    beside_size: int = 0
    over: int = 0
    aside: int = 0
    turned: bool = False

    @property
    def near(self) -> int:
        """The space between a label above and its cell."""
        return min(_SPACE, 2 + self.wide // 30)

    @property
    def each(self) -> int:
        """The space above every row in which each cell has its own label."""
        return self.over + self.near if self.over and not self.beside else 0

    def get_left(self, column: int) -> int:
        """Return the left edge of a column of cells."""
        aside = self.aside + _SPACE if self.aside else 0
        return MARGIN + aside + column * (self.wide + self.gap)

    def get_top(self, row: int) -> int:
        """Return the top edge of a row of cells."""
        head = self.over + self.near if self.over and self.beside else 0
        groups = row // self.together if self.together else 0
        spaces = row * (self.gap + self.each) + groups * 2 * self.gap
        return MARGIN + head + self.each + self.above_rows[row] + spaces

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        right = self.get_left(max(self.columns - 1, 0)) + self.wide + MARGIN
        bottom = self.get_top(len(self.highs) - 1) + self.highs[-1] + MARGIN if self.highs else 2 * MARGIN
        return min(right, MOST), min(bottom, MOST)

    def is_within(self, most: int) -> bool:
        """Return True if the sheet is within the limit of every sheet, and within this height."""
        width, height = self.size
        return width < MOST and height < min(most, MOST)


def make_labels(axes: Sequence[Axis]) -> list[list[str]]:
    """Return the labels of each axis: from `Axis.label`, or `number_value` if the font lacks characters."""
    return [
        [
            number_value(axis, number, place) or lettering.simplify(axis.format_label(place))
            for place in range(len(axis.values))
        ]
        for number, axis in enumerate(axes, start=1)
    ]


def number_value(axis: Axis, number: int, place: int) -> str:
    """Return a sheet's name for a value that its font cannot draw: the axis' name and a number, as in `word 3`.

    Empty if the characters can. `number` is the axis' own, from 1: it is for a name that cannot be said either.
    """
    if lettering.can_draw(lettering.simplify(axis.format_label(place))):
        return ""
    name = axis.name if lettering.can_draw(axis.name) else f"list {number} no."
    return f"{name} {place + 1}"


def describe_undrawn(axes: Sequence[Axis]) -> str:
    """Return a note on the values that a sheet numbers, because no font here can draw them; "" if there are none."""
    values = [
        str(value)
        for axis in axes
        for place, value in enumerate(axis.values)
        if str(value).isprintable()
        and str(value).strip()
        and not lettering.can_draw(lettering.simplify(axis.format_label(place)))
    ]
    if not values:
        return ""
    return (
        f"no font here draws {', '.join(list_few(values, 3))}, so the sheet has numbers: a font such as Noto Sans helps"
    )


def plan_sheet(axes: Sequence[Axis], sizes: Sequence[tuple[int, int]]) -> Plan:
    """Return the layout with the largest cells that are allowed."""
    plan = _shape(axes, len(sizes))
    gap = max(2, min(10, WIDE // plan.columns // 16))
    width = max(LEAST_CELL, min(MOST_CELL, (WIDE + gap) // plan.columns - gap))
    while True:
        laid = _scale(replace(plan, wide=width, gap=min(gap, width // 8)), sizes)
        most = HIGH if width > LEAST_CELL else MOST
        # Labels take the time, so they are measured where the cells alone fit.
        if width == 1 or (laid.is_within(most) and (laid := _add_labels(laid)).is_within(most)):
            return laid
        least = LEAST_CELL if width > LEAST_CELL else 1
        width = max(least, min(width - 1, width * 9 // 10))


def _scale(plan: Plan, sizes: Sequence[tuple[int, int]]) -> Plan:
    """Return the plan with its scale and row heights.

    Rows are capped at twice the cell width, so that tall images do not push everything else off the screen.
    """
    widest, highest = (max((size[side] for size in sizes), default=1) for side in (0, 1))
    scale = min(plan.wide / widest, 2 * plan.wide / highest)
    rows = [sizes[first : first + plan.columns] for first in range(0, len(sizes), plan.columns)]
    highs = tuple(max(1, math.ceil(max(high for _, high in row) * scale)) for row in rows)
    return replace(plan, scale=scale, highs=highs, above_rows=(0, *itertools.accumulate(highs)))


def _shape(axes: Sequence[Axis], number: int) -> Plan:
    called = make_labels(axes)
    if len(axes) < 2:
        return Plan(_count_across(number), tuple(itertools.chain(*called)))
    *before, above = called
    beside = tuple(" · ".join(combined) for combined in itertools.product(*before))
    together = len(before[-1]) if len(before) > 1 else 0
    return Plan(max(len(above), 1), tuple(above), beside, together)


def _count_across(number: int) -> int:
    """Return how many of these cells are side by side: all if there are few, else what makes about a square."""
    if number <= _IN_ONE_ROW:
        return max(number, 1)
    most = max(_ACROSS, math.isqrt(number) // 2)
    square = min(most, math.ceil(math.sqrt(number)))
    offered = range(square, max(square, min(most, int(square * 1.6))) + 1)
    return min(offered, key=lambda columns: (-number % columns, columns))


def _add_labels(plan: Plan) -> Plan:
    """Return the plan with its labels, as large as there is room for."""
    if plan.beside:
        high = min(plan.highs, default=0)
        size = lettering.find_largest(plan.beside, _LABELS, high) or _choose_least(high)
        aside = max((_measure(label, size, _LABELS, high) for label in plan.beside), default=0) if size else 0
        plan = replace(plan, beside_size=size, aside=aside)
    if not plan.above:
        return plan
    room = plan.wide + plan.gap // 2
    size = (
        lettering.find_largest(plan.above, room, lettering.MOST_LINES * lettering.get_line_height(lettering.LARGEST))
        or 0
    )
    if (
        not size
        and plan.beside
        and (size := lettering.find_largest(plan.above, TURNED, plan.wide) or _choose_least(plan.wide))
    ):
        over = max(_measure(label, size, TURNED) for label in plan.above)
        return replace(plan, above_size=size, over=over, turned=True)
    size = size or _choose_least(plan.wide // 2)
    lines = max(len(lettering.wrap(label, size, room)) for label in plan.above) if size else 0
    return replace(plan, above_size=size, over=lines * lettering.get_line_height(size) if size else 0)


def _choose_least(room: int) -> int:
    """Return the size at which labels are cut, or 0 if there is no room for a line."""
    return next((size for size in (14, 12, 11, 10) if lettering.get_line_height(size) <= room), 0)


def _measure(label: str, size: int, room: int, high: int = 0) -> int:
    """Return the width of a label in pixels, in as many lines as fit the height, at least one."""
    lines = lettering.wrap(label, size, room, lettering.count_lines(high, size))
    return max((math.ceil(lettering.measure_width(line, size)) for line in lines), default=0)
