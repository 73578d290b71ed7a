"""The gallery of `%flux_history` in a real JupyterLab, with the mouse and with the keyboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from playwright.async_api import Locator, Page, expect

from flux_magic.images import codecs
from flux_magic.records.store import Store
from tests.browser.test_lab import keep
from tests.support.axe import find_faults
from tests.support.lab import RUN_ALL, SAVE, Lab
from tests.unit.samples import encoded, record

PROMPTS = ("a red fox in the snow", "a hen", "a lighthouse by the sea at night, with long shadows on the rocks")


def fill(folder: Path, number: int) -> None:
    """Put images into a store, of which the last is the newest."""
    store = Store(folder, None)
    for at in range(number):
        data = encoded(colour=at, size=(48, 36))
        started = f"2026-01-{1 + at // 60:02}T10:{at % 60:02}:00+00:00"
        made = record(prompt=PROMPTS[at % 3], seed=at, files=(codecs.describe(data),), started=started)
        store.put(made, [data])


@dataclass(frozen=True)
class GalleryPage:
    """The gallery on a page."""

    page: Page

    @property
    def root(self) -> Locator:
        return self.page.locator(".flux-gallery")

    @property
    def items(self) -> Locator:
        """The thumbnails that are seen."""
        return self.root.locator(".flux-gallery-item:not(.flux-gallery-gone)")

    @property
    def focused(self) -> Locator:
        return self.page.locator(":focus")

    def get_button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    async def expect_words(self, words: str) -> None:
        """Wait until the status line says this."""
        await expect(self.root.locator(".flux-gallery-status")).to_have_text(words)

    async def scroll_to_end(self) -> None:
        await self.root.locator(".flux-gallery-scroll").evaluate("element => element.scrollTo(0, element.scrollHeight)")


@asynccontextmanager
async def opened(lab: Lab, name: str, *, number: int, dark: bool = False) -> AsyncIterator[GalleryPage]:
    store = lab.folder / f"{name} store"
    fill(store, number)
    lab.write(f"{name}.ipynb", [f"%load_ext flux_magic\n%config FluxMagics.store = {str(store)!r}", "%flux_history"])
    async with lab.open_notebook(f"{name}.ipynb", dark=dark) as page:
        await page.evaluate(RUN_ALL)
        gallery = GalleryPage(page)
        await gallery.expect_words(f"{number} images")
        await expect(gallery.items).to_have_count(min(number, 50))
        await expect(gallery.items.first).to_have_attribute("role", "option")  # the page has loaded the keys as well
        yield gallery


async def test_one_scrolls_searches_stars_tags_and_compares(lab: Lab) -> None:
    async with opened(lab, "look", number=120) as gallery:
        page, items = gallery.page, gallery.items
        await page.wait_for_function("() => document.querySelectorAll('.flux-gallery-item').length === 50")
        image = "element => getComputedStyle(element, '::before').backgroundImage.slice(0, 20)"
        assert await items.last.evaluate(image) == 'url("data:image/jpeg'
        await gallery.scroll_to_end()
        await expect(items).to_have_count(100)
        await gallery.scroll_to_end()
        await expect(items).to_have_count(120)
        await expect(gallery.root.locator(".flux-gallery-more")).to_be_hidden()
        await page.get_by_role("combobox", name="Search").press_sequentially("night sea")
        await gallery.expect_words("40 images")
        await expect(items).to_have_count(40)
        await expect(gallery.focused).to_have_value("night sea")
        await items.nth(1).click()
        await expect(gallery.root.locator(".flux-gallery-image img")).to_have_attribute("alt", PROMPTS[2])
        await expect(gallery.get_button("Star")).to_have_attribute("aria-pressed", "false")
        await gallery.get_button("Star").click()
        await expect(gallery.get_button("Starred")).to_have_attribute("aria-pressed", "true")
        await page.get_by_role("combobox", name="Tags").press_sequentially("Coast, dark")
        await page.keyboard.press("Enter")
        await expect(gallery.root.get_by_role("group", name="Tags of the image").get_by_role("button")).to_have_count(2)
        await gallery.get_button("Compare").click()
        await gallery.expect_words("Now choose the image to compare it with")
        await items.nth(4).click()
        compared = gallery.root.locator(".flux-gallery-compared")
        await expect(compared.locator("img")).to_have_count(2)
        await expect(compared.get_by_role("row", name="seed 116 107")).to_be_visible()
        await keep(page, "gallery-compared.png")
        assert await find_faults(page, ".flux-gallery") == []
        await gallery.get_button("Close comparison").click()
        await page.get_by_role("combobox", name="Search").fill("#coast")
        await gallery.expect_words("1 image")
        await page.get_by_role("combobox", name="Search").fill("zebra")
        await expect(gallery.root.get_by_role("status")).to_contain_text("No image with 'zebra'")
        await page.set_viewport_size({"width": 500, "height": 1000})
        await page.get_by_role("combobox", name="Search").fill("")
        await gallery.expect_words("120 images")
        assert await gallery.root.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
        await keep(page, "gallery-narrow.png")


async def test_keys_move_star_and_delete_and_the_focus_is_never_lost(lab: Lab) -> None:
    async with opened(lab, "keys", number=12, dark=True) as gallery:
        page, items, focused = gallery.page, gallery.items, gallery.focused
        await expect(gallery.root.locator(".flux-gallery-item[tabindex='0']")).to_have_count(1)
        await items.first.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home", "ArrowRight"):
            await page.keyboard.press(key)
        await expect(focused).to_have_text("a hen\nseed 10", use_inner_text=True)
        await page.keyboard.press("s")
        await expect(focused).to_have_text("★ a hen\nseed 10", use_inner_text=True)
        await page.keyboard.press("Enter")
        await expect(focused).to_have_attribute("aria-selected", "true")
        await expect(gallery.get_button("Starred")).to_be_visible()
        await page.keyboard.press("Delete")
        await gallery.expect_words("Deleted “a hen” (seed 10); 11 left")
        await expect(focused).to_have_text("a red fox in the snow\nseed 9", use_inner_text=True)
        await expect(items).to_have_count(11)
        await keep(page, "gallery-deleted.png")
        assert await find_faults(page, ".flux-gallery") == []
        await gallery.get_button("Undo").press("Enter")
        await gallery.expect_words("“a hen” (seed 10) is back")
        await expect(items).to_have_count(12)
        await expect(focused).to_have_text("★ a hen\nseed 10", use_inner_text=True)
        await gallery.get_button("Delete").press("Enter")
        await gallery.expect_words("Deleted “a hen” (seed 10); 11 left")
        await expect(focused).to_have_text("Delete")
        await page.get_by_role("combobox", name="Search").focus()
        await page.keyboard.type("dd")  # JupyterLab deletes a cell by that
        await expect(page.locator(".jp-CodeCell")).to_have_count(2)


async def test_an_image_becomes_a_cell_a_panel_and_an_input_and_a_page_stays(lab: Lab) -> None:
    async with opened(lab, "use", number=3) as gallery:
        page = gallery.page
        below = page.locator(".jp-CodeCell").nth(2).locator(".cm-content")
        await gallery.items.nth(1).click()
        for _ in range(2):
            await gallery.get_button("Use as cell").click()
            await expect(gallery.root.get_by_role("status")).to_contain_text("The cell is below this one")
        await gallery.expect_words("The cell is below this one, where it was before")
        await expect(page.locator(".jp-CodeCell")).to_have_count(3)
        await expect(below).to_have_text("%%flux --steps 4 --seed 1 --size 256x192\na hen", use_inner_text=True)
        await gallery.get_button("Use as input").click()
        await expect(below).to_contain_text("%%flux --image sha256:")
        await expect(page.locator(".jp-CodeCell")).to_have_count(4)
        await gallery.get_button("Open in panel").click()
        await expect(gallery.root.get_by_label("Prompt", exact=True)).to_have_value("a hen")
        await gallery.get_button("Use as input").first.click()
        await expect(gallery.root.locator(".flux-magic-status")).to_contain_text("takes no image")
        await keep(page, "gallery-panel.png")
        await page.evaluate(SAVE)
    saved = nbformat.read(lab.folder / "use.ipynb", as_version=4)
    [output] = saved.cells[1].outputs
    assert output.data["text/html"].count("<img") == 3
    assert output.data["text/plain"].count("a hen") == 1
    saved.metadata["kernelspec"] = {"name": "gone", "display_name": "No such kernel", "language": "python"}
    nbformat.write(saved, lab.folder / "unused.ipynb")
    async with lab.open_notebook("unused.ipynb", kernel=False) as page:
        shown = page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea")
        await expect(shown.locator("img")).to_have_count(3)
        await expect(shown).not_to_contain_text("Error displaying widget")
        await keep(page, "gallery-without-kernel.png")
