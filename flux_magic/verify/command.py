"""The command `flux-magic verify`: its options, what it prints and writes, and its exit code."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import FluxError, InvalidRequest, SaveError
from ..parameters.addresses import Space
from ..records.files import write_whole
from ..results.notes import print_answer, print_error
from ..results.signer import note_trust
from ..types import fit_one_line

if TYPE_CHECKING:
    from .report import Report

WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130
"""The exit code that a shell gives a program ended by Ctrl-C."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to a parser; `main` takes what it parses."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a notebook, an image, or a folder of both")
    parser.add_argument("--static", action="store_true", help="only compare with the records: no Space is contacted")
    parser.add_argument("--space", metavar="SPACE", help="regenerate all of them on this Space: an id, a URL, or local")
    parser.add_argument("--provider", metavar="NAME", help="ask this engine for the images that it made: inference")
    parser.add_argument(
        "--concurrency",
        type=int,
        default=2,
        metavar="N",
        help="how many at once, 1 to 16 (default %(default)s)",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with the pairs side by side")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON; - prints them in place of the table")


def main(options: argparse.Namespace) -> int:
    """Check the images, print a table, and write the requested files.

    Returns 0 if every image passes; 1 if an image fails or cannot be checked, if there are no images, or if a file
    cannot be read or written; 2 for wrong usage; 130 for Ctrl-C.
    """
    try:
        check_options(options)
        report = _check(options)
    except InvalidRequest as error:
        return _fail(error.message, WRONG_USAGE)
    except FluxError as error:
        return _fail(error.message, 1)
    except KeyboardInterrupt:
        return _fail("stopped", INTERRUPTED)
    return _report(report, options)


def check_options(options: argparse.Namespace) -> None:
    """Raise InvalidRequest for options that cannot work, before any Space is asked."""
    if options.static and options.space:
        raise InvalidRequest("--static asks no Space: leave out --space, or --static")
    if options.static and options.provider:
        raise InvalidRequest("--static asks no provider: leave out --provider, or --static")
    if options.space:
        Space.parse(options.space)
    for path in _list_files(options):
        if path.is_dir() or not path.parent.is_dir():
            raise InvalidRequest(f"cannot write {path}: give a file in an existing folder")
    for path, wanted in ((options.html, (".html", ".htm")), (options.json, (".json",))):
        # A user who forgets the name would otherwise overwrite the notebook to be checked.
        if path and str(path) != "-" and Path(path).suffix.lower() not in wanted:
            raise InvalidRequest(f"cannot write {path}: give a name that ends in {wanted[0]}")


def _list_files(options: argparse.Namespace) -> list[Path]:
    names = (options.html, None if options.json == "-" else options.json)
    return [Path(name) for name in names if name]


def _check(options: argparse.Namespace) -> Report:
    keep = options.html is not None
    if options.static:
        from .static import check_static

        return check_static(options.paths, keep=keep)
    from ..client.progress import show_count
    from .live import check

    with show_count("regenerated") as told:
        named = {"space": options.space, "provider": options.provider}
        return asyncio.run(check(options.paths, **named, concurrency=options.concurrency, told=told, keep=keep))


def _report(report: Report, options: argparse.Namespace) -> int:
    """Write the files before the table, so that a broken pipe loses no file and changes no exit code."""
    code = report.exit_code
    if any(one.credentials and not one.credentials.trusted for one in report.verdicts):
        note_trust()
    try:
        write_files(report, options)
    except SaveError as error:
        code = _fail(error.message, 1)
    print_answer(report.format_json() if options.json == "-" else f"{report}\n", end="")
    return code


def write_files(report: Report, options: argparse.Namespace) -> None:
    """Write the page and the JSON that the options ask for; raises SaveError."""
    try:
        if options.html:
            from .report import report_html

            write_whole(options.html, report_html(report).encode())
        if options.json and options.json != "-":
            write_whole(Path(options.json), report.format_json().encode())
    except OSError as error:
        raise SaveError(f"cannot write the results: {error.strerror or error}") from error


def _fail(message: str, code: int) -> int:
    print_error(fit_one_line(message))
    return code
