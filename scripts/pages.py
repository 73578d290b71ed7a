"""The notebooks and the Markdown files as a small site of pages that opens from a folder, with every link checked.

`python -m scripts.pages build/pages` writes them there with `flux_magic.pages`, in the folders that they have in the
repository: a link to a notebook or a Markdown file becomes one to its page, any other file that a page links to is
copied. It fails with a line for each link that leads nowhere. What is on other hosts is listed, and not asked.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup

from flux_magic.pages.markup import parse
from flux_magic.pages.page import read_notebook, render

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
INDEX = "index.html"
GALLERY = "docs/gallery"
Site = dict[Path, BeautifulSoup]
"""The pages, by their place in the folder."""
STYLE = """
main > nav { font-size: .88rem; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 8px 24px; }
.gallery img { width: 100%; }
"""


def main(arguments: list[str]) -> int:
    (name,) = arguments
    folder = Path(name).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    site, found = build(ROOT, folder)
    print("on other hosts, not asked:", *sorted(list_others(site)), sep="\n  ")
    print(*(found or [f"every link leads somewhere: {Path(name) / INDEX}"]), sep="\n")
    return 1 if found else 0


def build(root: Path, folder: Path) -> tuple[Site, list[str]]:
    """Write the site of the repository at `root` into `folder`; return its pages, and a line for each dead link."""
    notebooks = sorted(path.relative_to(root) for path in (root / "notebooks").glob("*.ipynb"))
    sources = [*map(Path, DOCUMENTS), *notebooks]

    def place(path: Path) -> Path:
        """Return the page of a source; another file of the repository is copied."""
        if not path.is_relative_to(root):
            return path
        there = path.relative_to(root)
        if there in sources:
            return (folder / there).with_suffix(".html")
        if path.is_file():
            (folder / there).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / there)
        return folder / there

    site, found = {}, []
    contents = {source: open_notebook(root / source) for source in sources}
    for source, content in [*contents.items(), (Path("index.md"), build_index(contents))]:
        page = source.with_suffix(".html")
        made = render(content, root / source, folder / page, unfold=True, place=place)
        site[page] = finish(parse(made.html), source, up=os.path.relpath(INDEX, page.parent))
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text(str(site[page]), encoding="utf-8")
        found += [f"{page}: {note}" for note in made.notes if "left out" in note]
    return site, found + find_broken(site, folder)


def open_notebook(path: Path) -> Any:
    """Open a notebook; a Markdown file becomes one of a single cell."""
    return read_notebook(path) if path.suffix == ".ipynb" else parse_markdown(path.read_text(encoding="utf-8"))


def parse_markdown(text: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


def finish(html: BeautifulSoup, source: Path, up: str) -> BeautifulSoup:
    """Return a page with a link to the index; headings of Markdown have the ids that GitHub gives them."""
    for head, main in zip(html.find_all("head"), html.find_all("main"), strict=True):
        head.append(parse(f"<style>{STYLE}</style>"))
        if source.stem != "index":
            main.insert(0, parse(f'<nav><a href="{up}">All pages</a></nav>'))
    if source.suffix == ".md":
        for heading in html.find_all(re.compile("^h[1-6]$")):
            heading["id"] = re.sub(r"[^\w\- ]", "", heading.get_text().strip().lower()).replace(" ", "-")
        for code in html.select("td code"):  # the bar in a table's code
            code.string = code.get_text().replace("\\|", "|")
    return html


def read_opening(notebook: Any) -> tuple[str, str]:
    """Return the title, and the first sentence below it."""
    title, paragraph = str(notebook.cells[0].source).split("\n\n")[:2]
    return title.removeprefix("# "), re.split(r"(?<=[.?]) ", paragraph)[0]


def build_index(contents: dict[Path, Any]) -> Any:
    """Return the first page: what there is to read, with an image and the first sentence of each notebook."""
    lines = [
        "# flux_magic",
        "The images were drawn by the local Space, by rule and not by FLUX.",
        '<div class="gallery">',
    ]
    for path, content in contents.items():
        if path.suffix == ".ipynb":
            title, sentence = read_opening(content)
            link = path.as_posix()
            lines += [
                "<div>",
                f"[![{title}]({GALLERY}/{path.stem}.jpg)]({link})",
                f"**[{title}]({link})**",
                sentence,
                "</div>",
            ]
    return parse_markdown(
        "\n\n".join([*lines, "</div>", " · ".join(f"[{Path(one).stem}]({one})" for one in DOCUMENTS)])
    )


def list_links(site: Site) -> Iterator[tuple[Path, str]]:
    """Yield every page with each of its addresses."""
    return ((page, str(tag["href"])) for page, html in site.items() for tag in html.select("a[href]"))


def list_others(site: Site) -> set[str]:
    return {address for _, address in list_links(site) if urlsplit(address).netloc}


def find_broken(site: Site, folder: Path) -> list[str]:
    """Return a line for each link to a missing file, or to a missing place in a page."""
    ids = {page: {tag["id"] for tag in html.find_all(id=True)} for page, html in site.items()}
    found = []
    for page, address in list_links(site):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        path = Path(os.path.normpath(page.parent / unquote(parts.path))) if parts.path else page
        if ".." in path.parts or not (folder / path).is_file():
            found.append(f"{page}: {address}: there is no such file")
        elif parts.fragment and unquote(parts.fragment) not in ids.get(path, {unquote(parts.fragment)}):
            found.append(f"{page}: {address}: there is no such place in it")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
