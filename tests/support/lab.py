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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Page, sync_playwright

TOKEN = "browser-tests"  # noqa: S105 - of a server that lives for one test run
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
SAVE = "async () => { await window.jupyterapp.commands.execute('docmanager:save'); }"


@dataclass
class Lab:
    """A running JupyterLab: its folder of notebooks, and the browser that looks at it."""

    folder: Path
    address: str
    browser: Browser

    def write(self, name: str, cells: list[str]) -> None:
        """A notebook with these code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)

    @contextmanager
    def opened(self, name: str, *, kernel: bool = True, dark: bool = False) -> Iterator[Page]:
        """The notebook in a page of its own."""
        page = self.browser.new_page(viewport={"width": 1280, "height": 1400})
        try:
            page.goto(f"{self.address}/lab/tree/{name}?token={TOKEN}&reset")
            page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
            if dark:
                page.evaluate(
                    "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
                )
            if kernel:
                page.wait_for_function(KERNEL_READY, timeout=60_000)
            yield page
        finally:
            page.close()


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """JupyterLab on `folder`, with settings and configuration of its own, and Chromium."""
    port = _free_port()
    for name, value in SETTINGS.items():
        path = folder / ".settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    with subprocess.Popen(
        _command(folder, port),
        stdin=subprocess.PIPE,
        stdout=(folder / ".lab.log").open("wb"),
        stderr=subprocess.STDOUT,
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(folder / ".config")},
    ) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(address, server)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=_chromium(), args=list(QUIET))
                yield Lab(folder, address, browser)
                browser.close()
        finally:
            assert server.stdin is not None
            server.stdin.close()
            server.wait(timeout=20)


def _command(folder: Path, port: int) -> list[str]:
    jupyter = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    options = {
        "IdentityProvider.token": TOKEN,
        "LabApp.expose_app_in_browser": "True",
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
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("JupyterLab did not start; its log is .lab.log in the test's folder")


def _chromium() -> str:
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    assert found, "no Chromium: install the Debian package chromium"
    return found[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
