"""What a notebook shows of a record and its bytes: mime bundles, made by pure functions.

Two outputs: the picture with one line of text, then the parameters with the cell that makes it again.
What changes from run to run is in the outputs' metadata, which a comparison of notebooks leaves out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import without_controls
from ..images import codecs
from ..records import embedding
from ..records.command import write_command
from ..records.record import Carried
from ..records.sent import format_values
from ..types import UNKNOWN, FileRecord, Record, printable
from .table import Markup, Table, as_html, as_markdown, as_text, escaped, fenced, html_text, lines, pre

TABLE = "border-collapse:collapse;text-align:left;margin:0"
CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"
PROMPT = "margin:0;padding:0;font:inherit;white-space:pre-wrap;overflow-wrap:anywhere;max-width:80ch"
COMMAND = (
    "margin:4px 0 0;padding:8px;border:1px solid rgba(128,128,128,.45);border-radius:4px;font-family:monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere;max-width:80ch;user-select:all"
)


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a cell: a bundle of mime types and its metadata."""

    data: dict[str, str]
    metadata: dict[str, Any]


def line(record: Record, file: FileRecord) -> str:
    """A picture in one line of text: `<flux 1024×768 seed=42 steps=4 sha256:1a2b3c4d5e6f>`."""
    seed = UNKNOWN if record.seed is None else record.seed
    size = f"{file.width}×{file.height}"
    return f"<flux {size} seed={seed} steps={record.steps} sha256:{file.digest[:12]}>"


def image(
    record: Record,
    place: int,
    data: bytes,
    inline: str | None,
    *,
    metadata: bool = True,
    replayed: bool = False,
    strip_credentials: bool = False,
) -> Output:
    """The output that embeds one of the record's pictures, with alternative text.

    Args:
        record: what made it.
        place: the picture's place among the record's files, from 0.
        data: its bytes as delivered.
        inline: how it is embedded, as `picture.for_notebook` says.
        metadata: whether the embedded bytes carry the record inside; the output's own metadata do in any case.
        replayed: whether it came from a store.
        strip_credentials: whether content credentials are taken out; else a file that has some is embedded as it is.

    Raises NotAnImage where the bytes have to be decoded for that, and cannot.
    """
    media_type, embedded = codecs.for_notebook(data, inline)
    same = codecs.keeps_pixels(data, media_type)
    embedded = embedding.unsigned(embedded) if strip_credentials else embedded
    if metadata:
        embedded, copy = embedding.with_record(embedded, record, place, same_pixels=same)
    else:
        copy = embedding.copy_of(embedded, record, place, same_pixels=same)
    facts = Carried(record, copy).as_dict() | ({"replayed": True} if replayed else {})
    return Output(
        {media_type: base64.b64encode(embedded).decode(), "text/plain": line(record, record.files[place])},
        {media_type: {"alt": without_controls(record.prompt)}, "flux_magic": facts},
    )


def link(record: Record, place: int, url: str) -> Output:
    """The output that shows a picture from the Space's own address, for as long as that lives."""
    address, alt = escaped(url), escaped(record.prompt)
    return Output(
        {
            "text/html": f'<a href="{address}"><img src="{address}" alt="{alt}"></a>',
            "text/plain": line(record, record.files[place]),
        },
        {"flux_magic": Carried(record).as_dict()},
    )


def remarks(data: bytes, *, as_delivered: bool, strip_credentials: bool = False) -> dict[str, str]:
    """What a table says of a delivered file beside its parameters, by the row's name: mostly nothing.

    `as_delivered` says if the notebook shows the file itself, and no other encoding of it.
    """
    rows = {}
    if embedding.is_signed(data):
        gone = strip_credentials or not as_delivered
        where = "in the delivered file; this copy has none" if gone else "kept in this copy"
        rows["signed"] = f"by content credentials (C2PA), {where}"
    if not as_delivered and (frames := codecs.frames(data)) > 1:
        rows["frames"] = f"{frames}, of which the first is shown"
    return rows


def parameters(record: Record, more: Mapping[str, str] = MappingProxyType({})) -> Output:
    """The output with what made a picture, what `remarks` has `more` to say, and the cell that makes it again."""
    known = {"prompt": record.prompt, "model": model(record), **facts(record), **sent_values(record), **more}
    table, command = table_of(known), write_command(record)
    again = f'<pre style="{COMMAND}" title="makes this image again">{lines(command)}</pre>'
    return Output(
        {
            "text/html": as_html(table, style=TABLE, cell=CELL) + again,
            "text/markdown": f"{as_markdown(table)}\n\n{fenced(command)}",
            "text/plain": f"{as_text(table)}\n\n{command}",
        },
        {},
    )


def table_of(known: Mapping[str, str]) -> Table:
    """Return a table of names and values; HTML keeps the lines of those that somebody typed."""
    return Table((), tuple((name, _value(name, value)) for name, value in known.items()))


def _value(name: str, value: str) -> Markup:
    typed = name in {"prompt", "template", "sent"}
    return Markup(pre(value, PROMPT) if typed else html_text(value), printable(value))


def facts(record: Record) -> dict[str, str]:
    """Seed, size, steps and the other parameters, as a person reads them."""
    return {"seed": seed(record), "size": size(record), "steps": str(record.steps), **other_parameters(record)}


def other_parameters(record: Record) -> dict[str, str]:
    """Return the parameters beside seed, size and steps, by name; if another value was asked for, that as well."""
    asked = record.requested_parameters
    shown = {name: printable(str(value)) for name, value in record.parameters.items()}
    others = {name: f" (asked for {asked[name]})" for name in asked if asked[name] != record.parameters.get(name)}
    return {printable(name): value + others.get(name, "") for name, value in shown.items()}


def sent_values(record: Record) -> dict[str, str]:
    """Return what else went along, such as a Space's own guidance; empty if nothing did."""
    shown = printable(format_values(record.sent))
    return {"sent": shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"} if shown else {}


_LONGEST = 300
"""Characters of what else went along that are shown."""


def model(record: Record) -> str:
    """What made it, and that it is not FLUX where the local Space drew it."""
    name = printable(record.model)
    return f"{name} (the local Space's drawing, not FLUX)" if record.stand_in else name


def seed(record: Record) -> str:
    """What was run, and where it differs, what was asked for: such an image cannot be asked for again."""
    shown = UNKNOWN if record.seed is None else str(record.seed)
    other = record.requested_seed is not None and record.requested_seed != record.seed
    return f"{shown} (asked for {record.requested_seed})" if other else shown


def size(record: Record) -> str:
    """What came back, in pixels, and where it differs, what was asked for."""
    made, asked = made_size(record), f"{record.requested_width}×{record.requested_height}"
    return made if made == asked else f"{made} (asked for {asked})"


def made_size(record: Record) -> str:
    """What came back, in pixels; of several files each size once."""
    return ", ".join(dict.fromkeys(f"{file.width}×{file.height}" for file in record.files))
