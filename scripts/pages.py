"""The notebooks and the Markdown files as a small site of pages that opens from a folder, with every link checked.

`python -m scripts.pages build/pages` renders them there, in the folders that they have in the repository: a link to a
notebook or a Markdown file becomes one to its page, any other file that a page links to is copied. It fails with a line
for each link that leads nowhere. What is on other hosts is listed, and not asked.

`python -m scripts.pages --beside FOLDER` renders the notebooks of a folder alone, each beside itself.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup, Tag
from nbconvert import HTMLExporter
from traitlets.config import Config

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
INDEX = "index.html"
GALLERY = "docs/gallery"
Site = dict[Path, BeautifulSoup]
"""The pages, by if they are in their folder."""
ADDRESSES = {"a": "href", "img": "src", "link": "href", "script": "src"}
# A widget is shown by its text: its view is gone with its kernel.
SHOWN = ["text/html", "image/png", "image/jpeg", "text/plain"]
STYLE = """
body.jp-Notebook { max-width: 960px; margin: 0 auto; padding: 8px 16px 48px; overflow: auto; }
main > nav { padding: 4px 14px; font: 14px var(--jp-content-font-family); }
.jp-RenderedHTMLCommon img { max-width: 100%; height: auto; }
.jp-MarkdownOutput pre code { background: none; }
.jp-Notebook .highlight pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.jp-OutputArea-output { overflow-x: auto; }
.jp-MarkdownOutput pre { margin: 0 0 1em; padding: 8px 12px; background: var(--jp-layout-color2); }
.jp-OutputArea-output.jp-RenderedHTMLCommon pre { font-family: var(--jp-code-font-family); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 8px 24px; }
.gallery img { width: 100%; }
"""


def main(arguments: list[str]) -> int:
    *options, name = arguments
    found = publish_beside(Path(name)) if options == ["--beside"] else publish(Path(name))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


def publish(folder: Path) -> list[str]:
    shutil.rmtree(folder, ignore_errors=True)
    site = build(ROOT, folder)
    print("on other hosts, not asked:", *sorted(list_others(site)), sep="\n  ")
    found = find_broken(site, folder)
    if not found:
        print(f"every link leads somewhere: {folder / INDEX}")
    return found


def publish_beside(folder: Path) -> list[str]:
    """Write the page of each notebook beside it; return a line for each link that leads nowhere."""
    pages = {path.relative_to(folder): path.with_suffix(".html").relative_to(folder) for path in folder.glob("*.ipynb")}
    site = {page: link_pages(render(open_notebook(folder / source)), source, pages) for source, page in pages.items()}
    for page, html in site.items():
        (folder / page).write_text(str(html), encoding="utf-8")
    return find_broken(site, folder)


def build(root: Path, folder: Path) -> Site:
    """Write the site of the repository at `root` into `folder`."""
    notebooks = sorted(path.relative_to(root) for path in (root / "notebooks").glob("*.ipynb"))
    pages = {path: path.with_suffix(".html") for path in (*map(Path, DOCUMENTS), *notebooks)}
    site = {}
    for source, page in pages.items():
        html = render(open_notebook(root / source), up="../" * (len(source.parts) - 1) + INDEX)
        if source.suffix == ".md":
            add_github_ids(html)
        site[page] = link_pages(html, source, pages)
    site[Path(INDEX)] = render(build_index(root, notebooks))
    for page, html in site.items():
        write(html, root, folder, page)
    return site


def open_notebook(path: Path) -> Any:
    """Open a notebook; a Markdown file becomes one of a single cell."""
    text = path.read_text(encoding="utf-8")
    return nbformat.reads(text, as_version=4) if path.suffix == ".ipynb" else parse_markdown(text)


def parse_markdown(text: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


def render(notebook: Any, up: str = "") -> BeautifulSoup:
    """Return the page of a notebook, with a link `up` to the index; without scripts: they are on other hosts."""
    notebook.metadata["title"] = read_opening(notebook)[0]
    html = parse_html(make_exporter().from_notebook_node(notebook)[0])
    for unwanted in html.select("script, a.anchor-link"):
        unwanted.decompose()
    for image, alt in zip(html.select("img[alt^='No description']"), list_alternatives(notebook), strict=True):
        image["alt"] = alt
    for head in html.find_all("head"):
        head.append(parse_html(f"<style>{STYLE}</style>"))
    for main in html.find_all("main") if up else ():
        main.insert(0, parse_html(f'<nav><a href="{up}">All pages</a></nav>'))
    return html


def list_alternatives(notebook: Any) -> list[str]:
    """Return the alternative text of each image among the outputs, which nbconvert does not look for."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = [output.get("metadata", {}) for output in outputs]
    return [known["alt"] for one in said for name, known in one.items() if name.startswith("image/")]


