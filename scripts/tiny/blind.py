"""A blind look: numbered images without captions, the key apart, and a comparison of a person's words with it.

`blind` writes `blind-1.png`, `blind-2.png` and so on. A person writes a line for each image into `blind.txt`: its
number, then the subject, colour and time of day that are seen, such as `7 fox red night`. `compare` reads them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from typing import Final

from PIL import Image, ImageDraw

from scripts.tiny.drawings import SIDE
from scripts.tiny.looking import HEADS, name_all, open_classifier
from scripts.tiny.measuring import SEEDS, list_scenes, make_images, open_pipeline, to_pixels
from scripts.tiny.room import Room
from scripts.tiny.scenes import describe

NUMBER: Final = 60
ASKED: Final = ("subject", "colour", "time")
_COLUMNS, _ROWS, _SIDE = 6, 5, SIDE * 2
_DICE: Final = 7


def make_blind(room: Room) -> None:
    """Write the sheets of numbered images; `blind-key.json` has what was asked for and what the classifier sees."""
    dice = random.Random(_DICE)
    scenes = dice.sample(list_scenes(), len(list_scenes()))
    chosen = [scenes[number % len(scenes)] for number in range(room.scale(NUMBER, 4))]
    seeds = [dice.randrange(SEEDS) for _ in chosen]
    images = make_images(open_pipeline(room.folder / "model"), [describe(scene) for scene in chosen], seeds)
    seen = name_all(open_classifier(room), images)
    pixels = to_pixels(images)
    for start in range(0, len(chosen), _COLUMNS * _ROWS):
        sheet = Image.new("RGB", (_COLUMNS * (_SIDE + 6), _ROWS * (_SIDE + 20)), "white")
        draw = ImageDraw.Draw(sheet)
        for place, one in enumerate(pixels[start : start + _COLUMNS * _ROWS]):
            x, y = place % _COLUMNS * (_SIDE + 6), place // _COLUMNS * (_SIDE + 20)
            draw.text((x + 2, y + 2), str(start + place + 1), fill="black")
            sheet.paste(Image.fromarray(one).resize((_SIDE, _SIDE), Image.Resampling.NEAREST), (x, y + 16))
        sheet.save(room.folder / f"blind-{start // (_COLUMNS * _ROWS) + 1}.png")
    key = {
        str(number + 1): {
            "asked": {name: getattr(scene, name) for name in ASKED},
            "seed": seeds[number],
            "classifier": {name: seen[name][number] for name in ASKED},
        }
        for number, scene in enumerate(chosen)
    }
    room.write_json("blind-key.json", key)


def compare_blind(room: Room) -> Mapping[str, Mapping[str, float]]:
    """Write and return the shares of images, 0 to 1, in which a person and the classifier see what was asked for.

    Raises ValueError for a line of `blind.txt` that names no number of the key, or an unknown word.
    """
    key = json.loads((room.folder / "blind-key.json").read_text("utf-8"))
    eyes: dict[str, dict[str, str]] = {}
    for line in (room.folder / "blind.txt").read_text("utf-8").splitlines():
        if not line.strip():
            continue
        number, *words = line.split()
        known = len(words) == len(ASKED) and all(
            word in {*HEADS[name], "?"} for name, word in zip(ASKED, words, strict=True)
        )
        if number not in key or not known:
            raise ValueError(f"{line!r} is no line such as '7 fox red night': a ? is what cannot be seen")
        eyes[number] = dict(zip(ASKED, words, strict=True))
    shares = {
        name: {
            "eyes": _share(eyes[number][name] == key[number]["asked"][name] for number in eyes),
            "classifier": _share(key[number]["classifier"][name] == key[number]["asked"][name] for number in eyes),
            "agree": _share(eyes[number][name] == key[number]["classifier"][name] for number in eyes),
        }
        for name in ASKED
    }
    room.write_json("blind.json", {"images": len(eyes), **shares})
    room.say(f"blind look at {len(eyes)} images: {shares}")
    return shares


def _share(rows: Iterable[bool]) -> float:
    found = [*rows]
    return round(sum(found) / len(found), 4)
