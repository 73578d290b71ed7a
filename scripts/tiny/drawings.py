"""Scenes as images of 128 by 128, drawn larger and made smaller, the same for the same scene everywhere."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageDraw

from scripts.tiny.pens import Colour, Pen, Tones, mix, mix_tones, smooth
from scripts.tiny.scenes import Scene
from scripts.tiny.subjects import DRAWERS

SIDE: Final = 128
LARGER: Final = 4
WIDE: Final = SIDE * LARGER


@dataclass(frozen=True, slots=True)
class Light:
    """The light of a time of day: the sky from top to horizon, and the tint on all that it falls on."""

    top: Colour
    bottom: Colour
    tint: Colour
    strength: float  # on a landscape
    on_subject: float


LIGHTS: Final = {
    "dawn": Light((150, 196, 226), (255, 218, 206), (255, 214, 214), 0.26, 0.1),
    "day": Light((66, 156, 236), (190, 228, 250), (255, 255, 255), 0.0, 0.0),
    "sunset": Light((112, 56, 128), (255, 138, 60), (190, 76, 60), 0.34, 0.12),
    "night": Light((14, 20, 58), (44, 58, 116), (20, 26, 76), 0.6, 0.12),
}

GROUNDS: Final[dict[str, Colour]] = {
    "spring": (164, 212, 112),
    "summer": (98, 172, 74),
    "autumn": (212, 158, 78),
    "winter": (236, 242, 250),
}

FARS: Final[dict[str, Colour]] = {
    "spring": (128, 186, 120),
    "summer": (70, 140, 84),
    "autumn": (180, 112, 62),
    "winter": (204, 218, 236),
}

HEIGHTS: Final = {"small": 52.0, "medium": 68.0, "big": 84.0}
MIDDLES: Final = {"left": 42.0, "middle": 64.0, "right": 86.0}


@dataclass(frozen=True, slots=True)
class _Sheet:
    scene: Scene
    dice: random.Random
    image: Image.Image
    draw: ImageDraw.ImageDraw
    horizon: float  # in pixels of the drawing from the top

    @property
    def light(self) -> Light:
        return LIGHTS[self.scene.time]

    def tint(self, colour: Colour, share: float = 1.0) -> Colour:
        return mix(colour, self.light.tint, self.light.strength * share)


def draw_scene(scene: Scene) -> Image.Image:
    """Return a scene as an image of 128 by 128 in RGB."""
    return draw_with_mask(scene)[0]


def draw_with_mask(scene: Scene) -> tuple[Image.Image, Image.Image]:
    """Return a scene's image and a mask of 128 by 128: 255 where its subjects are, 0 where they are not."""
    dice = random.Random(f"drawing {scene.seed}")
    light = LIGHTS[scene.time]
    horizon = (0.58 + dice.uniform(-0.04, 0.05)) * WIDE
    column = Image.new("RGB", (1, 64))
    column.putdata([mix(light.top, light.bottom, min(1.0, row / 40)) for row in range(64)])
    image = column.resize((WIDE, WIDE), Image.Resampling.BILINEAR)
    sheet = _Sheet(scene, dice, image, ImageDraw.Draw(image), horizon)
    _draw_sky(sheet)
    _draw_land(sheet)
    _draw_ground(sheet)
    before = image.copy()
    _draw_subjects(sheet)
    changed = ImageChops.difference(before, image).convert("L").point(lambda level: 255 * (level > 0))
    _draw_weather(sheet)
    small = (SIDE, SIDE)
    return image.resize(small, Image.Resampling.BOX), changed.resize(small, Image.Resampling.BOX)


def _disc(sheet: _Sheet, x: float, y: float, radius: float, fill: Colour, flat: float = 1.0) -> None:
    sheet.draw.ellipse((x - radius, y - radius * flat, x + radius, y + radius * flat), fill=fill)


