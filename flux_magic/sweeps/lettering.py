"""Words in an image: which of them can be drawn, how wide they are, and how they break into lines.

The font is DejaVu Sans (`fonts/`), so that Latin, Greek, Cyrillic and Vietnamese look the same on every machine. Arabic
and Hebrew need Pillow's Raqm layout. For other scripts, such as Chinese, a font of the system is looked for. Sizes and
lengths are in pixels.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

SMALLEST: Final = 10
LARGEST: Final = 18
"""Sizes of labels: a smaller one cannot be read, a larger one is not needed."""

MOST_LINES: Final = 3
CUT: Final = "…"

_NO_CHARACTER: Final = "\U0010ffff"
"""A code point that no font has a glyph for."""

_IGNORED: Final = dict.fromkeys("\u00ad\u200b\ufe0f\ufeff", "")
_ALIKE: Final = str.maketrans({"×": "x", **dict.fromkeys("‐‑‒–—―−", "-"), **_IGNORED})
"""Characters that are read as another one, or not at all."""

_BUNDLED: Final = Path(__file__).with_name("fonts") / "DejaVuSans.ttf"
_SYSTEM: Final = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansCJK-VF.otf.ttc", "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "uming.ttc",
    "PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Light.ttc", "AppleSDGothicNeo.ttc", "Arial Unicode.ttf",
    "msyh.ttc", "simsun.ttc", "YuGothM.ttc", "msgothic.ttc", "malgun.ttf", "Nirmala.ttf", "LeelawUI.ttf", "unifont.otf",
    "NotoSansDevanagari-Regular.ttf", "NotoSansBengali-Regular.ttf", "NotoSansTamil-Regular.ttf",
    "NotoSansThai-Regular.ttf", "NotoSansEthiopic-Regular.ttf", "NotoEmoji-Regular.ttf", "Symbola.ttf", "seguiemj.ttf",
)  # fmt: skip
"""Files of fonts that the systems bring or that people install, for scripts that the bundled font lacks."""

_SHAPED: Final = {"R", "AL", "AN", "NSM"}
"""Bidirectional classes (Unicode, UAX #9) of characters that are joined, turned or put over others.

So are the marks of category Mc, such as Devanagari's vowels, which may stand before their consonant.
"""


def simplify(text: str) -> str:
    """Return a string on one line, with some characters replaced by others that are read as the same."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_ALIKE).split())


def can_draw(text: str, font: str = "") -> bool:
    """Return True if a string is not empty, and each of its characters can be drawn here.

    `font` is, here and below, the file of one that goes before all others.
    """
    return bool(text) and all(_find_font(one, font) for one in text)


def list_undrawn(text: str, font: str = "") -> str:
    """Return the characters that no font here can draw, each once."""
    return "".join(dict.fromkeys(one for one in simplify(text) if not _find_font(one, font)))


def make_readable(text: str, font: str = "") -> str:
    """Return a string on one line, with a question mark for each character that cannot be drawn."""
    return "".join(one if _find_font(one, font) else "?" for one in simplify(text))


@functools.lru_cache(4096)
def _find_font(character: str, font: str = "") -> str:
    """Return the file of the first font that has a glyph for a character; "" if none has."""
    if _needs_shaping(character) and not _can_shape():
        return ""
    return next((file for file in _list_files(font) if _has_glyph(file, character)), "")


def _list_files(font: str) -> Iterator[str]:
    """Yield the files of the fonts that are there, the bundled one first; the system is searched only after it."""
    if font:
        yield font
    yield str(_BUNDLED)
    yield from _list_installed()


def find_file(font: str) -> str:
    """Return the file of a font by its path, its file's name or its family's, or "".

    Raises OSError for a file that is no font that scales.
    """
    from PIL import ImageFont

    if Path(font).expanduser().is_file():
        file = str(Path(font).expanduser())
        ImageFont.truetype(file, SMALLEST)
        return file
    return _find_path(font) or _list_families().get(font.casefold(), "")


def get_family(file: str) -> str:
    """Return the name of a font's family by its file."""
    return str(_load(file, SMALLEST, shaped=False).getname()[0])


def list_families() -> list[str]:
    """Return the families of the fonts that the system has, in lower case."""
    return sorted(_list_families())


@functools.cache
def _list_families() -> dict[str, str]:
    """Return the upright file of each family that the system has, by the family's name in lower case."""
    from PIL import ImageFont

    found: dict[str, tuple[bool, str]] = {}
    for path in sorted(path for folder in _list_folders() for path in folder.rglob("*.[to]t[fc]")):
        try:
            family, style = ImageFont.truetype(str(path), SMALLEST).getname()
        except OSError:  # of bitmaps, or no font
            continue
        plain = style in {"Regular", "Book", "Roman", "Normal", "Medium"}
        if family and (family.casefold() not in found or (plain and not found[family.casefold()][0])):
            found[family.casefold()] = plain, str(path)
    return {family: path for family, (_, path) in found.items()}


def _list_folders() -> list[Path]:
    """Return the folders of the system's fonts, where Pillow looks for them too."""
    home, data = Path.home(), os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    if sys.platform == "win32":
        return [Path(os.environ.get("WINDIR", "")) / "fonts", home / "AppData/Local/Microsoft/Windows/Fonts"]
    if sys.platform == "darwin":
        return [Path("/Library/Fonts"), Path("/System/Library/Fonts"), home / "Library/Fonts"]
    own = os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")
    return [Path(folder) / "fonts" for folder in (own, *data.split(":"))]


@functools.cache
def _list_installed() -> tuple[str, ...]:
    return tuple(filter(None, map(_find_path, _SYSTEM)))


def _find_path(name: str) -> str:
    """Return the path of a font of the system, which Pillow looks for in the system's folders, or ""."""
    from PIL import ImageFont

    try:
        return str(ImageFont.truetype(name, SMALLEST).path)
    except OSError:
        return ""


@functools.lru_cache(4096)
def _has_glyph(file: str, character: str) -> bool:
    """Return True if a font draws a character as something else than its box for a missing one.

    The widths alone would not do, since a glyph may be as wide as the box; and drawn large, no glyph looks like it.
    """
    if character.isspace():
        return file == str(_BUNDLED)
    return _draw_glyph(file, character) not in (_draw_glyph(file, _NO_CHARACTER), b"")


@functools.lru_cache(4096)
def _draw_glyph(file: str, character: str) -> bytes:
    mask = _load(file, 32, shaped=False).getmask(character)
    return b"%d %d " % mask.size + bytes(mask) if any(bytes(mask)) else b""


@functools.cache
def _can_shape() -> bool:
    """Return True if Pillow can join, turn and place the characters of Arabic, Hebrew and other such scripts."""
    from PIL import features

    return bool(features.check("raqm"))


def _needs_shaping(text: str) -> bool:
    return any(unicodedata.bidirectional(one) in _SHAPED or unicodedata.category(one) == "Mc" for one in text)


@functools.lru_cache(256)
def _load(file: str, size: int, *, shaped: bool) -> FreeTypeFont:
    """Load a font; the basic layout is the same on every machine, with Raqm or without."""
    from PIL import ImageFont

    engine = ImageFont.Layout.RAQM if shaped else ImageFont.Layout.BASIC
    return ImageFont.truetype(file, size, layout_engine=engine)


def _split_runs(text: str, size: int, font: str = "") -> list[tuple[FreeTypeFont, str]]:
    """Return a string in parts that have one font each; a space has the font of what is before it."""
    runs = split_by_font(text, font)
    return [(_load(file, size, shaped=_needs_shaping(part) and _can_shape()), part) for file, part in runs]


def split_by_font(text: str, font: str = "") -> list[tuple[str, str]]:
    """Return a string in parts that have one font each, with the font's file; a space goes with what is before it."""
    runs: list[tuple[str, str]] = []
    for file, characters in itertools.groupby(text, lambda one: _find_font(one, font) or str(_BUNDLED)):
        part = "".join(characters)
        if runs and (runs[-1][0] == file or part.isspace()):
            runs[-1] = runs[-1][0], runs[-1][1] + part
        else:
            runs.append((file, part))
    return runs


def get_line_height(size: int) -> int:
    """Return the distance from one line to the next."""
    return round(size * 1.25)


def wrap(text: str, size: int, room: int, most: int = MOST_LINES, font: str = "") -> list[str]:
    """Break `text` into at most this many lines, none wider than the room; a cut is marked by an ellipsis."""
    words = _break_words(text, size, room, font)
    lines = [part for line in words for part in _split_word(line, size, room, most, font)]
    kept = [*lines[: most - 1], " ".join(lines[most - 1 :])] if len(lines) > most else lines
    return [_shorten(line, size, room, font) for line in kept]


def count_lines(height: int, size: int) -> int:
    """Return how many lines of a label fit a height: 1 to 3."""
    return max(1, min(MOST_LINES, height // get_line_height(size)))


def _break_words(text: str, size: int, room: int, font: str) -> list[str]:
    """Break `text` at spaces; a word that is wider than the room has a line of its own."""
    lines: list[str] = []
    for word in filter(None, text.split(" ")):  # a no-break space does not break
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure_width(longer, size, font) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _split_word(word: str, size: int, room: int, most: int, font: str) -> list[str]:
    """Split a word that is wider than the room; the last of so many parts has the rest."""
    parts: list[str] = []
    while len(parts) < most - 1 and (begin := _take_beginning(word, size, room, font)) != word:
        parts.append(begin or word[0])
        word = word[len(parts[-1]) :]
    return [*parts, word] if word else parts


def _shorten(text: str, size: int, room: int, font: str) -> str:
    if measure_width(text, size, font) <= room:
        return text
    begin = _take_beginning(text, size, room, font, CUT).rstrip()
    return f"{begin}{CUT}" if begin else ""


def _take_beginning(text: str, size: int, room: int, font: str, end: str = "") -> str:
    """Return the longest beginning of a string that fits the room, before this end."""
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if measure_width(text[:middle] + end, size, font) <= room else (least, middle - 1)
    return text[:least]


@functools.lru_cache(4096)
def measure_width(text: str, size: int, font: str = "") -> float:
    """Return the pixels that a string takes on one line."""
    return sum(loaded.getlength(part) for loaded, part in _split_runs(text, size, font))


def find_largest(labels: Sequence[str], room: int, height: int, zoom: float = 1.0, font: str = "") -> int | None:
    """Return the largest size at which all labels fit `room` × `height` pixels in at most 3 lines, or None.

    The sizes are those of a usual sheet times `zoom`.
    """
    longest_first = sorted(labels, key=len, reverse=True)
    for size in range(round(LARGEST * zoom), round(SMALLEST * zoom) - 1, -1):
        lines = min(MOST_LINES, height // get_line_height(size))
        if lines and all(_fits(label, size, room, lines, font) for label in longest_first):
            return size
    return None


def _fits(text: str, size: int, room: int, lines: int, font: str) -> bool:
    if len(text) > 400:  # no room is that large
        return False
    broken = _break_words(text, size, room, font)
    return len(broken) <= lines and all(measure_width(line, size, font) <= room for line in broken)


def list_baselines(number: int, size: int, middle: float) -> list[float]:
    """Return where so many lines stand that are written around a middle."""
    first = middle - get_line_height(size) * (number - 1) / 2
    # The middle between the foot and the head of small characters, so that a line is where it seems to.
    foot = first + size * 0.34
    return [foot + place * get_line_height(size) for place in range(number)]


def write(
    draw: ImageDraw,
    lines: Sequence[str],
    size: int,
    at: tuple[float, float],
    colour: str | int,
    anchor: str = "m",
    font: str = "",
) -> None:
    """Draw lines one below the other around `at`, their middle: `anchor` is `l`, `m` or `r` as in Pillow."""
    for line, y in zip(lines, list_baselines(len(lines), size, at[1]), strict=True):
        left = at[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor] * measure_width(line, size, font)
        for loaded, part in _split_runs(line, size, font):
            draw.text((left, y), part, fill=colour, font=loaded, anchor="ls")
            left += loaded.getlength(part)
