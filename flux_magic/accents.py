"""Accents, which the letters that come with Pillow do not have: drawn with strokes over, under or through a letter."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

Stroke = tuple[tuple[float, float], ...]
"""Points that a line goes through, a dot where there is one; in parts of the letters' size, right and up."""

_RING: Final = tuple((0.085 * math.sin(turn / 2), 0.15 + 0.085 * math.cos(turn / 2)) for turn in range(14))

_OVER: Final[dict[str, tuple[Stroke, ...]]] = {
    "\u0300": (((0.05, 0.06), (-0.06, 0.19)),),
    "\u0301": (((-0.05, 0.06), (0.06, 0.19)),),
    "\u0302": (((-0.12, 0.06), (0, 0.18), (0.12, 0.06)),),
    "\u0303": (((-0.14, 0.07), (-0.07, 0.14), (0.07, 0.08), (0.14, 0.15)),),
    "\u0304": (((-0.13, 0.11), (0.13, 0.11)),),
    "\u0306": (((-0.12, 0.18), (-0.06, 0.09), (0.06, 0.09), (0.12, 0.18)),),
    "\u0307": (((0, 0.12),),),
    "\u0308": (((-0.11, 0.12),), ((0.11, 0.12),)),
    "\u030a": (_RING,),
    "\u030b": (((-0.11, 0.06), (-0.02, 0.19)), ((0.04, 0.06), (0.13, 0.19))),
    "\u030c": (((-0.12, 0.18), (0, 0.06), (0.12, 0.18)),),
}
"""By the combining character, from the middle of the letter's head."""

_UNDER: Final[dict[str, tuple[Stroke, ...]]] = {
    "\u0323": (((0, -0.14),),),
    "\u0327": (((0, -0.02), (0.05, -0.1), (0.03, -0.17), (-0.07, -0.18)),),
    "\u0328": (((0.08, -0.01), (0.03, -0.1), (0.06, -0.17), (0.13, -0.17)),),
}
"""From the middle of its foot."""

_THROUGH: Final[dict[str, tuple[Stroke, ...]]] = {"\u0338": (((-0.17, -0.2), (0.17, 0.2)),)}
"""From its middle."""

_CROSSED: Final = {"ø": "o\u0338", "Ø": "O\u0338", "ł": "l\u0338", "Ł": "L\u0338"}
"""What Unicode does not take apart."""

_THICK: Final = 0.08
_FINER: Final = 4
"""Strokes are drawn so many times larger, and made smaller, for smooth edges."""


def parts(letter: str) -> tuple[str, str]:
    """A letter without its accents, and these, as combining characters."""
    apart = _CROSSED.get(letter) or unicodedata.normalize("NFD", letter)
    return apart[:1], apart[1:]


def are_known(marks: str) -> bool:
    """Whether there are strokes for all of these accents, and no two would lie on each other."""
    return all(sum(mark in known for mark in marks) < 2 for known in (_OVER, _UNDER, _THROUGH)) and all(
        mark in _OVER or mark in _UNDER or mark in _THROUGH for mark in marks
    )


def without(text: str) -> str:
    """`text` with its letters bare; as long as before."""
    return "".join(parts(letter)[0] for letter in text)


def mask(text: str, font: FreeTypeFont) -> tuple[Image, int, int]:
    """`text` on one line as an image in grey levels (L); and in there, in pixels, its left end and its foot."""
    from PIL import Image, ImageChops, ImageDraw

    size, bare = round(font.size), without(text)
    foot = 2 * size
    shape = (math.ceil(font.getlength(bare)) + 2 * size, 3 * size)
    letters, strokes = Image.new("L", shape), Image.new("L", (shape[0] * _FINER, shape[1] * _FINER))
    draw, pen = ImageDraw.Draw(letters), ImageDraw.Draw(strokes)
    draw.text((size, foot), bare, fill=255, font=font, anchor="ls")
    for place, letter in enumerate(text):
        base, marks = parts(letter)
        left = size + font.getlength(bare[:place])
        middle, head = left + font.getlength(base) / 2, foot + font.getbbox(base, anchor="ls")[1]
        if base in {"i", "j"} and any(mark in _OVER for mark in marks):  # its own dot goes
            head = foot + font.getbbox("x", anchor="ls")[1]
            draw.rectangle((left - 1, 0, left + font.getlength(base), head - 1), fill=0)
        for mark in marks:
            starts = ((_OVER, head), (_UNDER, foot), (_THROUGH, (head + foot) / 2))
            for stroke, y in ((stroke, y) for known, y in starts for stroke in known.get(mark, ())):
                points = [((middle + right * size) * _FINER, (y - up * size) * _FINER) for right, up in stroke]
                _draw(pen, points, _THICK * size * _FINER)
    return ImageChops.lighter(letters, strokes.resize(shape, Image.Resampling.BOX)), size, foot


def _draw(pen: ImageDraw, points: list[tuple[float, float]], thick: float) -> None:
    half = thick / 2 if len(points) > 1 else thick * 0.7
    for x, y in points:
        pen.ellipse((x - half, y - half, x + half, y + half), fill=255)
    if len(points) > 1:
        pen.line(points, fill=255, width=round(thick))
