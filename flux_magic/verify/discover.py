"""Images to verify: in notebooks, in files, and in folders of both."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Final

from ..errors import FluxError, InvalidArgument, NotAnImage, RecordError, show_value
from ..images import metadata
from ..images.bounded_json import parse_json
from ..images.codecs import SEALED, SUFFIXES
from ..images.formats import READ
from ..parameters.calls import check_path
from ..parameters.settings import MOST_SWEPT, resolve
from ..records import embedding, signing
from ..records.files import locate_file, read_file
from ..records.inputs import is_kept_name
from ..records.record import parse_carried
from ..records.sidecar import find_records_beside
from ..records.store import BESIDE, Store, open_store
from ..sweeps import sheet_file
from ..types import fit_one_line


def describe_error(error: FluxError | OSError) -> str:
    """Return an error as one line."""
    return fit_one_line(error.message) if isinstance(error, FluxError) else f"cannot be read: {error.strerror or error}"


def describe_file_error(error: FluxError | OSError) -> str:
    """Return an error as one line, for an image that is in a file or a notebook and was not just sent by a Space."""
    return describe_error(error).replace("the image that the Space sent", "the image")


NOTEBOOK: Final = ".ipynb"
"""The suffix of a notebook."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One image to check.

    Attributes:
        label: its place, as a person would say it: `fox.ipynb, cell 3`.
        where: what holds it: `notebook` or `file`.
        source: its bytes, or the file that has them; None if none are embedded, as with a link.
        told: our part of the notebook's metadata, as JSON; None if there is no such part.
        line: the notebook's line of text for it; may be empty.
        of_sheet: whether it is one of the images on a sheet's file, or on a figure in a notebook.
        beside: the folder beside it that may have what went in.
    """

    label: str
    where: str
    source: bytes | Path | None = field(repr=False)
    told: Any = field(default=None, repr=False)
    line: str = ""
    of_sheet: bool = False
    is_sheet: bool = False
    beside: Path = field(default=BESIDE, repr=False)

    @property
    def data(self) -> bytes | None:
        """The image's bytes, read again at each access if they are in a file. Raises OSError."""
        return read_file(self.source) if isinstance(self.source, Path) else self.source

    def keep_data(self, keep: bool) -> bytes | None:  # noqa: FBT001 - as a verdict's maker was told
        """Return the bytes to be shown later; None if nothing is to be kept, or if the file is gone."""
        if keep:
            with suppress(OSError):
                return self.data
        return None


@dataclass(slots=True)
class Discovery:
    """The images and the problems that were found.

    Attributes:
        subjects: the images, in the order of the paths, of a folder's names, and of a notebook's cells.
        others: how many images of the notebooks are not from flux_magic.
        problems: what could not be read, a line for each.
    """

    subjects: list[Subject] = field(default_factory=list)
    others: int = 0
    problems: list[str] = field(default_factory=list)


_PICTURES: Final = ("image/png", "image/jpeg", "image/webp")


_SHOWN: Final = {*_PICTURES, "text/plain"}


_LINE: Final = re.compile(r"<flux [^\n]*>")
"""The line of text of one of our images, with or without metadata; a list of images has more text."""


def read_notebook(path: Path, found: Discovery) -> None:
    """Add a notebook's images to what was found; a notebook that cannot be read becomes a problem."""
    label = path.as_posix()
    try:
        notebook = parse_json(read_file(path))
    except OSError as error:
        found.problems.append(f"{label}: cannot be read: {error.strerror}")
        return
    except ValueError as error:
        why = str(error) if error.args[0].startswith("it ") else "it is not JSON"
        found.problems.append(f"{label}: not a notebook: {why}")
        return
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        found.problems.append(f"{label}: not a notebook of format 4: it has no cells")
        return
    for number, outputs in enumerate(_list_outputs(notebook["cells"]), 1):
        _read_cell(f"{label}, cell {number}", outputs, path.parent / BESIDE, found)


