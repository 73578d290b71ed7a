"""A notebook that is saved, compared and converted."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, MarkdownExporter

from flux_magic.images import codecs, formats
from flux_magic.providers import local
from flux_magic.providers.local import LocalSpace
from tests.support.limits import PROGRAM

PROMPT = "a red fox & <b>two</b> cubs\n\n    four *stars*"
CELLS = ["%load_ext flux_magic", f"%%flux --quiet --steps 2 --seed 42 --size 256x256\n{PROMPT}"]
PARAMETRIZED = [
    'place, steps = "the snow", 1',
    "%load_ext flux_magic",
    "%flux --quiet --steps {steps} --seed 7 --size 256x256 a fox in {place}",
]

ALTERED = """
import sys
import app, space_drawing

drawn = space_drawing.draw

def altered(*arguments):
    picture = drawn(*arguments)
    picture[0, 0, 0] ^= 1
    return picture

space_drawing.draw = altered
sys.exit(app.main())
"""


@pytest.fixture
def notebook(tmp_path: Path, space: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a notebook, run in a real kernel on the local Space, and saved as `fox.ipynb`."""
    monkeypatch.setenv("FLUX_MAGIC_SPACE", space)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(made, resources={"metadata": {"path": str(tmp_path)}}, kernel_name="python3").execute()
    nbformat.write(made, tmp_path / "fox.ipynb")
    return made


@pytest.fixture
def altered_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSpace]:
    """Yield the local Space with one bit of one pixel changed."""
    program = tmp_path / "altered.py"
    program.write_text(f"import sys; sys.path.insert(0, {str(local.APP.parent)!r})\n{ALTERED}")
    monkeypatch.setattr(local, "APP", program)
    altered = LocalSpace()
    yield altered
    altered.close()


def compared(folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what nbval says of the saved notebook."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", "fox.ipynb"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PROGRAM)


@pytest.mark.thorough
@pytest.mark.usefixtures("notebook")
def test_nbval_passes_on_the_same_pixels_and_fails_on_an_altered_one(
    tmp_path: Path, altered_space: LocalSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    same = compared(tmp_path)
    assert same.returncode == 0, same.stdout
    monkeypatch.setenv("FLUX_MAGIC_SPACE", asyncio.run(altered_space.get_address()))
    altered = compared(tmp_path)
    assert altered.returncode == 1
    assert "sha256:" in altered.stdout


def test_the_saved_bytes_are_the_pixels_that_the_text_names(notebook: Any) -> None:
    import base64

    shown = next(output for output in notebook.cells[1].outputs if "image/png" in output.get("data", {}))
    digest = codecs.describe(base64.b64decode(shown.data["image/png"])).digest
    assert f"sha256:{digest[:12]}>" in shown.data["text/plain"]


def papermill(folder: Path, **given: object) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Run the notebook with parameters by papermill; returns its process, and the last cell's outputs."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in PARAMETRIZED]
    cells[0].metadata["tags"] = ["parameters"]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "in.ipynb")
    words = [word for name, value in given.items() for word in ("-p", name, str(value))]
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "in.ipynb", "out.ipynb", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PROGRAM)
    return done, nbformat.read(folder / "out.ipynb", as_version=4).cells[-1].outputs


def test_papermill_runs_it_with_parameters(tmp_path: Path, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_SPACE", space)
    done, (_, table) = papermill(tmp_path, place="the sea", steps=3)
    assert done.returncode == 0, done.stderr
    assert "%%flux --steps 3 --seed 7 " in table.data["text/plain"]
    assert table.data["text/plain"].endswith("a fox in the sea")


def test_a_mistake_ends_papermill_with_its_reason(tmp_path: Path) -> None:
    done, (error,) = papermill(tmp_path, steps=0)
    reason = "UsageError: --steps 0: give a whole number from 1 up"
    assert done.returncode == 1
    assert reason in done.stderr.splitlines()
    assert (error.output_type, error.traceback) == ("error", [reason])


@pytest.mark.parametrize("template", ["lab", "classic"])
def test_as_html_it_has_the_image_and_the_parameters(notebook: Any, template: str) -> None:
    page, _ = HTMLExporter(template_name=template).from_notebook_node(notebook)
    image = re.search(r"<img[^>]*src=\"data:image/png;base64,[^>]*>", page)
    assert image is not None
    assert page.index(image[0]) < page.index("makes this image again")
    assert "--steps 2 --seed 42 --size 256x256" in page
    if template == "classic":  # nbconvert's other template has no place for an alternative text
        assert "a red fox &amp; &lt;b&gt;two" in image[0]


def test_as_markdown_it_has_the_image_and_the_parameters(notebook: Any) -> None:
    text, resources = MarkdownExporter().from_notebook_node(notebook)
    assert [data for data in resources["outputs"].values() if formats.detect_media_type(data) == "image/png"]
    assert "--steps 2 --seed 42 --size 256x256" in text
    assert "cubs&#10;&#10;    four *stars*</pre>" in text, "a blank line would end the HTML"
