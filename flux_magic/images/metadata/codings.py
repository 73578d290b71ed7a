"""Decoding of strings whose encoding is uncertain: EXIF's UserComment and the like, as tools write them.

The EXIF specification has an 8-byte code before a UserComment. Tools leave it out, or write UTF-8 or either byte order
of UTF-16 behind any of them. So the code is a hint, and the content decides.
"""

from __future__ import annotations

import codecs
import itertools
import re
import string
import unicodedata
from collections import Counter
from typing import Final

_CODES: Final = {b"UNICODE", b"ASCII", b"JIS", b"UTF-8", b"UTF8", b""}
_BOMS: Final = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_OURS: Final = "Version: flux_magic "
_BETWEEN: Final = {*string.whitespace, *string.punctuation}
_SAMPLE: Final = 4000
"""The number of characters that decide the byte order."""

_FEWEST_UTF8: Final = 16
"""UTF-16 of fewer bytes than this may be ASCII by chance: "你好" is b"O`Y}"."""

_CONTROLS: Final = re.compile(r"[\0-\x09\x0b\x0c\x0e-\x1f\x7f]")
"""Characters that UTF-16 of other scripts contains when read as ASCII: Devanagari is full of tabs."""

_COMMON: Final = (
    (0x21, 0x250),  # Latin
    (0x370, 0x530),  # Greek, Cyrillic
    (0x590, 0x700),  # Hebrew, Arabic
    (0x900, 0xE80),  # Devanagari to Thai
    (0x2010, 0x2070),  # punctuation
    (0x20A0, 0x2800),  # symbols
    (0x3000, 0x3100),  # kana
    (0x4E00, 0xA000),  # Chinese characters
    (0xAC00, 0xD7A4),  # Hangul
    (0xFF00, 0xFFF0),  # wide forms
    (0x1F000, 0x1FB00),  # emoji
)


def decode_comment(value: bytes) -> str:
    """Return the string in a UserComment, by its code and content."""
    code = value[:8].rstrip(b"\0 ").upper()
    if len(value) < 8 or value[7] not in b"\0 " or code not in _CODES:
        return decode_any(value)
    if code == b"UNICODE":
        return decode_wide(value[8:])
    return _decode_japanese(value[8:]) if code == b"JIS" else decode_any(value[8:])


def decode_any(value: bytes) -> str:
    """Return the string in bytes of which nothing is known; UTF-8 is the likeliest coding."""
    if (marked := _decode_by_mark(value)) is not None:
        return marked
    body = value.strip(b"\0")
    if body.count(0) * 4 >= len(body) > 1:
        return decode_wide(value)
    plain = _decode_utf8(body)
    if plain is not None and len(_CONTROLS.findall(plain[:_SAMPLE])) * 4 < max(len(plain[:_SAMPLE]), 1):
        return plain
    candidates = [plain] if plain is not None else [body.decode("latin-1")]
    return min((*candidates, *_decode_wide(value)), key=_compute_cost)


def decode_wide(value: bytes) -> str:
    """Return the string in UTF-16 of either byte order, or in UTF-8 that claims to be UTF-16."""
    if (marked := _decode_by_mark(value)) is not None:
        return marked
    body = value.rstrip(b"\0")
    plain = _decode_utf8(body)
    # Odd length, a space, or valid UTF-8 means that it is not UTF-16, however short it is.
    telling = len(body) >= _FEWEST_UTF8 or len(body) % 2 or b" " in body
    if plain is not None and not _CONTROLS.search(plain) and (telling or len(plain) < len(body)):
        return plain
    big, little = _decode_wide(value)
    # Our own comments are big-endian, whatever characters the prompt has.
    return big if _OURS in big else min(big, little, key=_compute_cost)


def decode_latin(value: bytes) -> str:
    """Return the string of a PNG chunk that should be in Latin-1, where many tools write UTF-8."""
    plain = _decode_utf8(value)
    return value.decode("latin-1") if plain is None else plain


def _decode_utf8(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _decode_wide(value: bytes) -> tuple[str, str]:
    """Decode as UTF-16, big-endian and little-endian; a last half of a character is completed."""
    even = value + b"\0" * (len(value) % 2)
    big, little = (even.decode(f"utf-16-{order}", "replace").rstrip("\0") for order in ("be", "le"))
    return big, little


def _decode_by_mark(value: bytes) -> str | None:
    for mark, coding in _BOMS.items():
        if value.startswith(mark):
            return value[len(mark) :].decode(coding, "replace").rstrip("\0\ufffd")
    return None


def _decode_japanese(value: bytes) -> str:
    body = value.strip(b"\0")
    for coding in ["iso2022_jp"] if b"\x1b" in body else ["utf-8", "shift_jis", "euc_jp"]:
        try:
            return decode_any(value) if 0 in body else body.decode(coding)
        except UnicodeDecodeError:
            continue
    return decode_any(value)


def _compute_cost(text: str) -> float:
    """Return how unlikely a person is to have written a string, in rare characters and in changes of script."""
    sample = text[:_SAMPLE]
    blocks = [_find_block(character) for character in sample if character not in _BETWEEN]
    changes = sum(one != other for one, other in itertools.pairwise(blocks))
    rare = sum(_weigh(character) * times for character, times in Counter(sample).items())
    return (rare + 2 * changes) / max(len(sample), 1)


def _weigh(character: str) -> int:
    number = ord(character)
    if character in "\t\n\r" or 0x20 <= number < 0x7F:
        return 0
    if unicodedata.category(character) in {"Cn", "Co", "Cs", "Cc"}:
        return 16
    return 4 if _find_block(character) < 0 else 1


def _find_block(character: str) -> int:
    """Return the place of a character in `_COMMON`, or -1."""
    number = ord(character)
    return next((place for place, (first, end) in enumerate(_COMMON) if first <= number < end), -1)
