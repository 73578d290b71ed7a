"""Notebook output for a record and its bytes: mime bundles, made by pure functions.

There are two outputs: the image with one line of text, then the parameters with the cell that makes it again. Values
that change from run to run are in the outputs' metadata, which a comparison of notebooks leaves out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import SaveError, replace_controls
from ..images import codecs
from ..parameters.table import format_value
from ..records import embedding
from ..records.record import Carried
from ..records.sent import format_values
from ..types import UNKNOWN, Copy, FileRecord, InputImage, Record, escape_markdown, make_printable
from .notes import print_note
from .origin import list_rows
from .signer import NOT_SIGNED
from .table import WRAPPED, Markup, Table, as_html, as_markdown, as_text, escape, escape_html, fence, fold, is_long, pre

if TYPE_CHECKING:
    from ..records.manifest import Signing

TABLE = "border-collapse:collapse;text-align:left;margin:0"
CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"
PROMPT = f"margin:0;padding:0;font:inherit;background:none;{WRAPPED};max-width:80ch"
COMMAND = (
    "margin:4px 0 0;padding:8px;border:1px solid rgba(128,128,128,.45);border-radius:4px;font-family:monospace;"
    f"{WRAPPED};max-width:80ch;user-select:all"
)
SMALL = 256
"""Pixels of the longer side from which an image is shown as it is; no public Space makes a smaller one."""

_ENLARGED = 512
"""Pixels of the longer side that a small image is shown with, at most."""

CAPTION = f"margin:4px 0 8px;{WRAPPED};max-width:80ch"


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a cell: a bundle of mime types and its metadata."""

    data: dict[str, str]
    metadata: dict[str, Any]


def format_line(record: Record, file: FileRecord) -> str:
    """Return an image in one line of text: `<flux 1024×768 seed=42 steps=4 sha256:1a2b3c4d5e6f>`."""
    seed = UNKNOWN if record.seed is None else record.seed
    size = f"{file.width}×{file.height}"
    steps = UNKNOWN if record.steps is None else record.steps
    return f"<flux {size} seed={seed} steps={steps} sha256:{file.digest[:12]}>"


def choose_shown_size(width: int, height: int) -> dict[str, int]:
    """Return the size that a small image is shown with, an integer multiple of its own; empty for a larger image."""
    longest = max(width, height)
    scale = _ENLARGED // longest
    return {"width": width * scale, "height": height * scale} if longest < SMALL else {}


def render_shown_size(shown: Mapping[str, Any]) -> str:
    """Return the attributes of an `img` element for such a size, which keeps its pixels sharp; "" for none."""
    if "width" not in shown:
        return ""
    style = "image-rendering:pixelated;max-width:100%;height:auto"
    return f' width="{shown["width"]}" height="{shown["height"]}" style="{style}"'


def build_image(
    record: Record,
    place: int,
    data: bytes,
    inline: str | None,
    *,
    alt: str = "",
    metadata: bool = True,
    replayed: bool = False,
    strip_credentials: bool = False,
    signer: Signing | None = None,
) -> Output:
    """Return the output that embeds one of the record's images, with alternative text.

    Args:
        record: what made it.
        place: the image's place among the record's files, from 0.
        data: its bytes as delivered.
        inline: how it is embedded: `png`, `jpeg`, or None for what keeps it best.
        alt: its alternative text; an empty one is the prompt.
        metadata: whether the embedded bytes carry the record; the output's own metadata always do.
        replayed: whether it came from a store.
        strip_credentials: whether content credentials are removed; otherwise a file that has some is embedded as it is.
        signer: what signs the embedded bytes; None does not.

    Raises NotAnImage if the bytes have to be decoded for that and cannot be.
    """
    media_type, embedded = codecs.encode_for_notebook(data, inline)
    same = codecs.keeps_pixels(data, media_type)
    embedded = embedding.remove_signature(embedded) if strip_credentials else embedded
    theirs = None if strip_credentials else data
    signed = signer and _sign(signer, embedded, record, place, theirs, metadata=metadata, same_pixels=same)
    if signed:
        embedded, copy = signed
    elif metadata:
        embedded, copy = embedding.embed_record(embedded, record, place, same_pixels=same)
    else:
        copy = embedding.describe_copy(embedded, record, place, same_pixels=same)
    facts = Carried(record, copy).as_dict() | ({"replayed": True} if replayed else {})
    file = record.files[place]
    shown = {"alt": format_alt(alt or record.prompt), **choose_shown_size(file.width, file.height)}
    return Output(
        {media_type: base64.b64encode(embedded).decode(), "text/plain": format_line(record, file)},
        {media_type: shown, "flux_magic": facts},
    )


