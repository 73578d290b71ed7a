"""The command `flux-magic page`: its options, what it writes and prints, and its exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import FluxError, InvalidRequest, SaveError
from ..records.files import write_whole
from ..results.notes import print_answer, print_error
from ..types import fit_one_line
from . import page as pages

if TYPE_CHECKING:
    from .page import Page

DESCRIPTION: Final = """\
Write each notebook as one HTML file: images with their alternative texts and captions, code and records folded, light
and dark, ready to print. The file loads nothing from anywhere, and no script in it runs: a notebook's own scripts
(those of somebody else's notebook, but also of interactive charts) are left out."""
_PDF: Final = ".pdf"
_HTML: Final = (".html", ".htm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser; `main` takes what it parses."""
    parser.description = DESCRIPTION
    parser.add_argument("notebook", nargs="+", type=Path, help="a saved notebook")
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="an .html or .pdf file, or a folder (default: beside the notebook)"
    )
    parser.add_argument("--pdf", action="store_true", help="a PDF as well, by Chromium, Chrome or LaTeX")
    parser.add_argument("--unfold", action="store_true", help="show code and records instead of folding them")


def main(options: argparse.Namespace) -> int:
    """Write the pages, and print their names. Returns 0 if all were written, otherwise 1; 2 for wrong usage."""
    try:
        pages.check_installed()
        targets = choose_targets(options.notebook, options.output)
    except FluxError as error:
        return _fail(error) + isinstance(error, InvalidRequest)
    known = {notebook.resolve(): target.resolve() for notebook, target in targets}
    code = 0
    for notebook, target in targets:
        try:
            for line in _write(notebook, target, known, options):
                print_answer(line)
        except FluxError as error:
            code = _fail(error)
    return code


def choose_targets(notebooks: Sequence[Path], output: str | None) -> list[tuple[Path, Path]]:
    """Return each notebook with the file of its page; raises InvalidRequest for an output that cannot be."""
    given = Path(output) if output else None
    if given is not None and given.suffix.lower() in {*_HTML, _PDF} and not given.is_dir():
        if len(notebooks) > 1:
            raise InvalidRequest(f"{given.as_posix()} is one file for {len(notebooks)} notebooks: give a folder")
        if not given.parent.is_dir():
            raise InvalidRequest(f"cannot write {given.as_posix()}: there is no folder {given.parent.as_posix()}")
        return [(notebooks[0], given)]
    if given is not None and (given.suffix and not given.is_dir() and not str(output).endswith(("/", "\\"))):
        raise InvalidRequest(f"cannot write {given.as_posix()}: give a name that ends in .html or .pdf, or a folder")
    found = [(one, (given or one.parent) / f"{one.stem}{_HTML[0]}") for one in notebooks]
    if len({target for _, target in found}) < len(found):
        raise InvalidRequest("two of these notebooks have the same name: write them into different folders")
    return found


def _write(notebook: Path, target: Path, known: dict[Path, Path], options: argparse.Namespace) -> Iterator[str]:
    content = pages.read_notebook(notebook)
    page = pages.render(content, notebook, target, unfold=options.unfold, place=lambda one: known.get(one, one))
    _print_notes(notebook, page)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        alone = target.suffix.lower() == _PDF
        if not alone:
            write_whole(target, page.html.encode())
            yield target.as_posix()
        if alone or options.pdf:
            from .pdf import write_pdf

            write_pdf(page.html, made := target.with_suffix(_PDF), lambda: _set_by_latex(content, notebook))
            yield made.as_posix()
    except OSError as error:
        if isinstance(error, SaveError):
            raise
        raise SaveError(f"cannot write {target.as_posix()}: {error.strerror or error}") from error


def _set_by_latex(content: Any, notebook: Path) -> bytes:
    from nbconvert import PDFExporter

    resources = {"metadata": {"path": str(notebook.parent.resolve()), "name": notebook.stem}}
    try:
        made: bytes = PDFExporter().from_notebook_node(content, resources)[0]
    except Exception as error:  # LaTeX has many ways to fail
        raise SaveError(f"LaTeX makes no PDF: {fit_one_line(str(error))}") from error
    return made


def _print_notes(notebook: Path, page: Page) -> None:
    shown = notebook.as_posix()
    nothing = [] if page.images else ["it has no images: run it and save it, if it should have some"]
    for note in (*page.notes, *nothing):
        print(f"note: {shown}: {fit_one_line(note)}", file=sys.stderr)


def _fail(error: FluxError) -> int:
    print_error(fit_one_line(error.message))
    return 1
