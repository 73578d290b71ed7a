"""The edits that the local Space makes by rule: season, time of day and weather, on any image.

All numbers are integers: the same image, prompt, seed, steps and guidance give the same pixels on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING or __package__:
    from .space_canvas import Canvas, draw_clouds
    from .space_drawing import (
        DRAWING,
        NEUTRAL,
        Colour,
        Integers,
        describe_hundredths,
        draw_numbers,
        draw_ridge_line,
        measure_light,
    )
    from .space_lettering import Pixels, caption
else:  # the scripts beside this one
    from space_canvas import Canvas, draw_clouds
    from space_drawing import (
        DRAWING,
        NEUTRAL,
        Colour,
        Integers,
        describe_hundredths,
        draw_numbers,
        draw_ridge_line,
        measure_light,
    )
    from space_lettering import Pixels, caption


@dataclass(frozen=True, slots=True)
class Rule:
    """A change that words of a prompt ask for.

    Attributes:
        words: the words that ask for it.
        ramp: the colours that replace dark, middle and light ones, evenly spaced.
        sky: the colours for the sky; the same for ().
        reach: how much of a colour is replaced at the neutral guidance, of 256.
        details: the functions that draw what else belongs to it, in this order.
    """

    words: str
    ramp: tuple[Colour, ...]
    sky: tuple[Colour, ...]
    reach: int
    details: tuple[Callable[[Canvas], None], ...] = ()


def cover_with_snow(canvas: Canvas) -> None:
    """Lay snow on what is darker than the image above it: on ridges, roofs and branches."""
    light, step = measure_light(canvas.pixels), canvas.unit
    drop = np.zeros_like(light)
    drop[step:] = light[:-step] - light[step:]
    cover = np.clip((drop - 7) * 14, 0, 250)
    cover[canvas.sky] = 0
    low = 6 * step
    cover[:-low][canvas.sky[low:]] = 0  # a bird
    depth = 2 + canvas.height * (8 + (draw_ridge_line(f"{canvas.key} cover", canvas.width, 7) >> 11)) // 1000
    for row in range(1, canvas.height):
        cover[row] = np.maximum(cover[row], cover[row - 1] - 256 // depth)
    canvas.lay((244, 248, 252), cover * canvas.scale(220) >> 8)


def drop_flakes(canvas: Canvas) -> None:
    """Draw falling snow, the nearest flakes the largest."""
    for x, y, size, shade in canvas.scatter("flakes", 90 + 45 * canvas.steps):
        radius = canvas.unit * (7 + (size * size >> 27) + (12 if size > 64000 else 0))
        canvas.dot(x, y, radius, radius, (250, 252, 255), canvas.scale(120 + (shade >> 9)))


def drop_few_flakes(canvas: Canvas) -> None:
    """Draw the last of a fall of snow."""
    for x, y, size, shade in canvas.scatter("few flakes", 20 + 8 * canvas.steps):
        radius = canvas.unit * (7 + (size >> 13))
        canvas.dot(x, y, radius, radius, (250, 252, 255), canvas.scale(120 + (shade >> 9)))


LEAVES: Final[tuple[Colour, ...]] = ((196, 78, 30), (226, 132, 40), (168, 46, 28), (238, 178, 66), (140, 74, 34))
PETALS: Final[tuple[Colour, ...]] = ((255, 214, 226), (255, 236, 242), (248, 178, 200), (255, 250, 250))


def _strew(canvas: Canvas, name: str, colours: Sequence[Colour], count: int, size: int) -> None:
    """Draw small flat things in the air, which show more or less of their face."""
    for x, y, turn, kind in canvas.scatter(name, count):
        long, short = canvas.unit * (size + (turn >> 12)), canvas.unit * (4 + (size * (turn & 255) >> 8))
        across, down = (long, short) if kind & 1 else (short, long)
        canvas.dot(x, y, across, down, colours[kind % len(colours)], canvas.scale(235))


def drop_leaves(canvas: Canvas) -> None:
    """Draw falling leaves."""
    _strew(canvas, "leaves", LEAVES, 24 + 12 * canvas.steps, 14)


def drop_petals(canvas: Canvas) -> None:
    """Draw petals in the wind."""
    _strew(canvas, "petals", PETALS, 40 + 16 * canvas.steps, 9)


def light_stars(canvas: Canvas) -> None:
    """Draw stars where the sky is dark; the brightest have rays."""
    light = measure_light(canvas.pixels)
    for x, y, size, shade in canvas.scatter("stars", 120 + 60 * canvas.steps):
        if not canvas.sky[y, x] or light[y, x] > 110:
            continue
        weight, unit = canvas.scale(90 + (shade * 166 >> 16)), canvas.unit
        colour = ((255, 244, 224), (226, 236, 255), (255, 255, 255))[shade % 3]
        canvas.dot(x, y, 7 * unit + (size >> 13), 7 * unit + (size >> 13), colour, weight)
        if size > 62500:
            canvas.dot(x, y, 44 * unit, 5 * unit, colour, weight * 3 // 4)
            canvas.dot(x, y, 5 * unit, 44 * unit, colour, weight * 3 // 4)


def cast_beams(canvas: Canvas) -> None:
    """Cast beams of warm light from above, which fade on their way down."""
    (side,) = draw_numbers(f"{canvas.key} beams", 1)
    rows, columns = np.arange(canvas.height)[:, None], np.arange(canvas.width)[None, :]
    start = int(side) * canvas.width >> 16
    angle = np.clip((columns - start) * 512 // (rows + canvas.height // 4) + 2048, 0, 4095)
    beams = draw_clouds(f"{canvas.key} beams", 1, 4096, 28 + 2 * min(canvas.steps, 10), 1)[0][angle]
    fade = 256 - rows * 256 // canvas.height
    canvas.lay((255, 246, 206), np.clip((beams - 24000) >> 6, 0, 220) * fade * canvas.scale(150) >> 16)


def _draw_clouds(canvas: Canvas, colour: Colour, across: int, down: int, least: int) -> None:
    """Draw clouds in the sky where the noise is above `least`; with each step there are more."""
    clouds = draw_clouds(f"{canvas.key} clouds", canvas.height, canvas.width, across, down)
    weight = np.clip((clouds - least + 150 * canvas.steps) >> 5, 0, 220) * canvas.scale(190) >> 8
    canvas.lay(colour, np.where(canvas.sky, weight, 0))


def draw_white_clouds(canvas: Canvas) -> None:
    """Draw the clouds of a fine day."""
    _draw_clouds(canvas, (255, 255, 255), 3, 6, 34000)


def draw_red_clouds(canvas: Canvas) -> None:
    """Draw the long clouds of an evening."""
    _draw_clouds(canvas, (255, 176, 128), 2, 14, 33000)


def draw_pale_clouds(canvas: Canvas) -> None:
    """Draw the long clouds of a morning."""
    _draw_clouds(canvas, (255, 226, 214), 2, 14, 33000)


def draw_fog(canvas: Canvas) -> None:
    """Draw banks of fog, thickest at two thirds of the height."""
    banks = draw_clouds(f"{canvas.key} fog", canvas.height, canvas.width, 2, 6)
    rows = np.arange(canvas.height)[:, None]
    near = 256 - np.abs(rows * 3 - canvas.height * 2) * 256 // (canvas.height * 2)
    weight = np.clip(near * (26000 + banks + 200 * canvas.steps) >> 16, 0, 244)
    canvas.lay((214, 220, 222), weight * canvas.scale(236) >> 8)


def draw_rain(canvas: Canvas) -> None:
    """Draw slanting streaks of rain, the nearest the longest."""
    for x, y, size, shade in canvas.scatter("rain", 140 + 60 * canvas.steps):
        length = canvas.unit * (4 + (size >> 12))
        weight = canvas.scale(36 + (shade >> 9))
        rows = np.arange(max(y, 0), min(y + length, canvas.height))
        columns = np.clip(x - (rows - y) // 4, 0, canvas.width - 1)
        for step in range(max(canvas.unit // 2, 1)):
            across = np.clip(columns + step, 0, canvas.width - 1)
            canvas.pixels[rows, across] += (np.array([214, 224, 236]) - canvas.pixels[rows, across]) * weight >> 8


KINDS: Final[tuple[dict[str, Rule], ...]] = (
    {
        "spring": Rule(
            "spring blossom blossoms bloom",
            ((22, 50, 34), (70, 128, 62), (146, 196, 110), (218, 226, 190), (255, 244, 246)),
            ((96, 128, 150), (150, 186, 206), (206, 214, 226), (250, 226, 232), (255, 244, 240)),
            180,
            (drop_petals,),
        ),
        "summer": Rule(
            "summer summery sunny",
            ((10, 44, 30), (30, 112, 60), (92, 172, 96), (170, 218, 190), (255, 252, 226)),
            ((24, 90, 180), (64, 144, 222), (122, 192, 244), (190, 228, 250), (255, 250, 224)),
            190,
            (cast_beams,),
        ),
        "autumn": Rule(
            "autumn autumnal fall leaves",
            ((40, 20, 18), (118, 52, 26), (204, 114, 50), (240, 196, 132), (255, 244, 220)),
            (),
            150,
            (drop_leaves,),
        ),
        "winter": Rule(
            "winter wintry frost frosty icy",
            ((44, 58, 88), (104, 124, 154), (164, 182, 204), (216, 226, 236), (248, 250, 254)),
            (),
            168,
            (cover_with_snow, drop_few_flakes),
        ),
    },
    {
        "rain": Rule(
            "rain rainy raining storm stormy",
            ((26, 32, 40), (70, 80, 90), (118, 128, 138), (160, 168, 176), (196, 202, 208)),
            (),
            150,
            (draw_rain,),
        ),
        "fog": Rule(
            "fog foggy mist misty haze hazy",
            ((40, 46, 50), (92, 100, 104), (144, 150, 154), (190, 196, 198), (226, 230, 230)),
            (),
            100,
            (draw_fog,),
        ),
        "snow": Rule(
            "snow snowy snowing snowfall blizzard",
            ((58, 68, 88), (120, 134, 154), (172, 184, 200), (212, 220, 230), (240, 244, 250)),
            (),
            130,
            (cover_with_snow, drop_flakes),
        ),
    },
    {
        "dawn": Rule(
            "dawn sunrise daybreak morning",
            ((36, 38, 70), (104, 88, 124), (196, 148, 156), (246, 206, 182), (255, 242, 218)),
            (),
            150,
            (draw_pale_clouds,),
        ),
        "noon": Rule(
            "noon midday daylight day",
            ((28, 56, 58), (84, 132, 128), (140, 188, 190), (200, 226, 232), (255, 255, 248)),
            ((40, 104, 176), (92, 156, 214), (140, 196, 236), (200, 230, 246), (255, 255, 248)),
            180,
            (draw_white_clouds,),
        ),
        "dusk": Rule(
            "dusk sunset evening twilight",
            ((22, 16, 40), (80, 44, 84), (178, 84, 92), (242, 144, 92), (255, 226, 164)),
            (),
            170,
            (draw_red_clouds,),
        ),
        "night": Rule(
            "night midnight moonlight nocturnal moonlit stars starry",
            ((3, 5, 16), (10, 16, 42), (22, 36, 76), (48, 70, 118), (226, 232, 232)),
            (),
            216,
            (light_stars,),
        ),
    },
)
"""The seasons, the weather and the times of day, in the order in which they are drawn."""


def find_rules(prompt: str) -> list[str]:
    """Return the names of the changes that a prompt asks for: of each kind the first that is named."""
    words = re.findall(r"[a-z]+", prompt[:2000].lower())
    named = [
        [name for word in words for name, rule in kind.items() if word in rule.words.split()][:1] for kind in KINDS
    ]
    return [name for names in named for name in names]


def edit(
    image: Pixels, prompt: str, seed: int, steps: int, guidance: int = NEUTRAL, mask: Integers | None = None
) -> Pixels:
    """Return the image as the prompt wants it, with its label; the guidance is in hundredths.

    Only the label lies outside the mask, whose weights are 0 (stays as it is) to 255 (is edited).
    """
    canvas = Canvas(image, f"edit {DRAWING} {seed}", steps, guidance)
    names = find_rules(prompt)
    rules = [rule for kind in KINDS for name, rule in kind.items() if name in names] or [_make_tint(canvas.key)]
    drawn: set[Callable[[Canvas], None]] = set()
    for rule in rules:
        canvas.recolour(rule.ramp, rule.sky, rule.reach)
        for draw_detail in rule.details:
            if draw_detail not in drawn:
                drawn.add(draw_detail)
                draw_detail(canvas)
    change = np.clip(canvas.pixels, 0, 255) - image
    edited: Pixels = (image + (change if mask is None else change * mask[:, :, None] // 255)).astype(np.uint8)
    asked = f"seed {seed}, {steps} step{'s' if steps > 1 else ''}, guidance {describe_hundredths(guidance)}"
    named = ", ".join(names) or "a tint: no season, time or weather"
    caption(edited, [prompt, asked, named, "a local stand-in edited this, not FLUX"], covers=True)
    return edited


def _make_tint(key: str) -> Rule:
    """Return a slight change of colours for a prompt that names no other."""
    red, green, blue = (int(number) >> 9 for number in draw_numbers(f"{key} tint", 3))
    return Rule("", ((0, 0, 0), (64 + red, 64 + green, 64 + blue), (255, 255, 255)), (), 110)
