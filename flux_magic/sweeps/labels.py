"""The words beside and above the images of a sheet: an axis' values, letters, and templates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ..errors import InvalidRequest, list_few
from ..parameters.placeholders import format_as
from . import lettering
from .axes import Axis, flatten

_LETTERS: Final = re.compile(r"([(\[]?)(abc|ABC|123|[aAiI1])([)\].:]?)(?:\s+(?=\S)(.*))?", re.DOTALL)
"""Letters or numbers, and what follows each of them: `(a)`, `A.`, `(i)`, `(a) {scene}`."""

_ROMAN: Final = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
    (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip

_TOGETHER: Final = 16
"""Characters of a value that is not broken into two lines where others are beside it."""

_BRACES: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def make_labels(axes: Sequence[Axis], font: str = "") -> list[list[str]]:
    """Return the labels of each axis: from `Axis.format_label`, or `number_value` if the font lacks characters."""
    numbers = {part.name: number for number, part in enumerate(flatten(axes), start=1)}

    def label(part: Axis, place: int) -> str:
        number = numbers[part.name]
        return number_value(part, number, place, font) or lettering.simplify(part.format_label(place))

    def join(axis: Axis, place: int) -> str:
        parts = [label(part, place) for part in axis.parts or (axis,)]
        if len(parts) == 1:
            return parts[0]
        return " · ".join(part if len(part) > _TOGETHER else part.replace(" ", "\u00a0") for part in parts)

    return [[join(axis, place) for place in range(len(axis.values))] for axis in axes]


def number_value(axis: Axis, number: int, place: int, font: str = "") -> str:
    """Return a sheet's name for a value that its font cannot draw: the axis' name and a number, as in `word 3`.

    Empty if the characters can. `number` is the axis' own, from 1: it is for a name that cannot be said either.
    """
    if lettering.can_draw(lettering.simplify(axis.format_label(place)), font):
        return ""
    name = axis.name if lettering.can_draw(axis.name, font) else f"list {number} no."
    return f"{name} {place + 1}"


def describe_undrawn(axes: Sequence[Axis]) -> str:
    """Return a note on the values that a sheet numbers, because no font here can draw them; "" if there are none."""
    values = [
        str(value)
        for axis in flatten(axes)
        for place, value in enumerate(axis.values)
        if str(value).isprintable()
        and str(value).strip()
        and not lettering.can_draw(lettering.simplify(axis.format_label(place)))
    ]
    if not values:
        return ""
    return (
        f"no font here draws {', '.join(list_few(values, 3))}, so the sheet has numbers: a font such as Noto Sans helps"
    )


def count_letters(typed: str, number: int) -> list[str] | None:
    """Return `(a)`, `(b)`, … for `(a)`, with what follows the letter behind each; None for any other string."""
    match = _LETTERS.fullmatch(typed)
    if match is None or (match[4] and not (match[1] or match[3])):  # "a {colour} fox" begins with a word
        return None
    kind, rest = match[2][0], f" {match[4]}" if match[4] else ""
    count = {"1": lambda place: str(place + 1), "i": _get_roman}.get(kind.lower(), _get_letter)
    counted = [count(place) for place in range(number)]
    return [f"{match[1]}{one.upper() if kind.isupper() else one}{match[3]}{rest}" for one in counted]


def _get_letter(place: int) -> str:
    """Return `a` to `z`, then `aa`, `ab` and so on."""
    before, at = divmod(place, 26)
    return (_get_letter(before - 1) if before else "") + chr(ord("a") + at)


def _get_roman(place: int) -> str:
    """Return `i`, `ii`, `iii`, `iv` and so on."""
    left, found = place + 1, ""
    for value, written in _ROMAN:
        found += written * (left // value)
        left %= value
    return found


def fill_template(name: str, template: str, values: Mapping[str, object]) -> str:
    """Return a label with values in place of `{names}`; raise InvalidRequest for another name, and list the known."""

    def fill(match: re.Match[str]) -> str:
        if match[0] in {"{{", "}}"}:
            return match[0][0]
        field, _, form = match[1].partition(":")
        if field not in values:
            listed = ", ".join(f"{{{known}}}" for known in values)
            raise InvalidRequest(f"{name}: {match[0][:40]} is not a field of these images. A label can have {listed}")
        value = values[field]
        shown = "" if value is None or value == "" else format_as(value, form)
        return re.sub(r"(\d)x(\d)", r"\1×\2", shown) if field == "size" else shown

    return _BRACES.sub(fill, template)