def _list_outputs(cells: list[Any]) -> Iterator[list[Any]]:
    """Yield the outputs of each code cell that is not empty; Jupyter counts these if all are run in order."""
    for cell in cells:
        if isinstance(cell, dict) and cell.get("cell_type") == "code" and _join_text(cell.get("source")).strip():
            outputs = cell.get("outputs")
            yield outputs if isinstance(outputs, list) else []


def _read_cell(label: str, outputs: list[Any], beside: Path, found: Discovery) -> None:
    """Add the images of a cell: our outputs, and what has a record of ours inside, such as a figure by `grid`."""
    mine = list(_list_ours(label, outputs, found))
    for number, (image, told, line) in enumerate(mine, 1):
        which = f"{label}, image {number}" if len(mine) > 1 else label
        inside = _read_sheet_inside(image)
        if isinstance(told, dict) and "sheet" in told:
            records, whole = told["sheet"], told.get("sha256") == embedding.compute_sha256(image or b"")
        elif told is None and inside:  # a figure, or a tool removed the metadata
            records, whole = inside.images, inside.is_whole(image or b"")
        else:
            found.subjects.append(Subject(which, "notebook", image, told, line, beside=beside))
            continue
        if image and records:
            found.subjects.append(Subject(which, "notebook", image, told, line, is_sheet=True, beside=beside))
        read_sheet(which, records, beside, found, of_sheet=not line and told is None)
        if not whole:
            found.problems.append(f"{which}: the sheet is not the image that was shown: it was altered, or deleted")


def _list_ours(label: str, outputs: list[Any], found: Discovery) -> Iterator[tuple[bytes | None, Any, str]]:
    """Yield each image of ours with its metadata and its line, and count the others."""
    for output in outputs:
        data, about = _check_mapping(output, "data"), _check_mapping(output, "metadata")
        line = _join_text(data.get("text/plain"))
        image = _decode_image(data)
        if "flux_magic" in about or (_LINE.fullmatch(line) and len(data) > 1):
            yield image, about.get("flux_magic"), line
            if image is not None and (more := sorted(data.keys() - _SHOWN)):
                found.problems.append(f"{label}: beside the image the output shows {more[0]}, which is not ours")
        elif image and _has_record(image):
            yield image, None, ""
        elif any(kind.startswith("image/") for kind in data):
            found.others += 1


def _has_record(image: bytes) -> bool:
    """Return True for an image that carries a record of ours, in its words or in its credentials."""
    if signing.RECORD.encode() in image:
        return True
    with suppress(NotAnImage):
        return bool(metadata.read(image).record)
    return False


def _read_sheet_inside(image: bytes | None) -> sheet_file.SheetRecord | None:
    """Return what a sheet carries inside; None for any other image."""
    try:
        return sheet_file.read(image) if image else None
    except RecordError:
        return None


def read_sheet(
    label: str, records: Any, beside: Path, found: Discovery, where: str = "notebook", *, of_sheet: bool = False
) -> None:
    """Add the images of a sheet from the places that have them, as the sheet shows them small.

    Those `of_sheet`, of a file or a figure, are left out if they are found elsewhere.
    """
    if not isinstance(records, list) or len(records) > MOST_SWEPT:
        many = f"{len(records)} of them, more than {MOST_SWEPT}" if isinstance(records, list) else "they are not a list"
        found.problems.append(f"{label}: the records of the sheet cannot be read: {many}")
        return
    known = open_store(resolve(), beside)
    for number, told in enumerate(records, 1):
        if isinstance(told, dict):
            source = _find_kept(told, known)
            found.subjects.append(
                Subject(
                    f"{label}, image {number} of the sheet",
                    where,
                    source,
                    told,
                    of_sheet=of_sheet,
                    beside=beside,
                )
            )
    if rubbish := sum(not isinstance(told, dict) for told in records):
        found.problems.append(
            f"{label}: {rubbish} of {len(records)} records of the sheet cannot be read: they are not JSON objects"
        )


def is_readable_list(records: Any) -> bool:
    """Return True for a sheet's records that are a list of JSON objects, and not too many."""
    return isinstance(records, list) and len(records) <= MOST_SWEPT and all(isinstance(one, dict) for one in records)


