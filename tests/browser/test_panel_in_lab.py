"""The panel in a real JupyterLab, Notebook and Voilà, by clicks and keys. Each state leaves an image."""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.async_api import Page, expect

from flux_magic.images import metadata
from tests.browser.test_lab import PICTURES, keep
from tests.support.axe import find_faults
from tests.support.hostile import answer_stream, format_finished, run_hostile
from tests.support.lab import DARK, KERNEL_READY, RUN_ALL, SAVE, Lab
from tests.support.panel import PanelPage

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SMALL = "--size 256x256 --steps 4"
QUOTA = "You have exceeded your free ZeroGPU quota (60s requested vs. 0s left). Try again in 1:02:03."
NEW_CELL = "() => window.jupyterapp.commands.execute('notebook:insert-cell-below')"
BROWSER = "() => window.jupyterapp.commands.execute('application:toggle-left-area')"


@asynccontextmanager
async def opened(lab: Lab, name: str, *cells: str, **how: Any) -> AsyncIterator[Page]:
    """Provide a notebook with these cells, run; the file browser is closed."""
    lab.write(f"{name}.ipynb", ["%load_ext flux_magic", *cells])
    async with lab.open_notebook(f"{name}.ipynb", **how) as page:
        await page.evaluate(BROWSER)
        await page.evaluate(f"() => {{ window.ran = ({RUN_ALL})() }}")
        yield page


async def test_clicks_and_keys_make_an_image(lab: Lab, slow_space: str) -> None:
    async with opened(lab, "make", f"%flux_panel --space {slow_space}") as page:
        panel = await PanelPage(page).wait_until_shown()
        await expect(panel.get_button("Generate")).to_be_disabled()
        await keep(page, "panel-new.png")
        await panel.type_prompt("a red fox in the morning mist")
        await panel.get_handle("Steps").focus()
        for _ in range(2):
            await page.keyboard.press("ArrowRight")
        await expect(panel.get_handle("Width")).to_be_hidden()
        await panel.get_field("Size").select_option("another size")
        await panel.drag("Width", 60)
        width = await panel.read_number("Width")
        assert width > 768
        assert width % 8 == 0
        await expect(panel.get_field("Size")).to_have_value("another size")
        await panel.get_button("Swap").click()
        await expect(panel.get_handle("Height")).to_have_attribute("aria-valuenow", f"{width}.0")
        await panel.get_button("Generate").click()
        await panel.list_said(r"^step \d of 4")
        await keep(page, "panel-running.png")
        await panel.wait_until_done(1)
        assert len({said for said in await panel.list_said(r"^done in") if re.match(r"step \d of 4", said)}) > 1
        await expect(panel.picture).to_have_js_property("naturalHeight", width)
        await expect(panel.picture).to_have_js_property("naturalWidth", 768)
        await expect(panel.output).to_contain_text("%%flux --steps 4")
        await keep(page, "panel-done.png")


@pytest.mark.thorough
async def test_an_earlier_result_and_a_copied_cell(lab: Lab, slow_space: str) -> None:
    async with opened(lab, "copy", f"%flux_panel {SMALL} --space {slow_space} a red fox") as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        panel = await PanelPage(page).wait_until_shown()
        await panel.get_field("Prompt").focus()
        await page.keyboard.press("Control+Enter")
        await panel.wait_until_done(1)
        first = await panel.picture.get_attribute("src")
        await panel.type_prompt("a hen")
        await page.keyboard.press("Control+Enter")
        await panel.wait_until_done(2)
        await expect(panel.picture).not_to_have_attribute("src", first or "")
        await panel.results.nth(1).click()
        await expect(panel.picture).to_have_attribute("src", first or "")
        await expect(panel.get_field("Prompt")).to_have_value("a red fox")
        await expect(panel.get_field("random")).not_to_be_checked()
        await panel.unfold("Copy and save")
        await panel.get_button("Copy as cell").click()
        await panel.wait_for_text("on the clipboard")
        await keep(page, "panel-earlier.png")
        await page.evaluate(NEW_CELL)
        await page.keyboard.press("Enter")
        await page.keyboard.press("Control+V")
        await page.keyboard.press("Control+Enter")
        again = page.locator(".jp-CodeCell").nth(2).locator(".jp-RenderedImage img")
        await expect(again).to_be_visible()  # a Space starts
        await keep(page, "panel-copied.png")
        await page.evaluate(SAVE)
    saved = nbformat.read(lab.folder / "copy.ipynb", as_version=4)
    below, made = ([output.data for output in cell.outputs if "image/png" in output.data] for cell in saved.cells[1:])
    assert [data["text/plain"] for data in below] == [data["text/plain"] for data in made]
    pictures = {metadata.remove_metadata(base64.b64decode(data["image/png"])) for data in (*below, *made)}
    assert len(pictures) == 1, "but for the times in its record, it is the same"