def _sign(
    signer: Signing,
    embedded: bytes,
    record: Record,
    place: int,
    delivered: bytes | None,
    *,
    metadata: bool,
    same_pixels: bool,
) -> tuple[bytes, Copy] | None:
    """Return the embedded bytes signed, and their description; None, with a note, if they are shown unsigned."""
    try:
        signed = signer.sign_copy(
            embedded, record, place, delivered=delivered, with_record=metadata, same_pixels=same_pixels
        )
    except SaveError as error:
        print_note(f"the image shown is not signed: {error.message}")
        return None
    if signed is None:
        print_note(NOT_SIGNED)
    return signed


def format_alt(text: str) -> str:
    """Return an alternative text on one line, as every format has it."""
    return " ".join(replace_controls(text).split())


def build_link(record: Record, place: int, url: str, *, alt: str = "") -> Output:
    """Return the output that shows an image from the Space's own address, for as long as that is valid."""
    address, alt, file = escape(url), escape(format_alt(alt or record.prompt)), record.files[place]
    size = render_shown_size(choose_shown_size(file.width, file.height))
    return Output(
        {
            "text/html": f'<a href="{address}"><img src="{address}" alt="{alt}"{size}></a>',
            "text/plain": format_line(record, file),
        },
        {"flux_magic": Carried(record).as_dict()},
    )


def list_remarks(
    data: bytes, *, as_delivered: bool, strip_credentials: bool = False, signer: Signing | None = None
) -> dict[str, str]:
    """Return extra table rows about a delivered file, by the row's name; usually none.

    `as_delivered` says that the notebook shows the file itself, and not another encoding of it.
    """
    rows = {}
    if embedding.is_signed(data):
        gone = strip_credentials or not as_delivered
        where = "in the delivered file; this copy has none" if gone else "kept in this copy"
        if signer is not None and not strip_credentials:
            where = f"in the delivered file, and this copy by {make_printable(signer.identity.name)}"
        rows["signed"] = f"by content credentials (C2PA), {where}"
    elif signer is not None:
        rows["signed"] = f"by {make_printable(signer.identity.name)} (content credentials, C2PA)"
    if not as_delivered and (frames := codecs.count_frames(data)) > 1:
        rows["frames"] = f"{frames}, of which the first is shown"
    return rows


def build_parameters(
    record: Record,
    more: Mapping[str, str] = MappingProxyType({}),
    images: Sequence[InputImage] = (),
    *,
    caption: str | None = None,
) -> Output:
    """Return the output with an image's caption and parameters, the rows in `more`, and the cell that makes it again.

    What went in has a row, with a small copy if it is among the `images`.
    """
    known: dict[str, str | Markup] = {
        "prompt": record.prompt,
        **list_rows(record, images),
        "model": describe_model(record),
        **list_facts(record),
        **list_sent_values(record),
        **more,
    }
    from ..records.command import write_command  # it needs the whole grammar of a cell

    table, command = table_of(known), write_command(record)
    parameters = Output(
        {
            "text/html": as_html(table, style=TABLE, cell=CELL, name="flux-parameters") + _render_command(command),
            "text/markdown": f"{as_markdown(table)}\n\n{fence(command)}",
            "text/plain": f"{as_text(table)}\n\n{command}",
        },
        {},
    )
    return add_caption(caption, parameters)


def _render_command(command: str) -> str:
    if not is_long(command):
        return pre(command, COMMAND, name="flux-again", title="makes this image again")
    summary = '<summary style="cursor:pointer">the cell that makes this image again</summary>'
    return f'<details class="flux-again">{summary}{pre(command, COMMAND)}</details>'


