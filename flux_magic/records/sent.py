"""The values that went along with a request, in a form that a record can hold: JSON, short, and without secrets."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from ..errors import clean, replace_controls

_MOST: Final = 8192
"""The JSON of all values together has at most this many characters."""
_MOST_NAMES: Final = 100
_MOST_ITEMS: Final = 50
_LONGEST: Final = 500
_DEEPEST: Final = 4

_SECRET_NAME: Final = re.compile(
    r"token|secret|passw|credential|auth|cookie|session|bearer|api[_-]?key|(^|[_-])key$", re.IGNORECASE
)
_SECRET: Final = re.compile(
    r"\b(?:sk|pk|rk|ghp|gho|github_pat|glpat|xox[abps]|AIza|AKIA|r8|eyJ)[-\w.]{16,}|(?i:bearer) \S+"
)
_QUERY: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#]*)[?#]\S*", re.IGNORECASE)
_PATH: Final = re.compile(r"(/|\\\\|~[/\\]|[A-Za-z]:[/\\]|file:)\S")
_FILE: Final = {"path", "url", "data", "orig_name", "mime_type"}


def sanitize(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the values as a record holds them: what is secret, a file, or too long is named in brackets instead."""
    kept = {
        replace_controls(str(name)[:80]): _keep(str(name), value) for name, value in list(values.items())[:_MOST_NAMES]
    }
    while len(json.dumps(kept)) > _MOST:
        longest = max(kept, key=lambda name: len(json.dumps(kept[name])))
        if kept[longest] == _LEFT_OUT:
            return {}
        kept[longest] = _LEFT_OUT
    return kept


_LEFT_OUT: Final = "(left out)"


def _keep(name: str, value: object, depth: int = _DEEPEST) -> Any:
    """Return the value, masked if its name says that it is a secret; a number or a switch is none."""
    secret = bool(_SECRET_NAME.search(name)) and bool(value) and not isinstance(value, bool | int | float)
    return "***" if secret else _shorten(value, depth)


def _shorten(value: object, depth: int) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else f"({value})"
    if isinstance(value, str):
        return _mask(value)
    if isinstance(value, list | tuple | dict):
        return _shorten_all(value, depth) if depth and len(value) <= _MOST_ITEMS else _LEFT_OUT
    small = value is None or (isinstance(value, int) and abs(value) < 2**63)
    return value if small else _LEFT_OUT


def _shorten_all(value: list[Any] | tuple[Any, ...] | dict[Any, Any], depth: int) -> Any:
    if not isinstance(value, dict):
        return [_shorten(one, depth - 1) for one in value]
    if _FILE & value.keys():
        return "(a file)"
    return {replace_controls(str(name)[:80]): _keep(str(name), one, depth - 1) for name, one in value.items()}


def _mask(value: str) -> str:
    if len(value) > _LONGEST:
        return f"({len(value):,} characters)"
    if value.startswith("data:"):
        return "(a file)"
    if _PATH.match(clean(value)):
        return "(a path)"
    return _SECRET.sub("***", clean(_QUERY.sub(r"\1", value)))


def format_values(values: Mapping[str, Any]) -> str:
    """Return the values on one line: `guidance_scale=3.5, randomize_seed=false`."""
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
