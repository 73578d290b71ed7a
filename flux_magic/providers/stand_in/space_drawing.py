"""The landscapes that the local Space draws by rule, in integers, so that the pixels are the same everywhere."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING or __package__:
    from .space_lettering import Pixels, caption
else:  # the script beside this one
    from space_lettering import Pixels, caption

Integers = NDArray[np.signedinteger[Any]]

DRAWING = 1
"""The version of the drawings and edits: it rises with every change of a single pixel."""

Colour = tuple[int, int, int]

PALETTES: dict[str, tuple[Colour, Colour, Colour, Colour, Colour]] = {
    # the sky above and at the horizon, the sun or moon, the farthest ridge, the nearest
    "dawn": ((92, 118, 168), (250, 205, 175), (255, 244, 214), (160, 150, 175), (38, 44, 66)),
    "noon": ((66, 134, 200), (205, 232, 240), (255, 252, 232), (140, 176, 190), (28, 66, 58)),
    "dusk": ((58, 44, 96), (244, 140, 96), (255, 214, 150), (150, 92, 118), (30, 22, 46)),
    "night": ((10, 16, 40), (52, 74, 116), (236, 240, 228), (48, 64, 100), (6, 10, 22)),
    "mist": ((168, 184, 190), (228, 232, 226), (255, 255, 246), (178, 192, 192), (56, 74, 72)),
    "autumn": ((128, 164, 190), (252, 226, 176), (255, 240, 196), (204, 150, 100), (82, 40, 26)),
}
WORDS = {
    "night": "night moon star midnight dark",
    "dusk": "dusk sunset evening red fire",
    "dawn": "dawn sunrise spring pink rose",
    "mist": "mist fog rain snow winter white",
    "autumn": "autumn fall fox leaf leaves gold",
    "noon": "noon day summer sea blue sky",
}
PARTS = {
    "sun": "sun moon",
    "hills": "hill hills mountain mountains ridge ridges",
    "mist": "mist fog haze",
    "birds": "bird birds",
    "trees": "tree trees fir firs pine pines forest woods",
    "water": "water lake sea ocean river reflection reflections",
}
"""The parts of a landscape that a negative prompt removes, and the words for them."""

_NOT_LIGHT = {"moon", "star", "sea", "sky", "fox"}
"""Words that choose a palette in a prompt, and name something else in a negative one."""

NEUTRAL = 350
"""The guidance, in hundredths, that leaves the colours as they are."""


def draw_numbers(key: str, count: int) -> Integers:
    """Return `count` numbers from 0 to 65535 that depend on the key alone."""
    raw = hashlib.shake_256(key.encode("utf-8", "surrogatepass")).digest(2 * count)
    return np.frombuffer(raw, ">u2").astype(np.int64)


def mix(first: Any, second: Any, weight: Any) -> Any:
    """Return `first` if the weight is 0, `second` if it is 256, and a mixture between."""
    return first + ((second - first) * weight >> 8)


def measure_light(pixels: Integers) -> Integers:
    """Return the light of each pixel, from 0 to 255."""
    light: Integers = (77 * pixels[..., 0] + 150 * pixels[..., 1] + 29 * pixels[..., 2]) >> 8
    return light


def draw_ridge_line(key: str, width: int, octaves: int) -> Integers:
    """Return a line of hills across the image: for each column a height from 0 to 65535."""
    columns = np.arange(width, dtype=np.int64)
    line = np.zeros(width, dtype=np.int64)
    for octave in range(octaves):
        cells = 3 << octave
        heights = draw_numbers(f"{key} {octave}", cells + 2)
        place = columns * cells * 256 // width
        cell, within = place >> 8, place & 255
        smooth = within * within * (768 - 2 * within) >> 16
        line += mix(heights[cell], heights[cell + 1], smooth) >> (octave + 1)
    return line


class Landscape:
    """One image while it is drawn."""

    def __init__(self, prompt: str, seed: int, width: int, height: int, steps: int, negative: str = "") -> None:
        self.key = f"{DRAWING} {seed} {prompt}"
        self.width, self.height, self.steps = width, height, steps
        self.sky, self.haze, self.sun, self.far, self.near = (
            np.array(colour, dtype=np.int64) for colour in PALETTES[choose_palette(prompt, seed, negative)]
        )
        unwanted = find_words(negative)
        self.removed = {part for part, words in PARTS.items() if unwanted & set(words.split())}
        self.shore = height * 68 // 100
        self.image = np.zeros((height, width, 3), dtype=np.uint8)

    def draw(self) -> Pixels:
        """Draw what is not removed, from the farthest to the nearest."""
        self._draw_sky()
        if "birds" not in self.removed:
            self._draw_birds()
        layers = 3 + min(self.steps, 4) if "hills" not in self.removed else 0
        for layer in range(layers):
            self._draw_ridge(layer, layers)
        if "trees" not in self.removed:
            self._draw_trees()
        if "water" not in self.removed:
            self._draw_water()
            self._draw_bank()
        else:
            self._draw_meadow()
        return self.image

    def _draw_sky(self) -> None:
        """Draw from the top to the horizon, with a glow around the sun that fades with the distance squared."""
        across, down, size = (int(value) for value in draw_numbers(f"{self.key} sun", 3))
        unit = min(self.width, self.height)
        x = (self.width * (20 + across * 60 // 65536)) // 100
        y = (self.height * (14 + down * 26 // 65536)) // 100
        radius = unit * (5 + size * 4 // 65536) // 100
        rows = np.arange(self.shore, dtype=np.int64)[:, None]
        columns = np.arange(self.width, dtype=np.int64)[None, :]
        distance = (columns - x) ** 2 + (rows - y) ** 2
        glow = (4 * radius) ** 2 * 176 // ((4 * radius) ** 2 + distance + 1)
        glow[distance <= radius**2] = 256
        if "sun" in self.removed:
            glow[:] = 0
        base = mix(self.sky, self.haze, rows * 256 // self.shore)
        self.image[: self.shore] = mix(base[:, None, :], self.sun, glow[:, :, None])

    def _draw_ridge(self, layer: int, layers: int) -> None:
        """Draw one line of hills, nearer and darker than those before it, with mist at its foot."""
        nearness = (layer + 1) * 200 // layers
        line = draw_ridge_line(f"{self.key} ridge {layer}", self.width, 2 + min(self.steps, 6))
        reach = self.shore * (62 - 46 * layer // layers) // 100
        tops = self.shore - reach * (line + 16384) // 81920
        highest = max(int(tops.min()), 0)
        depth = np.arange(highest, self.shore, dtype=np.int64)[:, None] - tops[None, :]
        mist = np.clip(depth * 150 // (self.shore // 3 + 1), 0, 150) * (300 - nearness) >> 8
        if "mist" in self.removed:
            mist[:] = 0
        colour = mix(self.far, self.near, nearness)
        part = self.image[highest : self.shore]
        hill = depth >= 0
        part[hill] = mix(colour, self.haze, mist[hill][:, None])

    def _draw_birds(self) -> None:
        count = min(self.steps, 24)
        places = draw_numbers(f"{self.key} birds", 3 * count).reshape(count, 3)
        unit = max(min(self.width, self.height) // 128, 2)
        for across, down, span in places:
            x, y = int(across) * self.width >> 16, (int(down) * self.shore >> 17) + unit
            wing = unit + (int(span) * unit >> 16)
            for step in range(-wing, wing + 1):
                row = y - abs(step) // 2 + (step * step) // (2 * wing)
                part = self.image[max(row, 0) : row + max(unit // 3, 1), max(x + step, 0) : max(x + step + 1, 0)]
                part[:] = mix(part.astype(np.int64), self.near, 160)

    def _draw_water(self) -> None:
        """Mirror what is above the shore, in ripples that widen towards the viewer."""
        depth = self.height - self.shore
        rows = np.arange(depth, dtype=np.int64)
        mirrored = np.clip(self.shore - 1 - rows * self.shore // (depth * 2), 0, self.shore - 1)
        sway = draw_numbers(f"{self.key} water", depth) - 32768
        shift = sway * (rows + 4) * self.width // (65536 * 24 * depth)
        columns = np.clip(np.arange(self.width)[None, :] + shift[:, None], 0, self.width - 1)
        seen = self.image[mirrored[:, None], columns].astype(np.int64)
        tint = mix(self.sky, self.near, 120)
        self.image[self.shore :] = mix(seen, tint, (72 + rows * 110 // depth)[:, None, None])

    def _draw_trees(self) -> None:
        """Draw firs along the shore, the nearest last: more of them with every step."""
        count = 3 + 5 * self.steps
        places = draw_numbers(f"{self.key} trees", 3 * count).reshape(count, 3)
        for size, across, shade in sorted((int(s), int(a), int(c)) for s, a, c in places):
            height = self.height * (4 + size * 10 // 65536) // 100
            self._draw_fir(across * self.width >> 16, self.shore, height, mix(self.near, self.far, shade * 40 >> 16))

    def _draw_fir(self, x: int, foot: int, height: int, colour: Integers) -> None:
        tiers = 3 + min(self.steps, 5)
        for row in range(height):
            within = row * tiers % height
            half = (row * 2 + within // 2 + 2) // 9
            top = foot - height + row
            if 0 <= top < self.height:
                self.image[top, max(x - half, 0) : x + half + 1] = colour

    def _draw_bank(self) -> None:
        """Draw the near shore, where the water ends."""
        line = draw_ridge_line(f"{self.key} bank", self.width, 3)
        for x in range(self.width):
            foot = self.shore + self.height * int(line[x]) * 3 // (65536 * 100)
            self.image[self.shore - 1 : foot, x] = self.near

    def _draw_meadow(self) -> None:
        """Draw low ground where the water would be, darker towards the viewer."""
        depth = self.height - self.shore
        rows = np.arange(self.shore, self.height, dtype=np.int64)[:, None]
        for layer in range(5):
            line = draw_ridge_line(f"{self.key} meadow {layer}", self.width, 4)
            tops = self.shore + depth * (layer * 65536 - line) // (5 * 65536)
            self.image[self.shore :][rows >= tops[None, :]] = mix(self.far, self.near, 128 + 26 * layer)


def find_words(prompt: str) -> set[str]:
    """Return the words of a prompt, in small letters."""
    return set(re.findall(r"[a-z]+", prompt[:2000].lower()))


def choose_palette(prompt: str, seed: int, negative: str = "") -> str:
    """Return the palette that the prompt's words suggest, else a random one; not one that `negative` names."""
    words, unwanted = find_words(prompt), find_words(negative) - _NOT_LIGHT
    number = int(draw_numbers(f"{DRAWING} {seed} palette", 1)[0])
    names = [name for name, known in WORDS.items() if words & set(known.split())] or list(PALETTES)
    chosen = names[number % len(names)]
    if not unwanted & set(WORDS[chosen].split()):
        return chosen
    others = [name for name in names if not unwanted & set(WORDS[name].split())]
    others = others or [name for name in PALETTES if not unwanted & set(WORDS[name].split())] or [chosen]
    return others[number % len(others)]


