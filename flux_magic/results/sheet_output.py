"""What a notebook shows of a sweep: its sheet, and the table of its images. Pure functions, as in `display`.

Two outputs: the sheet with one line of text, then what is the same for all images, and below it a folded table with
what is not: a row for each image, with the cell that makes it again.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import without_controls
from ..records.command import write_command
from ..records.record import Carried
from ..sweeps.axes import EXTRA_COLUMNS, Axis
from ..sweeps.layout import numbered
from ..types import Record, printable
from . import output
from .output import Output
from .table import Markup, Table, as_html, as_markdown, as_text, fenced, pre

if TYPE_CHECKING:
    from ..sweeps.sheet_file import Contents

_LEFT: Final = "text-align:left;vertical-align:top"
_TEXT: Final = "margin:0;padding:0;font:inherit;white-space:pre-wrap;overflow-wrap:anywhere"
_AGAIN: Final = "margin:0;white-space:pre-wrap;overflow-wrap:anywhere;max-width:80ch;user-select:all"
_MOST_NAMED: Final = 8
"""Values of an axis that are named in words."""


@dataclass(frozen=True, slots=True)
class Place:
    """One combination of a sweep's values.

    Attributes:
        record: what made its image; None where there is no image.
        replayed: whether that came from a store.
        missing: why there is none: `failed: …`, `not made`.
    """

    record: Record | None
    replayed: bool = False
    missing: str = ""


def line(axes: Sequence[Axis], places: Sequence[Place]) -> str:
    """A sheet in one line of text: `<flux sheet steps×seed 3×4, 12 images sha256:1a2b3c4d5e6f>`.

    The digest is `digest`'s; where images are missing it says so: `11 of 12 images`.
    """
    names = "×".join(axis.name for axis in axes)
    lengths = "×".join(str(len(axis.values)) for axis in axes)
    return f"<flux sheet {names} {lengths}, {_counted(places)} sha256:{digest(places)[:12]}>"


def digest(places: Sequence[Place]) -> str:
    """What tells one sheet's images from another's: sha256, 64 hex digits.

    It is taken over the digests of the images' pixels (64 hex digits each, ASCII), one after the other in the order of
    the places; those that are missing are left out.
    """
    digests = (file.digest for record in _records(places) for file in record.files)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def contents(axes: Sequence[Axis], places: Sequence[Place]) -> Contents:
    """Return what a sheet's file carries."""
    from ..sweeps.sheet_file import Contents

    carried = [
        Carried(place.record).as_dict() | ({"replayed": True} if place.replayed else {})
        for place in places
        if place.record is not None
    ]
    return Contents(axes, _records(places), carried, _alt(axes, places))


def sheet(axes: Sequence[Axis], places: Sequence[Place], encoded: bytes, *, metadata: bool = True) -> Output:
    """The output that embeds a sheet, with alternative text; its metadata hold every image's record.

    Args:
        axes: what was varied, one or more.
        places: one for each combination, the last axis varying the fastest.
        encoded: the sheet as a JPEG.
        metadata: whether the picture carries the records inside as well.
    """
    from ..sweeps.sheet_file import add_records

    inside = contents(axes, places)
    records = [dict(one) for one in inside.carried]
    if metadata:
        encoded = add_records(encoded, inside)
    return Output(
        {"image/jpeg": base64.b64encode(encoded).decode(), "text/plain": line(axes, places)},
        {
            "image/jpeg": {"alt": _alt(axes, places)},
            "flux_magic": {"sheet": records, "sha256": hashlib.sha256(encoded).hexdigest()},
        },
    )


def table(axes: Sequence[Axis], places: Sequence[Place]) -> Output:
    """The output with what made the images of a sheet, and for each the cell that makes it again.

    `axes` and `places` are the sheet's.
    """
    whole = _Table.of(axes, places)
    return Output({"text/html": _html(whole), "text/markdown": _markdown(whole), "text/plain": _text(whole)}, {})


def _records(places: Sequence[Place]) -> list[Record]:
    return [place.record for place in places if place.record is not None]


def _counted(places: Sequence[Place]) -> str:
    made, every = len(_records(places)), len(places)
    return f"{'' if made == every else f'{made} of '}{every} image{'' if every == 1 else 's'}"


def _alt(axes: Sequence[Axis], places: Sequence[Place]) -> str:
    """The prompts and the axes in words."""
    shared = _shared(_records(places), axes)
    prompts = shared.get("prompt") or shared.get("template") or _few([one.prompt for one in _records(places)])
    if len(axes) < 2:
        shown = f"{_in_words(axes)}, one after the other"
    else:
        shown = f"{_in_words(axes[:-1])} from top to bottom, {_in_words(axes[-1:])} from left to right"
    return without_controls(f"{prompts}: {_counted(places)}, {shown}" if prompts else f"{_counted(places)}, {shown}")


def _in_words(axes: Sequence[Axis]) -> str:
    return " and ".join(f"{axis.name} {_few([str(value) for value in axis.values])}" for axis in axes)


