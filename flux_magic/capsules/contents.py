"""The files of a capsule that are the user's own: notebooks, and what their cells show, give to a model or import."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from ..errors import CapsuleError, InvalidRequest
from ..images.codecs import SUFFIXES
from ..pages import page as pages
from ..records.files import read_file
from ..records.store import BESIDE
from .archive import check_names
from .cells import Cell, get_own_part, list_records, read_cells
from .requirements import list_imports, list_modules

_GIVEN: Final = re.compile(
    r"(?:--(?:image|mask)(?:[ \t]+|=)|\b(?:image|mask)\s*=\s*|\bload_image\(\s*)"
    r"""(?:"([^"\n]+)"|'([^'\n]+)'|([^\s"']+))"""
)
"""A file that a cell gives to a model."""

_SHOWN: Final = re.compile(r"""!\[[^]]*\]\(\s*<?([^)>\s]+)|<img\b[^>]*?\bsrc=["']([^"']+)""")
"""An image in Markdown."""

_RUN: Final = re.compile(r"^[ \t]*%run[ \t]+(?:-[a-z]+[ \t]+)*([^\s-]\S*\.py)\b", re.MULTILINE)
"""A script that a cell runs."""

_STRING: Final = re.compile(r"""(["'])([^"'\n]{1,200})\1""")


def choose_places(notebooks: Sequence[Path], add: Sequence[Path]) -> dict[str, Path]:
    """Return each file to copy by its name in the capsule: its path from the folder that all notebooks are in."""
    for path in notebooks:
        if not path.exists():
            raise InvalidRequest(f"there is no file {path.as_posix()}")
        if path.suffix != pages.NOTEBOOK or not path.is_file():
            raise InvalidRequest(f"{path.as_posix()} is not a notebook: give a file that ends in {pages.NOTEBOOK}")
    root = _find_root([path.parent.resolve() for path in notebooks])
    places = {}
    for path in (*notebooks, *add):
        real = path.parent.resolve() / path.name
        if not path.is_file() or not real.is_relative_to(root):
            where = root.name or "its folder"
            raise InvalidRequest(f"{path.as_posix()} is not a file in {where}, where the notebooks are: copy it there")
        places[real.relative_to(root).as_posix()] = path
    try:
        check_names(list(places))
    except CapsuleError as error:
        raise InvalidRequest(f"no capsule can be made: {error.message}", "Rename the file.") from error
    return places


def _find_root(folders: list[Path]) -> Path:
    """Return the folder that has all of these; raises InvalidRequest if names from there on would name a home."""
    try:
        root = Path(os.path.commonpath(folders))
    except ValueError:  # they are on several drives
        root = Path(folders[0].anchor)
    home = Path("~").expanduser().resolve()
    if root in home.parents and any(one.is_relative_to(home) for one in folders):
        where = f"the folder that the notebooks share, {root.as_posix()}, has your home in it"
        raise InvalidRequest(f"{where}, whose name would be packed: copy them into one folder")
    return root


def copy(places: dict[str, Path], folder: Path) -> dict[str, list[Cell]]:
    """Copy the files, with those that the cells name and import, and return the cells of each notebook."""
    cells: dict[str, list[Cell]] = {}
    for name, path in list(places.items()):
        if path.suffix == pages.NOTEBOOK:
            data = _copy_file(path, folder / name)
            pages.read_notebook(path)  # says what is wrong with a file that is no notebook
            cells[name] = _read_cells(path, data)
            code = [cell.source for cell in cells[name] if cell.kind == "code"]
            shown = [cell.source for cell in cells[name] if cell.kind == "markdown"]
            _add(places, Path(name).parent, path.parent, [*_list_images(code, shown), *_list_own_modules(code)])
    left = [name for name in places if name not in cells]
    while left:
        name = left.pop(0)
        data = _copy_file(places[name], folder / name)
        if name.endswith(".py"):
            imported = list(_list_own_modules([data.decode(errors="replace")]))
            for one in (name, *cells):  # beside the module, and beside the notebooks, which import it
                left += _add(places, Path(one).parent, places[one].parent, imported)
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


