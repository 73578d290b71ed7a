"""The pages of notebooks in a real browser: what axe says of them, that they load and run nothing, and their PDF."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from playwright.async_api import Page

from flux_magic.cli import main
from tests.browser.test_lab import keep
from tests.support.axe import find_faults
from tests.support.lab import run_browser
from tests.unit.test_page import HOSTILE, code, image, shown

NAVIGATES = re.compile("refresh|<form.*?</form>")
"""No script, and no policy stops it."""
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def watch(page: Page) -> list[str]:
    """Return a list that gets the address of all that a page loads."""
    loaded: list[str] = []
    page.on("response", lambda response: None if response.url.startswith("data:") else loaded.append(response.url))
    return loaded


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize(
    "notebooks",
    [
        pytest.param(NOTEBOOKS[:1], id="quickstart"),
        pytest.param(NOTEBOOKS[1:], id="others", marks=pytest.mark.thorough),
    ],
)
async def test_the_tutorials_pages_read_well_in_light_and_dark_and_on_a_phone(
    notebooks: list[Path], tmp_path: Path
) -> None:
    assert main(["page", *map(str, notebooks), "-o", str(tmp_path), "--unfold"]) == 0
    async with run_browser() as browser:
        for notebook in notebooks:
            for scheme, width in (("light", 1400), ("dark", 500)):
                page = await browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 1000})  # type: ignore[arg-type]
                loaded = watch(page)
                await page.goto((tmp_path / f"{notebook.stem}.html").as_uri())
                assert await find_faults(page) == [], f"{notebook.stem}, {scheme}"
                assert loaded == [page.url]
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), notebook.stem
                ground = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
                assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
                if notebook is NOTEBOOKS[0]:
                    await keep(page, f"page-{scheme}-{width}.png")
                    await page.evaluate("document.images[0].removeAttribute('alt')")
                    assert "image-alt" in "".join(await find_faults(page))
                await page.close()


@pytest.mark.usefixtures("loop")
async def test_somebody_elses_notebook_runs_nothing_with_the_command_and_with_nbconvert_alone(tmp_path: Path) -> None:
    hostile = "\n\n".join(HOSTILE.values()).replace("ran()", "document.title='ran'")
    cells = [v4.new_markdown_cell(f"# Fine\n\n{hostile}"), code("1", shown(text__html=hostile), image())]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "hostile.ipynb")
    assert main(["page", str(tmp_path / "hostile.ipynb"), "--pdf"]) == 0
    # The policy in the page alone would do: here it is with all that the notebook has.
    policy = re.search(r"<head>.*</head>", (tmp_path / "hostile.html").read_text(encoding="utf-8"), re.DOTALL)
    assert policy is not None
    (tmp_path / "raw.html").write_text(f"<html>{policy[0]}<body>{NAVIGATES.sub('', hostile)}", encoding="utf-8")
    async with run_browser() as browser:
        for name in ("hostile.html", "raw.html"):
            page = await browser.new_page()
            loaded = watch(page)
            await page.goto((tmp_path / name).as_uri())
            for element in await page.locator("a, button").all():
                await element.dispatch_event("click")
            assert await page.title() == "Fine"
            assert loaded == [page.url] == [(tmp_path / name).as_uri()]
            await page.close()
    data = (tmp_path / "hostile.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(data) > 5000


COVERS = (
    "<style>*, body, main, .cell { position: fixed !important; inset: 0; background: red; z-index: 9 }</style>"
    '<div style="position: fixed; inset: 0; z-index: 99; background: red; height: 200vh; width: 300vw">covers</div>'
)
SEEN = """[...document.querySelectorAll('h1, h2, pre.text')].map(one => {
    const box = one.getBoundingClientRect();
    return [one.innerText, document.elementFromPoint(box.x + 9, box.y + box.height / 2) === one, box.width > 99];
})"""


@pytest.mark.usefixtures("loop")
async def test_a_style_of_the_notebooks_covers_nothing_but_its_own_place(tmp_path: Path) -> None:
    cells = [v4.new_markdown_cell("# Top"), v4.new_markdown_cell(COVERS), code("1", shown(text__html=COVERS))]
    cells += [code("2", v4.new_output("stream", text="below")), v4.new_markdown_cell("## End")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "covers.ipynb")
    assert main(["page", str(tmp_path / "covers.ipynb")]) == 0
    async with run_browser() as browser:
        page = await browser.new_page()
        await page.goto((tmp_path / "covers.html").as_uri())
        await keep(page, "page-covers.png")
        assert await page.evaluate(SEEN) == [[text, True, True] for text in ("Top", "below", "End")]
