"""Scenes by seed, their captions from a small grammar, and the combinations that are kept out of training."""

from __future__ import annotations

import random
from dataclasses import astuple, dataclass, replace
from typing import Final

SUBJECTS: Final = {
    "fox": "foxes",
    "cat": "cats",
    "rabbit": "rabbits",
    "owl": "owls",
    "lighthouse": "lighthouses",
    "windmill": "windmills",
    "house": "houses",
    "castle": "castles",
    "boat": "boats",
    "tree": "trees",
    "balloon": "balloons",
    "mushroom": "mushrooms",
}
"""The subjects, each with its plural."""

COLOURS: Final = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
SIZES: Final = ("small", "medium", "big")
PLACES: Final = ("left", "middle", "right")
TIMES: Final = ("dawn", "day", "sunset", "night")
SEASONS: Final = ("spring", "summer", "autumn", "winter")
LANDS: Final = ("hills", "mountains", "forest", "sea")
SKIES: Final = ("clear", "clouds", "rainbow")

_OTHER_NAMES: Final = {
    "rabbit": ("bunny", "bunnies"),
    "house": ("cottage", "cottages"),
    "boat": ("sailboat", "sailboats"),
    "cat": ("kitten", "kittens"),
    "balloon": ("hot air balloon", "hot air balloons"),
}

_PHRASES: Final = {
    "small": ("small", "little", "tiny"),
    "medium": ("",),
    "big": ("big", "large", "huge"),
    "left": ("on the left", "on the left side", "left"),
    "middle": ("in the middle", "in the center", "in the centre"),
    "right": ("on the right", "on the right side", "right"),
    "dawn": ("at dawn", "at sunrise", "in the morning", "dawn"),
    "day": ("by day", "at noon", "in daylight", "on a bright day", "day"),
    "sunset": ("at sunset", "at dusk", "in the evening", "sunset"),
    "night": ("at night", "by night", "under the moon", "on a dark night", "night"),
    "spring": ("in spring", "spring", "among spring flowers"),
    "summer": ("in summer", "summer", "in the green of summer"),
    "autumn": ("in autumn", "autumn", "in fall", "among autumn leaves"),
    "winter": ("in winter", "winter", "in the snow", "snow"),
    "hills": ("in the hills", "before hills", "hills"),
    "mountains": ("in the mountains", "before mountains", "near the mountains", "mountains"),
    "forest": ("in the forest", "in the woods", "near a forest", "forest"),
    "sea": ("by the sea", "near the sea", "at the coast", "sea"),
    "clear": ("under a clear sky", "clear sky"),
    "clouds": ("under clouds", "with clouds", "cloudy sky", "clouds"),
    "rainbow": ("with a rainbow", "under a rainbow", "rainbow"),
}

