"""The tutorials in front ends that run them: JupyterLab, Notebook 7, Voilà, a terminal."""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from typing import Any

import nbformat
from playwright.async_api import Page, expect

from tests.support.lab import RUN_ALL, TOKEN, Lab, run_lab

from .room import TUTORIALS, Room

CLEAR = "() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')"
READY = """() => {
    const session = window.jupyterapp?.shell?.currentWidget?.sessionContext;
    return session?.isReady && session.session?.kernel?.status === 'idle';
}"""
LOADED = "() => !document.body.innerText.includes('Loading widget')"
TERMINAL = """() => {
    const buffer = window.jupyterapp?.shell?.currentWidget?.content?._term?.buffer.active;
    const lines = buffer && [...Array(buffer.length).keys()].map(line => buffer.getLine(line));
    return lines?.map(line => line.translateToString(true)).join('\\n');
}"""


async def jupyterlab(room: Room) -> str:
    """Run All in JupyterLab, then Generate in the panel"""
    with run_lab(room.folder) as lab:
        return await _run(room, lab, "jupyterlab", "lab/tree")


async def no_anywidget(room: Room) -> str:
    """the panel in a JupyterLab that does not know anywidget: stock widgets alone"""
    config = room.folder / ".config" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({"disabledExtensions": {"anywidget": True}}))
    try:
        with run_lab(room.folder) as lab:
            return await _run(room, lab, "no_anywidget", "lab/tree", names=("02_panel",))
    finally:
        config.unlink()


async def notebook7(room: Room) -> str:
    """Run All in Notebook 7, then Generate in the panel"""
    with run_lab(room.folder) as lab:
        return await _run(room, lab, "notebook7", "notebooks")


async def voila(room: Room) -> str:
    """each tutorial as a page of Voilà's, Generate pressed"""
    seen = []
    with run_lab(room.folder) as lab:
        for name in TUTORIALS:
            nbformat.write(_for_voila(room.notebook(name)), room.folder / f"{name}.voila.ipynb")
            async with room.page(f"{lab.address}/voila/render/{name}.voila.ipynb?token={TOKEN}") as page:
                await page.wait_for_selector("#rendered_cells", state="visible")
                await page.wait_for_function(LOADED)
                await _generate(page)
                seen.append(await room.kept(page, room.picture("voila", name)))
    return "; ".join(seen)


def _for_voila(notebook: Any) -> Any:
    """Without what Voilà 0.5.13 often never ends a page with: an image from a file in a Markdown cell, and
    `interact` of a function that displays twice, be it without flux_magic.
    """
    notebook.cells = [cell for cell in notebook.cells if "\ninteract(" not in cell.source]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"^!\[.*\)$", "", cell.source, flags=re.MULTILINE)
    return notebook


async def terminal(room: Room) -> str:
    """IPython in a terminal of JupyterLab's: an image, a sweep, a mistake, the panel"""
    lines = (
        "%load_ext flux_magic",
        "%flux --seed 42 --size 256x256 --save build/frontends/ a red fox",
        "%flux --seed 1..3 --size 256x256 a red fox",
        "%flux --size 64x64 a red fox",
        "%flux_panel",
    )
    with run_lab(room.folder) as lab:
        async with room.page(f"{lab.address}/terminals/{_new_terminal(lab)}?token={TOKEN}", height=900) as page:
            await page.wait_for_function(f"() => ({TERMINAL})()")
            await page.click(".jp-Terminal")
            await _typed(page, f"{sys.executable} -m IPython --no-banner", "In [1]:")
            for number, line in enumerate(lines, start=2):
                await _typed(page, line, f"In [{number}]:")
            await page.screenshot(path=room.pictures / "terminal.png")
            shown = str(await page.evaluate(TERMINAL))
    assert "Traceback" not in shown, shown
    assert "seed=42" in shown or "seed    42" in shown, shown
    return f"{len(shown.splitlines())} lines"


def _new_terminal(lab: Lab) -> str:
    made = urllib.request.Request(f"{lab.address}/api/terminals?token={TOKEN}", method="POST")
    with urllib.request.urlopen(made, timeout=30) as answer:
        return str(json.load(answer)["name"])


async def _typed(page: Page, line: str, until: str) -> None:
    await page.keyboard.type(line)
    await page.keyboard.press("Enter")
    await page.wait_for_function(f"() => ({TERMINAL})().includes({until!r})")


async def _run(room: Room, lab: Lab, front_end: str, path: str, names: tuple[str, ...] = TUTORIALS) -> str:
    seen = []
    for name in names:
        async with room.page(f"{lab.address}/{path}/{name}.ipynb?token={TOKEN}&reset") as page:
            await page.wait_for_selector(".jp-Notebook .jp-Cell")
            await page.wait_for_function(READY)
            await page.evaluate(CLEAR)
            await page.evaluate(RUN_ALL)
            await _generate(page)
            seen.append(await room.kept(page, room.picture(front_end, name)))
    return "; ".join(seen)


async def _generate(page: Page) -> None:
    """Press Generate in the first panel, if there is one."""
    panel = page.locator(".flux-magic-panel").first
    if await panel.count():
        await panel.get_by_role("button", name="Generate").click()
        await expect(panel.locator(".flux-magic-status")).to_contain_text("done in", timeout=60_000)
