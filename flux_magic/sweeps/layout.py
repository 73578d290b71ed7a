"""The layout of a sheet: rows and columns, and the sizes of cells and labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from . import lettering
from .axes import Axis
from .labels import make_labels

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

_TITLE: Final = 24
"""The size of a title's characters, at most."""

MARGIN: Final = 16
_SPACE: Final = 10
"""Pixels between a label and its cell."""

_IN_ONE_ROW: Final = 5
_ACROSS: Final = 20
"""Of one axis alone, more cells than this are not put side by side, so that their labels can be read."""


@dataclass(frozen=True, slots=True)
class Look:
    """The wishes for a sheet; what is None is as its axes say.

    Attributes:
        labels: one for each image; none if it is empty.
        heads: one for each column, above the first row.
        beside: one for each row.
        title: above all, in up to three lines.
        tile: pixels of a cell's width; labels, margins and gaps grow with it.
        gap: pixels between cells.
        columns: how many cells stand side by side.
        font: the file of a font that goes before the bundled one.
        background: a name of `sheet.BACKGROUNDS`.
    """

    labels: tuple[str, ...] | None = None
    heads: tuple[str, ...] | None = None
    beside: tuple[str, ...] | None = None
    title: str = ""
    tile: int | None = None
    gap: int | None = None
    columns: int | None = None
    font: str = ""
    background: str = "white"


