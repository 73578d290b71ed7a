"""The files of a capsule that are the user's own: notebooks, and what their cells give to a model or import."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ..errors import CapsuleError, InvalidRequest
from ..images.codecs import SUFFIXES
from ..pages import page as pages
from ..records.files import read_file
from .cells import Cell, read_cells
from .requirements import list_modules

_NAMED: Final = re.compile(
    r"(?:--(?:image|mask)(?:[ \t]+|=)|\b(?:image|mask)\s*=\s*|\bload_image\(\s*)"
    r"""(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"']+))"""
)
"""A file that a cell gives to a model."""


def choose_places(notebooks: Sequence[Path], add: Sequence[Path]) -> dict[str, Path]:
    """Return each file to copy by its name in the capsule: its path from the folder that all notebooks are in."""
    for path in notebooks:
        if not path.exists():
            raise InvalidRequest(f"there is no file {path.as_posix()}")
        if path.suffix != pages.NOTEBOOK or not path.is_file():
            raise InvalidRequest(f"{path.as_posix()} is not a notebook: give a file that ends in {pages.NOTEBOOK}")
    root = Path(os.path.commonpath([path.resolve().parent for path in notebooks]))
    places = {}
    for path in (*notebooks, *add):
        real = path.parent.resolve() / path.name
        if not path.is_file() or not real.is_relative_to(root):
            where = root.name or "its folder"
            raise InvalidRequest(f"{path.as_posix()} is not a file in {where}, where the notebooks are: copy it there")
        places[real.relative_to(root).as_posix()] = path
    return places


def copy(places: dict[str, Path], folder: Path) -> dict[str, list[Cell]]:
    """Copy the files, with those that the cells name and import, and return the cells of each notebook."""
    cells: dict[str, list[Cell]] = {}
    for name, path in list(places.items()):
        if path.suffix == pages.NOTEBOOK:
            data = _copy_file(path, folder / name)
            pages.read_notebook(path)  # says what is wrong with a file that is no notebook
            cells[name] = _read_cells(path, data)
            sources = [cell.source for cell in cells[name] if cell.kind == "code"]
            beside = Path(name).parent
            for other in _list_named(path.parent, sources):
                places.setdefault((beside / other).as_posix(), path.parent / other)
    for name, path in places.items():
        if name not in cells:
            _copy_file(path, folder / name)
    return cells


def _read_cells(path: Path, data: bytes) -> list[Cell]:
    try:
        return read_cells(data)
    except CapsuleError as error:
        raise InvalidRequest(f"{path.as_posix()} cannot be packed: {error.message}") from error


def _copy_file(source: Path, target: Path) -> bytes:
    try:
        data = read_file(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as error:
        raise InvalidRequest(f"{source.as_posix()} cannot be read: {error.strerror or error}") from error
    return data


def _list_named(folder: Path, sources: Sequence[str]) -> Iterator[str]:
    """Yield the files below a notebook's folder that its cells give to a model or import."""
    given = ("".join(one) for source in sources for one in _NAMED.findall(source))
    named = [name for name in given if Path(name).suffix.lower() in SUFFIXES]
    named += [f"{module}.py" for module in list_modules(sources)]
    for name in dict.fromkeys(named):
        path = Path(os.path.normpath(name))
        if not path.is_absolute() and ".." not in path.parts and (folder / path).is_file():
            yield path.as_posix()


def list_foreign(sources: Sequence[str], files: Iterable[Path]) -> list[str]:
    """Return the imported packages, without the modules that are packed."""
    own = {path.stem for path in files if path.suffix == ".py"}
    return [name for name in list_modules(sources) if name not in own]
