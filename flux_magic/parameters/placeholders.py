"""Names in a prompt: `{name}` is the value of that name, `{{name}}` a literal `{name}`.

In words beside an image a name may have a format of Python's, as in `{seed:03d}`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

from ..errors import InvalidRequest
from .grammar import _NAMES, NAME
from .own_values import parse_own_value
from .table import format_value

FORMAT: Final = r"(?:[^\s{}]?[<>=^])?[+-]?#?[0-9]{0,3}[,_]?(?:\.[0-9]{1,2})?[a-zA-Z%]?"
"""The pattern of a format: a fill, an alignment, a sign, a width, commas, a precision and a type."""

_WORDS: Final = re.compile(
    rf"\{{\{{([^\W\d]\w*(?::{FORMAT})?)\}}\}}|\{{([^\W\d]\w*)(?::({FORMAT}))?\}}",
)


def expand(text: str, names: Mapping[str, object]) -> tuple[str, list[str]]:
    """Put the values of `names` into a prompt; returns the text to send and the names that were not there."""
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        literal, name = match[1], match[2]
        if literal is not None:
            return f"{{{literal}}}"
        if name in names:
            return str(names[name])
        missing.append(name)
        return match[0]

    return _NAMES.sub(value, text), list(dict.fromkeys(missing))


def escape(text: str) -> str:
    """Return the prompt that `expand` turns into `text`, whatever names exist."""
    return re.sub(NAME, r"{{\1}}", text)


def fill_words(text: str, names: Mapping[str, object]) -> str:
    """Return a caption with values in place of its names; one that does not take its format is as it is without."""

    def value(match: re.Match[str]) -> str:
        literal, name, form = match.groups()
        if literal is not None:
            return f"{{{literal}}}"
        if name not in names:
            return match[0]
        with suppress(InvalidRequest):
            return format_as(names[name], form) if form else str(names[name])
        return str(names[name])

    return _WORDS.sub(value, text)


def fill_some_words(text: str, names: Mapping[str, object], kept: Collection[str]) -> tuple[str, list[str]]:
    """Put in the values of `names`, but for those that are `kept` for `fill_words`; return the missing ones as well.

    Raises InvalidRequest for a value that does not take its format.
    """
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        literal, name, form = match.groups()
        if literal is not None or name in kept:
            return match[0]
        if name in names:
            return escape_words(format_as(names[name], form) if form else str(names[name]))
        missing.append(name)
        return escape_words(match[0])

    return _WORDS.sub(value, text), list(dict.fromkeys(missing))


def escape_words(text: str) -> str:
    """Return the caption that `fill_words` turns into `text`, whatever names exist."""
    return re.sub(rf"\{{([^\W\d]\w*(?::{FORMAT})?)\}}", r"{{\1}}", text)


def format_as(value: object, form: str) -> str:
    """Return a value by a format of Python's, as in `03d` or `.2f`; without one as it is shown.

    A number that was kept as a string is a number to a format that has the type of one.
    Raises InvalidRequest if the value does not take it.
    """
    if not form:
        return format_value(value)
    of_number = re.search(r"[bcdeEfFgGnoxX%,_]$|^[+-]?0\d|^[+-]\d", form)
    value = parse_own_value(value) if of_number and isinstance(value, str) else value
    if re.fullmatch(FORMAT, form) and not (of_number and isinstance(value, str)):
        with suppress(ValueError, TypeError, OverflowError):
            return format(value, form)
    raise InvalidRequest(
        f"{format_value(value)[:60]!r} does not take the format {form[:40]!r}: write, say, {{seed:03d}}"
    )