def _few(values: Sequence[str]) -> str:
    """Values in a row, not all of too many."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) <= _MOST_NAMED:
        return ", ".join(distinct)
    return f"{', '.join(distinct[:3])}, … {distinct[-1]} ({len(distinct)} of them)"


def _shared(records: Sequence[Record], axes: Sequence[Axis]) -> dict[str, str]:
    """What is the same for all, by its name: the prompt, or else the text that the prompts came from."""
    varied = {axis.name for axis in axes}
    offered = [
        {
            "prompt": one.prompt,
            "template": one.requested_prompt,
            "model": output.model(one),
            **output.facts(one),
            **output.sent_values(one),
        }
        for one in records
    ]
    same = {
        name: value
        for name, value in (offered[0] if offered else {}).items()
        if name not in varied and all(other.get(name) == value for other in offered)
    }
    if "prompt" in same:
        same.pop("template", None)
    return same


@dataclass(frozen=True, slots=True)
class _Row:
    """One image in the table: the values of the columns, what it is called in a line, and its cell."""

    values: tuple[str, ...]
    named: str
    digest: str = ""
    cell: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class _Table:
    """All that the table says, in whichever form."""

    summary: str
    shared: dict[str, str]
    columns: tuple[str, ...]
    rows: tuple[_Row, ...]

    @classmethod
    def of(cls, axes: Sequence[Axis], places: Sequence[Place]) -> _Table:
        shared = _shared(_records(places), axes)
        varied = [axis.name for axis in axes]
        offered = ("seed", "size", "steps", *EXTRA_COLUMNS)
        others = [name for name in offered if name not in varied and name not in shared]
        known = {name for record in _records(places) for name in output.facts(record)}
        others = [name for name in others if name in known]
        rows = tuple(_row(axes, values, place, others) for values, place in zip(_combined(axes), places, strict=True))
        return cls(f"{_counted(places)}: seeds and cells", shared, (*varied, *others), rows)

    @property
    def cells(self) -> str:
        """All the cells, one below the other."""
        return "\n\n".join(row.cell for row in self.rows if row.cell)


def _combined(axes: Sequence[Axis]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Each combination: the values as texts, and what the sheet calls them where it cannot say them."""
    named = [
        [(str(value), numbered(axis, number, at)) for at, value in enumerate(axis.values)]
        for number, axis in enumerate(axes, start=1)
    ]
    return itertools.product(*named)


def _row(axes: Sequence[Axis], values: Sequence[tuple[str, str]], place: Place, others: Sequence[str]) -> _Row:
    facts = output.facts(place.record) if place.record is not None else {}
    given = {axis.name: value for axis, (value, _) in zip(axes, values, strict=True)}
    shown = {
        axis.name: f"{value} ({called})" if called else value
        for axis, (value, called) in zip(axes, values, strict=True)
    }
    if "size" in given:
        shown["size"] = facts.get("size", given["size"].replace("x", "×"))
    cells = (*shown.values(), *(facts.get(name, "") for name in others))
    size = output.made_size(place.record) if place.record else given.get("size", "").replace("x", "×")
    named = {name: _word(value) for name, value in (facts | given).items() if name != "size"}
    ordered = [name for name in (*given, "steps", "seed", *EXTRA_COLUMNS) if name in named]
    line = " ".join([*(f"{name}={named[name]}" for name in dict.fromkeys(ordered)), *([size] if size else [])])
    if place.record is None:
        return _Row(cells, line, missing=place.missing)
    digests = ", ".join(file.digest[:12] for file in place.record.files)
    return _Row(cells, line, digests, write_command(place.record))


def _word(value: str) -> str:
    """A value in a line of `name=value`: one with blanks, or what is no letter, is quoted."""
    plain = value.isprintable()
    return (
        value if plain and value.split() == [value] and '"' not in value else json.dumps(value, ensure_ascii=not plain)
    )


def _html(whole: _Table) -> str:
    head = as_html(output.table_of(whole.shared), style=output.TABLE, cell=output.CELL) if whole.shared else ""
    rows = tuple((*map(_value, row.values), row.digest, _cell(row)) for row in whole.rows)
    images = Table((*whole.columns, "digest", "cell"), rows, has_names=False)
    return (
        f"{head}<details><summary>{whole.summary}</summary>{as_html(images, style=output.TABLE, cell=_LEFT)}</details>"
    )


def _value(value: str) -> str | Markup:
    return value if value.isalnum() else Markup(pre(value, _TEXT))


def _cell(row: _Row) -> Markup:
    return Markup(pre(row.cell, _AGAIN) if row.cell else pre(row.missing, _TEXT))


def _markdown(whole: _Table) -> str:
    rows = tuple((*row.values, row.digest or row.missing) for row in whole.rows)
    images = as_markdown(Table((*whole.columns, "digest"), rows, has_names=False))
    cells = f"\n\n{fenced(whole.cells)}" if whole.cells else ""
    folded = f"<details><summary>{whole.summary}</summary>\n\n{images}{cells}\n\n</details>"
    return f"{as_markdown(output.table_of(whole.shared))}\n\n{folded}" if whole.shared else folded


def _text(whole: _Table) -> str:
    """Return a line for each image, with nothing in it that changes from run to run."""
    shared = [as_text(output.table_of(whole.shared), least=8, gap=1), ""] if whole.shared else []
    images = [
        f"{row.named} sha256:{row.digest}" if row.digest else f"{row.named} {printable(row.missing)}"
        for row in whole.rows
    ]
    return "\n".join([*shared, *images])
