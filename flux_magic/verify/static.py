"""The check that needs no Space: is a picture still what its record says that it was when it was written?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import NotAnImage, RecordError
from ..images import codecs
from ..images.formats import media_type_of
from ..records import embedding
from ..records.store import BESIDE
from ..sweeps import sheet_file
from ..types import Copy, Record
from . import evidence
from .discover import Discovery, Paths, Subject, find_subjects, read_sheet, reason_of_file
from .evidence import Evidence
from .report import Report
from .verdict import Examined, Outcome, judge_static


class Unreadable(Exception):
    """A file that is no picture; the message says why, in one line."""


def check_static(paths: Paths, *, keep: bool = True) -> Report:
    """Whether the pictures of notebooks, images and folders are still those of their records; asks no Space.

    `keep` says whether the verdicts hold the pictures, which only `report_html` shows.
    """
    found = find_subjects(paths)
    verdicts, problems = [], list(found.problems)
    for subject, examined in examined_all(found.subjects, problems):
        if examined.outcome is Outcome.UNTOLD and subject.of_sheet and subject.source is None and examined.checkable:
            continue  # the sheet's file has no more of it than shows, and that is checked
        verdicts.append(judge_static(subject, examined, passes=True, keep=keep))
    return Report(tuple(verdicts), found.others, tuple(problems))


def examined_all(found: Iterable[Subject], problems: list[str]) -> list[tuple[Subject, Examined]]:
    """Each subject with what the static check found; what cannot be read is added to the problems.

    Behind a sheet's file come the images on it that are not found elsewhere as well.
    """
    examined = []
    for subject in found:
        try:
            examined.append((subject, examine(subject)))
            examined += [(one, examine(one)) for one in _on_sheet(subject, problems)]
        except Unreadable as error:
            problems.append(f"{subject.label}: {error}")
    return list(_each_once(examined))


def _each_once(examined: list[tuple[Subject, Examined]]) -> Iterator[tuple[Subject, Examined]]:
    """Leave out an image of a sheet's file that is checked in another place: to make it again would cost twice."""
    there = {one.record.files for subject, one in examined if one.record and not subject.of_sheet}
    for subject, one in examined:
        if subject.of_sheet and one.record and not one.outcome.is_broken:
            if one.record.files in there:
                continue
            there.add(one.record.files)
        yield subject, one


def examine(subject: Subject) -> Examined:
    """Compare a picture with its record; raises Unreadable for a file that is none."""
    try:
        if sheet := _sheet_of(subject):
            return _compare_sheet(sheet, subject.data or b"")
        seen = evidence.gather(subject)
    except RecordError as error:
        return Examined(Outcome.UNTOLD, reason_of_file(error), checkable=False)
    except (NotAnImage, OSError) as error:
        raise Unreadable(reason_of_file(error)) from error
    if seen is None:
        return Examined(Outcome.UNTOLD, f"the {subject.where} holds no record of it", checkable=False)
    record = seen.carried.record
    if record.seed is None:
        return Examined(Outcome.UNTOLD, "its record has no seed", record, checkable=False)
    return _compared(seen, record)


def _sheet_of(subject: Subject) -> sheet_file.SheetRecord | None:
    """Return what a sheet's file carries; raises RecordError and OSError."""
    data = subject.data if subject.where == "file" and subject.told is None else None
    return sheet_file.read(data) if data else None


def _on_sheet(subject: Subject, problems: list[str]) -> list[Subject]:
    """Return the images on a sheet's file, in the order of the sheet."""
    try:
        sheet = _sheet_of(subject)
    except RecordError:  # told with the sheet itself
        return []
    if sheet is None or not isinstance(subject.source, Path):
        return []
    images = Discovery()
    read_sheet(subject.label, list(sheet.images), subject.source.parent / BESIDE, images, "file")
    problems += images.problems
    return images.subjects


def _compare_sheet(sheet: sheet_file.SheetRecord, data: bytes) -> Examined:
    """Return if a sheet's file is what was written; the images on it are compared one by one."""
    images = f"a sheet of {len(sheet.images)} image{'' if len(sheet.images) == 1 else 's'}"
    if sheet.is_whole(data):
        return Examined(Outcome.INTACT, images, checkable=False, sheet=True)
    with suppress(NotAnImage):
        if codecs.digest_of(data) == sheet.digest:
            return Examined(Outcome.REENCODED, f"{images}, the same pixels", checkable=False, sheet=True)
    return Examined(Outcome.ALTERED, f"{images}, {_ALTERED}", checkable=False, sheet=True)


def _compared(seen: Evidence, record: Record) -> Examined:
    copy = seen.carried.copy
    contradiction = evidence.contradiction(seen)
    outcome, why, form = Outcome.UNTOLD, "the picture itself is not embedded", ""
    if seen.data is not None:
        form = copy.media_type if copy is not None else media_type_of(seen.data) or ""
        try:
            outcome, why = _of_bytes(seen, seen.data)
        except NotAnImage as error:
            return Examined(Outcome.ALTERED, f"{_ALTERED}: {reason_of_file(error)}", record, checkable=False)
    if contradiction and outcome is Outcome.ALTERED and evidence.is_another(seen):
        why = f"{_ALTERED}, another picture is in its place: {contradiction}"
    elif contradiction:
        outcome, why = Outcome.EDITED, f"the record was edited: {contradiction}"
    return Examined(outcome, why, record, seen.place, form)


def _decodes_alike(record: Record, copy: Copy) -> bool:
    """Whether the same bytes have the same pixels here as where the record was made: a JPEG's may differ by one."""
    here = codecs.decoder(*(file.media_type for file in record.files))
    return copy.media_type == "image/png" or record.circumstances.decoder == here


_ALTERED: Final = "altered since it was made"


def _of_bytes(seen: Evidence, data: bytes) -> tuple[Outcome, str]:
    """What became of the picture's bytes; raises NotAnImage where they are none any more."""
    carried = seen.carried
    digest = codecs.digest_of(data)
    if carried.copy is not None and embedding.is_untouched(data, carried):
        if digest != carried.copy.digest and _decodes_alike(carried.record, carried.copy):
            return Outcome.EDITED, "the record was edited: its digest is not that of these pixels"
        return Outcome.INTACT, ""
    if codecs.is_animated(data):  # of which a digest is that of the first
        return Outcome.ALTERED, f"{_ALTERED}: it has more than one frame"
    if carried.copy is not None:
        if digest == carried.copy.digest:
            return Outcome.REENCODED, "re-encoded since, the same pixels"
        return Outcome.ALTERED, _ALTERED
    return _of_nobodys_copy(seen, data, digest)


def _of_nobodys_copy(seen: Evidence, data: bytes, digest: str) -> tuple[Outcome, str]:
    """What became of a picture of which nobody wrote down what it was, by what was delivered."""
    delivered = seen.carried.record.files[seen.place]
    if digest == delivered.digest:
        return Outcome.INTACT, ""
    if codecs.is_exact(delivered.media_type, media_type_of(data)):
        return Outcome.ALTERED, _ALTERED
    return Outcome.UNTOLD, "encoded in another way than it was delivered, and nobody wrote down as what"
