"""One picture to be checked, and all that were found."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..files import read_file

NOTEBOOK: Final = ".ipynb"
"""The suffix of a notebook."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One picture to be checked.

    Attributes:
        label: where it is, as a person would say it: `fox.ipynb, cell 3`.
        where: what holds it: `notebook` or `file`.
        source: its bytes, or the file that has them; None where none are embedded, as with a link.
        told: what the notebook's metadata hold of ours, as JSON; None where that is nothing.
        line: what the notebook says of it in one line of text; may be empty.
        of_sheet: whether it is one of the images on a sheet's file.
    """

    label: str
    where: str
    source: bytes | Path | None = field(repr=False)
    told: Any = field(default=None, repr=False)
    line: str = ""
    of_sheet: bool = False

    @property
    def data(self) -> bytes | None:
        """The picture's bytes, read anew at each call where they are in a file; raises OSError."""
        return read_file(self.source) if isinstance(self.source, Path) else self.source

    def kept(self, keep: bool) -> bytes | None:  # noqa: FBT001 - as a verdict's maker was told
        """The same to be shown later; None where nothing is to be kept, or the file is gone."""
        if keep:
            with suppress(OSError):
                return self.data
        return None


@dataclass(slots=True)
class Found:
    """What was found.

    Attributes:
        subjects: the pictures, in the order of the paths, of a folder's names, and of a notebook's cells.
        others: how many pictures of the notebooks are not of flux_magic.
        problems: what could not be read, a line for each.
    """

    subjects: list[Subject] = field(default_factory=list)
    others: int = 0
    problems: list[str] = field(default_factory=list)
