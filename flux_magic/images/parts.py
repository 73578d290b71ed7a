"""The parts of an image file: the chunks of a PNG or a WebP and the segments of a JPEG, within bounds."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..errors import NotAnImage

MOST_PARTS: Final = 100_000
"""A file of more chunks, segments or blocks than this is not read."""

_FILL: Final = re.compile(rb"\xff*")
ALONE: Final = {0x01, *range(0xD0, 0xD9)}
"""The markers of a JPEG that have no length after them."""

SCAN: Final = {0xDA, 0xD9}
"""The markers of a JPEG that end its segments: a scan begins, or the image ends."""


class Part(NamedTuple):
    """One part as its own head tells it: in a damaged file its `end` is beyond that of the file.

    Attributes:
        name: four bytes, or the one of a JPEG's marker.
        start: where its head begins, in a JPEG with the fill bytes before it.
        body: where its content begins; a JPEG's marker may have none.
        end: where it ends; of a WebP without the byte that makes it even.
    """

    name: bytes
    start: int
    body: int
    end: int


def check_parts(data: bytes) -> None:
    """Raise NotAnImage if a PNG, JPEG or WebP has too many parts; if it is damaged, that is told elsewhere."""
    for beginning, walk in ((b"\x89PNG", png_chunks), (b"\xff\xd8", jpeg_segments), (b"RIFF", webp_chunks)):
        if data.startswith(beginning):
            for _ in walk(data):
                pass


def read_told_size(data: bytes) -> tuple[int, int]:
    """Return the width and height of a WebP's canvas or a GIF's first frame, for which memory is taken at once."""
    if data[:4] == b"RIFF" and data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    return _read_gif_size(data) if data.startswith(b"GIF8") else (0, 0)


def png_chunks(data: bytes) -> Iterator[Part]:
    """Yield the chunks of a PNG up to IEND, or to where the file ends; raises NotAnImage if there are too many."""
    counted, place = _counted("PNG"), 8
    while place + 12 <= len(data):
        next(counted)
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        part = Part(data[place + 4 : place + 8], place, place + 8, end)
        yield part
        if part.name == b"IEND":
            return
        place = end


def webp_chunks(data: bytes) -> Iterator[Part]:
    """Yield the chunks of a WebP up to the end that its head tells; raises NotAnImage if there are too many."""
    counted, place, whole = _counted("WebP"), 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while place < whole:
        next(counted)
        end = place + 8 + int.from_bytes(data[place + 4 : place + 8], "little")
        yield Part(data[place : place + 4], place, place + 8, end)
        place = end + (end - place) % 2


def jpeg_segments(data: bytes) -> Iterator[Part]:
    """Yield the segments of a JPEG up to the first scan; raises NotAnImage if there are too many, fill bytes counted.

    It ends sooner if there is no marker.
    """
    counted, place = _counted("JPEG"), 2
    while place < len(data):
        marker = find_marker(data, place)
        for _ in range(marker - place):
            next(counted)
        if marker in {place, len(data)}:
            return
        body = end = marker + 1
        if data[marker] not in ALONE and data[marker] not in SCAN:
            body, end = end + 2, end + max(2, int.from_bytes(data[end : end + 2], "big"))
        yield Part(data[marker : marker + 1], place, body, end)
        if data[marker] in SCAN:
            return
        place = end


def _counted(kind: str) -> Iterator[int]:
    yield from range(MOST_PARTS)
    raise NotAnImage(f"this {kind} is not read: it has over {MOST_PARTS:,} parts")


def find_marker(data: bytes, place: int) -> int:
    """Return the place of the marker's own byte behind the fill bytes here; the same place if there are none."""
    found = _FILL.match(data, place)
    return found.end() if found else place


def _read_gif_size(data: bytes) -> tuple[int, int]:
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
        place = _skip_blocks(data, place + 2)
    return size


def _skip_blocks(data: bytes, place: int) -> int:
    """Return where the blocks of a GIF's extension end: each has its size before it, and the last has none."""
    for _ in range(MOST_PARTS):
        size = int.from_bytes(data[place : place + 1], "big")
        place += 1 + size
        if not size:
            break
    return place
