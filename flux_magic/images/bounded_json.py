"""JSON of others, read within bounds: in memory, in the length of a number, in nesting."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

MOST_VALUES: Final = 2_000_000
"""JSON of more values than this is not read: each of them takes up to 100 bytes of memory."""

_SEPARATORS: Final = ",[{"
_STRING: Final = re.compile(r'"[^"]*("|$)')


def parse_json(text: str | bytes, **options: Callable[[str], object] | bool) -> Any:
    """Return the value of a JSON string; `options` are those of `json.loads`.

    Raises ValueError, whose message says what is wrong, for whatever is no JSON or beyond the bounds.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass").removeprefix("\ufeff")
    check_count(text)
    try:
        return json.loads(text, **options)  # type: ignore[arg-type]  # as the caller gives them
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc


def check_count(text: str) -> None:
    """Raise ValueError if a JSON string has too many values."""
    if sum(map(text.count, _SEPARATORS)) > MOST_VALUES and _has_too_many(text):
        raise ValueError(f"it has over {MOST_VALUES:,} values")


def _has_too_many(text: str) -> bool:
    """Return True if the separators outside of strings are too many; those of a long table within a string are not."""
    outside = _STRING.sub("", text.replace("\\\\", "").replace('\\"', ""))
    return sum(map(outside.count, _SEPARATORS)) > MOST_VALUES
