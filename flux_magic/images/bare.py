"""A file with its pixels and colours alone: without a camera's data, strings, signatures and what is behind its end.

Only what a decoder needs is kept, so that nothing private leaves with an image, whatever a camera or a tool wrote.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import NotAnImage
from .parts import ALONE, find_marker, png_chunks, webp_chunks

_PNG: Final = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"),
    *(b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT"),
}
_WEBP: Final = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP"}
_WEBP_FLAGS: Final = 0x30
"""The flags of a WebP's header that stay: a colour profile, and alpha."""

_COLOURS: Final = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""The application segments of a JPEG that a decoder reads, by their marker."""

_JFIF: Final = 18
"""Bytes of a JFIF segment without a thumbnail, its marker and length included."""

_COMMENT, _SCAN, _END = 0xFE, 0xDA, 0xD9
_NEXT: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""The next marker in the coded data of a JPEG's scan."""


def remove_all_but_pixels(data: bytes, media_type: str) -> bytes:
    """Return a PNG, JPEG or WebP without anything that does not shape its pixels; they are not encoded again.

    Raises NotAnImage for a file whose parts cannot be followed.
    """
    return {"image/png": _strip_png, "image/jpeg": _strip_jpeg, "image/webp": _strip_webp}[media_type](data)


def _strip_png(data: bytes) -> bytes:
    parts = list(png_chunks(data))
    if not parts or parts[-1].name != b"IEND" or parts[-1].end > len(data):
        raise NotAnImage("the PNG ends before its IEND chunk")
    return data[:8] + b"".join(data[one.start : one.end] for one in parts if one.name in _PNG)


def _strip_webp(data: bytes) -> bytes:
    kept = []
    for one in webp_chunks(data):
        body = data[one.body : one.end]
        if one.name == b"VP8X":
            body = bytes([body[0] & _WEBP_FLAGS]) + body[1:]
        if one.name in _WEBP:
            kept.append(one.name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2))
    whole = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(whole).to_bytes(4, "little") + whole


def _strip_jpeg(data: bytes) -> bytes:
    kept, place = [data[:2]], 2
    while place < len(data):
        marker = find_marker(data, place)
        if marker in {place, len(data)}:
            raise NotAnImage(f"the JPEG has no marker at byte {place}")
        kind, end = data[marker], marker + 1
        if kind == _END:
            return b"".join([*kept, b"\xff\xd9"])
        if kind not in ALONE:
            end += max(2, int.from_bytes(data[end : end + 2], "big"))
        if kind == _SCAN:
            coded = _NEXT.search(data, end)
            end = coded.start() if coded else len(data)
        if _is_needed(kind, data[marker + 3 : end], end - marker + 1):
            kept.append(b"\xff" + data[marker:end])
        place = end
    return b"".join([*kept, b"\xff\xd9"])


def _is_needed(kind: int, body: bytes, size: int) -> bool:
    """Return True for a segment that a decoder reads; a JFIF segment with a thumbnail is left out."""
    if kind in _COLOURS:
        return body.startswith(_COLOURS[kind]) and (kind != 0xE0 or size <= _JFIF)
    return kind != _COMMENT and not 0xE0 <= kind <= 0xEF
