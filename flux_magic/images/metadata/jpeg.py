"""JPEG's application segments: EXIF and XMP in APP1, each of 64 KiB at most.

After ITU-T T.81, annex B, the EXIF specification, section 4.7.2, and the XMP specification, part 3, section
1.1.3, which has a longer packet go on in further segments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..parts import ALONE, SCAN, Part, find_marker, jpeg_segments
from . import exif, xmp
from .codings import decode_any
from .texts import MOST_TEXT, Found, Written, damaged, too_long

_EXIF: Final = b"Exif\0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"

_MOST: Final = 65533
"""What a segment holds: its length, in two bytes, counts these two as well."""

_APP0, _APP1, _APP11, _COM = 0xE0, 0xE1, 0xEB, 0xFE


class _Segment(NamedTuple):
    marker: int
    raw: bytes
    body: bytes

    def is_app1(self, *heads: bytes) -> bool:
        return self.marker == _APP1 and self.body.startswith(heads)

    @property
    def box(self) -> bytes:
        """What tells one box of an APP11 segment from another (ISO/IEC 18477-3); empty where it holds none."""
        return self.body[:4] if self.marker == _APP11 and self.body.startswith(b"JP") else b""

    @property
    def signs(self) -> bool:
        """Whether content credentials begin here: a JUMBF box whose description is of C2PA's type."""
        return bool(self.box) and self.body[12:16] == b"jumb" and b"jumdc2pa" in self.body[16:40]


def embed(data: bytes, carried: Written) -> bytes:
    """The JPEG with these texts in APP1 segments behind the APP0 ones.

    A1111's text is left out where it does not fit into a segment.
    """
    segments, rest = _segments(data)
    kept = _without_texts(segments)
    head = next((place for place, segment in enumerate(kept) if segment.marker != _APP0), len(kept))
    ours = [*_exif_segments(segments, carried), *_xmp_segments(carried)]
    before, after = (b"".join(segment.raw for segment in part) for part in (kept[:head], kept[head:]))
    return b"".join([data[:2], before, *ours, after, rest])


def bare(data: bytes) -> bytes:
    """The JPEG without its EXIF and XMP."""
    segments, rest = _segments(data)
    return b"".join([data[:2], *(segment.raw for segment in _without_texts(segments)), rest])


def read(data: bytes) -> Found:
    """Return the strings in the JPEG's EXIF, its XMP and its comment."""
    segments, _rest = _segments(data)
    packet = next((segment.body[len(_XMP) :] for segment in segments if segment.is_app1(_XMP)), b"")
    record = xmp.record_in(packet) or xmp.record_in(_extension(segments, packet))
    texts = {**exif.texts_in(_tiff(segments), "JPEG"), **xmp.texts_in(packet), **_comment(segments)}
    return Found(texts.get(exif.COMMENT, ""), record, packet.decode("utf-8", "replace"), texts)


def has_credentials(data: bytes) -> bool:
    """Return if the JPEG has content credentials (C2PA), or its XMP says where they are."""
    segments, _rest = _segments(data)
    return any(segment.signs for segment in segments) or _names_credentials(segments)


def without_credentials(data: bytes) -> bytes:
    """The JPEG without its content credentials, and without an XMP that says where they are."""
    segments, rest = _segments(data)
    boxes = {segment.box for segment in segments if segment.signs}
    heads = (_XMP, _MORE_XMP) if _names_credentials(segments) else ()
    kept = [one.raw for one in segments if one.box not in boxes and not (heads and one.is_app1(*heads))]
    return b"".join([data[:2], *kept, rest])


def _names_credentials(segments: Iterable[_Segment]) -> bool:
    return any(xmp.names_credentials(one.body[len(_XMP) :]) for one in segments if one.is_app1(_XMP))


def _segments(data: bytes) -> tuple[list[_Segment], bytes]:
    """What comes before the first scan, and the rest from there on. Fill bytes belong to what they precede."""
    segments: list[_Segment] = []
    position = 2
    for part in jpeg_segments(data):
        marker = part.name[0]
        if marker in SCAN:
            return segments, data[part.start :]
        _check(data, part)
        segments.append(_Segment(marker, data[part.start : part.end], data[part.body : part.end]))
        position = part.end
    if find_marker(data, position) < len(data):
        raise damaged("JPEG", f"there is no marker at byte {position}")
    raise damaged("JPEG", "it ends before its first scan")


def _check(data: bytes, part: Part) -> None:
    """Raise NotAnImage if the segment has no marker, or does not fit into the file."""
    marker, length = part.name[0], data[part.body - 2 : part.body]
    if not marker:
        raise damaged("JPEG", f"there is no marker at byte {part.start}")
    if marker not in ALONE and length in {b"\0\0", b"\0\1"}:
        raise damaged("JPEG", f"its segment FF{marker:02X} has a length of {length[1]}")
    if part.end > len(data):
        raise damaged("JPEG", f"its segment FF{marker:02X} reaches beyond the end of the file")


def _without_texts(segments: Iterable[_Segment]) -> list[_Segment]:
    return [segment for segment in segments if not segment.is_app1(_EXIF, _XMP, _MORE_XMP)]


def _tiff(segments: Iterable[_Segment]) -> bytes:
    """What the EXIF segments hold: more than one are parts of one whole, as Pillow and exiftool have it."""
    return b"".join(segment.body[len(_EXIF) :] for segment in segments if segment.is_app1(_EXIF))


def _comment(segments: Iterable[_Segment]) -> dict[str, str]:
    """Return what the comment segments hold; a long one goes on in the next segment."""
    whole = b"".join(segment.body for segment in segments if segment.marker == _COM)
    if len(whole) > MOST_TEXT:
        raise too_long("JPEG", "its comment")
    text = decode_any(whole)
    return {"JPEG comment": text} if text else {}


def _exif_segments(segments: Iterable[_Segment], carried: Written) -> list[bytes]:
    """The EXIF with A1111's text if that fits, else without, else (it filled several segments) as it is."""
    tiff = _tiff(segments)
    for comment in (carried.parameters, ""):
        whole = exif.with_comment(tiff, comment)
        if not whole:
            return []
        if len(_EXIF + whole) <= _MOST:
            return [_app1(_EXIF + whole)]
    return [segment.raw for segment in segments if segment.is_app1(_EXIF)]


def _xmp_segments(carried: Written) -> list[bytes]:
    whole = _XMP + xmp.packet(carried, with_record=True)
    if len(whole) <= _MOST:
        return [_app1(whole)]
    main, extension, guid = xmp.extended(carried)
    head = _MORE_XMP + guid
    size = _MOST - len(head) - 8
    return [
        _app1(_XMP + main),
        *(
            _app1(head + struct.pack(">II", len(extension), place) + extension[place : place + size])
            for place in range(0, len(extension), size)
        ),
    ]


def _app1(body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, _APP1, len(body) + 2) + body


def _extension(segments: Iterable[_Segment], packet: bytes) -> bytes:
    """The extension that a main packet names, put together; empty where parts of it are missing."""
    guid = xmp.extension_named_in(packet)
    head = _MORE_XMP + guid
    parts = [segment.body[len(head) :] for segment in segments if guid and segment.is_app1(head)]
    if sum(map(len, parts)) > MOST_TEXT:
        raise too_long("JPEG", "its extended XMP")
    placed = sorted((int.from_bytes(part[4:8], "big"), part[8:]) for part in parts)
    whole = bytearray()
    for place, part in placed:
        if place == len(whole):
            whole += part
    return bytes(whole) if parts and len(whole) == int.from_bytes(parts[0][:4], "big") else b""
