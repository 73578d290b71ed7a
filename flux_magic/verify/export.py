"""Export of a notebook's images and records to files beside it: it then runs without a Space, as in CI or on Binder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FluxError, InvalidRequest, RecordError, StoreError
from ..images.inputs import read_input
from ..parameters.settings import resolve
from ..records import embedding
from ..records import record as records
from ..records.files import read_file, write_whole
from ..records.manifest import SIGNED, Signing
from ..records.marks import NONE, get_marks_path, read_marks, write_marks
from ..records.store import BESIDE, Store, Stored, get_export_path, open_store, read_kept_input, write
from ..results.signer import open_signing
from ..types import InputRecord, Record
from .discover import NOTEBOOK, Discovery, Subject, read_notebook


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export.

    Attributes:
        folder: where the images are now.
        written: how many were put there.
        there: how many were there already.
        missing: what could not be exported, a line each.
    """

    folder: Path
    written: int
    there: int
    missing: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """True if nothing is missing."""
        return not self.missing

    def __str__(self) -> str:
        there = f", {self.there} there already" if self.there else ""
        count = f"{self.written} image{'' if self.written == 1 else 's'}"
        return "\n".join([f"{count} put into {self.folder.as_posix()}{there}", *self.missing])


def export(notebook: str | os.PathLike[str], *, sign: bool = False, into: Path | None = None) -> Exported:
    """Put the images of a saved notebook, each with its record, into `flux_images` beside it, or `into` a folder.

    They come from the store, or from the notebook itself if it has the delivered bytes. What is beside the notebook
    goes `into` another folder as it is, signed or not, without its marks. Each file carries its record as well, and
    with `sign` content credentials (C2PA) by the user's own key. A file that its provider has signed stays as it was
    delivered, since a replay needs these bytes.

    Raises InvalidRequest if the file is not a notebook, and StoreError if nothing can be written. With `sign` it raises
    InvalidRequest without a key, MissingExtra without the packages, and SaveError if signing fails.
    """
    path = Path(notebook)
    if path.suffix.lower() != NOTEBOOK:
        raise InvalidRequest(f"{path.as_posix()} is not a notebook: give a file that ends in {NOTEBOOK}")
    found = Discovery()
    read_notebook(path, found)
    if found.problems:
        raise InvalidRequest(found.problems[0])
    if not found.subjects:
        raise InvalidRequest(f"{path.as_posix()} has no image from flux_magic: run it, and save it first")
    beside = path.parent / BESIDE
    images = [one for one in found.subjects if not one.is_sheet]
    return _export_all(images, beside, into or beside, open_signing(resolve().sign_as) if sign else None)


def _export_all(subjects: list[Subject], beside: Path, folder: Path, signer: Signing | None) -> Exported:
    written = there = 0
    missing: list[str] = []
    wanted: list[tuple[str, InputRecord]] = []
    known = open_store(resolve(), beside)
    is_elsewhere = folder != beside
    for label, record, embedded in _group_images(subjects, missing):
        target = get_export_path(folder, record)
        wanted += [(label, one) for one in record.images]
        if is_elsewhere and not target.exists():
            _copy_whole(get_export_path(beside, record), target, record)
        if _is_whole(target, record) and not (signer and _is_unsigned(target, record)):
            there += 1
            if not is_elsewhere:
                _export_marks(target, record, known)
            continue
        files = _collect_delivered(record, known, embedded)
        if files is None:
            missing.append(f"{label}: the store has no such image: run the cell again with --fresh, and save")
            continue
        write(target, record, [_make_file(data, record, place, signer) for place, data in enumerate(files)])
        written += 1
        if not is_elsewhere:
            _export_marks(target, record, known)
    missing += _export_inputs(wanted, folder, known)
    return Exported(folder, written, there, tuple(missing))


