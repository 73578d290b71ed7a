"""A report as a page of its own: the pairs side by side, nothing loaded from anywhere, readable in light and dark."""

from __future__ import annotations

import base64
import html
from typing import Final

from ..errors import NotAnImage
from ..images import codecs
from ..images.formats import media_type_of
from ..results.output import html_text
from ..types import one_line
from .report import Report
from .verdict import Grade, Status, Verdict

_LONGEST: Final = 320
"""Pixels of a picture's longer side where there is nothing to be compared by an eye."""
_SMALL: Final = 96
"""The same, within a notebook."""

_LEFT: Final = 'style="text-align:left"'
"""In a notebook, whose own style sets tables to the right."""

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 1.5rem; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .5rem; border-top: 1px solid #8888; overflow-wrap: anywhere; }
td { min-width: 9ch; max-width: 40ch; }
img { max-width: min(320px, 24vw); height: auto; display: block; }
"""


def report_html(report: Report) -> str:
    """A whole page: self-contained, with everything in it escaped."""
    title = html.escape(f"flux-magic verify: {report.summary}")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>Are these still the images that their records make?</h1>\n"
        f"{fragment(report)}\n</main>\n</body>\n</html>\n"
    )


def fragment(report: Report, *, small: bool = False) -> str:
    """What a report says, as HTML for within a page or a notebook, where its pictures are `small`."""
    notes = "".join(f"<li>{html_text(note)}</li>" for note in report.notes)
    parts = [f"<p><strong>{html_text(report.summary)}</strong></p>", f"<ul>{notes}</ul>" if notes else ""]
    if report.verdicts:
        columns = ("image", "called", "as it is here", *(("made anew",) if report.live else ()), "made from", "why")
        head = "".join(f'<th scope="col" {_LEFT}>{column}</th>' for column in columns)
        rows = "\n".join(_row(one, live=report.live, small=small) for one in report.verdicts)
        parts.append(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>")
    return "\n".join(part for part in parts if part)


def _row(one: Verdict, *, live: bool, small: bool) -> str:
    mark = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNCHECKED: "?"}[one.status]
    figure = f"<br>distance {one.figure}" if one.figure else ""
    cells = [f"{mark} {html_text(one.called)}{figure}", _image(one, one.embedded, "as it is here", small=small)]
    if live:
        cells.append(_image(one, one.remade, "made anew", small=small))
    cells += [_made_from(one), html_text(one_line(one.why, 1000))]
    row = "".join(f"<td {_LEFT}>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row" {_LEFT}>{html_text(one_line(one.label))}</th>{row}</tr>'


def _made_from(one: Verdict) -> str:
    record = one.record
    if record is None:
        return "no record"
    facts = f"seed {record.seed}, {record.steps} steps, {record.width}×{record.height}, {record.model}, {record.space}"
    return f"{html_text(one_line(record.prompt, 400))}<br>{html_text(one_line(facts))}"


def _image(one: Verdict, data: bytes | None, which: str, *, small: bool) -> str:
    """The picture as a data URI: as it is where an eye has to judge, else smaller."""
    if data is None:
        return "no picture"
    same = one.grade in {Grade.SAME_BYTES, Grade.SAME_PIXELS} or (one.grade is None and one.status is Status.PASS)
    try:
        if small or same:
            data = codecs.thumbnail(data, _SMALL if small else _LONGEST)
    except NotAnImage:
        return "a picture that cannot be read"
    kind = media_type_of(data)
    if kind is None:
        return "a picture that cannot be read"
    prompt = one.record.prompt if one.record else "a picture without a record"
    alt = html.escape(f"{which}: {one_line(prompt, 400)}")
    return f'<img src="data:{kind};base64,{base64.b64encode(data).decode()}" alt="{alt}">'
