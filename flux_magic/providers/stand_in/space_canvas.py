"""The image that the local Space edits, and the ways in which rules change it: all in integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING or __package__:
    from .space_drawing import NEUTRAL, Colour, Integers, draw_numbers, measure_light, mix
    from .space_lettering import Pixels
else:  # the scripts beside this one
    from space_drawing import NEUTRAL, Colour, Integers, draw_numbers, measure_light, mix
    from space_lettering import Pixels


class Canvas:
    """One image while it is edited."""

    def __init__(self, image: Pixels, key: str, steps: int, guidance: int) -> None:
        self.pixels: Integers = image.astype(np.int32)
        self.height, self.width = image.shape[:2]
        self.unit = max(min(self.width, self.height) // 128, 1)
        self.key, self.steps, self.guidance = key, steps, guidance
        self.sky = find_sky(measure_light(self.pixels))

    def scale(self, reach: int) -> int:
        """Return a weight that is 0 without guidance, `reach` at the neutral one, and 256 from 10.0 on."""
        if self.guidance <= NEUTRAL:
            return reach * self.guidance // NEUTRAL
        return min(reach + (256 - reach) * (self.guidance - NEUTRAL) // (1000 - NEUTRAL), 256)

    def recolour(self, ramp: Sequence[Colour], sky: Sequence[Colour], reach: int) -> None:
        """Replace colours by those of a ramp, according to their light; the sky may have its own."""
        light = measure_light(self.pixels)
        colours = follow(ramp, light)
        if sky:
            colours[self.sky] = follow(sky, light[self.sky])
        self.pixels = mix(self.pixels, colours, self.scale(reach))

    def lay(self, colour: Colour, weights: Integers) -> None:
        """Lay a colour over the image, by a weight of 0 to 256 for each pixel."""
        self.pixels = mix(self.pixels, np.array(colour, np.int32), weights.astype(np.int32)[:, :, None])

    def scatter(self, name: str, count: int) -> Sequence[tuple[int, int, int, int]]:
        """Return places as x and y in pixels, with two numbers from 0 to 65535: `count` at the neutral guidance."""
        count = min(count * self.guidance // NEUTRAL, 3000)
        numbers = draw_numbers(f"{self.key} {name}", 4 * count).reshape(count, 4)
        return [(int(x) * self.width >> 16, int(y) * self.height >> 16, int(a), int(b)) for x, y, a, b in numbers]

    def dot(self, x: int, y: int, across: int, down: int, colour: Colour, weight: int) -> None:
        """Draw an ellipse with a soft edge; `across` and `down` are its half axes in sixteenths of a pixel."""
        reach_x, reach_y = across // 16 + 1, down // 16 + 1
        top, left = max(y - reach_y, 0), max(x - reach_x, 0)
        part = self.pixels[top : y + reach_y + 1, left : x + reach_x + 1]
        rows = np.arange(top, top + part.shape[0])[:, None] - y
        columns = np.arange(left, left + part.shape[1])[None, :] - x
        distance = (columns * 16) ** 2 * 256 // across**2 + (rows * 16) ** 2 * 256 // down**2
        part[:] = mix(part, np.array(colour), (np.clip(320 - distance, 0, 256) * weight >> 8)[:, :, None])


def follow(ramp: Sequence[Colour], light: Integers) -> Integers:
    """Return the colours of a ramp, whose first is for the light 0 and whose last for 255."""
    colours = np.array([*ramp, ramp[-1]], np.int32)
    place = light * (len(ramp) - 1) * 256 // 255
    mixed: Integers = mix(colours[place >> 8], colours[(place >> 8) + 1], (place & 255)[..., None])
    return mixed


def find_sky(light: Integers) -> NDArray[np.bool_]:
    """Return True for each pixel that no edge to something darker separates from the image's top.

    Of the steps of light from row to row only the sharp ones are added up: a sky may change slowly. Past a bird or the
    sun the sum is again what it was.
    """
    steps = np.diff(light, axis=0, prepend=light[:1])
    steps[np.abs(steps) < 6] = 0
    sky: NDArray[np.bool_] = np.cumsum(steps, axis=0) >= -10
    sky[light.shape[0] * 7 // 10 :] = False
    return sky


def draw_clouds(key: str, height: int, width: int, across: int, down: int) -> Integers:
    """Return soft noise from 0 to 65535; `across` and `down` are its cells in the first octave."""
    clouds = np.zeros((height, width), dtype=np.int64)
    for octave in range(4):
        columns, rows = across << octave, down << octave
        values = draw_numbers(f"{key} {octave}", (columns + 2) * (rows + 2)).reshape(rows + 2, columns + 2)
        x, y = np.arange(width) * columns * 256 // width, np.arange(height) * rows * 256 // height
        weights = [(within * within * (768 - 2 * within) >> 16) for within in (x & 255, y & 255)]
        above, below = (
            mix(values[(y >> 8) + step][:, x >> 8], values[(y >> 8) + step][:, (x >> 8) + 1], weights[0][None, :])
            for step in (0, 1)
        )
        clouds += mix(above, below, weights[1][:, None]) >> (octave + 1)
    return clouds
