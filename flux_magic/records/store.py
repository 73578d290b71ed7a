"""Generations on disk: the bytes as delivered beside their records, in folders by month, with names that tell.

::

    2026-11/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.webp
    2026-11/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.json

A name is made of the time when it was put there (UTC), the prompt's first words, the seed, and the first 12 digits of
the picture's digest and of the request's key. The second of several pictures of one job ends in `.2`. The files are
the truth, and all there is: an image is written first, its record last, each by a rename, so a record that is there is
whole, and so is what it speaks of. What is no record, or damaged, is left where it is.
"""

from __future__ import annotations

import heapq
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import repeat
from pathlib import Path
from typing import Final

from ..errors import InvalidRequest, RecordError, StoreError
from ..images import codecs
from ..parameters.settings import Settings, shared_folders, store_folder
from ..types import UNKNOWN, Record
from . import embedding, in_hand
from . import record as records
from .files import MOST_RECORD, locate_file, read_file, write_whole
from .sidecar import record_text

BESIDE: Final = Path("flux_images")
"""The folder beside a notebook that has its images: it is read first, and nothing is written there but by an export."""

SLOW: Final = "the disk of the store is slow: the image is being kept while you go on"
UNKEPT: Final = "not kept, since no home is known to keep it in: FLUX_MAGIC_STORE names a folder"

_DIGITS: Final = 12
_NAME: Final = re.compile(
    r"(?:\d\d-\d{6}\.\d{6}-)?(?:[a-z0-9-]+-)?(?:\d+|noseed)-[0-9a-f]{12}-(?:[0-9a-f]{12}|nokey)\.json"
)
_WORDS_LONG: Final = 40
_SETTLED: Final = 2.0
"""Seconds that a folder's time of change must have been seen to stay before a listing is kept: none is coarser."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One job in a store: its record, and where its files are."""

    record: Record
    path: Path

    @property
    def files(self) -> list[Path]:
        """The pictures, in the record's order."""
        return _pictures(self.path, self.record)

    @property
    def has_image(self) -> bool:
        """True if the first image's file is there and can be read."""
        try:
            locate_file(self.files[0], within=_root(self.path))
        except OSError:
            return False
        return True

    def read(self, place: int = 0) -> bytes:
        """The bytes of one of the pictures, as delivered; raises StoreError where they are not there any more."""
        return read_picture(self.files[place], self.record.files[place].sha256)

    def read_all(self) -> list[bytes]:
        """The bytes of all of them; raises StoreError likewise."""
        return [self.read(place) for place in range(len(self.record.files))]


