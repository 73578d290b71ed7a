"""What is said of one picture in the end, and the grades that lead there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from ..images import codecs
from ..records import embedding
from ..types import UNKNOWN, Circumstances, FileRecord, Record, one_line
from . import similarity


class Outcome(Enum):
    """What became of a picture since it was written: the static check."""

    INTACT = "intact"
    """The same bytes, their metadata apart."""
    REENCODED = "re-encoded"
    """Other bytes, the same pixels."""
    ALTERED = "altered"
    """Other pixels, or none that can be decoded."""
    EDITED = "record edited"
    """Two that tell of it contradict each other, or the record itself."""
    UNTOLD = "untold"
    """No record of it, no seed, no picture, or nobody wrote down what it was."""

    @property
    def is_sound(self) -> bool:
        """Whether it is still what its record says."""
        return self in {Outcome.INTACT, Outcome.REENCODED}

    @property
    def is_broken(self) -> bool:
        """Whether it is not what its record says, or its record not what it was."""
        return self in {Outcome.ALTERED, Outcome.EDITED}


class Grade(Enum):
    """How much a picture is the one that was made anew: the live check."""

    SAME_BYTES = "same bytes"
    """Their metadata apart."""
    SAME_PIXELS = "same pixels"
    SAME_TO_THE_EYE = "same to the eye"
    """By `flux_magic.verify.similarity`."""
    DIFFERENT = "different"


class Status(Enum):
    """Whether a picture passes: it is still what its record says, and its record still makes it."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNCHECKED = "cannot be checked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one picture.

    Attributes:
        label: where it is: `fox.ipynb, cell 3`.
        status: whether it passes; what cannot be checked does not.
        static: what became of it since it was written.
        why: the reasons, on one line; empty where there is nothing to say.
        where: what holds it: `notebook` or `file`.
        grade: how much it is the one that was made anew; None where it was not compared.
        distance: to the one made anew: 0 (the same) to 2, as `eye.distance` says; None where it was not measured.
        record: what made it; None where there is none to be read.
        embedded: its bytes; None where there are none, or they are not kept.
        remade: those of the one made anew, in the same encoding; None as well.
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

    @property
    def figure(self) -> str:
        """The distance as a person reads it; empty where it is not measured, or nothing differs."""
        measured = self.grade in {Grade.SAME_TO_THE_EYE, Grade.DIFFERENT} and self.distance is not None
        return f"{self.distance:.3f}" if measured else ""

    @property
    def called(self) -> str:
        """The one or two words for it: of a pass the grade, else what is wrong."""
        if self.status is Status.UNCHECKED:
            return Status.UNCHECKED.value
        if self.status is Status.FAIL:
            return self.static.value if self.static.is_broken else Grade.DIFFERENT.value
        if self.grade is None:
            return self.static.value
        return self.grade.value


INSTALL: Final = 'pip install "flux-magic[verify]"'


@dataclass(frozen=True, slots=True)
class Comparison:
    """A grade, the distance to the eye where it was measured, and what there is to say of it."""

    grade: Grade
    distance: float | None = None
    note: str = ""


def as_form(data: bytes, media_type: str) -> bytes:
    """A delivered picture in the encoding of a copy, encoded as the copy was; GIF and AVIF are not encoded."""
    return data if media_type in codecs.SEALED else codecs.as_type(data, media_type)


