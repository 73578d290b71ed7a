"""Deleted jobs that can come back: moved into the folder `deleted` of their store, each into one of its own.

The record is moved first and comes back last, so that no record is without its images. What a crash leaves in
between comes back likewise. A deleted job goes for good after a day, or when the store is cleaned.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from ..errors import NotInStore, StoreError
from . import in_hand
from .marks import get_marks_path
from .store import Stored

FOLDER: Final = "deleted"
"""The folder within a store."""

KEPT: Final = timedelta(days=1)
"""Time for which a deleted job can come back."""

GONE: Final = "this image is no longer in the store"
"""The reason why an image that another process has deleted cannot be changed."""

_NAME: Final = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{8}")
_FORMAT: Final = "%Y%m%d-%H%M%S"


def move_aside(folder: Path, stored: Stored) -> Path:
    """Move a job's files out of a store's folder, and return the place where they are.

    Raises NotInStore if the record is gone, and StoreError.
    """
    place = folder / FOLDER / f"{datetime.now(timezone.utc):{_FORMAT}}-{secrets.token_hex(4)}"
    try:
        for path in (stored.path, *stored.files, get_marks_path(stored.path)):
            target = place / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            in_hand.drop(path)
            try:
                path.replace(target)
            except FileNotFoundError:
                if path == stored.path:
                    raise
    except FileNotFoundError:
        _remove_empty(place)
        raise NotInStore(GONE) from None
    except OSError as exc:
        _remove_empty(place)
        raise StoreError(f"cannot delete {stored.path.name}: {exc.strerror or exc}") from exc
    return place


def move_back(place: Path) -> Path:
    """Move a job's files back to where they were, and return its record's path; raises StoreError if they are gone."""
    folder = place.parent.parent
    moved = sorted(list_files(place), key=_is_record)
    if not moved or not _is_record(moved[-1]):
        raise StoreError("the deleted image cannot come back: it is gone for good")
    try:
        for path in moved:
            target = folder / path.relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    except OSError as exc:
        raise StoreError(f"the deleted image cannot come back: {exc.strerror or exc}") from exc
    _remove_empty(place)
    return folder / moved[-1].relative_to(place)


def list_places(folder: Path) -> list[Path]:
    """Return the places of the deleted jobs of a store, the oldest first."""
    with suppress(OSError, ValueError), os.scandir(folder / FOLDER) as entries:
        return sorted(
            folder / FOLDER / one.name
            for one in entries
            if _NAME.fullmatch(one.name) and one.is_dir(follow_symlinks=False)
        )
    return []


def list_files(place: Path) -> Iterator[Path]:
    """Yield the files of a deleted job, its record first."""
    found = [Path(at) / name for at, _, names in os.walk(place) for name in names]
    yield from sorted(found, key=lambda path: (not _is_record(path), path))


def find_old(folder: Path) -> Iterator[Path]:
    """Yield the places of the deleted jobs that have been kept for long enough."""
    now = datetime.now(timezone.utc)
    for place in list_places(folder):
        with suppress(ValueError):  # no such day
            deleted = datetime.strptime(place.name[:15], _FORMAT).replace(tzinfo=timezone.utc)
            if now - deleted > KEPT:
                yield place


def remove(place: Path) -> None:
    """Remove a deleted job for good: its record first. What cannot be removed stays."""
    for path in list_files(place):
        with suppress(OSError):
            path.unlink()
    _remove_empty(place)


def _is_record(path: Path) -> bool:
    return path.name.endswith(".json") and not path.name.endswith(".marks.json")


def _remove_empty(place: Path) -> None:
    """Remove a folder of deleted files with those in it, as far as they are empty."""
    for at, _, _ in os.walk(place, topdown=False):
        with suppress(OSError):
            os.rmdir(at)  # noqa: PTH106 - of os.walk