@pytest.mark.thorough
async def test_seeds_and_steps_are_compared_on_one_sheet(lab: Lab, slow_space: str) -> None:
    async with opened(lab, "compare", f"%flux_panel --size 512x384 --space {slow_space} a red fox") as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        panel = await PanelPage(page).wait_until_shown()
        await panel.unfold("Compare", "Copy and save")
        compare = panel.root.get_by_role("group", name="Compare", exact=True)
        await compare.get_by_role("button", name="Compare").click()
        await panel.wait_for_text("^nothing to compare: ")
        await compare.get_by_role("textbox", name="Seeds").fill("1,2")
        await compare.get_by_role("textbox", name="Steps").fill("1,4")
        await page.keyboard.press("Control+Enter")
        await panel.list_said(r"^[123] of 4 images; seed \d, steps \d: ")
        await expect(panel.picture).to_be_visible()
        source = await panel.picture.get_attribute("src") or ""
        await keep(page, "panel-comparing.png")
        await panel.wait_until_done(5)
        await expect(panel.picture).not_to_have_attribute("src", source)
        source = await panel.picture.get_attribute("src") or ""
        assert await find_faults(page, ".flux-magic-panel") == []
        await page.mouse.move(0, 0)
        await keep(page, "panel-compare.png")
        await panel.get_button("seed 2, steps 4").click()
        await expect(panel.picture).to_have_js_property("naturalWidth", 512)
        await expect(panel.get_handle("Steps")).to_have_attribute("aria-valuenow", "4.0")
        await panel.get_button("sheet of 4 seed × steps").click()
        await expect(panel.picture).to_have_attribute("src", source)
        await panel.get_button("Copy as cell").click()
        await panel.wait_for_text("on the clipboard")
        copied = await page.evaluate("() => navigator.clipboard.readText()")
        assert copied == "%%flux --seed 1,2 --steps 1,4 --space local --size 512x384\na red fox"
        await page.evaluate(SAVE)
    saved = nbformat.read(lab.folder / "compare.ipynb", as_version=4)
    _, sheet, table = saved.cells[1].outputs
    assert base64.b64decode(sheet.data["image/jpeg"])[:2] == b"\xff\xd8"
    assert "<details class=" in table.data["text/html"]


@pytest.mark.thorough
async def test_cancel_in_the_queue_and_while_it_runs(lab: Lab, slow_space: str) -> None:
    cells = [f"%flux_panel --steps 50 --size 256x256 --space {slow_space} a fox"] * 2
    async with opened(lab, "cancel", *cells) as page:
        running, queued = await PanelPage(page, 0).wait_until_shown(), await PanelPage(page, 1).wait_until_shown()
        await running.get_button("Generate").click()
        await running.list_said(r"^step \d")
        await queued.get_button("Generate").click()
        await queued.list_said(r"^1st of 1 in the queue")
        await keep(page, "panel-queued.png")
        for panel in (queued, running):
            await panel.get_button("Cancel").click()
            await panel.wait_for_text("^cancelled$")
            await expect(panel.get_button("Cancel")).to_be_disabled()
        await keep(page, "panel-cancelled.png")
        await queued.get_handle("Steps").focus()
        await page.keyboard.press("Home")
        await queued.get_button("Generate").click()
        await queued.wait_until_done(1)


@pytest.mark.thorough
async def test_two_panels_at_once_beside_a_running_cell(lab: Lab, slow_space: str) -> None:
    cells = [f"%flux_panel {SMALL} --space {slow_space} {prompt}" for prompt in ("a fox", "a hen")]
    async with opened(lab, "two", *cells, "import time; time.sleep(1)\nprint('ran')") as page:
        panels = [await PanelPage(page, 0).wait_until_shown(), await PanelPage(page, 1).wait_until_shown()]
        for panel in (*panels, panels[0]):
            await panel.get_button("Generate").click()
        await panels[0].wait_until_done(2)
        await panels[1].wait_until_done(1)
        await expect(page.locator(".jp-CodeCell").nth(3)).to_contain_text("ran")
        for panel, prompt in zip(panels, ("a fox", "a hen"), strict=True):
            await expect(panel.picture).to_have_count(1)
            await expect(panel.output.locator("table")).to_contain_text(prompt)
        await keep(page, "panel-two.png")


