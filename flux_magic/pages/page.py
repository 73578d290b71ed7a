"""A notebook as one page: read, made into HTML by nbconvert and our template, its links led to where they lead."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from ..errors import InvalidRequest, MissingExtra
from ..images.bounded_json import parse_json
from ..records.files import read_file
from ..types import fit_one_line

TEMPLATES: Final = Path(__file__).parents[1] / "jupyter" / "share" / "nbconvert" / "templates"
"""The folder of our template, which nbconvert finds here in any install."""

NOTEBOOK: Final = ".ipynb"


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and what is to be said about it.

    Attributes:
        html: the whole file.
        images: how many images it shows.
        notes: what could not go into it, and links that lead nowhere, a line each.
    """

    html: str
    images: int
    notes: tuple[str, ...]


def check_installed() -> None:
    """Raise MissingExtra if nbconvert is not installed."""
    try:
        import nbconvert  # noqa: F401
    except ImportError as error:
        raise MissingExtra('a page needs nbconvert: pip install "flux-magic[page]"') from error


def read_notebook(path: Path) -> Any:
    """Return a notebook, in the present format if it is an older one; raises InvalidRequest."""
    import nbformat

    shown = path.as_posix()
    if path.is_dir():
        raise InvalidRequest(f"{shown} is a folder: name its notebooks, for example {shown.rstrip('/')}/*{NOTEBOOK}")
    try:
        data = read_file(path)
        content = parse_json(data)
    except OSError as error:
        raise InvalidRequest(f"{shown} cannot be read: {error.strerror}") from error
    except ValueError as error:
        why = str(error) if str(error).startswith("it ") else "it is not JSON"
        raise InvalidRequest(f"{shown} is not a notebook: {why}") from error
    if not isinstance(content, dict) or not {"cells", "worksheets"} & content.keys():
        raise InvalidRequest(f"{shown} is not a notebook: it has no cells")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells without an id are those of older notebooks
            notebook = nbformat.reads(data.decode(), as_version=4)
            nbformat.validate(notebook)
    except Exception as error:  # each version of nbformat has errors of its own
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidRequest(f"{shown} is not a whole notebook: {fit_one_line(why)}") from error
    return notebook


def render(
    notebook: Any, path: Path, target: Path, *, unfold: bool = False, place: Callable[[Path], Path] = Path
) -> Page:
    """Return the page of a notebook.

    Args:
        notebook: as `read_notebook` returns it.
        path: its file, beside which are the images and files that it names.
        target: the file that the page will be written to.
        unfold: True shows code and records, which are otherwise folded.
        place: returns the file that a link to a file shall lead to, such as the page of a notebook.
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    from .markup import Surroundings, map_links, parse

    folder = path.parent.resolve()
    here = Path.cwd()
    exporter = HTMLExporter(
        template_name="flux_magic",
        extra_template_basedirs=[str(TEMPLATES)],
        config=Config({"FluxMagicPage": {"unfold": unfold}}),
    )
    resources: Any = {
        "metadata": {"path": str(folder), "name": path.stem},
        "surroundings": Surroundings(folder, here if folder.is_relative_to(here) else folder),
    }
    html, resources = exporter.from_notebook_node(notebook, resources)
    tree, notes = parse(html), resources["surroundings"].notes  # nbconvert makes a copy of them
    ids = {str(element["id"]) for element in tree.find_all(id=True)}

    def lead(address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            return address
        found = Path(os.path.normpath(folder / unquote(parts.path))) if parts.path else None
        if found is None:
            if parts.fragment and unquote(parts.fragment) not in ids:
                notes.append(f"the link to {address} leads nowhere: the page has no such heading")
            return address
        goal = place(found)
        if goal == found and not found.exists():
            notes.append(f"the link to {address} leads nowhere: there is no such file")
            return address
        try:
            there = quote(Path(os.path.relpath(goal, target.parent.resolve())).as_posix())
        except ValueError:  # it is on another drive
            return goal.as_uri()
        return parts._replace(path=there).geturl()

    map_links(tree, lead)
    return Page(str(tree), len(tree.find_all("img")), tuple(dict.fromkeys(notes)))
