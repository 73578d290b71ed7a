"""The conditions of a search, as a caller gives them and as they are compared."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, Final

from ..errors import InvalidArgument, InvalidRequest, show_value
from ..parameters.settings import split_size
from ..parameters.sizes import read_size
from .marks import check_tag, check_tags

NUMBERS: Final = ("seed", "width", "height", "steps")
"""Conditions that are an integer each."""

NAMED: Final = (*NUMBERS, "size", "model", "after", "before")
"""Conditions that may be among the words, as in `seed:42`."""

MOST_WORDS: Final = 500
MOST_CHARACTERS: Final = 20_000
"""Limits of a search, below those of SQLite."""

_NAMED: Final = re.compile(rf"(?<!\S)({'|'.join(NAMED)}):(\S+)", re.IGNORECASE)
_START: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST: Final = 9 * 10**15


@dataclass(frozen=True, slots=True)
class Query:
    """Conditions that all hold for an image; each may be left out.

    Attributes:
        words: parts of the prompt, in any case and order; accents do not count. `#fox` is a tag, `is:starred` a star;
            `seed:42`, `size:512x512` and the others of `NAMED` are conditions, over the fields.
        model: parts of the model's name, likewise.
        seed, steps: as they ran.
        width, height: pixels of the image.
        parameters: other parameters by name, as sent; of a string all words are parts.
        after, before: days (`2026-11-26`) or times in ISO 8601, in UTC; `before` itself is not included.
        starred: True for images with a star only.
        tags: images that have all of them.
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


def build_query(given: Mapping[str, Any]) -> Query:
    """Return the query of a call's or a line's options; None is not given, and another name is a parameter.

    Raises InvalidRequest if a size and a side are given.
    """
    options = {name: value for name, value in split_size(given).items() if value is not None}
    own = {one.name: options.pop(one.name) for one in fields(Query) if one.name in options}
    for name in ("after", "before"):
        if isinstance(own.get(name), date):
            own[name] = own[name].isoformat()
    if isinstance(own.get("tags"), str):
        own["tags"] = check_tags(own["tags"])
    if options:
        own["parameters"] = {**own.get("parameters", {}), **options}
    return Query(**own)


