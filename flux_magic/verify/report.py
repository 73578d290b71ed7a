"""The report of a whole check: a table for a terminal, JSON, and a page with the pairs side by side."""

from __future__ import annotations

import base64
import html
import json
from collections import Counter
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from ..errors import NotAnImage
from ..images import codecs
from ..images.formats import detect_media_type
from ..records.signing import ALTERED, DAMAGED, EXPIRED, INVALID
from ..results import output
from ..results.table import Markup, Table, as_html, as_text, escape_html, keep_together
from ..types import fit_one_line
from .similarity import Grade
from .verdict import Outcome, Status, Verdict

WIDE: Final = 100
"""Columns of the table if the labels leave enough room."""

_ORDER: Final = [
    *(grade.value for grade in Grade if grade is not Grade.DIFFERENT),
    *(outcome.value for outcome in Outcome if outcome.is_sound),
    *(Grade.DIFFERENT.value, Outcome.ALTERED.value, Outcome.EDITED.value),
    *(ALTERED, DAMAGED, INVALID, EXPIRED, Status.UNCHECKED.value),
]


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The findings of a check: a table in text, and the pairs side by side in a notebook.

    Attributes:
        verdicts: one for each image, in order.
        others: how many images of the notebooks are not from flux_magic.
        problems: what could not be read, a line for each.
        live: whether the images were regenerated; otherwise they were only compared with their records.
    """

    verdicts: tuple[Verdict, ...]
    others: int = 0
    problems: tuple[str, ...] = ()
    live: bool = False

    @property
    def passed(self) -> bool:
        """True if there is an image, every image passes, and everything could be read."""
        return bool(self.verdicts) and not self.problems and all(one.status is Status.PASS for one in self.verdicts)

    @property
    def exit_code(self) -> int:
        """The value 0 if the check passed, otherwise 1."""
        return 0 if self.passed else 1

    @property
    def counts(self) -> dict[str, int]:
        """The number of images with each result, passes first."""
        counted = Counter(one.called for one in self.verdicts)
        return {name: counted[name] for name in _ORDER if counted[name]}

    @property
    def summary(self) -> str:
        """The counts in a sentence: `75 of 100 pass: 75 same bytes; 20 different, 5 cannot be checked`."""
        if not self.verdicts:
            return "no image from flux_magic found"
        passes = Counter(one.called for one in self.verdicts if one.status is Status.PASS)
        said = [
            ", ".join(f"{number} {name}" for name, number in self.counts.items() if (name in passes) is passing)
            for passing in (True, False)
        ]
        head = f"{passes.total()} of {len(self.verdicts)} pass"
        unread = [f"{len(self.problems)} with a problem"] if self.problems else []
        return f"{head}: {'; '.join(part for part in [*said, *unread] if part)}"

    @property
    def notes(self) -> list[str]:
        """The problems, and the number of images from other tools."""
        others = {0: [], 1: ["1 other image is not from flux_magic"]}
        return [
            *(fit_one_line(problem, 1000) for problem in self.problems),
            *others.get(self.others, [f"{self.others} other images are not from flux_magic"]),
        ]

    def __repr__(self) -> str:
        return "\n".join([*_format_table(self.verdicts), *self.notes, self.summary])

    def _repr_html_(self) -> str:
        return render_fragment(self, small=True)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values without images, by the schema `flux_magic/verify/report-1.json`."""
        return {
            "schema": 1,
            "live": self.live,
            "passed": self.passed,
            "summary": self.summary,
            "counts": self.counts,
            "images": [_convert_verdict(one) for one in self.verdicts],
            "others": self.others,
            "problems": list(self.problems),
        }

    def format_json(self) -> str:
        """Return `as_dict` as a JSON string in ASCII, with a line end."""
        return f"{json.dumps(self.as_dict(), indent=1)}\n"


def _convert_verdict(one: Verdict) -> dict[str, Any]:
    signed = one.credentials
    credentials = {"signature": signed.verdict, "credentials": signed.as_dict()} if signed else {}
    return {
        "label": one.label,
        "status": one.status.value,
        "called": one.called,
        "static": one.static.value,
        "grade": one.grade and one.grade.value,
        "distance": one.distance,
        "why": one.why,
        "record": one.record and one.record.as_dict(),
        **credentials,
    }


def _format_table(verdicts: tuple[Verdict, ...]) -> list[str]:
    """Return a line for each image, with its reasons below it."""
    table = Table((), tuple((one.called, one.figure, fit_one_line(one.label), "") for one in verdicts))
    indent = " " * (max((len(one.called) for one in verdicts), default=0) + 2)
    lines: list[str] = []
    for head, one in zip(as_text(table).split("\n"), verdicts, strict=False):
        lines.append(f"{head}{_format_prompt(one, max(WIDE - len(head), 20))}".rstrip())
        lines += wrap(fit_one_line(one.why, 1000), WIDE, initial_indent=indent, subsequent_indent=indent)
    return [*lines, ""] if lines else []


