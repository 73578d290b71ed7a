"""Values of a model's own parameters, which have no row in the table: as they are typed, and back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidRequest
from .table import PARAMETERS, RESERVED

_ASSIGNMENT = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]{0,79})\s*=(.*)", re.DOTALL)


def parse_assignment(flag: str, text: str) -> tuple[str, tuple[Any, ...]]:
    """Return the name and the values of `shift=4.0`, or of `shift=1,3`; a comma before a space, and one within
    the brackets of a JSON value, does not separate.

    Raises InvalidRequest for anything else, and for a parameter that has an option of its own.
    """
    match = _ASSIGNMENT.fullmatch(text)
    if match is None:
        raise InvalidRequest(f"{flag} {text[:70]}: give a parameter of the model and its value, as in {flag} shift=4.0")
    name, typed = match[1], match[2]
    if row := next((row for row in PARAMETERS if row.name == name), None):
        raise InvalidRequest(f"{flag} {text[:70]}: this has an option of its own: {row.flags[0]} {row.example}")
    if name in RESERVED:
        raise InvalidRequest(f"{flag} {text[:70]}: {name} is no parameter of a model")
    is_one = re.search(r"(?<!\S),|,(?=\s)|,$|^,", typed) or re.fullmatch(r"\[.*\]|\{.*\}", typed, re.DOTALL)
    parts = [typed] if is_one else typed.split(",")
    return name, tuple(map(parse_own_value, parts))


def parse_own_value(text: str) -> Any:
    """Return the value of what was typed: an integer, a number, True or False, else the string itself."""
    if text in {"true", "True", "false", "False"}:
        return text.lower() == "true"
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text) and math.isfinite(float(text)):
        return float(text)
    return text


def format_own_value(*values: Any) -> str | None:
    """Return a value, or several, as they are typed; None if that would be read as another one."""
    text = ",".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
    try:
        again = parse_assignment("", f"a={text}")[1]
    except InvalidRequest:
        return None
    return text if [(type(one), one) for one in again] == [(type(one), one) for one in values] else None


def merge_assignments(given: Sequence[tuple[str, tuple[Any, ...]]], flag: str) -> Mapping[str, tuple[Any, ...]]:
    """Return the values of several assignments by name. Raises InvalidRequest if one is given twice."""
    merged: dict[str, tuple[Any, ...]] = {}
    for name, values in given:
        if name in merged:
            raise InvalidRequest(f"{flag} sets {name} twice: give it once")
        if len(set(values)) < len(values):
            raise InvalidRequest(f"{flag} {name}: a value occurs twice")
        merged[name] = values
    return merged
