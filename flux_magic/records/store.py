"""Generations on disk: the bytes as delivered beside their records, in folders by month, with telling names.

::

    2026-11/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.webp
    2026-11/26-083015.250417-a-red-fox-42-1a2b3c4d5e6f-9f8e7d6c5b4a.json

A name is made of the time when it was put there (UTC), the prompt's first words, the seed, and the first 12 digits of
the image's digest and of the request's key; of both its keys if more was sent than asked for. The second of several
images of one job ends in `.2`. The files are the
truth, and all there is: an image is written first, its record last, each by a rename. So an existing record is whole,
and so are its images. Anything damaged, or not a record, is left alone. `inputs.py` says how images that went in are
kept.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain, repeat
from pathlib import Path
from typing import Final

from ..errors import FluxError, InvalidRequest, RecordError, StoreError
from ..images import codecs
from ..images.inputs import read_input
from ..parameters.settings import Settings, get_shared_folders, get_store_folder
from ..types import UNKNOWN, InputImage, Record
from . import embedding, in_hand, marks
from . import record as records
from .files import MOST_RECORD, locate_file, read_file, write_whole
from .inputs import LEAST_DIGITS, KeptInput, delete_input, find_inputs, keep_input, read_kept
from .listing import MONTH, SEVERAL, list_months, list_records
from .marks import Marks
from .sidecar import format_record

BESIDE: Final = Path("flux_images")
"""The folder beside a notebook that has its images: it is read first, and nothing is written there but by an export."""

SLOW: Final = "the disk of the store is slow: the image is being kept while you go on"
UNKEPT: Final = "not kept, since no home is known to keep it in: FLUX_MAGIC_STORE names a folder"

_DIGITS: Final = 12
_WORDS_LONG: Final = 40


@dataclass(frozen=True, slots=True)
class Stored:
    """One job in a store: its record, and where its files are."""

    record: Record
    path: Path

    @property
    def files(self) -> list[Path]:
        """The paths of the images, in the record's order."""
        return _list_images(self.path, self.record)

    @property
    def has_image(self) -> bool:
        """True if the first image's file is there and can be read."""
        try:
            locate_file(self.files[0], within=find_root(self.path))
        except OSError:
            return False
        return True

    def read(self, place: int = 0) -> bytes:
        """Return the bytes of one of the images, as delivered; raises StoreError if they are gone."""
        return read_image(self.files[place], self.record.files[place].sha256)

    def read_all(self) -> list[bytes]:
        """Return the bytes of all images; raises StoreError likewise."""
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

    def put(self, record: Record, files: Sequence[bytes], images: Sequence[InputImage] = ()) -> Stored:
        """Keep a job and what went in; raises StoreError if it cannot be written, or if nothing is kept."""
        if self.folder is None:
            raise StoreError("there is no store: it is turned off")
        self.put_inputs(images)
        now = datetime.now(timezone.utc)
        path = make_absolute(self.folder) / f"{now:%Y-%m}" / f"{now:%d-%H%M%S.%f}-{_make_name(record)}.json"
        return write(path, record, files)

    def put_inputs(self, images: Iterable[InputImage]) -> None:
        """Keep images that go in, except for those of its own jobs. Raises StoreError."""
        if self.folder is None:
            return
        folder, own = make_absolute(self.folder), Store(self.folder, None)
        for image in images:
            if next(own.find_results(image.record.digest), None) is not None:
                continue
            try:
                keep_input(folder, image)
            except OSError as exc:
                raise StoreError(f"cannot keep the image that goes in: {exc.strerror or exc}") from exc

    def find_input(self, digest: str) -> KeptInput | None:
        """Return the image whose digest begins so, of a job or one that went in; 12 hex digits or more.

        A job is preferred, since its record says what made the image. Raises InvalidRequest for what is no digest, and
        if several images have one that begins so.
        """
        start = strip_prefix(digest)
        if not re.fullmatch(rf"[0-9a-f]{{{LEAST_DIGITS},64}}", start):
            raise InvalidRequest(
                f"{digest[:80]!r} is no digest of an image: give {LEAST_DIGITS} to 64 digits, 0 to 9 and a to f"
            )
        found: dict[str, KeptInput] = {}
        for kept in chain(self.find_results(start), self._find_kept(start)):
            found.setdefault(kept.digest, kept)
            if kept.digest == start:
                break
        if len(found) > 1:
            raise InvalidRequest(f"{len(found)} images have a digest that begins with {start}: give more digits")
        return next(iter(found.values()), None)

    def find_results(self, start: str) -> Iterator[KeptInput]:
        """Yield the images of jobs whose digest begins with these 12 digits or more; their files are there."""
        for stored in self._search_digest(start):
            for place, file in enumerate(stored.record.files):
                if file.digest.startswith(start) and stored.files[place].is_file():
                    yield KeptInput(file.digest, stored.files[place], file.sha256, stored.record)

    def find_makers(self, digest: str) -> Iterator[Stored]:
        """Yield the jobs with an image of this digest; their files may be gone."""
        yield from (
            one for one in self._search_digest(digest) if any(file.digest == digest for file in one.record.files)
        )

    def _search_digest(self, start: str) -> Iterator[Stored]:
        """Yield the jobs that may have an image whose digest begins with these digits."""
        for folder in self.list_folders():
            yield from self._search_folder(folder, start[:_DIGITS])
            yield from self._search_folder(folder, SEVERAL)  # a name has the digest of the first image alone

    def _find_kept(self, start: str) -> Iterator[KeptInput]:
        for folder in self.list_folders():
            yield from find_inputs(folder, start)

    def find(self, key: str) -> Stored | None:
        """Return the newest job with this replay key whose images all exist."""
        return next((stored for stored in self.find_jobs(key) if self._is_whole(stored)), None)

    def find_jobs(self, key: str) -> Iterator[Stored]:
        """Yield the jobs with this replay key, the newest of each folder first; their images may be gone."""
        for folder in self.list_folders():
            yield from (
                stored for stored in self._search_folder(folder, key) if key in records.compute_keys(stored.record)
            )

    def find_same(self, record: Record) -> Iterator[Stored]:
        """Yield the jobs that made exactly the files of this record; they may be gone."""
        key = records.compute_key(record)
        yield from (stored for stored in (self.find_jobs(key) if key else ()) if stored.record.files == record.files)

    def __iter__(self) -> Iterator[Stored]:
        """Yield every job, the newest first, and once where several folders have it; `skipped` tells what is
        skipped.
        """
        listed = [zip(repeat(folder), self._search_folder(folder)) for folder in self.list_folders()]
        found_in: dict[object, Path] = {}
        for folder, stored in heapq.merge(*listed, key=lambda pair: _get_started(pair[1]), reverse=True):
            if found_in.setdefault(stored.record.files, folder) == folder:
                yield stored

    def find_digest(self, digest: str, *, in_all: bool = False) -> list[Stored]:
        """Return the jobs in the store's own folder with an image whose digest begins so: 6 hex digits or more.

        With `in_all` those of all folders that are read. Raises InvalidRequest for what is no digest.
        """
        start = strip_prefix(digest)
        if not re.fullmatch(r"[0-9a-f]{6,64}", start):
            raise InvalidRequest(f"{digest[:70]!r} is no digest: give its first 6 to 64 digits, 0 to 9 and a to f")
        folders = self.list_folders() if in_all else [] if self.folder is None else [make_absolute(self.folder)]
        return sorted(self._search_start(folders, start), key=_get_started, reverse=True)

    def has_digest(self, start: str) -> bool:
        """Return True if a folder that is read has an image whose digest begins with these digits."""
        return next(self._search_start(self.list_folders(), start), None) is not None

    def _search_start(self, folders: Iterable[Path], start: str) -> Iterator[Stored]:
        """Yield the jobs with an image whose digest begins with these digits, which may be fewer than a name has."""
        for folder in folders:
            for at in (folder, *(folder / month for month in list_months(folder))):
                several = {*list_records(at, SEVERAL)}  # a name has the digest of the first image alone
                likely = (
                    path
                    for path in list_records(at, "")
                    if path in several or any(one.startswith(start[:_DIGITS]) for one in path.stem.rsplit("-", 3)[1:])
                )
                for stored in self._open_all(likely):
                    if any(file.digest.startswith(start) for file in stored.record.files):
                        yield stored

    def delete(self, stored: Stored, needed: Collection[str] | None = None) -> None:
        """Delete a job with its marks: its record first, so that no record is left without its images.

        What went in goes too, unless another job has it; and its image stays as an input of those that it went into.
        `needed` has the digests of what went into other jobs; without it all records are read.
        """
        needed = self._list_needed(stored) if needed is None else needed
        try:
            self.keep_needed(stored, needed)
            files = stored.files
            stored.path.unlink(missing_ok=True)
            marks.get_marks_path(stored.path).unlink(missing_ok=True)
            for file in files:
                in_hand.drop(file)
                file.unlink(missing_ok=True)
            for one in stored.record.images:
                if self.folder is not None and one.digest not in needed:
                    delete_input(make_absolute(self.folder), one.digest)
        except OSError as exc:
            raise StoreError(f"cannot delete {stored.path}: {exc.strerror}") from exc

    def _list_needed(self, stored: Stored) -> set[str]:
        """Return the digests of what went into the other jobs of the store's own folder."""
        others = (one for one in Store(self.folder, None) if one.path != stored.path)
        return {image.digest for one in others for image in one.record.images}

    def keep_needed(self, stored: Stored, needed: Collection[str]) -> None:
        """Keep the images of a job that is deleted, if they went into another one. Raises OSError."""
        for place, file in enumerate(stored.record.files):
            if file.digest in needed and self.folder is not None:
                with suppress(FluxError):  # it is damaged, or gone
                    keep_input(make_absolute(self.folder), read_input(stored.read(place), digest=file.digest))

    def read_marks(self, path: Path) -> Marks:
        """Return the marks of the job whose record is at a path: the user's own, else those beside the record."""
        other = self.get_other_marks(path)
        return marks.read_marks(other if other is not None and other.exists() else marks.get_marks_path(path))

    def get_other_marks(self, path: Path) -> Path | None:
        """Return the file in the own store for the marks of a record that others keep; None for a record of its own."""
        if self.folder is None or find_root(path) == (folder := make_absolute(self.folder)):
            return None
        return folder / marks.FOLDER / marks.get_marks_path(path).name

    def list_folders(self) -> Iterable[Path]:
        """Return the folders that are read, in order, each once; unreadable shared ones are added to `skipped`."""
        for number, folder in enumerate(self.shared, 1):
            if reason := describe_trouble(folder):
                which = "the shared store" if len(self.shared) == 1 else f"shared store {number}"
                self.skipped.append(f"{which} {reason}")
        # A shared store's owner has it as the own store too.
        return dict.fromkeys(make_absolute(one) for one in (self.beside, *self.shared, self.folder) if one is not None)

    def _search_folder(self, folder: Path, key: str = "") -> Iterator[Stored]:
        """Yield the jobs in a folder, the newest first, by their names or, failing that, their records."""
        key = key[:_DIGITS]
        timeless = sorted(self._open_all(list_records(folder, key)), key=_get_started, reverse=True)
        timed = self._open_all(path for month in list_months(folder) for path in list_records(folder / month, key))
        return heapq.merge(timeless, timed, key=_get_started, reverse=True)

    def _open_all(self, paths: Iterable[Path]) -> Iterator[Stored]:
        for path in paths:
            try:
                yield read_stored(path)
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


