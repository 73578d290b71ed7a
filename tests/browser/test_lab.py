"""The quickstart in a real JupyterLab, in Chromium."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.async_api import Page, expect

from tests.support.lab import RUN_ALL, SAVE, Lab

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"
PICTURES = Path(os.environ.get("FLUX_MAGIC_SCREENSHOTS", "build/screenshots"))
OUTPUTS = """() => [...document.querySelectorAll('.jp-CodeCell')].map(cell =>
    [...cell.querySelectorAll('.jp-OutputArea-child')].map(output => ({
        image: output.querySelector('img')?.naturalWidth ?? 0,
        width: output.querySelector('img')?.width ?? 0,
        table: Boolean(output.querySelector('table')),
        top: output.getBoundingClientRect().top,
        height: output.offsetHeight,
        text: output.innerText,
    })))"""

SHOWN = """number => [...document.querySelectorAll('.jp-OutputArea img')].filter(image => image.naturalWidth).length === number
    && document.querySelectorAll('.jp-OutputArea table').length >= number"""  # noqa: E501
ALTS = "() => [...document.querySelectorAll('.jp-OutputArea img')].map(image => image.alt)"
COLOURED = """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputArea .cm-content')].map(
    editor => editor.querySelectorAll('.cm-line span:not(.cm-matchingBracket)').length > 0)"""


async def keep(page: Page, name: str) -> None:
    await page.screenshot(path=PICTURES / name)


async def outputs(page: Page) -> list[list[dict[str, Any]]]:
    """Return what each code cell shows: empty outputs are left out."""
    found: list[list[dict[str, Any]]] = await page.evaluate(OUTPUTS)
    return [[output for output in cell if output["height"] > 0] for cell in found]


async def wait_for_images(page: Page, number: int) -> None:
    """Wait until so many images are loaded, each with its table: JupyterLab renders outputs after the cell's end."""
    await page.wait_for_function(SHOWN, arg=number)


