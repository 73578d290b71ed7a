"""The zip file of a capsule: written the same for the same content, and unpacked although a stranger made it."""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from ..errors import CapsuleError, SaveError, format_count
from ..types import fit_one_line

MOST_FILES: Final = 50_000
"""A capsule of more files than this is neither written nor unpacked."""

MOST_BYTES: Final = 2 * 2**30
"""A capsule of more bytes than this is neither written nor unpacked; each of its files has `MOST_OF_FILE` at most."""

MOST_OF_FILE: Final = 256 * 2**20

_MOST_DIRECTORY: Final = 20 * 2**20
"""Bytes of the list of files at the end of a zip file: 400 for each of them."""

_MOST_GROWTH: Final = 200, 64 * 2**20
"""Files may be this many times as large as the zip file, and these bytes: no content of a capsule deflates so well."""

_MOST_PART: Final = 200
"""Bytes of a name within a folder. File systems take 255."""

_PACKED: Final = {".ipynb", ".json", ".html", ".md", ".txt", ".py", ".csv", ".svg"}
"""Files that deflating makes smaller."""

_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file knows."""

_DEVICES: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""Names that lead to a device on Windows."""

_HEAD: Final = 30
"""Bytes before the name of a file, at the least."""

_END: Final = struct.Struct("<4s4H2LH")
_CHUNK: Final = 2**20


def list_files(folder: Path) -> list[str]:
    """Return the names of all files below a folder, with `/` in them, in their order."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def write_archive(folder: Path, target: Path) -> None:
    """Write the files of a folder as a zip file: in order, with one time and one mode.

    Raises OSError, SaveError, and CapsuleError for names that `unpack` does not take.
    """
    names = list_files(folder)
    check_names(names)
    sizes = [(folder / name).stat().st_size for name in names]
    size = sum(sizes)
    if len(names) > MOST_FILES or size > MOST_BYTES or max(sizes, default=0) > MOST_OF_FILE:
        raise SaveError(
            f"{format_count(len(names), 'file')} of {size:,} bytes are too much for one capsule",
            f"It holds {MOST_FILES:,} files and {MOST_BYTES:,} bytes, and {MOST_OF_FILE:,} in one file.",
        )
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            packed = PurePosixPath(name).suffix.lower() in _PACKED or "." not in name
            entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            archive.writestr(entry, (folder / name).read_bytes(), compresslevel=9)


def unpack(path: Path, folder: Path) -> list[str]:
    """Write the files of a capsule into an empty folder, and return their names in order.

    All names, sizes and modes are checked before the first file is written, and nothing is written outside the folder.
    Raises CapsuleError for a file that is no capsule, or one that could do harm.
    """
    shown = path.as_posix()
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            _check_end(file, size)
            with zipfile.ZipFile(file) as archive:
                most = min(MOST_BYTES, _MOST_GROWTH[0] * size + _MOST_GROWTH[1])
                entries = list(_check_entries(archive.infolist(), most))
                for entry in entries:
                    _extract(archive, entry, folder.joinpath(*entry.filename.split("/")))
    except CapsuleError as error:
        raise CapsuleError(f"{shown} is not unpacked: {error.message}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError, RuntimeError) as error:
        why = "it has a name that is not UTF-8" if isinstance(error, UnicodeError) else fit_one_line(str(error))
        raise CapsuleError(f"{shown} is not unpacked: it is no whole zip file ({why})") from error
    except OSError as error:
        raise CapsuleError(f"{shown} cannot be unpacked: {error.strerror or error}") from error
    return sorted(entry.filename for entry in entries)


def _check_end(file: IO[bytes], size: int) -> None:
    """Raise CapsuleError if the list of files is too long to be read, before all of it is read."""
    file.seek(max(0, size - _END.size - 2**16))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise CapsuleError("it is no zip file")
    *_, number, length, start, _ = _END.unpack_from(tail, at)
    is_large = tail[max(0, at - 20) : at].startswith(b"PK\6\7")
    if number > MOST_FILES or length > _MOST_DIRECTORY or is_large:
        raise CapsuleError(f"it has more than {MOST_FILES:,} files, or says so")
    if start + length > size:
        raise CapsuleError("it is cut off")


def _check_entries(entries: list[zipfile.ZipInfo], most: int) -> Iterator[zipfile.ZipInfo]:
    """Yield the files among a zip file's entries. Raises CapsuleError for what no capsule has."""
    if len(entries) > MOST_FILES:
        raise CapsuleError(f"it has more than {MOST_FILES:,} files")
    if (size := sum(entry.file_size for entry in entries)) > most:
        raise CapsuleError(f"it would take {size:,} bytes, and {most:,} are allowed for a zip file of its size")
    for entry in entries:
        if not entry.orig_filename.isascii() and not entry.flag_bits & 0x800:
            raise CapsuleError(f"its file {fit_one_line(entry.orig_filename, 80)!r} has a name that is not UTF-8")
    check_names([entry.orig_filename for entry in entries])
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        shown = repr(fit_one_line(entry.orig_filename, 80))
        if trouble := _find_entry_trouble(entry):
            raise CapsuleError(f"its file {shown} {trouble}")
        if entry.header_offset < end:
            raise CapsuleError(f"its file {shown} overlaps another")
        end = entry.header_offset + _HEAD + entry.compress_size
        if not entry.is_dir():
            yield entry


def check_names(names: list[str]) -> None:
    """Raise CapsuleError unless all names are within any folder on any system, and no two are the same on some."""
    seen: dict[str, bool] = {}
    for name in names:
        shown = repr(fit_one_line(name, 80))
        if trouble := _find_name_trouble(name):
            raise CapsuleError(f"its file {shown} {trouble}")
        known = unicodedata.normalize("NFC", name.rstrip("/")).casefold()
        parents = [known[:at] for at, character in enumerate(known) if character == "/"]
        if known in seen or any(seen.get(parent) for parent in parents):
            raise CapsuleError(f"it has two files with the name {shown}")
        seen |= dict.fromkeys(parents, False) | {known: not name.endswith("/")}


def _find_name_trouble(name: str) -> str:
    """Return what is wrong with a name, in words; "" if it is one within any folder on any system."""
    parts = name.removesuffix("/").split("/")
    if not name.isprintable() or set(name) & set('\\:*?"<>|'):
        return "has a name with a character that file systems do not take"
    if any(part in {"", ".", ".."} for part in parts):
        return "would be written outside the folder"
    if any(part.endswith((" ", ".")) or _DEVICES.fullmatch(part) for part in parts):
        return "has a name that some systems do not take"
    too_long = len(parts) > 20 or any(len(part.encode()) > _MOST_PART for part in parts)
    return "has a name that is too long" if too_long else ""


def _find_entry_trouble(entry: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link" if kind == stat.S_IFLNK else "is a device, a pipe or a socket"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "is compressed in a way that is not read here"
    if entry.is_dir() and entry.file_size:
        return "is a folder with content"
    return f"has over {MOST_OF_FILE // 2**20} MiB" if entry.file_size > MOST_OF_FILE else ""


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Write one file, and no byte more than its size says; `zipfile` compares its checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise CapsuleError(f"its file {entry.filename!r} is longer than it says")
            file.write(chunk)
    if left:
        raise CapsuleError(f"its file {entry.filename!r} is shorter than it says")
