"""The commands `flux-magic pack`, which makes a capsule, and `flux-magic reproduce`, which checks one."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import FluxError, InvalidRequest, MissingExtra, SaveError
from ..parameters.addresses import Space
from ..records.files import write_whole
from ..results.notes import print_answer, print_error
from ..types import fit_one_line

if TYPE_CHECKING:
    from .crate import Description
    from .report import Reproduction

WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130

_INSTALL: Final = 'a capsule needs more packages: pip install "flux-magic[pack]"'
_AUTHOR: Final = re.compile(r"(.+?)\s*(?:<(https?://\S+)>)?")
_MOST_LISTED: Final = 50

PACK: Final = """\
Pack notebooks with all that reproduces them into one zip file: images, records, inputs of edits, exact versions,
checksums, a page, and RO-Crate metadata. The same input gives the same bytes. Tokens, passwords and paths of your home
are looked for first; if one is found, nothing is written. The exit code is 1 then, and 2 for wrong usage."""
REPRODUCE: Final = """\
Check a capsule: its checksums, its signatures, and if its notebooks, run again from its own images, show what they
saved. No network is needed. The notebooks' code runs as you, without your tokens and settings: read it first, or use
--static. The exit code is 0 if all is as it was packed, 1 if not, and 2 for wrong usage."""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands."""
    pack = commands.add_parser("pack", help="pack notebooks with all that reproduces them", description=PACK)
    pack.add_argument("notebook", nargs="+", type=Path, help="a saved notebook, in the order of the paper")
    pack.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the zip file to write")
    pack.add_argument("--title", default="", help="the title (default: the first heading)")
    pack.add_argument(
        "--author", action="append", default=[], metavar="NAME", help='also "Ann Fox <https://orcid.org/…>"; repeatable'
    )
    pack.add_argument("--licence", "--license", default="", metavar="SPDX", help="such as CC-BY-4.0")
    pack.add_argument("--date", default="", metavar="YYYY-MM-DD", help="default: the day of the newest image")
    pack.add_argument("--add", action="append", default=[], type=Path, metavar="FILE", help="a file that cells read")
    pack.add_argument("--allow-paths", action="store_true", help="pack paths of a home too, which name a person")
    pack.add_argument("--allow-secrets", action="store_true", help="pack what looks like a token, but is none")
    pack.add_argument("--allow-missing", action="store_true", help="pack although the store lacks images")
    check = commands.add_parser("reproduce", help="check a capsule, and run it again", description=REPRODUCE)
    check.add_argument("capsule", type=Path, help="a zip file made by flux-magic pack")
    check.add_argument("--static", action="store_true", help="run nothing: compare sums, signatures and records")
    check.add_argument(
        "--env",
        nargs="?",
        const="auto",
        default="",
        choices=("auto", "uv", "pip"),
        help="run in an environment with the capsule's versions, made by uv (if it is there) or pip",
    )
    check.add_argument("--live", action="store_true", help="ask the models too, and grade what they give today")
    check.add_argument("--space", metavar="SPACE", help="with --live: ask this Space for all of them")
    check.add_argument("--provider", metavar="NAME", help="with --live: ask this engine for the images that it made")
    check.add_argument("--html", type=Path, metavar="FILE", help="write the report as a page")
    check.add_argument("--json", metavar="FILE", help="write the results as JSON; - prints them in place of the table")


def main(options: argparse.Namespace) -> int:
    """Run the command.

    Returns 0 if the capsule was packed, or passes; 1 if not, if a secret was found, or if a file cannot be read or
    written; 2 for wrong usage; 130 for Ctrl-C.
    """
    try:
        return _pack(options) if options.command == "pack" else _reproduce(options)
    except KeyboardInterrupt:
        print_error("stopped")
        return INTERRUPTED
    except FluxError as error:
        print_error(error)
        return WRONG_USAGE if type(error) is InvalidRequest else 1


def _pack(options: argparse.Namespace) -> int:
    target: Path = options.out
    if target.suffix.lower() != ".zip" or target.is_dir() or not target.parent.is_dir():
        raise InvalidRequest(f"cannot write {target.as_posix()}: give a name that ends in .zip, in an existing folder")
    check_installed()
    from .pack import SecretsFound, pack

    try:
        packed = pack(
            options.notebook,
            target,
            _read_description(options),
            add=options.add,
            allow_paths=options.allow_paths,
            allow_secrets=options.allow_secrets,
            allow_missing=options.allow_missing,
        )
    except SecretsFound as error:
        for one in error.found[:_MOST_LISTED]:
            print(fit_one_line(str(one)), file=sys.stderr)
        raise
    for note in packed.notes:
        print(f"note: {fit_one_line(note)}", file=sys.stderr)
    print_answer(str(packed))
    return 0


def check_installed() -> None:
    """Raise MissingExtra if a package that packing needs is not installed."""
    from importlib.util import find_spec

    if missing := [name for name in ("rocrate", "nbconvert", "nbformat", "packaging") if find_spec(name) is None]:
        raise MissingExtra(f"{missing[0]} is not installed, and {_INSTALL}")


def _read_description(options: argparse.Namespace) -> Description:
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    from .crate import Description

    try:
        licence = str(canonicalize_license_expression(options.licence)) if options.licence else ""
    except InvalidLicenseExpression as error:
        raise InvalidRequest(f"{options.licence!r} is no SPDX licence: give one as in CC-BY-4.0 or MIT") from error
    if options.date and not _is_date(options.date):
        raise InvalidRequest(f"{options.date!r} is no date: give YYYY-MM-DD")
    people = [match for name in options.author if (match := _AUTHOR.fullmatch(name.strip()))]
    return Description(options.title, tuple((one[1], one[2] or "") for one in people), licence, options.date)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _reproduce(options: argparse.Namespace) -> int:
    _check_options(options)
    from .reproduce import Plan, reproduce

    plan = Plan(options.static, options.env, options.live, options.space, options.provider)
    found = reproduce(options.capsule, plan)
    code = found.exit_code
    try:
        _write_files(found, options)
    except SaveError as error:
        print_error(error)
        code = 1
    print_answer(found.format_json() if options.json == "-" else f"{found}\n", end="")
    return code


def _check_options(options: argparse.Namespace) -> None:
    if options.static and (options.live or options.env):
        raise InvalidRequest(f"--static runs nothing: leave out --{'live' if options.live else 'env'}, or --static")
    if (options.space or options.provider) and not options.live:
        raise InvalidRequest("only --live asks a model: add --live, or leave out --space and --provider")
    if options.space:
        Space.parse(options.space)
    for name, endings in ((options.html, (".html", ".htm")), (options.json, (".json",))):
        if name and str(name) != "-":
            path = Path(name)
            if path.suffix.lower() not in endings or path.is_dir() or not path.parent.is_dir():
                raise InvalidRequest(f"cannot write {path}: give a name that ends in {endings[0]}, in a folder")


def _write_files(found: Reproduction, options: argparse.Namespace) -> None:
    try:
        if options.html:
            write_whole(options.html, found.format_html().encode())
        if options.json and options.json != "-":
            write_whole(Path(options.json), found.format_json().encode())
    except OSError as error:
        raise SaveError(f"cannot write the results: {error.strerror or error}") from error