def strengthen(image: Pixels, guidance: int) -> None:
    """Strengthen colours and contrast with the guidance, in hundredths: 0 gives greys, NEUTRAL what was drawn."""
    above = max(guidance - NEUTRAL, 0)
    colour = 256 * min(guidance, NEUTRAL) // NEUTRAL + 256 * above // 600
    contrast = 176 + 80 * min(guidance, NEUTRAL) // NEUTRAL + 256 * above // 1500
    pixels = image.astype(np.int32)
    light = measure_light(pixels)[:, :, None]
    pixels = 128 + ((light - 128 + ((pixels - light) * colour >> 8)) * contrast >> 8)
    image[:] = np.clip(pixels, 0, 255)


def describe_hundredths(number: int) -> str:
    """Return hundredths as a decimal number: "3.5" for 350."""
    return f"{number // 100}.{number % 100:02}".rstrip("0").rstrip(".")


def draw(
    prompt: str, seed: int, width: int, height: int, steps: int, negative: str = "", guidance: int = NEUTRAL
) -> Pixels:
    """Return the image for these parameters, with its label; the guidance is in hundredths."""
    image = Landscape(prompt, seed, width, height, steps, negative).draw()
    asked = []
    if guidance != NEUTRAL:
        strengthen(image, guidance)
        asked.append(f"guidance {describe_hundredths(guidance)}")
    if negative.strip():
        asked.append(f"negative: {negative}")
    size = f"seed {seed}, {steps} step{'s' if steps > 1 else ''}, {width} x {height}"
    caption(image, [prompt, size, *([", ".join(asked)] if asked else []), "a local stand-in drew this, not FLUX"])
    return image