def build_caption(caption: str) -> Output:
    """Return the output that has a caption alone."""
    return Output(
        {
            "text/html": f'<p class="flux-caption" style="{CAPTION}">{escape_html(caption)}</p>',
            "text/markdown": escape_markdown(caption),
            "text/plain": replace_controls(caption),
        },
        {},
    )


def add_caption(caption: str | None, parameters: Output) -> Output:
    """Return the output with a caption above all else, if there is one."""
    if not caption:
        return parameters
    above = build_caption(caption).data
    between = {"text/html": "", "text/markdown": "\n\n", "text/plain": "\n\n"}
    return Output({kind: above[kind] + between[kind] + data for kind, data in parameters.data.items()}, {})


def table_of(known: Mapping[str, str | Markup]) -> Table:
    """Return a table of names and values; HTML keeps the lines of those that somebody typed."""
    return Table((), tuple((name, _value(name, value)) for name, value in known.items()))


def _value(name: str, value: str | Markup) -> Markup:
    if isinstance(value, Markup):
        return value
    typed = name in {"prompt", "template", "sent"}
    shown = fold(value, PROMPT, name=f"flux-{name}") if typed else escape_html(value)
    return Markup(shown, make_printable(value))


def list_facts(record: Record) -> dict[str, str]:
    """Return seed, size, steps and the other parameters as a person reads them."""
    return {
        "seed": describe_seed(record),
        "size": describe_size(record),
        "steps": describe_steps(record),
        **list_other_parameters(record),
    }


def list_other_parameters(record: Record) -> dict[str, str]:
    """Return the parameters beside seed, size and steps, by name, with the requested value if it differs."""
    asked = record.requested_parameters
    shown = {name: make_printable(format_value(value)) for name, value in record.parameters.items()}
    differing = [name for name in asked if name in shown and asked[name] != record.parameters[name]]
    others = {name: f" (asked for {format_value(asked[name])})" for name in differing}
    return {make_printable(name): value + others.get(name, "") for name, value in shown.items()}


def list_sent_values(record: Record) -> dict[str, str]:
    """Return what else was sent, and that the prompt may have been rewritten; empty if there is nothing to say."""
    shown = make_printable(format_values(record.sent))
    sent = {"sent": shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"} if shown else {}
    return {**sent, **({"note": describe_rewrites(record.rewrites)} if record.rewrites else {})}


_LONGEST = 300
"""Characters that are shown of what else was sent."""


def describe_model(record: Record) -> str:
    """Return the model's name, with who served it, or a note that it is not FLUX if the local Space drew the image."""
    name = make_printable(record.model)
    if served := record.circumstances.details.get("served_by"):
        return f"{name} (served by {make_printable(served)})"
    return f"{name} (the local Space's drawing, not FLUX)" if record.stand_in else name


def describe_seed(record: Record) -> str:
    """Return the seed that was used, and the requested one if it differs; such an image cannot be requested again."""
    shown = UNKNOWN if record.seed is None else str(record.seed)
    other = record.requested_seed is not None and record.requested_seed != record.seed
    how = make_printable(record.circumstances.details.get("seed", ""))  # what an engine knows of it
    return f"{shown} (asked for {record.requested_seed})" if other else f"{shown} ({how})" if how else shown


def describe_rewrites(rewrites: Sequence[str]) -> str:
    """Return in words that a Space may have rewritten the prompt, and by which of its parameters."""
    return f"the Space may have rewritten the prompt ({', '.join(map(make_printable, rewrites))})"


def describe_steps(record: Record) -> str:
    """Return the steps that were sent; "unknown" if they were left to the model, and it did not tell."""
    asked = "" if record.requested_steps is None else f" (asked for {record.requested_steps})"
    return f"{UNKNOWN}{asked}" if record.steps is None else str(record.steps)


def describe_size(record: Record) -> str:
    """Return the delivered size in pixels, and the requested one if it differs."""
    made, asked = format_made_size(record), f"{record.requested_width}×{record.requested_height}"
    is_left = record.requested_width is None or record.requested_height is None
    return made if is_left or made == asked else f"{made} (asked for {asked})"


def format_made_size(record: Record) -> str:
    """Return the delivered size in pixels; for several files each size once."""
    return ", ".join(dict.fromkeys(f"{file.width}×{file.height}" for file in record.files))
