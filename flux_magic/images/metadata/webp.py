"""WebP's chunks: EXIF and XMP in a RIFF file, after the WebP container specification (RFC 9649, section 2).

A file of the simple form is one chunk, `VP8 ` or `VP8L`. Any other begins with `VP8X`, which says what else
there is, and how large the canvas.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..parts import webp_chunks
from . import exif, xmp
from .texts import MOST_TEXT, Found, Written, format_four, make_damaged_error, make_length_error

_PICTURES: Final = {b"VP8 ", b"VP8L", b"ANMF"}
_TEXTS: Final = {b"EXIF", b"XMP "}
_ALPHA, _EXIF, _XMP = 0x10, 0x08, 0x04


class _Chunk(NamedTuple):
    name: bytes
    body: bytes

    @property
    def raw(self) -> bytes:
        """The chunk as in a file: padded to an even length."""
        return self.name + len(self.body).to_bytes(4, "little") + self.body + b"\0" * (len(self.body) % 2)


def embed(data: bytes, carried: Written) -> bytes:
    """Return the WebP with these texts in chunks after the image's."""
    chunks, rest = _split_chunks(data)
    tiff = exif.set_comment(_find_first(chunks, b"EXIF"), carried.parameters)
    texts = [_Chunk(b"EXIF", tiff)] if tiff else []
    texts.append(_Chunk(b"XMP ", xmp.make_packet(carried, with_record=True)))
    flags = _XMP | (_EXIF if tiff else 0)
    kept = _remove_texts(chunks)
    place = max((number + 1 for number, chunk in enumerate(kept) if chunk.name in _PICTURES), default=len(kept))
    return _join_file([_make_header(chunks, flags), *kept[:place], *texts, *kept[place:]], rest)


def remove_metadata(data: bytes) -> bytes:
    """Return the WebP without EXIF and XMP, in the simple form if nothing else needs the extended one."""
    chunks, rest = _split_chunks(data)
    kept = _remove_texts(chunks)
    simple = len(kept) == 1 and kept[0].name in {b"VP8 ", b"VP8L"}
    return _join_file(kept if simple else [_make_header(chunks, 0), *kept], rest)


def read(data: bytes) -> Found:
    """Return the strings in the WebP's EXIF and its XMP."""
    chunks, _rest = _split_chunks(data)
    packet = _find_first(chunks, b"XMP ")
    if len(packet) > MOST_TEXT:
        raise make_length_error("WebP", "its XMP chunk")
    texts = {**exif.read_texts(_find_first(chunks, b"EXIF"), "WebP"), **xmp.read_texts(packet)}
    return Found(texts.get(exif.COMMENT, ""), xmp.read_record(packet), packet.decode("utf-8", "replace"), texts)


def has_credentials(data: bytes) -> bool:
    """Return True if the WebP has content credentials (C2PA), or its XMP says where they are."""
    return any(map(_has_signature, _split_chunks(data)[0]))


def remove_credentials(data: bytes) -> bytes:
    """Return the WebP without its content credentials, and without an XMP that says where they are."""
    chunks, rest = _split_chunks(data)
    kept = [chunk for chunk in chunks if not _has_signature(chunk)]
    flags = sum(flag for name, flag in ((b"EXIF", _EXIF), (b"XMP ", _XMP)) if _find_first(kept, name))
    return _join_file([_make_header(chunks, flags), *(chunk for chunk in kept if chunk.name != b"VP8X")], rest)


def _has_signature(chunk: _Chunk) -> bool:
    if chunk.name == b"C2PA":
        return bool(chunk.body)
    return chunk.name == b"XMP " and xmp.has_named_credentials(chunk.body)


def _split_chunks(data: bytes) -> tuple[list[_Chunk], bytes]:
    """Return the chunks, and any bytes after the end that the file's header gives."""
    whole = 8 + int.from_bytes(data[4:8], "little")
    if whole > len(data):
        raise make_damaged_error("WebP", f"it says that it has {whole} bytes, and has {len(data)}")
    chunks: list[_Chunk] = []
    for part in webp_chunks(data):
        if part.end > whole:
            raise make_damaged_error("WebP", f"its {format_four(part.name)} chunk reaches beyond the end of the file")
        chunks.append(_Chunk(part.name, data[part.body : part.end]))
    if not chunks or chunks[0].name not in {b"VP8X", b"VP8 ", b"VP8L"}:
        raise make_damaged_error("WebP", "it does not begin with an image")
    return chunks, data[max(whole, 12) :]


def _join_file(chunks: list[_Chunk], rest: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunk.raw for chunk in chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body + rest


def _find_first(chunks: list[_Chunk], name: bytes) -> bytes:
    return next((chunk.body for chunk in chunks if chunk.name == name), b"")


def _remove_texts(chunks: list[_Chunk]) -> list[_Chunk]:
    """Return the chunks except EXIF, XMP and the header, which is written again."""
    behind = chunks[1:] if chunks[0].name == b"VP8X" else chunks
    return [chunk for chunk in behind if chunk.name not in _TEXTS]


def _make_header(chunks: list[_Chunk], flags: int) -> _Chunk:
    """Return a `VP8X` chunk with these flags for the texts; everything else in it is unchanged, or from the image's
    header.
    """
    first = chunks[0]
    if first.name == b"VP8X":
        if len(first.body) < 10:
            raise make_damaged_error("WebP", "its VP8X chunk is too short")
        return _Chunk(b"VP8X", bytes([first.body[0] & ~(_EXIF | _XMP) | flags]) + first.body[1:])
    width, height, alpha = _read_size(first)
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _Chunk(b"VP8X", bytes([flags | (_ALPHA if alpha else 0), 0, 0, 0]) + sizes)


def _read_size(image: _Chunk) -> tuple[int, int, bool]:
    """Return width, height and whether there is alpha, from the bitstream's first bytes (RFC 6386, 9.1; RFC 9649,
    3.4).
    """
    body = image.body
    if image.name == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(body[place : place + 2], "little") & 0x3FFF for place in (6, 8))
        if width and height:
            return width, height, False
    if image.name == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    raise make_damaged_error("WebP", f"its {format_four(image.name)} chunk does not begin as an image does")
