"""Images to be verified: in notebooks, in files, in folders of both."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Final

from ..errors import FluxError, InvalidArgument, RecordError, shown
from ..images.bounded_json import parse_json
from ..images.codecs import SEALED, SUFFIXES
from ..images.formats import READ
from ..parameters.calls import path_text
from ..parameters.settings import MOST_SWEPT, resolve
from ..records import embedding
from ..records.files import locate_file, read_file
from ..records.record import carried_from
from ..records.sidecar import records_beside
from ..records.store import BESIDE, Store, store_of
from ..sweeps import sheet_file
from ..types import one_line


def reason(error: FluxError | OSError) -> str:
    """An error on one line."""
    return one_line(error.message) if isinstance(error, FluxError) else f"cannot be read: {error.strerror or error}"


def reason_of_file(error: FluxError | OSError) -> str:
    """The same for what is in a file or a notebook: no Space sent that just now."""
    return reason(error).replace("the picture that the Space sent", "the picture")


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
class Discovery:
    """What was found.

    Attributes:
        subjects: the pictures, in the order of the paths, of a folder's names, and of a notebook's cells.
        others: how many pictures of the notebooks are not of flux_magic.
        problems: what could not be read, a line for each.
    """

    subjects: list[Subject] = field(default_factory=list)
    others: int = 0
    problems: list[str] = field(default_factory=list)


_PICTURES: Final = ("image/png", "image/jpeg", "image/webp")


_SHOWN: Final = {*_PICTURES, "text/plain"}


_LINE: Final = re.compile(r"<flux [^\n]*>")
"""The text of a picture of ours, whatever became of its metadata; a list of pictures says more."""


def read_notebook(path: Path, found: Discovery) -> None:
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


def _read_cell(label: str, outputs: list[Any], beside: Path, found: Discovery) -> None:
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
            records, whole = told["sheet"], told.get("sha256") == embedding.sha256(picture or b"")
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


def read_sheet(label: str, records: Any, beside: Path, found: Discovery, where: str = "notebook") -> None:
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


Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""One path or several, as they were given: labels show them so, and nothing of the machine's that nobody typed."""


def find_subjects(paths: Paths) -> Discovery:
    """The pictures of notebooks (.ipynb), of images and of folders, hidden ones left out.

    A folder's GIF and AVIF count where a record is beside them.

    What cannot be read is one of the `problems`, and nothing is raised. What is named twice is there once.
    """
    found, seen = Discovery(), set()
    for path, folder in _files([paths] if isinstance(paths, str | os.PathLike) else paths, found.problems):
        known = os.path.realpath(path)  # as `Path.resolve`, which fails where links go in circles
        if known in seen:
            continue
        seen.add(known)
        if trouble := _trouble(path, folder):
            found.problems.append(f"{path.as_posix()}: cannot be read: {trouble}")
        elif path.suffix.lower() == NOTEBOOK:
            read_notebook(path, found)
        else:
            found.subjects.append(Subject(path.as_posix(), "file", path))
    return found


def _trouble(path: Path, folder: Path | None) -> str:
    """Return why a file is not to be read; empty if it is. A link in a `folder` may not lead out of it."""
    try:
        locate_file(path, within=folder)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _files(paths: Iterable[str | os.PathLike[str]], problems: list[str]) -> Iterator[tuple[Path, Path | None]]:
    """Yield each file, with the folder in which it was found if that was named."""
    if not isinstance(paths, Iterable):
        raise InvalidArgument(f"paths is {shown(paths)}: give the path of an image, a notebook or a folder, or several")
    for given in paths:
        path = Path(path_text("path", given))
        try:
            folder, there = path.is_dir(), os.path.lexists(path)
        except (OSError, ValueError):  # a name that no file system has: too long, or with a NUL
            folder = there = False
        if folder:
            yield from ((one, path) for one in _files_in(path, problems))
        elif not there:
            problems.append(f"{path.as_posix()}: there is no such file or folder")
        elif not _is_ours(path.name):
            problems.append(f"{path.as_posix()}: neither a notebook, nor a {READ}, nor a folder")
        else:
            yield path, None


def _files_in(folder: Path, problems: list[str]) -> Iterator[Path]:
    def told(error: OSError) -> None:
        problems.append(f"{Path(error.filename).as_posix()}: cannot be read: {error.strerror}")

    for at, folders, names in os.walk(folder, onerror=told):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        ours = (Path(at, name) for name in sorted(names) if _is_ours(name) and not name.startswith("."))
        yield from (path for path in ours if _may_have_record(path))


def _may_have_record(path: Path) -> bool:
    """Whether an image that lies in a folder is checked: a GIF or AVIF where a record is beside, as none is inside."""
    return SUFFIXES.get(path.suffix.lower()) not in SEALED or any(records_beside(path))


def _is_ours(name: str) -> bool:
    return PurePath(name).suffix.lower() in {NOTEBOOK, *SUFFIXES}
