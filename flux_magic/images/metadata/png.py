"""PNG's text chunks: `tEXt`, `zTXt` and `iTXt`, after the PNG specification (third edition), section 11.3.3.

Ours come directly after `IHDR`: whoever opens the file has them before it reads a pixel.
"""

from __future__ import annotations

import re
import zlib
from typing import Final, NamedTuple

from ...errors import NotAnImage, shown
from ..codecs import png_chunk
from ..parts import png_chunks
from . import exif, xmp
from .codings import decode_latin
from .texts import MOST_TEXT, Found, Written, damaged, four, speakable, too_long

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
"""All texts of a file together, once decompressed, are at most this many bytes."""


class _Chunk(NamedTuple):
    name: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        return self.raw[8:-4]

    @property
    def keyword(self) -> str:
        """What a text chunk's text is known by."""
        return self.body[:80].partition(b"\0")[0].decode("latin-1")


def embed(data: bytes, carried: Written) -> bytes:
    """The PNG with these texts in place of those of the same keywords."""
    chunks, rest = _chunks(data)
    kept = [chunk for chunk in chunks if chunk.name not in _TEXTS or chunk.keyword not in _OURS]
    ours = _texts(carried)
    return b"".join([_SIGNATURE, kept[0].raw, *ours, *(chunk.raw for chunk in kept[1:]), rest])


def bare(data: bytes) -> bytes:
    """The PNG without its texts and EXIF."""
    chunks, rest = _chunks(data)
    kept = (chunk.raw for chunk in chunks if chunk.name not in _TEXTS and chunk.name != b"eXIf")
    return b"".join([_SIGNATURE, *kept, rest])


def read(data: bytes) -> Found:
    """The PNG's texts; where a keyword comes twice the last one counts, as in Pillow."""
    chunks, _rest = _chunks(data)
    texts: dict[str, str] = {}
    total = 0
    for chunk in chunks:
        if chunk.name in _TEXTS:
            texts[chunk.keyword] = text = _text_of(chunk)
            total += len(text)
            if total > _MOST_TEXTS:
                raise too_long("PNG", "the sum of its text chunks", _MOST_TEXTS)
    parameters, record, packet = (texts.pop(keyword, "") for keyword in _OURS)
    inside = _exif_texts(chunks, texts)
    texts |= {name: text for name, text in {**inside, **xmp.texts_in(packet.encode())}.items() if name not in texts}
    return Found(parameters or inside.get(exif.COMMENT, ""), record or xmp.record_in(packet.encode()), packet, texts)


def _exif_texts(chunks: list[_Chunk], texts: dict[str, str]) -> dict[str, str]:
    """Return the strings in the EXIF, and take out the texts in which ImageMagick writes EXIF as hexadecimal digits."""
    profiles = [_profile(texts.pop(keyword, "")) for keyword in _PROFILES]
    held = [chunk.body for chunk in chunks if chunk.name == b"eXIf"][:1] + profiles
    return next((found for data in held if (found := exif.texts_in(data, "PNG"))), {})


def _profile(text: str) -> bytes:
    """Return the bytes of a raw profile: its name and length, each on a line, then the digits."""
    try:
        return bytes.fromhex(text.strip().split("\n", 2)[2])
    except (ValueError, IndexError):
        return b""


def has_credentials(data: bytes) -> bool:
    """Return if the PNG has content credentials (C2PA, 13.0 "Embedding manifests"), or its XMP says where they are."""
    return any(map(_signs, _chunks(data)[0]))


def without_credentials(data: bytes) -> bytes:
    """The PNG without its content credentials, and without an XMP that says where they are."""
    chunks, rest = _chunks(data)
    return b"".join([_SIGNATURE, *(chunk.raw for chunk in chunks if not _signs(chunk)), rest])


def _signs(chunk: _Chunk) -> bool:
    if chunk.name == _CREDENTIALS:
        return bool(chunk.body)
    if chunk.name != b"iTXt" or chunk.keyword != _XMP:
        return False
    try:
        return xmp.names_credentials(_text_of(chunk).encode())
    except NotAnImage:  # what cannot be read says nothing
        return False


def _chunks(data: bytes) -> tuple[list[_Chunk], bytes]:
    """The chunks from `IHDR` to `IEND`, and whatever follows them."""
    chunks: list[_Chunk] = []
    position = len(_SIGNATURE)
    for part in png_chunks(data):
        if part.end > len(data):
            raise damaged("PNG", f"its {four(part.name)} chunk reaches beyond the end of the file")
        chunks.append(_Chunk(part.name, data[part.start : part.end]))
        position = part.end
    if not chunks or chunks[-1].name != b"IEND":
        raise damaged("PNG", "it ends before its IEND chunk")
    if chunks[0].name != b"IHDR":
        raise damaged("PNG", f"it begins with a chunk {four(chunks[0].name)}, not with IHDR")
    return chunks, data[position:]


def _texts(carried: Written) -> list[bytes]:
    parameters = speakable(carried.parameters)
    packet = xmp.packet(carried, with_record=False).decode()
    written = [_latin(_PARAMETERS, parameters) if _is_latin(parameters) else _international(_PARAMETERS, parameters)]
    return [
        *(written if parameters else []),
        _international(_XMP, packet),
        _international(_RECORD, speakable(carried.record)),
    ]


def _is_latin(text: str) -> bool:
    """Return True if every reader takes a string from Latin-1 as it is, and not for UTF-8."""
    return _LATIN.fullmatch(text) is not None and decode_latin(text.encode("latin-1")) == text


def _latin(keyword: str, text: str) -> bytes:
    return png_chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1"))


def _international(keyword: str, text: str) -> bytes:
    """An `iTXt` chunk: not compressed, of no language, its keyword not translated."""
    return png_chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode())


def _text_of(chunk: _Chunk) -> str:
    where = f"its {four(chunk.name)} chunk {shown(chunk.keyword)}"
    if int.from_bytes(chunk.raw[-4:], "big") != zlib.crc32(chunk.raw[4:-4]):
        raise damaged("PNG", f"{where} has a wrong checksum")
    after = chunk.body.partition(b"\0")[2]
    if chunk.name == b"tEXt":
        return decode_latin(_bounded(after, where))
    if chunk.name == b"zTXt":
        return decode_latin(_inflated(after[1:], where)) if after[:1] == b"\0" else _refuse(where)
    return _international_text(after, where)


def _international_text(after: bytes, where: str) -> str:
    """The text behind an `iTXt` chunk's keyword: two flags, a language and a translated keyword come first."""
    flag, method, rest = after[:1], after[1:2], after[2:]
    parts = rest.split(b"\0", 2)
    if flag not in {b"\0", b"\1"} or (flag == b"\1" and method != b"\0") or len(parts) < 3:
        return _refuse(where)
    try:
        return (_inflated(parts[2], where) if flag == b"\1" else _bounded(parts[2], where)).decode()
    except UnicodeDecodeError as exc:
        raise damaged("PNG", f"{where} is not in UTF-8") from exc


def _refuse(where: str) -> str:
    raise damaged("PNG", f"{where} is not laid out as such a chunk is")


def _bounded(text: bytes, where: str) -> bytes:
    if len(text) > MOST_TEXT:
        raise too_long("PNG", where)
    return text


def _inflated(packed: bytes, where: str) -> bytes:
    """The text, decompressed no further than the limit."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(packed, MOST_TEXT + 1)
    except zlib.error as exc:
        raise damaged("PNG", f"{where} cannot be decompressed") from exc
    if len(text) <= MOST_TEXT and not inflater.eof:
        raise damaged("PNG", f"{where} is cut short")
    return _bounded(text, where)
