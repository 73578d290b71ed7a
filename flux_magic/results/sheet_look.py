"""The arguments of `Generations.grid` and `figure`, checked, as the look of a sheet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidRequest, format_count, show_value
from ..parameters.calls import check_path
from ..parameters.lists import list_items
from ..parameters.table import Parameter, format_value
from ..sweeps import lettering
from ..sweeps.axes import Axis, flatten, get_values
from ..sweeps.labels import count_letters, fill_template
from ..sweeps.layout import MOST, Look, count_columns, plan_sheet
from ..sweeps.sheet import BACKGROUNDS
from . import file_names
from .notes import print_note

if TYPE_CHECKING:
    from .generation import Generation
    from .generations import SheetOptions

MOST_PIXELS: Final = 178_956_970
"""Pillow opens no larger image unless it is told to."""

_TILE: Final = Parameter(name="tile", help="", least=16, most=4096)
_GAP: Final = Parameter(name="gap", help="", least=0, most=1000)
_COLUMNS: Final = Parameter(name="columns", help="", least=1, most=10_000)
_DPI: Final = Parameter(name="dpi", help="", least=10, most=4800)
_WORDS: Final = 'give strings, letters such as "(a)", or a template such as "seed {seed}"'


def read_look(axes: Sequence[Axis], items: Mapping[int, Generation], number: int, given: SheetOptions) -> Look:
    """Return the look of a sheet with these images, by their places of so many. Raises InvalidRequest."""
    columns = _check(_COLUMNS, given.get("columns"))
    across, font = count_columns(axes, number, columns), _find_font(given.get("font"))
    facts = [_list_facts(axes, place, items.get(place)) for place in range(number)]
    columns_of, rows_of = [facts[at::across] for at in range(min(across, number))], _divide(facts, across)
    heads = _read_labels("column_labels", given.get("column_labels"), [*map(_share, columns_of)], "columns")
    beside = _read_labels("row_labels", given.get("row_labels"), [*map(_share, rows_of)], "rows")
    labels = _read_labels("labels", given.get("labels"), facts, "images")
    if given.get("labels") in (False, ""):
        heads, beside = heads or (), beside or ()
    elif labels is None and len(axes) < 2 and (heads or beside):
        labels = ()
    title = given.get("title") or ""
    if not isinstance(title, str):
        raise InvalidRequest(f"title is {show_value(title)}: give a string")
    background = given.get("background") or "white"
    if background not in BACKGROUNDS:
        raise InvalidRequest(f"background is {show_value(background)}: choose one of {', '.join(BACKGROUNDS)}")
    words = [title, *(labels or ()), *(heads or ()), *(beside or ())]
    if missing := lettering.list_undrawn("".join(words), font):
        print_note(f"no font here draws {' '.join(missing[:12])}: font= takes the file or the family of one that does")
    labels, heads, beside = (
        None if one is None else tuple(lettering.make_readable(text, font) for text in one)
        for one in (labels, heads, beside)
    )
    return Look(
        labels,
        heads,
        beside,
        title=lettering.make_readable(title, font),
        tile=_check(_TILE, given.get("tile")),
        gap=_check(_GAP, given.get("gap")),
        columns=columns,
        font=font,
        background=background,
    )


class _Various:
    """Values that differ within a row or a column, so that no label of it can name one."""

    __slots__ = ()


_VARIOUS: Final = _Various()


def _divide(facts: Sequence[Mapping[str, object]], across: int) -> list[Sequence[Mapping[str, object]]]:
    return [facts[first : first + across] for first in range(0, len(facts), across)]


def _share(facts: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Return the values that the images of a row or a column have in common; the others are various."""
    each = [known for known in facts if known["prompt"] != ""] or facts[:1]
    first = each[0] if each else {}
    return {name: one if all(known[name] == one for known in each) else _VARIOUS for name, one in first.items()}


def check_plan(axes: Sequence[Axis], sizes: Sequence[tuple[int, int]], look: Look) -> None:
    """Raise InvalidRequest for a sheet that is larger than image programs open."""
    plan = plan_sheet(axes, sizes, look)
    width, height = plan.whole
    if width * height > MOST_PIXELS or max(width, height) > MOST:
        raise InvalidRequest(
            f"the sheet would have {width:,} × {height:,} pixels, more than image programs open: "
            f"give a tile below {plan.wide}, or fewer images"
        )


def check_dpi(dpi: object) -> int:
    """Return the pixels of an inch. Raises InvalidRequest."""
    return int(_DPI.check(dpi))


def _check(row: Parameter, value: object) -> Any:
    return None if value is None else row.check(value)


def _read_labels(name: str, value: object, facts: Sequence[Mapping[str, object]], noun: str) -> tuple[str, ...] | None:
    """Return a label for each of the facts, None for the usual ones, and () for none."""
    if value is None or value is True:
        return None
    if value is False or value == "":
        return ()
    if isinstance(value, str):
        templates = count_letters(value.strip(), len(facts))
        if templates is None and "{" not in value:
            raise InvalidRequest(f"{name} is {show_value(value)}, the same for all: {_WORDS}")
        each = list(zip(templates or [value] * len(facts), facts, strict=True))
        for one, known in each:
            if various := [
                field for field, value in known.items() if value is _VARIOUS and re.search(rf"\{{{field}[}}:]", one)
            ]:
                raise InvalidRequest(f"{name} names {{{various[0]}}}, which differs within {noun}: {_WORDS}")
        return tuple(fill_template(name, one, known) for one, known in each)
    items = list_items(value)
    if items is None:
        raise InvalidRequest(f"{name} is {show_value(value)}: {_WORDS}")
    if len(items) != len(facts):
        has, wants = format_count(len(items), "string"), format_count(len(facts), noun.removesuffix("s"))
        raise InvalidRequest(f"{name} has {has} for {wants}: give one for each")
    return tuple("" if item is None else format_value(item) for item in items)


def _list_facts(axes: Sequence[Axis], place: int, item: Generation | None) -> dict[str, object]:
    """Return the values that a label's template may name, as far as they are known of this place."""
    known: dict[str, object] = dict.fromkeys((*file_names.FIELDS, "caption"), "")
    if item is not None:
        known |= file_names.get_values(item.record, item.record.files[0])
        known["caption"] = getattr(item, "caption", None) or item.prompt
    values = get_values(axes, place) if axes else {}
    return {**known, **{axis.name: values.get(axis.name, "") for axis in flatten(axes)}, "n": place + 1}


def _find_font(font: object) -> str:
    if font is None:
        return ""
    typed = check_path("font", font)
    try:
        if file := lettering.find_file(typed):
            return file
    except OSError as error:
        raise InvalidRequest(f"font is {typed}: this is no font that can be drawn at any size ({error})") from None
    if Path(typed).suffix or "/" in typed:
        raise InvalidRequest(f"font is {typed}: there is no such file")
    close = [one for one in lettering.list_families() if typed.casefold().split(" ")[0] in one][:3]
    known = ", ".join(close or lettering.list_families()[:5])
    raise InvalidRequest(f"font is {typed}: this system has no such family; there are {known}")