_COUNTS: Final = {1: ("a", "one", "the", ""), 2: ("two", "2"), 3: ("three", "3")}
_OPENINGS: Final = ("a drawing of", "an image of", "a painting of", "a landscape with")


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene: all that its drawing and its captions are made of; `seed` moves what no caption says."""

    subject: str
    colour: str
    count: int
    size: str
    place: str
    time: str
    season: str
    land: str
    sky: str
    seed: int

    def key(self) -> tuple[object, ...]:
        """Return what a caption can say of the scene, without its seed."""
        return astuple(self)[:-1]


def _list_held_out() -> frozenset[tuple[str, str]]:
    """Return one colour of each subject; no colour is taken more than twice."""
    return frozenset((subject, COLOURS[(3 * number + 2) % len(COLOURS)]) for number, subject in enumerate(SUBJECTS))


HELD_OUT: Final = _list_held_out()
"""Pairs of a subject and a colour that are never drawn together in training."""


def is_held_out(scene: Scene) -> bool:
    """Return True for a scene that is not to be trained on: by its colour, or by its landscape and time together."""
    if (scene.subject, scene.colour) in HELD_OUT:
        return True
    number = list(SUBJECTS).index(scene.subject)
    return scene.land == LANDS[number % 4] and scene.time == TIMES[(number // 4 + number) % 4]


def make_scene(seed: int, *, held_out: bool = False) -> Scene:
    """Return the scene of a seed, for training or of the combinations that are kept out.

    Example:
        >>> make_scene(1) == make_scene(1)
        True
    """
    dice = random.Random(f"scene {seed}")
    while True:
        count = dice.choices((1, 2, 3), (8, 1, 1))[0]
        scene = Scene(
            subject=dice.choice(list(SUBJECTS)),
            colour=dice.choice(COLOURS),
            count=count,
            size=dice.choices(SIZES, (1, 2, 2))[0] if count == 1 else "medium",
            place=dice.choices(PLACES, (1, 2, 1))[0] if count == 1 else "middle",
            time=dice.choice(TIMES),
            season=dice.choice(SEASONS),
            land=dice.choice(LANDS),
            sky=dice.choices(SKIES, (5, 4, 1))[0],
            seed=seed,
        )
        if is_held_out(scene) == held_out:
            return scene


def name_subject(scene: Scene, dice: random.Random | None = None) -> str:
    """Return the subject's name, in the plural if there are more of it; with dice, now and then another name."""
    names = (scene.subject, SUBJECTS[scene.subject])
    if dice is not None and dice.random() < 0.15:
        names = _OTHER_NAMES.get(scene.subject, names)
    return names[scene.count > 1]


def describe(scene: Scene) -> str:
    """Return the plain caption of a scene: subject, colour and time.

    Example:
        >>> describe(replace(make_scene(1), subject="fox", colour="red", count=1, time="night"))
        'a red fox at night'
    """
    article = "an" if scene.count == 1 and scene.colour == "orange" else _COUNTS[scene.count][0]
    return f"{article} {scene.colour} {name_subject(scene)} {_PHRASES[scene.time][0]}"


def make_caption(scene: Scene, dice: random.Random) -> str:
    """Return a caption that says some of what is in a scene, in one of many ways; empty in one of nine."""
    if dice.random() < 0.11:
        return ""
    said = {name for name in ("size", "place", "season", "land", "sky") if dice.random() < 0.55}
    said |= {name for name, share in (("subject", 0.94), ("colour", 0.9), ("time", 0.8)) if dice.random() < share}
    words = []
    if "subject" in said:
        if dice.random() < 0.1:
            words.append(dice.choice(_OPENINGS))
        words.append(dice.choices(_COUNTS[scene.count], (8, 1, 1, 1)[: len(_COUNTS[scene.count])])[0])
        if "size" in said and scene.count == 1:
            words.append(dice.choice(_PHRASES[scene.size]))
        if "colour" in said:
            words.append(scene.colour)
        words.append(name_subject(scene, dice))
        if "place" in said and scene.count == 1:
            words.append(dice.choice(_PHRASES[scene.place]))
    tail = [dice.choice(_PHRASES[getattr(scene, name)]) for name in ("time", "season", "land", "sky") if name in said]
    dice.shuffle(tail)
    comma = ", " if dice.random() < 0.4 else " "
    caption = comma.join([" ".join(word for word in words if word), *tail] if words else tail)
    return caption.replace("a orange", "an orange").strip()


def list_words() -> list[str]:
    """Return the words of the grammar, sorted; what a tokenizer knows."""
    sources = [*SUBJECTS, *SUBJECTS.values(), *COLOURS, *_OPENINGS, "an", "and", "with", "of", ",", "."]
    for phrases in (*_OTHER_NAMES.values(), *_PHRASES.values(), *_COUNTS.values()):
        sources += phrases
    return sorted({word for source in sources for word in source.split()})


__all__ = [
    "COLOURS", "HELD_OUT", "LANDS", "PLACES", "SEASONS", "SIZES", "SKIES", "SUBJECTS", "TIMES", "Scene", "describe",
    "is_held_out", "list_words", "make_caption", "make_scene", "name_subject", "replace",
]  # fmt: skip