@pytest.mark.thorough
async def test_a_press_while_the_kernel_is_busy_takes_all_that_was_typed(lab: Lab, space: str) -> None:
    cells = [f"panel = %flux_panel {SMALL} --space {space} x\npanel", "import time; time.sleep(4)"]
    async with opened(lab, "busy", *cells) as page:
        panel = await PanelPage(page).wait_until_shown()
        await panel.type_prompt("a lighthouse in a storm")
        await panel.get_button("Generate").click()
        await panel.wait_until_done(1)
        await expect(panel.output.locator("table")).to_contain_text("a lighthouse in a storm")


@pytest.mark.thorough
async def test_an_error_of_the_space_is_on_the_status_line(lab: Lab) -> None:
    failing = answer_stream(format_finished({"error": QUOTA, "title": "ZeroGPU quota exceeded"}, success=False))
    async with (
        run_hostile(queue=failing) as server,
        opened(lab, "error", f"%flux_panel {SMALL} --space {server.address} a fox") as page,
    ):
        panel = await PanelPage(page).wait_until_shown()
        await panel.get_button("Generate").click()
        said = await panel.wait_for_text("^QuotaExceeded: ")
        assert "Try again in 1:02:03" in said
        await expect(panel.root.get_by_role("alert")).to_be_visible()
        await expect(panel.get_button("Cancel")).to_be_disabled()
        await keep(page, "panel-error.png")


@pytest.mark.thorough
async def test_a_saved_notebook_shows_the_result_without_a_kernel_and_a_reloaded_page_goes_on(
    lab: Lab, slow_space: str
) -> None:
    async with opened(lab, "reload", f"%flux_panel {SMALL} --space {slow_space} a fox") as page:
        panel = await PanelPage(page).wait_until_shown()
        await page.evaluate(SAVE)
        await panel.get_button("Generate").click()
        await panel.wait_until_done(1)
        first = await panel.picture.get_attribute("src")
        page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))  # it was not saved since
        await page.reload()
        panel = await PanelPage(page).wait_until_shown()
        await expect(panel.picture).to_have_attribute("src", first or "")
        await panel.get_button("Generate").click()
        await panel.wait_until_done(2)
        await expect(panel.picture).not_to_have_attribute("src", first or "")
        await expect(panel.root.locator(".flux-magic-result img")).to_have_count(0)
        source = await panel.picture.get_attribute("src")
        await page.evaluate(SAVE)
        await keep(page, "panel-reloaded.png")
    saved = nbformat.read(lab.folder / "reload.ipynb", as_version=4)
    saved.metadata["kernelspec"] = {"name": "gone", "display_name": "No such kernel", "language": "python"}
    nbformat.write(saved, lab.folder / "gone.ipynb")
    async with lab.open_notebook("gone.ipynb", kernel=False) as page:
        pictures = page.locator(".jp-OutputArea img")
        await expect(pictures).to_have_count(1)
        await expect(pictures).to_have_attribute("src", source or "")
        await expect(page.locator(".jp-OutputArea").nth(1)).to_contain_text("%%flux --steps 4")
        await page.wait_for_selector("#jupyterlab-splash", state="detached")
        await keep(page, "panel-without-kernel.png")


KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"


