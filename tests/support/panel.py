"""A panel in a page, used as a person does: by what is written on it, with the mouse and the keyboard."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

from tests.support.lab import wait_for_status
from tests.support.limits import PAGE, PATIENCE


@dataclass(frozen=True)
class PanelPage:
    """One of the panels on a page.

    Attributes:
        page: where it is.
        number: which of them, from 0.
    """

    page: Page
    number: int = 0

    @property
    def root(self) -> Locator:
        return self.page.locator(".flux-magic-panel").nth(self.number)

    @property
    def output(self) -> Locator:
        """The cell's outputs, of which the panel is the first."""
        return self.page.locator(".jp-OutputArea").filter(has=self.page.locator(".flux-magic-panel")).nth(self.number)

    @property
    def picture(self) -> Locator:
        """The image below the panel."""
        return self.output.locator(".jp-RenderedImage img")

    @property
    def status(self) -> Locator:
        return self.root.locator(".flux-magic-status")

    @property
    def results(self) -> Locator:
        """The buttons of the strip."""
        return self.root.locator(".flux-magic-strip .flux-magic-item button:not(.flux-magic-use)")

    def get_button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def get_field(self, label: str) -> Locator:
        return self.root.get_by_label(label, exact=True)

    def get_handle(self, label: str) -> Locator:
        """Return a slider's handle."""
        return self.root.get_by_role("slider", name=label, exact=True)

    async def wait_until_shown(self) -> PanelPage:
        """Return the same, once it is there with all that works on it."""
        await expect(self.get_field("Prompt")).to_be_visible(timeout=PAGE)
        await expect(self.get_handle("Steps")).to_be_visible(timeout=PAGE)
        return self

    async def unfold(self, *names: str) -> None:
        """Open folds by their titles."""
        for name in names:
            await self.root.locator("button.flux-magic-fold").filter(has_text=name).click()

    async def type_prompt(self, text: str) -> None:
        await self.get_field("Prompt").click()
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def drag(self, label: str, by: int) -> None:
        """Drag a slider's handle by so many pixels to the right."""
        box = await self.get_handle(label).bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await self.page.mouse.move(x, y)
        await self.page.mouse.down()
        await self.page.mouse.move(x + by / 2, y, steps=4)
        await self.page.mouse.move(x + by, y, steps=4)
        await self.page.mouse.up()

    async def wait_for_text(self, pattern: str, patience: float = PATIENCE) -> str:
        """Return the status line's text, once it is like this."""
        like = re.compile(pattern.replace("^", r"^\s*"))  # the bar is a space
        await expect(self.status).to_have_text(like, timeout=patience * 1000)
        return (await self.status.inner_text()).strip()

    async def list_said(self, pattern: str) -> list[str]:
        """Return all that the status line has said, once something like this was among it."""
        return await wait_for_status(self.page, pattern, f".flux-magic-status {self.number}")

    async def wait_until_done(self, results: int) -> None:
        """Wait for the end of a job, whose result is the last of so many in the strip."""
        await expect(self.results).to_have_count(results)  # from here on the status line has nothing of another job
        await self.wait_for_text(r"^done in")

    async def read_number(self, label: str) -> int:
        """Return a slider's value."""
        return int(float(await self.get_handle(label).get_attribute("aria-valuenow") or "nan"))
