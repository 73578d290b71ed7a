"""The verdict on one image: the types that lead to it, and the reasons in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from ..errors import format_count
from ..images import codecs
from ..parameters.settings import resolve
from ..records.signing import ALTERED, BYTES, DAMAGED, EXPIRED, INVALID, Credentials
from ..records.store import open_store
from ..results import output
from ..results.origin import find_images, render_small
from ..types import UNKNOWN, Circumstances, Record, fit_one_line
from .discover import Subject
from .similarity import Comparison, Grade, compare, compare_records

if TYPE_CHECKING:
    from ..results.generation import Generation


class Outcome(Enum):
    """Outcome of the static check: what became of an image since it was written."""

    INTACT = "intact"
    """The same bytes, apart from metadata."""
    REENCODED = "re-encoded"
    """Other bytes, the same pixels."""
    ALTERED = "altered"
    """Other pixels, or bytes that cannot be decoded."""
    EDITED = "record edited"
    """Two sources about the image contradict each other, or the record contradicts itself."""
    UNTOLD = "untold"
    """No record, no seed, no image, or no recorded checksum."""

    @property
    def is_sound(self) -> bool:
        """True if the image is still what its record says."""
        return self in {Outcome.INTACT, Outcome.REENCODED}

    @property
    def is_broken(self) -> bool:
        """True if the image is not what its record says, or the record is not what it was."""
        return self in {Outcome.ALTERED, Outcome.EDITED}


class Status(Enum):
    """Pass or failure of an image, which passes if it matches its record and its record still makes it."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNCHECKED = "cannot be checked"


