"""EXIF's UserComment, which holds A1111's parameters in a JPEG or a WebP, and the other strings that tools write.

EXIF is a small TIFF file (TIFF 6.0, section 2): a directory of 12-byte entries, whose entry 0x8769 points to another
one, whose entry 0x9286 is the comment. To write one, both directories are copied to the end and the comment behind
them. What else there is (a thumbnail, a maker's notes) stays at its place, where offsets that no one but its maker
knows find it; and a second comment takes the place of the first, to the byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from .codings import decode_any, decode_comment, decode_wide
from .texts import MOST_TEXT, make_length_error, replace_unspeakable

_EXIF_DIRECTORY: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_DATE: Final = 0x0132
_ASCII, _LONG, _UNDEFINED = 2, 4, 7
_WIDTHS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""The number of bytes of a value, by its type."""

_NAMES: Final = {
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    _USER_COMMENT: "UserComment",
}
_WINDOWS: Final = {0x9C9B: "XPTitle", 0x9C9C: "XPComment", 0x9C9E: "XPKeywords", 0x9C9F: "XPSubject"}
"""The tags that Windows fills, in UTF-16."""

COMMENT: Final = "EXIF UserComment"

_NEW: Final = b"MM\0*\0\0\0\x08"
_UNICODE: Final = b"UNICODE\0"


class _Entry(NamedTuple):
    tag: int
    type: int
    amount: int
    value: bytes  # the value itself if it has no more than 4 bytes, else the offset of it

    @property
    def size(self) -> int:
        return self.amount * _WIDTHS.get(self.type, 1)


@dataclass(frozen=True, slots=True)
class _Directory:
    start: int
    entries: tuple[_Entry, ...] = ()
    next: int = 0

    @property
    def end(self) -> int:
        return self.start + 2 + 12 * len(self.entries) + 4

    def get(self, tag: int) -> _Entry | None:
        return next((entry for entry in self.entries if entry.tag == tag), None)

    def exclude(self, tag: int) -> list[_Entry]:
        return [entry for entry in self.entries if entry.tag != tag]


@dataclass(frozen=True, slots=True)
class _Tiff:
    """A TIFF file and the two directories of it that lead to the comment."""

    data: bytes
    order: str
    main: _Directory
    exif: _Directory | None

    @property
    def comment(self) -> tuple[int, int] | None:
        """The start and end of the comment, if it exists and lies within the file."""
        entry = self.exif.get(_USER_COMMENT) if self.exif else None
        return self._place(entry) if entry else None

    def _place(self, entry: _Entry) -> tuple[int, int] | None:
        if entry.size <= 4:
            return None
        start = self.read_number(entry.value)
        return (start, start + entry.size) if 8 <= start <= len(self.data) - entry.size else None

    def read_value(self, entry: _Entry) -> bytes:
        """Return the bytes of an entry, or none if they do not lie within the file."""
        if entry.size <= 4:
            return entry.value[: entry.size]
        place = self._place(entry)
        return self.data[place[0] : place[1]] if place else b""

    def read_number(self, value: bytes) -> int:
        return int(struct.unpack(f"{self.order}I", value)[0])


_FRESH: Final = _Tiff(_NEW, ">", _Directory(8), None)


def read_texts(data: bytes, kind: str) -> dict[str, str]:
    """Return the strings in EXIF as `EXIF UserComment`, `EXIF Model`; empty if there are none that can be read."""
    tiff = _parse(_remove_mark(data))
    found: dict[str, str] = {}
    room = MOST_TEXT
    for entry, name in _find_strings(tiff) if tiff else ():
        if f"EXIF {name}" in found or (entry.size > room and name != "UserComment"):
            continue
        value = tiff.read_value(entry) if tiff else b""
        if len(value) > MOST_TEXT:
            raise make_length_error(kind, "the UserComment of its EXIF")
        room -= len(value)
        decode = decode_comment if name == "UserComment" else decode_wide if entry.tag in _WINDOWS else decode_any
        if text := decode(value):
            found[f"EXIF {name}"] = text
    return found


def _find_strings(tiff: _Tiff) -> Iterator[tuple[_Entry, str]]:
    """Yield the entries that hold strings with their names; Fooocus writes its UserComment into the main directory."""
    for entry in tiff.exif.entries if tiff.exif else ():
        if entry.tag == _USER_COMMENT:
            yield entry, "UserComment"
    for entry in tiff.main.entries:
        name = _NAMES.get(entry.tag) or _WINDOWS.get(entry.tag)
        if name or (entry.type == _ASCII and entry.tag != _DATE):
            yield entry, name or f"{entry.tag:#06x}"


