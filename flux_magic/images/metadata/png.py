"""PNG's text chunks: `tEXt`, `zTXt` and `iTXt`, after the PNG specification (third edition), section 11.3.3.

Ours come directly after `IHDR`: anyone who opens the file has them before it reads a pixel.
"""

from __future__ import annotations

import re
import zlib
from typing import Final, NamedTuple

from ...errors import NotAnImage, show_value
from ..codecs import make_png_chunk
from ..parts import png_chunks
from . import exif, xmp
from .codings import decode_latin
from .texts import MOST_TEXT, Found, Written, format_four, make_damaged_error, make_length_error, replace_unspeakable

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_TEXTS: Final = {b"tEXt", b"zTXt", b"iTXt"}
_PARAMETERS: Final = "parameters"
_RECORD: Final = "flux_magic"
_XMP: Final = "XML:com.adobe.xmp"
_OURS: Final = (_PARAMETERS, _RECORD, _XMP)
_CREDENTIALS: Final = b"caBX"
_PROFILES: Final = ("Raw profile type exif", "Raw profile type APP1")

_LATIN: Final = re.compile("[\n\x20-\x7e\xa0-\xff]*")
_MOST_TEXTS: Final = 8 * MOST_TEXT
"""The most bytes of all texts of a file together, once decompressed."""


class _Chunk(NamedTuple):
    name: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        return self.raw[8:-4]

    @property
    def keyword(self) -> str:
        """The keyword of a text chunk."""
        return self.body[:80].partition(b"\0")[0].decode("latin-1")


def embed(data: bytes, carried: Written) -> bytes:
    """Return the PNG with these texts in place of those with the same keywords."""
    chunks, rest = _split_chunks(data)
    kept = [chunk for chunk in chunks if chunk.name not in _TEXTS or chunk.keyword not in _OURS]
    ours = _make_texts(carried)
    return b"".join([_SIGNATURE, kept[0].raw, *ours, *(chunk.raw for chunk in kept[1:]), rest])


def remove_metadata(data: bytes) -> bytes:
    """Return the PNG without its strings and EXIF."""
    chunks, rest = _split_chunks(data)
    kept = (chunk.raw for chunk in chunks if chunk.name not in _TEXTS and chunk.name != b"eXIf")
    return b"".join([_SIGNATURE, *kept, rest])


def read(data: bytes) -> Found:
    """Return the PNG's texts; if a keyword occurs twice, the last one counts, as in Pillow."""
    chunks, _rest = _split_chunks(data)
    texts: dict[str, str] = {}
    total = 0
    for chunk in chunks:
        if chunk.name in _TEXTS:
            texts[chunk.keyword] = text = _read_text(chunk)
            total += len(text)
            if total > _MOST_TEXTS:
                raise make_length_error("PNG", "the sum of its text chunks", _MOST_TEXTS)
    parameters, record, packet = (texts.pop(keyword, "") for keyword in _OURS)
    inside = _read_exif_texts(chunks, texts)
    texts |= {name: text for name, text in {**inside, **xmp.read_texts(packet.encode())}.items() if name not in texts}
    return Found(parameters or inside.get(exif.COMMENT, ""), record or xmp.read_record(packet.encode()), packet, texts)


def _read_exif_texts(chunks: list[_Chunk], texts: dict[str, str]) -> dict[str, str]:
    """Return the strings in the EXIF, and take out the strings in which ImageMagick writes EXIF as hexadecimal
    digits.
    """
    profiles = [_decode_profile(texts.pop(keyword, "")) for keyword in _PROFILES]
    held = [chunk.body for chunk in chunks if chunk.name == b"eXIf"][:1] + profiles
    return next((found for data in held if (found := exif.read_texts(data, "PNG"))), {})


def _decode_profile(text: str) -> bytes:
    """Return the bytes of a raw profile: its name and length, each on a line, then the digits."""
    try:
        return bytes.fromhex(text.strip().split("\n", 2)[2])
    except (ValueError, IndexError):
        return b""


def has_credentials(data: bytes) -> bool:
    """Return True if the PNG has content credentials (C2PA, 13.0 "Embedding manifests"), or its XMP says where they
    are.
    """
    return any(map(_has_signature, _split_chunks(data)[0]))