def describe_query(query: Query) -> str:
    """Return a query in words: `'fox', model 'flux'`."""
    parts = [repr(query.words)] if query.words else []
    parts += [f"model {query.model!r}"] if query.model else []
    values = {name: getattr(query, name) for name in NUMBERS} | dict(query.parameters)
    values |= {"after": query.after, "before": query.before}
    parts += [f"{name} {value}" for name, value in values.items() if value is not None and value != ""]
    parts += ["a star"] * query.starred + [f"#{tag.removeprefix('#')}" for tag in query.tags]
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query as it is compared with what the index has.

    Attributes:
        words: parts of the prompt, folded.
        model: parts of the model's name, folded.
        numbers: values by the names of `NUMBERS`.
        parameters: pairs of a name and a value, as `fold_value` gives it.
        after, before: microseconds since 1970; None for no bound.
        starred: True for images with a star only.
        tags: images that have all of them.
    """

    words: tuple[str, ...]
    model: tuple[str, ...]
    numbers: Mapping[str, int]
    parameters: tuple[tuple[str, str], ...]
    after: int | None
    before: int | None
    starred: bool
    tags: tuple[str, ...]


def read_query(query: Query) -> Wanted:
    """Return a query as it is compared, with tags and stars taken out of its words.

    Raises InvalidRequest for a tag, a time or a number that cannot be, and InvalidArgument for a value of another type.
    """
    if not isinstance(query, Query):
        raise InvalidArgument(f'the query is {show_value(query)}: give one such as Query(words="fox")')
    for name in ("words", "model", "after", "before"):
        if not isinstance(value := getattr(query, name), str):
            raise InvalidArgument(f"{name} is {show_value(value)}: give a string")
    if query.starred not in (True, False):
        raise InvalidArgument(f"starred is {show_value(query.starred)}: give True or False")
    if not isinstance(query.parameters, Mapping):
        raise InvalidArgument(f"parameters is {show_value(query.parameters)}: give values by name")
    _check_length([query.words, query.model, *map(str, query.parameters.values())])
    query = _read_named(query)
    typed = query.words.split()
    tags = [word for word in typed if word.startswith("#") and _is_tag(word)]
    stars = [word for word in typed if word.lower() == "is:starred"]
    for word in (*typed, *query.model.split()):
        if not fold(word).strip():  # it would be part of all
            raise InvalidRequest(f"the search has {show_value(word)}, which no prompt can have: leave it out")
    return Wanted(
        words=tuple(dict.fromkeys(fold(" ".join(word for word in typed if word not in {*tags, *stars})).split())),
        model=tuple(fold(query.model).split()),
        numbers=dict(_read_numbers(query)),
        parameters=tuple((str(name), fold_value(value)) for name, value in query.parameters.items()),
        after=read_time("after", query.after) if query.after.strip() else None,
        before=read_time("before", query.before) if query.before.strip() else None,
        starred=bool(query.starred or stars),
        tags=tuple(dict.fromkeys([*check_tags(query.tags), *map(check_tag, tags)])),
    )


def _read_named(query: Query) -> Query:
    """Return a query with the conditions among its words in their fields. Raises InvalidRequest for a value."""
    found: dict[str, Any] = {match[1].lower(): match[2] for match in _NAMED.finditer(query.words)}
    for name in NUMBERS:
        if re.fullmatch(r"[0-9]{1,19}", found.get(name, "")):
            found[name] = int(found[name])
    if "size" in found:
        found["width"], found["height"] = read_size(found.pop("size"))
    return replace(query, words=_NAMED.sub("", query.words), **found) if found else query


def _check_length(texts: Sequence[str]) -> None:
    words, characters = {word for text in texts for word in text.split()}, sum(map(len, texts))
    if len(words) > MOST_WORDS or characters > MOST_CHARACTERS:
        raise InvalidRequest(
            f"the search has {len(words):,} words and {characters:,} characters: "
            f"give at most {MOST_WORDS} and {MOST_CHARACTERS:,}, such as the prompt's rarest words"
        )


def _is_tag(word: str) -> bool:
    try:
        check_tag(word)
    except InvalidRequest:
        return False
    return True


def _read_numbers(query: Query) -> Iterator[tuple[str, int]]:
    for name in NUMBERS:
        value = getattr(query, name)
        if value is None:
            continue
        try:
            number = -1 if isinstance(value, bool) else operator.index(value)
        except TypeError:
            number = -1
        if not 0 <= number < 2**63:
            raise InvalidRequest(f"{name} is {show_value(value)}: give a whole number")
        yield name, number


def read_time(name: str, typed: str) -> int:
    """Return a day or a time, in UTC unless it says otherwise, in microseconds since 1970. Raises InvalidRequest."""
    try:
        return count_microseconds(typed.strip())
    except ValueError:
        raise InvalidRequest(
            f"{name} is {show_value(typed)}: give a day such as 2026-11-26, or a time such as 2026-11-26T08:30"
        ) from None


def count_microseconds(iso: str) -> int:
    """Return a time in ISO 8601 in microseconds since 1970, at least 0. Raises ValueError."""
    found = datetime.fromisoformat(iso[:-1] + "+00:00" if iso[-1:] in {"Z", "z"} else iso)
    found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
    return min(max((found - _START) // timedelta(microseconds=1), 0), _MOST)


def fold(text: str) -> str:
    """Return a text as it is compared: without case and accents, in compatible characters."""
    if text.isascii():
        return text.lower().replace("\0", " ")
    apart = unicodedata.normalize("NFKD", text.encode("utf-8", "replace").decode().casefold())
    bare = "".join(one for one in apart if not "\u0300" <= one <= "\u036f")
    return unicodedata.normalize("NFKC", bare).replace("\0", " ")


def fold_value(value: object) -> str:
    """Return a parameter's value as it is compared: 3, 3.0 and "3" are the same."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return fold(text)
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)
