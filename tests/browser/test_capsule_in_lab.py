"""A capsule's pages and its report in a real browser, with all that a hostile notebook has; and it in JupyterLab."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_magic.capsules import archive
from flux_magic.cli import main
from tests.browser.test_lab import keep
from tests.browser.test_page_in_chromium import watch
from tests.support.axe import find_faults
from tests.support.capsules import PAPER, cell, keep_apart, make_capsule, printed
from tests.support.lab import Lab, run_browser
from tests.unit.test_page import HOSTILE

RUNS = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
HTML = "\n".join([RUNS, *(one for name, one in HOSTILE.items() if name != "set")])  # its input has no label
HTML = HTML.replace("ran()", "document.title='ran'")

LOADED = (
    "number => [...document.querySelectorAll('.jp-OutputArea img')].filter(one => one.naturalWidth).length >= number"
)


@pytest.fixture
def capsule(tmp_path: Path) -> Iterator[Path]:
    """Yield a capsule with HTML that would run in an output, in its title, and in what a cell shows another time."""
    shown = {"output_type": "display_data", "data": {"text/html": HTML}, "metadata": {}}
    with keep_apart(tmp_path):
        more = [cell("1", shown), cell(f"print({RUNS!r})", printed("x\n")), cell("[" + "1,\n" * 9 + "]")]
        yield make_capsule(tmp_path, *more, given=["--title", f"Foxes {RUNS}"])


@pytest.mark.usefixtures("loop")
async def test_its_pages_run_nothing_and_read_well(capsule: Path, tmp_path: Path) -> None:
    given = ["reproduce", str(capsule), "--html", str(tmp_path / "report.html")]
    assert await asyncio.to_thread(main, given) == 1
    archive.unpack(capsule, tmp_path / "in")
    async with run_browser() as browser:
        for path in (tmp_path / "report.html", tmp_path / "in" / "pages" / f"{Path(PAPER).stem}.html"):
            for scheme, width in (("light", 1400), ("dark", 500)):
                page = await browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 1000})  # type: ignore[arg-type]
                loaded = watch(page)
                await page.goto(path.as_uri())
                assert await page.title() != "ran"
                assert loaded == [page.url]
                assert await find_faults(page) == [], f"{path.name}, {scheme}"
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path.name
                await keep(page, f"capsule-{path.stem}-{scheme}-{width}.png".replace(" ", "-"))
                await page.close()


async def test_jupyterlab_opens_it_as_it_is(capsule: Path, lab: Lab) -> None:
    archive.unpack(capsule, lab.folder / "unpacked capsule")
    async with lab.open_notebook(f"unpacked capsule/{PAPER}", kernel=False) as page:
        await page.wait_for_function(LOADED, arg=6)
        assert await page.title() != "ran"
        await keep(page, "capsule-in-lab.png")