def remove_credentials(data: bytes) -> bytes:
    """Return the PNG without its content credentials, and without an XMP that says where they are."""
    chunks, rest = _split_chunks(data)
    return b"".join([_SIGNATURE, *(chunk.raw for chunk in chunks if not _has_signature(chunk)), rest])


def _has_signature(chunk: _Chunk) -> bool:
    if chunk.name == _CREDENTIALS:
        return bool(chunk.body)
    if chunk.name != b"iTXt" or chunk.keyword != _XMP:
        return False
    try:
        return xmp.has_named_credentials(_read_text(chunk).encode())
    except NotAnImage:  # what cannot be read says nothing
        return False


def _split_chunks(data: bytes) -> tuple[list[_Chunk], bytes]:
    """Return the chunks from `IHDR` to `IEND`, and whatever follows them."""
    chunks: list[_Chunk] = []
    position = len(_SIGNATURE)
    for part in png_chunks(data):
        if part.end > len(data):
            raise make_damaged_error("PNG", f"its {format_four(part.name)} chunk reaches beyond the end of the file")
        chunks.append(_Chunk(part.name, data[part.start : part.end]))
        position = part.end
    if not chunks or chunks[-1].name != b"IEND":
        raise make_damaged_error("PNG", "it ends before its IEND chunk")
    if chunks[0].name != b"IHDR":
        raise make_damaged_error("PNG", f"it begins with a chunk {format_four(chunks[0].name)}, not with IHDR")
    return chunks, data[position:]


def _make_texts(carried: Written) -> list[bytes]:
    parameters = replace_unspeakable(carried.parameters)
    packet = xmp.make_packet(carried, with_record=False).decode()
    written = [
        _make_latin(_PARAMETERS, parameters) if _is_latin(parameters) else _make_international(_PARAMETERS, parameters)
    ]
    return [
        *(written if parameters else []),
        _make_international(_XMP, packet),
        _make_international(_RECORD, replace_unspeakable(carried.record)),
    ]


def _is_latin(text: str) -> bool:
    """Return True if every reader takes a string from Latin-1 as it is, and not for UTF-8."""
    return _LATIN.fullmatch(text) is not None and decode_latin(text.encode("latin-1")) == text


def _make_latin(keyword: str, text: str) -> bytes:
    return make_png_chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1"))


def _make_international(keyword: str, text: str) -> bytes:
    """Return an `iTXt` chunk: not compressed, without a language, its keyword not translated."""
    return make_png_chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode())


def _read_text(chunk: _Chunk) -> str:
    where = f"its {format_four(chunk.name)} chunk {show_value(chunk.keyword)}"
    if int.from_bytes(chunk.raw[-4:], "big") != zlib.crc32(chunk.raw[4:-4]):
        raise make_damaged_error("PNG", f"{where} has a wrong checksum")
    after = chunk.body.partition(b"\0")[2]
    if chunk.name == b"tEXt":
        return decode_latin(_check_bound(after, where))
    if chunk.name == b"zTXt":
        return decode_latin(_inflate(after[1:], where)) if after[:1] == b"\0" else _refuse(where)
    return _read_international(after, where)


def _read_international(after: bytes, where: str) -> str:
    """Return the text after an `iTXt` chunk's keyword, two flags, language and translated keyword."""
    flag, method, rest = after[:1], after[1:2], after[2:]
    parts = rest.split(b"\0", 2)
    if flag not in {b"\0", b"\1"} or (flag == b"\1" and method != b"\0") or len(parts) < 3:
        return _refuse(where)
    try:
        return (_inflate(parts[2], where) if flag == b"\1" else _check_bound(parts[2], where)).decode()
    except UnicodeDecodeError as exc:
        raise make_damaged_error("PNG", f"{where} is not in UTF-8") from exc


def _refuse(where: str) -> str:
    raise make_damaged_error("PNG", f"{where} is not laid out as such a chunk is")


def _check_bound(text: bytes, where: str) -> bytes:
    if len(text) > MOST_TEXT:
        raise make_length_error("PNG", where)
    return text


def _inflate(packed: bytes, where: str) -> bytes:
    """Decompress the text, but no further than the limit."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(packed, MOST_TEXT + 1)
    except zlib.error as exc:
        raise make_damaged_error("PNG", f"{where} cannot be decompressed") from exc
    if len(text) <= MOST_TEXT and not inflater.eof:
        raise make_damaged_error("PNG", f"{where} is cut short")
    return _check_bound(text, where)
