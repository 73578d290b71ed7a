"""Names in a prompt: `{name}` is the value of that name, `{{name}}` a literal `{name}`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from .grammar import _NAMES, NAME


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


def expand_some(text: str, names: Mapping[str, object], kept: Collection[str]) -> tuple[str, list[str]]:
    """Put in the values of `names`, except for those that are `kept` for a later `expand`; return as `expand` does."""
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        literal, name = match[1], match[2]
        if literal is not None or name in kept:
            return match[0]
        if name in names:
            return escape(str(names[name]))
        missing.append(name)
        return escape(match[0])

    return _NAMES.sub(value, text), list(dict.fromkeys(missing))


def escape(text: str) -> str:
    """Return the prompt that `expand` turns into `text`, whatever names exist."""
    return re.sub(NAME, r"{{\1}}", text)
