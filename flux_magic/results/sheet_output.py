"""Notebook output for a sweep: its sheet and the table of its images, made by pure functions.

There are two outputs: the sheet with one line of text, then the values that all images share. Below these a folded
table has a row for each image, with the cell that makes it again.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..errors import replace_controls
from ..images import formats
from ..parameters.placeholders import format_as
from ..parameters.table import format_value
from ..records.command import write_command
from ..records.record import Carried
from ..sweeps.axes import EXTRA_COLUMNS, Axis, flatten
from ..sweeps.labels import number_value
from ..types import InputImage, Record, make_printable
from . import output
from .origin import list_rows
from .output import Output, add_caption, format_alt
from .table import WRAPPED, Markup, Table, as_html, as_markdown, as_text, fence, pre

if TYPE_CHECKING:
    from ..records.manifest import Signing
    from ..sweeps.sheet_file import Contents

_LEFT: Final = "text-align:left;vertical-align:top"
_TEXT: Final = f"margin:0;padding:0;font:inherit;background:none;{WRAPPED}"
_AGAIN: Final = f"margin:0;background:none;{WRAPPED};max-width:80ch;user-select:all"
_MOST_NAMED: Final = 8
"""Largest number of values of an axis that are named in words."""


@dataclass(frozen=True, slots=True)
class Place:
    """One combination of a sweep's values.

    Attributes:
        record: what made its image; None if there is no image.
        replayed: whether that came from a store.
        missing: why there is no image: `failed: …`, `not made`.
        images: what went in.
    """

    record: Record | None
    replayed: bool = False
    missing: str = ""
    images: tuple[InputImage, ...] = ()


def format_line(axes: Sequence[Axis], places: Sequence[Place]) -> str:
    """Describe a sheet in one line of text: `<flux sheet steps×seed 3×4, 12 images sha256:1a2b3c4d5e6f>`.

    The digest is that of `digest`. If images are missing the line says so: `11 of 12 images`.
    """
    names = "×".join(axis.name for axis in axes)
    lengths = "×".join(str(len(axis.values)) for axis in axes)
    return f"<flux sheet {names} {lengths}, {_count_images(places)} sha256:{compute_digest(places)[:12]}>"


def compute_digest(places: Sequence[Place]) -> str:
    """Return the digest that identifies a sheet's images: sha256, 64 hex digits.

    It is taken over the digests of the images' pixels (64 hex digits each, ASCII), one after the other in the order of
    the places. Missing images are left out.
    """
    digests = (file.digest for record in _list_records(places) for file in record.files)
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def collect_contents(axes: Sequence[Axis], places: Sequence[Place]) -> Contents:
    """Return what a sheet's file carries."""
    from ..sweeps.sheet_file import Contents

    carried = [
        Carried(place.record).as_dict() | ({"replayed": True} if place.replayed else {})
        for place in places
        if place.record is not None
    ]
    records = _list_records(places)
    drawn = all(record.stand_in for record in records)
    return Contents(axes, records, carried, describe_sheet(axes, places), drawn)


def build_sheet(
    axes: Sequence[Axis],
    places: Sequence[Place],
    encoded: bytes,
    *,
    alt: str = "",
    metadata: bool = True,
    signer: Signing | None = None,
) -> Output:
    """Return the output that embeds a sheet, with alternative text; its metadata hold every image's record.

    Args:
        axes: what was varied, one or more.
        places: one for each combination, the last axis varying the fastest.
        encoded: the sheet as a JPEG or a PNG.
        alt: its alternative text; an empty one is the prompts and the axes in words.
        metadata: whether the image carries the records as well.
        signer: what signs the image; None does not.
    """
    from ..sweeps.sheet_file import add_records

    inside, media_type = collect_contents(axes, places), formats.detect_media_type(encoded) or "image/jpeg"
    records = [dict(one) for one in inside.carried]
    if metadata or signer:
        encoded = add_records(encoded, replace(inside, signer=signer, records=inside.records if metadata else ()))
    return Output(
        {media_type: base64.b64encode(encoded).decode(), "text/plain": format_line(axes, places)},
        {
            media_type: {"alt": format_alt(alt or describe_sheet(axes, places))},
            "flux_magic": {"sheet": records, "sha256": hashlib.sha256(encoded).hexdigest()},
        },
    )


