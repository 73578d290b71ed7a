"""A sheet as SVG: its images are embedded as PNG, and its labels are text."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from . import lettering
from .sheet import Box, Lines, Sheet

_ANCHORS: Final = {"l": "start", "m": "middle", "r": "end"}
_CSS_PIXELS: Final = 96
"""Pixels of CSS in an inch."""


def write_svg(sheet: Sheet, dpi: float, alt: str) -> str:
    """Return a sheet as SVG that prints at this many pixels an inch; `alt` is its alternative text."""
    width, height = sheet.plan.size
    families = [*([lettering.get_family(sheet.plan.font)] if sheet.plan.font else []), "DejaVu Sans", "Verdana"]
    fonts = ", ".join([*(f"'{family}'" for family in families), "sans-serif"])
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width / dpi * _CSS_PIXELS:g}" height="{height / dpi * _CSS_PIXELS:g}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family={quoteattr(fonts)}>'
    )
    return "\n".join(
        [
            head,
            f"<title>{escape(alt)}</title>",
            *([_draw_box((0, 0, width, height), sheet.paint.paper)] if sheet.paint.paper else []),
            *(_draw_box(box, sheet.paint.empty) for box in sheet.empty),
            *(_embed(sheet, box) for box in sheet.boxes.values()),
            *(line for label in sheet.list_lines() for line in _write(sheet, label)),
            "</svg>\n",
        ]
    )


def _draw_box(box: Box, colour: str) -> str:
    left, top, right, bottom = box
    return f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="{colour}"/>'


def _embed(sheet: Sheet, box: Box) -> str:
    out = io.BytesIO()
    sheet.crop(box).convert("RGB").save(out, "PNG")
    left, top, right, bottom = box
    place = f'x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"'
    # The programs of a print shop read the older name.
    return f'<image {place} xlink:href="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"/>'


def _write(sheet: Sheet, label: Lines) -> Iterator[str]:
    colour = sheet.paint.pale_ink if label.is_pale else sheet.paint.ink
    for line, x, y in place_lines(label):
        turn = f' transform="rotate(-90 {x:g} {y:g})"' if label.turned else ""
        yield (
            f'<text x="{x:g}" y="{y:g}" font-size="{label.size}" fill="{colour}" '
            f'text-anchor="{_ANCHORS[label.anchor]}"{turn}>{escape(line)}</text>'
        )


def place_lines(label: Lines) -> Iterator[tuple[str, float, float]]:
    """Yield each line of a label with the point on its baseline where its anchor is."""
    across, along = label.at if label.turned else label.at[::-1]
    for line, foot in zip(label.lines, lettering.list_baselines(len(label.lines), label.size, across), strict=True):
        yield (line, foot, along) if label.turned else (line, along, foot)
