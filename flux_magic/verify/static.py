"""The check that needs no Space: it compares an image with what its record says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..errors import NotAnImage, RecordError, StoreError
from ..images import codecs
from ..images.formats import detect_media_type
from ..parameters.settings import resolve
from ..records import embedding, signing
from ..records.signing import Credentials
from ..records.store import BESIDE, Store, open_store, read_kept_input
from ..sweeps import sheet_file
from ..types import Copy, InputRecord, Record
from . import evidence
from .discover import Discovery, Paths, Subject, describe_file_error, find_subjects, is_readable_list, read_sheet
from .evidence import Evidence
from .report import Report
from .verdict import Examined, Outcome, judge_static


class Unreadable(Exception):
    """A file that is not an image; the message says why, in one line."""


def check_static(paths: Paths, *, keep: bool = True) -> Report:
    """Check whether the images of notebooks, files and folders are still those of their records; no Space is asked.

    `keep` says whether the verdicts keep the images, which only `report_html` shows.
    """
    found = find_subjects(paths)
    verdicts, problems = [], list(found.problems)
    for subject, examined in examine_all(found.subjects, problems):
        if examined.outcome is Outcome.UNTOLD and subject.of_sheet and subject.source is None and examined.checkable:
            continue  # the sheet's file has only its small image, which is checked with the sheet
        verdicts.append(judge_static(subject, examined, passes=True, keep=keep))
    return Report(tuple(verdicts), found.others, tuple(problems))


def examine_all(found: Iterable[Subject], problems: list[str]) -> list[tuple[Subject, Examined]]:
    """Return each subject with its finding; what cannot be read is added to the problems.

    A sheet's file is followed by those of its images that are not found elsewhere. A notebook's sheet is left out if
    it is sound and not signed: its images say the rest.
    """
    examined = []
    for subject in found:
        try:
            seen = examine(subject)
            if not subject.is_sheet or seen.credentials or seen.why == _BARE or not seen.outcome.is_sound:
                examined.append((subject, seen))
            examined += [(one, examine(one)) for one in _list_sheet_images(subject, problems)]
        except Unreadable as error:
            problems.append(f"{subject.label}: {error}")
    return list(_skip_duplicates(examined))


def _skip_duplicates(examined: list[tuple[Subject, Examined]]) -> Iterator[tuple[Subject, Examined]]:
    """Yield all but the images of a sheet's file that are checked elsewhere, as a second request would cost twice."""
    there = {one.record.files for subject, one in examined if one.record and not subject.of_sheet}
    for subject, one in examined:
        if subject.of_sheet and one.record and not one.outcome.is_broken:
            if one.record.files in there:
                continue
            there.add(one.record.files)
        yield subject, one


def examine(subject: Subject) -> Examined:
    """Compare an image with its record, and with its credentials. Raises Unreadable for a file that is not an image."""
    try:
        signed = signing.read(subject.data or b"")
    except OSError as error:
        raise Unreadable(describe_file_error(error)) from error
    return replace(_examine(subject, signed), credentials=signed)


def _examine(subject: Subject, signed: Credentials | None) -> Examined:
    try:
        if subject.is_sheet:
            return _examine_shown_sheet(subject, subject.data or b"")
        if sheet := _read_sheet(subject):
            return _compare_sheet(sheet, subject.data or b"")
        seen = evidence.gather(subject, signed.carried if signed else None)
    except RecordError as error:
        return Examined(Outcome.UNTOLD, describe_file_error(error), checkable=False)
    except (NotAnImage, OSError) as error:
        raise Unreadable(describe_file_error(error)) from error
    if seen is None:
        return Examined(Outcome.UNTOLD, f"the {subject.where} holds no record of it", checkable=False)
    record = seen.carried.record
    if record.seed is None:
        return Examined(Outcome.UNTOLD, "its record has no seed", record, checkable=False)
    compared = _compare_copy(seen, record)
    inputs = describe_stored_inputs(record, subject.beside) if record.images else []
    return replace(compared, why="; ".join(filter(None, [compared.why, *inputs])))


def describe_stored_inputs(record: Record, beside: Path) -> list[str]:
    """Return what went into an image, each in words, with what is wrong with it in flux_images or the store."""
    store = open_store(resolve(), beside)
    return [f"made from sha256:{one.digest[:12]}{_find_input_trouble(one, store)}" for one in record.images]


def _find_input_trouble(one: InputRecord, store: Store) -> str:
    kept = store.find_input(one.digest)
    if kept is None:
        return ", which is not here"
    try:
        data = read_kept_input(kept)
        is_same = one.media_type == "image/jpeg" or codecs.compute_digest(data) == one.digest
    except (NotAnImage, StoreError):
        is_same = False
    return "" if is_same else ", which is damaged here"


def _read_sheet(subject: Subject) -> sheet_file.SheetRecord | None:
    """Return what a sheet's file carries; raises RecordError and OSError."""
    data = subject.data if subject.where == "file" and subject.told is None else None
    return sheet_file.read(data) if data else None


