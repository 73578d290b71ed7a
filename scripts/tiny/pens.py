"""A pen that draws smooth shapes in the coordinates of a thing, on an image larger than what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

INK: Final[Colour] = (44, 40, 58)
CREAM: Final[Colour] = (250, 243, 226)
WOOD: Final[Colour] = (124, 84, 56)
GLOW: Final[Colour] = (255, 224, 120)

PAINTS: Final[dict[str, Colour]] = {
    "red": (214, 44, 46),
    "orange": (243, 140, 30),
    "yellow": (250, 214, 60),
    "green": (56, 158, 78),
    "blue": (46, 108, 218),
    "purple": (128, 66, 178),
    "pink": (246, 146, 184),
    "white": (246, 245, 240),
}
"""The colours by their names."""


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return a colour between two; 0 is the first, 1 the other."""
    a, b, c = (round(x + (y - x) * share) for x, y in zip(one, other, strict=True))
    return (a, b, c)


@dataclass(frozen=True, slots=True)
class Tones:
    """The tones of one paint in one light."""

    base: Colour
    dark: Colour
    light: Colour
    edge: Colour
    accent: Colour  # cream, or sand on a white thing
    light_of_day: Colour
    tint: float
    lit: bool

    def shade(self, colour: Colour) -> Colour:
        """Return a colour as it is seen in this light."""
        return mix(colour, self.light_of_day, self.tint)

    @property
    def window(self) -> Colour:
        """The colour of windows: lit in the evening."""
        return GLOW if self.lit else self.shade((120, 160, 190))


def mix_tones(name: str, light_of_day: Colour, tint: float, *, lit: bool) -> Tones:
    """Return the tones of a paint by its name."""
    base = mix(PAINTS[name], light_of_day, tint)
    accent = (222, 200, 168) if name in {"white", "yellow"} else CREAM
    return Tones(
        base=base,
        dark=mix(base, (30, 24, 60), 0.2 if name == "white" else 0.26),
        light=mix(base, (255, 255, 255), 0.35),
        edge=mix(base, (30, 24, 56), 0.62),
        accent=mix(accent, light_of_day, tint),
        light_of_day=light_of_day,
        tint=tint,
        lit=lit,
    )


def smooth(points: Sequence[Point], parts: int = 6) -> list[Point]:
    """Return a closed curve through points (Catmull-Rom)."""
    number = len(points)
    curve = []
    for here in range(number):
        a, b, c, d = (points[(here + step) % number] for step in (-1, 0, 1, 2))
        for part in range(parts):
            t = part / parts
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) / 2 for axis in (0, 1))
            curve.append((x, y))
    return curve


@dataclass(frozen=True, slots=True)
class Pen:
    """A pen whose origin is where a thing touches the ground; y goes up, and 1 is the thing's height."""

    draw: ImageDraw.ImageDraw
    x: float
    y: float
    size: float
    mirrored: bool = False

    def _place(self, points: Sequence[Point]) -> list[Point]:
        side = -self.size if self.mirrored else self.size
        return [(self.x + px * side, self.y - py * self.size) for px, py in points]

    def shape(
        self,
        points: Sequence[Point],
        fill: Colour,
        *,
        round_: bool = False,
        edge: Colour | None = None,
        width: float = 0.022,
    ) -> None:
        """Fill a closed shape, with an edge if its colour is given."""
        placed = self._place(smooth(points) if round_ else points)
        self.draw.polygon(placed, fill=fill)
        if edge is not None:
            closed = [*placed, *placed[:2]]
            self.draw.line(closed, fill=edge, width=max(1, round(width * self.size)), joint="curve")

    def disc(self, x: float, y: float, rx: float, fill: Colour, ry: float = 0.0, edge: Colour | None = None) -> None:
        """Fill an ellipse around a point."""
        (px, py), across, up = self._place([(x, y)])[0], rx * self.size, (ry or rx) * self.size
        box = (px - across, py - up, px + across, py + up)
        self.draw.ellipse(box, fill=fill, outline=edge, width=max(1, round(0.022 * self.size)) if edge else 0)

    def box(
        self, left: float, bottom: float, right: float, top: float, fill: Colour, edge: Colour | None = None
    ) -> None:
        """Fill a box."""
        self.shape([(left, bottom), (right, bottom), (right, top), (left, top)], fill, edge=edge)

    def line(self, points: Sequence[Point], fill: Colour, width: float = 0.022) -> None:
        """Draw a line through points."""
        self.draw.line(self._place(points), fill=fill, width=max(1, round(width * self.size)), joint="curve")
