"""The faults for people with a screen reader or weak eyes that axe finds in a page."""

from __future__ import annotations

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page


async def find_faults(page: Page, selector: str | None = None) -> list[str]:
    """Return axe's serious and critical findings in a page, or in its elements of `selector`, a line each."""
    found = (await Axe().run(page, context=selector)).response["violations"]
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
