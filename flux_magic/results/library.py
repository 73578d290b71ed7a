"""The library of all images that a call can see: those of its store, of shared stores, and beside the notebook.

A search is answered by an index in the user's cache folder; the files remain the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from ..errors import FluxError, InvalidRequest, StoreError
from ..images import codecs
from ..parameters.settings import Settings
from ..records import aside, marks
from ..records.index import ALL, Query, is_match, normalize
from ..records.marks import Marks
from ..records.record import build_request
from ..records.store import Store, Stored, find_root, open_store
from .generation import Generation, replay
from .origin import find_images

THUMBNAIL: Final = 256
"""Pixels of a thumbnail's longer side."""


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
    """Images that can be searched, marked and deleted; `open_library` makes one.

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

    def refresh(self) -> None:
        """Bring the index up to date from the files; this is quick if nothing changed."""

    def count(self, query: Query = ALL) -> int:
        """Return the number of images for which all conditions hold. Raises InvalidRequest as `find` does."""
        return sum(1 for _ in self._search(query))

    def find(self, query: Query = ALL, *, start: int = 0, number: int = 50) -> list[Generation]:
        """Return the images for which all conditions hold, the newest first.

        Args:
            query: the conditions.
            start: how many are left out.
            number: how many at the most.

        Raises InvalidRequest for a tag, a time or a parameter that cannot be.
        """
        found = islice(self._search(query), start, start + number)
        return list(stream_generations(found, self._store, self._settings))

    def _search(self, query: Query) -> Iterator[Stored]:
        query = normalize(query)
        self._store.skipped = self.skipped = []
        return (one for one in self._store if is_match(query, one.record, self._read_marks(one.path)))

    def thumbnail(self, generation: Generation) -> bytes:
        """Return a JPEG of an image, at most 256 pixels wide or high; it is made once and kept by the image's digest.

        Raises StoreError if the image is no longer there, and NotAnImage if it cannot be decoded.
        """
        return codecs.make_thumbnail(generation.data, THUMBNAIL)

    def marks(self, generation: Generation) -> Marks:
        """Return the star and the tags of an image. Raises InvalidRequest for one that is in no store."""
        return self._read_marks(_get_record_path(generation))

    def _read_marks(self, path: Path) -> Marks:
        other = self._get_other_marks(path)
        return marks.read_marks(other if other is not None and other.exists() else marks.get_marks_path(path))

    def _get_other_marks(self, path: Path) -> Path | None:
        """Return the file in the own store for the marks of a record that others keep; None for a record of its own."""
        own = self._store.folder
        if own is None or find_root(path) == own.absolute():
            return None
        return own.absolute() / marks.FOLDER / marks.get_marks_path(path).name

    def mark(self, generation: Generation, *, starred: bool | None = None, tags: Sequence[str] | None = None) -> Marks:
        """Set the star or the tags of an image, and return all its marks.

        Args:
            generation: the image.
            starred: whether it has a star; None leaves that as it is.
            tags: all its tags, in place of those that it has; None leaves them.

        Raises InvalidRequest for what is no tag, and StoreError if the marks cannot be written.
        """
        path = _get_record_path(generation)
        before = self._read_marks(path)
        made = Marks(
            before.starred if starred is None else bool(starred),
            before.tags if tags is None else marks.check_tags(tags),
        )
        other = self._get_other_marks(path)
        if other is None and self._store.folder is None:
            raise StoreError("there is no store to keep the mark in: it is turned off")
        try:
            marks.write_marks(other or marks.get_marks_path(path), made, keeps_none=other is not None)
        except OSError as exc:
            raise StoreError(f"the mark cannot be kept: {exc.strerror or exc}") from exc
        return made

    def tags(self) -> dict[str, int]:
        """Return every tag with the number of its images, the most frequent first."""
        found = Counter(tag for one in self._search(ALL) for tag in self._read_marks(one.path).tags)
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    def delete(self, generation: Generation) -> Deleted:
        """Delete an image with its record and its marks; `undo` of the result brings it back.

        Raises InvalidRequest for an image that is not in the user's own store, and StoreError if it cannot be deleted.
        """
        path, folder = _get_record_path(generation), self._store.folder
        if folder is None or find_root(path) != folder.absolute():
            raise InvalidRequest(
                f"the image {generation.digest[:12]} is in flux_images or in a shared store, where nothing is deleted"
            )
        stored = Stored(generation.record, path)
        self._store.keep_as_inputs(stored)
        return Deleted(aside.move_aside(folder.absolute(), stored))


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


def _get_record_path(generation: Generation) -> Path:
    """Return the path of an image's record."""
    if generation.path is None:
        raise InvalidRequest(f"the image {generation.digest[:12]} is in no store")
    return generation.path.with_suffix(".json")
