"""The report on a capsule: a table for a terminal, JSON, and a page."""

from __future__ import annotations

import html
import json
from collections import Counter
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Any, Final

from ..errors import format_count
from ..results.table import Markup, Table, as_html, as_text, escape_html
from ..types import fit_one_line
from ..verify.report import WIDE, Report, render_fragment, wrap_page
from ..verify.verdict import Status, describe_credentials
from .check import Checked, Finding
from .manifest import Manifest

_MOST_WHY: Final = 1000


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The findings about a capsule; as a string, a table.

    Attributes:
        name: the name of its file.
        manifest: what it says of itself.
        checked: the findings of the check that runs nothing.
        cells: a finding for each cell that was run; empty if none was.
        not_run: why no cell was run, in words; "" if they were.
        live: what the models give today; None if they were not asked.
        notes: what the user should know, a line each.
    """

    name: str
    manifest: Manifest
    checked: Checked
    cells: tuple[Finding, ...] = ()
    not_run: str = ""
    live: Report | None = None
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True if all is as it was packed, every cell shows what it saved, and the models still do, if asked."""
        cells = all(one.passed for one in self.cells)
        return self.checked.passed and cells and (self.live is None or self.live.passed)

    @property
    def exit_code(self) -> int:
        """The value 0 if the capsule passed, otherwise 1."""
        return 0 if self.passed else 1

    @property
    def summary(self) -> str:
        """The counts in a sentence."""
        changed = len(self.checked.findings)
        parts = [
            f"{format_count(changed, 'alteration')} since it was packed" if changed else "all files as packed",
            f"images: {self.checked.images.summary}",
        ]
        if self.not_run:
            parts.append(f"the cells were not run: {self.not_run}")
        else:
            passed = sum(one.passed for one in self.cells)
            parts.append(f"{passed} of {format_count(len(self.cells), 'cell')} as saved")
        if self.live is not None:
            parts.append(f"the models today: {self.live.summary}")
        good = "intact" if self.not_run else "reproduced"
        return f"{good if self.passed else f'not {good}'}: {'; '.join(parts)}"

    def __str__(self) -> str:
        lines = _format(self.checked.findings)
        lines += _format_images(self.checked.images)
        lines += _format(self.cells)
        if self.live is not None:
            lines += ["the models today:", *_drop_summary(self.live)]
        return "\n".join([*lines, *map(_fit, self.notes), self.summary])

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values without images."""
        return {
            "schema": 1,
            "capsule": self.name,
            "title": self.manifest.title,
            "passed": self.passed,
            "summary": self.summary,
            "files": self.checked.files,
            "altered": [_convert(one) for one in self.checked.findings],
            "images": self.checked.images.as_dict(),
            "cells": [_convert(one) for one in self.cells],
            "not_run": self.not_run or None,
            "live": self.live and self.live.as_dict(),
            "notes": list(self.notes),
        }

    def format_json(self) -> str:
        """Return `as_dict` as a JSON string in ASCII, with a line end."""
        return f"{json.dumps(self.as_dict(), indent=1)}\n"

    def format_html(self) -> str:
        """Return a whole page that loads nothing from anywhere, with everything escaped."""
        parts = [
            f"<h1>Is {html.escape(fit_one_line(self.name))} as it was packed?</h1>",
            f"<p>{html.escape(fit_one_line(self.manifest.title))}</p>",
            f"<p><strong>{escape_html(self.summary)}</strong></p>",
        ]
        if self.notes:
            parts.append(f"<ul>{''.join(f'<li>{escape_html(_fit(note))}</li>' for note in self.notes)}</ul>")
        for title, findings in (("Altered since it was packed", self.checked.findings), ("Cells", self.cells)):
            if findings:
                parts += [f"<h2>{title}</h2>", as_html(Table(("place", "state", "why"), _rows(findings)), between="\n")]
        parts += ["<h2>Images</h2>", render_fragment(self.checked.images)]
        if self.live is not None:
            parts += ["<h2>What the models give today</h2>", render_fragment(self.live)]
        return wrap_page(f"flux-magic reproduce: {self.summary}", "\n".join(parts))


def _fit(text: str) -> str:
    return fit_one_line(text, _MOST_WHY)


def _convert(one: Finding) -> dict[str, str]:
    return {"label": one.label, "state": one.state, "why": one.why}


def _rows(findings: tuple[Finding, ...]) -> tuple[tuple[str | Markup, ...], ...]:
    return tuple((one.label, f"{'✓' if one.passed else '✗'} {one.state}", _fit(one.why)) for one in findings)


def _format(findings: tuple[Finding, ...]) -> list[str]:
    """Return a line for each finding, with its reason below it."""
    if not findings:
        return []
    table = as_text(Table((), tuple((one.state, fit_one_line(one.label, WIDE), "") for one in findings)))
    indent = " " * (max(len(one.state) for one in findings) + 2)
    lines: list[str] = []
    for head, one in zip(table.split("\n"), findings, strict=False):
        lines.append(head.rstrip())
        lines += wrap(_fit(one.why), WIDE, initial_indent=indent, subsequent_indent=indent)
    return [*lines, ""]


def _format_images(report: Report) -> list[str]:
    """Return the table of a report without its summary: of credentials that are in order, it says the signer once."""
    signed: Counter[str] = Counter()
    verdicts = []
    for one in report.verdicts:
        told, why = one.credentials, one.why
        parts = told.ingredients if told else ()
        if (
            told
            and told.state == "intact"
            and one.status is Status.PASS
            and all(part.state in {"intact", "unsigned"} for part in parts)
        ):
            why = why.removesuffix("; ".join(describe_credentials(told))).removesuffix("; ")
            signed[str(replace(told, signed="", stamped=""))] += 1
        verdicts.append(replace(one, why=why))
    lines = _drop_summary(replace(report, verdicts=tuple(verdicts)))
    said = [f"{format_count(number, 'image')} {_fit(who)}" for who, number in signed.items()]
    return [*lines, *(line for one in said for line in wrap(one, WIDE))]


def _drop_summary(report: Report) -> list[str]:
    """Return the table of a report without its last line, which is part of the whole summary."""
    return repr(report).split("\n")[:-1]
