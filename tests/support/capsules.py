"""A paper's notebook out of the course, and its capsule."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from flux_magic.cli import main
from flux_magic.errors import NotAnImage
from flux_magic.images import codecs
from flux_magic.records import keys
from flux_magic.verify.export import export
from tests.support.limits import PROGRAM

COURSE = Path(__file__).parents[2] / "notebooks"
SOURCE = COURSE / "07_edit_what_you_have.ipynb"
TITLE = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# A fox in *winter*"}
NAME = "paper/fox in winter.ipynb"
PAPER = "fox in winter.ipynb"
"""The notebook in the capsule."""
FOX = "a-red-fox-at-dusk-42-568c9655bf70-b3bc89b7599e"


def write_notebook(path: Path, *more: dict[str, Any]) -> None:
    """Write a paper's notebook, from the course: a sweep, an image, an edit of it, and one with a mask."""
    course = json.loads(SOURCE.read_text(encoding="utf-8"))
    code = [cell for cell in course["cells"] if cell["cell_type"] == "code"]
    write_cells(path, TITLE, *code[:4], *code[7:9], *more)


def write_cells(path: Path, *cells: dict[str, Any]) -> None:
    """Write a notebook of these cells."""
    course = json.loads(SOURCE.read_text(encoding="utf-8"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(course | {"cells": cells}), encoding="utf-8")


def cell(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    told = {"cell_type": "code", "id": f"more-{len(source)}", "metadata": {}, "execution_count": 1}
    return told | {"source": source, "outputs": list(outputs)}


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


@contextmanager
def keep_apart(folder: Path) -> Iterator[None]:
    """Give the user a configuration with a key and a home of their own, no store, and a folder of work."""
    with pytest.MonkeyPatch.context() as patch:
        (folder / "home").mkdir()
        for name, value in (("HOME", folder / "home"), ("XDG_CONFIG_HOME", folder / "config")):
            patch.setenv(name, str(value))
        patch.setenv("FLUX_MAGIC_STORE", "off")
        patch.chdir(folder)
        keys.make_key("Ann")
        yield


def make_capsule(folder: Path, *more: dict[str, Any], given: Sequence[str] = ()) -> Path:
    """Return a capsule whose images are signed."""
    notebook = folder / NAME
    write_notebook(notebook, *more)
    shutil.copytree(COURSE / "flux_images", notebook.parent / "flux_images")
    export(notebook, sign=True)
    made = folder / "paper.zip"
    assert pack(notebook, made, *given) == 0
    return made


def make_signed_capsule(folder: Path) -> Path:
    """Return a capsule of a notebook that was run and signs what it shows: a sweep, an image, two edits."""
    notebook = folder / NAME
    write_notebook(notebook)
    edit_json(notebook, lambda one: one["cells"].insert(2, cell("%config FluxMagics.sign = True")))
    shutil.copytree(COURSE / "flux_images", notebook.parent / "flux_images")
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", notebook.name]
    alone = {**os.environ, "FLUX_MAGIC_REPLAY": "only"}
    subprocess.run(command, cwd=notebook.parent, env=alone, check=True, capture_output=True, timeout=PROGRAM)
    assert len(re.findall(r"signed +by Ann", notebook.read_text(encoding="utf-8"))) >= 3
    export(notebook, sign=True)
    made = folder / "paper.zip"
    assert pack(notebook, made) == 0
    return made


def pack(notebook: Path, target: Path, *more: str) -> int:
    """Run `flux-magic pack`, and return its exit code."""
    authors = ["--author", "Ann Fox <https://orcid.org/0000-0002-1825-0097>", "--author", "Bo"]
    given = ["--licence", "cc-by-4.0", "--date", "2026-11-02"]
    return main(["pack", str(notebook), "-o", str(target), *authors, *given, *more])


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def flip_pixel(path: Path) -> None:
    """Change a bit of an image's own data, of those that leave it an image with other pixels."""
    data = path.read_bytes()
    before = codecs.compute_digest(data)
    for at in range(60, len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with suppress(NotAnImage):
            if codecs.compute_digest(changed) != before:
                path.write_bytes(changed)
                return


def get_input(folder: Path) -> Path:
    return next((folder / "flux_images" / "inputs").rglob("*.png"))
