"""The pictures of a notebook of format 4, read from its JSON."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from .. import keepsake, sheet_file
from ..bounded_json import parse_json
from ..errors import RecordError
from ..files import read_file
from ..record import carried_from
from ..settings import MOST_SWEPT, resolve
from ..store import BESIDE, Store, store_of
from .subjects import Found, Subject

_PICTURES: Final = ("image/png", "image/jpeg", "image/webp")
_SHOWN: Final = {*_PICTURES, "text/plain"}
_LINE: Final = re.compile(r"<flux [^\n]*>")
"""The text of a picture of ours, whatever became of its metadata; a list of pictures says more."""


def read_notebook(path: Path, found: Found) -> None:
    """Add a notebook's pictures to what was found; one that cannot be read is a problem."""
    label = path.as_posix()
    try:
        notebook = parse_json(read_file(path))
    except OSError as error:
        found.problems.append(f"{label}: cannot be read: {error.strerror}")
        return
    except ValueError as error:
        why = str(error) if error.args[0].startswith("it ") else "it is no JSON"
        found.problems.append(f"{label}: no notebook: {why}")
        return
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        found.problems.append(f"{label}: no notebook of format 4: it has no cells")
        return
    for number, outputs in enumerate(_outputs(notebook["cells"]), 1):
        _read_cell(f"{label}, cell {number}", outputs, path.parent / BESIDE, found)


def _outputs(cells: list[Any]) -> Iterator[list[Any]]:
    """The outputs of each code cell that is not empty: Jupyter counts these, where all are run in order."""
    for cell in cells:
        if isinstance(cell, dict) and cell.get("cell_type") == "code" and _text(cell.get("source")).strip():
            outputs = cell.get("outputs")
            yield outputs if isinstance(outputs, list) else []


def _read_cell(label: str, outputs: list[Any], beside: Path, found: Found) -> None:
    mine = []
    for output in outputs:
        data, metadata = _mapping(output, "data"), _mapping(output, "metadata")
        line = _text(data.get("text/plain"))
        if "flux_magic" in metadata or (_LINE.fullmatch(line) and len(data) > 1):
            picture = _picture(data)
            mine.append((picture, metadata.get("flux_magic"), line))
            if picture is not None and (more := sorted(data.keys() - _SHOWN)):
                found.problems.append(f"{label}: beside the picture the output shows {more[0]}, which is not ours")
        elif any(kind.startswith("image/") for kind in data):
            found.others += 1
    for number, (picture, told, line) in enumerate(mine, 1):
        which = f"{label}, picture {number}" if len(mine) > 1 else label
        if told is None and (inside := _sheet_inside(picture)):  # a tool took the metadata out
            records, whole = inside.images, inside.is_whole(picture or b"")
        elif isinstance(told, dict) and "sheet" in told:
            records, whole = told["sheet"], told.get("sha256") == keepsake.sha256(picture or b"")
        else:
            found.subjects.append(Subject(which, "notebook", picture, told, line))
            continue
        read_sheet(which, records, beside, found)
        if not whole:
            found.problems.append(f"{which}: the sheet is not the picture that was shown: it was altered, or deleted")


def _sheet_inside(picture: bytes | None) -> sheet_file.SheetRecord | None:
    """Return what a sheet carries inside; None for any other image."""
    try:
        return sheet_file.read(picture) if picture else None
    except RecordError:
        return None


def read_sheet(label: str, records: Any, beside: Path, found: Found, where: str = "notebook") -> None:
    """Add the images of a sweep's sheet, which shows them small: they are elsewhere."""
    if not isinstance(records, list) or len(records) > MOST_SWEPT:
        many = f"{len(records)} of them, more than {MOST_SWEPT}" if isinstance(records, list) else "no list of them"
        found.problems.append(f"{label}: the records of the sheet cannot be read: {many}")
        return
    known = store_of(resolve(), beside)
    for number, told in enumerate(records, 1):
        if isinstance(told, dict):
            source = _kept(told, known)
            found.subjects.append(
                Subject(f"{label}, image {number} of the sheet", where, source, told, of_sheet=where == "file")
            )
    if rubbish := sum(not isinstance(told, dict) for told in records):
        found.problems.append(
            f"{label}: {rubbish} of {len(records)} records of the sheet cannot be read: no JSON objects"
        )


def _kept(told: Any, known: Store) -> Path | None:
    """Where the image of a record is: beside the notebook, or in the store; None where it is in neither."""
    try:
        record = carried_from(told).record
    except RecordError:  # told with the image itself
        return None
    return next((stored.files[0] for stored in known.of(record) if stored.has_image), None)


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    member = value.get(name) if isinstance(value, dict) else None
    return member if isinstance(member, dict) else {}


def _picture(data: Mapping[str, Any]) -> bytes | None:
    """The bytes of what is embedded; of what is no base64 none at all, which no decoder takes for a picture."""
    text = next((_text(data[kind]) for kind in _PICTURES if kind in data), None)
    if text is None:
        return None
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def _text(value: Any) -> str:
    """A text, which a notebook may hold as a list of its lines."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))
