"""What cannot be run here is inspected: whether VS Code, Colab, GitHub and nbviewer show the saved tutorials."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert.preprocessors.sanitize import SanitizeHTML

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
SHOWN = {"image/png", "image/jpeg", "text/html", "text/markdown", "text/plain", WIDGET}
"""What each of them shows. VS Code does not list image/webp, and GitHub shows no widget."""

TAGS = "a br code details img li p pre small span strong summary table tbody td th thead tr ul"
ATTRIBUTES = {"*": ["style", "class", "title"], "th": ["scope"], "img": ["src", "alt"]}
STYLES = (
    "background border border-collapse border-radius display flex-wrap font font-family font-size gap list-style margin"
    " max-width overflow-wrap padding text-align user-select vertical-align white-space width word-break"
)
"""HTML that JupyterLab, nbviewer and VS Code leave alone. GitHub takes the styles out: nothing may depend on them."""

MOST = 5_000_000
"""Bytes of a notebook: GitHub's page of a larger one is often an error, or takes longer than a person waits."""


@functools.cache
def outputs(path: Path) -> list[Any]:
    cells = nbformat.read(path, as_version=4).cells
    return [output for cell in cells for output in cell.get("outputs", []) if output.get("data")]


def pages(path: Path) -> Iterator[str]:
    """Yield the HTML that is ours; pandas writes its table itself."""
    yield from (
        page for output in outputs(path) if 'class="dataframe"' not in (page := output.data.get("text/html", ""))
    )


class Parts(HTMLParser):
    """A page as a browser takes it: tags with their attributes, and text; a style is the names in it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[object] = []

    @classmethod
    def of(cls, page: str) -> Parts:
        read = cls()
        read.feed(page)
        read.close()
        return read

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parts) and self.parts == other.parts

    __hash__ = None  # type: ignore[assignment]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # The source of an image within the page is a `data:` address, which this sanitizer, unlike theirs, takes out.
        given = {name: value or "" for name, value in attrs if name != "src"}
        names = {part.partition(":")[0].strip() for part in given.pop("style", "").split(";")} - {""}
        self.parts += [tag, given, names]

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def tutorial(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_output_is_of_a_type_that_all_of_them_show_or_has_a_text_beside_it(tutorial: Path) -> None:
    for output in outputs(tutorial):
        assert set(output.data) <= SHOWN
        assert output.data["text/plain"].strip()


def test_a_sanitizer_takes_nothing_out_of_the_html(tutorial: Path) -> None:
    """No script, style tag, iframe, `on…` or `data-…`."""
    sanitizer = SanitizeHTML(tags=TAGS.split(), attributes=ATTRIBUTES, styles=STYLES.split(), strip=True)
    for page in pages(tutorial):
        assert Parts.of(sanitizer.sanitize_html_tags(page)) == Parts.of(page)


def test_no_picture_in_the_html_is_loaded_from_elsewhere(tutorial: Path) -> None:
    for page in pages(tutorial):
        assert page.count("<img") == page.count('src="data:image/')


def test_no_style_hides_a_word(tutorial: Path) -> None:
    """GitHub takes the styles out, and what they hid would be shown."""
    for page in pages(tutorial):
        assert not re.search(r"display:\s*none|visibility|opacity", page)


def test_it_is_small_enough_to_be_looked_at_on_a_web_page(tutorial: Path) -> None:
    assert tutorial.stat().st_size < MOST
    for output in outputs(tutorial):
        assert all(len(str(data)) < MOST // 10 for data in output.data.values())
