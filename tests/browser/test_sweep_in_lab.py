"""A sweep in a real JupyterLab: the sheet fills in while images arrive, and the saved notebook has it whole."""

from __future__ import annotations

import asyncio

import nbformat
from playwright.async_api import expect

from tests.browser.test_lab import PICTURES, keep
from tests.support.lab import RUN_ALL, SAVE, Lab, wait_for_status

LARGE = """() => [...document.querySelectorAll('.jp-CodeCell img')].some(
    image => image.naturalWidth > 1000 && image.naturalHeight > 700)"""


async def test_a_sheet_of_three_by_four_fills_in_and_is_whole_in_the_saved_notebook(lab: Lab, slow_space: str) -> None:
    sweep = "%%flux --steps 1,2,4 --seed 1..4 --output foxes\na red fox in the morning mist"
    where = f"%load_ext flux_magic\n%config FluxMagics.space = {slow_space!r}\n%config FluxMagics.width = 384"
    lab.write("sweep.ipynb", [f"{where}\n%config FluxMagics.height = 384", sweep])
    async with lab.open_notebook("sweep.ipynb") as page:
        running = asyncio.create_task(page.evaluate(RUN_ALL))
        cell = page.locator(".jp-CodeCell").nth(1)
        bar = cell.get_by_role("status")
        await wait_for_status(page, " of 12 images")
        sheet = cell.locator("img")
        await expect(sheet).to_have_count(1)
        first = await sheet.get_attribute("src")
        await wait_for_status(page, "[5-9] of 12 images")
        await expect(sheet).not_to_have_attribute("src", first or "")
        await keep(page, "sweep-filling-in.png")
        await running
        await expect(bar).to_have_count(0)
        await expect(sheet).to_have_count(1)
        await page.wait_for_function(LARGE)
        table = cell.locator("details")
        await expect(table.locator("pre").first).to_be_hidden()
        await keep(page, "sweep.png")
        top = await cell.bounding_box()
        assert top is not None
        await page.screenshot(path=PICTURES / "sweep-readme.png", clip={**top, "height": top["height"] + 8})
        await table.locator("summary").first.click()
        await expect(table.locator("pre").first).to_be_visible()
        await keep(page, "sweep-table.png")
        await page.evaluate(SAVE)
    saved = nbformat.read(lab.folder / "sweep.ipynb", as_version=4).cells[1].outputs
    announced, *shown = saved
    assert announced.text == "12 images: 3 steps × 4 seeds\n"
    whole = [output.data for output in shown if output.data]
    assert [sorted(data) for data in whole] == [
        ["image/jpeg", "text/plain"],
        ["text/html", "text/markdown", "text/plain"],
    ]
    assert whole[0]["text/plain"].startswith("<flux sheet steps×seed 3×4, 12 images sha256:")
