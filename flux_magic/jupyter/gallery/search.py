"""The gallery's search field: words of the prompt, and `seed:42` or `model:dev` for what a record has beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from ...records.query import ALL, Query, describe_query

_NAMED: Final = re.compile(r"(?<!\S)(model|seed|steps|size|after|before):(\S+)", re.IGNORECASE)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")

EXAMPLES: Final = "words of the prompt, #tag, seed:42, model:dev, size:512x512, after:2026-01-31"
"""Words that the field understands."""


def split_query(query: Query) -> tuple[str, Query]:
    """Return what of a query is typed into the field, and the rest without a star, which has a button of its own."""
    typed = " ".join(filter(None, [query.words, *(f"#{tag}" for tag in query.tags)]))
    return typed, replace(query, words="", tags=(), starred=False)


def read_field(typed: str, around: Query = ALL) -> Query:
    """Return the query that is typed, with the conditions around it; what is not understood is a word of the prompt.

    Example::

        >>> read_field("fox seed:42").seed
        42
    """
    conditions: dict[str, Any] = {}

    def take(match: re.Match[str]) -> str:
        found = _read_condition(match[1].lower(), match[2])
        conditions.update(found)
        return "" if found else match[0]

    words = _NAMED.sub(take, typed)
    return replace(around, words=" ".join(words.split()), **conditions)


def _read_condition(name: str, value: str) -> dict[str, Any]:
    """Return the fields of a query that a condition sets; none if its value is of another kind."""
    if name == "size":
        size = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", value.lower())
        return {"width": int(size[1]), "height": int(size[2])} if size else {}
    if name in {"seed", "steps"}:
        return {name: int(value)} if re.fullmatch(r"\d{1,19}", value) else {}
    if name in {"after", "before"}:
        return {name: value} if _DATE.fullmatch(value) else {}
    return {name: value}


def describe_found(number: int, query: Query) -> str:
    """Return how many images there are, in words; if there are none, what to do."""
    if number:
        return f"{number:,} image{'' if number == 1 else 's'}"
    if query == ALL:
        return "No images in the store yet: make one with %%flux"
    if query == replace(ALL, starred=True):
        return "No image is starred: open one and press Star"
    return f"No image with {describe_query(query)}: leave something out, or search for {EXAMPLES}"


def list_examples(tags: Sequence[str]) -> list[str]:
    """Return what the field offers as it is typed into."""
    return ["is:starred", *(f"#{tag}" for tag in tags)]
