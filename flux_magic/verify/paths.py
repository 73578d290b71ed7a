"""What paths hold to be checked: notebooks, images, and folders of both."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from ..beside import records_beside
from ..calls import path_text
from ..errors import InvalidArgument, shown
from ..files import locate_file
from ..formats import READ
from ..picture import SEALED, SUFFIXES
from .notebooks import read_notebook
from .subjects import NOTEBOOK, Found, Subject

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""One path or several, as they were given: labels show them so, and nothing of the machine's that nobody typed."""


def find_subjects(paths: Paths) -> Found:
    """The pictures of notebooks (.ipynb), of images and of folders, hidden ones left out.

    A folder's GIF and AVIF count where a record is beside them.

    What cannot be read is one of the `problems`, and nothing is raised. What is named twice is there once.
    """
    found, seen = Found(), set()
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
