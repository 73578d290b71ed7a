"""Common behaviour of the magics: a user's mistake is one line, and a result is shown once, wherever the line runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core import error as ipython
from IPython.core.oinspect import getdoc
from IPython.display import display
from traitlets import TraitError

from ..errors import InvalidRequest
from .caller import Use, find_use, shows_result

T = TypeVar("T")


class UsageError(InvalidRequest, ipython.UsageError):
    """A user's mistake on a magic's line; IPython's own `UsageError` as well.

    IPython prints its own class only on stderr, so a program that runs notebooks finds no reason in the cell. A
    subclass is an error of the cell, and this one's traceback is one line.
    """


def show_result(magic: Callable[..., T]) -> Callable[..., T | None]:
    """Make a magic show its result if the user's code drops it, show its help, and raise UsageError for a mistake.

    An assigned result is not shown. Neither is that of a line that ends with `;`, which is removed. The display hook
    shows a cell's last expression, so that result has its place in `Out`.
    """

    @functools.wraps(magic)
    def run(self: object, line: str, cell: str | None = None) -> T | None:
        if line.split(maxsplit=1)[:1] in (["--help"], ["-h"]):
            print(f"{getdoc(getattr(self, magic.__name__))}\n\n%{magic.__name__}? shows this too.")
            return None
        typed = line.rstrip()
        is_silent = typed.endswith(";")
        arguments: tuple[Any, ...] = (typed[:-1].rstrip() if is_silent else line, *(() if cell is None else (cell,)))
        use = find_use()
        token = shows_result.set(not is_silent and use is not Use.TAKEN)
        try:
            result = magic(self, *arguments)
        except (InvalidRequest, TraitError) as error:
            raise UsageError(" ".join(str(error).split("\n"))) from error
        finally:
            shows_result.reset(token)
        if result is None:
            return None
        if is_silent:
            return None if use is Use.PRINTED else result
        if use is Use.DROPPED:
            display(result)
        return result

    return run
