"""JPEG's application segments: EXIF and XMP in APP1, each of 64 KiB at most.

After ITU-T T.81, annex B, the EXIF specification, section 4.7.2, and the XMP specification, part 3, section 1.1.3. A
longer packet continues in further segments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..parts import ALONE, SCAN, Part, find_marker, jpeg_segments
from . import exif, xmp
from .codings import decode_any
from .texts import MOST_TEXT, Found, Written, make_damaged_error, make_length_error

_EXIF: Final = b"Exif\0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"

_MOST: Final = 65533
"""The most bytes that a segment holds: its length, in two bytes, includes these two."""

_APP0, _APP1, _APP11, _COM = 0xE0, 0xE1, 0xEB, 0xFE


class _Segment(NamedTuple):
    marker: int
    raw: bytes
    body: bytes

    def is_app1(self, *heads: bytes) -> bool:
        return self.marker == _APP1 and self.body.startswith(heads)

    @property
    def box(self) -> bytes:
        """The identity of a box among APP11 segments (ISO/IEC 18477-3); empty if the segment holds none."""
        return self.body[:4] if self.marker == _APP11 and self.body.startswith(b"JP") else b""

    @property
    def signs(self) -> bool:
        """True if content credentials begin here: a JUMBF box whose description has C2PA's type."""
        return bool(self.box) and self.body[12:16] == b"jumb" and b"jumdc2pa" in self.body[16:40]


def embed(data: bytes, carried: Written) -> bytes:
    """Return the JPEG with these strings in APP1 segments after the APP0 ones.

    A1111's text is left out if it does not fit into a segment.
    """
    segments, rest = _split_segments(data)
    kept = _remove_texts(segments)
    head = next((place for place, segment in enumerate(kept) if segment.marker != _APP0), len(kept))
    ours = [*_make_exif_segments(segments, carried), *_make_xmp_segments(carried)]
    before, after = (b"".join(segment.raw for segment in part) for part in (kept[:head], kept[head:]))
    return b"".join([data[:2], before, *ours, after, rest])


def remove_metadata(data: bytes) -> bytes:
    """Return the JPEG without its EXIF and XMP."""
    segments, rest = _split_segments(data)
    return b"".join([data[:2], *(segment.raw for segment in _remove_texts(segments)), rest])


def read(data: bytes) -> Found:
    """Return the strings in the JPEG's EXIF, its XMP and its comment."""
    segments, _rest = _split_segments(data)
    packet = next((segment.body[len(_XMP) :] for segment in segments if segment.is_app1(_XMP)), b"")
    record = xmp.read_record(packet) or xmp.read_record(_join_extension(segments, packet))
    texts = {**exif.read_texts(_join_tiff(segments), "JPEG"), **xmp.read_texts(packet), **_join_comment(segments)}
    return Found(texts.get(exif.COMMENT, ""), record, packet.decode("utf-8", "replace"), texts)


def has_credentials(data: bytes) -> bool:
    """Return True if the JPEG has content credentials (C2PA), or its XMP says where they are."""
    segments, _rest = _split_segments(data)
    return any(segment.signs for segment in segments) or _has_named_credentials(segments)


def remove_credentials(data: bytes) -> bytes:
    """Return the JPEG without its content credentials, and without an XMP that says where they are."""
    segments, rest = _split_segments(data)
    boxes = {segment.box for segment in segments if segment.signs}
    heads = (_XMP, _MORE_XMP) if _has_named_credentials(segments) else ()
    kept = [one.raw for one in segments if one.box not in boxes and not (heads and one.is_app1(*heads))]
    return b"".join([data[:2], *kept, rest])


def _has_named_credentials(segments: Iterable[_Segment]) -> bool:
    return any(xmp.has_named_credentials(one.body[len(_XMP) :]) for one in segments if one.is_app1(_XMP))


def _split_segments(data: bytes) -> tuple[list[_Segment], bytes]:
    """Return the segments before the first scan, and the rest. Fill bytes belong to what they precede."""
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
        raise make_damaged_error("JPEG", f"there is no marker at byte {position}")
    raise make_damaged_error("JPEG", "it ends before its first scan")


def _check(data: bytes, part: Part) -> None:
    """Raise NotAnImage if the segment has no marker, or does not fit into the file."""
    marker, length = part.name[0], data[part.body - 2 : part.body]
    if not marker:
        raise make_damaged_error("JPEG", f"there is no marker at byte {part.start}")
    if marker not in ALONE and length in {b"\0\0", b"\0\1"}:
        raise make_damaged_error("JPEG", f"its segment FF{marker:02X} has a length of {length[1]}")
    if part.end > len(data):
        raise make_damaged_error("JPEG", f"its segment FF{marker:02X} reaches beyond the end of the file")


def _remove_texts(segments: Iterable[_Segment]) -> list[_Segment]:
    return [segment for segment in segments if not segment.is_app1(_EXIF, _XMP, _MORE_XMP)]


def _join_tiff(segments: Iterable[_Segment]) -> bytes:
    """Join the contents of the EXIF segments: several are parts of one whole, as Pillow and exiftool read them."""
    return b"".join(segment.body[len(_EXIF) :] for segment in segments if segment.is_app1(_EXIF))


def _join_comment(segments: Iterable[_Segment]) -> dict[str, str]:
    """Return what the comment segments hold; a long one goes on in the next segment."""
    whole = b"".join(segment.body for segment in segments if segment.marker == _COM)
    if len(whole) > MOST_TEXT:
        raise make_length_error("JPEG", "its comment")
    text = decode_any(whole)
    return {"JPEG comment": text} if text else {}


def _make_exif_segments(segments: Iterable[_Segment], carried: Written) -> list[bytes]:
    """Return the EXIF with A1111's text if it fits, else without it, else (if it filled several segments) unchanged."""
    tiff = _join_tiff(segments)
    for comment in (carried.parameters, ""):
        whole = exif.set_comment(tiff, comment)
        if not whole:
            return []
        if len(_EXIF + whole) <= _MOST:
            return [_make_app1(_EXIF + whole)]
    return [segment.raw for segment in segments if segment.is_app1(_EXIF)]


def _make_xmp_segments(carried: Written) -> list[bytes]:
    whole = _XMP + xmp.make_packet(carried, with_record=True)
    if len(whole) <= _MOST:
        return [_make_app1(whole)]
    main, extension, guid = xmp.make_extended(carried)
    head = _MORE_XMP + guid
    size = _MOST - len(head) - 8
    return [
        _make_app1(_XMP + main),
        *(
            _make_app1(head + struct.pack(">II", len(extension), place) + extension[place : place + size])
            for place in range(0, len(extension), size)
        ),
    ]


def _make_app1(body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, _APP1, len(body) + 2) + body


def _join_extension(segments: Iterable[_Segment], packet: bytes) -> bytes:
    """Join the extension that a main packet names; empty if parts of it are missing."""
    guid = xmp.read_extension_name(packet)
    head = _MORE_XMP + guid
    parts = [segment.body[len(head) :] for segment in segments if guid and segment.is_app1(head)]
    if sum(map(len, parts)) > MOST_TEXT:
        raise make_length_error("JPEG", "its extended XMP")
    placed = sorted((int.from_bytes(part[4:8], "big"), part[8:]) for part in parts)
    whole = bytearray()
    for place, part in placed:
        if place == len(whole):
            whole += part
    return bytes(whole) if parts and len(whole) == int.from_bytes(parts[0][:4], "big") else b""