def set_comment(data: bytes, comment: str) -> bytes:
    """Return the EXIF with this UserComment, or without any for an empty one; empty if nothing is left.

    EXIF that cannot be read is not kept.
    """
    tiff = _parse(_remove_mark(data)) or _FRESH
    main = tiff.main.exclude(_EXIF_DIRECTORY)
    sub = tiff.exif.exclude(_USER_COMMENT) if tiff.exif else []
    value = _UNICODE + replace_unspeakable(comment).encode("utf-16-be") if comment else b""
    if main or sub or tiff.main.next:
        return _write(tiff, main, sub, value)
    return _write(_FRESH, [], [], value) if value else b""


def _remove_mark(data: bytes) -> bytes:
    """Remove the JPEG marker that some writers of WebP and PNG put before the EXIF."""
    return data[6:] if data.startswith(b"Exif\0\0") else data


def _parse(data: bytes) -> _Tiff | None:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return None
    main = _read_directory(data, order, struct.unpack_from(f"{order}I", data, 4)[0])
    if main is None:
        return None
    pointer = main.get(_EXIF_DIRECTORY)
    sub = _read_directory(data, order, struct.unpack(f"{order}I", pointer.value)[0]) if pointer else None
    return _Tiff(data, order, main, sub)


def _read_directory(data: bytes, order: str, start: int) -> _Directory | None:
    """Return the directory that begins here; None if it exceeds the file or has no room for another entry."""
    if not 8 <= start <= len(data) - 6:
        return None
    count = struct.unpack_from(f"{order}H", data, start)[0]
    end = start + 2 + 12 * count
    if end + 4 > len(data) or count == 0xFFFF:
        return None
    entries = tuple(_Entry(*entry) for entry in struct.iter_unpack(f"{order}HHI4s", data[start + 2 : end]))
    return _Directory(start, entries, struct.unpack_from(f"{order}I", data, end)[0])


def _write(tiff: _Tiff, main: list[_Entry], sub: list[_Entry], comment: bytes) -> bytes:
    """Return everything before the directories, then the directories, then the comment."""
    base = _take_base(tiff)
    start = len(base)
    if sub or comment:
        sub_start = start + 2 + 12 * (len(main) + 1) + 4
        main = [*main, _Entry(_EXIF_DIRECTORY, _LONG, 1, struct.pack(f"{tiff.order}I", sub_start))]
        if comment:
            place = sub_start + 2 + 12 * (len(sub) + 1) + 4
            sub = [*sub, _Entry(_USER_COMMENT, _UNDEFINED, len(comment), struct.pack(f"{tiff.order}I", place))]
    head = base[:4] + struct.pack(f"{tiff.order}I", start) + base[8:]
    return head + _pack(tiff.order, main, tiff.main.next) + (_pack(tiff.order, sub, 0) if sub else b"") + comment


def _take_base(tiff: _Tiff) -> bytes:
    """Return the file up to the directories if they are at its end, else all of it; padded to an even length.

    A comment elsewhere is overwritten with spaces, since nothing points to it any more.
    """
    data = bytearray(tiff.data)
    if _is_at_end(tiff):
        del data[tiff.main.start :]
    elif tiff.comment is not None:
        start, end = tiff.comment
        data[start:end] = bytes(end - start)
    return bytes(data) + b"\0" * (len(data) % 2)


def _is_at_end(tiff: _Tiff) -> bool:
    """Return True if the file ends with its main directory, its other one and its comment, as `_written` puts them."""
    end = tiff.main.end
    if tiff.exif is not None:
        if tiff.exif.start != end:
            return False
        end = tiff.exif.end
    if tiff.comment is not None:
        if tiff.comment[0] != end:
            return False
        end = tiff.comment[1]
    return end == len(tiff.data)


def _pack(order: str, entries: list[_Entry], following: int) -> bytes:
    rows = (struct.pack(f"{order}HHI4s", *entry) for entry in sorted(entries, key=lambda entry: entry.tag))
    return struct.pack(f"{order}H", len(entries)) + b"".join(rows) + struct.pack(f"{order}I", following)
