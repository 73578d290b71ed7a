"""A sheet as a figure of matplotlib, with an `Axes` for each image, and its labels as text."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra
from . import lettering
from .sheet import Lines, Sheet
from .sheet_svg import place_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INSTALL = 'pip install "flux-magic[figure]"'


def build_figure(sheet: Sheet, dpi: float, alt: str) -> Figure:
    """Return a sheet as a figure that looks the same. Raises MissingExtra, an ImportError, without matplotlib."""
    width, height = sheet.plan.size
    figure: Figure = _load_class()(figsize=(width / dpi, height / dpi), dpi=dpi)
    vars(figure)["alt"] = alt
    if sheet.paint.paper:
        figure.set_facecolor(sheet.paint.paper)
    else:
        figure.patch.set_alpha(0)
    for left, top, right, bottom in sheet.empty:
        box = (left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height)
        figure.add_axes(box, facecolor=sheet.paint.empty, xticks=[], yticks=[], frame_on=True, label="missing").spines[
            :
        ].set_visible(False)
    for left, top, right, bottom in sheet.boxes.values():
        box = (left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height)
        axes = figure.add_axes(box)
        axes.imshow(sheet.crop((left, top, right, bottom)).convert("RGB"), aspect="auto")
        axes.set_axis_off()
    for label in sheet.list_lines():
        _write(figure, sheet, label, 72 / dpi)
    return figure


def _write(figure: Any, sheet: Sheet, label: Lines, points: float) -> None:
    width, height = sheet.plan.size
    for line, x, y in place_lines(label):
        figure.text(
            x / width,
            1 - y / height,
            line.replace("$", r"\$"),
            fontsize=label.size * points,
            family=_list_families(line, sheet.plan.font),
            color=sheet.paint.pale_ink if label.is_pale else sheet.paint.ink,
            ha={"l": "left", "m": "center", "r": "right"}[label.anchor],
            va="baseline",
            rotation=90 if label.turned else 0,
            rotation_mode="anchor",
        )


def _list_families(text: str, font: str) -> list[str]:
    """Return the families of a string's fonts, which matplotlib then knows."""
    from matplotlib import font_manager

    files = list(dict.fromkeys([*([font] if font else []), *(file for file, _ in lettering.split_by_font(text, font))]))
    known = {one.fname for one in font_manager.fontManager.ttflist}
    for file in files:
        if file not in known:
            font_manager.fontManager.addfont(file)
    return list(dict.fromkeys([*map(lettering.get_family, files), "DejaVu Sans"]))


@functools.cache
def _load_class() -> Any:
    """Return the class of the figure: a notebook shows it without pyplot, with its alternative text."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra(f"a figure needs matplotlib, which is not installed: {INSTALL}") from error

    class SheetFigure(Figure):
        """A figure of a sheet."""

        alt = ""

        def _repr_png_(self) -> tuple[bytes, dict[str, str]]:
            out = io.BytesIO()
            self.savefig(out, format="png", dpi=min(self.dpi, 150))
            return out.getvalue(), {"alt": self.alt}

    return SheetFigure