@dataclass(slots=True)
class Store:
    """A store to write to, and the folders that are read, in order.

    Args:
        folder: what is put goes here; None keeps nothing.
        beside: what is beside the notebook, read first.
        shared: what others keep, read before the folder itself, and never written to.

    Attributes:
        skipped: what was found and is no record of ours, or is damaged: a line for each.
    """

    folder: Path | None
    beside: Path | None = BESIDE
    shared: tuple[Path, ...] = ()
    skipped: list[str] = field(default_factory=list)

    def put(self, record: Record, files: Sequence[bytes]) -> Stored:
        """Keep a job; raises StoreError where it cannot be written, or nothing is kept."""
        if self.folder is None:
            raise StoreError("there is no store: it is turned off")
        now = datetime.now(timezone.utc)
        path = _absolute(self.folder) / f"{now:%Y-%m}" / f"{now:%d-%H%M%S.%f}-{_named(record)}.json"
        return write(path, record, files)

    def find(self, key: str) -> Stored | None:
        """The newest job of this replay key whose pictures are all there."""
        return next((stored for stored in self.jobs(key) if self._is_whole(stored)), None)

    def jobs(self, key: str) -> Iterator[Stored]:
        """The jobs of this replay key, the newest of each folder first; their pictures may be gone."""
        for folder in self._folders():
            yield from (stored for stored in self._in(folder, key) if records.key_of(stored.record) == key)

    def of(self, record: Record) -> Iterator[Stored]:
        """The jobs that made the very files of this record; those may be gone."""
        key = records.key_of(record)
        yield from (stored for stored in (self.jobs(key) if key else ()) if stored.record.files == record.files)

    def __iter__(self) -> Iterator[Stored]:
        """Every job, the newest first, and once where several folders have it; `skipped` tells what is skipped."""
        listed = [zip(repeat(folder), self._in(folder)) for folder in self._folders()]
        found_in: dict[object, Path] = {}
        for folder, stored in heapq.merge(*listed, key=lambda pair: _started(pair[1]), reverse=True):
            if found_in.setdefault(stored.record.files, folder) == folder:
                yield stored

    def search(self, words: str) -> Iterator[Stored]:
        """The jobs whose prompt has all these words, in any case and order; the newest first."""
        wanted = words.casefold().split()
        for stored in self:
            prompt = stored.record.prompt.casefold()
            if all(word in prompt for word in wanted):
                yield stored

    def with_digest(self, digest: str) -> list[Stored]:
        """The jobs in the folder itself with a picture whose digest begins so: 6 hex digits or more, as it is shown.

        Raises InvalidRequest for what is no digest.
        """
        start = plain_digest(digest)
        if not re.fullmatch(r"[0-9a-f]{6,64}", start):
            raise InvalidRequest(f"{digest[:70]!r} is no digest: give its first 6 to 64 digits, 0 to 9 and a to f")
        own = Store(self.folder, None)
        return [one for one in own if any(file.digest.startswith(start) for file in one.record.files)]

    def delete(self, stored: Stored) -> None:
        """Take a job out of the store: its record first, so that no record is left without its pictures."""
        try:
            files = stored.files
            stored.path.unlink(missing_ok=True)
            for file in files:
                in_hand.drop(file)
                file.unlink(missing_ok=True)
        except OSError as exc:
            raise StoreError(f"cannot delete {stored.path}: {exc.strerror}") from exc

    def _folders(self) -> Iterable[Path]:
        """The folders that are read, in order, each once; of a shared one that cannot be read, `skipped` tells."""
        for number, folder in enumerate(self.shared, 1):
            if reason := trouble(folder):
                which = "the shared store" if len(self.shared) == 1 else f"shared store {number}"
                self.skipped.append(f"{which} {reason}")
        # Who fills a shared store has it as an own one too.
        return dict.fromkeys(_absolute(one) for one in (self.beside, *self.shared, self.folder) if one is not None)

    def _in(self, folder: Path, key: str = "") -> Iterator[Stored]:
        """What is in a folder, the newest first: as the names tell, or the records where they do not."""
        key = key[:_DIGITS]
        timeless = sorted(self._opened(_records_in(folder, key)), key=_started, reverse=True)
        timed = self._opened(path for month in _months(folder) for path in _records_in(folder / month, key))
        return heapq.merge(timeless, timed, key=_started, reverse=True)

    def _opened(self, paths: Iterable[Path]) -> Iterator[Stored]:
        for path in paths:
            try:
                data = read_file(path, MOST_RECORD, within=_root(path))
                yield Stored(records.from_dict(records.loads(data)), path)
            except FileNotFoundError:  # somebody deleted it just now
                continue
            except RecordError as error:
                self._skip(path, error.message)
            except OSError as error:  # its own text has the whole path, and notebooks are shown to others
                self._skip(path, error.strerror or type(error).__name__)

    def _is_whole(self, stored: Stored) -> bool:
        try:
            files = stored.read_all()
        except StoreError as error:
            if stored.path.exists():  # else somebody deleted it just now
                self._skip(stored.path, error.message)
            return False
        in_hand.hold(stored, files)
        return True

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(f"{path.name} is skipped: {' '.join(reason.split())}")


def trouble(folder: Path) -> str:
    """Why a folder of others, or a part of it, cannot be read, without its path; empty where all can."""
    for part, named in [(folder, ""), *((folder / month, f" in {month}") for month in _months(folder))]:
        try:
            os.scandir(part).close()
        except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
            return f"cannot be read{named}: {getattr(error, 'strerror', None) or error}"
    return ""


def store_of(settings: Settings, beside: Path = BESIDE) -> Store:
    """The store that a call's settings name, with what is read before it; raises InvalidRequest as `store_folder`."""
    return Store(store_folder(settings), beside, shared_folders(settings))