@pytest.mark.thorough
async def test_after_a_restart_the_panel_says_so_and_its_cell_brings_back_what_was_set(lab: Lab, space: str) -> None:
    async with opened(lab, "restart", f"%flux_panel --size 256x256 --space {space}") as page:
        panel = await PanelPage(page).wait_until_shown()
        for number, prompt in enumerate(("a red fox", "a hen")):
            await panel.type_prompt(prompt)
            await panel.get_handle("Steps").focus()
            await page.keyboard.press("ArrowRight")
            await panel.get_button("Generate").click()
            await panel.wait_until_done(1 + number)
            await expect(panel.output.locator("table")).to_contain_text(prompt)
        shown, labels = await panel.picture.get_attribute("src"), await panel.results.all_inner_texts()
        await panel.get_field("Prompt").fill("a lighthouse")
        await page.evaluate(
            f"async () => {{ const kernel = {KERNEL}; await kernel.requestExecute({{code: ''}}).done; }}"
        )
        await page.evaluate(f"() => {KERNEL}.restart()")
        words = "element => getComputedStyle(element, '::before').content"
        await expect(panel.root).to_have_class(re.compile("jupyter-widgets-disconnected"))
        assert "run its cell again" in await panel.root.evaluate(words)
        assert await panel.get_button("Generate").evaluate(words) == "none"
        await keep(page, "panel-ended.png")
        await page.wait_for_function(KERNEL_READY)
        await page.evaluate(RUN_ALL)
        await expect(panel.root).not_to_have_class(re.compile("jupyter-widgets-disconnected"))
        await panel.wait_until_shown()
        await expect(panel.get_field("Prompt")).to_have_value("a lighthouse")
        await expect(panel.get_handle("Steps")).to_have_attribute("aria-valuenow", "4.0")
        await expect(panel.picture).to_have_attribute("src", shown or "")
        await expect(panel.results).to_have_count(2)
        assert await panel.results.all_inner_texts() == labels
        await expect(panel.root.locator(".flux-magic-strip .flux-magic-use").last).to_be_visible()
        await panel.results.first.focus()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Tab")
        assert await page.evaluate(NAME_OF_FOCUS) == "Use as input"
        await page.keyboard.press("Enter")
        await expect(panel.root.locator(".flux-magic-inputs img")).to_have_count(1)
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(panel.get_field("Prompt")).to_have_value("a red fox")
        assert await find_faults(page, ".flux-magic-strip") == []
        await keep(page, "panel-back.png")


FOLDS = ("More parameters", "Model and Space", "Compare", "Copy and save")
BOXES = """panel => [...panel.querySelectorAll('button, input, select, textarea, .noUi-base')]
    .filter(one => one.checkVisibility() && !one.closest('.flux-magic-strip') && one.type !== 'file')
    .map(one => [one.getBoundingClientRect(), one.innerText || one.className])
    .map(([box, name]) => ({left: box.left, right: box.right, top: box.top, bottom: box.bottom, name}))"""
"""The places of a panel's controls, of a slider that of its track."""


async def test_prompt_generate_and_the_whole_image_are_on_the_screen(lab: Lab, space: str) -> None:
    async with opened(lab, "wide", f"%flux_panel --space {space} --size 768x768 --steps 1") as page:
        await page.set_viewport_size({"width": 1400, "height": 1000})
        panel = await PanelPage(page).wait_until_shown()
        await panel.wait_for_text("^the prompt is empty")
        await panel.type_prompt("a red fox")
        await page.keyboard.press("Control+Enter")
        await panel.wait_until_done(1)
        await expect(panel.picture).to_have_js_property("naturalWidth", 768)
        for files in ("closed", "open"):
            for one in (panel.get_field("Prompt"), panel.get_button("Generate"), panel.picture):
                await expect(one).to_be_in_viewport(ratio=0.99)
            prompt, button, picture = [
                await one.bounding_box()
                for one in (panel.get_field("Prompt"), panel.get_button("Generate"), panel.picture)
            ]
            assert prompt is not None
            assert button is not None
            assert picture is not None
            assert 0 <= button["y"] - (prompt["y"] + prompt["height"]) < 20
            assert picture["width"] == pytest.approx(picture["height"])
            assert picture["x"] > prompt["x"] + prompt["width"]
            await keep(page, f"panel-wide-{files}.png")
            await page.evaluate(BROWSER)
        await panel.picture.click()
        await expect(panel.picture).to_have_js_property("width", 768)


