"""A size in pixels as people write it, `1024x768` or `(1024, 768)`, and the size that an aspect ratio means."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final, SupportsIndex

from ..errors import InvalidRequest, show_value

EXAMPLE: Final = "1024x768"

SIZE_STEP: Final = 8
"""Widths and heights are rounded down to a multiple of this many pixels before they are sent."""

_SHAPES: Final = {"square": "1024x1024", "portrait": "768x1024", "landscape": "1024x768", "wide": "1344x768"}
_PIXELS: Final = 1024 * 1024
_LARGEST_RATIO: Final = 64
"""Two numbers above this are pixels, not a ratio."""


def format_size(width: int, height: int) -> str:
    """Return a size as it is typed: `512x768`."""
    return f"{width}x{height}"


def round_down(length: Any, step: int) -> Any:
    """Return a length rounded down to a multiple of `step`, as it is sent."""
    return length - length % step


def split_sides(size: str) -> tuple[int, int]:
    """Return the width and height of a size that `format_size` wrote."""
    width, height = size.split("x")
    return int(width), int(height)


def parse_size(text: str) -> tuple[int, int] | None:
    """Return the width and height that `1024x768` says, or None for any other string."""
    match = re.fullmatch(r"([0-9]{1,6})[x×X]([0-9]{1,6})", text)
    return (int(match[1]), int(match[2])) if match else None


def read_size(value: Any) -> tuple[int, int]:
    """Return the width and height of a size given in Python: `"1024x768"`, `(1024, 768)`, or an array of two.

    Raises InvalidRequest for anything else.
    """
    if isinstance(value, str):
        found = parse_size(re.sub(r"\s*([x×X])\s*", r"\1", value.strip()))
        if found is not None:
            return found
    else:
        pair = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(pair, Sequence) and len(pair) == 2 and not any(map(_is_no_number, pair)):
            return operator.index(pair[0]), operator.index(pair[1])
    meant = suggest_size(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    question = f"did you mean '{meant}'? Give" if meant else "give"
    raise InvalidRequest(f"size is {show_value(value)}: {question} width x height in pixels, for example '{EXAMPLE}'")


def _is_no_number(value: object) -> bool:
    return isinstance(value, bool) or not isinstance(value, SupportsIndex)


def suggest_size(text: str) -> str:
    """Return the size that a string which is none was probably meant as, or ""."""
    plain = unicodedata.normalize("NFKC", text).strip().strip("()[]{}\"'“”").lower().replace("px", "")
    if plain in _SHAPES:
        return _SHAPES[plain]
    if match := re.fullmatch(r"([0-9.]{1,6})\s*[x×✕*,;:/ ]\s*([0-9.]{1,6})", plain):
        return _pick_of_two(match[1], match[2])
    return format_size(int(plain), int(plain)) if re.fullmatch(r"[0-9]{2,5}", plain) else ""


def _pick_of_two(first: str, second: str) -> str:
    try:
        width, height = float(first), float(second)
    except ValueError:
        return ""
    if min(width, height) <= 0:
        return ""
    if max(width, height) <= _LARGEST_RATIO:
        return format_size(*fit_ratio(width / height))
    return format_size(int(width), int(height)) if first.isdecimal() and second.isdecimal() else ""


def fit_ratio(ratio: float) -> tuple[int, int]:
    """Return a width and height of about a megapixel for an aspect ratio: 1344 and 768 for 16/9."""
    width = (_PIXELS * ratio) ** 0.5
    return _round_side(width), _round_side(width / ratio)


def _round_side(side: float) -> int:
    return min(max(round(side / 64) * 64, 256), 2048)