def _draw_sky(sheet: _Sheet) -> None:
    scene, dice, light = sheet.scene, sheet.dice, sheet.light
    side = dice.choice((0.16, 0.84)) * WIDE + dice.uniform(-20, 20)
    if scene.time == "night":
        for _ in range(26):
            star = dice.choice((2.2, 3.2, 4.4))
            _disc(sheet, dice.uniform(0, WIDE), dice.uniform(0, sheet.horizon * 0.85), star, (255, 250, 214))
        high = 76 + dice.uniform(-14, 20)
        _disc(sheet, side, high, 40, mix(light.top, (255, 246, 200), 0.22))
        _disc(sheet, side, high, 30, (255, 246, 206))
        _disc(sheet, side + 14, high - 8, 24, mix(light.top, light.bottom, 0.3))
    elif scene.time == "day":
        high = 70 + dice.uniform(-14, 16)
        _disc(sheet, side, high, 46, mix(light.top, (255, 244, 180), 0.45))
        _disc(sheet, side, high, 32, (255, 226, 74))
    else:
        low = sheet.horizon - dice.uniform(10, 50)
        pale = scene.time == "dawn"
        glow, sun = ((255, 238, 208), (255, 250, 232)) if pale else ((255, 172, 84), (255, 220, 110))
        for radius, share in ((110, 0.35), (84, 0.65)):
            _disc(sheet, side, low, radius, mix(light.bottom, glow, share))
        _disc(sheet, side, low, 54, sun)
    if scene.sky == "rainbow":
        x, y = WIDE * dice.choice((0.4, 0.6)), sheet.horizon + 60
        bands = ((232, 72, 72), (248, 158, 62), (250, 222, 90), (96, 190, 110), (78, 136, 226), (150, 98, 200))
        for number, band in enumerate(bands):
            radius = 290 - 15 * number
            colour = mix(band, light.bottom, 0.3 if scene.time != "night" else 0.42)
            sheet.draw.arc((x - radius, y - radius, x + radius, y + radius), 180, 360, fill=colour, width=16)
    elif scene.sky == "clouds":
        white = sheet.tint((255, 255, 255), 0.9 if scene.time != "night" else 1.0)
        for start in (0.06, 0.4, 0.72):
            x, y = (start + dice.uniform(0.0, 0.2)) * WIDE, dice.uniform(40, 150)
            for dx, dy, radius in ((-44, 8, 24), (-16, -8, 32), (20, -2, 28), (46, 10, 20)):
                _disc(sheet, x + dx, y + dy, radius, white)
            sheet.draw.rounded_rectangle((x - 68, y + 6, x + 66, y + 32), 13, fill=white)


def _draw_land(sheet: _Sheet) -> None:
    scene, dice, horizon = sheet.scene, sheet.dice, sheet.horizon
    far = sheet.tint(FARS[scene.season], 0.95)
    if scene.land == "mountains":
        rock, snow = sheet.tint((120, 128, 158)), sheet.tint((248, 250, 255))
        for start in (-0.02, 0.34, 0.68):
            x, high = (start + dice.uniform(0.05, 0.22)) * WIDE, horizon - dice.uniform(130, 190)
            half = dice.uniform(120, 150)
            tone = mix(rock, sheet.light.bottom, dice.uniform(0.0, 0.25))
            sheet.draw.polygon([(x - half, horizon + 24), (x, high), (x + half, horizon + 24)], fill=tone)
            sheet.draw.polygon(
                [(x, high), (x + half, horizon + 24), (x + half * 0.2, horizon + 24)], fill=mix(tone, (30, 30, 60), 0.2)
            )
            cut = 0.36
            peak = [
                (x, high),
                (x + half * cut, high + (horizon - high) * cut),
                (x + 12, high + 44),
                (x - 8, high + 66),
                (x - 22, high + 46),
                (x - half * cut, high + (horizon - high) * cut),
            ]
            sheet.draw.polygon(peak, fill=snow)
    elif scene.land == "hills":
        for number, start in enumerate((0.1, 0.5, 0.9, 0.3, 0.72)):
            x, wide = (start + dice.uniform(-0.08, 0.08)) * WIDE, dice.uniform(130, 190)
            tone = mix(far, sheet.light.bottom, 0.32 if number < 3 else 0.08)
            _disc(sheet, x, horizon + 40, wide, tone, 0.72 if number < 3 else 0.5)
    elif scene.land == "forest":
        for row, (drop, tall) in enumerate(((0, 130), (22, 108))):
            pine = sheet.tint((34, 92, 74)) if scene.season != "winter" else sheet.tint((120, 156, 160))
            pine = mix(pine, sheet.light.bottom, 0.22 - 0.2 * row)
            for number in range(12):
                x = (number + dice.uniform(0.0, 0.9)) * WIDE / 12
                high = tall * dice.uniform(0.75, 1.15)
                for level in range(3):
                    top, half = horizon + drop - high * (1 - 0.26 * level), 18 + 9 * level
                    sheet.draw.polygon(
                        [(x - half, top + high * 0.48), (x, top), (x + half, top + high * 0.48)], fill=pine
                    )
    else:
        water = mix(sheet.tint((52, 132, 190)), sheet.light.bottom, 0.1)
        sheet.draw.rectangle((0, horizon - 56, WIDE, horizon + 40), fill=water)
        foam = mix(water, (255, 255, 255), 0.5)
        for _ in range(14):
            x, y, half = dice.uniform(0, WIDE), dice.uniform(horizon - 44, horizon + 6), dice.uniform(14, 34)
            sheet.draw.line([(x - half, y), (x + half, y)], fill=foam, width=5)