async def test_a_narrow_window_both_themes_and_axe(lab: Lab, space: str) -> None:
    async with opened(lab, "narrow", f"%flux_panel {SMALL} --space {space} a red fox", dark=True) as page:
        panel = await PanelPage(page).wait_until_shown()
        for results in (1, 2):
            await panel.get_button("Generate").click()
            await panel.wait_until_done(results)
        await panel.unfold(*FOLDS)
        await panel.get_field("Steps, as a number").fill("3.7")
        await page.keyboard.press("Tab")
        await panel.wait_for_text("Steps 3.7: give a whole number from 1 up$")
        await expect(panel.get_button("Generate")).to_be_disabled()
        await expect(panel.get_field("Steps, as a number")).to_have_attribute("aria-invalid", "true")
        assert await find_faults(page, ".flux-magic-panel") == []
        await keep(page, "panel-dark.png")
        await page.evaluate(DARK.replace("Dark", "Light"))
        await page.set_viewport_size({"width": 500, "height": 1400})
        await expect(panel.root).not_to_have_css("color", "rgb(255, 255, 255)")
        assert await find_faults(page, ".flux-magic-panel") == []
        outside = await panel.root.bounding_box()
        assert outside is not None
        boxes = await panel.root.evaluate(BOXES)
        assert len(boxes) > 20
        for number, one in enumerate(boxes):
            assert outside["x"] - 1 <= one["left"], one
            assert one["right"] <= outside["x"] + outside["width"] + 1, one
            assert "noUi" not in one["name"] or one["right"] - one["left"] >= 120, one
            for other in boxes[:number]:
                is_beside = one["left"] >= other["right"] - 1 or other["left"] >= one["right"] - 1
                assert is_beside or one["top"] >= other["bottom"] - 1 or other["top"] >= one["bottom"] - 1, (one, other)
        await keep(page, "panel-narrow.png")


@pytest.mark.thorough
async def test_every_control_is_reached_by_tab_in_the_order_of_reading(lab: Lab, space: str) -> None:
    shown = (
        f"panel = %flux_panel {SMALL} --space {space} a red fox\npanel.folds = 'parameters', 'model', 'compare', 'save'"
    )
    async with opened(lab, "tab", f"{shown}\npanel") as page:
        panel = await PanelPage(page).wait_until_shown()
        await panel.get_button("Generate").click()
        await panel.wait_until_done(1)
        await panel.get_field("Prompt").focus()
        reached = []
        for _ in range(38):
            reached.append(await page.evaluate(NAME_OF_FOCUS))
            await page.keyboard.press("Tab")
        assert [re.sub(r"\d+", "N", name) for name in reached] == [
            "Prompt", "Generate", "Image (N)", "Mask (N)", "Size", "Width", "Width, as a number", "Height",
            "Height, as a number", "Steps", "Steps, as a number", "random", "Keep this seed", "Images",
            "More parameters", "Negative prompt", "Guidance", "Guidance, as a number", "Guidance: the model's default",
            "Endpoint", "Model and Space: flux, http://N.N.N.N:N", "Provider", "Model", "Space",
            "Compare", "Vary", "Seeds", "and",
            "Steps", "Compare", "Copy and save", "Use as input", "Copy as cell", "Save to", "Save", "replace",
            "seed N", "Use as input",
        ]  # fmt: skip


@pytest.mark.thorough
async def test_sliders_take_typed_numbers_and_keep_their_keys(lab: Lab, slow_space: str) -> None:
    async with opened(lab, "keys", f"%flux_panel --size 256x256 --steps 10 --space {slow_space} a fox") as page:
        panel = await PanelPage(page).wait_until_shown()
        await panel.get_handle("Width").focus()
        await page.keyboard.type("ddx")  # JupyterLab's keys for deleting and cutting a cell
        await page.keyboard.press("ArrowUp")
        await expect(panel.get_handle("Width")).to_be_focused()
        assert await panel.read_number("Width") == 264
        await panel.get_field("Steps, as a number").click()
        await page.keyboard.press("Control+A")
        await page.keyboard.type("2")
        await panel.get_button("Generate").click()
        await panel.wait_until_done(1)
        await expect(panel.output).to_contain_text("%%flux --steps 2 ")
        await panel.get_field("Steps, as a number").click()
        await page.keyboard.press("Control+A")
        await page.keyboard.type("3")
        await page.keyboard.press("Control+Enter")
        await panel.wait_until_done(2)
        await expect(panel.output).to_contain_text("%%flux --steps 3 ")


@pytest.mark.thorough
async def test_within_another_widget_the_result_is_in_the_panel(lab: Lab, space: str) -> None:
    make = "import flux_magic\nfrom ipywidgets import HBox, Output\nfrom IPython.display import display\n"
    panel = f"flux_magic.Panel(prompt='a fox', width=256, height=256, steps=1, space='{space}')"
    shown = f"{make}panel, out = {panel}, Output()\nwith out:\n    display(panel)\nout"
    boxed = f"other = {panel}\nother"
    async with opened(lab, "nested", shown, boxed, "HBox([other])") as page:
        for number in (0, 2):
            nested = await PanelPage(page, number).wait_until_shown()
            await nested.get_button("Generate").click()
            await nested.wait_until_done(1)
            await expect(nested.root.locator(".flux-magic-result img")).to_have_js_property("naturalWidth", 256)
        await keep(page, "panel-nested.png")


