"""The notebooks of a capsule, run again from its own store: does each cell show what it saved?"""

from __future__ import annotations

import asyncio
import json
import os
import re
import site
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from ..errors import CapsuleError, InvalidRequest, MissingExtra, NotAnImage
from ..pages.page import read_notebook
from ..types import fit_one_line
from ..verify.similarity import Grade, compare
from .cells import Cell, get_own_part, list_images, list_records, list_shown, read_cells
from .check import DIFFERS, SAVED, UNCOMPARED, Finding

SECONDS: Final = 600
"""Seconds that a cell may take."""

_IGNORED: Final = {"nbval-ignore-output", "nbval-skip", "skip-execution"}
_SECRET: Final = re.compile(
    r"(?i)token|password|passwd|secret|_key$|auth|credential|_proxy$|^flux_magic|^hf_|^jupyter|^ipython"
)
_SIGNS: Final = re.compile(r"\bsign\b")
_SECONDS_TO_START: Final = 120
_MOST_OF_SOCKET: Final = 90
"""Bytes in the path of a socket, of which some systems take 103, before the 8 that a kernel adds."""
_MOST_OF_LOG: Final = 10_000
_MOST_BEFORE: Final = 40
"""Characters before a difference that are shown with it."""
_MAKE_KEY: Final = "from flux_magic.records import keys; keys.make_key('a capsule that is run again')"


def check_installed() -> None:
    """Raise MissingExtra if nbclient is not installed."""
    try:
        import nbclient  # noqa: F401
    except ImportError as error:
        raise MissingExtra('running notebooks needs nbclient: pip install "flux-magic[pack]"') from error


def rerun(folder: Path, notebooks: list[str], *, python: str, home: Path, told: Callable[[str], None]) -> list[Finding]:
    """Run notebooks in the folder of an unpacked capsule, and return a finding for each code cell.

    Args:
        folder: of the capsule.
        notebooks: their names in it.
        python: the Python whose ipykernel runs them.
        home: an empty folder, which the notebooks get as the user's home.
        told: is called with the notebook's name after each cell.

    The notebooks' code is run as this user. It sees neither this user's settings nor tokens, and only images of the
    capsule: with `FLUX_MAGIC_REPLAY=only` no Space is asked.
    """
    findings = []
    read = {name: _read(folder, name) for name in notebooks}  # before any of them can change another
    for name, (cells, notebook) in read.items():
        environment = make_environment(home) | _find_space(cells)
        if python != sys.executable:  # an environment of its own has all that it needs
            environment = {one: value for one, value in environment.items() if one not in {"PYTHONPATH", "PYTHONHOME"}}
        if any(_SIGNS.search(cell.source) for cell in cells):
            _make_key(python, environment)
        shown = asyncio.run(_run(folder / name, notebook, python, home, environment, told))
        findings += [
            compare_cell(f"{name}, {cell.name}", cell, outputs)
            for cell, outputs in zip(cells, shown, strict=True)
            if cell.source.strip()
        ]
    return findings


def _read(folder: Path, name: str) -> tuple[list[Cell], Any]:
    """Return the code cells of a notebook, and the notebook as nbformat reads it."""
    try:
        notebook = read_notebook(folder / name)
    except InvalidRequest as error:
        raise CapsuleError(error.message.replace(f"{folder.as_posix()}/", "")) from error
    return [cell for cell in read_cells((folder / name).read_bytes()) if cell.kind == "code"], notebook


def make_environment(home: Path) -> dict[str, str]:
    """Return the variables of a kernel with a home of its own: none of the user's tokens, proxies and settings."""
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    places = {"IPYTHONDIR": ".ipython", "JUPYTER_CONFIG_DIR": ".jupyter", "HF_HOME": ".cache/huggingface"}
    places |= {"XDG_CONFIG_HOME": ".config", "XDG_DATA_HOME": ".local/share", "XDG_CACHE_HOME": ".cache"}
    own = {name: str(home / place) for name, place in places.items()}
    return {
        **kept,
        **own,
        **dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), str(home)),
        "PYTHONUSERBASE": site.getuserbase(),
        "FLUX_MAGIC_REPLAY": "only",
        "FLUX_MAGIC_STORE": "off",
        "HF_HUB_OFFLINE": "1",
    }


def _find_space(cells: list[Cell]) -> dict[str, str]:
    """Return the variable with the Space of the cells that name none, if they all had one: the author's, by the same.

    Nothing is sent to it; the images of a Space are found by its name.
    """
    outputs = [one for cell in cells if "space" not in cell.source.lower() for one in cell.outputs]
    records = [one for output in outputs for one in list_records(get_own_part(output))]
    requested = [one["requested"] for one in records if isinstance(one.get("requested"), dict)]
    spaces = {str(one["space"]) for one in requested if one.get("space")}
    return {"FLUX_MAGIC_SPACE": spaces.pop()} if len(spaces) == 1 else {}


def _make_key(python: str, environment: Mapping[str, str]) -> None:
    """Make a key to sign with in the notebooks' home: the author's own is not in the capsule.

    Without the packages for it there is no key, and the cells that sign say so.
    """
    subprocess.run(  # noqa: S603 - the Python that runs the notebooks
        [python, "-c", _MAKE_KEY], env=dict(environment), cwd=environment["HOME"], capture_output=True, check=False
    )


