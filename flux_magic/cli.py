"""The `flux-magic` command."""

from __future__ import annotations

import argparse
import asyncio
import runpy
import sys
from collections.abc import Sequence
from importlib.metadata import version

from . import local
from .errors import LocalSpaceError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "space":
        return _space(options.host, options.port)
    if options.command == "doctor":
        return _doctor(options.space)
    _parser().print_help()
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flux-magic", description="Images from a prompt, in a notebook.")
    parser.add_argument("--version", action="version", version=f"flux-magic {version('flux-magic')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    space = commands.add_parser("space", help="run the local Space, a stand-in that draws without a model")
    space.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    space.add_argument("--port", default="7860", help="the port, 0 for any free one (default %(default)s)")
    doctor = commands.add_parser("doctor", help="show versions, and how a Space is")
    doctor.add_argument("space", nargs="?", help="a Hugging Face id, a URL, or local (default: the model's own)")
    return parser


def _doctor(space: str | None) -> int:
    from .doctor import examine
    from .settings import resolve

    report = asyncio.run(examine(resolve(space=space)))
    print(report)
    return 0 if report.healthy else 1


def _space(host: str, port: str) -> int:
    try:
        local.check_installed()
    except LocalSpaceError as error:
        print(f"flux-magic: {error}", file=sys.stderr)
        return 1
    sys.argv = [str(local.APP), "--host", host, "--port", port]
    # The app runs alone, as a script: nothing of it becomes a part of this package.
    runpy.run_path(str(local.APP), run_name="__main__")
    return 0
