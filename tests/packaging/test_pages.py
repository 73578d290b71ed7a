"""The notebooks and the strings as pages: `make pages`, and that no link between them is broken."""

from __future__ import annotations

import re
import shutil
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
def site(folder: Path) -> pages.Site:
    return pages.build(ROOT, folder)


def text_of(path: Path) -> str:
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")


def test_every_link_of_the_notebooks_and_the_texts_leads_somewhere(site: pages.Site, folder: Path) -> None:
    assert pages.find_broken(site, folder) == []
    assert all(address.startswith("https://") for address in pages.list_others(site))


def test_a_page_leads_to_pages_and_has_what_it_shows_beside_it(site: pages.Site, folder: Path) -> None:
    addresses = {(page.as_posix(), address) for page, address in pages.list_links(site)}
    assert ("README.html", "notebooks/01_quickstart.html") in addresses
    assert ("notebooks/01_quickstart.html", "06_what_if.html") in addresses
    assert not [address for _, address in addresses if address.endswith((".ipynb", ".md"))]
    assert (folder / "docs" / "quickstart.png").read_bytes() == (ROOT / "docs" / "quickstart.png").read_bytes()


@pytest.mark.usefixtures("site")
def test_a_page_needs_no_other_host_and_shows_a_widget_as_text(folder: Path) -> None:
    panel = (folder / "notebooks" / "02_panel.html").read_text(encoding="utf-8")
    assert "<script" not in panel
    assert "Panel(prompt=" in panel
    assert "widget-view" not in panel


def test_the_demos_pages_lead_to_each_other_and_nowhere_else(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "notebooks", tmp_path, dirs_exist_ok=True)
    assert pages.publish_beside(tmp_path) == []
    first = pages.parse_html((tmp_path / "01_quickstart.html").read_text(encoding="utf-8"))
    near = {str(tag[name]) for tag, name in pages.find_addresses(first) if pages.is_near(str(tag[name]))}
    assert near >= {f"{path.stem}.html" for path in NOTEBOOKS[1:]}
    assert not [address for address in near if address.endswith(".ipynb")]
    (tmp_path / "06_what_if.ipynb").unlink()
    (tmp_path / "06_what_if.html").unlink()
    assert "01_quickstart.html: 06_what_if.ipynb: there is no such file" in pages.publish_beside(tmp_path)


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
    assert pages.find_broken(pages.build(root, folder), folder) == [
        "notebooks/fox.html: ../../outside.md: there is no such file",
        "notebooks/fox.html: b.ipynb: there is no such file",
        "notebooks/fox.html: images/d.png: there is no such file",
        "notebooks/fox.html: ../README.html#f: there is no such place in it",
        "notebooks/fox.html: #h: there is no such place in it",
        "index.html: docs/gallery/fox.jpg: there is no such file",
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
    told = {path.stem: re.sub(r"`[^`]*`", "", text_of(path)) for path in NOTEBOOKS}
    assert [name for name, text in told.items() if re.search(r"\bpictures?\b", text, re.IGNORECASE)] == []