def _format_prompt(one: Verdict, room: int) -> str:
    if one.record is None:
        return ""
    seed = "" if one.record.seed is None else f"seed {one.record.seed}: "
    return fit_one_line(f"{seed}{one.record.prompt}", room)


_LONGEST: Final = 320
"""Pixels of an image's longer side if it need not be compared by eye."""
_SMALL: Final = 96
"""The same, within a notebook."""

_LEFT: Final = "text-align:left"
"""Style for a notebook, whose own style aligns tables to the right."""

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 1.5rem; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .5rem; border-top: 1px solid #8888; overflow-wrap: anywhere; }
th, td { min-width: 9ch; max-width: 40ch; }
img { max-width: min(320px, 24vw); height: auto; display: block; }
@media (max-width: 700px) {
  thead { display: none; }
  tr { display: block; border-top: 1px solid #8888; padding: .5rem 0; }
  tbody th, td { display: block; max-width: none; border: 0; padding: .1rem 0; }
  td:empty { display: none; }
  td:nth-child(3)::before { content: "as it is here"; }
  .live td:nth-child(4)::before { content: "regenerated"; }
  img { max-width: 100%; }
}
@media print {
  :root { color-scheme: light; }
  tr { break-inside: avoid; }
}
"""


def report_html(report: Report) -> str:
    """Return a whole page that loads nothing from anywhere, readable in light and dark, with everything escaped."""
    body = f"<h1>Do the records still make these images?</h1>\n{render_fragment(report)}"
    return wrap_page(f"flux-magic verify: {report.summary}", body, live=report.live)


def wrap_page(title: str, body: str, *, live: bool = False) -> str:
    """Return a whole page with this body of HTML; `live` says if its tables have a column of regenerated images."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{'<main class=live>' if live else '<main>'}\n{body}\n</main>\n</body>\n</html>\n"
    )


def render_fragment(report: Report, *, small: bool = False) -> str:
    """Return a report as HTML for a page, or with `small` images for a notebook."""
    notes = "".join(f"<li>{escape_html(note)}</li>" for note in report.notes)
    parts = [f"<p><strong>{escape_html(report.summary)}</strong></p>", f"<ul>{notes}</ul>" if notes else ""]
    if report.verdicts:
        columns = ("image", "called", "as it is here", *(("regenerated",) if report.live else ()), "made from", "why")
        table = Table(columns, tuple(_row(one, live=report.live, small=small) for one in report.verdicts))
        parts.append(as_html(table, cell=_LEFT, between="\n"))
    return "\n".join(part for part in parts if part)


def _row(one: Verdict, *, live: bool, small: bool) -> tuple[str | Markup, ...]:
    mark = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNCHECKED: "?"}[one.status]
    figure = f"<br>distance {one.figure}" if one.figure else ""
    signed = f"<br>{escape_html(one.signature)}" if one.signature not in {"", one.called} else ""
    marked = Markup(f"{mark} {escape_html(one.called)}{figure}{signed}")
    images = [Markup(_image(one, one.embedded, "as it is here", small=small))]
    if live:
        images.append(Markup(_image(one, one.remade, "regenerated", small=small)))
    return fit_one_line(one.label), marked, *images, Markup(_describe_origin(one)), fit_one_line(one.why, 1000)


def _describe_origin(one: Verdict) -> str:
    record = one.record
    if record is None:
        return "no record"
    known = output.list_facts(record)
    steps = f"{known['steps']} step{'' if known['steps'] == '1' else 's'}"
    facts = [f"seed {record.seed}", steps, known["size"], record.model, record.space]
    shown = keep_together([fit_one_line(fact, 100) for fact in facts])
    return f"{one.inputs}{escape_html(fit_one_line(record.prompt, 400))}<br>{shown}"


def _image(one: Verdict, data: bytes | None, which: str, *, small: bool) -> str:
    """Return the image as a data URI: in full if a person has to compare it by eye, otherwise smaller."""
    if data is None:
        return "no image"
    same = one.grade in {Grade.SAME_BYTES, Grade.SAME_PIXELS} or (one.grade is None and one.status is Status.PASS)
    try:
        if small or same:
            data = codecs.make_thumbnail(data, _SMALL if small else _LONGEST)
    except NotAnImage:
        return "an image that cannot be read"
    kind = detect_media_type(data)
    if kind is None:
        return "an image that cannot be read"
    prompt = one.record.prompt if one.record else "an image without a record"
    alt = html.escape(f"{which}: {fit_one_line(prompt, 400)}")
    return f'<img src="data:{kind};base64,{base64.b64encode(data).decode()}" alt="{alt}">'
