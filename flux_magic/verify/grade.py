"""How much one picture is another: by bytes, by pixels, to the eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .. import keepsake, picture
from ..types import FileRecord
from . import eye
from .verdict import Grade

INSTALL: Final = 'pip install "flux-magic[verify]"'


@dataclass(frozen=True, slots=True)
class Comparison:
    """A grade, the distance to the eye where it was measured, and what there is to say of it."""

    grade: Grade
    distance: float | None = None
    note: str = ""


def as_form(data: bytes, media_type: str) -> bytes:
    """A delivered picture in the encoding of a copy, encoded as the copy was; GIF and AVIF are not encoded."""
    return data if media_type in picture.SEALED else picture.as_type(data, media_type)


def compare(one: bytes, other: bytes) -> Comparison:
    """Grade two pictures, their metadata apart; raises NotAnImage where one cannot be decoded."""
    if keepsake.bare_sha256(one) == keepsake.bare_sha256(other):
        return Comparison(Grade.SAME_BYTES, 0.0)
    ours, theirs = picture.decode(one), picture.decode(other)
    if picture.pixel_digest(ours) == picture.pixel_digest(theirs):
        return Comparison(Grade.SAME_PIXELS, 0.0)
    if ours.size != theirs.size:
        (width, height), (now_wide, now_high) = ours.size, theirs.size
        return Comparison(Grade.DIFFERENT, note=f"it is {width}×{height}, made anew {now_wide}×{now_high}")
    try:
        distance = round(eye.distance(ours, theirs), 4)
    except ImportError:
        return Comparison(Grade.DIFFERENT, note=f"not the same pixels; by how much, {INSTALL} tells")
    return Comparison(Grade.SAME_TO_THE_EYE if distance <= eye.THRESHOLD else Grade.DIFFERENT, distance)


def compare_records(recorded: FileRecord, made: FileRecord) -> Comparison:
    """The same for a picture of which only the record is there."""
    if recorded.sha256 == made.sha256:
        return Comparison(Grade.SAME_BYTES, 0.0)
    if recorded.digest == made.digest:
        return Comparison(Grade.SAME_PIXELS, 0.0)
    return Comparison(Grade.DIFFERENT, note="the picture itself is not embedded: nobody can see by how much it differs")
