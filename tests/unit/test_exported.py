"""Alternative texts and empty outputs in what nbconvert exports, by all of its templates."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter, LatexExporter, MarkdownExporter, SlidesExporter

from flux_magic.pages.page import render
from flux_magic.results.generations import Generations
from flux_magic.sweeps.axes import Axis
from tests.unit.samples import encoded, generation

SHARE = Path(__file__).parents[2] / "flux_magic" / "jupyter" / "share"

OWN = 'A fox & "its" shadow, 50 % [of] {it}'
ALTS = [
    "a red fox",
    OWN,
    "a red fox: 2 images, seed 1, 2, one after the other",
]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return one with a slot that is empty again, an image, one with a text of the user's, and a sheet."""
    monkeypatch.setenv("JUPYTER_PATH", str(SHARE))
    one, own = (replace(generation(encoded()), only_image=True, alt=alt) for alt in ("", OWN))
    sheet = Generations([one, one], [Axis("seed", (1, 2))])
    shown = [*one.build_outputs(), *own.build_outputs(), *sheet.build_outputs()]
    outputs = [nbformat.v4.new_output("display_data", one.data, metadata=one.metadata) for one in shown]
    cell = nbformat.v4.new_code_cell("%flux", outputs=[nbformat.v4.new_output("display_data"), *outputs])
    return nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_code_cell("1", outputs=[_plain(shown[0].data)])])


def _plain(data: dict[str, str]) -> Any:
    """Return an image of another program's, which has no alternative text."""
    return nbformat.v4.new_output("display_data", {"image/png": data["image/png"]})


def _read_html(page: str) -> list[str]:
    return [str(image["alt"]) for image in BeautifulSoup(page, "html.parser").find_all("img")]


HTML_ALTS = [*ALTS, "No description has been provided for this image"]
LATEX = re.compile(r"(?:alt={(.*)}}\\fi\n *)?\\adjustimage{.*}{output_[0-9]_[0-9]\.\w+}")


@pytest.mark.parametrize(
    ("exporter", "read", "expected"),
    [
        pytest.param(lambda: HTMLExporter(template_name="lab"), _read_html, HTML_ALTS, id="lab"),
        pytest.param(lambda: HTMLExporter(template_name="classic"), _read_html, HTML_ALTS, id="classic"),
        pytest.param(lambda: HTMLExporter(template_name="basic"), _read_html, HTML_ALTS, id="basic"),
        pytest.param(SlidesExporter, _read_html, HTML_ALTS, id="slides"),
        pytest.param(
            MarkdownExporter,
            re.compile(r"!\[(.*)\]\(output_[0-9]_[0-9]\.\w+\)").findall,
            [ALTS[0], r'A fox \& "its" shadow, 50 % \[of\] {it}', ALTS[2], "png"],
            id="Markdown",
        ),
        pytest.param(
            LatexExporter,
            LATEX.findall,
            [ALTS[0], r'A fox \& "its" shadow, 50 \% [of] \{it\}', ALTS[2], ""],
            id="LaTeX",
        ),
    ],
)
def test_each_export_has_the_alternative_text_of_each_image(
    notebook: Any, exporter: Any, read: Callable[[str], list[str]], expected: list[str]
) -> None:
    """An empty output would be warned of, and a warning is an error here."""
    assert read(exporter().from_notebook_node(notebook)[0]) == expected


@pytest.mark.parametrize("template", ["lab", "a page"])
def test_only_a_small_image_of_ours_is_enlarged_without_blur(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, template: str
) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(SHARE))
    images = [replace(generation(encoded(size=(side, 64))), only_image=True) for side in (300, 64)]
    large, small = (one.build_outputs()[0] for one in images)
    theirs = nbformat.v4.new_output("display_data", {"image/png": small.data["image/png"]})
    theirs.metadata = {"image/png": {"width": 32}}  # as matplotlib has it for a fine screen
    outputs = [nbformat.v4.new_output("display_data", one.data, metadata=one.metadata) for one in (large, small)]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%flux", outputs=[*outputs, theirs])])
    if template == "a page":
        html = render(made, tmp_path / "one.ipynb", tmp_path / "one.html").html
    else:
        html = HTMLExporter(template_name="lab").from_notebook_node(made)[0]
    shown = BeautifulSoup(html, "html.parser").find_all("img")
    assert [(one.get("width"), one.get("style")) for one in shown] == [
        (None, None),
        ("512", "image-rendering:pixelated"),
        ("32", None),
    ]
