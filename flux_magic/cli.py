"""The `flux-magic` command."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import runpy
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .capsules.command import add_arguments as add_capsule_arguments
from .errors import FluxError, InvalidRequest, LocalSpaceError
from .pages.command import add_arguments as add_page_arguments
from .parameters import grammar
from .parameters.arguments import add_options, read_options
from .providers import local
from .results.notes import accept_any_text, escape_for, print_answer, print_error

if TYPE_CHECKING:
    from .results.recall import Recalled


_MODULES: Final = {
    "batch": ".client.batch_command",
    "key": ".verify.sign_command",
    "pack": ".capsules.command",
    "page": ".pages.command",
    "reproduce": ".capsules.command",
    "sign": ".verify.sign_command",
    "verify": ".verify.command",
}
"""The commands whose module has a `main`, which takes the parsed arguments and returns the exit code."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    accept_any_text()
    try:
        return _run(arguments)
    except BrokenPipeError:  # the reader of --help has closed the pipe; argparse of Python 3.10 and 3.11 raises then
        return 0
    finally:
        print_answer("", end="")  # flush here, where a closed pipe is not an error


def _run(arguments: Sequence[str] | None) -> int:
    options = _build_parser().parse_args(arguments)
    runs: dict[str | None, Callable[[], int]] = {
        "space": lambda: _run_space(options.host, options.port),
        "doctor": lambda: _run_doctor(
            space=options.space or options.named, model=options.model, provider=options.provider
        ),
        "info": lambda: _run_info(options.image, as_json=options.json),
        "export": lambda: _run_export(options.notebook, sign=options.sign),
        "history": lambda: _run_history(options),
        None: _show_help,
    }
    if module := _MODULES.get(options.command):
        return int(importlib.import_module(module, __package__).main(options))
    return runs[options.command]()


def _show_help() -> int:
    _build_parser().print_help()
    return 2


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flux-magic", description="Images from a prompt, in a notebook.")
    parser.add_argument("--version", action="version", version=f"flux-magic {version('flux-magic')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    space = commands.add_parser("space", help="run the local Space, a stand-in that draws without a model")
    space.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    space.add_argument("--port", default="7860", help="the port, 0 for any free one (default %(default)s)")
    doctor = commands.add_parser("doctor", help="show versions, and check a Space")
    doctor.add_argument(
        "space", nargs="?", help="a Hugging Face id or page, an app's URL, or local (default: the model's own)"
    )
    doctor.add_argument("--space", dest="named", metavar="SPACE", help="the same, as an option, as in the magics")
    doctor.add_argument("--model", help="the model whose endpoint is checked (default: flux)")
    doctor.add_argument("--provider", help="the engine that is checked, as in inference (default: the Space)")
    info = commands.add_parser("info", help="show what made an image, and the cell that makes it again")
    info.add_argument("image", help="a file or an http(s) URL: from flux_magic, A1111's web UI, ComfyUI or other tools")
    info.add_argument("--json", action="store_true", help="as JSON")
    export = commands.add_parser(
        "export",
        help="put a notebook's images and records into flux_images/ beside it, so that it runs without a Space",
    )
    export.add_argument("notebook", nargs="+", help="a saved notebook")
    export.add_argument("--sign", action="store_true", help="sign the images with your own key (C2PA)")
    _add_batch_arguments(commands.add_parser("batch", help="make an image for each row of a file of prompts"))
    history = commands.add_parser("history", help="list the images of the store, the newest first, or clean it")
    history.add_argument("words", nargs="*", help="only images whose prompt has all these words")
    add_options(history, grammar.HISTORY_OPTIONS)
    page = commands.add_parser("page", help="write a notebook as one HTML file, or as a PDF")
    add_page_arguments(page)
    verify = commands.add_parser(
        "verify", help="regenerate images from their records, and check that they are the same"
    )
    _add_verify_arguments(verify)
    add_capsule_arguments(commands)
    _add_signing_commands(commands)
    return parser


def _add_signing_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sign = commands.add_parser("sign", help="sign images with your own key (content credentials, C2PA)")
    sign.add_argument("file", nargs="+", type=Path, help="an image: a PNG, JPEG or WebP with its record")
    sign.add_argument("-o", "--out", metavar="PATH", help="a file, or a folder, which is made (default: in place)")
    sign.add_argument("--as", dest="author", default="", metavar="NAME", help="the creator's name (default: none)")
    sign.add_argument("--any", action="store_true", help="sign other images too, without a word of how they were made")
    key = commands.add_parser("key", help="make a key to sign with, or show and export its certificate")
    key.add_argument("--name", default="", help="the name that the certificate shows (default: none, a number)")
    key.add_argument("--new", action="store_true", help="make another key, and keep the old one beside it")
    key.add_argument("--export", type=Path, metavar="FILE", help="write the public certificate, for a colleague")
    key.add_argument(
        "--trust",
        type=Path,
        nargs="?",
        const=Path(),
        metavar="FILE",
        help="trust a colleague's certificate, or show the folder",
    )


def _add_batch_arguments(parser: argparse.ArgumentParser) -> None:
    from .client.batch_command import add_arguments

    add_arguments(parser)


def _add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    from .verify import add_arguments

    add_arguments(parser)


def _run_info(image: str, *, as_json: bool) -> int:
    from .client.client import recall

    try:
        found = recall(image)
    except FluxError as error:
        return _fail(error)
    if found.credentials and not found.credentials.trusted:
        from .results.signer import note_trust

        note_trust()
    print_answer(json.dumps(found.as_dict(), indent=1) if as_json else _describe_found(found))
    return 0


def _describe_found(found: Recalled) -> str:
    """Return all that is known; Python code replaces a cell that stdout's encoding would change."""
    text, cell = found.describe(), found.cell
    return text if escape_for(cell, sys.stdout) == cell else text.removesuffix(cell) + found.call


def _run_export(notebooks: Sequence[str], *, sign: bool) -> int:
    from .verify.export import export

    code = 0
    for notebook in notebooks:
        try:
            report = export(notebook, sign=sign)
        except FluxError as error:
            code = _fail(error)
        else:
            print_answer(str(report))
            code = code or (0 if report.whole else 1)
    return code


def _run_history(options: argparse.Namespace) -> int:
    from .results import history

    try:
        given, words = read_options(options, grammar.HISTORY_OPTIONS), " ".join(options.words)
        print_answer(str(history.answer(given, words, command="flux-magic history")))
    except FluxError as error:
        return 2 * _fail(error) if isinstance(error, InvalidRequest) else _fail(error)
    return 0


def _fail(error: FluxError) -> int:
    print_error(error)
    return 1


def _run_doctor(**options: str | None) -> int:
    from .client.doctor import examine
    from .parameters.settings import resolve

    report = asyncio.run(examine(resolve(**options)))
    print_answer(str(report))
    return 0 if report.healthy else 1


def _run_space(host: str, port: str) -> int:
    try:
        local.check_installed()
    except LocalSpaceError as error:
        return _fail(error)
    sys.argv = [str(local.APP), "--host", host, "--port", port]
    # The app runs as a script of its own and is not imported into this package.
    runpy.run_path(str(local.APP), run_name="__main__")
    return 0