@cache
def make_exporter() -> HTMLExporter:
    hidden = {f"exclude_{what}": True for what in ("input_prompt", "output_prompt")}
    return HTMLExporter(config=Config({"NbConvertBase": {"display_data_priority": SHOWN}}), **hidden)


def parse_html(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


def read_opening(notebook: Any) -> tuple[str, str]:
    """Return the title, and the first sentence below it."""
    title, paragraph = str(notebook.cells[0].source).split("\n\n")[:2]
    return title.removeprefix("# "), re.split(r"(?<=[.?]) ", paragraph)[0]


def build_index(root: Path, notebooks: list[Path]) -> Any:
    """Return the first page: what there is to read, with an image and the first sentence of each notebook."""
    lines = [
        "# flux_magic",
        "The images were drawn by the local Space, by rule and not by FLUX.",
        '<div class="gallery">',
    ]
    for path in notebooks:
        title, sentence = read_opening(open_notebook(root / path))
        link = path.with_suffix(".html").as_posix()
        lines += ["<div>", f"[![]({GALLERY}/{path.stem}.jpg)]({link})", f"**[{title}]({link})**", sentence, "</div>"]
    documents = [f"[{Path(name).stem}]({Path(name).with_suffix('.html')})" for name in DOCUMENTS]
    return parse_markdown("\n\n".join([*lines, "</div>", " · ".join(documents)]))


def add_github_ids(html: BeautifulSoup) -> None:
    """Add the ids that GitHub gives the headings of a Markdown file, and the bar in a table's code."""
    for heading in html.find_all(re.compile("^h[1-6]$")):
        heading["id"] = re.sub(r"[^\w\- ]", "", heading.get_text().strip().lower()).replace(" ", "-")
    for code in html.select("td code"):
        code.string = code.get_text().replace("\\|", "|")


def find_addresses(html: BeautifulSoup) -> Iterator[tuple[Tag, str]]:
    """Yield every tag that leads somewhere, with the name of the attribute that says where."""
    for tag in html.find_all(list(ADDRESSES)):
        if tag.get(name := ADDRESSES[tag.name]):
            yield tag, name


def is_near(address: str) -> bool:
    """Return True if it leads to a file, not to another host, and is not a `data:` address."""
    parts = urlsplit(address)
    return not parts.scheme and not parts.netloc


def link_pages(html: BeautifulSoup, source: Path, pages: dict[Path, Path]) -> BeautifulSoup:
    """Return the page of `source`, with links to pages in place of those to what they are made of."""
    for tag, name in find_addresses(html):
        tag[name] = convert_address(str(tag[name]), source, pages)
    return html


def convert_address(address: str, source: Path, pages: dict[Path, Path]) -> str:
    """Return the address, with the suffix of a page if it is that of a page's source."""
    parts = urlsplit(address)
    if not is_near(address) or find_target(address, source) not in pages:
        return address
    return parts._replace(path=re.sub(r"\.\w+$", ".html", parts.path)).geturl()


def find_target(address: str, source: Path) -> Path:
    """Return the file, relative to `source`."""
    path = unquote(urlsplit(address).path)
    return Path(os.path.normpath(source.parent / path)) if path else source


def has_file(folder: Path, path: Path) -> bool:
    """Return True if that file exists within the folder."""
    return not path.is_absolute() and ".." not in path.parts and (folder / path).is_file()


def write(html: BeautifulSoup, root: Path, folder: Path, page: Path) -> None:
    """Write a page, and copy what it shows and links to."""
    (folder / page).parent.mkdir(parents=True, exist_ok=True)
    (folder / page).write_text(str(html), encoding="utf-8")
    for tag, name in find_addresses(html):
        address = str(tag[name])
        path = find_target(address, page)
        if is_near(address) and has_file(root, path):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, folder / path)


def list_links(site: Site) -> Iterator[tuple[Path, str]]:
    """Return every page with each of its addresses."""
    return ((page, str(tag[name])) for page, html in site.items() for tag, name in find_addresses(html))


def list_others(site: Site) -> set[str]:
    return {address for _, address in list_links(site) if urlsplit(address).netloc}


def find_broken(site: Site, folder: Path) -> list[str]:
    """Return a line for each link to a missing file, or to a missing place in a page."""
    ids = {page: {tag["id"] for tag in html.find_all(id=True)} for page, html in site.items()}
    found = []
    for page, address in list_links(site):
        path, place = find_target(address, page), unquote(urlsplit(address).fragment)
        if is_near(address) and not has_file(folder, path):
            found.append(f"{page}: {address}: there is no such file")
        elif is_near(address) and place and place not in ids.get(path, {place}):
            found.append(f"{page}: {address}: there is no such place in it")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
