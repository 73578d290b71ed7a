"""Where the front ends are looked at: copies of the tutorials, one Chromium, a folder for the images."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from tests.support.lab import QUIET, find_chromium

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TUTORIALS = ("01_quickstart", "02_panel", "06_what_if")
TALLEST = 12_000
"""Pixels of an image; Chromium draws none above 16,384."""

SCROLLED = "[...document.querySelectorAll('html, .jp-WindowedPanel-outer, #rendered_cells, .voila-gridstack, body')]"
HEIGHT = f"() => Math.max(...{SCROLLED}.map(one => one.scrollHeight))"
TO_TOP = f"() => {SCROLLED}.forEach(one => one.scrollTo(0, 0))"
SEEN = """() => ({
    images: [...document.images].filter(image => image.naturalWidth > 1).length,
    tables: document.querySelectorAll('table').length,
    broken: [...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.alt),
    text: document.body.innerText,
})"""
FAULTS = (
    "Error displaying widget",
    "Error creating widget",
    "Loading widget",
    "Traceback (most recent",
    "<table",
    "<pre",
    "&#10;",
)


class LeftOut(Exception):
    """A front end that cannot be looked at here, and what it needs."""


def run(*command: str, folder: Path | None = None) -> str:
    """Return what a program prints; an error where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-1000:]}"
    return done.stdout


@dataclass(frozen=True)
class Room:
    """What all front ends are given.

    Attributes:
        images: if what was seen is kept.
        folder: the tutorials, to be changed at will.
        browser: a Chromium.
    """

    pictures: Path
    folder: Path
    browser: Browser

    def notebook(self, name: str) -> Any:
        """Return a tutorial as it is saved."""
        return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)

    def picture(self, front_end: str, name: str) -> Path:
        """Return the file for what a front end shows of a tutorial: the quickstart's has the front end's name alone."""
        return self.pictures / f"{front_end}{'' if name == TUTORIALS[0] else f'-{name}'}.png"

    @asynccontextmanager
    async def page(self, address: str, height: int = 1400) -> AsyncIterator[Page]:
        page = await self.browser.new_page(viewport={"width": 1280, "height": height})
        page.set_default_timeout(120_000)  # Voilà's page is there once its notebook has run
        await page.goto(address, wait_until="domcontentloaded", timeout=120_000)
        yield page
        await page.close()

    async def kept(self, page: Page, path: Path) -> str:
        """Keep an image of a whole page, and tell what is on it. What should not be there is an error."""
        height = await page.evaluate(HEIGHT)
        await page.set_viewport_size({"width": 1280, "height": min(height + 100, TALLEST)})
        await page.evaluate(TO_TOP)
        await page.wait_for_function("() => [...document.images].every(image => image.complete)")
        seen = await page.evaluate(SEEN)
        await page.screenshot(path=path)
        wrong = [fault for fault in FAULTS if fault in seen["text"]] + [
            f"a broken image: {alt}" for alt in seen["broken"]
        ]
        assert not wrong, f"{path.name}: {', '.join(wrong)}"
        assert seen["images"], f"{path.name}: no image"
        return f"{seen['images']} images, {seen['tables']} tables"

    @staticmethod
    def side_by_side(sheets: list[Path], path: Path) -> None:
        """Return the pages of a document on one image, five in a row."""
        pages = [Image.open(sheet) for sheet in sheets]
        width, height = pages[0].size
        whole = Image.new("RGB", (width * min(len(pages), 5), height * math.ceil(len(pages) / 5)), "gray")
        for number, page in enumerate(pages):
            whole.paste(page, (number % 5 * width, number // 5 * height))
        whole.save(path)


@asynccontextmanager
async def opened(pictures: Path, folder: Path) -> AsyncIterator[Room]:
    """Provide a room whose images go into `pictures`, with an empty store and the local Space."""
    for each in (pictures, folder):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    shutil.copytree(NOTEBOOKS / "images", folder / "images")
    for name in TUTORIALS:
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", folder)
    os.environ.update(FLUX_MAGIC_SPACE="local", FLUX_MAGIC_STORE=str(folder / "store"))
    async with async_playwright() as playwright:
        arguments = [*QUIET, "--allow-file-access-from-files"]
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield Room(pictures, folder, browser)
        await browser.close()