def _draw_ground(sheet: _Sheet) -> None:
    scene, dice, horizon = sheet.scene, sheet.dice, sheet.horizon
    ground = sheet.tint(GROUNDS[scene.season])
    wave = [(x * WIDE / 4, horizon + 18 + dice.uniform(-12, 12)) for x in range(-1, 6)]
    curve = smooth([(-WIDE, horizon + 18), *wave, (2 * WIDE, horizon + 18), (2 * WIDE, WIDE * 3)])
    outline = [(x, min(y, 2 * WIDE)) for x, y in curve]
    if scene.land == "sea":
        sand = sheet.tint((240, 218, 164) if scene.season != "winter" else (214, 226, 240))
        sheet.draw.polygon([(x, y - 14) for x, y in outline], fill=sand)
    sheet.draw.polygon(outline, fill=ground)
    near = mix(ground, (40, 60, 40) if scene.season != "winter" else (120, 140, 190), 0.14)
    _disc(sheet, WIDE * dice.uniform(0.2, 0.8), WIDE + 190, 420, near, 0.62)
    low = horizon + 40
    for _ in range(16):
        x, y = dice.uniform(0, WIDE), dice.uniform(low, WIDE)
        if scene.season == "spring":
            petal = sheet.tint(dice.choice(((255, 255, 255), (250, 160, 196), (255, 226, 110))), 0.6)
            _disc(sheet, x, y, 8, petal)
        elif scene.season == "autumn":
            leaf = sheet.tint(dice.choice(((206, 84, 40), (232, 178, 56), (168, 60, 40))), 0.6)
            _disc(sheet, x, y, 9, leaf, 0.6)
        elif scene.season == "summer":
            blade = sheet.tint((52, 126, 52))
            sheet.draw.line([(x - 7, y - 15), (x, y), (x + 7, y - 15)], fill=blade, width=5)


def _draw_subjects(sheet: _Sheet) -> None:
    scene, dice, light = sheet.scene, sheet.dice, sheet.light
    tones = mix_tones(scene.colour, light.tint, light.on_subject, lit=scene.time in {"sunset", "night"})
    height = HEIGHTS[scene.size] * {1: 1.0, 2: 0.82, 3: 0.62}[scene.count]
    middle = MIDDLES[scene.place] + dice.uniform(-4, 4)
    flies = scene.subject == "balloon"
    for number in range(scene.count):
        tall = height * dice.uniform(0.94, 1.06)
        step = {1: 0.0, 2: 54.0, 3: 41.0}[scene.count]
        x = middle + (number - (scene.count - 1) / 2) * step
        base = (
            64 + tall * 0.45 + dice.uniform(-8, 4)
            if flies
            else 116 + dice.uniform(-5, 5) - (HEIGHTS["big"] - height) * 0.1
        )
        pen = Pen(sheet.draw, x * LARGER, base * LARGER, tall * LARGER, mirrored=dice.random() < 0.5)
        if not flies and scene.subject != "boat":
            shadow = mix(sheet.tint(GROUNDS[scene.season]), (30, 30, 60), 0.3)
            pen.disc(0.0, 0.0, 0.46, shadow, 0.06)
        DRAWERS[scene.subject](pen, tones, dice)


def _draw_weather(sheet: _Sheet) -> None:
    if sheet.scene.season == "winter":
        for _ in range(24):
            _disc(
                sheet,
                sheet.dice.uniform(0, WIDE),
                sheet.dice.uniform(0, WIDE),
                sheet.dice.choice((4, 5, 6.5)),
                (255, 255, 255),
            )


def draw_sheet(scenes: list[Scene], columns: int = 8) -> Image.Image:
    """Return scenes side by side, for a look at them."""
    rows = -(-len(scenes) // columns)
    sheet = Image.new("RGB", (columns * (SIDE + 4), rows * (SIDE + 4)), "white")
    for number, scene in enumerate(scenes):
        sheet.paste(draw_scene(scene), (number % columns * (SIDE + 4) + 2, number // columns * (SIDE + 4) + 2))
    return sheet


__all__ = ["SIDE", "Tones", "draw_scene", "draw_sheet", "draw_with_mask"]
