"""A sweep's images on one sheet: rows and columns with labels, and a small image in each cell."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import lettering
from .axes import Axis, count_combinations
from .layout import LEAST_CELL, MARGIN, TURNED, plan_sheet

if TYPE_CHECKING:
    from PIL.Image import Image

_INK: Final = "#262626"
_PALE_INK: Final = "#6b6b6b"
_EMPTY: Final = "#f1f1f1"


class Sheet:
    """A contact sheet, drawn once with its labels and pale empty cells; then each image is put in as it arrives.

    One axis is wrapped into rows, each cell with its label above. Of two, the first gives the rows and the second the
    columns; of more, the last gives the columns, and all before it together the rows. Only the sheet is kept, so a
    thousand images take no more memory than the sheet, which is at most 60,000 pixels on a side.

    Args:
        axes: what is varied; without any there is one cell.
        sizes: width and height that each image was asked for, in pixels, one for each combination of the axes'
            values, the last axis varying the fastest. One scale for all shows them as large as they are to each other.

    Raises ValueError if there are not as many sizes as combinations.
    """

    def __init__(self, axes: Sequence[Axis], sizes: Sequence[tuple[int, int]]) -> None:
        from PIL import Image

        if len(sizes) != count_combinations(axes):
            raise ValueError(f"there are {len(sizes)} sizes for {count_combinations(axes)} images")
        self._sizes = list(sizes)
        self._plan = plan_sheet(axes, self._sizes)
        self._image = Image.new("RGB", self._plan.size, "white")
        self._draw_labels()
        for place in range(len(self._sizes)):
            self._fill(place, _EMPTY)

    def put(self, place: int, image: Image) -> None:
        """Show a small copy of an image in its cell, transparent parts on white; the image itself is not kept.

        An image of another shape than requested is fitted into the same room.
        """
        width, height = self._fit_room(place)
        scale = min(width / image.width, height / image.height)
        small = _shrink(image, (max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        self._fill(place, "white")
        left, top, right, bottom = self.get_box(place)
        self._image.paste(small, ((left + right - small.width) // 2, (top + bottom - small.height) // 2))

    def mark(self, place: int, text: str) -> None:
        """Say in a cell why it has no image; a cell that is too small for words is crossed out."""
        from PIL import ImageDraw

        self._fill(place, _EMPTY)
        left, top, right, bottom = self.get_box(place)
        width, height = right - left, bottom - top
        draw, room = ImageDraw.Draw(self._image), width - 2 * max(2, width // 16)
        size = lettering.find_largest([lettering.make_readable(text)], room, height) or (
            14 if width >= 160 else lettering.SMALLEST
        )
        most = height // lettering.get_line_height(size)
        lines = lettering.wrap(lettering.make_readable(text), size, room, most) if most else []
        if "".join(lines).rstrip(lettering.CUT) and width >= LEAST_CELL:
            lettering.write(draw, lines, size, ((left + right) / 2, (top + bottom) / 2), _PALE_INK)
        else:
            draw.line([(left, top), (right - 1, bottom - 1)], fill="#b0b0b0")
            draw.line([(left, bottom - 1), (right - 1, top)], fill="#b0b0b0")

    @property
    def image(self) -> Image:
        """A copy of the sheet as it is now (RGB)."""
        return self._image.copy()

    def encode(self) -> bytes:
        """Return the sheet as it is now, as a JPEG with full colour (4:4:4)."""
        out = io.BytesIO()
        self._image.save(out, "JPEG", quality=92, subsampling="4:4:4")
        return out.getvalue()

    def get_box(self, place: int) -> tuple[int, int, int, int]:
        """Return the box of an image's cell: left, top, right and bottom in pixels, the last two outside.

        Raises IndexError for a place that does not exist.
        """
        if not 0 <= place < len(self._sizes):
            raise IndexError(f"there is no place {place}: the sheet has {len(self._sizes)}")
        row, column = divmod(place, self._plan.columns)
        left, top = self._plan.get_left(column), self._plan.get_top(row)
        return left, top, left + self._plan.wide, top + self._plan.highs[row]

    def _fit_room(self, place: int) -> tuple[float, float]:
        """Return the pixels that an image of the requested size takes."""
        width, height = self._sizes[place]
        return max(1.0, width * self._plan.scale), max(1.0, height * self._plan.scale)

    def _fill(self, place: int, colour: str) -> None:
        self._image.paste(colour, self.get_box(place))

    def _draw_labels(self) -> None:
        plan = self._plan
        for number, label in enumerate(plan.above):
            self._draw_label_above(number, label)
        if plan.beside_size:
            from PIL import ImageDraw

            draw = ImageDraw.Draw(self._image)
            for row, label in enumerate(plan.beside):
                most = lettering.count_lines(plan.highs[row], plan.beside_size)
                lines = lettering.wrap(label, plan.beside_size, plan.aside, most)
                at = (MARGIN + plan.aside, plan.get_top(row) + plan.highs[row] / 2)
                lettering.write(draw, lines, plan.beside_size, at, _INK, "r")

    def _draw_label_above(self, number: int, label: str) -> None:
        """Draw the label of a column, or of one cell if each has its own."""
        from PIL import Image, ImageDraw

        plan = self._plan
        if not plan.above_size:
            return
        row, column = divmod(number, plan.columns)
        middle, foot = plan.get_left(column) + plan.wide / 2, plan.get_top(row) - plan.near
        high = lettering.get_line_height(plan.above_size)
        if plan.turned:
            strip = Image.new("RGB", (TURNED, high), "white")
            lines = lettering.wrap(label, plan.above_size, TURNED, 1)
            lettering.write(ImageDraw.Draw(strip), lines, plan.above_size, (0, high / 2), _INK, "l")
            strip = strip.crop((0, 0, plan.over, high)).transpose(Image.Transpose.ROTATE_90)
            self._image.paste(strip, (round(middle - high / 2), foot - plan.over))
            return
        lines = lettering.wrap(label, plan.above_size, plan.wide + plan.gap // 2)
        at = (middle, foot - high * len(lines) / 2)
        lettering.write(ImageDraw.Draw(self._image), lines, plan.above_size, at, _INK)


def _shrink(image: Image, size: tuple[int, int]) -> Image:
    """Return the image in this size, transparent parts on white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    # Alpha is premultiplied as it is resized: no colour of what cannot be seen comes in at the edges.
    clear = image.convert("RGBA").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return Image.alpha_composite(Image.new("RGBA", size, "white"), clear).convert("RGB")
