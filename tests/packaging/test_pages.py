"""The notebooks and the strings as pages: `make pages`, and that no link between them is broken."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from scripts import pages

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def built(folder: Path) -> tuple[pages.Site, list[str]]:
    return pages.build(ROOT, folder)


def text_of(path: Path) -> str:
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")


def test_every_link_of_the_notebooks_and_the_texts_leads_somewhere(
    built: tuple[pages.Site, list[str]], folder: Path
) -> None:
    site, broken = built
    assert broken == []
    assert all(address.startswith("https://") for address in pages.list_others(site))
    addresses = {(page.as_posix(), address) for page, address in pages.list_links(site)}
    assert ("README.html", "notebooks/01_quickstart.html") in addresses
    assert ("notebooks/01_quickstart.html", "06_what_if.html") in addresses
    assert ("index.html", "notebooks/06_what_if.html") in addresses
    assert not [address for _, address in addresses if address.endswith((".ipynb", ".md"))]
    schema = "flux_magic/records/schemas/record-1.json"
    assert (folder / schema).read_bytes() == (ROOT / schema).read_bytes()


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "pages"
    (root / "notebooks").mkdir(parents=True)
    for name in pages.DOCUMENTS:
        (root / name).write_text(
            "# Title\n\n## A heading\n\n[Here](#a-heading), and [a notebook](notebooks/fox.ipynb#Fox)."
        )
    (tmp_path / "outside.md").touch()
    nowhere = "[o](../../outside.md) [a](b.ipynb) ![c](images/d.png) [e](../README.md#f) [g](#h)"
    somewhere = "[good](../README.md#a-heading) [good](#Fox)"
    nbformat.write(pages.parse_markdown(f"# Fox\n\nA fox.\n\n{nowhere} {somewhere}"), root / "notebooks" / "fox.ipynb")
    assert pages.build(root, folder)[1] == [
        "notebooks/fox.html: images/d.png is left out: No such file or directory",
        "index.html: docs/gallery/fox.jpg is left out: No such file or directory",
        "notebooks/fox.html: ../../outside.md: there is no such file",
        "notebooks/fox.html: b.ipynb: there is no such file",
        "notebooks/fox.html: ../README.html#f: there is no such place in it",
        "notebooks/fox.html: #h: there is no such place in it",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_what_it_shows_and_the_way_through_all_of_them(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    title, shows, way = cells[0].source.split("\n\n")[:3]
    assert title.startswith("# ")
    assert re.search(r"[.?]$", shows)
    links = re.findall(r"\((\d\d_\w+\.ipynb)\)", way)
    assert links == [other.name for other in NOTEBOOKS if other != path]
    assert cells[-1].source.startswith("## What next\n")
    following = NOTEBOOKS[NOTEBOOKS.index(path) + 1 :]
    assert not following or f"({following[0].name})" in cells[-1].source.splitlines()[2]


def test_the_notebooks_say_image_where_they_mean_one() -> None:
    """Return `picture` is the name of a folder and of variables; in what they tell there is one word for one thing."""
    told = {path.stem: re.sub(r"`[^`]*`|A story in six pictures", "", text_of(path)) for path in NOTEBOOKS}  # a title
    assert [name for name, text in told.items() if re.search(r"\bpictures?\b", text, re.IGNORECASE)] == []
