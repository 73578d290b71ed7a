"""Tables in HTML, Markdown and plain text, and the markup that keeps a prompt from being read as any."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import replace_controls
from ..types import escape_markdown

WRAPPED = "white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere"
"""The CSS of lines that break between words; JupyterLab breaks those of an output anywhere."""

LONGEST = 8
"""Largest number of lines that are shown unfolded."""

_FIRST = 2
"""Lines that a folded string shows."""

_WIDTH = 80
"""Characters in a line of a string, roughly."""

_PLAIN = "margin:0;padding:0;font:inherit;color:inherit;background:none;white-space:pre-wrap"


@dataclass(frozen=True, slots=True)
class Markup:
    """A value that HTML shows in a way of its own.

    Attributes:
        html: the markup, written as it is.
        plain: the value on one line, as Markdown and text show it.
    """

    html: str
    plain: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values.

    Attributes:
        columns: their names; empty if each row is a name and a value.
        rows: as many values each as there are columns; all are escaped, except for the HTML of a Markup.
        has_names: True if the first value of a row names it.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | Markup, ...], ...]
    has_names: bool = True


def as_html(table: Table, *, style: str = "", cell: str = "", between: str = "", name: str = "") -> str:
    """Return a `table` element.

    `style` and `cell` are its CSS and that of each cell, `between` separates the rows, and `name` is its class.
    """
    css = f' style="{cell}"' if cell else ""
    head = "".join(f'<th scope="col"{css}>{escape_html(name)}</th>' for name in table.columns)
    rows = []
    for row in table.rows:
        cells = [f"<td{css}>{_html(value)}</td>" for value in row]
        if table.has_names:
            cells[0] = f'<th scope="row"{css}>{_html(row[0])}</th>'
        rows.append(f"<tr>{''.join(cells)}</tr>")
    named = f' class="{name}"' if name else ""
    parts = [
        f'<table{named} style="{style}">' if style else f"<table{named}>",
        *([f"<thead><tr>{head}</tr></thead>"] if head else []),
        *("<tbody>", *rows, "</tbody>"),
        "</table>",
    ]
    return between.join(parts)


def as_markdown(table: Table) -> str:
    """Return a table of Markdown's; without columns its head is empty, and the names are bold."""
    rows = [[escape_markdown(_plain(value)) for value in row] for row in table.rows]
    if not table.columns:
        rows = [[f"**{name}**", *values] for name, *values in rows]
        head = "| | |"
    else:
        head = f"| {' | '.join(map(escape_markdown, table.columns))} |"
    line = f"|{'---|' * (len(table.columns) or 2)}"
    return "\n".join([head, line, *(f"| {' | '.join(row)} |" for row in rows)])


def as_text(table: Table, *, least: int = 0, gap: int = 2) -> str:
    """Return lines in which all columns but the last are padded to the longest value.

    The first is at least `least` characters wide; `gap` spaces follow each. A line end in the last value continues it
    below itself.
    """
    named = [table.columns] if table.columns else []
    rows = [[_plain(value) for value in row] for row in [*named, *table.rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    widths[:1] = [max(least, width) for width in widths[:1]]
    indent = f"\n{' ' * (sum(widths) + gap * len(widths))}"
    return "\n".join(_line(row, widths, gap) + row[-1].replace("\n", indent) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int], gap: int) -> str:
    return "".join(f"{value:<{width}}{' ' * gap}" for value, width in zip(row, widths, strict=False))


def _plain(value: str | Markup) -> str:
    return value.plain if isinstance(value, Markup) else value


def _html(value: str | Markup) -> str:
    return value.html if isinstance(value, Markup) else escape_html(value)


def pre(text: str, style: str, *, name: str = "", title: str = "") -> str:
    """Return a `pre` element, which keeps lines, and keeps MathJax from reading what is between dollars.

    It may have a class, its `name`, and a `title`.
    """
    known = {"class": name, "style": style, "title": title}
    given = "".join(f' {key}="{value}"' for key, value in known.items() if value)
    return f"<pre{given}>{render_lines(text)}</pre>"


def is_long(text: str) -> bool:
    """Return True for a string of more lines than are shown unfolded."""
    return sum(1 + len(line) // _WIDTH for line in text.split("\n")) > LONGEST


def fold(text: str, style: str, *, name: str = "") -> str:
    """Return a `pre` element, or for a long string a `details` element that shows the first lines and unfolds the rest.

    The lines are divided between two words, so that both parts read as one.
    """
    if not is_long(text):
        return pre(text, style, name=name)
    head = "\n".join(text.split("\n")[:_FIRST])[: _FIRST * _WIDTH]
    at = len(head) if text[len(head)].isspace() else max(head.rfind(" "), head.rfind("\n"))
    at = at if at > 0 else len(head)
    rest = text[at + 1 :] if text[at].isspace() else text[at:]
    # A summary is a list item, and a `pre` in it would begin below its mark.
    summary = f'<summary style="{style};cursor:pointer">{escape_html(text[:at])}</summary>'
    return f'<details class="{name}">{summary}{pre(rest, style)}</details>'


def render_lines(text: str) -> str:
    """Return the content of a `pre`, whose first line end a browser drops."""
    return "&#10;" + escape(text)


def escape(text: str) -> str:
    """Return a string escaped for HTML, line ends as references: an empty line within Markdown would end the HTML."""
    return html.escape(replace_controls(text)).replace("\n", "&#10;")


def escape_html(text: str) -> str:
    """Return a string as HTML in which MathJax, which reads no `code`, finds nothing to set."""
    return f'<code style="{_PLAIN}">{escape(text)}</code>' if re.search(r"[$\\]", text) else escape(text)


def fence(text: str) -> str:
    """Return a block of Markdown with `text` as it is, in a fence longer than any in there."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


_LONG = 30
"""Characters from which a part may be broken: it would not fit beside others."""


def keep_together(parts: Sequence[str]) -> str:
    """Return parts in a row as HTML, none of which is broken; the comma between two stays with the first."""
    ends = [","] * (len(parts) - 1) + [""]
    return " ".join(
        f'<span style="white-space:nowrap">{escape_html(part)}{end}</span>'
        if len(part) < _LONG
        else f"{escape_html(part)}{end}"
        for part, end in zip(parts, ends, strict=True)
    )