@dataclass(frozen=True, slots=True)
class Examined:
    """The finding of the static check.

    Attributes:
        outcome: what became of the image.
        why: the reason in words; may be empty.
        record: what to regenerate; None if no record can be read.
        place: the image's place among the record's files, from 0.
        form: the media type of the embedded image when it was written; empty if nothing is embedded.
        checkable: whether it can be regenerated and compared.
        sheet: whether it is a sheet, which is made of other images and not regenerated.
        credentials: its content credentials (C2PA), if it has any.
    """

    outcome: Outcome
    why: str = ""
    record: Record | None = None
    place: int = 0
    form: str = ""
    checkable: bool = True
    sheet: bool = False
    credentials: Credentials | None = None

    @property
    def is_signature_broken(self) -> bool:
        """True if the image is not as it was signed.

        Somebody else's credentials may be whole, and the file have got its record after it was signed, by an earlier
        version: that alone breaks nothing, as long as the image is still what this record says.
        """
        signed = self.credentials
        if signed is None or signed.verdict not in {ALTERED, DAMAGED, INVALID}:
            return False
        if signed.verdict == INVALID:
            return True
        if signed.verdict == DAMAGED:
            return bool(signed.tool) or self.outcome is not Outcome.INTACT
        ours = signed.carried is not None or signed.tool.startswith("flux_magic ")
        return ours or signed.parts != (BYTES,) or self.outcome is not Outcome.INTACT

    def limit(self, status: Status) -> Status:
        """Return the status of an image with what its signature leaves of it; one by an expired certificate proves
        nothing.
        """
        if self.is_signature_broken:
            return Status.FAIL
        is_expired = self.credentials is not None and self.credentials.verdict == EXPIRED
        return Status.UNCHECKED if is_expired and status is Status.PASS else status

    @property
    def recorded(self) -> Record:
        """The record of a checkable image."""
        assert self.record is not None  # noqa: S101 - else it is not checkable
        return self.record


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one image.

    Attributes:
        label: its place: `fox.ipynb, cell 3`.
        status: whether it passes; an image that cannot be checked does not.
        static: what became of it since it was written.
        why: the reasons, on one line; empty if there is nothing to say.
        where: what holds it: `notebook` or `file`.
        grade: how much it equals the regenerated image; None if it was not compared.
        distance: to the one regenerated: 0 (the same) to 2, by `similarity.distance`, or None if it was not measured.
        record: what made it; None if no record can be read.
        embedded: its bytes; None if there are none, or if they are not kept.
        remade: the bytes of the regenerated image, in the same encoding; None likewise.
        inputs: small copies of what went in, as HTML; likewise.
        credentials: its content credentials (C2PA), if it has any.
        signature_broken: whether the image is not as it was signed.
    """

    label: str
    status: Status
    static: Outcome
    why: str
    where: str = "notebook"
    grade: Grade | None = None
    distance: float | None = None
    record: Record | None = None
    embedded: bytes | None = field(default=None, repr=False)
    remade: bytes | None = field(default=None, repr=False)
    inputs: str = field(default="", repr=False)
    credentials: Credentials | None = None
    signature_broken: bool = False

    @property
    def signature(self) -> str:
        """The verdict on its credentials, beside that on the image: `altered after signing`; "" if it has none."""
        return self.credentials.verdict if self.credentials else ""

    @property
    def figure(self) -> str:
        """The distance as a person reads it; empty if it was not measured, or if nothing differs."""
        measured = self.grade in {Grade.SAME_TO_THE_EYE, Grade.DIFFERENT} and self.distance is not None
        return f"{self.distance:.3f}" if measured else ""

    @property
    def called(self) -> str:
        """One or two words for the result: the grade of a pass, otherwise what is wrong."""
        if self.status is Status.UNCHECKED:
            if self.static.is_sound and self.signature == EXPIRED:
                return EXPIRED
            return Status.UNCHECKED.value
        if self.status is Status.FAIL:
            if self.static.is_broken:
                return self.static.value
            is_different = self.grade is Grade.DIFFERENT or not self.signature_broken
            return Grade.DIFFERENT.value if is_different else self.signature
        if self.grade is None:
            return self.static.value
        return self.grade.value


def judge_static(subject: Subject, seen: Examined, why: str = "", *, passes: bool, keep: bool) -> Verdict:
    """Return the verdict on an image that was not regenerated; `passes` tells if a sound one passes by that alone.

    A sheet is not regenerated, but the images on it are: it passes if it is sound.
    """
    sound = seen.outcome.is_sound and (passes or seen.sheet)
    status = Status.FAIL if seen.outcome.is_broken else Status.PASS if sound else Status.UNCHECKED
    return Verdict(
        label=subject.label,
        status=seen.limit(status),
        static=seen.outcome,
        why="; ".join(filter(None, (seen.why, why, *describe_credentials(seen.credentials)))),
        where=subject.where,
        record=seen.record,
        embedded=subject.keep_data(keep),
        inputs=_render_inputs(subject, seen.record) if keep else "",
        credentials=seen.credentials,
        signature_broken=seen.is_signature_broken,
    )


def describe_credentials(signed: Credentials | None) -> list[str]:
    """Return what the credentials of an image say, with a line for each file that went into it."""
    if signed is None:
        return []
    head = f"{signed.verdict}: {signed}" if signed.verdict == ALTERED else str(signed)
    return [head, *(f"ingredient: {one}" for one in signed.ingredients)]


def _render_inputs(subject: Subject, record: Record | None) -> str:
    if record is None or not record.images:
        return ""
    return "".join(map(render_small, find_images(record, open_store(resolve(), subject.beside))))


def judge_live(subject: Subject, seen: Examined, made: Generation, *, keep: bool) -> Verdict:
    """Compare an image with the one that its record made now; raises NotAnImage if one cannot be decoded."""
    record, embedded, files = seen.recorded, subject.data, made.files
    remade, still = None, False
    if seen.place >= len(files):
        compared = Comparison(
            Grade.DIFFERENT,
            note=f"regenerated, it has {format_count(len(files), 'image')}; the record has {len(record.files)}",
        )
    else:
        remade, still = files[seen.place].data, files[seen.place].digest == record.files[seen.place].digest
        if embedded is None:
            compared = compare_records(record.files[seen.place], files[seen.place].record)
        else:
            remade = encode_as(remade, seen.form)
            compared = compare(embedded, remade)
    return Verdict(
        label=subject.label,
        status=seen.limit(_status(seen.outcome, compared.grade)),
        static=seen.outcome,
        why=_why(subject, seen, compared, list_differences(record, made.record) or _list_rewrites(record), still=still),
        where=subject.where,
        grade=compared.grade,
        distance=compared.distance,
        record=record,
        embedded=embedded if keep else None,
        remade=remade if keep else None,
        inputs=_render_inputs(subject, record) if keep else "",
        credentials=seen.credentials,
        signature_broken=seen.is_signature_broken,
    )


def _status(outcome: Outcome, grade: Grade) -> Status:
    """Choose the status; an image without a recorded checksum passes only if it matches the new one pixel for pixel."""
    if grade is Grade.DIFFERENT or outcome.is_broken:
        return Status.FAIL
    alike = outcome is Outcome.UNTOLD and grade is Grade.SAME_TO_THE_EYE
    return Status.UNCHECKED if alike else Status.PASS


def _why(subject: Subject, seen: Examined, compared: Comparison, changed: list[str], *, still: bool) -> str:
    """Explain what became of the image, how it compares, and the likely cause of a difference."""
    parts = [seen.why]
    if seen.outcome.is_broken:
        parts.append(f"regenerated: {compared.grade.value}")
    parts.append(compared.note)
    signed = describe_credentials(seen.credentials)
    if compared.grade in {Grade.DIFFERENT, Grade.SAME_TO_THE_EYE}:
        parts += _find_cause(subject, seen.outcome, changed, still=still)
    elif compared.grade is Grade.SAME_PIXELS and seen.outcome is Outcome.INTACT:
        parts += changed
    return "; ".join(part for part in [*parts, *signed] if part)


def _find_cause(subject: Subject, outcome: Outcome, changed: list[str], *, still: bool) -> list[str]:
    if still and outcome is Outcome.ALTERED:
        return [f"the Space still makes what the record says: the image in the {subject.where} is a different one"]
    if changed:
        return changed
    if still:
        return ["the Space still makes what the record says"]
    if outcome is Outcome.EDITED:
        return []
    return ["nothing recorded differs: the Space itself has changed, or the record was edited"]


def encode_as(data: bytes, media_type: str) -> bytes:
    """Encode a delivered image as its copy was encoded; GIF and AVIF stay as they are."""
    return data if media_type in codecs.SEALED else codecs.convert_to_type(data, media_type)


_NAMES: Final = {
    "space_commit": "the Space's commit",
    "weights": "the model's weights",
    "hardware": "the hardware",
    "gradio": "the Space's Gradio",
    "version": "flux_magic",
}


def list_differences(old: Record, new: Record) -> list[str]:
    """Return what differed, the likeliest cause first."""
    found = [_describe_space(old, new)] if old.space != new.space else []
    if _do_models_differ(old, new):
        found.append(f"model: {fit_one_line(old.model, 80)} -> {fit_one_line(new.model, 80)}")
    found += _list_sent(old, new)
    before, after = old.circumstances, new.circumstances
    found += [_describe_change(name, before, after) for name in _NAMES]
    found += _list_details(before.details, after.details)
    return [line for line in [*found, _describe_decoder(before.decoder, after.decoder)] if line]


def _list_rewrites(record: Record) -> list[str]:
    return [output.describe_rewrites(record.rewrites)] if record.rewrites else []


def _do_models_differ(old: Record, new: Record) -> bool:
    """Return True if both records name a confirmed model, and these differ; older records name the requested one."""
    told = (one for one in (old, new) if not one.model.startswith(UNKNOWN))
    return old.model != new.model and sum(1 for _ in told) == 2 and old.model != new.key_model


def _list_sent(old: Record, new: Record) -> list[str]:
    """Return how the other values sent differ; older records have none."""
    if not old.sent or not new.sent:
        return []
    names = [name for name in {**old.sent, **new.sent} if old.sent.get(name, _GONE) != new.sent.get(name, _GONE)]
    return [
        f"the Space's {fit_one_line(name, 40)} was {_format_value(old, name)}, is {_format_value(new, name)}"
        for name in names
    ]


_GONE: Final = object()


def _format_value(record: Record, name: str) -> str:
    return fit_one_line(json.dumps(record.sent[name], ensure_ascii=False), 40) if name in record.sent else "not sent"


def _describe_space(old: Record, new: Record) -> str:
    if old.stand_in and new.stand_in:
        drawing, now = (record.space.removeprefix("local:") for record in (old, new))
        return f"the local Space's drawing was {fit_one_line(drawing, 40)}, is {fit_one_line(now, 40)}"
    return f"the Space: {fit_one_line(old.space, 80)} -> {fit_one_line(new.space, 80)}"


def _describe_change(name: str, before: Circumstances, after: Circumstances) -> str:
    was, now = (str(getattr(around, name)) for around in (before, after))
    known = UNKNOWN not in {was, now}
    return f"{_NAMES[name]}: {fit_one_line(was, 40)} -> {fit_one_line(now, 40)}" if known and was != now else ""


def _list_details(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return how the facts of a provider differ that both records have: `device: cuda -> cpu`."""
    names = [name for name in before if name in after and before[name] != after[name]]
    return [
        f"{fit_one_line(name, 40)}: {fit_one_line(before[name], 40)} -> {fit_one_line(after[name], 40)}"
        for name in names
    ]


def _describe_decoder(was: str, now: str) -> str:
    """Return the libraries whose versions differ: `decoder: Pillow 11.0, libwebp 1.4 -> Pillow 12.3, libwebp 1.6`."""
    if UNKNOWN in {was, now} or was == now:
        return ""
    before, after = was.split(", "), now.split(", ")
    gone, come = ([part for part in parts if part not in other] for parts, other in ((before, after), (after, before)))
    return f"decoder: {fit_one_line(', '.join(gone), 80) or 'less'} -> {fit_one_line(', '.join(come), 80) or 'less'}"
