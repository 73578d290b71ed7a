"""What nbconvert makes of the saved tutorials, and what GitHub leaves of them."""

from __future__ import annotations

import shutil
import warnings
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter, PDFExporter, SlidesExporter
from nbconvert.filters import markdown2html
from nbconvert.preprocessors.sanitize import SanitizeHTML

from .room import TUTORIALS, LeftOut, Room, run

REVEAL = ("reveal.js@4.6", "jquery@3", "requirejs@2.3")
TEX = "texlive-xetex texlive-fonts-recommended texlive-plain-generic pandoc poppler-utils"
KEPT_BY_GITHUB = frozenset({
    "a", "b", "blockquote", "br", "code", "del", "details", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i",
    "img", "kbd", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "th",
    "thead", "tr", "ul",
})  # fmt: skip
"""Tags; of attributes no style and no class."""

AWKWARD = 'über 100 % a_b #1 & c \\alpha ~ ^ $5 <b>"quoted"</b> «ß» … —\n\n    four *stars* | `tick`'
CELLS = ("%load_ext flux_magic", f"%%flux --quiet --seed 1 --size 256x256\n{AWKWARD}")

# An empty slot, where a bar was while the cell ran, is worth no warning.
warnings.filterwarnings("ignore", "Your element with mimetype", UserWarning)


async def html(room: Room) -> str:
    """nbconvert --to html"""
    return await _each(room, "html", lambda notebook: HTMLExporter().from_notebook_node(notebook)[0])


async def slides(room: Room) -> str:
    """nbconvert --to slides that scroll: a sheet, and a single image"""
    if not shutil.which("npm"):
        raise LeftOut("needs npm, for reveal.js: apt-get install npm")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(room.folder), *REVEAL]
    run(*install)
    exporter = SlidesExporter(
        reveal_url_prefix="node_modules/reveal.js",
        jquery_url="node_modules/jquery/dist/jquery.min.js",
        require_js_url="node_modules/requirejs/require.js",
        reveal_scroll=True,
    )
    seen = []
    for name, slide in (("01_quickstart", "2/2"), ("06_what_if", "1/1")):
        path = room.folder / f"{name}.slides.html"
        path.write_text(exporter.from_notebook_node(_slided(room.notebook(name)))[0], encoding="utf-8")
        async with room.page(f"file://{path}#/{slide}", height=800) as page:
            await page.wait_for_selector(".reveal.ready section.present section.present img")
            await page.wait_for_timeout(1500)  # it slides in
            await page.screenshot(path=room.picture("slides", name))
            image = page.locator("section.present section.present img")
            seen.append("{width:.0f}×{height:.0f}".format_map(await image.bounding_box() or {}))
    return f"images of {' and '.join(seen)} on a screen of 1280×800"


def _slided(notebook: Any) -> Any:
    """Return a heading begins a slide, and each image has one below it."""
    for cell in notebook.cells:
        kind = "slide" if cell.source.startswith("#") else "subslide" if cell.source.startswith("%") else "-"
        cell.metadata["slideshow"] = {"slide_type": kind}
    return notebook


async def markdown(room: Room) -> str:
    """nbconvert --to markdown, without what GitHub takes out"""

    def page(notebook: Any) -> str:
        text, resources = MarkdownExporter().from_notebook_node(notebook)
        for file, data in resources["outputs"].items():
            (room.folder / file).write_bytes(data)
        return _page(_as_github(markdown2html(text)))

    return await _each(room, "markdown", page)


async def github(room: Room) -> str:
    """inspected, not run: the notebook without what GitHub takes out"""

    def page(notebook: Any) -> str:
        for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
            data = output.get("data", {})
            data.pop("application/vnd.jupyter.widget-view+json", None)
            if "text/html" in data:
                data["text/html"] = _as_github(data["text/html"])
        return _page(HTMLExporter(template_name="basic").from_notebook_node(notebook)[0])

    return await _each(room, "github", page)


async def latex(room: Room) -> str:
    """nbconvert --to pdf: the tutorials, and a prompt with all of TeX's own signs"""
    if not all(map(shutil.which, ("xelatex", "pandoc", "pdftoppm"))):
        raise LeftOut(f"needs TeX: apt-get install {TEX}")
    awkward = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    await NotebookClient(awkward, kernel_name="python3").async_execute()
    pages = []
    for name, notebook in (*((name, room.notebook(name)) for name in TUTORIALS), ("awkward", awkward)):
        path = room.picture("latex", name).with_suffix(".pdf")
        resources = {"metadata": {"path": str(room.folder), "name": name}}
        path.write_bytes(PDFExporter().from_notebook_node(notebook, resources)[0])
        run("pdftoppm", "-r", "50", "-png", str(path), str(room.folder / name))
        sheets = sorted(room.folder.glob(f"{name}-*.png"))
        pages.append(f"{len(sheets)} of {name}")
        room.side_by_side(sheets, path.with_suffix(".png"))
    assert AWKWARD.splitlines()[0] in run("pdftotext", "-layout", str(path), "-"), (
        f"the prompt is another one in {path}"
    )
    return f"pages: {', '.join(pages)}"


async def _each(room: Room, front_end: str, exported: Any) -> str:
    seen = []
    for name in TUTORIALS:
        path = room.folder / f"{name}.{front_end}.html"
        path.write_text(exported(room.notebook(name)), encoding="utf-8")
        async with room.page(f"file://{path}") as page:
            seen.append(await room.kept(page, room.picture(front_end, name)))
    return "; ".join(seen)


def _as_github(text: str) -> str:
    """HTML without tags and attributes that GitHub is known to strip."""
    attributes = {"a": ["href"], "img": ["src", "alt"], "*": ["title"], "th": ["scope"]}
    return str(SanitizeHTML(tags=sorted(KEPT_BY_GITHUB), attributes=attributes, strip=True).sanitize_html_tags(text))


def _page(body: str) -> str:
    style = "body{font:16px/1.5 sans-serif;max-width:980px;margin:2em auto} table{border-collapse:collapse}"
    style += "th,td{border:1px solid #d0d7de;padding:6px 13px}"
    style += "img{max-width:100%} pre{background:#f6f8fa;padding:16px;overflow:auto}"
    return f"<!doctype html><meta charset=utf-8><style>{style}</style>{body}"
