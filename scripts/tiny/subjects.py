"""The subjects, each drawn by a pen of its own in the tones of its colour."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import Final

from scripts.tiny.pens import INK, WOOD, Colour, Pen, Tones, mix

GREY: Final[Colour] = (92, 96, 118)
WHITE: Final[Colour] = (252, 250, 246)
BEAK: Final[Colour] = (246, 176, 64)
NOSE: Final[Colour] = (226, 120, 130)


def _draw_eyes(pen: Pen, x: float, y: float, radius: float, iris: Colour | None = None) -> None:
    for side in (-x, x):
        if iris is not None:
            pen.disc(side, y, radius * 1.7, iris)
        pen.disc(side, y, radius, INK)
        pen.disc(side + radius * 0.35, y + radius * 0.4, radius * 0.35, WHITE)


def draw_fox(pen: Pen, tones: Tones, _dice: random.Random) -> None:
    """Draw a sitting fox: a pointed face with white cheeks, and a bushy tail with a white tip."""
    tail = [(0.1, 0.05), (0.3, 0.0), (0.5, 0.1), (0.58, 0.33), (0.52, 0.56), (0.44, 0.44), (0.36, 0.27), (0.2, 0.2)]
    pen.shape(tail, tones.dark, round_=True, edge=tones.edge)
    pen.shape([(0.585, 0.36), (0.52, 0.57), (0.43, 0.42), (0.5, 0.36)], tones.accent, round_=True)
    pen.shape(
        [(-0.22, 0.0), (0.24, 0.0), (0.26, 0.22), (0.14, 0.52), (-0.12, 0.52), (-0.22, 0.22)],
        tones.base,
        round_=True,
        edge=tones.edge,
    )
    pen.shape([(-0.09, 0.03), (0.09, 0.03), (0.12, 0.32), (0.0, 0.46), (-0.12, 0.32)], tones.accent, round_=True)
    for side in (-1, 1):
        pen.shape([(side * 0.3, 0.74), (side * 0.28, 1.0), (side * 0.06, 0.82)], tones.base, edge=tones.edge)
        pen.shape([(side * 0.25, 0.78), (side * 0.255, 0.91), (side * 0.13, 0.82)], tones.edge)
    pen.shape(
        [(-0.36, 0.6), (0.0, 0.37), (0.36, 0.6), (0.26, 0.79), (0.0, 0.86), (-0.26, 0.79)], tones.base, edge=tones.edge
    )
    for side in (-1, 1):
        pen.shape([(side * 0.35, 0.6), (0.0, 0.38), (side * 0.04, 0.54), (side * 0.18, 0.62)], tones.accent)
    _draw_eyes(pen, 0.13, 0.67, 0.035)
    pen.disc(0.0, 0.41, 0.045, INK)


def draw_cat(pen: Pen, tones: Tones, _dice: random.Random) -> None:
    """Draw a sitting cat: a round face with whiskers and big eyes, stripes, and a thin curled tail."""
    curl = [(0.18, 0.06), (0.42, 0.08), (0.52, 0.24), (0.46, 0.42), (0.52, 0.52)]
    pen.line(curl, tones.edge, 0.12)
    pen.line(curl, tones.dark, 0.08)
    pen.shape(
        [(-0.22, 0.0), (0.24, 0.0), (0.25, 0.24), (0.14, 0.52), (-0.13, 0.52), (-0.24, 0.24)],
        tones.base,
        round_=True,
        edge=tones.edge,
    )
    for x in (-0.09, 0.09):
        pen.line([(x, 0.02), (x, 0.2)], tones.edge)
    for side in (-1, 1):
        pen.shape([(side * 0.31, 0.66), (side * 0.29, 0.97), (side * 0.08, 0.86)], tones.base, edge=tones.edge)
        pen.shape([(side * 0.26, 0.76), (side * 0.26, 0.88), (side * 0.15, 0.84)], NOSE)
    pen.disc(0.0, 0.64, 0.34, tones.base, 0.28, edge=tones.edge)
    for x in (-0.08, 0.0, 0.08):
        pen.line([(x, 0.9 - abs(x) * 0.2), (x * 0.9, 0.79)], tones.edge, 0.03)
    _draw_eyes(pen, 0.14, 0.66, 0.045, (214, 232, 110))
    pen.shape([(-0.04, 0.56), (0.04, 0.56), (0.0, 0.52)], NOSE)
    for side in (-1, 1):
        pen.line([(0.0, 0.53), (0.0, 0.49), (side * 0.05, 0.465), (side * 0.1, 0.49)], INK, 0.018)
        for up in (0.0, 0.06):
            pen.line([(side * 0.16, 0.52 + up * 0.6), (side * 0.44, 0.48 + up * 2)], tones.edge, 0.014)


def draw_rabbit(pen: Pen, tones: Tones, dice: random.Random) -> None:
    """Draw a sitting rabbit: two long ears, two teeth and a round tail."""
    pen.disc(0.27, 0.1, 0.1, tones.accent, edge=tones.edge)
    pen.shape(
        [(-0.2, 0.0), (0.22, 0.0), (0.25, 0.18), (0.12, 0.42), (-0.12, 0.42), (-0.23, 0.18)],
        tones.base,
        round_=True,
        edge=tones.edge,
    )
    pen.disc(0.0, 0.18, 0.12, tones.accent, 0.15)
    bend = dice.choice((0.0, 0.1))
    for side in (-1, 1):
        tip = side * 0.16 + (bend if side > 0 else 0.0)
        ear = [(side * 0.04, 0.6), (tip - side * 0.1, 0.9), (tip, 1.02), (tip + side * 0.09, 0.9), (side * 0.18, 0.6)]
        pen.shape(ear, tones.base, round_=True, edge=tones.edge)
        pen.shape(
            [(side * 0.1, 0.64), (tip - side * 0.04, 0.88), (tip, 0.95), (tip + side * 0.03, 0.88)], NOSE, round_=True
        )
    pen.disc(0.0, 0.53, 0.23, tones.base, 0.19, edge=tones.edge)
    _draw_eyes(pen, 0.11, 0.56, 0.035)
    pen.disc(0.0, 0.48, 0.032, NOSE, 0.025)
    pen.box(-0.03, 0.385, 0.03, 0.43, WHITE, edge=tones.edge)
    for side in (-1, 1):
        pen.disc(side * 0.12, 0.03, 0.1, tones.light, 0.05, edge=tones.edge)


def draw_owl(pen: Pen, tones: Tones, _dice: random.Random) -> None:
    """Draw an owl: an egg with two great eyes, ear tufts, a beak and wings."""
    for side in (-1, 1):
        pen.shape([(side * 0.3, 0.72), (side * 0.34, 1.0), (side * 0.08, 0.88)], tones.dark, edge=tones.edge)
    body = [(-0.2, 0.04), (0.2, 0.04), (0.36, 0.35), (0.34, 0.7), (0.2, 0.9), (-0.2, 0.9), (-0.34, 0.7), (-0.36, 0.35)]
    pen.shape(body, tones.base, round_=True, edge=tones.edge)
    pen.disc(0.0, 0.3, 0.22, tones.accent, 0.24)
    for row, y in enumerate((0.4, 0.29, 0.18)):
        for x in (-0.1, 0.0, 0.1) if row % 2 == 0 else (-0.05, 0.05):
            pen.line([(x - 0.035, y + 0.02), (x, y - 0.02), (x + 0.035, y + 0.02)], tones.base, 0.022)
    for side in (-1, 1):
        pen.shape(
            [(side * 0.33, 0.6), (side * 0.44, 0.34), (side * 0.32, 0.1), (side * 0.24, 0.36)],
            tones.dark,
            round_=True,
            edge=tones.edge,
        )
        pen.disc(side * 0.15, 0.7, 0.155, WHITE, edge=tones.edge)
        pen.disc(side * 0.13, 0.69, 0.085, INK)
        pen.disc(side * 0.13 + 0.03, 0.73, 0.028, WHITE)
        for toe in (-0.05, 0.0, 0.05):
            pen.disc(side * 0.11 + toe, 0.02, 0.032, BEAK, 0.04)
    pen.shape([(-0.05, 0.63), (0.05, 0.63), (0.0, 0.51)], BEAK, edge=tones.edge, width=0.014)


def draw_lighthouse(pen: Pen, tones: Tones, _dice: random.Random) -> None:
    """Draw a lighthouse: a slim tower with stripes, a lantern and a cap; its beams shine in the evening."""
    if tones.lit:
        beam = mix(tones.shade((255, 236, 160)), (120, 110, 160), 0.35)
        for side in (-1, 1):
            pen.shape([(side * 0.08, 0.82), (side * 0.75, 0.93), (side * 0.75, 0.7)], beam)
    pen.shape([(-0.34, 0.0), (0.34, 0.0), (0.25, 0.09), (0.05, 0.12), (-0.22, 0.1)], tones.shade(GREY), round_=True)
    levels = [0.06, 0.2, 0.34, 0.48, 0.62, 0.74]
    for number, (low, high) in enumerate(itertools.pairwise(levels)):
        left, right = (0.2 - 0.12 * level for level in (low, high))
        pen.shape(
            [(-left, low), (left, low), (right, high), (-right, high)], tones.accent if number % 2 else tones.base
        )
    pen.line([(-0.193, 0.06), (-0.111, 0.74)], tones.edge)
    pen.line([(0.193, 0.06), (0.111, 0.74)], tones.edge)
    pen.shape([(-0.05, 0.06), (0.05, 0.06), (0.05, 0.16), (-0.05, 0.16)], tones.edge)
    pen.box(-0.16, 0.73, 0.16, 0.77, tones.edge)
    pen.box(-0.09, 0.77, 0.09, 0.88, (255, 240, 150), edge=tones.edge)
    pen.shape([(-0.13, 0.88), (0.13, 0.88), (0.0, 1.0)], tones.base, edge=tones.edge)


def draw_windmill(pen: Pen, tones: Tones, dice: random.Random) -> None:
    """Draw a windmill: a tower that tapers, a cap, and four sails of lattice."""
    pen.shape([(-0.24, 0.0), (0.24, 0.0), (0.14, 0.6), (-0.14, 0.6)], tones.base, edge=tones.edge)
    pen.shape([(0.08, 0.0), (0.24, 0.0), (0.14, 0.6), (0.06, 0.6)], tones.dark)
    pen.shape([(-0.18, 0.58), (0.18, 0.58), (0.12, 0.71), (0.0, 0.76), (-0.12, 0.71)], tones.edge)
    pen.shape([(-0.06, 0.0), (0.06, 0.0), (0.06, 0.13), (0.0, 0.17), (-0.06, 0.13)], tones.shade(WOOD))
    pen.box(-0.05, 0.3, 0.05, 0.4, tones.window, edge=tones.edge)
    turn = dice.uniform(0.1, 1.47)
    sail, frame = tones.shade(WHITE), tones.shade((92, 66, 50))
    for quarter in range(4):
        angle = turn + quarter * math.pi / 2
        ax, ay = math.cos(angle), math.sin(angle)

        def at(along: float, across: float, ax: float = ax, ay: float = ay) -> tuple[float, float]:
            return (ax * along - ay * across, 0.66 + ay * along + ax * across)

        pen.shape([at(0.1, 0.015), at(0.46, 0.015), at(0.46, 0.13), at(0.1, 0.11)], sail, edge=frame, width=0.016)
        for along in (0.22, 0.34):
            pen.line([at(along, 0.0), at(along, 0.12)], frame, 0.014)
        pen.line([at(0.0, 0.0), at(0.48, 0.0)], frame, 0.03)
    pen.disc(0.0, 0.66, 0.045, tones.shade(WOOD), edge=frame)


def draw_house(pen: Pen, tones: Tones, dice: random.Random) -> None:
    """Draw a house: a broad wall, a gable roof, a chimney, a door and two windows."""
    roof = tones.shade((106, 84, 92))
    pen.box(0.2, 0.66, 0.32, 0.97, tones.dark, edge=tones.edge)
    if dice.random() < 0.6:
        for number in range(3):
            pen.disc(0.29 + 0.07 * number, 1.03 + 0.075 * number, 0.045 + 0.014 * number, tones.shade((228, 228, 232)))
    pen.box(-0.44, 0.0, 0.44, 0.5, tones.base, edge=tones.edge)
    pen.shape([(-0.56, 0.48), (0.56, 0.48), (0.32, 0.86), (-0.32, 0.86)], roof, edge=mix(roof, INK, 0.5))
    for y in (0.61, 0.74):
        pen.line([(-0.56 + (y - 0.48) * 0.65, y), (0.56 - (y - 0.48) * 0.65, y)], mix(roof, INK, 0.3), 0.016)
    pen.box(-0.09, 0.0, 0.09, 0.3, tones.shade(WOOD), edge=tones.edge)
    pen.disc(0.05, 0.14, 0.017, (250, 220, 120))
    for x in (-0.28, 0.28):
        pen.box(x - 0.09, 0.17, x + 0.09, 0.36, tones.window, edge=tones.accent)
        pen.line([(x, 0.17), (x, 0.36)], tones.accent, 0.018)


def draw_castle(pen: Pen, tones: Tones, _dice: random.Random) -> None:
    """Draw a castle: three towers with battlements, a gate, and flags."""

    def battlement(left: float, right: float, top: float, colour: Colour) -> None:
        width = (right - left) / 5
        for number in (0, 2, 4):
            pen.box(left + number * width, top - 0.01, left + (number + 1) * width, top + 0.07, colour, edge=tones.edge)

    battlement(-0.16, 0.16, 0.74, tones.dark)
    pen.box(-0.16, 0.3, 0.16, 0.74, tones.dark, edge=tones.edge)
    pen.line([(0.0, 0.74), (0.0, 1.02)], tones.edge, 0.02)
    pen.shape([(0.0, 1.02), (0.2, 0.96), (0.0, 0.9)], tones.light, edge=tones.edge, width=0.014)
    battlement(-0.3, 0.3, 0.42, tones.base)
    pen.box(-0.3, 0.0, 0.3, 0.42, tones.base, edge=tones.edge)
    for x in (-0.4, 0.4):
        battlement(x - 0.14, x + 0.14, 0.6, tones.base)
        pen.box(x - 0.14, 0.0, x + 0.14, 0.6, tones.base, edge=tones.edge)
        pen.shape([(x - 0.035, 0.34), (x + 0.035, 0.34), (x + 0.035, 0.44), (x, 0.48), (x - 0.035, 0.44)], tones.window)
    pen.shape([(-0.12, 0.0), (0.12, 0.0), (0.12, 0.2), (0.07, 0.28), (-0.07, 0.28), (-0.12, 0.2)], tones.edge)
    pen.shape([(-0.035, 0.52), (0.035, 0.52), (0.035, 0.62), (0.0, 0.66), (-0.035, 0.62)], tones.window)


def draw_boat(pen: Pen, tones: Tones, _dice: random.Random) -> None:
    """Draw a sailing boat on water of its own: a hull, a mast, and two sails."""
    water = tones.shade((96, 168, 214))
    pen.disc(0.0, 0.06, 0.72, water, 0.13)
    pen.line([(-0.02, 0.2), (-0.02, 1.0)], tones.shade(WOOD), 0.035)
    pen.shape([(0.02, 0.32), (0.02, 0.96), (0.4, 0.36)], tones.base, edge=tones.edge)
    pen.shape([(-0.06, 0.34), (-0.06, 0.86), (-0.36, 0.38)], tones.accent, edge=tones.edge)
    pen.shape([(-0.02, 1.0), (-0.16, 0.96), (-0.02, 0.92)], tones.base)
    pen.shape([(-0.52, 0.28), (0.54, 0.28), (0.4, 0.06), (-0.36, 0.06)], tones.base, edge=tones.edge)
    pen.line([(-0.49, 0.225), (0.5, 0.225)], tones.accent, 0.04)
    for x, y in ((-0.5, 0.04), (-0.1, 0.0), (0.3, 0.02), (0.5, 0.06)):
        pen.line([(x - 0.09, y), (x + 0.09, y)], mix(water, WHITE, 0.6), 0.02)


def draw_tree(pen: Pen, tones: Tones, dice: random.Random) -> None:
    """Draw a tree: a trunk with two branches under a round crown of leaves."""
    trunk = tones.shade(WOOD)
    pen.shape(
        [(-0.1, 0.0), (0.1, 0.0), (0.05, 0.16), (0.05, 0.5), (-0.05, 0.5), (-0.05, 0.16)],
        trunk,
        edge=mix(trunk, INK, 0.5),
    )
    crowd = [
        (-0.24, 0.52, 0.2),
        (0.24, 0.52, 0.2),
        (-0.2, 0.72, 0.2),
        (0.2, 0.72, 0.2),
        (0.0, 0.8, 0.2),
        (0.0, 0.56, 0.24),
    ]
    for x, y, radius in crowd:
        pen.disc(x, y, radius + 0.018, tones.edge)
    for x, y, radius in crowd:
        pen.disc(x, y, radius, tones.base)
    for x, y in ((-0.24, 0.48), (0.1, 0.44), (0.3, 0.56)):
        pen.disc(x, y, 0.1, tones.dark, 0.07)
    for x, y in ((-0.2, 0.78), (0.06, 0.86), (-0.02, 0.66)):
        pen.disc(x, y, 0.09, tones.light, 0.06)
    for _ in range(dice.choice((0, 5))):
        pen.disc(dice.uniform(-0.3, 0.3), dice.uniform(0.45, 0.85), 0.032, tones.accent)


def draw_balloon(pen: Pen, tones: Tones, _dice: random.Random) -> None:
    """Draw a hot-air balloon with stripes and a basket."""
    rope = tones.shade((96, 72, 54))
    for side in (-1, 1):
        pen.line([(side * 0.13, 0.34), (side * 0.075, 0.12)], rope, 0.026)
    pen.box(-0.09, 0.0, 0.09, 0.14, tones.shade((176, 124, 72)), edge=rope)

    def gore(width: float) -> list[tuple[float, float]]:
        right = [(0.25 * width, 0.28), (0.62 * width, 0.46), (0.8 * width, 0.68), (0.62 * width, 0.92), (0.0, 1.02)]
        return [*right, *[(-x, y) for x, y in reversed(right[:-1])]]

    for width, colour in ((0.5, tones.base), (0.36, tones.accent), (0.22, tones.base)):
        pen.shape(gore(width), colour, round_=True, edge=tones.edge, width=0.02)
    pen.box(-0.125, 0.28, 0.125, 0.33, tones.dark, edge=tones.edge)


def draw_mushroom(pen: Pen, tones: Tones, _dice: random.Random) -> None:
    """Draw a mushroom: a pale stem, and a broad cap with dots."""
    stem = tones.shade((244, 228, 200))
    edge = mix(stem, INK, 0.55)
    pen.shape([(-0.16, 0.0), (0.16, 0.0), (0.12, 0.3), (0.13, 0.55), (-0.13, 0.55), (-0.12, 0.3)], stem, edge=edge)
    pen.shape([(-0.16, 0.36), (0.16, 0.36), (0.12, 0.45), (-0.12, 0.45)], mix(stem, INK, 0.15))
    pen.disc(0.0, 0.5, 0.42, mix(stem, INK, 0.22), 0.09, edge=edge)
    dome = [(0.48 * math.cos(turn * math.pi / 16), 0.5 + 0.47 * math.sin(turn * math.pi / 16)) for turn in range(17)]
    pen.shape([*dome, (-0.25, 0.55), (0.0, 0.57), (0.25, 0.55)], tones.base, edge=tones.edge)
    for x, y, radius in (
        (0.02, 0.8, 0.085),
        (-0.24, 0.7, 0.065),
        (0.26, 0.68, 0.07),
        (0.05, 0.64, 0.045),
        (-0.37, 0.59, 0.04),
        (0.38, 0.58, 0.035),
    ):
        pen.disc(x, y, radius, tones.accent, radius * 0.85)


DRAWERS: Final[dict[str, Callable[[Pen, Tones, random.Random], None]]] = {
    "fox": draw_fox,
    "cat": draw_cat,
    "rabbit": draw_rabbit,
    "owl": draw_owl,
    "lighthouse": draw_lighthouse,
    "windmill": draw_windmill,
    "house": draw_house,
    "castle": draw_castle,
    "boat": draw_boat,
    "tree": draw_tree,
    "balloon": draw_balloon,
    "mushroom": draw_mushroom,
}
"""The drawing of each subject."""