def _copy_whole(source: Path, target: Path, record: Record) -> None:
    """Copy an exported job as it is, with the credentials of its files; leave out one that is not whole."""
    if not _is_whole(source, record):
        return
    pairs = zip(Stored(record, source).files, Stored(record, target).files, strict=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for old, new in (*pairs, (source, target)):
            write_whole(new, read_file(old, within=source.parent))
    except OSError as exc:
        raise StoreError(f"cannot export {source.name}: {exc.strerror or exc}") from exc


def _make_file(data: bytes, record: Record, place: int, signer: Signing | None) -> bytes:
    """Return a file with its record inside, and signed, as far as the delivered bytes can be restored from it."""
    inside = embedding.embed_restorable(data, record, place)
    if signer is None or embedding.is_signed(data):
        return inside
    signed = signer.sign_copy(data, record, place, with_record=inside is not data, same_pixels=True)
    sha256 = record.files[place].sha256
    if signed and any(embedding.compute_sha256(one) == sha256 for one in embedding.list_readings(signed[0])):
        return signed[0]
    return inside


def _is_unsigned(path: Path, record: Record) -> bool:
    """Return True if a file of an exported job has no credentials, although it can have some."""
    files = zip(Stored(record, path).files, record.files, strict=True)
    return any(kept.media_type in SIGNED and not embedding.is_signed(file.read_bytes()) for file, kept in files)


def _export_marks(target: Path, record: Record, known: Store) -> None:
    """Put the star and the tags beside an exported record: those of the store, else those that it had there."""
    places = [*(one.path for one in known.find_same(record) if one.path != target), target]
    found = next((marks for marks in map(known.read_marks, places) if marks != NONE), NONE)
    try:
        if found != read_marks(get_marks_path(target)):
            write_marks(get_marks_path(target), found)
    except OSError as exc:
        raise StoreError(f"cannot export the marks: {exc.strerror or exc}") from exc


def _export_inputs(wanted: list[tuple[str, InputRecord]], folder: Path, known: Store) -> Iterator[str]:
    """Put what went into the images there as well, if it is no image that is there, and yield what is missing."""
    exported = Store(folder, None)
    for label, one in wanted:
        name = f"its input image sha256:{one.digest[:12]}"
        try:
            if exported.find_input(one.digest) is not None:
                continue
            kept = known.find_input(one.digest)
            if kept is None:
                yield f"{label}: {name} is not in the store"
                continue
            exported.put_inputs([read_input(read_kept_input(kept), one.role, digest=one.digest)])
        except (InvalidRequest, StoreError) as error:
            yield f"{label}: {name}: {error.message}"


def _group_images(subjects: list[Subject], missing: list[str]) -> Iterator[tuple[str, Record, list[bytes]]]:
    """Yield each job once: its label, its record, and what the notebook embeds of it."""
    jobs: dict[str, tuple[str, Record, list[bytes]]] = {}
    for subject in subjects:
        try:
            record = _check_record(subject.told, subject.data)
        except FluxError as error:
            missing.append(f"{subject.label}: {error.message}")
            continue
        embedded = [subject.data] if subject.data else []
        _, _, so_far = jobs.setdefault(get_export_path(Path(), record).name, (subject.label, record, []))
        so_far += embedded
    yield from jobs.values()


def _check_record(told: Any, data: bytes | None) -> Record:
    if told is not None:
        record = records.parse_carried(told).record
    elif data and (carried := embedding.read(data)):
        record = carried.record
    else:
        raise RecordError("it has no record")
    if record.seed is None:
        raise RecordError("its seed is not known, so no cell can request it again")
    return record


def _is_whole(path: Path, record: Record) -> bool:
    return path.exists() and _read_stored(Stored(record, path)) is not None


def _collect_delivered(record: Record, known: Store, embedded: list[bytes]) -> list[bytes] | None:
    """Return the delivered bytes of a record's files, from anywhere; None if they are not complete."""
    for stored in known.find_same(record):
        if files := _read_stored(stored):
            return files
    found = {embedding.compute_sha256(one): one for data in embedded for one in embedding.list_readings(data)}
    if all(file.sha256 in found for file in record.files):
        return [found[file.sha256] for file in record.files]
    return None


def _read_stored(stored: Stored) -> list[bytes] | None:
    """Return the files of a stored job, or None if one is damaged."""
    try:
        return stored.read_all()
    except StoreError:
        return None
