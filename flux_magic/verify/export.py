"""A notebook's images and records put beside it, so that it runs without a Space: on a plane, in CI, on Binder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FluxError, InvalidRequest, RecordError, StoreError
from ..parameters.settings import resolve
from ..records import embedding
from ..records import record as records
from ..records.store import BESIDE, Store, Stored, exported_path, store_of, write
from ..types import Record
from .discover import NOTEBOOK, Discovery, Subject, read_notebook


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of an export.

    Attributes:
        folder: where the images are now.
        written: how many were put there.
        there: how many were there already.
        missing: what could not be had, a line each.
    """

    folder: Path
    written: int
    there: int
    missing: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    def __str__(self) -> str:
        there = f", {self.there} there already" if self.there else ""
        count = f"{self.written} image{'' if self.written == 1 else 's'}"
        return "\n".join([f"{count} put into {self.folder.as_posix()}{there}", *self.missing])


def export(notebook: str | os.PathLike[str]) -> Exported:
    """Put the images of a saved notebook, each with its record, into `flux_images` beside it.

    They come from the store, or from the notebook itself where it has the bytes as they were delivered. Each carries
    its record inside as well. Raises InvalidRequest for what is no notebook, StoreError where nothing can be written.
    """
    path = Path(notebook)
    if path.suffix.lower() != NOTEBOOK:
        raise InvalidRequest(f"{path.as_posix()} is no notebook: give a file that ends in {NOTEBOOK}")
    found = Discovery()
    read_notebook(path, found)
    if found.problems:
        raise InvalidRequest(found.problems[0])
    if not found.subjects:
        raise InvalidRequest(f"{path.as_posix()} has no image of flux_magic: run it, and save it first")
    return _exported(found.subjects, path.parent / BESIDE)


def _exported(subjects: list[Subject], folder: Path) -> Exported:
    written = there = 0
    missing: list[str] = []
    known = store_of(resolve(), folder)
    for label, record, embedded in _images(subjects, missing):
        target = exported_path(folder, record)
        if _is_whole(target, record):
            there += 1
            continue
        files = _delivered(record, known, embedded)
        if files is None:
            missing.append(f"{label}: the store has no such image: run the cell again with --fresh, and save")
            continue
        write(target, record, [embedding.restorable(data, record, place) for place, data in enumerate(files)])
        written += 1
    return Exported(folder, written, there, tuple(missing))


def _images(subjects: list[Subject], missing: list[str]) -> Iterator[tuple[str, Record, list[bytes]]]:
    """Each job once: where it is, its record, and what the notebook embeds of it."""
    jobs: dict[str, tuple[str, Record, list[bytes]]] = {}
    for subject in subjects:
        try:
            record = _record(subject.told, subject.data)
        except FluxError as error:
            missing.append(f"{subject.label}: {error.message}")
            continue
        embedded = [subject.data] if subject.data else []
        _, _, so_far = jobs.setdefault(exported_path(Path(), record).name, (subject.label, record, []))
        so_far += embedded
    yield from jobs.values()


def _record(told: Any, data: bytes | None) -> Record:
    if told is not None:
        record = records.carried_from(told).record
    elif data and (carried := embedding.read(data)):
        record = carried.record
    else:
        raise RecordError("it has no record")
    if record.seed is None:
        raise RecordError("its seed is not known, so no cell can ask for it again")
    return record


def _is_whole(path: Path, record: Record) -> bool:
    return path.exists() and _read(Stored(record, path)) is not None


def _delivered(record: Record, known: Store, embedded: list[bytes]) -> list[bytes] | None:
    """The bytes of its files as they were delivered, from wherever they are."""
    for stored in known.of(record):
        if files := _read(stored):
            return files
    found = {embedding.sha256(one): one for data in embedded for one in embedding.readings(data)}
    if all(file.sha256 in found for file in record.files):
        return [found[file.sha256] for file in record.files]
    return None


def _read(stored: Stored) -> list[bytes] | None:
    """The files of a stored job, where they are whole."""
    try:
        return stored.read_all()
    except StoreError:
        return None