NAME_OF_FOCUS = """() => {
    const it = document.activeElement;
    const label = it.id && document.querySelector(`label[for="${it.id}"]`);
    const text = it.getAttribute('aria-label') || label?.innerText || it.closest('label')?.innerText || it.innerText;
    return text.trim();
}"""


@pytest.mark.thorough
async def test_fifty_results_are_kept_and_the_oldest_comes_back(lab: Lab, slow_space: str) -> None:
    fill = (
        "import flux_magic\nfrom flux_magic.client.blocking import shared\n"
        f"made = flux_magic.generate('x', space='{slow_space}', width=256, height=256, steps=1)\n"
        "shared.made.extend([made] * 50)\n"
    )
    show = f"%flux_panel --steps 1 --size 256x256 --space {slow_space} a fox"
    async with opened(lab, "strip", fill, show) as page:
        panel = await PanelPage(page).wait_until_shown()
        await expect(panel.results).to_have_count(50)
        await panel.get_button("Generate").click()
        await panel.wait_for_text(r"^done in")
        await expect(panel.results).to_have_count(50)
        await panel.results.nth(49).click()
        await expect(panel.get_field("Prompt")).to_have_value("x")
        await keep(page, "panel-strip.png")


@pytest.mark.thorough
async def test_in_notebook_7(lab: Lab, space: str) -> None:
    lab.write("notebook7.ipynb", ["%load_ext flux_magic", f"%flux_panel {SMALL} --space {space} a fox"])
    async with lab.open_page("notebooks/notebook7.ipynb") as page:
        await page.wait_for_selector(".jp-Notebook .jp-Cell")
        await page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
        await page.evaluate(RUN_ALL)
        panel = await PanelPage(page).wait_until_shown()
        await panel.get_button("Generate").click()
        await panel.wait_until_done(1)
        await expect(panel.picture).to_have_js_property("naturalWidth", 256)
        await keep(page, "panel-notebook7.png")


@pytest.mark.thorough
async def test_under_voila_it_is_a_page_of_its_own(lab: Lab, space: str) -> None:
    lab.write("voila.ipynb", ["%load_ext flux_magic", f"%flux_panel {SMALL} --space {space} a fox"])
    async with lab.open_page("voila/render/voila.ipynb") as page:
        panel = await PanelPage(page).wait_until_shown()
        await panel.get_button("Generate").click()
        await panel.wait_until_done(1)
        picture = panel.root.locator(".flux-magic-result img")
        await expect(picture).to_have_js_property("naturalWidth", 256)
        await expect(picture).to_have_attribute("alt", "a fox")
        await expect(panel.root.locator(".flux-magic-result")).to_contain_text("%%flux")
        await keep(page, "panel-voila.png")


@pytest.mark.thorough
async def test_the_panels_own_tutorial(lab: Lab) -> None:
    shutil.copytree(NOTEBOOKS / "images", lab.folder / "images", dirs_exist_ok=True)
    shutil.copy(NOTEBOOKS / "02_panel.ipynb", lab.folder / "panel.ipynb")
    async with lab.open_notebook("panel.ipynb") as page:
        await page.evaluate(BROWSER)
        await page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
        await page.evaluate(RUN_ALL)
        assert "Error" not in "".join(await page.locator(".jp-OutputArea").all_inner_texts())
        interactive = page.locator(".widget-interact img")
        await expect(interactive).to_have_js_property("naturalWidth", 320)
        panel = await PanelPage(page).wait_until_shown()
        for number, prompt in enumerate(
            ("a red fox in the morning mist", "a red fox in the snow", "autumn by the lake")
        ):
            await panel.type_prompt(prompt)
            await page.keyboard.press("Control+Enter")
            await panel.wait_until_done(1 + number)
        await panel.results.nth(2).click()
        await expect(panel.get_field("random")).not_to_be_checked()
        await page.mouse.move(0, 0)
        await panel.output.screenshot(path=PICTURES / "panel-readme.png")
        await page.locator(".widget-interact").scroll_into_view_if_needed()
        await keep(page, "panel-interact.png")
