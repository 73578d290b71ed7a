"""Bounds on the parts of an image file: how many there are, and how large a frame they tell."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

from ..errors import NotAnImage

MOST_PARTS: Final = 100_000
"""A file of more chunks, segments or blocks than this is not read."""

_FILL: Final = re.compile(rb"\xff*")
ALONE: Final = {0x01, *range(0xD0, 0xD9)}
"""The markers of a JPEG that have no length after them."""

_SOS, _EOI = 0xDA, 0xD9


def check_parts(data: bytes) -> None:
    """Raise NotAnImage if a PNG, JPEG or WebP has too many parts; if it is damaged, that is told elsewhere."""
    if data.startswith(b"\x89PNG"):
        _count("PNG", _png_chunks(data))
    elif data.startswith(b"\xff\xd8"):
        _count("JPEG", _jpeg_segments(data))
    elif data.startswith(b"RIFF"):
        _count("WebP", _webp_chunks(data))


def told_size(data: bytes) -> tuple[int, int]:
    """Return the width and height of a WebP's canvas or a GIF's first frame, for which memory is taken at once."""
    if data[:4] == b"RIFF" and data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    return _gif_size(data) if data.startswith(b"GIF8") else (0, 0)


def _count(kind: str, steps: Iterator[int]) -> None:
    total = 0
    for step in steps:
        total += step
        if total > MOST_PARTS:
            raise NotAnImage(f"this {kind} is not read: it has over {MOST_PARTS:,} parts")


def _png_chunks(data: bytes) -> Iterator[int]:
    place = 8
    while place + 12 <= len(data):
        yield 1
        if data[place + 4 : place + 8] == b"IEND":
            return
        place += 12 + int.from_bytes(data[place : place + 4], "big")


def _webp_chunks(data: bytes) -> Iterator[int]:
    place, end = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while place + 8 <= end:
        yield 1
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + size + size % 2


def _jpeg_segments(data: bytes) -> Iterator[int]:
    """Yield 1 for each segment before the first scan, and 1 for each fill byte before its marker."""
    place = 2
    while place + 4 <= len(data):
        marker = find_marker(data, place)
        yield max(1, marker - place)
        if marker >= len(data) or marker == place or data[marker] in {_SOS, _EOI}:
            return
        place = marker + 1
        if data[marker] not in ALONE:
            place += max(2, int.from_bytes(data[place : place + 2], "big"))


def find_marker(data: bytes, place: int) -> int:
    """Return the place of the marker's own byte behind the fill bytes here; the same place if there are none."""
    found = _FILL.match(data, place)
    return found.end() if found else place


def _gif_size(data: bytes) -> tuple[int, int]:
    """Return the size of the screen, or of a first frame that is larger."""
    size = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    flags = data[10] if len(data) > 10 else 0
    place = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    for _ in range(MOST_PARTS):
        head = data[place : place + 9]
        if head[:1] == b"\x2c" and len(head) == 9:
            left, top, width, height = struct.unpack_from("<4H", head, 1)
            return max(size[0], left + width), max(size[1], top + height)
        if head[:1] != b"\x21":
            break
        place = _behind_blocks(data, place + 2)
    return size


def _behind_blocks(data: bytes, place: int) -> int:
    """Return where the blocks of a GIF's extension end: each has its size before it, and the last has none."""
    for _ in range(MOST_PARTS):
        size = int.from_bytes(data[place : place + 1], "big")
        place += 1 + size
        if not size:
            break
    return place
