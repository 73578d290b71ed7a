"""A real JupyterLab in a real Chromium, which a test opens notebooks in."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.support.limits import PAGE, PATIENCE, PROGRAM

expect.set_options(timeout=PAGE)

TOKEN = "browser-tests"
SHARE = Path(__file__).parents[2] / "flux_magic/jupyter/share"
"""What a wheel puts beside the package; with this in JUPYTER_PATH, Jupyter finds it as it is here."""
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
KERNEL_READY = """() => {
    const session = window.jupyterapp?.shell?.currentWidget?.sessionContext;
    return session?.isReady && session.session?.kernel?.connectionStatus === 'connected'
        && session.session.kernel.status === 'idle';
}"""
RUN_ALL = "async () => { await window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
DARK = "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
RECORD = """() => {
    window.said = [];
    const record = () => ['.flux-magic-status', '[role=status]'].forEach(kind =>
        document.querySelectorAll(kind).forEach((one, number) => {
            const key = `${kind} ${number}`, text = one.textContent.trim().replace(/\\s+/g, ' ');
            if (window.said.findLast(([other]) => other === key)?.[1] !== text) window.said.push([key, text]);
        }));
    new MutationObserver(record).observe(document, {subtree: true, childList: true, characterData: true});
}"""
"""All that status lines say, as [which, text]: a test that looks later has missed nothing."""
HEARD = "([which, like]) => window.said.some(([key, text]) => key === which && new RegExp(like).test(text))"
SAVE = "async () => { await window.jupyterapp.commands.execute('docmanager:save'); }"


@dataclass
class Lab:
    """A running JupyterLab and its folder of notebooks."""

    folder: Path
    address: str
    browser: Browser | None = None

    def write(self, name: str, cells: list[str]) -> None:
        """Return a notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)

    @asynccontextmanager
    async def open_page(self, path: str) -> AsyncIterator[Page]:
        """Provide a page of the server's, in a context of its own: it shares nothing with another but the program."""
        assert self.browser is not None, "this one was started for its server alone"
        page = await self.browser.new_page(viewport={"width": 1280, "height": 1400})
        page.set_default_timeout(PAGE)
        await page.add_init_script(f"({RECORD})()")
        try:
            await page.goto(f"{self.address}/{path}{'&' if '?' in path else '?'}token={TOKEN}")
            yield page
        finally:
            await page.context.close()

    @asynccontextmanager
    async def open_notebook(self, name: str, *, kernel: bool = True, dark: bool = False) -> AsyncIterator[Page]:
        """Provide the notebook in JupyterLab."""
        async with self.open_page(f"lab/tree/{name}?reset") as page:
            await page.wait_for_selector(".jp-Notebook .jp-Cell")
            if dark:
                await page.evaluate(DARK)
            if kernel:
                await page.wait_for_function(KERNEL_READY)
            yield page


@asynccontextmanager
async def run_browser() -> AsyncIterator[Browser]:
    """Provide a Chromium, which takes a second of a processor to start."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(QUIET))
        yield browser
        await browser.close()


async def wait_for_status(page: Page, pattern: str, which: str = "[role=status] 0") -> list[str]:
    """Wait until a status line has said something like this, be it for a moment; all that it has said, in order."""
    await page.wait_for_function(HEARD, arg=[which, pattern])
    return [text for key, text in await page.evaluate("window.said") if key == which]


def drop_coverage() -> dict[str, str]:
    """Return the environment without what has a child's coverage measured: the kernels' own tests do that, and it is
    slow.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}


@contextmanager
def run_lab(folder: Path) -> Iterator[Lab]:
    """JupyterLab on `folder`, with settings and configuration of its own."""
    port = _find_free_port()
    for name, value in SETTINGS.items():
        path = folder / ".settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    with (folder / ".lab.log").open("wb") as log:
        server = subprocess.Popen(
            _make_command(folder, port),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**drop_coverage(), "JUPYTER_CONFIG_DIR": str(folder / ".config"), "JUPYTER_PATH": str(SHARE)},
        )
    with server:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(address, server)
            yield Lab(folder, address)
        finally:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(timeout=PATIENCE)


def _make_command(folder: Path, port: int) -> list[str]:
    jupyter = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    options = {
        "IdentityProvider.token": TOKEN,
        "LabApp.expose_app_in_browser": "True",
        "JupyterNotebookApp.expose_app_in_browser": "True",
        "LabApp.user_settings_dir": str(folder / ".settings"),
        "LabApp.workspaces_dir": str(folder / ".workspaces"),
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(port),
        "ServerApp.port_retries": "0",
        "ServerApp.root_dir": str(folder),
    }
    until = [sys.executable, str(Path(__file__).with_name("until_stdin_closes.py"))]
    return [*until, *jupyter, *(f"--{name}={value}" for name, value in options.items())]


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PROGRAM
    while time.monotonic() < end and server.poll() is None:
        if _answers(f"{address}/api?token={TOKEN}"):
            return
        time.sleep(0.2)
    raise AssertionError("JupyterLab did not start; its log is .lab.log in the test's folder")


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def find_chromium() -> str:
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    assert found, "no Chromium: install the Debian package chromium"
    return found[0]


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
