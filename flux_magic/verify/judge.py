"""From what was found to a verdict: grade, status, and the reasons in words."""

from __future__ import annotations

from ..results.generation import Generation
from .discover import Subject
from .static import Examined
from .verdict import Comparison, Grade, Outcome, Status, Verdict, as_form, compare, compare_records, differences


def unmade(subject: Subject, seen: Examined, why: str, *, keep: bool) -> Verdict:
    """The verdict where nothing was made anew: what is not sound fails, all else could not be checked.

    A sheet is not made anew, but the images on it are: it passes if it is sound.
    """
    sound = Status.PASS if seen.sheet and seen.outcome.is_sound else Status.UNCHECKED
    return Verdict(
        label=subject.label,
        status=Status.FAIL if seen.outcome.is_broken else sound,
        static=seen.outcome,
        why="; ".join(filter(None, (seen.why, why))),
        where=subject.where,
        record=seen.record,
        embedded=subject.kept(keep),
    )


def judged(subject: Subject, seen: Examined, made: Generation, *, keep: bool) -> Verdict:
    """Compare a picture with what its record has made anew; raises NotAnImage where one cannot be decoded."""
    record, embedded, files = seen.recorded, subject.data, made.files
    remade, still = None, False
    if seen.place >= len(files):
        compared = Comparison(
            Grade.DIFFERENT, note=f"made anew it has {len(files)} pictures, and had {len(record.files)}"
        )
    else:
        remade, still = files[seen.place].data, files[seen.place].digest == record.files[seen.place].digest
        if embedded is None:
            compared = compare_records(record.files[seen.place], files[seen.place].record)
        else:
            remade = as_form(remade, seen.form)
            compared = compare(embedded, remade)
    return Verdict(
        label=subject.label,
        status=_status(seen.outcome, compared.grade),
        static=seen.outcome,
        why=_why(subject, seen, compared, differences(record, made.record), still=still),
        where=subject.where,
        grade=compared.grade,
        distance=compared.distance,
        record=record,
        embedded=embedded if keep else None,
        remade=remade if keep else None,
    )


def _status(outcome: Outcome, grade: Grade) -> Status:
    """A picture of which nobody wrote down what it was passes where it is the new one pixel by pixel."""
    if grade is Grade.DIFFERENT or outcome.is_broken:
        return Status.FAIL
    alike = outcome is Outcome.UNTOLD and grade is Grade.SAME_TO_THE_EYE
    return Status.UNCHECKED if alike else Status.PASS


def _why(subject: Subject, seen: Examined, compared: Comparison, changed: list[str], *, still: bool) -> str:
    """What became of the picture, how it compares, and the likely cause of what is another."""
    parts = [seen.why]
    if seen.outcome.is_broken:
        parts.append(f"made anew: {compared.grade.value}")
    parts.append(compared.note)
    if compared.grade in {Grade.DIFFERENT, Grade.SAME_TO_THE_EYE}:
        parts += _cause(subject, seen.outcome, changed, still=still)
    elif compared.grade is Grade.SAME_PIXELS and seen.outcome is Outcome.INTACT:
        parts += changed
    return "; ".join(part for part in parts if part)


def _cause(subject: Subject, outcome: Outcome, changed: list[str], *, still: bool) -> list[str]:
    if still and outcome is Outcome.ALTERED:
        return [f"the Space still makes what the record says: the picture in the {subject.where} is another"]
    if changed:
        return changed
    if still:
        return ["the Space still makes what the record says"]
    if outcome is Outcome.EDITED:
        return []
    return ["nothing recorded differs: the Space itself has changed, or the record was edited"]