def _examine_shown_sheet(subject: Subject, data: bytes) -> Examined:
    """Check a notebook's sheet as its file is checked, and if it has the records that the notebook has."""
    sheet, told = sheet_file.read(data), subject.told or {}
    if sheet is None:  # it was too large for them, or they were left out
        if told.get("sha256") != embedding.compute_sha256(data):
            return Examined(Outcome.ALTERED, f"a sheet, {_ALTERED}", checkable=False, sheet=True)
        return Examined(Outcome.INTACT, _BARE, checkable=False, sheet=True)
    compared, shown = _compare_sheet(sheet, data), told.get("sheet")
    if (
        shown is not None
        and is_readable_list(shown)
        and (why := evidence.find_sheet_contradiction(sheet.images, shown))
    ):
        return replace(compared, outcome=Outcome.EDITED, why=f"{compared.why}; the record was edited: {why}")
    return compared


_BARE: Final = "a sheet without records inside: only a checksum in the notebook says that it is the one that was shown"


def _list_sheet_images(subject: Subject, problems: list[str]) -> list[Subject]:
    """Return the images on a sheet's file, in the order of the sheet."""
    try:
        sheet = _read_sheet(subject)
    except RecordError:  # reported with the sheet itself
        return []
    if sheet is None or not isinstance(subject.source, Path):
        return []
    images = Discovery()
    read_sheet(subject.label, list(sheet.images), subject.source.parent / BESIDE, images, "file", of_sheet=True)
    problems += images.problems
    return images.subjects


def _compare_sheet(sheet: sheet_file.SheetRecord, data: bytes) -> Examined:
    """Check whether a sheet's file is what was written; the images on it are compared one by one."""
    images = f"a sheet of {len(sheet.images)} image{'' if len(sheet.images) == 1 else 's'}"
    if sheet.is_whole(data):
        return Examined(Outcome.INTACT, images, checkable=False, sheet=True)
    with suppress(NotAnImage):
        if codecs.compute_digest(data) == sheet.digest:
            return Examined(Outcome.REENCODED, f"{images}, the same pixels", checkable=False, sheet=True)
    return Examined(Outcome.ALTERED, f"{images}, {_ALTERED}", checkable=False, sheet=True)


def _compare_copy(seen: Evidence, record: Record) -> Examined:
    copy = seen.carried.copy
    contradiction = evidence.find_contradiction(seen)
    outcome, why, form = Outcome.UNTOLD, "the image itself is not embedded", ""
    if seen.data is not None:
        form = copy.media_type if copy is not None else detect_media_type(seen.data) or ""
        try:
            outcome, why = _judge_bytes(seen, seen.data)
        except NotAnImage as error:
            return Examined(Outcome.ALTERED, f"{_ALTERED}: {describe_file_error(error)}", record, checkable=False)
    if contradiction and outcome is Outcome.ALTERED and evidence.is_another(seen):
        why = f"{_ALTERED}, another image is in its place: {contradiction}"
    elif contradiction:
        outcome, why = Outcome.EDITED, f"the record was edited: {contradiction}"
    return Examined(outcome, why, record, seen.place, form)


def _decodes_alike(record: Record, copy: Copy) -> bool:
    """Return True if the same bytes must decode to the recorded pixels here; a JPEG's may differ by one."""
    here = codecs.describe_decoder(*(file.media_type for file in record.files))
    return copy.media_type == "image/png" or record.circumstances.decoder == here


_ALTERED: Final = "altered since it was made"


def _judge_bytes(seen: Evidence, data: bytes) -> tuple[Outcome, str]:
    """Return what became of the image's bytes. Raises NotAnImage if they are no longer an image."""
    carried = seen.carried
    digest = codecs.compute_digest(data)
    if carried.copy is not None and embedding.is_untouched(data, carried):
        if digest != carried.copy.digest and _decodes_alike(carried.record, carried.copy):
            return Outcome.EDITED, "the record was edited: its digest is not that of these pixels"
        return Outcome.INTACT, ""
    if codecs.is_animated(data):  # its digest covers only the first frame
        return Outcome.ALTERED, f"{_ALTERED}: it has more than one frame"
    if carried.copy is not None:
        if digest == carried.copy.digest:
            return Outcome.REENCODED, "re-encoded since, the same pixels"
        return Outcome.ALTERED, f"{_ALTERED}{_describe_size(seen, data)}"
    return _judge_unknown_copy(seen, data, digest)


def _describe_size(seen: Evidence, data: bytes) -> str:
    """Return that an image has another size than its record says, in words; "" if it has not."""
    made, size = seen.carried.record.files[seen.place], codecs.decode(data).size
    if size == (made.width, made.height):
        return ""
    return f": it has {size[0]}×{size[1]} pixels, and its record says {made.width}×{made.height}"


def _judge_unknown_copy(seen: Evidence, data: bytes, digest: str) -> tuple[Outcome, str]:
    """Return what became of an image without a recorded checksum, by comparison with the delivered file."""
    delivered = seen.carried.record.files[seen.place]
    if digest == delivered.digest:
        return Outcome.INTACT, ""
    if codecs.is_exact(delivered.media_type, detect_media_type(data)):
        return Outcome.ALTERED, _ALTERED
    return Outcome.UNTOLD, "encoded differently from the delivered file, and its checksum was not recorded"
