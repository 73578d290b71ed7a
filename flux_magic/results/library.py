"""The library of all images that a call can see: those of its store, of shared stores, and beside the notebook.

A search is answered by an index in the user's cache folder; the files remain the truth.
"""

from __future__ import annotations

import difflib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from ..errors import FluxError, InvalidRequest, NotInStore, RecordError, StoreError
from ..parameters.settings import Settings
from ..parameters.table import ROWS, Parameter
from ..records import aside, marks, thumbnails
from ..records.database import TryAgain
from ..records.index import Index
from ..records.marks import Marks
from ..records.query import ALL, Query, read_query
from ..records.record import build_request
from ..records.selection import SLOTS
from ..records.store import Store, Stored, find_root, make_absolute, open_store, read_stored
from ..types import fit_one_line
from .generation import Generation, replay
from .origin import find_images

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted image, which can come back for a day, unless the store is cleaned.

    Attributes:
        place: the folder within the store in which its files are.
    """

    place: Path

    def undo(self) -> None:
        """Bring the image back, all files as they were. Raises StoreError if it is gone for good."""
        aside.move_back(self.place)


class Library:
    """Images that can be searched, marked and deleted; `open_library` makes one. Several threads may use it.

    Attributes:
        skipped: what was found and is no record of ours, or is damaged: a line for each.

    Example::

        >>> library = open_library(resolve())
        >>> library.find(Query(words="red fox", starred=True), number=1)
        []
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self.skipped: list[str] = []
        self._known: dict[Path, Index] = {}
        self._indexes: list[Index] = []
        self._applied: object = None
        self._lock, self._refreshing = threading.RLock(), threading.Lock()

    def refresh(self) -> None:
        """Bring the index up to date from the files; this is quick if nothing changed.

        The first time takes about 0.2 ms a record. Meanwhile other threads find what was read so far, newest first.
        """
        with self._refreshing:
            self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        self._store.skipped = []
        own = None if self._store.folder is None else make_absolute(self._store.folder)
        if own is not None:
            for place in aside.find_old(own):
                aside.remove(place)
        self._indexes = [
            self._known.setdefault(folder, Index(folder, is_own=folder == own)) for folder in self._store.list_folders()
        ]
        for index in self._indexes:
            while self._refresh_index(index):
                pass

    def _refresh_index(self, index: Index) -> bool:
        """Bring one index up to date; return True if it has to be tried again."""
        steps = index.refresh()
        try:
            while True:
                with self._lock:  # between two steps another thread may search
                    next(steps)
        except StopIteration:
            return False
        except TryAgain:
            return True

    def _ask(self, work: Callable[[list[Index]], T]) -> T:
        """Return the answer of the indexes, up to date unless another thread is at that."""
        if self._refreshing.acquire(blocking=False):
            try:
                self._bring_up_to_date()
            finally:
                self._refreshing.release()
        while True:
            try:
                with self._lock:
                    there = [index for index in self._indexes if index.is_there]
                    self._apply(there)
                    return work(there)
            except TryAgain:
                self.refresh()

    def _apply(self, there: list[Index]) -> None:
        """Let each index know what the others say of it: other marks, and jobs that another folder has as well."""
        state = [(index.root, index.get_stamp()) for index in there]
        if state == self._applied:
            return
        others = next((index.read_other_marks() for index in there if index.is_own), {})
        for index in there:
            index.apply_marks({} if index.is_own else others)
        largest = max(there, key=Index.get_size, default=None)
        found = {index: index.list_files() for index in there if index is not largest}
        if largest is not None:
            found[largest] = largest.list_files(list({one for files in found.values() for one in files}))
        shown: dict[int, tuple[int, int]] = {}
        for place, index in enumerate(there):  # the newest is shown, else that of the first folder
            for one, number in found[index].items():
                shown[one] = max(shown.get(one, (-1, 0)), (number // SLOTS, -place))
        for place, index in enumerate(there):
            index.hide(one for one in found[index] if shown[one][1] != -place)
        self._applied = state

    def count(self, query: Query = ALL) -> int:
        """Return the number of images for which all conditions hold. Raises InvalidRequest as `find` does."""
        wanted = read_query(query)
        return self._ask(lambda indexes: sum(index.count(wanted) for index in self._check(indexes, query)))

    def find(self, query: Query = ALL, *, start: int = 0, number: int = 50) -> list[Generation]:
        """Return the images for which all conditions hold, the newest first.

        Args:
            query: the conditions.
            start: how many are left out.
            number: how many at the most.

        Raises InvalidRequest for a tag, a time or a parameter that cannot be.
        """
        wanted = read_query(query)
        start = Parameter(name="start", help="", least=0).check(start)
        number = Parameter(name="number", help="", least=0).check(number)

        def find(indexes: list[Index]) -> tuple[list[Path], list[str]]:
            skipped = [line for index in indexes for line in index.list_skipped()]
            if len(self._check(indexes, query)) == 1:
                return _locate([(one, indexes[0]) for one in indexes[0].find(wanted, number, start)]), skipped
            ids = [(one, index) for index in indexes for one in index.find(wanted, start + number)]
            return _locate(sorted(ids, key=lambda pair: -pair[0])[start : start + number]), skipped

        paths, skipped = self._ask(find)
        made = list(stream_generations(self._read(paths), self._store, self._settings))
        self.skipped = [*self._store.skipped, *skipped]
        return made

    def _check(self, indexes: list[Index], query: Query) -> list[Index]:
        """Return the indexes; raise InvalidRequest for a parameter that no image has."""
        for name in query.parameters:
            if name not in ROWS and not any(index.has_parameter(str(name)) for index in indexes):
                raise InvalidRequest(_explain_unknown(str(name)))
        return indexes

    def _read(self, paths: Iterable[Path]) -> Iterator[Stored]:
        for path in paths:
            try:
                yield read_stored(path)
            except FileNotFoundError:  # somebody deleted it just now
                continue
            except (RecordError, OSError) as error:
                reason = error.message if isinstance(error, RecordError) else error.strerror or type(error).__name__
                self._store.skipped.append(f"{path.name} is skipped: {reason}")

    def thumbnail(self, generation: Generation) -> bytes:
        """Return a JPEG of an image, at most 256 pixels wide or high; it is made once and kept by the image's digest.

        Raises StoreError if the image is no longer there, and NotAnImage if it cannot be decoded.
        """
        return thumbnails.get_thumbnail(generation.digest, lambda: generation.data)

    def marks(self, generation: Generation) -> Marks:
        """Return the star and the tags of an image. Raises InvalidRequest for one that is in no store."""
        return self._store.read_marks(_get_record_path(generation))

    def mark(self, generation: Generation, *, starred: bool | None = None, tags: Sequence[str] | None = None) -> Marks:
        """Set the star or the tags of an image, and return all its marks.

        Args:
            generation: the image.
            starred: True gives it a star, False takes it away; None leaves that as it is.
            tags: all its tags, in place of those that it has; None leaves them.

        Raises InvalidRequest for what is no tag, NotInStore for an image that is gone, and StoreError for marks that
        cannot be written.
        """
        path = _get_record_path(generation, must_exist=True)
        before, other = self._store.read_marks(path), self._store.get_other_marks(path)
        made = Marks(
            before.starred if starred is None else bool(starred),
            before.tags if tags is None else marks.check_tags(tags),
        )
        if self._store.folder is None:
            raise StoreError("there is no store to keep the mark in: it is turned off")
        copies = (
            [path]
            if other is None
            else [one.path for one in Store(self._store.folder, None).find_same(generation.record)]
        )
        try:
            if other is not None:
                marks.write_marks(other, made, keeps_none=True)
            for one in copies:
                marks.write_marks(marks.get_marks_path(one), made)
        except OSError as exc:
            raise StoreError(f"the mark cannot be kept: {exc.strerror or exc}") from exc
        return made

    def tags(self) -> dict[str, int]:
        """Return every tag with the number of its images, the most frequent first."""
        found = self._ask(lambda indexes: sum(map(Counter, map(Index.count_tags, indexes)), Counter[str]()))
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    def delete(self, generation: Generation) -> Deleted:
        """Delete an image with its record and its marks; `undo` of the result brings it back.

        An image that went into others stays as their input. Raises InvalidRequest for an image that is not in the
        user's own store, NotInStore if it is gone, and StoreError if it cannot be deleted.
        """
        path, folder = _get_record_path(generation, must_exist=True), self._store.folder
        if folder is None or find_root(path) != make_absolute(folder):
            raise InvalidRequest(
                f"the image {generation.digest[:12]} is in flux_images or in a shared store, where nothing is deleted"
            )
        stored = Stored(generation.record, path)
        needed = self.list_needed(stored)
        try:
            self._store.keep_needed(stored, needed)
        except OSError as exc:
            raise StoreError(f"cannot delete {path.name}: {exc.strerror}") from exc
        return Deleted(aside.move_aside(make_absolute(folder), stored))

    def list_needed(self, stored: Stored) -> set[str]:
        """Return the digests of a job's images and inputs that went into other jobs of the own store as well."""
        digests = {one.digest for one in stored.record.files} | {one.digest for one in stored.record.images}

        def list_needed(indexes: list[Index]) -> set[str]:
            own = [index for index in indexes if index.is_own]
            return {one for one in digests if any(index.has_input(one, stored.path) for index in own)}

        return self._ask(list_needed)


def open_library(settings: Settings) -> Library:
    """Return the library that a call's settings name: the store, the shared ones, and what is beside the notebook."""
    return Library(open_store(settings), settings)


def stream_generations(found: Iterable[Stored], store: Store, settings: Settings) -> Iterator[Generation]:
    """Yield stored jobs as generations; one that cannot be requested is added to what the store skipped."""
    for stored in found:
        try:
            request = build_request(stored.record)
        except FluxError as error:
            store.skipped.append(f"{stored.path.name} is skipped: {error.message}")
            continue
        images = find_images(stored.record, store) if stored.record.images else ()
        yield replay(replace(request, images=images), stored, settings)


def _explain_unknown(name: str) -> str:
    """Return in words what a condition that no image has was meant as, and which there are."""
    known = ["search", *(one.name for one in fields(Query) if one.name not in {"words", "parameters"}), "size"]
    near = difflib.get_close_matches(name, known, 1, 0.7)
    meant = f": did you mean {near[0]}?" if near else ""
    there = f"{', '.join(known)}, or a parameter that an image has"
    unknown = f"no image in the store has a parameter {fit_one_line(name, 80)}"
    return f"{unknown}{meant} Give {there}" if meant else f"{unknown}: give {there}"


def _locate(ids: list[tuple[int, Index]]) -> list[Path]:
    """Return the paths of the records with these identifiers, in order."""
    paths = {index: index.locate([one for one, of in ids if of is index]) for index in {of for _, of in ids}}
    return [paths[index][one] for one, index in ids if one in paths[index]]


def _get_record_path(generation: Generation, *, must_exist: bool = False) -> Path:
    """Return the path of an image's record. Raises InvalidRequest, and NotInStore if it is gone but `must_exist`."""
    if generation.path is None:
        raise InvalidRequest(f"the image {generation.digest[:12]} is in no store")
    path = generation.path.with_suffix(".json")
    if must_exist and not path.exists():
        raise NotInStore(aside.GONE)
    return path
