"""Formats of files by their content: the five that are kept and shown, and those that an error names."""

from __future__ import annotations

import re
import zlib
from typing import Final

from ..errors import NotAnImage, UnreadableFormat
from .bounded_json import parse_json

MEDIA_TYPES: Final = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WebP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}
"""The formats that are kept as delivered and shown, with their media types."""

READ: Final = "PNG, JPEG, WebP, GIF or AVIF"
"""The same formats as a message lists them."""

EMPTY: Final = "empty"
PAGE: Final = "a web page"
UNKNOWN: Final = "of an unknown format"
_BY_CHANCE: Final = {EMPTY, PAGE, UNKNOWN, "JSON", "plain text"}
"""Formats that a Space sends after an error. Retrying makes sense for these; other formats would come again."""

_HEAD: Final = 64 * 1024
"""The number of bytes that are examined; the media type needs the first 12, except for HEIF and AVIF."""

_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\2\0", "ICO"),
    (b"icns", "ICNS"),
    (b"8BPS", "PSD"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"gimp xcf", "XCF"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "PostScript"),
    (b"OggS", "Ogg"),
    (b"ID3", "MP3"),
    (b"glTF", "a glTF model"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)
_RIFF: Final = {b"WEBP": "WebP", b"AVI ": "an AVI video", b"WAVE": "WAV"}
_CODED: Final = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIC"),
}
"""The brands of ISO base media files that name an image's coding: of a container's, any of its brands may."""
_MAJOR: Final = {
    **_CODED,
    **dict.fromkeys((b"qt  ",), "a QuickTime video"),
    **dict.fromkeys((b"crx ",), "a camera's raw file"),
    **dict.fromkeys((b"M4A ", b"M4B "), "M4A"),
}
_CONTAINERS: Final = {b"mif1", b"mif2", b"msf1", b"miaf"}


def detect_media_type(data: bytes) -> str | None:
    """Return the media type of a PNG, JPEG, WebP, GIF or AVIF by its first bytes, None for anything else."""
    return MEDIA_TYPES.get(_name_binary(data[:_HEAD]))


def name_format(data: bytes) -> str:
    """Return the name of a file's format, as it follows "the file is": `HEIC`, `a web page`, `empty`."""
    if not data:
        return EMPTY
    return _name_binary(data[:_HEAD]) or _name_gzip(data) or _name_string(data) or UNKNOWN


def make_refusal(subject: str, data: bytes, hint: str = "") -> NotAnImage:
    """Return the error for a file that is not one of the formats that are read; `subject` says which file."""
    name = name_format(data)
    if name in _BY_CHANCE:
        return NotAnImage(f"{subject} is {name}, not {READ}", hint)
    return UnreadableFormat(f"{subject} is {name}, which flux_magic cannot show", hint)


def _name_binary(head: bytes) -> str:
    return next((name for beginning, name in _BEGINNINGS if head.startswith(beginning)), "") or _name_boxed(head)


def _name_boxed(head: bytes) -> str:
    """Name a file whose first bytes alone do not tell what is inside."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _name_iso_media(head)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "a WebM video" if b"webm" in head[:64] else "a Matroska video"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in {12, 16, 40, 52, 56, 64, 108, 124}:
        return "BMP"
    return "PNM" if re.match(rb"P[1-7]\s", head) else ""


def _name_iso_media(head: bytes) -> str:
    """Name an ISO base media file by its major brand, else by those that it is compatible with."""
    major, end = head[8:12], min(int.from_bytes(head[:4], "big"), 1024)
    if major in _MAJOR:
        return _MAJOR[major]
    others = [head[place : place + 4] for place in range(16, end, 4)]
    coded = next((_CODED[brand] for brand in others if brand in _CODED), "")
    return coded or ("HEIF" if _CONTAINERS & {major, *others} else "an MP4 video")


def _name_gzip(data: bytes) -> str:
    if data[:3] != b"\x1f\x8b\x08":
        return ""
    try:
        inside = zlib.decompressobj(31).decompress(data[:_HEAD], _HEAD)
    except zlib.error:
        return "gzip"
    return "SVG (compressed)" if _name_string(inside) == "SVG" else "gzip"


def _name_string(data: bytes) -> str:
    head = data[:_HEAD]
    coding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    text = head.decode(coding, "replace").lstrip()
    if text.startswith("<"):
        return _name_markup(text)
    if text[:1] in {"{", "["}:
        return "JSON" if _is_json(text, whole=len(data) <= _HEAD) else ""
    is_text = bool(text) and "\ufffd" not in text[:-3] and not re.search("[\0-\x08\x0e-\x1a\x1c-\x1f]", text)
    return "plain text" if is_text else ""


def _name_markup(text: str) -> str:
    """Name a string that begins with `<` by its first element, behind comments, declarations and instructions."""
    place = 0
    while text.startswith(("<?", "<!"), place):
        if re.match(r"<!doctype\s+html", text[place : place + 40], re.IGNORECASE):
            return PAGE
        end = _skip_markup(text, place)
        place = len(text) - len(text[end:].lstrip()) if end else len(text)
    root = re.match(r"<(?:[\w.-]{1,100}:)?([\w.-]{1,100})", text[place : place + 210])
    if root is None:
        return PAGE
    return {"svg": "SVG", "html": PAGE}.get(root[1].lower(), "XML" if text.startswith("<?xml") else PAGE)


def _skip_markup(text: str, place: int) -> int:
    """Return where a comment, declaration or instruction ends; 0 if it does not."""
    for start, end in (("<!--", "-->"), ("<?", "?>")):
        if text.startswith(start, place):
            return text.find(end, place) + len(end) if end in text[place:] else 0
    inner = text.find("[", place)
    close = text.find(">", place)
    if 0 <= inner < close:  # a document type with declarations of its own
        close = text.find(">", text.find("]", inner)) if "]" in text[inner:] else -1
    return close + 1


def _is_json(text: str, *, whole: bool) -> bool:
    if not whole:
        return bool(re.match(r'[\[{]\s*["\[{\d]', text))
    try:
        parse_json(text)
    except ValueError:
        return False
    return True
