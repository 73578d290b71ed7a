"""A choice by click in a real JupyterLab: what is ticked is kept, and its line keeps it again."""

from __future__ import annotations

import nbformat
from playwright.async_api import expect

from tests.browser.test_lab import keep
from tests.support.axe import find_faults
from tests.support.lab import RUN_ALL, SAVE, Lab

SCENES = 'scenes = ["in the snow", "by the sea", "at night"]'
SWEEP = "%%flux --zip --seed 1..3 --size 256x256 --output foxes\na red fox {scenes}"


async def test_what_is_ticked_is_kept_and_the_line_keeps_it_again(lab: Lab, slow_space: str) -> None:
    where = f"%load_ext flux_magic\n%config FluxMagics.space = {slow_space!r}\n{SCENES}"
    lab.write("pick.ipynb", [where, SWEEP, "%flux_pick foxes", "", "print([fox.seed for fox in best])"])
    async with lab.open_notebook("pick.ipynb", dark=True) as page:
        await page.evaluate(RUN_ALL)
        cell = page.locator(".jp-CodeCell").nth(2)
        boxes = cell.get_by_role("checkbox")
        await expect(boxes).to_have_count(3)
        keep_button = cell.get_by_role("button", name="Keep")
        await expect(keep_button).to_be_disabled()
        await cell.locator(".flux-pick-item").nth(0).click()  # at its middle: the whole card is its checkbox
        await cell.get_by_role("checkbox", name="3: at night · seed 3").press("Space")
        await expect(cell.get_by_role("status")).to_have_text("2 of 3 chosen")
        assert await find_faults(page, ".flux-pick") == []
        await page.evaluate("element => element.scrollIntoView()", await cell.element_handle())
        await keep(page, "pick.png")
        await keep_button.click()
        line = "%flux_pick foxes --keep 1,3 --output best"
        await expect(cell.locator("pre", has_text="--keep")).to_have_text(line)
        await keep(page, "pick-kept.png")
        await page.evaluate(SAVE)
    saved = nbformat.read(lab.folder / "pick.ipynb", as_version=4)
    assert saved.cells[2].outputs[-1].data["text/plain"] == line
    lab.write("picked.ipynb", [where, SWEEP, line, "print([fox.seed for fox in best])"])
    async with lab.open_notebook("picked.ipynb") as page:
        await page.evaluate(RUN_ALL)
        shown = page.locator(".jp-CodeCell").nth(3).locator(".jp-OutputArea-output")
        await expect(shown).to_have_text("[1, 3]\n")
        await expect(page.locator(".jp-CodeCell").nth(2).locator("img")).to_have_count(1)
        await keep(page, "picked.png")
