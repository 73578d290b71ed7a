"""Where everything is on a sheet: its rows and columns, how large cells and labels are; and what the labels say."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..errors import few
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
    """Where everything is; lengths in pixels.

    Attributes:
        columns: how many cells stand side by side.
        above: labels of the columns, or of each cell where there are no others.
        beside: labels of the rows.
        together: how many rows belong together, with more space between those of one group and the next.
        wide: a cell.
        highs: the cells of each row: as high as what was asked for there.
        above_rows: all cells above each row, one below the other.
        scale: pixels of the sheet for one of an image as it was asked for.
        gap: between cells.
        above_size, beside_size: of the letters; 0 where there is no room for any.
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
        """Between a label above and its cell."""
        return min(_SPACE, 2 + self.wide // 30)

    @property
    def each(self) -> int:
        """What every row has above it, where each cell has its label."""
        return self.over + self.near if self.over and not self.beside else 0

    def left(self, column: int) -> int:
        """Where a column of cells begins."""
        aside = self.aside + _SPACE if self.aside else 0
        return MARGIN + aside + column * (self.wide + self.gap)

    def top(self, row: int) -> int:
        """Where a row of cells begins."""
        head = self.over + self.near if self.over and self.beside else 0
        groups = row // self.together if self.together else 0
        spaces = row * (self.gap + self.each) + groups * 2 * self.gap
        return MARGIN + head + self.each + self.above_rows[row] + spaces

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        right = self.left(max(self.columns - 1, 0)) + self.wide + MARGIN
        bottom = self.top(len(self.highs) - 1) + self.highs[-1] + MARGIN if self.highs else 2 * MARGIN
        return min(right, MOST), min(bottom, MOST)

    def is_within(self, most: int) -> bool:
        """Whether the sheet ends before the limit of every sheet, and this one of the height."""
        width, height = self.size
        return width < MOST and height < min(most, MOST)


def labels(axes: Sequence[Axis]) -> list[list[str]]:
    """How the values of each axis are called on a sheet: by `Axis.label`, or by `numbered` where that is needed."""
    return [
        [numbered(axis, number, place) or lettering.plain(axis.label(place)) for place in range(len(axis.values))]
        for number, axis in enumerate(axes, start=1)
    ]


def numbered(axis: Axis, number: int, place: int) -> str:
    """What a sheet calls a value that its letters cannot say: the axis' name and the value's number, as in `word 3`.

    Empty where the letters can. `number` is the axis' own, from 1: it stands for a name that cannot be said either.
    """
    if lettering.can_draw(lettering.plain(axis.label(place))):
        return ""
    name = axis.name if lettering.can_draw(axis.name) else f"list {number} no."
    return f"{name} {place + 1}"


def undrawn(axes: Sequence[Axis]) -> str:
    """Return a note on the values that a sheet numbers, because no font here can draw them; "" if there are none."""
    values = [
        str(value)
        for axis in axes
        for place, value in enumerate(axis.values)
        if str(value).isprintable()
        and str(value).strip()
        and not lettering.can_draw(lettering.plain(axis.label(place)))
    ]
    if not values:
        return ""
    return f"no font here draws {', '.join(few(values, 3))}, so the sheet has numbers: a font such as Noto Sans helps"


def planned(axes: Sequence[Axis], sizes: Sequence[tuple[int, int]]) -> Plan:
    """The plan with the largest cells that are allowed."""
    plan = _shaped(axes, len(sizes))
    gap = max(2, min(10, WIDE // plan.columns // 16))
    width = max(LEAST_CELL, min(MOST_CELL, (WIDE + gap) // plan.columns - gap))
    while True:
        laid = _scaled(replace(plan, wide=width, gap=min(gap, width // 8)), sizes)
        most = HIGH if width > LEAST_CELL else MOST
        # Labels take the time, so they are measured where the cells alone fit.
        if width == 1 or (laid.is_within(most) and (laid := _lettered(laid)).is_within(most)):
            return laid
        least = LEAST_CELL if width > LEAST_CELL else 1
        width = max(least, min(width - 1, width * 9 // 10))


def _scaled(plan: Plan, sizes: Sequence[tuple[int, int]]) -> Plan:
    """The plan with its scale, and with rows as high as that makes what was asked for in them.

    What is more than twice as high as a cell is wide would push all else off the screen.
    """
    widest, highest = (max((size[side] for size in sizes), default=1) for side in (0, 1))
    scale = min(plan.wide / widest, 2 * plan.wide / highest)
    rows = [sizes[first : first + plan.columns] for first in range(0, len(sizes), plan.columns)]
    highs = tuple(max(1, math.ceil(max(high for _, high in row) * scale)) for row in rows)
    return replace(plan, scale=scale, highs=highs, above_rows=(0, *itertools.accumulate(highs)))


def _shaped(axes: Sequence[Axis], number: int) -> Plan:
    called = labels(axes)
    if len(axes) < 2:
        return Plan(_across(number), tuple(itertools.chain(*called)))
    *before, above = called
    beside = tuple(" · ".join(combined) for combined in itertools.product(*before))
    together = len(before[-1]) if len(before) > 1 else 0
    return Plan(max(len(above), 1), tuple(above), beside, together)


def _across(number: int) -> int:
    """How many of so many cells stand side by side: all of a few, else what fills about a square the best."""
    if number <= _IN_ONE_ROW:
        return max(number, 1)
    most = max(_ACROSS, math.isqrt(number) // 2)
    square = min(most, math.ceil(math.sqrt(number)))
    offered = range(square, max(square, min(most, int(square * 1.6))) + 1)
    return min(offered, key=lambda columns: (-number % columns, columns))


def _lettered(plan: Plan) -> Plan:
    """The plan with its labels, as large as there is room for them."""
    if plan.beside:
        high = min(plan.highs, default=0)
        size = lettering.largest(plan.beside, _LABELS, high) or _least(high)
        aside = max((_length(label, size, _LABELS, high) for label in plan.beside), default=0) if size else 0
        plan = replace(plan, beside_size=size, aside=aside)
    if not plan.above:
        return plan
    room = plan.wide + plan.gap // 2
    size = lettering.largest(plan.above, room, lettering.MOST_LINES * lettering.line_height(lettering.LARGEST)) or 0
    if not size and plan.beside and (size := lettering.largest(plan.above, TURNED, plan.wide) or _least(plan.wide)):
        over = max(_length(label, size, TURNED) for label in plan.above)
        return replace(plan, above_size=size, over=over, turned=True)
    size = size or _least(plan.wide // 2)
    lines = max(len(lettering.wrapped(label, size, room)) for label in plan.above) if size else 0
    return replace(plan, above_size=size, over=lines * lettering.line_height(size) if size else 0)


def _least(room: int) -> int:
    """The size where labels have to be cut; 0 where there is no room for a line."""
    return next((size for size in (14, 12, 11, 10) if lettering.line_height(size) <= room), 0)


def _length(label: str, size: int, room: int, high: int = 0) -> int:
    """Pixels that a label is wide, in as many lines as go into the height, in one at least."""
    lines = lettering.wrapped(label, size, room, lettering.lines_in(high, size))
    return max((math.ceil(lettering.width(line, size)) for line in lines), default=0)
