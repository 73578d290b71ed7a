"""A page as a PDF: printed by a Chromium that is installed, else set by LaTeX."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..errors import MissingExtra, SaveError
from ..types import fit_one_line

_BROWSERS: Final = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "brave-browser"),
    *("microsoft-edge", "msedge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
_TEX: Final = ("xelatex", "pandoc")
_LIMIT: Final = 300
"""Seconds that Chromium may take."""


def write_pdf(html: str, target: Path, set_by_latex: Callable[[], bytes]) -> None:
    """Write the PDF of a page; `set_by_latex` makes it if there is no browser. Raises MissingExtra and SaveError."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is not None:
        _print(browser, html, target)
    elif all(map(shutil.which, _TEX)):
        target.write_bytes(set_by_latex())
    else:
        raise MissingExtra(
            "a PDF needs Chromium or Chrome (Debian: apt-get install chromium), or LaTeX (xelatex and pandoc); "
            "any browser can print the page itself"
        )


def _print(browser: str, html: str, target: Path) -> None:
    # A Chromium that is a snap sees no /tmp, so the page is beside the PDF for a moment.
    with tempfile.TemporaryDirectory(prefix="page-", dir=target.parent.resolve(), ignore_cleanup_errors=True) as folder:
        page, made = Path(folder, "page.html"), Path(folder, "page.pdf")
        page.write_text(html, encoding="utf-8")
        command = [
            *(browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", "--disable-background-networking"),
            *("--disable-component-update", "--disable-sync", "--no-first-run", f"--user-data-dir={folder}/profile"),
            # root, as in a container, has no sandbox; nothing on the page runs
            *(["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []),
            *(f"--print-to-pdf={made}", page.as_uri()),
        ]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_LIMIT, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SaveError(f"{browser} makes no PDF: {fit_one_line(str(error))}") from error
        if not made.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise SaveError(f"{browser} makes no PDF: {fit_one_line(said[-1] if said else 'it says nothing')}")
        shutil.move(made, target)