def compare(one: bytes, other: bytes) -> Comparison:
    """Grade two pictures, their metadata apart; raises NotAnImage where one cannot be decoded."""
    if embedding.bare_sha256(one) == embedding.bare_sha256(other):
        return Comparison(Grade.SAME_BYTES, 0.0)
    ours, theirs = codecs.decode(one), codecs.decode(other)
    if codecs.pixel_digest(ours) == codecs.pixel_digest(theirs):
        return Comparison(Grade.SAME_PIXELS, 0.0)
    if ours.size != theirs.size:
        (width, height), (now_wide, now_high) = ours.size, theirs.size
        return Comparison(Grade.DIFFERENT, note=f"it is {width}×{height}, made anew {now_wide}×{now_high}")
    try:
        distance = round(similarity.distance(ours, theirs), 4)
    except ImportError:
        return Comparison(Grade.DIFFERENT, note=f"not the same pixels; by how much, {INSTALL} tells")
    return Comparison(Grade.SAME_TO_THE_EYE if distance <= similarity.THRESHOLD else Grade.DIFFERENT, distance)


def compare_records(recorded: FileRecord, made: FileRecord) -> Comparison:
    """The same for a picture of which only the record is there."""
    if recorded.sha256 == made.sha256:
        return Comparison(Grade.SAME_BYTES, 0.0)
    if recorded.digest == made.digest:
        return Comparison(Grade.SAME_PIXELS, 0.0)
    return Comparison(Grade.DIFFERENT, note="the picture itself is not embedded: nobody can see by how much it differs")


_NAMES: Final = {
    "space_commit": "the Space's commit",
    "weights": "the model's weights",
    "hardware": "the hardware",
    "gradio": "the Space's Gradio",
    "version": "flux_magic",
}


def differences(old: Record, new: Record) -> list[str]:
    """What was otherwise, the likeliest cause first."""
    found = [_space(old, new)] if old.space != new.space else []
    if _models_differ(old, new):
        found.append(f"model: {one_line(old.model, 80)} -> {one_line(new.model, 80)}")
    found += _sent(old, new)
    before, after = old.circumstances, new.circumstances
    found += [_told(name, before, after) for name in _NAMES]
    return [line for line in [*found, _decoder(before.decoder, after.decoder)] if line]


def _models_differ(old: Record, new: Record) -> bool:
    """Return if both name a model that somebody told; records of before name the one that was asked for."""
    told = (one for one in (old, new) if not one.model.startswith(UNKNOWN))
    return old.model != new.model and sum(1 for _ in told) == 2 and old.model != new.key_model


def _sent(old: Record, new: Record) -> list[str]:
    """Return how the values that went along differ; records of before have none."""
    if not old.sent or not new.sent:
        return []
    names = [name for name in {**old.sent, **new.sent} if old.sent.get(name, _GONE) != new.sent.get(name, _GONE)]
    return [f"the Space's {one_line(name, 40)} was {_value(old, name)}, is {_value(new, name)}" for name in names]


_GONE: Final = object()


def _value(record: Record, name: str) -> str:
    return one_line(json.dumps(record.sent[name], ensure_ascii=False), 40) if name in record.sent else "not sent"


def _space(old: Record, new: Record) -> str:
    if old.stand_in and new.stand_in:
        drawing, now = (record.space.removeprefix("local:") for record in (old, new))
        return f"the local Space's drawing was {one_line(drawing, 40)}, is {one_line(now, 40)}"
    return f"the Space: {one_line(old.space, 80)} -> {one_line(new.space, 80)}"


def _told(name: str, before: Circumstances, after: Circumstances) -> str:
    was, now = (str(getattr(around, name)) for around in (before, after))
    known = UNKNOWN not in {was, now}
    return f"{_NAMES[name]}: {one_line(was, 40)} -> {one_line(now, 40)}" if known and was != now else ""


def _decoder(was: str, now: str) -> str:
    """The libraries whose versions differ: `decoder: Pillow 11.0, libwebp 1.4 -> Pillow 12.3, libwebp 1.6`."""
    if UNKNOWN in {was, now} or was == now:
        return ""
    before, after = was.split(", "), now.split(", ")
    gone, come = ([part for part in parts if part not in other] for parts, other in ((before, after), (after, before)))
    return f"decoder: {one_line(', '.join(gone), 80) or 'less'} -> {one_line(', '.join(come), 80) or 'less'}"
