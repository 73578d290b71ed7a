"""Facts about the page that runs a cell, as far as it sends them: the cell below, and if widgets answer there."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..images.bounded_json import parse_json
from ..records.files import read_file

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@dataclass(frozen=True, slots=True)
class NextCell:
    """The place below a cell.

    Attributes:
        cell: the id of the cell that runs.
        notebook: the saved notebook, as Jupyter's server names it; empty without a name.
    """

    cell: str
    notebook: str = ""

    @classmethod
    def of(cls, shell: InteractiveShell) -> NextCell | None:
        """Return the place below the cell that runs; None if the front end sends no cell's id."""
        request: Any = getattr(shell, "parent_header", None)
        metadata = request.get("metadata") if isinstance(request, dict) else None
        cell = metadata.get("cellId") if isinstance(metadata, dict) else None
        return cls(str(cell), os.environ.get("JPY_SESSION_NAME", "")) if cell else None

    def has(self, text: str) -> bool:
        """Return True if the saved notebook has such a cell there."""
        try:
            cells = parse_json(read_file(Path(self.notebook)))["cells"] if self.notebook else []
            sources = [(one.get("id"), "".join(one["source"])) for one in cells]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # not saved yet, or of an older format
            return False
        below = [after[1] for before, after in itertools.pairwise(sources) if before[0] == self.cell]
        return text in below


def has_widgets(shell: InteractiveShell) -> bool:
    """Return True if the page that runs a cell can show widgets that answer.

    A program that runs a notebook, such as nbconvert or papermill, takes no input from a person, and says so.
    """
    if getattr(shell, "kernel", None) is None:
        return False
    request: Any = getattr(shell, "parent_header", None)
    content = request.get("content") if isinstance(request, dict) else None
    is_voila = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
    return is_voila or (isinstance(content, dict) and bool(content.get("allow_stdin")))
