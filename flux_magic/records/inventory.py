"""An inventory of a store's folder: how much it holds, and what of it could go.

Only the folders that a store writes to are read: its own, those of the months and those of the inputs. No link is
followed, and a file with a name that no store gives is left alone.
"""

from __future__ import annotations

import os
import random
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..images.codecs import SUFFIXES
from . import aside
from .inputs import FOLDER, is_kept_name
from .listing import MONTH, is_record_name
from .marks import SUFFIX
from .store import Store

MOST_EXAMINED: Final = 1000
"""Files whose size is read to tell that of the store; that of more is estimated from as many, drawn by lot."""

SETTLED: Final = 15 * 60.0
"""Seconds for which a file must not have changed before it can go: another process may be at work on it."""

PARTIAL: Final = "partial file"
NO_RECORD: Final = "image without a record"
NO_IMAGE: Final = "record without an image"
NO_JOB: Final = "input that no image needs"
NO_MARKED: Final = "mark without a record"
DELETED: Final = "deleted file"

_PARTIAL: Final = re.compile(r"\.[0-9a-f]{16}\.part")
_IMAGE: Final = re.compile(r"(.+?)(?:\.\d+)?(\.[a-z]+)")


@dataclass(frozen=True, slots=True)
class Holding:
    """The size of a store.

    Attributes:
        files: their number.
        size: their bytes.
        is_exact: False if `size` is estimated.
    """

    files: int
    size: int
    is_exact: bool = True

    def __str__(self) -> str:
        about = "" if self.is_exact else "about "
        return f"{self.files:,} file{'' if self.files == 1 else 's'}, {about}{format_size(self.size)}"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file that could go.

    Attributes:
        path: the file.
        kind: `PARTIAL`, `NO_RECORD`, `NO_IMAGE`, `NO_JOB`, `NO_MARKED`, or `DELETED` (it could come back until then).
        size: its bytes.
        changed: when it last changed, in seconds since 1970.
    """

    path: Path
    kind: str
    size: int
    changed: float

    @property
    def is_settled(self) -> bool:
        """False if it changed a moment ago: another process may be at work on it."""
        return self.kind == DELETED or self.changed < time.time() - SETTLED


def format_size(size: int) -> str:
    """Return a number of bytes as a person reads it, in MB or GB."""
    if size < 50_000:
        return "under 0.1 MB"
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def measure(folder: Path) -> Holding:
    """Return how much is in a store's folder."""
    parts = {part: _list_names(part) for part in _list_folders(folder)}
    count = sum(map(len, parts.values())) - (len(parts) - 1)  # the folders are among the names
    count -= aside.FOLDER in parts.get(folder, ())
    share = min(1.0, MOST_EXAMINED / max(1, count))
    draw = random.Random(0)  # noqa: S311 - no secret
    drawn = [part / name for part, names in parts.items() for name in draw.sample(names, round(len(names) * share))]
    found = [one.st_size for path in drawn if stat.S_ISREG((one := _examine(path)).st_mode)]
    size = sum(found)
    return Holding(count, size if share == 1 else size * count // max(1, len(found)), share == 1)


def find_leftovers(folder: Path) -> list[Leftover]:
    """Return what could go from a store's folder, once it has not changed for a while.

    An input goes if no record names it, and none does if a record cannot be read. A record without an image, and an
    image without a record, stay if that image went into another one.
    """
    found = [
        one
        for part in _list_folders(folder)
        for name, kind in _find_in(_list_names(part))
        if (one := _check(part / name, kind)) is not None
    ]
    deleted = [
        Leftover(path, DELETED, facts.st_size, facts.st_mtime)
        for place in aside.list_places(folder)
        for path in aside.list_files(place)
        if stat.S_ISREG((facts := _examine(path)).st_mode)
    ]
    if all(one.kind in {PARTIAL, NO_MARKED} for one in found):
        return [*found, *deleted]
    store = Store(folder, None)
    needed = tuple({image.digest for stored in store for image in stored.record.images})
    return [*(one for one in found if not _is_needed(one, needed, known=not store.skipped)), *deleted]


def remove(leftovers: Iterable[Leftover]) -> list[Leftover]:
    """Remove what could go, except for what has changed meanwhile, and return what is gone. Raises OSError."""
    gone = []
    for one in leftovers:
        has_record = one.kind in {NO_RECORD, NO_MARKED} and os.path.lexists(
            one.path.with_name(f"{_get_stem(one.path.name)}.json")
        )
        if not has_record and one.is_settled and (one.kind == DELETED or _check(one.path, one.kind) == one):
            one.path.unlink(missing_ok=True)
            gone.append(one)
    for place in {one.path.parent for one in gone if one.kind == DELETED}:
        for emptied in (place, place.parent):
            with suppress(OSError):
                emptied.rmdir()
    return gone


def _list_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders that a store writes to, as far as they are folders and no links."""
    yield folder
    for pattern, above in ((MONTH.pattern, folder), (FOLDER, folder), ("[0-9a-f]{2}", folder / FOLDER)):
        with suppress(OSError), os.scandir(above) as entries:
            found = [one.name for one in entries if re.fullmatch(pattern, one.name)]
            yield from (above / name for name in sorted(found) if stat.S_ISDIR(_examine(above / name).st_mode))


def _list_names(folder: Path) -> list[str]:
    with suppress(OSError):
        return os.listdir(folder)  # noqa: PTH208 - as the records are listed
    return []


def _find_in(names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the names in one folder of what may be left over, each with its kind."""
    records = {name.removesuffix(".json") for name in names if is_record_name(name)}
    images = {name: stem for name in names if not name.endswith(SUFFIX) and (stem := _get_stem(name))}
    yield from ((name, PARTIAL) for name in names if _PARTIAL.fullmatch(name))
    yield from ((name, NO_JOB) for name in names if is_kept_name(name))
    yield from ((name, NO_RECORD) for name, stem in images.items() if stem not in records)
    yield from (
        (name, NO_MARKED)
        for name in names
        if name.endswith(SUFFIX) and (stem := _get_stem(name)) and stem not in records
    )
    yield from ((f"{stem}.json", NO_IMAGE) for stem in sorted(records.difference(images.values())))


def _get_stem(name: str) -> str:
    """Return the name that an image, or its marks, shares with its record; empty for a file that is no store's."""
    match = _IMAGE.fullmatch(name)
    is_image = match is not None and match[2] in SUFFIXES
    stem = name.removesuffix(SUFFIX) if name.endswith(SUFFIX) else match[1] if match and is_image else ""
    return stem if is_record_name(f"{stem}.json") else ""


def _is_needed(one: Leftover, needed: tuple[str, ...], *, known: bool) -> bool:
    """Return True for what went, or may have gone, into an image of the store: an input, an image, or its record."""
    if one.kind == NO_JOB:
        return not known or one.path.name.startswith(needed)
    parts = one.path.stem.rsplit("-", 3)[1:]  # the image's digest is one of them
    return one.kind in {NO_IMAGE, NO_RECORD} and (
        not known or any(digest.startswith(part) for digest in needed for part in parts)
    )


def _check(path: Path, kind: str) -> Leftover | None:
    """Return a file as left over; None if it is gone, a link or a folder."""
    found = _examine(path)
    changed = max(found.st_mtime, found.st_ctime)
    return Leftover(path, kind, found.st_size, changed) if stat.S_ISREG(found.st_mode) else None


def _examine(path: str | Path) -> os.stat_result:
    """Return what is known of a file itself, not of what a link leads to; all is 0 if it is gone."""
    try:
        return os.lstat(path)
    except OSError:
        return os.stat_result([0] * 10)
