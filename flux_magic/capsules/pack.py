"""A capsule is packed: notebooks with their images, what they need, and what says so to people and programs."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..errors import FluxError, InvalidRequest, SaveError, format_count
from ..images.bounded_json import parse_json
from ..images.codecs import SUFFIXES
from ..pages import page as pages
from ..records.store import BESIDE, Store, Stored
from ..types import UNKNOWN
from ..verify.discover import Discovery, read_notebook
from ..verify.export import export
from . import crate, manifest, requirements
from .archive import list_files, write_archive
from .cells import Cell, join_text
from .contents import choose_places, copy, list_foreign, list_unlike, list_unpacked
from .crate import Description
from .manifest import Manifest
from .readme import write_readme
from .requirements import Requirements
from .secrets import Secret, find_secrets, list_image_strings, list_strings

PAGES: Final = "pages"


class SecretsFound(InvalidRequest):
    """Something that should not be shared, `found`, is in what is to be packed. Nothing was written."""

    def __init__(self, found: Sequence[Secret]) -> None:
        self.found = tuple(found)
        some = format_count(len(found), "thing")
        hint = (
            "Remove them, run these cells again, and save. A token that was shared is best made invalid. "
            "If none of them is a secret, --allow-secrets packs them."
        )
        if all(one.is_path for one in found):
            hint = "Name files relative to the notebook, run these cells again, and save; --allow-paths packs them."
        super().__init__(f"nothing is packed: {some} should not be shared", hint)


@dataclass(frozen=True, slots=True)
class Packed:
    """The result of packing; as a string, a line.

    Attributes:
        path: the capsule.
        notebooks: how many notebooks are in it.
        images: how many images.
        files: how many files.
        size: its bytes.
        notes: what the user should know, a line each.
    """

    path: Path
    notebooks: int
    images: int
    files: int
    size: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        held = f"{format_count(self.notebooks, 'notebook')}, {format_count(self.images, 'image')} with their records"
        return f"{self.path.as_posix()}: {held}, {format_count(self.files, 'file')}, {self.size:,} bytes"


def pack(
    notebooks: Sequence[Path],
    target: Path,
    told: Description,
    *,
    add: Sequence[Path] = (),
    allow_paths: bool = False,
    allow_secrets: bool = False,
    allow_missing: bool = False,
) -> Packed:
    """Pack notebooks with all that reproduces them into a zip file, the same bytes for the same input.

    Args:
        notebooks: saved notebooks, in their order in the paper.
        target: the zip file. One that is there is replaced.
        told: what the authors say of it. Without a title it is the first heading; without a date, the day of the
            newest image.
        add: other files that the cells read; they must be in a folder of the notebooks, or below one.
        allow_paths: pack paths of somebody's home as well.
        allow_secrets: pack what looks like a token, a password or a key as well.
        allow_missing: pack a notebook some of whose images are not in the store.

    Raises SecretsFound (nothing is written then), InvalidRequest, CapsuleError, StoreError and SaveError.
    """
    places = choose_places(notebooks, add)
    with tempfile.TemporaryDirectory(prefix="flux_magic-") as made:
        folder = Path(made)
        cells = copy(places, folder)
        missing = _export(places, folder)
        if missing and not allow_missing:
            some = format_count(len(missing), "image")
            raise InvalidRequest(f"{some} cannot be packed: {missing[0]}", "--allow-missing packs the others.")
        found = find_secrets(dict(_list_texts(folder, cells)))
        if found := [one for one in found if not (allow_paths if one.is_path else allow_secrets)]:
            raise SecretsFound(found)
        kernel, notes = _find_kernel(folder, list(cells))
        sources = [cell.source for each in cells.values() for cell in each if cell.kind == "code"]
        sources += [(folder / name).read_text(errors="replace") for name in places if name.endswith(".py")]
        needed = requirements.collect(kernel, list_foreign(sources, places.values()), folder)
        jobs = list(_list_jobs(folder, cells))
        told = _complete(told, cells, jobs)
        page_notes = _write_pages(folder, list(cells))
        _write_lists(folder, cells, needed, told, jobs)
        _write(folder, target)
        noted = (*missing, *notes, *list_unpacked(places, cells), *list_unlike(cells), *needed.notes, *page_notes)
        images = sum(len(one.files) for one in jobs)
        return Packed(target, len(cells), images, len(list_files(folder)), target.stat().st_size, noted)


def _export(places: Mapping[str, Path], folder: Path) -> list[str]:
    """Put the images of the notebooks beside them, and return what is missing, a line each."""
    missing: list[str] = []
    for name, path in places.items():
        found = Discovery()
        if path.suffix == pages.NOTEBOOK:
            read_notebook(path, found)
        if found.subjects:
            missing += export(path, into=(folder / name).parent / BESIDE).missing
    return missing


def _list_texts(folder: Path, cells: Mapping[str, list[Cell]]) -> Iterator[tuple[str, str]]:
    """Yield the places in which a secret may be, each with all strings that are there."""
    for name, each in cells.items():
        notebook = parse_json((folder / name).read_bytes())
        yield f"{name}, its metadata", "\n".join(list_strings(notebook.get("metadata")))
        for cell, told in zip(each, notebook["cells"], strict=True):
            yield f"{name}, {cell.name}, its source", cell.source
            yield f"{name}, {cell.name}, its output", "\n".join(list_strings(list(cell.outputs)))
            others = [told.get("metadata"), told.get("attachments")]
            yield f"{name}, {cell.name}, its metadata", "\n".join(list_strings(others))
    for name in list_files(folder):
        if name not in cells:
            data = (folder / name).read_bytes()
            is_image = Path(name).suffix.lower() in SUFFIXES
            yield name, "\n".join(list_image_strings(data)) if is_image else data.decode(errors="replace")


def _find_kernel(folder: Path, notebooks: list[str]) -> tuple[str, list[str]]:
    """Return the kernel that the notebooks name, and a note if they do not agree."""
    named: dict[str, str] = {}
    for name in notebooks:
        spec = (parse_json((folder / name).read_bytes()).get("metadata") or {}).get("kernelspec") or {}
        named.setdefault(join_text(spec.get("name")), name)
    first = next(iter(named))
    others = [f"{name} names another kernel than {named[first]}, whose packages are listed" for name in named.values()]
    return first, others[1:]


def _list_jobs(folder: Path, cells: Mapping[str, Any]) -> Iterator[Stored]:
    for beside in sorted({(folder / name).parent / BESIDE for name in cells}):
        yield from sorted(Store(None, beside), key=lambda stored: stored.path)


def _complete(told: Description, cells: Mapping[str, list[Cell]], jobs: list[Stored]) -> Description:
    """Return the description with a title and a date. Raises InvalidRequest if no image says when it was made."""
    headings = (re.search(r"^#+ +(.+)", one.source, re.MULTILINE) for one in next(iter(cells.values())))
    title = told.title or next((match[1].strip() for match in headings if match), Path(next(iter(cells))).stem)
    days = [one.record.circumstances.started[:10] for one in jobs if one.record.circumstances.started != UNKNOWN]
    date = told.date or max(days, default="")
    if not date:
        why = "no image says when it was made" if jobs else "there is no image from flux_magic, unless it was not saved"
        raise InvalidRequest(f"{why}, and a capsule needs a date: give --date YYYY-MM-DD")
    return replace(told, title=title, date=date)


def _write_pages(folder: Path, notebooks: list[str]) -> list[str]:
    """Write each notebook as a page, and return the notes on them."""
    targets = {folder / name: (folder / PAGES / name).with_suffix(".html") for name in notebooks}
    notes = []
    for path, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        made = pages.render(pages.read_notebook(path), path, target, place=lambda one: targets.get(one, one))
        target.write_text(made.html, encoding="utf-8")
        notes += [f"{target.relative_to(folder).as_posix()}: {note}" for note in made.notes]
    return notes


def _write_lists(
    folder: Path, cells: Mapping[str, list[Cell]], needed: Requirements, told: Description, jobs: list[Stored]
) -> None:
    notebooks = list(cells)
    sums = {name: [cell.compute_sums() for cell in each] for name, each in cells.items()}
    made = Manifest(told.title, needed.python, needed.source, sums)
    files = {
        manifest.REQUIREMENTS: "".join(f"{line}\n" for line in needed.lines).encode(),
        "runtime.txt": f"python-{'.'.join(needed.python.split('.')[:2])}\n".encode(),
        manifest.MANIFEST: made.as_bytes(),
        "README.md": write_readme(told, notebooks, needed).encode(),
    }
    for name, data in files.items():
        if (folder / name).exists():
            raise InvalidRequest(f"a capsule has a {name} of its own: rename yours")
        (folder / name).write_bytes(data)
    (folder / crate.METADATA).write_bytes(crate.describe(folder, list_files(folder), jobs, told, notebooks))
    manifest.write_sums(folder)


def _write(folder: Path, target: Path) -> None:
    """Write the zip file beside its place, and then put it there."""
    part = target.with_name(f".{target.name}.part")
    try:
        write_archive(folder, part)
        part.replace(target)
    except OSError as error:
        if isinstance(error, FluxError):
            raise
        raise SaveError(f"cannot write {target.as_posix()}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
