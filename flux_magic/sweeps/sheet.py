"""A sweep's images on one sheet: rows and columns with labels, and a small image in each cell."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from . import lettering
from .axes import Axis, count_combinations
from .layout import LEAST_CELL, Look, Plan, plan_sheet

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Paint:
    """The colours of a sheet: its paper (empty for none), its labels, and its cells without an image."""

    paper: str
    ink: str
    pale_ink: str = "#6b6b6b"
    empty: str = "#f1f1f1"
    cross: str = "#b0b0b0"


BACKGROUNDS: Final = {
    "white": Paint("white", "#262626"),
    "dark": Paint("#111111", "#ececec", "#b4b4b4", "#2b2b2b", "#6b6b6b"),
    # 4.3 : 1 on white, and as much on the dark themes' #111111
    "transparent": Paint("", "#797979", "#ffffff", "#747474", "#b0b0b0"),
    # as photographers' viewing cards are: it glares neither on a white page nor on a black one
    "grey": Paint("#686868", "#ffffff", "#f1f1f1", "#5a5a5a", "#8c8c8c"),
}
"""Backgrounds by name."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A label as it is drawn: its lines around a point, in pixels.

    Attributes:
        lines: one below the other.
        size: of the characters.
        at: the point; of a label that is turned, its foot.
        anchor: `l`, `m` or `r`.
        is_pale: whether it says why there is no image.
        turned: whether it stands upright.
    """

    lines: tuple[str, ...]
    size: int
    at: tuple[float, float]
    anchor: str = "m"
    is_pale: bool = False
    turned: bool = False


class Sheet:
    """A contact sheet, drawn once with its labels and pale empty cells; then each image is put in as it arrives.

    One axis is wrapped into rows, each cell with its label above. Of two, the first gives the rows and the second the
    columns; of more, the last gives the columns, and all before it together the rows. Only the sheet is kept, so a
    thousand images take no more memory than the sheet, which is at most 60,000 pixels on a side.

    Args:
        axes: what is varied; without any there is one cell.
        sizes: width and height that each image was asked for, in pixels, one for each combination of the axes'
            values, the last axis varying the fastest. One scale for all shows them as large as they are to each other.
        look: wishes for labels, sizes and colours.

    Attributes:
        plan: where everything is.
        look: as given.
        boxes: the box of each image that was put, by its place.

    Raises ValueError if there are not as many sizes as combinations.
    """

    def __init__(self, axes: Sequence[Axis], sizes: Sequence[tuple[int, int]], look: Look | None = None) -> None:
        if len(sizes) != count_combinations(axes):
            raise ValueError(f"there are {len(sizes)} sizes for {count_combinations(axes)} images")
        self.look = look or Look()
        self._sizes = list(sizes)
        self.plan = plan_sheet(axes, self._sizes, self.look)
        self.boxes: dict[int, Box] = {}
        self._marks: dict[int, str] = {}
        self._draw_new()

    def _draw_new(self) -> None:
        from PIL import Image

        self.paint = BACKGROUNDS[self.look.background]
        self._image = Image.new(
            "RGB" if self.paint.paper else "RGBA", self.plan.size, self.paint.paper or f"{self.paint.ink}00"
        )
        for label in self._list_labels():
            self._write(label)
        for place in range(len(self._sizes)):
            self._fill(place, self.paint.empty)

    def put(self, place: int, image: Image) -> None:
        """Show a small copy of an image in its cell, transparent parts on white; the image itself is not kept.

        An image of another shape than requested is fitted into the same room.
        """
        width, height = self._fit_room(place)
        scale = min(width / image.width, height / image.height)
        small = _shrink(image, (max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        left, top, right, bottom = self.get_box(place)
        left, top = (left + right - small.width) // 2, (top + bottom - small.height) // 2
        self._paste(place, small, (left, top, left + small.width, top + small.height))

    def _paste(self, place: int, small: Image, box: Box) -> None:
        self._fill(place, self.paint.paper or f"{self.paint.ink}00")
        self._image.paste(small, box)
        self.boxes[place] = box
        self._marks.pop(place, None)

    def mark(self, place: int, text: str) -> None:
        """Say in a cell why it has no image; a cell that is too small for words is crossed out."""
        from PIL import ImageDraw

        self._fill(place, self.paint.empty)
        self.boxes.pop(place, None)
        self._marks[place] = text
        if label := self._make_mark(place):
            self._write(label)
        else:
            left, top, right, bottom = self.get_box(place)
            draw = ImageDraw.Draw(self._image)
            draw.line([(left, top), (right - 1, bottom - 1)], fill=self.paint.cross)
            draw.line([(left, bottom - 1), (right - 1, top)], fill=self.paint.cross)

    def _make_mark(self, place: int) -> Lines | None:
        """Return the reason for a missing image as it is drawn; None if its cell is too small for words."""
        font, zoom = self.plan.font, self.plan.zoom
        text = lettering.make_readable(self._marks[place], font)
        left, top, right, bottom = self.get_box(place)
        width, height = right - left, bottom - top
        room = width - 2 * max(2, width // 16)
        size = lettering.find_largest([text], room, height, zoom, font) or (
            round(14 * zoom) if width >= 160 else lettering.SMALLEST
        )
        most = height // lettering.get_line_height(size)
        lines = lettering.wrap(text, size, room, most, font) if most else []
        if not "".join(lines).rstrip(lettering.CUT) or width < LEAST_CELL:
            return None
        return Lines(tuple(lines), size, ((left + right) / 2, (top + bottom) / 2), is_pale=True)

    @property
    def image(self) -> Image:
        """A copy of the sheet as it is now: RGB, or RGBA on a transparent background."""
        return self._image.copy()

    def crop(self, box: Box) -> Image:
        """Return a part of the sheet."""
        return self._image.crop(box)

    def repaint(self, background: str) -> Sheet:
        """Return the same sheet on another background; this one if it is on that already."""
        if background == self.look.background:
            return self
        other = object.__new__(Sheet)
        other.look, other.plan, other._sizes = replace(self.look, background=background), self.plan, self._sizes
        other.boxes, other._marks = {}, {}
        other._draw_new()
        for place, box in self.boxes.items():
            other._paste(place, self._image.crop(box), box)
        for place, text in self._marks.items():
            other.mark(place, text)
        return other

    def encode(self) -> bytes:
        """Return the sheet as it is now, as a JPEG with full colour (4:4:4); on a transparent background as a PNG."""
        out = io.BytesIO()
        if self._image.mode == "RGBA":
            self._image.save(out, "PNG")
        else:
            self._image.save(out, "JPEG", quality=92, subsampling="4:4:4")
        return out.getvalue()

    def get_box(self, place: int) -> Box:
        """Return the box of an image's cell: left, top, right and bottom in pixels, the last two outside.

        Raises IndexError for a place that does not exist.
        """
        if not 0 <= place < len(self._sizes):
            raise IndexError(f"there is no place {place}: the sheet has {len(self._sizes)}")
        row, column = divmod(place, self.plan.columns)
        left, top = self.plan.get_left(column), self.plan.get_top(row)
        return left, top, left + self.plan.wide, top + self.plan.highs[row]

    def _fit_room(self, place: int) -> tuple[float, float]:
        """Return the pixels that an image of the requested size takes."""
        width, height = self._sizes[place]
        return max(1.0, width * self.plan.scale), max(1.0, height * self.plan.scale)

    def _fill(self, place: int, colour: str) -> None:
        self._image.paste(colour, self.get_box(place))

    @property
    def empty(self) -> list[Box]:
        """The boxes of the cells that have no image."""
        return [self.get_box(place) for place in range(len(self._sizes)) if place not in self.boxes]

    def list_lines(self) -> list[Lines]:
        """Return all that is written on the sheet."""
        marks = [self._make_mark(place) for place in self._marks]
        return [*self._list_labels(), *(one for one in marks if one)]

    def _list_labels(self) -> Iterator[Lines]:
        plan = self.plan
        if plan.title:
            middle = plan.margin + len(plan.title) * lettering.get_line_height(plan.title_size) / 2
            yield Lines(plan.title, plan.title_size, (plan.size[0] / 2, middle))
        if plan.head_size:
            yield from _list_heads(plan)
        for row, label in enumerate(plan.beside if plan.beside_size else ()):
            most = lettering.count_lines(plan.highs[row], plan.beside_size)
            lines = lettering.wrap(label, plan.beside_size, plan.aside, most, plan.font)
            at = (plan.margin + plan.aside, plan.get_top(row) + plan.highs[row] / 2)
            yield Lines(tuple(lines), plan.beside_size, at, "r")
        for place, label in enumerate(plan.labels if plan.label_size else ()):
            row, column = divmod(place, plan.columns)
            point = (plan.get_left(column) + plan.wide / 2, plan.get_top(row) - plan.near)
            yield _stand(plan, label, plan.label_size, point)

    def _write(self, label: Lines) -> None:
        from PIL import Image, ImageDraw

        colour = self.paint.pale_ink if label.is_pale else self.paint.ink
        if not label.turned:
            draw = ImageDraw.Draw(self._image)
            lettering.write(draw, label.lines, label.size, label.at, colour, label.anchor, self.plan.font)
            return
        high = lettering.get_line_height(label.size) * len(label.lines)
        strip = Image.new("L", (self.plan.head_over, high), 0)
        lettering.write(ImageDraw.Draw(strip), label.lines, label.size, (0, high / 2), 255, "l", self.plan.font)
        turned = strip.transpose(Image.Transpose.ROTATE_90)
        at = (round(label.at[0] - high / 2), round(label.at[1]) - self.plan.head_over)
        self._image.paste(colour, (*at, at[0] + turned.width, at[1] + turned.height), turned)


def _list_heads(plan: Plan) -> Iterator[Lines]:
    """Yield the labels of the columns."""
    foot = plan.get_top(0) - plan.each - plan.near
    for column, label in enumerate(plan.heads):
        at = (plan.get_left(column) + plan.wide / 2, foot)
        if plan.turned:
            most = lettering.count_lines(plan.wide, plan.head_size)
            lines = lettering.wrap(label, plan.head_size, plan.head_over, most, plan.font)
            yield Lines(tuple(lines), plan.head_size, at, "l", turned=True)
        else:
            yield _stand(plan, label, plan.head_size, at)


def _stand(plan: Plan, label: str, size: int, at: tuple[float, float]) -> Lines:
    """Return a label whose last line stands above a point."""
    lines = lettering.wrap(label, size, plan.wide + plan.gap // 2, font=plan.font)
    return Lines(tuple(lines), size, (at[0], at[1] - lettering.get_line_height(size) * len(lines) / 2))


def _shrink(image: Image, size: tuple[int, int]) -> Image:
    """Return the image in this size, transparent parts on white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    # Alpha is premultiplied as it is resized: no colour of what cannot be seen comes in at the edges.
    clear = image.convert("RGBA").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return Image.alpha_composite(Image.new("RGBA", size, "white"), clear).convert("RGB")
