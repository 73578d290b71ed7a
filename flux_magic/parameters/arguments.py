"""Options of the magics as arguments of a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ..errors import InvalidRequest
from .grammar import Option, Several
from .options import read_own


def add_options(parser: argparse.ArgumentParser, offered: Sequence[Option]) -> None:
    """Add options of the magics to a parser; `read_options` takes what it parses."""
    for option in offered:
        how: dict[str, Any] = {"dest": f"of_{option.name}", "help": option.help.replace("%", "%%")}
        if option.read is None:
            parser.add_argument(*option.flags, action="store_true", **how)
        else:
            action = "append" if option.is_repeated else "store"
            parser.add_argument(*option.flags, action=action, metavar=option.metavar, **how)


def read_options(parsed: argparse.Namespace, offered: Sequence[Option], more: str = "") -> dict[str, Any]:
    """Return the values of the options that were given, with the own parameters of a model as `parameters`.

    Raises InvalidRequest as the magics do, and for several values of one option; then it says what `more` there is.
    """
    given: dict[str, Any] = {}
    for option in offered:
        typed = getattr(parsed, f"of_{option.name}", None)
        if not typed:
            continue
        flag = option.flags[0]
        if option.read is None:
            given[option.name] = True
            continue
        values = [option.read(flag, one) for one in (typed if isinstance(typed, list) else [typed])]
        given[option.name] = values if option.is_repeated else values[0]
    return merge_own(given, more)


def merge_own(given: dict[str, Any], more: str = "") -> dict[str, Any]:
    """Return options with what `--set` gives as `parameters`. Raises InvalidRequest as `read_options`."""
    rest = {name: value for name, value in given.items() if name != "set"}
    own = read_own(given)
    several = [name for name, value in rest.items() if isinstance(value, Several)]
    several += [f"set {name}" for name, values in own.items() if len(values) > 1]
    if several:
        raise InvalidRequest(f"--{several[0].replace('_', '-')} has several values: give one here{more}")
    return {**rest, **({"parameters": {name: values[0] for name, values in own.items()}} if own else {})}