async def pictures(page: Page) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return each image with the output that follows it."""
    shown = await outputs(page)
    return [pair for cell in shown for pair in itertools.pairwise(cell) if pair[0]["image"]]


async def test_the_quickstart_shows_each_image_with_its_table_below(lab: Lab) -> None:
    shutil.copy(QUICKSTART, lab.folder / "quickstart.ipynb")
    async with lab.open_notebook("quickstart.ipynb") as page:
        await page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        await page.evaluate(RUN_ALL)
        await wait_for_images(page, 7)
        shown = await pictures(page)
        assert [image["image"] for image, _ in shown] == [768, 512, 512, 640, 320, 320, 320]
        await page.wait_for_function(f"() => ({ALTS})().every(Boolean)")
        for image, table in shown:
            assert table["table"]
            assert table["top"] >= image["top"] + image["height"]
            assert "%%flux" in table["text"]
        assert "Error" not in str(await outputs(page))
        await page.evaluate("() => document.querySelectorAll('.jp-Cell')[5].scrollIntoView()")
        await keep(page, "quickstart.png")
        await page.screenshot(path=PICTURES / "readme.png", clip={"x": 0, "y": 0, "width": 1280, "height": 1085})


async def test_a_saved_notebook_shows_its_images_without_a_kernel(lab: Lab) -> None:
    saved = nbformat.read(QUICKSTART, as_version=4)
    saved.metadata["kernelspec"] = {"name": "gone", "display_name": "No such kernel", "language": "python"}
    nbformat.write(saved, lab.folder / "reopened.ipynb")
    async with lab.open_notebook("reopened.ipynb", kernel=False, dark=True) as page:
        await wait_for_images(page, 7)
        assert all(table["table"] and "%%flux" in table["text"] for _, table in await pictures(page))
        await page.wait_for_selector("#jupyterlab-splash", state="detached")
        await page.evaluate("() => document.querySelectorAll('.jp-OutputArea table')[1].scrollIntoView()")
        await keep(page, "reopened.png")


async def test_images_have_their_alternative_text_and_prompts_no_colours(lab: Lab, space: str) -> None:
    """The extension follows a cell that becomes a prompt and one that no longer is, and Tab still completes options."""
    flux = f"%%flux --seed 1 --size 256x256 --space {space}"
    cells = [
        "%load_ext flux_magic",
        f"{flux} --alt 'A fox of mine'\nin and it's",
        f"{flux} -n 2\na fox",
        "x = 1 in [1]",
    ]
    lab.write("alt.ipynb", cells)
    edit = "text => window.jupyterapp.shell.currentWidget.content.widgets[3].model.sharedModel.setSource(text)"
    async with lab.open_notebook("alt.ipynb") as page:
        await page.evaluate(RUN_ALL)
        await page.wait_for_function(f"() => String(({ALTS})()) === 'A fox of mine,a fox,a fox'")
        await page.wait_for_function(f"() => String(({COLOURED})()) === 'false,false,false,true'")
        for source, is_coloured in (("%%flux\nx = 1 in [1]", False), ("%%flux_like\nx = 1 in [1]", True)):
            await page.evaluate(edit, source)
            await page.wait_for_function(f"() => ({COLOURED})()[3] === {str(is_coloured).lower()}")
        await page.evaluate(edit, "")
        await page.locator(".jp-CodeCell .cm-content").nth(3).click()
        await page.keyboard.type("%%flux --see")
        await page.keyboard.press("Tab")
        await page.wait_for_selector(".jp-Completer-item:has-text('--seed')")
        await page.evaluate(SAVE)
    async with lab.open_page("notebooks/alt.ipynb") as page:
        await page.wait_for_function(f"() => String(({ALTS})()) === 'A fox of mine,a fox,a fox'")
        await page.wait_for_function(f"() => String(({COLOURED})()) === 'false,false,false,false'")


SMALL = """
import base64, io
from IPython.display import display
from PIL import Image
file = io.BytesIO()
Image.new("RGB", (128, 96), "red").save(file, "PNG")
data, size = {"image/png": base64.b64encode(file.getvalue()).decode()}, {"width": 512, "height": 384}
display(data, metadata={"image/png": {"alt": "a fox", **size}, "flux_magic": {}}, raw=True)
display(data, metadata={"image/png": size}, raw=True)
"""
"""Two small images, one as we show it and one of another package."""


async def test_a_small_image_of_ours_is_enlarged_without_blur(lab: Lab) -> None:
    lab.write("small.ipynb", [SMALL])
    look = """() => String([...document.querySelectorAll('.jp-OutputArea img')].map(
        image => [image.width, image.height, getComputedStyle(image).imageRendering]))"""
    async with lab.open_notebook("small.ipynb") as page:
        await page.evaluate(RUN_ALL)
        await page.wait_for_function(f"() => ({look})() === '512,384,pixelated,512,384,auto'")


@pytest.mark.thorough
async def test_the_bar_is_seen_and_leaves_nothing(lab: Lab, slow_space: str) -> None:
    lab.write("bar.ipynb", ["%load_ext flux_magic", f"%flux --steps 20 --size 256x256 --space {slow_space} a fox"])
    async with lab.open_notebook("bar.ipynb") as page:
        await page.evaluate(f"() => {{ window.ran = ({RUN_ALL})() }}")
        await page.wait_for_selector("progress[max='20']")
        assert "of 20" in await page.inner_text(".jp-OutputArea-child:has(progress)")
        await keep(page, "bar.png")
        await page.evaluate("() => window.ran")
        await expect(page.locator("progress")).to_have_count(0)
        await wait_for_images(page, 1)
        assert [len(cell) for cell in await outputs(page)] == [0, 2]
        await page.evaluate(SAVE)
    saved = nbformat.read(lab.folder / "bar.ipynb", as_version=4)
    assert saved.cells[1].outputs[0].data == {}


@pytest.mark.thorough
async def test_the_stop_button_ends_an_image(lab: Lab, slow_space: str) -> None:
    slow = f"%flux --steps 50 --size 256x256 --space {slow_space} a fox"
    lab.write("stop.ipynb", ["%load_ext flux_magic", slow, "print('still here')"])
    async with lab.open_notebook("stop.ipynb") as page:
        await page.evaluate(f"() => {{ window.ran = ({RUN_ALL})() }}")
        await page.wait_for_selector("progress[max='50']")
        await page.click(
            "jp-button[data-command='notebook:interrupt-kernel'], button[data-command='notebook:interrupt-kernel']"
        )
        await page.evaluate("() => window.ran")
        stopped = page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output")
        await expect(stopped.filter(has_text="KeyboardInterrupt")).to_have_text("KeyboardInterrupt: stopped")
        await keep(page, "stopped.png")