async def _run(
    path: Path,
    notebook: Any,
    python: str,
    home: Path,
    environment: Mapping[str, str],
    told: Callable[[str], None],
) -> list[tuple[Mapping[str, Any], ...]]:
    """Run a notebook, and return the outputs of each code cell; those after the kernel's end are an error."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    kernels = home / "kernels"
    _write_kernel(kernels / "capsule", python)
    known = KernelSpecManager(kernel_dirs=[str(kernels)], ensure_native_kernel=False)
    connection = kernels / "c.json"
    has_sockets = os.name == "posix" and len(os.fsencode(connection)) <= _MOST_OF_SOCKET
    manager = AsyncKernelManager(
        kernel_name="capsule",
        kernel_spec_manager=known,
        connection_file=str(connection),
        transport="ipc" if has_sockets else "tcp",  # the first needs no network, not even this machine's own
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    done: set[int] = set()

    def on_cell_executed(*, cell_index: int, **_: Any) -> None:
        done.add(cell_index)
        told(path.name)

    client = NotebookClient(notebook, manager, timeout=SECONDS, allow_errors=True, on_cell_executed=on_cell_executed)
    ended = ""
    try:
        client.kc = await _start(manager, python, cwd=str(path.parent), env=dict(environment))
        await client.async_execute(cleanup_kc=True)
    except (CellTimeoutError, DeadKernelError) as error:
        limit = f"it did not end within {SECONDS} s"
        ended = limit if isinstance(error, CellTimeoutError) else "the kernel ended"
    finally:
        if await manager.is_alive():
            await manager.shutdown_kernel(now=True)
    return _list_outputs(notebook.cells, ended, done)


async def _start(manager: Any, python: str, **given: Any) -> Any:
    """Start a kernel, and return the client that talks to it; raises CapsuleError with the reason if none starts.

    nbclient could start it as well, and would leave a handler behind that fails when this process ends.
    """
    with (Path(manager.connection_file).with_suffix(".log")).open("w+b") as log:
        channels = None
        try:
            await manager.start_kernel(stdout=subprocess.DEVNULL, stderr=log, **given)
            channels = manager.client()
            channels.start_channels()
            await channels.wait_for_ready(timeout=_SECONDS_TO_START)
        except (OSError, RuntimeError) as error:  # ipykernel is not there, or does not start
            if channels is not None:
                channels.stop_channels()
            await manager.cleanup_resources()
            log.seek(0)
            last = log.read()[-_MOST_OF_LOG:].decode(errors="replace").strip().rpartition("\n")[2]
            why = fit_one_line(last or str(error))
            raise CapsuleError(f"no kernel starts in {python}: {why}") from error
    channels.allow_stdin = False
    return channels


def _list_outputs(cells: list[Any], ended: str, done: set[int]) -> list[tuple[Mapping[str, Any], ...]]:
    """Return the outputs of the code cells; if the kernel ended, those that were not done have an error as well."""
    lost = {"output_type": "error", "ename": "not run to its end", "evalue": ended}
    return [
        (*cell.outputs, lost) if ended and place not in done else tuple(cell.outputs)
        for place, cell in enumerate(cells)
        if cell.cell_type == "code"
    ]


def _write_kernel(folder: Path, python: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    told = {"argv": argv, "display_name": "capsule", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(told), encoding="utf-8")


def compare_cell(label: str, cell: Cell, outputs: tuple[Mapping[str, Any], ...]) -> Finding:
    """Return the finding about a cell of this label that shows these outputs now."""
    saved, now = list_shown(cell.outputs), list_shown(outputs)
    found = _grade_images(label, cell, outputs) if saved == now else Finding(label, DIFFERS, _explain(saved, now))
    if not found.passed and (tags := cell.tags & _IGNORED):
        return Finding(label, UNCOMPARED, f"its tag {min(tags)} says so")
    return found


def _grade_images(label: str, cell: Cell, outputs: tuple[Mapping[str, Any], ...]) -> Finding:
    """Return the finding about a cell whose images are named as they were: their pixels are compared as well.

    Another Pillow may draw a sheet, or compress an image, a little differently.
    """
    note = ""
    for was, this in zip_longest(list_images(cell.outputs), list_images(outputs)):
        try:
            found = compare(was or b"", this or b"")
        except NotAnImage:
            if was != this:
                return Finding(label, DIFFERS, "an image is saved that cannot be read")
            continue
        if found.grade is Grade.DIFFERENT:
            distance = "" if found.distance is None else f" (distance {found.distance})"
            why = found.note.replace("regenerated", "it shows") or f"saved are other pixels{distance}"
            return Finding(
                label, DIFFERS, f"the images are named as they were, and what is shown is not the same: {why}"
            )
        if found.grade is Grade.SAME_TO_THE_EYE:
            note = f"an image has other pixels, and is the same to the eye (distance {found.distance})"
    return Finding(label, SAVED, note)


def _explain(saved: list[tuple[str, str]], now: list[tuple[str, str]]) -> str:
    """Return the first difference in words; before it, an error that was not saved, which may be the reason."""
    errors = [one for one in now if one[0] == "error" and one not in saved]
    pairs = zip_longest(saved, now, fillvalue=("", ""))
    (kind, was), (other, this) = next((old, new) for old, new in pairs if old != new)
    if kind == other:  # lines that are the same say nothing
        lines = zip_longest(was.split("\n"), this.split("\n"), fillvalue="")
        was, this = next((old, new) for old, new in lines if old != new)
        at = next(at for at, (a, b) in enumerate(zip_longest(was, this)) if a != b) - _MOST_BEFORE
        was, this = (f"…{one[at:]}" if at > 0 else one for one in (was, this))
    shown = _quote(*errors[0]) if errors else _quote(other, this)
    return f"it shows {shown}; saved is {_quote(kind, was)}"


def _quote(kind: str, content: str) -> str:
    words = {"printed": "the text", "text": "the result", "image": "the image", "error": "the error"}
    return f"{words.get(kind, kind)} {fit_one_line(content, 120)}".strip() if content.strip("… ") else "nothing"