def build_table(axes: Sequence[Axis], places: Sequence[Place], *, caption: str | None = None) -> Output:
    """Return the output with a sheet's caption and parameters, and for each image the cell that makes it again.

    `axes` and `places` are the sheet's.
    """
    whole = _Table.of(axes, places)
    return add_caption(
        caption,
        Output(
            {
                "text/html": _render_html(whole),
                "text/markdown": _render_markdown(whole),
                "text/plain": _render_text(whole),
            },
            {},
        ),
    )


def _list_records(places: Sequence[Place]) -> list[Record]:
    return [place.record for place in places if place.record is not None]


def _count_images(places: Sequence[Place]) -> str:
    made, every = len(_list_records(places)), len(places)
    return f"{'' if made == every else f'{made} of '}{every} image{'' if every == 1 else 's'}"


def describe_sheet(axes: Sequence[Axis], places: Sequence[Place]) -> str:
    """Return the prompts and the axes in words."""
    shared = _collect_shared(_list_records(places), axes)
    told = any(axis.name == "prompt" for axis in flatten(axes))
    each = [] if told else [one.prompt for one in _list_records(places)]
    prompts = shared.get("prompt") or shared.get("template") or list_values(each)
    if len(axes) < 2:
        shown = f"{_describe_axes(axes)}, one after the other"
    else:
        shown = f"{_describe_axes(axes[:-1])} from top to bottom, {_describe_axes(axes[-1:])} from left to right"
    return replace_controls(
        f"{prompts}: {_count_images(places)}, {shown}" if prompts else f"{_count_images(places)}, {shown}"
    )


def _describe_axes(axes: Sequence[Axis]) -> str:
    return " and ".join(_describe_pairs(axis) if axis.parts else _describe_values(axis) for axis in axes)


def _describe_values(axis: Axis) -> str:
    return f"{axis.name} {list_values(axis.format_values())}"


def _describe_pairs(axis: Axis) -> str:
    """Return the pairs in words: `scene snow with seed 1, scene sea with seed 2`."""
    each = zip(*([f"{part.name} {value}" for value in part.format_values()] for part in axis.parts), strict=True)
    return list_values([" with ".join(pair) for pair in each])


class Row:
    """Values in a row, as a caption has them: each by its format.

    Args:
        values: the values.
        shown: the same, as they are shown without a format.
    """

    def __init__(self, values: Sequence[object], shown: Sequence[str] = ()) -> None:
        self._values, self._shown = values, shown

    def __format__(self, form: str) -> str:
        return list_values([format_as(one, form) for one in self._values])

    def __str__(self) -> str:
        return list_values(self._shown or [format_value(one) for one in self._values])


def list_values(values: Sequence[str]) -> str:
    """Return the values in a row; if there are many, only some of them."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) <= _MOST_NAMED:
        return ", ".join(distinct)
    return f"{', '.join(distinct[:3])}, … {distinct[-1]} ({len(distinct)} of them)"


def _collect_shared(records: Sequence[Record], axes: Sequence[Axis]) -> dict[str, str]:
    """Return the values that all images share, by name, with the prompt or else its template."""
    varied = {axis.name for axis in flatten(axes)}
    offered = [
        {
            "prompt": one.prompt,
            "template": one.requested_prompt,
            **{name: row.plain for name, row in list_rows(one).items()},
            "model": output.describe_model(one),
            **output.list_facts(one),
            **output.list_sent_values(one),
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
    """One image in the table: the values of the columns, its name in a line, and its cell."""

    values: tuple[str, ...]
    named: str
    digest: str = ""
    cell: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class _Table:
    """All that the table says, in any form."""

    summary: str
    shared: dict[str, str | Markup]
    columns: tuple[str, ...]
    rows: tuple[_Row, ...]

    @classmethod
    def of(cls, axes: Sequence[Axis], places: Sequence[Place]) -> _Table:
        shared: dict[str, str | Markup] = {**_collect_shared(_list_records(places), axes)}
        inputs = next((list_rows(place.record, place.images) for place in places if place.record is not None), {})
        shared |= {name: row for name, row in inputs.items() if name in shared}
        varied = [axis.name for axis in flatten(axes)]
        own = (name for record in _list_records(places) for name in record.parameters)
        offered = dict.fromkeys(("seed", "size", "steps", *EXTRA_COLUMNS, *own))
        others = [name for name in offered if name not in varied and name not in shared]
        known = {name for record in _list_records(places) for name in output.list_facts(record)}
        others = [name for name in others if name in known]
        rows = tuple(
            _build_row(axes, values, place, others) for values, place in zip(_combine(axes), places, strict=True)
        )
        return cls(f"{_count_images(places)}: seeds and cells", shared, (*varied, *others), rows)

    @property
    def cells(self) -> str:
        """All the cells, one below the other."""
        return "\n\n".join(row.cell for row in self.rows if row.cell)


def _combine(axes: Sequence[Axis]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Return each combination: the values as strings, and the sheet's names for values that it cannot show."""
    numbers = {part.name: number for number, part in enumerate(flatten(axes), start=1)}
    named = [
        list(
            zip(
                *(
                    [
                        (value, number_value(part, numbers[part.name], at))
                        for at, value in enumerate(part.format_values())
                    ]
                    for part in axis.parts or (axis,)
                ),
                strict=True,
            )
        )
        for axis in axes
    ]
    return (tuple(itertools.chain(*combined)) for combined in itertools.product(*named))


