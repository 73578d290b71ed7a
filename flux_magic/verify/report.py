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
from ..images.formats import media_type_of
from ..results.table import Markup, Table, as_html, as_text, html_text
from ..types import one_line
from .similarity import Grade
from .verdict import Outcome, Status, Verdict

WIDE: Final = 100
"""Columns of the table, where labels leave it the room."""

_ORDER: Final = [
    *(grade.value for grade in Grade if grade is not Grade.DIFFERENT),
    *(outcome.value for outcome in Outcome if outcome.is_sound),
    *(Grade.DIFFERENT.value, Outcome.ALTERED.value, Outcome.EDITED.value, Status.UNCHECKED.value),
]


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What a check found: in text a table, and a notebook shows the pairs side by side.

    Attributes:
        verdicts: one a picture, in order.
        others: how many pictures of the notebooks are not of flux_magic.
        problems: what could not be read, a line for each.
        live: whether the pictures were made anew, else they were compared with their records alone.
    """

    verdicts: tuple[Verdict, ...]
    others: int = 0
    problems: tuple[str, ...] = ()
    live: bool = False

    @property
    def passed(self) -> bool:
        """Whether there is a picture, every one passes, and everything could be read."""
        return bool(self.verdicts) and not self.problems and all(one.status is Status.PASS for one in self.verdicts)

    @property
    def exit_code(self) -> int:
        """0 where it passed, else 1."""
        return 0 if self.passed else 1

    @property
    def counts(self) -> dict[str, int]:
        """How many were called what, passes first."""
        counted = Counter(one.called for one in self.verdicts)
        return {name: counted[name] for name in _ORDER if counted[name]}

    @property
    def summary(self) -> str:
        """The counts in a sentence: `75 of 100 pass: 75 same bytes; 20 different, 5 cannot be checked`."""
        if not self.verdicts:
            return "no image of flux_magic found"
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
        """What else there is to say: the problems, and that there are pictures of others."""
        others = {0: [], 1: ["1 other picture is not of flux_magic"]}
        return [
            *(one_line(problem, 1000) for problem in self.problems),
            *others.get(self.others, [f"{self.others} other pictures are not of flux_magic"]),
        ]

    def __repr__(self) -> str:
        return "\n".join([*_table(self.verdicts), *self.notes, self.summary])

    def _repr_html_(self) -> str:
        return fragment(self, small=True)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values, by the schema `flux_magic/verify/report-1.json`; it holds no pictures."""
        return {
            "schema": 1,
            "live": self.live,
            "passed": self.passed,
            "summary": self.summary,
            "counts": self.counts,
            "images": [_as_dict(one) for one in self.verdicts],
            "others": self.others,
            "problems": list(self.problems),
        }

    def as_json(self) -> str:
        """`as_dict` as a text of ASCII letters, with a line end."""
        return f"{json.dumps(self.as_dict(), indent=1)}\n"


def _as_dict(one: Verdict) -> dict[str, Any]:
    return {
        "label": one.label,
        "status": one.status.value,
        "called": one.called,
        "static": one.static.value,
        "grade": one.grade and one.grade.value,
        "distance": one.distance,
        "why": one.why,
        "record": one.record and one.record.as_dict(),
    }


def _table(verdicts: tuple[Verdict, ...]) -> list[str]:
    """A line for each picture, and its reasons below it."""
    table = Table((), tuple((one.called, one.figure, one_line(one.label), "") for one in verdicts))
    indent = " " * (max((len(one.called) for one in verdicts), default=0) + 2)
    lines: list[str] = []
    for head, one in zip(as_text(table).split("\n"), verdicts, strict=False):
        lines.append(f"{head}{_prompt(one, max(WIDE - len(head), 20))}".rstrip())
        lines += wrap(one_line(one.why, 1000), WIDE, initial_indent=indent, subsequent_indent=indent)
    return [*lines, ""] if lines else []


def _prompt(one: Verdict, room: int) -> str:
    if one.record is None:
        return ""
    seed = "" if one.record.seed is None else f"seed {one.record.seed}: "
    return one_line(f"{seed}{one.record.prompt}", room)


_LONGEST: Final = 320
"""Pixels of a picture's longer side where there is nothing to be compared by an eye."""
_SMALL: Final = 96
"""The same, within a notebook."""

_LEFT: Final = "text-align:left"
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
    """Return a whole page that loads nothing from anywhere, readable in light and dark, with everything escaped."""
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
        table = Table(columns, tuple(_row(one, live=report.live, small=small) for one in report.verdicts))
        parts.append(as_html(table, cell=_LEFT, between="\n"))
    return "\n".join(part for part in parts if part)


def _row(one: Verdict, *, live: bool, small: bool) -> tuple[str | Markup, ...]:
    mark = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNCHECKED: "?"}[one.status]
    figure = f"<br>distance {one.figure}" if one.figure else ""
    marked = Markup(f"{mark} {html_text(one.called)}{figure}")
    images = [Markup(_image(one, one.embedded, "as it is here", small=small))]
    if live:
        images.append(Markup(_image(one, one.remade, "made anew", small=small)))
    return one_line(one.label), marked, *images, Markup(_made_from(one)), one_line(one.why, 1000)


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
