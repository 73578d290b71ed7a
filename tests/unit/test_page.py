"""Notebooks as pages: what is shown of each output, what is left out, and what is said of what cannot be one."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4
from PIL import Image

from flux_magic.cli import main
from flux_magic.pages.markup import NO_ALT, Surroundings, clean, parse
from flux_magic.pages.parts import CONTROL, PANEL, SCRIPT, build_parts
from flux_magic.pages.styles import scope

buffer = io.BytesIO()
Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
PNG = buffer.getvalue()
EMBEDDED = base64.b64encode(PNG).decode()
LINE = "<flux 768×512 seed=42 steps=4 sha256:1a2b3c4d5e6f>"
TABLE = '<table class="flux-parameters"><tr><th>seed</th><td>42</td></tr></table><pre class="flux-again">%%flux</pre>'
OLD = "<table><tr><td>42</td></tr></table><pre title='makes this image again'>%%flux</pre>"
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shown(metadata: dict[str, Any] | None = None, **data: str) -> Any:
    """Return an output; the names of media types are written with a double underscore."""
    named = {WIDGET if name == "widget" else name.replace("__", "/"): value for name, value in data.items()}
    return v4.new_output("display_data", named, metadata=metadata or {})


def image(alt: str | None = "a fox", line: str = LINE) -> Any:
    own = {"image/png": {"alt": alt}} if alt else {"flux_magic": {"record": {"prompt": "the prompt"}}}
    return shown(own, image__png=EMBEDDED, text__plain=line)


def write(name: str, *cells: Any) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=list(cells)), path)
    return path


def code(source: str = "x", *outputs: Any) -> Any:
    return v4.new_code_cell(source, outputs=list(outputs))


def page(*arguments: object) -> int:
    return main(["page", *map(str, arguments)])


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        pytest.param(
            [image(), shown(text__html=f'<p class="flux-caption">A <b>fox</b></p>{TABLE}', text__plain="seed 42")],
            [("figure", "a fox", "A <b>fox</b>"), ("record", "How it was made: seed 42, 4 steps, 768×512", TABLE)],
            id="an image, its caption and its record",
        ),
        pytest.param(
            [image(None), shown(text__html=OLD)],
            [("figure", "the prompt", ""), ("record", "How it was made: seed 42, 4 steps, 768×512", OLD)],
            id="an old notebook, without classes",
        ),
        pytest.param(
            [image("a sheet", "<flux sheet steps×seed 3×4, 11 of 12 images sha256:1a>"),
             shown(text__html="<details><summary>12 images: seeds and cells</summary></details>")],
            [("figure", "a sheet", ""), ("record", "How these 11 of 12 images were made", "<details>")],
            id="an old sheet",
        ),
        pytest.param(
            [image(), shown(text__html='<p class="flux-caption">alone</p>')],
            [("figure", "a fox", "alone")],
            id="a caption without a record",
        ),
        pytest.param(
            [shown(text__html='<p class="flux-caption">alone</p>')], [("html", "", "<p>alone</p>")], id="a caption"
        ),
        pytest.param([shown(image__png=EMBEDDED)], [("figure", NO_ALT, "")], id="somebody else's image"),
        pytest.param([shown(image__svg_xml="")], [], id="an empty slot"),
        pytest.param([shown()], [], id="nothing"),
        pytest.param([shown(widget="{}", text__plain="Panel(prompt='')")], [("words", PANEL, "")], id="a panel"),
        pytest.param([shown(widget="{}", text__plain="IntSlider()")], [("words", CONTROL, "")], id="a slider"),
        pytest.param(
            [shown(widget="{}", text__plain="Panel(prompt='')"), image()],
            [("figure", "a fox", "")],
            id="a panel with its result",
        ),
        pytest.param([shown(widget="{}", text__plain="  0%|    | 0/10")], [], id="a bar"),
        pytest.param([shown(widget="{}", text__plain="IntProgress(value=3)")], [], id="a bar of ipywidgets"),
        pytest.param(
            [v4.new_output("stream", name="stdout", text="10%\r 50%\rdone\n\x1b[31mred\x1b[0m\r\n")],
            [("text", "done\nred", "")],
            id="lines that were written over",
        ),
        pytest.param(
            [v4.new_output("stream", name="stderr", text="note: x")], [("note", "note: x", "")], id="a note"
        ),
        pytest.param(
            [v4.new_output("error", ename="E", evalue="v", traceback=["\x1b[0;31mE\x1b[0m: v"])],
            [("error", "E: v", "")],
            id="an error",
        ),
        pytest.param(
            [shown(text__html="<script>draw()</script>", image__png=EMBEDDED)], [("figure", NO_ALT, "")], id="a chart"
        ),
        pytest.param(
            [shown(text__html="<div><script>draw()</script></div>", text__plain="<HTML object>")],
            [("words", SCRIPT, "")],
            id="a script",
        ),
        pytest.param([shown(application__javascript="draw()")], [("words", SCRIPT, "")], id="Javascript"),
        pytest.param([shown(text__html="<style>p {}</style>")], [("html", "", "<style></style>")], id="a style"),
        pytest.param([shown(text__markdown="*so*")], [("html", "", "<em>so</em>")], id="Markdown"),
        pytest.param([shown(text__latex="$x^2$", text__plain="x²")], [("html", "", "<math")], id="a formula"),
    ],
)  # fmt: skip
def test_each_output_is_shown_in_the_form_that_a_page_shows_best(
    outputs: list[Any], told: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    parts = build_parts(outputs, Surroundings(tmp_path, tmp_path))
    assert [(part.kind, part.text) for part in parts] == [(kind, text) for kind, text, _ in told]
    for part, (_, _, html) in zip(parts, told, strict=True):
        assert html.replace("'", '"') in part.html
        assert part.kind == "html" or bool(html) == bool(part.html)


HOSTILE = {
    "script": "<script>ran()</script>",
    "handler": '<img src="fox.png" OnError=ran() onload=ran()><p onclick=ran()>x</p>',
    "address": '<a href="java\tscript:ran()">x</a><a href=" vbscript:ran()">x</a><a href="data:text/html,x">x</a>',
    "svg": '<svg onload=ran()><a xlink:href="javascript:ran()"><text>x</text></a><script>ran()</script></svg>',
    "frame": '<iframe srcdoc="<script>ran()</script>"></iframe><object data=x></object><embed src=x>',
    "page": '<base href="//elsewhere.example"><meta http-equiv=refresh content="0;url=//elsewhere.example">',
    "form": '<form action="//elsewhere.example"><button formaction="//elsewhere.example">x</button></form>',
    "loads": '<link rel=stylesheet href="//elsewhere.example/x"><video poster="//elsewhere.example/x"></video>',
    "set": '<img srcset="//elsewhere.example/x 2x"><input type=image src="//elsewhere.example/x">',
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_nothing_of_a_notebook_runs_or_loads(html: str, tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(PNG)
    cleaned = str(clean(html, Surroundings(tmp_path, tmp_path)))
    assert not re.search(r"ran\(|srcdoc|elsewhere|data:text|<(script|iframe|object|embed|base|meta|link)", cleaned)


def test_a_page_is_one_file_with_its_images_its_formulas_and_links_that_lead_somewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("work/figures").mkdir(parents=True)
    Path("work/figures/a b.png").write_bytes(PNG)
    Path("work/secret.txt").write_text("hf_secret")
    Path("work/data.csv").touch()
    text = (
        "# Foxes & $E=mc^2$\n\n![a fox](figures/a%20b.png) ![](attachment:gone.png) ![far](https://far.example/x.png) "
        "![words](secret.txt) [next](second.ipynb#End) [data](data.csv) [lost](lost.csv) [top](#Nowhere) "
        "[web](https://a.b)"
    )
    first = write(
        "work/first.ipynb", v4.new_markdown_cell(text), code("%%flux --seed 1\na fox in and out", image("<fox>"))
    )
    second = write("work/second.ipynb", v4.new_markdown_cell("## End"))
    assert page(first, second, "-o", "out") == 0
    told = capsys.readouterr()
    assert told.out.split() == ["out/first.html", "out/second.html"]
    assert [line.removeprefix("note: work/first.ipynb: ") for line in told.err.splitlines()] == [
        "missing:gone.png is left out: the notebook has no such attachment",
        "https://far.example/x.png is not on this machine, so the page only links to it",
        "secret.txt is left out: it is no image",
        "the link to lost.csv leads nowhere: there is no such file",
        "the link to #Nowhere leads nowhere: the page has no such heading",
        "note: work/second.ipynb: it has no images: run it and save it, if it should have some",
    ]
    made = Path("out/first.html").read_text(encoding="utf-8")
    tree = parse(made)
    assert [(one["alt"], str(one["src"])[:22]) for one in tree.find_all("img")] == [
        ("a fox", "data:image/png;base64,"),
        ("<fox>", "data:image/png;base64,"),
    ]
    links = [str(one["href"]) for one in tree.find_all("a")]
    assert links == [
        "https://far.example/x.png",
        "second.html#End",
        "../work/data.csv",
        "lost.csv",
        "#Nowhere",
        "https://a.b",
    ]
    assert tree.title is not None
    assert tree.title.get_text().startswith("Foxes & ")
    assert tree.find("math") is not None
    assert "default-src 'none'" in made
    assert "hf_secret" not in made
    assert tree.select_one("details.code:not([open])") is not None
    assert page(first, "-o", "whole.html", "--unfold") == 0
    assert '<div class="code">' in Path("whole.html").read_text(encoding="utf-8")


def test_without_latex2mathml_formulas_are_as_they_were_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    notebook = write("f.ipynb", v4.new_markdown_cell(r"$a<b$ and $$c$$"))
    assert page(notebook) == 0
    assert "$a&lt;b$" in Path("f.html").read_text(encoding="utf-8")
    assert capsys.readouterr().err.count('pip install "flux-magic[page]"') == 1


def make_bad(folder: Path) -> None:
    (folder / "a folder").mkdir()
    (folder / "text.ipynb").write_text("# no JSON")
    (folder / "list.ipynb").write_text("[]")
    (folder / "deep.ipynb").write_text("[" * 100_000)
    (folder / "half.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "code"}], "nbformat": 4, "nbformat_minor": 5})
    )
    nbformat.write(v4.new_notebook(), folder / "good.ipynb")
    (folder / "there").mkdir()
    nbformat.write(v4.new_notebook(), folder / "there/good.ipynb")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["none.ipynb"], 1, "none.ipynb cannot be read: No such file or directory", id="no file"),
        pytest.param(["a folder"], 1, "a folder is a folder: name its notebooks, for example a", id="folder"),
        pytest.param(["text.ipynb"], 1, "text.ipynb is not a notebook: it is not JSON", id="no JSON"),
        pytest.param(["list.ipynb"], 1, "list.ipynb is not a notebook: it has no cells", id="no cells"),
        pytest.param(["deep.ipynb"], 1, "deep.ipynb is not a notebook: it ", id="nested too deeply"),
        pytest.param(["half.ipynb"], 1, "half.ipynb is not a whole notebook: ", id="not whole"),
        pytest.param(["good.ipynb", "-o", "x.txt"], 2, "cannot write x.txt: give a name that ends in", id="suffix"),
        pytest.param(["good.ipynb", "-o", "no/x.html"], 2, "cannot write no/x.html: there is no", id="nowhere"),
        pytest.param(["good.ipynb", "text.ipynb", "-o", "x.html"], 2, "x.html is one file for 2", id="one file"),
        pytest.param(["good.ipynb", "there/good.ipynb", "-o", "out"], 2, "two of these notebooks have", id="twice"),
        pytest.param(["good.ipynb", "-o", "text.ipynb/"], 1, "cannot write text.ipynb/good.html: ", id="not a folder"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_page_is_one_line(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_bad(tmp_path)
    assert page(*arguments) == code
    (line,) = (one for one in capsys.readouterr().err.splitlines() if not one.startswith("note: "))
    assert line.startswith(f"flux-magic: {said}")


def test_one_bad_notebook_stops_no_other_and_an_old_format_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [
        {"cell_type": "heading", "level": 1, "source": "Old", "metadata": {}},
        {"cell_type": "code", "language": "python", "collapsed": False, "metadata": {}, "input": "1",
         "prompt_number": 1,
         "outputs": [{"output_type": "display_data", "metadata": {}, "png": EMBEDDED, "text": "x"}]},
    ]}]}  # fmt: skip
    Path("old.ipynb").write_text(json.dumps(old))
    assert page("none.ipynb", "old.ipynb") == 1
    assert capsys.readouterr().out == "old.html\n"
    made = Path("old.html").read_text(encoding="utf-8")
    assert "<title>Old</title>" in made
    assert f'alt="{NO_ALT}"' in made


def test_a_missing_nbconvert_and_a_missing_browser_are_one_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    notebook = write("f.ipynb", code("1", image()))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert page(notebook, "--pdf") == 1
    told = capsys.readouterr()
    assert told.out == "f.html\n"
    assert told.err.startswith(
        "flux-magic: a PDF needs Chromium or Chrome (Debian: apt-get install chromium), or LaTeX"
    )
    monkeypatch.setitem(sys.modules, "nbconvert", None)
    assert page(notebook) == 1
    assert capsys.readouterr().err == 'flux-magic: a page needs nbconvert: pip install "flux-magic[page]"\n'


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        pytest.param("p, h1 > a { color: red }", "#x p, #x h1 > a {color: red;}", id="each selector is scoped"),
        pytest.param("body, :root, * { position: fixed }", "#x body, #x :root, #x * {position: fixed;}", id="the page"),
        pytest.param(":is(p, a)::after { content: ',' }", '#x :is(p, a)::after {content: ",";}', id="commas"),
        pytest.param("~ p, + p, > p, | p, & p { top: 0 } p { top: 1px }", "#x p {top: 1px;}", id="beside"),
        pytest.param("p { :not(& p) { top: 0 } left: 0 }", "", id="rules within"),
        pytest.param("@media print { p { top: 0 } }", "@media print {#x p {top: 0;}}", id="media"),
        pytest.param("@keyframes k { to { top: 0 } }", "@keyframes k { to { top: 0 } }", id="key frames"),
        pytest.param("@import url(x.css); @font-face { src: url(x) } @page { margin: 0 }", "", id="other rules"),
        pytest.param("p { content: '\\3c/style>' }", '#x p {content: "<\\/style>";}', id="an end of the element"),
        pytest.param("p { top: 0", "#x p {top: 0;}", id="cut off"),
    ],
)
def test_a_style_sheet_reaches_nothing_outside_of_its_output(css: str, kept: str) -> None:
    assert scope(css, "#x").strip() == kept


def test_each_style_sheet_has_a_scope_of_its_own_and_no_comment_ends_it() -> None:
    around = Surroundings(Path(), Path())
    sheet = "<style>p { top: 0 }</style><p>a<!--><plaintext></div>-->b</p>"
    found = [str(clean(sheet, around)) for _ in range(2)]
    assert found == [
        f'<div id="flux-scope-{at}"><style>#flux-scope-{at} p {{top: 0;}}</style><p>ab</p></div>' for at in range(2)
    ]