def _build_row(axes: Sequence[Axis], values: Sequence[tuple[str, str]], place: Place, others: Sequence[str]) -> _Row:
    facts = output.list_facts(place.record) if place.record is not None else {}
    axes = flatten(axes)
    given = {axis.name: value for axis, (value, _) in zip(axes, values, strict=True)}
    shown = {
        axis.name: f"{value} ({called})" if called else value
        for axis, (value, called) in zip(axes, values, strict=True)
    }
    if "size" in given:
        shown["size"] = facts.get("size", given["size"].replace("x", "×"))
    cells = (*shown.values(), *(facts.get(name, "") for name in others))
    size = output.format_made_size(place.record) if place.record else given.get("size", "").replace("x", "×")
    named = {name: _format_word(value) for name, value in (facts | given).items() if name != "size"}
    ordered = [name for name in (*given, "steps", "seed", *EXTRA_COLUMNS) if name in named]
    line = " ".join([*(f"{name}={named[name]}" for name in dict.fromkeys(ordered)), *([size] if size else [])])
    if place.record is None:
        return _Row(cells, line, missing=place.missing)
    digests = ", ".join(file.digest[:12] for file in place.record.files)
    return _Row(cells, line, digests, write_command(place.record))


def _format_word(value: str) -> str:
    """Return a value for a line of `name=value`; one with spaces or unprintable characters is quoted."""
    plain = value.isprintable()
    return (
        value if plain and value.split() == [value] and '"' not in value else json.dumps(value, ensure_ascii=not plain)
    )


def _render_html(whole: _Table) -> str:
    shared = output.table_of(whole.shared)
    head = as_html(shared, style=output.TABLE, cell=output.CELL, name="flux-parameters") if whole.shared else ""
    rows = tuple((*map(_value, row.values), row.digest, _cell(row)) for row in whole.rows)
    images = Table((*whole.columns, "digest", "cell"), rows, has_names=False)
    table = as_html(images, style=output.TABLE, cell=_LEFT)
    return f'{head}<details class="flux-sheet-table"><summary>{whole.summary}</summary>{table}</details>'


def _value(value: str) -> str | Markup:
    return value if value.isalnum() else Markup(pre(value, _TEXT))


def _cell(row: _Row) -> Markup:
    return Markup(pre(row.cell, _AGAIN) if row.cell else pre(row.missing, _TEXT))


def _render_markdown(whole: _Table) -> str:
    rows = tuple((*row.values, row.digest or row.missing) for row in whole.rows)
    images = as_markdown(Table((*whole.columns, "digest"), rows, has_names=False))
    cells = f"\n\n{fence(whole.cells)}" if whole.cells else ""
    folded = f"<details><summary>{whole.summary}</summary>\n\n{images}{cells}\n\n</details>"
    return f"{as_markdown(output.table_of(whole.shared))}\n\n{folded}" if whole.shared else folded


def _render_text(whole: _Table) -> str:
    """Return a line for each image, with nothing in it that changes from run to run."""
    shared = [as_text(output.table_of(whole.shared), least=8, gap=1), ""] if whole.shared else []
    images = [
        f"{row.named} sha256:{row.digest}" if row.digest else f"{row.named} {make_printable(row.missing)}"
        for row in whole.rows
    ]
    return "\n".join([*shared, *images])
