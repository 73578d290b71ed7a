"""An index of the records in a store's folders, by which they are searched and listed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from ..errors import InvalidRequest
from ..types import UNKNOWN, Record
from .marks import Marks, check_tag, check_tags


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that all hold for an image; each may be left out.

    Attributes:
        words: parts of the prompt, in any case and order; accents do not count. `#fox` is a tag, `is:starred` a star.
        model: parts of the model's name, likewise.
        seed, steps: as they ran.
        width, height: pixels of the image.
        parameters: other parameters by name, as sent; several words are parts of a string.
        after, before: days (`2026-11-26`) or longer times in ISO 8601, in UTC; `before` itself is not included.
        starred: only images with a star.
        tags: only images with all these tags.
    """

    words: str = ""
    model: str = ""
    seed: int | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    after: str = ""
    before: str = ""
    starred: bool = False
    tags: tuple[str, ...] = ()


ALL: Final = Query()


def fold(text: str) -> str:
    """Return a text as it is compared: without case, without accents, in compatible characters."""
    text = text.replace("\0", " ").encode("utf-8", "replace").decode()
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", "".join(one for one in apart if not "\u0300" <= one <= "\u036f"))


def normalize(query: Query) -> Query:
    """Return a query with tags and stars out of its words, and all of it folded; raises InvalidRequest."""
    words, tags, starred = [], [*check_tags(query.tags)], query.starred
    for word in query.words.split():
        if word.lower() == "is:starred":
            starred = True
        elif word.startswith("#") and _is_tag(word):
            tags.append(check_tag(word))
        else:
            words.append(fold(word))
    return replace(
        query, words=" ".join(words), model=fold(query.model), starred=starred, tags=tuple(dict.fromkeys(tags))
    )


def _is_tag(word: str) -> bool:
    try:
        check_tag(word)
    except InvalidRequest:
        return False
    return True


def is_match(query: Query, record: Record, marks: Marks) -> bool:
    """Return True if all conditions of a normalized query hold for a record and its marks."""
    prompt, model = fold(record.prompt), fold(f"{record.model} {record.requested_model}")
    started = "" if record.circumstances.started == UNKNOWN else record.circumstances.started
    size = record.files[0]
    ran = {"seed": record.seed, "steps": record.steps, "width": size.width, "height": size.height}
    return (
        all(word in prompt for word in query.words.split())
        and all(word in model for word in query.model.split())
        and all(getattr(query, name) in {None, value} for name, value in ran.items())
        and all(record.parameters.get(name) == value for name, value in query.parameters.items())
        and (not query.after or started >= query.after)
        and (not query.before or "" < started < query.before)
        and (marks.starred or not query.starred)
        and {*query.tags} <= {*marks.tags}
    )