def describe_trouble(folder: Path) -> str:
    """Return why a shared folder, or a part of it, cannot be read, without its path; empty if all can."""
    for part, named in [(folder, ""), *((folder / month, f" in {month}") for month in list_months(folder))]:
        try:
            os.scandir(part).close()
        except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
            return f"cannot be read{named}: {getattr(error, 'strerror', None) or error}"
    return ""


def open_store(settings: Settings, beside: Path = BESIDE) -> Store:
    """Return the store that a call's settings name, with the folders read before it; raises as `get_store_folder`
    does.
    """
    return Store(get_store_folder(settings), beside, get_shared_folders(settings))


def read_stored(path: Path) -> Stored:
    """Return the job whose record is at a path. Raises RecordError for what is no record, and OSError."""
    data = read_file(path, MOST_RECORD, within=find_root(path))
    return Stored(records.parse_record(records.load_json(data)), path)


def write(path: Path, record: Record, files: Sequence[bytes]) -> Stored:
    """Write images, and then their record to `path`; raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for file, data in zip(_list_images(path, record), files, strict=True):
            write_whole(file, data, lasting=True)
        write_whole(path, format_record(record).encode(), lasting=True)
    except OSError as exc:
        raise StoreError(f"cannot keep the image in {path.parent}: {exc.strerror or exc}") from exc
    return Stored(record, path)


def read_kept_input(kept: KeptInput) -> bytes:
    """Return the bytes of an image that was found by its digest; raises StoreError if they are gone or others."""
    return read_kept(kept) if kept.record is None else read_image(kept.path, kept.sha256)


def strip_prefix(text: str) -> str:
    """Return a digest, or its beginning, without the `sha256:` with which it is shown."""
    return text.lower().removeprefix("sha256:")


def read_image(path: Path, sha256: str) -> bytes:
    """Return the bytes as delivered, with this sha256: the file's own, or those without the record inside.

    Raises StoreError if they are not there any more, or others.
    """
    try:
        data = read_file(path, within=find_root(path))
    except FileNotFoundError as exc:
        raise StoreError(f"the image {path.name} is not in the store any more: {exc.strerror}", _AGAIN) from exc
    except OSError as exc:
        raise StoreError(f"the image {path.name} in the store cannot be read: {exc.strerror}", _AGAIN) from exc
    for found in embedding.list_readings(data):
        if embedding.compute_sha256(found) == sha256:
            return found
    raise StoreError(f"the image {path.name} in the store is not what was delivered: it is damaged", _AGAIN)


def find_root(path: Path) -> Path:
    """Return the folder of the store in which a file is, by itself or in the folder of a month."""
    return path.parent.parent if MONTH.fullmatch(path.parent.name) else path.parent


_AGAIN = "The cell makes it again, with --fresh."


def get_export_path(folder: Path, record: Record) -> Path:
    """Return the path of an exported record: a name without the time, the same for the same image."""
    return folder / f"{_make_name(record)}.json"


def _make_name(record: Record) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", record.prompt[:200].lower()).strip("-")[:_WORDS_LONG].rstrip("-")
    seed = "noseed" if record.seed is None else str(record.seed)
    keys = [key[:_DIGITS] for key in records.compute_keys(record)] or ["nokey"]
    return "-".join(filter(None, (words, seed, record.files[0].digest[:_DIGITS], *keys)))


def _list_images(path: Path, record: Record) -> list[Path]:
    stem = path.name.removesuffix(".json")
    return [
        path.with_name(f"{stem}{'' if place == 0 else f'.{place + 1}'}{codecs.get_suffix(file.media_type)}")
        for place, file in enumerate(record.files)
    ]


def _get_started(stored: Stored) -> str:
    """Return when a job was sent; an unknown time counts as long ago."""
    started = stored.record.circumstances.started
    return "" if started == UNKNOWN else started


def make_absolute(folder: Path) -> Path:
    """Return an absolute path: a generation keeps the paths of its files when the working folder changes."""
    try:
        return folder.absolute()
    except OSError:  # the folder that it is at work in was deleted
        return folder
