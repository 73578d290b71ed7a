"""Words in a picture, in the letters that come with Pillow: which there are, what room they take, and how they break.

No font of the system is used, so the same words look the same on every machine. Sizes and rooms are in pixels.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from . import accents

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

SMALLEST: Final = 10
LARGEST: Final = 18
"""Sizes of labels: none smaller can be read, none larger is needed."""

MOST_LINES: Final = 3
CUT: Final = "…"

_NOBODYS: Final = "\U0010ffff"
"""No font has a letter for this one, and none will: it is no character."""

_ALIKE: Final = str.maketrans(
    {"×": "x", **dict.fromkeys("‐‑‒–—―−", "-"), "\u00ad": "", "\u200b": "", "ß": "ss", "æ": "ae", "œ": "oe"}
)
"""What these letters do not have, and what is read as the same."""


def plain(text: str) -> str:
    """`text` on one line, with what cannot be drawn but is read as the same written in another way."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_ALIKE).split())


def can_draw(text: str) -> bool:
    """Whether there is a letter for each of its characters, perhaps with accents; and one at all."""
    return bool(text) and all(map(_is_there, text))


def readable(text: str) -> str:
    """`text` on one line, with a question mark for each character that cannot be drawn."""
    return "".join(letter if _is_there(letter) else "?" for letter in plain(text))


@functools.lru_cache(4096)
def _is_there(letter: str) -> bool:
    """Whether the letter is drawn as something else than the box that stands for a missing one.

    The widths alone would not do, since letters may be as wide as the box; and drawn large, no letter looks like it.
    """
    base, marks = accents.parts(letter)
    return accents.are_known(marks) and _drawn(base) != _drawn(_NOBODYS)


def _drawn(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font(32).getmask(letter)
    return mask.size, bytes(mask)


@functools.cache
def font(size: int) -> FreeTypeFont:
    """Pillow's own letters."""
    from PIL import ImageFont

    return cast("FreeTypeFont", ImageFont.load_default(size))


def line_height(size: int) -> int:
    """From one line to the next."""
    return round(size * 1.25)


def wrapped(text: str, size: int, room: int, most: int = MOST_LINES) -> list[str]:
    """`text` in so many lines at most, none wider than the room; what does not go in is cut, and … says so."""
    lines = [part for line in _broken(text, size, room) for part in _split(line, size, room, most)]
    kept = [*lines[: most - 1], " ".join(lines[most - 1 :])] if len(lines) > most else lines
    return [_shortened(line, size, room) for line in kept]


def lines_in(height: int, size: int) -> int:
    """How many lines of a label go into a height: 1 to 3."""
    return max(1, min(MOST_LINES, height // line_height(size)))


def _broken(text: str, size: int, room: int) -> list[str]:
    """`text` broken at blanks; a word that is wider than the room has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _split(word: str, size: int, room: int, most: int) -> list[str]:
    """A word that is wider than the room, in parts that are not; the last of so many has all the rest."""
    parts: list[str] = []
    while len(parts) < most - 1 and (begin := _beginning(word, size, room)) != word:
        parts.append(begin or word[0])
        word = word[len(parts[-1]) :]
    return [*parts, word] if word else parts


def _shortened(text: str, size: int, room: int) -> str:
    if width(text, size) <= room:
        return text
    begin = _beginning(text, size, room, CUT).rstrip()
    return f"{begin}{CUT}" if begin else ""


def _beginning(text: str, size: int, room: int, end: str = "") -> str:
    """The most letters of a text that go into the room, before this end."""
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if width(text[:middle] + end, size) <= room else (least, middle - 1)
    return text[:least]


@functools.lru_cache(4096)
def width(text: str, size: int) -> float:
    """Pixels that a text takes on one line."""
    return font(size).getlength(accents.without(text))


def largest(labels: Sequence[str], room: int, height: int) -> int | None:
    """The largest size at which all labels go whole into `room` × `height` pixels, in at most 3 lines; None if none."""
    longest_first = sorted(labels, key=len, reverse=True)
    for size in range(LARGEST, SMALLEST - 1, -1):
        lines = min(MOST_LINES, height // line_height(size))
        if lines and all(_goes(label, size, room, lines) for label in longest_first):
            return size
    return None


def _goes(text: str, size: int, room: int, lines: int) -> bool:
    if len(text) > 400:  # no room is that large
        return False
    broken = _broken(text, size, room)
    return len(broken) <= lines and all(width(line, size) <= room for line in broken)


def write(
    draw: ImageDraw, lines: Sequence[str], size: int, at: tuple[float, float], colour: str, anchor: str = "m"
) -> None:
    """Draw lines one below the other around `at`, their middle: `anchor` is `l`, `m` or `r` as in Pillow."""
    x, middle = at
    first = middle - line_height(size) * (len(lines) - 1) / 2
    # The middle between the foot and the head of small letters, so that a line stands where it seems to.
    foot = first + size * 0.34
    for number, line in enumerate(lines):
        y = foot + number * line_height(size)
        if accents.without(line) == line:
            draw.text((x, y), line, fill=colour, font=font(size), anchor=f"{anchor}s")
            continue
        mask, left, base = accents.mask(line, font(size))
        aside = {"l": 0.0, "m": 0.5, "r": 1.0}[anchor] * width(line, size)
        draw.bitmap((round(x - aside) - left, round(y) - base), mask, fill=colour)
