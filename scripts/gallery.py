"""A small image of each notebook, for the README and the first page: `python -m scripts.gallery docs/gallery`.

It is what the notebook's page shows at the cell that has the tag `gallery`: the image in it, or where there is not one
image, the page from there on. Nothing is drawn for the purpose.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import Page, sync_playwright

from scripts import pages
from tests.support.lab import QUIET, find_chromium

SIZE = (480, 360)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as built, sync_playwright() as playwright:
        pages.build(pages.ROOT, Path(built))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(QUIET))
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        for path in sorted(Path(built, "notebooks").glob("*.html")):
            page.goto(path.as_uri())
            make_thumbnail(page).save(folder / f"{path.stem}.jpg", quality=75)
        browser.close()


def make_thumbnail(page: Page) -> Image.Image:
    """Return the whole page, so that all words in its image can be read."""
    cell = page.locator(".celltag_gallery").first
    images = cell.locator("img")
    cell.evaluate("cell => cell.scrollIntoView()")
    shown = images.screenshot() if images.count() == 1 else page.screenshot()
    return ImageOps.pad(Image.open(io.BytesIO(shown)).convert("RGB"), SIZE, color="white")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
