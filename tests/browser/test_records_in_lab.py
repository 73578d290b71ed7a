"""The tutorial on records in a real JupyterLab: the gallery, the check, and the passing word of a replay."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.async_api import expect

from tests.browser.test_lab import keep
from tests.support.lab import RUN_ALL, Lab

TUTORIAL = Path(__file__).parents[2] / "notebooks" / "04_the_same_image_next_year.ipynb"
AGAIN = "%flux --steps 4 --seed 42 --size 512x384 a red fox in the morning mist"
LAST = "() => window.jupyterapp.commands.execute('notebook:run-cell')"


@pytest.mark.thorough
async def test_the_tutorial_shows_the_gallery_and_the_check_and_a_replay_says_so_for_a_moment(lab: Lab) -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    notebook.cells[1].source += "\n%config FluxMagics.replay = 'auto'\n%config FluxMagics.store = 'my store'"
    notebook.cells.append(nbformat.v4.new_code_cell(AGAIN))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(notebook, lab.folder / "records.ipynb")
    async with lab.open_notebook("records.ipynb") as page:
        await page.evaluate(RUN_ALL)
        assert "Error" not in "".join(await page.locator(".jp-OutputArea").all_inner_texts())
        gallery = page.locator(".jp-OutputArea-output", has_text="red fox").filter(has=page.locator("li img"))
        assert await gallery.locator("li img").count() == 2
        assert await gallery.locator("li img").first.evaluate("image => image.naturalWidth") > 0
        await gallery.scroll_into_view_if_needed()
        await keep(page, "history.png")
        reports = page.locator(".jp-OutputArea-output", has=page.locator("table", has_text="same bytes"))
        await expect(reports.first).to_contain_text("1 of 1 pass")
        altered = page.locator(".jp-OutputArea-output", has_text="altered since it was made").last
        await altered.scroll_into_view_if_needed()
        await keep(page, "verify.png")
        last = page.locator(".jp-CodeCell").last
        await last.scroll_into_view_if_needed()
        await last.locator(".cm-content").click()
        word = last.get_by_text("from the store; --fresh asks the Space")
        await expect(word).to_have_count(0)
        await page.keyboard.press("Control+Enter")
        await expect(word).to_be_visible()
        await keep(page, "replayed.png")
        await expect(last.locator("img")).to_be_visible()
        await expect(word).to_have_count(0)
