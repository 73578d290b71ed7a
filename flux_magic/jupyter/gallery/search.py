"""The words of a gallery's search field: what is typed, what is found, and what can be typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ...records.query import ALL, NAMED, Query, describe_query

EXAMPLES: Final = (
    f"words of the prompt, #tag, is:starred, seed:42, size:512x512, or by {', '.join(f'{one}:' for one in NAMED)}"
)
"""Words that the field understands."""


def split_query(query: Query) -> tuple[str, Query]:
    """Return what of a query is typed into the field, and the rest without a star, which has a button of its own."""
    typed = " ".join(filter(None, [query.words, *(f"#{tag}" for tag in query.tags)]))
    return typed, replace(query, words="", tags=(), starred=False)


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
    return ["is:starred", *(f"{one}:" for one in NAMED), *(f"#{tag}" for tag in tags)]
