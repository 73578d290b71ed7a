"""What is said of one picture in the end, and the grades that lead there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ..types import Record


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
    """By `flux_magic.verify.eye`."""
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
