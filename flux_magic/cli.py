"""The `flux-magic` command."""

from __future__ import annotations

import argparse
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
    _parser().print_help()
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flux-magic", description="Images from a prompt, in a notebook.")
    parser.add_argument("--version", action="version", version=f"flux-magic {version('flux-magic')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    space = commands.add_parser("space", help="run the local Space, a stand-in that draws without a model")
    space.add_argument("--host", default="127.0.0.1", help="the address to listen on (default %(default)s)")
    space.add_argument("--port", default="7860", help="the port, 0 for any free one (default %(default)s)")
    return parser


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
