"""One panel on three Spaces that differ: its controls, an upload, a result that goes in, and an edit of an edit."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.test_lab import keep
from tests.browser.test_panel_in_lab import opened
from tests.support.axe import find_faults
from tests.support.lab import DARK, Lab
from tests.support.limits import PATIENCE
from tests.support.panel import PanelPage
from tests.support.space import run_space
from tests.unit.samples import encoded

GIVE = """([kind, data]) => {
    const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "fox.png", { type: "image/png" }));
    const name = kind === "drop" ? "dataTransfer" : "clipboardData";
    const make = kind === "drop" ? DragEvent : ClipboardEvent;
    document.querySelector(".flux-magic-panel textarea")
        .dispatchEvent(new make(kind, { [name]: transfer, bubbles: true, cancelable: true }));
}"""
"""An image that a person drops on the panel, or pastes into it."""


@pytest.fixture(scope="session")
def spaces() -> Iterator[str]:
    """Yield the address of look-alikes of three Spaces, each under its name."""
    with run_space(app=Path(__file__).with_name("three_spaces.py")) as address:
        yield address


def arrived(spaces: str, name: str) -> dict[str, Any]:
    """Return what one of them was asked for last."""
    with urllib.request.urlopen(f"{spaces}/arrived/{name}", timeout=PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


async def choose_space(panel: PanelPage, space: str) -> None:
    await panel.get_field("Space").fill(space)
    await panel.page.keyboard.press("Enter")


async def test_a_panel_is_made_from_each_model_and_edits_an_edit(lab: Lab, spaces: str) -> None:
    async with opened(lab, "models", f"%flux_panel --seed 5 --space {spaces}/dev a red fox") as page:
        panel = await PanelPage(page).wait_until_shown()
        await panel.unfold("More parameters", "Model and Space")
        await expect(panel.get_handle("Guidance")).to_have_attribute("aria-valuenow", "3.5")
        await expect(panel.get_handle("Steps")).to_have_attribute("aria-valuenow", "28.0")
        await panel.get_handle("Guidance").focus()
        await page.keyboard.press("ArrowRight")
        await panel.get_button("Generate").click()
        await panel.wait_until_done(1)
        sent = arrived(spaces, "dev")
        assert (sent["prompt"], sent["seed"], sent["guidance_scale"], sent["num_inference_steps"]) == (
            "a red fox", 5, 3.6, 28,
        )  # fmt: skip
        await keep(page, "panel-dev.png")

        await choose_space(panel, f"{spaces}/z-image")
        await expect(panel.get_handle("Shift")).to_be_visible()
        await expect(panel.get_handle("Width")).to_have_count(0)
        await panel.get_field("Size").select_option("1152 × 896, landscape 9:7")
        await panel.get_field("Prompt").click()
        await page.keyboard.press("Control+Enter")
        await panel.wait_until_done(2)
        assert arrived(spaces, "z-image")["resolution"] == "1152x896 ( 9:7 )"
        await keep(page, "panel-sizes.png")

        await choose_space(panel, f"{spaces}/kontext")
        goes_in = panel.root.locator(".flux-magic-inputs img")
        await expect(panel.get_button("Image (0)")).to_be_visible()
        async with page.expect_file_chooser() as chooser:
            await panel.get_button("Image (0)").click()
        fox = {"name": "fox.png", "mimeType": "image/png", "buffer": encoded(size=(96, 64))}
        await (await chooser.value).set_files(fox)  # type: ignore[arg-type]  # as its own types say
        await expect(goes_in).to_have_attribute("alt", "image that goes in, 96 × 64")
        await panel.get_button("Generate").click()
        await panel.wait_until_done(3)
        first = arrived(spaces, "kontext")["input_image"]
        assert await find_faults(page, ".flux-magic-panel") == []
        await keep(page, "panel-edit.png")
        inputs = [first]
        for number in (4, 5):  # an edit of the edit
            await panel.root.locator(".flux-magic-strip").get_by_role("button", name="Use as input").first.click()
            await expect(goes_in).to_have_attribute("alt", "image that goes in, 64 × 64")
            await panel.get_button("Generate").click()
            await panel.wait_until_done(number)
            inputs.append(arrived(spaces, "kontext")["input_image"])
        assert len(set(inputs)) == 3
        await panel.get_button("Remove image").click()
        await expect(goes_in).to_have_count(0)
        for number, kind in enumerate(("drop", "paste")):
            data = base64.b64encode(encoded(size=(40 + number, 30))).decode()
            await page.evaluate(GIVE, [kind, data])
            await expect(goes_in).to_have_attribute("alt", f"image that goes in, {40 + number} × 30")
        await page.evaluate(DARK)
        await page.set_viewport_size({"width": 600, "height": 1400})
        assert await find_faults(page, ".flux-magic-panel") == []
        await keep(page, "panel-edit-narrow.png")