def _find_kept(told: Any, known: Store) -> Path | None:
    """Return the file of a record's image, beside the notebook or in the store; None if neither has it."""
    try:
        record = parse_carried(told).record
    except RecordError:  # reported with the image itself
        return None
    return next((stored.files[0] for stored in known.find_same(record) if stored.has_image), None)


def _check_mapping(value: Any, name: str) -> Mapping[str, Any]:
    member = value.get(name) if isinstance(value, dict) else None
    return member if isinstance(member, dict) else {}


def _decode_image(data: Mapping[str, Any]) -> bytes | None:
    """Return the bytes of the embedded image, or None. Invalid base64 gives empty bytes, which no decoder accepts."""
    text = next((_join_text(data[kind]) for kind in _PICTURES if kind in data), None)
    if text is None:
        return None
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def _join_text(value: Any) -> str:
    """Return a string, which a notebook may hold as a list of its lines."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))


Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""One path or several. Labels show them as the user typed them, and no other path of the machine."""


def find_subjects(paths: Paths) -> Discovery:
    """Return the images of notebooks (.ipynb), of image files and of folders; hidden files are left out.

    A folder's GIF and AVIF files count if a record is beside them.

    A file that cannot be read becomes one of the `problems`, and nothing is raised. A file that is named twice is
    checked once.
    """
    found, seen = Discovery(), set()
    for path, folder in _list_files([paths] if isinstance(paths, str | os.PathLike) else paths, found.problems):
        known = os.path.realpath(path)  # like `Path.resolve`, which fails if links go in circles
        if known in seen:
            continue
        seen.add(known)
        if trouble := _find_trouble(path, folder):
            found.problems.append(f"{path.as_posix()}: cannot be read: {trouble}")
        elif path.suffix.lower() == NOTEBOOK:
            read_notebook(path, found)
        else:
            found.subjects.append(Subject(path.as_posix(), "file", path, beside=find_beside(path)))
    return found


def find_beside(path: Path) -> Path:
    """Return the folder that may have what went into an image's file: the one that it is in, or one beside it."""
    return path.parent if path.parent.name == BESIDE.name else path.parent / BESIDE


def _find_trouble(path: Path, folder: Path | None) -> str:
    """Return why a file may not be read; empty if it may. A link in a `folder` may not lead out of it."""
    try:
        locate_file(path, within=folder)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _list_files(paths: Iterable[str | os.PathLike[str]], problems: list[str]) -> Iterator[tuple[Path, Path | None]]:
    """Yield each file, with the folder in which it was found if that was named."""
    if not isinstance(paths, Iterable):
        raise InvalidArgument(
            f"paths is {show_value(paths)}: give the path of an image, a notebook or a folder, or several"
        )
    for given in paths:
        path = Path(check_path("path", given))
        try:
            folder, there = path.is_dir(), os.path.lexists(path)
        except (OSError, ValueError):  # a name that no file system has: too long, or with a NUL
            folder = there = False
        if folder:
            yield from ((one, path) for one in _walk_folder(path, problems))
        elif not there:
            problems.append(f"{path.as_posix()}: there is no such file or folder")
        elif not _is_ours(path.name):
            problems.append(f"{path.as_posix()}: neither a notebook, nor a {READ}, nor a folder")
        else:
            yield path, None


def _walk_folder(folder: Path, problems: list[str]) -> Iterator[Path]:
    def on_error(error: OSError) -> None:
        problems.append(f"{Path(error.filename).as_posix()}: cannot be read: {error.strerror}")

    for at, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        ours = (Path(at, name) for name in sorted(names) if _is_ours(name) and not name.startswith("."))
        yield from (path for path in ours if _may_have_record(path) and not is_kept_name(path.name))


def _may_have_record(path: Path) -> bool:
    """Return True if an image in a folder is checked; a GIF or AVIF, which holds no record, needs one beside it."""
    return SUFFIXES.get(path.suffix.lower()) not in SEALED or any(find_records_beside(path))


def _is_ours(name: str) -> bool:
    return PurePath(name).suffix.lower() in {NOTEBOOK, *SUFFIXES}