@dataclass(frozen=True, slots=True)
class Plan:
    """The positions and sizes of everything on a sheet, in pixels.

    Attributes:
        columns: how many cells stand side by side.
        labels: of each cell, above it.
        heads: labels of the columns.
        beside: labels of the rows.
        together: how many rows belong together, with more space between those of one group and the next.
        title: its lines.
        font: the file of a font that goes before the bundled one.
        zoom: how large margins and characters are, 1 for a usual sheet.
        wide: a cell.
        highs: the cells of each row: as high as what was asked for there.
        above_rows: all cells above each row, one below the other.
        scale: pixels of the sheet for one of an image as it was asked for.
        gap: between cells.
        label_size, head_size, beside_size, title_size: of the characters; 0 if there is no room for any.
        over: height of a label above a cell.
        head_over: height of the columns' labels.
        aside: width of the labels beside.
        turned: whether the columns' labels stand upright.
    """

    columns: int
    labels: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    together: int = 0
    title: tuple[str, ...] = ()
    font: str = ""
    zoom: float = 1.0
    wide: int = 1
    highs: tuple[int, ...] = ()
    above_rows: tuple[int, ...] = ()
    scale: float = 1.0
    gap: int = 0
    label_size: int = 0
    head_size: int = 0
    beside_size: int = 0
    title_size: int = 0
    over: int = 0
    head_over: int = 0
    aside: int = 0
    turned: bool = False

    @property
    def margin(self) -> int:
        """The space around everything."""
        return round(MARGIN * self.zoom)

    @property
    def near(self) -> int:
        """The space between a label above and its cell."""
        return min(round(_SPACE * self.zoom), 2 + self.wide // 30)

    @property
    def titled(self) -> int:
        """The space that a title takes."""
        return len(self.title) * lettering.get_line_height(self.title_size) + self.near if self.title else 0

    @property
    def each(self) -> int:
        """The space above every row in which each cell has its own label."""
        return self.over + self.near if self.over else 0

    def get_left(self, column: int) -> int:
        """Return the left edge of a column of cells."""
        aside = self.aside + round(_SPACE * self.zoom) if self.aside else 0
        return self.margin + aside + column * (self.wide + self.gap)

    def get_top(self, row: int) -> int:
        """Return the top edge of a row of cells."""
        head = self.head_over + self.near if self.head_over else 0
        groups = row // self.together if self.together else 0
        spaces = row * (self.gap + self.each) + groups * 2 * self.gap
        return self.margin + self.titled + head + self.each + self.above_rows[row] + spaces

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        width, height = self.whole
        return min(width, MOST), min(height, MOST)

    @property
    def whole(self) -> tuple[int, int]:
        """Width and height that all of it takes."""
        right = self.get_left(max(self.columns - 1, 0)) + self.wide + self.margin
        bottom = self.get_top(len(self.highs) - 1) + self.highs[-1] + self.margin if self.highs else 2 * self.margin
        return right, bottom

    def is_within(self, most: int) -> bool:
        """Return True if the sheet is within the limit of every sheet, and within this height."""
        width, height = self.size
        return width < MOST and height < min(most, MOST)


def plan_sheet(axes: Sequence[Axis], sizes: Sequence[tuple[int, int]], look: Look | None = None) -> Plan:
    """Return the layout with cells of the wished width, else with the largest that are allowed."""
    look = look or Look()
    plan = _shape(axes, len(sizes), look)
    if look.tile is not None:
        zoom = max(1.0, look.tile / MOST_CELL)
        gap = round(_SPACE * zoom) if look.gap is None else look.gap
        return _add_labels(_scale(replace(plan, wide=look.tile, gap=gap, zoom=zoom), sizes), look.title)
    gap = max(2, min(10, WIDE // plan.columns // 16)) if look.gap is None else look.gap
    width = max(LEAST_CELL, min(MOST_CELL, (WIDE + gap) // plan.columns - gap))
    while True:
        laid = _scale(replace(plan, wide=width, gap=min(gap, width // 8) if look.gap is None else gap), sizes)
        most = HIGH if width > LEAST_CELL else MOST
        # Labels take the time, so they are measured where the cells alone fit.
        if width == 1 or (laid.is_within(most) and (laid := _add_labels(laid, look.title)).is_within(most)):
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


def count_columns(axes: Sequence[Axis], number: int, wished: int | None = None) -> int:
    """Return how many cells stand side by side."""
    if wished is not None:
        return max(1, min(wished, number))
    return max(1, len(axes[-1].values)) if len(axes) > 1 else _count_across(number)


def _shape(axes: Sequence[Axis], number: int, look: Look) -> Plan:
    columns = count_columns(axes, number, look.columns)
    called = make_labels(axes, look.font)
    labels, heads, beside, together = (), (), (), 0  # type: tuple[str, ...], tuple[str, ...], tuple[str, ...], int
    if len(axes) > 1 and columns == len(called[-1]):
        *before, last = called
        heads, beside = tuple(last), tuple(" · ".join(combined) for combined in itertools.product(*before))
        together = len(before[-1]) if len(before) > 1 else 0
    elif axes:
        labels = tuple(" · ".join(combined) for combined in itertools.product(*called))
    return Plan(
        columns,
        labels if look.labels is None else look.labels,
        heads if look.heads is None else look.heads,
        beside if look.beside is None else look.beside,
        together,
        font=look.font,
    )


def _count_across(number: int) -> int:
    """Return how many of these cells are side by side: all if there are few, else what makes about a square."""
    if number <= _IN_ONE_ROW:
        return max(number, 1)
    most = max(_ACROSS, math.isqrt(number) // 2)
    square = min(most, math.ceil(math.sqrt(number)))
    offered = range(square, max(square, min(most, int(square * 1.6))) + 1)
    return min(offered, key=lambda columns: (-number % columns, columns))


def _add_labels(plan: Plan, title: str) -> Plan:
    """Return the plan with its labels, as large as there is room for."""
    most_high = lettering.MOST_LINES * lettering.get_line_height(round(lettering.LARGEST * plan.zoom))
    if any(plan.beside):
        high, room = min(plan.highs, default=0), round(_LABELS * plan.zoom)
        size = _find_size(plan, plan.beside, room, high) or _choose_least(high, plan.zoom)
        aside = max((_measure(plan, label, size, room, high) for label in plan.beside), default=0) if size else 0
        plan = replace(plan, beside_size=size, aside=aside)
    room = plan.wide + plan.gap // 2
    if any(plan.labels):
        size = _find_size(plan, plan.labels, room, most_high) or _choose_least(plan.wide // 2, plan.zoom)
        plan = replace(plan, label_size=size, over=_measure_height(plan, plan.labels, size, room))
    if any(plan.heads):
        plan = _add_heads(plan, room, most_high)
    if title:
        room = max(1, plan.whole[0] - 2 * plan.margin)
        size = next(
            (
                size
                for size in range(round(_TITLE * plan.zoom), round(14 * plan.zoom), -1)
                if _fits_title(plan, title, size, room)
            ),
            round(14 * plan.zoom),
        )
        plan = replace(plan, title_size=size, title=tuple(lettering.wrap(title, size, room, font=plan.font)))
    return plan


def _fits_title(plan: Plan, title: str, size: int, room: int) -> bool:
    return lettering.measure_width(title, size, plan.font) <= room


def _add_heads(plan: Plan, room: int, most_high: int) -> Plan:
    """Return the plan with the labels of its columns, which are turned where they do not fit otherwise."""
    size = _find_size(plan, plan.heads, room, most_high)
    if not size:
        turned = round(TURNED * plan.zoom)
        size = _find_size(plan, plan.heads, turned, plan.wide) or _choose_least(plan.wide, plan.zoom)
        if size:
            over = max(_measure(plan, label, size, turned, plan.wide) for label in plan.heads)
            return replace(plan, head_size=size, head_over=over, turned=True)
        size = _choose_least(plan.wide // 2, plan.zoom)
    return replace(plan, head_size=size, head_over=_measure_height(plan, plan.heads, size, room))


def _find_size(plan: Plan, labels: Sequence[str], room: int, high: int) -> int:
    return lettering.find_largest(labels, room, high, plan.zoom, plan.font) or 0


def _choose_least(room: int, zoom: float) -> int:
    """Return the size at which labels are cut, or 0 if there is no room for a line."""
    offered = (round(size * zoom) for size in (14, 12, 11, 10))
    return next((size for size in offered if lettering.get_line_height(size) <= room), 0)


def _measure_height(plan: Plan, labels: Sequence[str], size: int, room: int) -> int:
    """Return the height of the label with the most lines."""
    lines = max(len(lettering.wrap(label, size, room, font=plan.font)) for label in labels) if size else 0
    return lines * lettering.get_line_height(size) if size else 0


def _measure(plan: Plan, label: str, size: int, room: int, high: int = 0) -> int:
    """Return the width of a label in pixels, in as many lines as fit the height, at least one."""
    lines = lettering.wrap(label, size, room, lettering.count_lines(high, size), plan.font)
    return max((math.ceil(lettering.measure_width(line, size, plan.font)) for line in lines), default=0)
