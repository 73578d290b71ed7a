"""`flux-magic verify`: its options, what it prints and writes, and its exit code."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import FluxError, InvalidRequest, SaveError
from ..parameters.addresses import Space
from ..records.files import write_whole
from ..results.notes import answer
from ..types import one_line

if TYPE_CHECKING:
    from .report import Report

WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130
"""What a shell gives a program that Ctrl-C has ended."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments: `main` takes what the parser makes of them."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a notebook, an image, or a folder of both")
    parser.add_argument("--static", action="store_true", help="compare with the records alone: no Space is asked")
    parser.add_argument("--space", metavar="SPACE", help="ask this Space for all of them: an id, a URL, or local")
    parser.add_argument(
        "--concurrency",
        type=int,
        default=2,
        metavar="N",
        help="how many at once, 1 to 16 (default %(default)s)",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the pairs side by side, as a page")
    parser.add_argument("--json", metavar="FILE", help="write the results as JSON; - prints them in place of the table")


def main(options: argparse.Namespace) -> int:
    """Check, print a table, write what was asked for.

    Returns 0 where every picture passes, 1 where one does not or cannot be checked, there is none, or a file cannot be
    read or written; 2 for wrong usage; 130 for Ctrl-C.
    """
    try:
        refuse(options)
        report = _checked(options)
    except InvalidRequest as error:
        return _failed(error.message, WRONG_USAGE)
    except FluxError as error:
        return _failed(error.message, 1)
    except KeyboardInterrupt:
        return _failed("stopped", INTERRUPTED)
    return _told(report, options)


def refuse(options: argparse.Namespace) -> None:
    """Raises InvalidRequest for options that cannot work: that is known before anything is asked."""
    if options.static and options.space:
        raise InvalidRequest("--static asks no Space: leave out --space, or --static")
    if options.space:
        Space.parse(options.space)
    for path in _files(options):
        if path.is_dir() or not path.parent.is_dir():
            raise InvalidRequest(f"cannot write {path}: give a file in a folder that is there")
    for path, wanted in ((options.html, (".html", ".htm")), (options.json, (".json",))):
        # Who forgets the name would lose the notebook that is to be checked.
        if path and str(path) != "-" and Path(path).suffix.lower() not in wanted:
            raise InvalidRequest(f"cannot write {path}: give a name that ends in {wanted[0]}")


def _files(options: argparse.Namespace) -> list[Path]:
    names = (options.html, None if options.json == "-" else options.json)
    return [Path(name) for name in names if name]


def _checked(options: argparse.Namespace) -> Report:
    keep = options.html is not None
    if options.static:
        from .static import check_static

        return check_static(options.paths, keep=keep)
    from ..client.progress import counting
    from .live import check

    with counting("made anew") as told:
        return asyncio.run(
            check(options.paths, space=options.space, concurrency=options.concurrency, told=told, keep=keep)
        )


def _told(report: Report, options: argparse.Namespace) -> int:
    """Write the files before the table: a pipe that breaks loses none of them, and changes no exit code."""
    code = report.exit_code
    try:
        write_files(report, options)
    except SaveError as error:
        code = _failed(error.message, 1)
    answer(report.as_json() if options.json == "-" else f"{report}\n", end="")
    return code


def write_files(report: Report, options: argparse.Namespace) -> None:
    """Write the page and the JSON that the options ask for; raises SaveError."""
    try:
        if options.html:
            from .report import report_html

            write_whole(options.html, report_html(report).encode())
        if options.json and options.json != "-":
            write_whole(Path(options.json), report.as_json().encode())
    except OSError as error:
        raise SaveError(f"cannot write what was found: {error.strerror or error}") from error


def _failed(message: str, code: int) -> int:
    print(f"flux-magic: {one_line(message)}", file=sys.stderr)
    return code