def _add(places: dict[str, Path], beside: Path, folder: Path, named: Iterable[str]) -> list[str]:
    """Add the files below a folder that are named there to the places, and return those that are new."""
    found = {(beside / one).as_posix(): folder / one for one in _list_below(folder, named)}
    new = [name for name in found if name not in places]
    places.update((name, found[name]) for name in new)
    return new


def _list_below(folder: Path, named: Iterable[str]) -> Iterator[str]:
    """Yield the paths that are files below a folder, without `.` and `..` in them."""
    for name in dict.fromkeys(named):
        path = Path(os.path.normpath(name))
        if path.is_absolute() or ".." in path.parts or not os.path.isfile(folder / path):  # noqa: PTH113 - any string
            continue
        yield path.as_posix()
        if path.name == "__init__.py":  # of a package, whose modules import one another
            yield from (one.relative_to(folder).as_posix() for one in sorted((folder / path).parent.rglob("*.py")))


def _list_images(code: Sequence[str], markdown: Sequence[str]) -> Iterator[str]:
    """Yield the images that code cells give to a model and that Markdown cells show."""
    given = ["".join(one) for source in code for one in _GIVEN.findall(source)]
    given += [unquote("".join(one)) for source in markdown for one in _SHOWN.findall(source)]
    yield from (name for name in given if Path(name).suffix.lower() in {*SUFFIXES, ".svg"})


def _list_own_modules(sources: Sequence[str]) -> Iterator[str]:
    """Yield the files that may be the modules that are imported there."""
    for name in sorted({one for source in sources for one in list_imports(source)}):
        parts = name.split(".")
        for at in range(1, len(parts) + 1):
            path = "/".join(parts[:at])
            yield from (f"{path}.py", f"{path}/__init__.py")
    for source in sources:
        yield from _RUN.findall(source)


def list_unpacked(places: dict[str, Path], cells: dict[str, list[Cell]]) -> Iterator[str]:
    """Yield a note on each file below a notebook's folder that a string in a code cell names and that is not packed."""
    for name, each in cells.items():
        folder, beside = places[name].parent, Path(name).parent
        for cell in each:
            strings = [match[2] for match in _STRING.finditer(cell.source)] if cell.kind == "code" else []
            for one in _list_below(folder, strings):
                if (beside / one).as_posix() not in places and not one.startswith(f"{BESIDE}/"):
                    yield f"{name}, {cell.name} names {one}, which is not packed: if it is read, --add {one}"


def list_unlike(cells: dict[str, list[Cell]]) -> Iterator[str]:
    """Yield a note on each cell that will not show the same again: one that left the seed to chance, or failed."""
    for name, each in cells.items():
        for cell in (one for one in each if one.kind == "code"):
            seeds = list(_list_chosen_seeds(cell))
            if seeds:
                add = f"add --seed {seeds[0]}" if len(seeds) == 1 else f"add its seeds, {', '.join(seeds)}"
                yield f"{name}, {cell.name} leaves the seed to chance, and is not reproduced: {add}, and run it again"
            for one in cell.outputs:
                if one.get("output_type") == "error":
                    yield f"{name}, {cell.name} saved an error: {one.get('ename')}: {one.get('evalue')}"


def _list_chosen_seeds(cell: Cell) -> Iterator[str]:
    """Yield the seeds of the images of ours that a cell made without being given one, as its records have them."""
    for output in cell.outputs:
        for record in list_records(get_own_part(output)):
            asked, run = record.get("requested"), record.get("run")
            if isinstance(asked, dict) and isinstance(run, dict) and asked.get("seed") is None and "seed" in run:
                yield str(run["seed"])


def list_foreign(sources: Sequence[str], files: Iterable[Path]) -> list[str]:
    """Return the imported packages, without the modules that are packed."""
    own = {path.parent.name if path.stem == "__init__" else path.stem for path in files if path.suffix == ".py"}
    return [name for name in list_modules(sources) if name not in own]
