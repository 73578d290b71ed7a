"""Two images of a gallery side by side, with what differs between their records."""

from __future__ import annotations

from typing import Final

from ...results.differences import describe_record, list_differing
from ...results.generation import Generation
from ...results.table import Markup, Table, as_html, escape_html, pre
from .detail import PROMPT, render_image

_LONGEST: Final = 768


def render_pair(first: Generation, second: Generation) -> str:
    """Return two images side by side as HTML, above a table of what differs; it may take 100 ms."""
    figures = "".join(
        f"<figure>{render_image(image, _LONGEST)}<figcaption>{name}</figcaption></figure>"
        for name, image in (("A", first), ("B", second))
    )
    return f'<div class="flux-gallery-pair">{figures}</div>{_render_differences(first, second)}'


def _render_differences(first: Generation, second: Generation) -> str:
    differing = list_differing(first, second)
    if not differing:
        return "<p>Their records are the same.</p>"
    rows = tuple(
        (name, *(Markup(pre(value, PROMPT), value) if name == "prompt" else value for value in values))
        for name, values in differing.items()
    )
    same = [name for name in describe_record(first) if name not in differing]
    also = f"<p>The same in both: {escape_html(', '.join(same))}</p>" if same else ""
    return as_html(Table(("", "A", "B"), rows), name="flux-gallery-differences") + also