def write(path: Path, record: Record, files: Sequence[bytes]) -> Stored:
    """Write pictures, and then their record to `path`; raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for file, data in zip(_pictures(path, record), files, strict=True):
            write_whole(file, data, lasting=True)
        write_whole(path, record_text(record).encode(), lasting=True)
    except OSError as exc:
        raise StoreError(f"cannot keep the image in {path.parent}: {exc.strerror or exc}") from exc
    return Stored(record, path)


def plain_digest(text: str) -> str:
    """A digest, or its beginning, without the `sha256:` that it is shown with."""
    return text.lower().removeprefix("sha256:")


def read_picture(path: Path, sha256: str) -> bytes:
    """The bytes as they were delivered, of this sha256: the file's own, or those without the record inside it.

    Raises StoreError where they are not there any more, or others.
    """
    try:
        data = read_file(path, within=_root(path))
    except FileNotFoundError as exc:
        raise StoreError(f"the image {path.name} is not in the store any more: {exc.strerror}", _AGAIN) from exc
    except OSError as exc:
        raise StoreError(f"the image {path.name} in the store cannot be read: {exc.strerror}", _AGAIN) from exc
    for found in embedding.readings(data):
        if embedding.sha256(found) == sha256:
            return found
    raise StoreError(f"the image {path.name} in the store is not what was delivered: it is damaged", _AGAIN)


def _root(path: Path) -> Path:
    """Return the store's folder in which a file is, by itself or in the folder of a month."""
    return path.parent.parent if _MONTH.fullmatch(path.parent.name) else path.parent


_MONTH: Final = re.compile(r"\d{4}-\d\d")
_AGAIN = "The cell makes it again, with --fresh."


def exported_path(folder: Path, record: Record) -> Path:
    """Where an export puts a record: a name without the time, the same for the same image."""
    return folder / f"{_named(record)}.json"


def _named(record: Record) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", record.prompt[:200].lower()).strip("-")[:_WORDS_LONG].rstrip("-")
    seed = "noseed" if record.seed is None else str(record.seed)
    key = (records.key_of(record) or "nokey")[:_DIGITS]
    return "-".join(filter(None, (words, seed, record.files[0].digest[:_DIGITS], key)))


def _pictures(path: Path, record: Record) -> list[Path]:
    stem = path.name.removesuffix(".json")
    return [
        path.with_name(f"{stem}{'' if place == 0 else f'.{place + 1}'}{codecs.suffix_of(file.media_type)}")
        for place, file in enumerate(record.files)
    ]


def _months(folder: Path) -> list[str]:
    """The folders of a store, the newest first."""
    try:
        with os.scandir(folder) as entries:
            months = [entry.name for entry in entries if _MONTH.fullmatch(entry.name) and entry.is_dir()]
    except (OSError, ValueError):
        return []
    return sorted(months, reverse=True)


def _records_in(folder: Path, key: str) -> Iterator[Path]:
    """The records in a folder, those of this key or all, from the last name to the first."""
    try:
        names = _names_in(folder, key)
    except (OSError, ValueError):  # a path with a NUL is a ValueError
        return
    yield from (folder / name for name in reversed(names))


@dataclass(slots=True)
class _Listing:
    """The names of the records in a folder by their keys (all of them by an empty one), kept once they are settled.

    A change may bear the same time as the one before, if it came soon after; the computer that writes down the time
    may have another clock. So only a state that was seen for some seconds, by the clock here, tells of each change.
    """

    state: tuple[int, ...]
    since: float
    names: dict[str, list[str]] | None = None


_listings: dict[Path, _Listing] = {}
"""Reading a folder of 20,000 jobs takes 30 ms, and nearly all of that goes into its names."""


def _names_in(folder: Path, key: str) -> list[str]:
    found = folder.stat()
    state = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
    known = _listings.get(folder)
    if known is None or known.state != state:
        known = _listings[folder] = _Listing(state, time.monotonic())
    if known.names is None and time.monotonic() - known.since < _SETTLED:
        return _records_among(folder, f"-{key}.json" if key else ".json")
    if known.names is None:
        known.names = _by_key(_records_among(folder, ".json"))
    return known.names.get(key, [])


def _records_among(folder: Path, ending: str) -> list[str]:
    names = os.listdir(folder)  # noqa: PTH208 - ten times as quick as iterdir, where there are 20,000
    return sorted(name for name in names if name.endswith(ending) and _NAME.fullmatch(name))


def _by_key(names: list[str]) -> dict[str, list[str]]:
    known = {"": names}
    for name in names:
        known.setdefault(name.removesuffix(".json").rpartition("-")[2], []).append(name)
    return known


def _started(stored: Stored) -> str:
    """When a job was sent; what is not known was long ago."""
    started = stored.record.circumstances.started
    return "" if started == UNKNOWN else started


def _absolute(folder: Path) -> Path:
    """A generation knows its files by their paths, and a notebook may go to another folder."""
    try:
        return folder.absolute()
    except OSError:  # the folder that it is at work in was deleted
        return folder
