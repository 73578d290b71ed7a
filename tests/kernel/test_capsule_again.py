"""A capsule is run again by a real kernel, from its own images alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_magic.capsules import archive
from flux_magic.capsules.reproduce import Plan, reproduce
from flux_magic.cli import main
from tests.support.capsules import cell, keep_apart, make_capsule, make_signed_capsule, printed, write_cells

LINES = """\
import os
from pathlib import Path
print(sorted(name for name in os.environ if "TOKEN" in name or name.endswith("_PROXY")))
print(os.environ["FLUX_MAGIC_REPLAY"], (Path.home() / ".ssh").exists(), winter.replayed)
print(object())
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HF_TOKEN", "hf_notForACapsule")
    with keep_apart(tmp_path):
        (tmp_path / "home" / ".ssh").mkdir()
        yield tmp_path


def test_each_cell_gives_what_it_saved_and_the_one_that_does_not_is_named(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [
        cell("%config FluxMagics.sign = True"),
        cell(LINES, printed("[]\nonly False True\n<object object at 0x7f0123456789>\n")),
        cell(
            "%%flux --image fox --seed 7\nmake it winter",
            {"output_type": "error", "ename": "A", "evalue": "b", "traceback": []},
        ),
        cell(
            "1 + 1",
            {"output_type": "execute_result", "data": {"text/plain": "3"}, "metadata": {}, "execution_count": 1},
        ),
        cell("%%flux --seed 5\nan image that is not there", {"output_type": "stream", "name": "stderr", "text": "x"}),
    ]
    made = make_capsule(work, *more)
    capsys.readouterr()
    assert main(["reproduce", str(made), "--json", "found.json", "--html", "found.html"]) == 1
    found = json.loads(Path("found.json").read_text())
    named = {one["label"].rpartition(", ")[2]: one for one in found["cells"]}
    assert [name for name, one in named.items() if one["state"] != "as saved"] == ["cell 9", "cell 10", "cell 11"]
    assert named["cell 9"]["why"] == "it shows the image sha256:224fb95ea35d; saved is the error A: b"
    assert named["cell 10"]["why"] == "it shows the result 2; saved is the result 3"
    assert "the error NotInStore: " in named["cell 11"]["why"]
    assert (found["altered"], found["images"]["passed"], found["passed"]) == ([], True, False)
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == found["summary"]
    assert "8 of 11 cells as saved" in found["summary"]
    page = Path("found.html").read_text()
    assert "default-src 'none'" in page
    assert all(text in page for text in ("cell 10", "✗ differs", "✓ as saved", "signed by Ann"))


def test_cells_that_sign_are_as_saved_with_another_key(work: Path) -> None:
    found = reproduce(make_signed_capsule(work), Plan())
    assert found.passed, str(found)
    assert found.summary.endswith("7 of 7 cells as saved")
    assert "unchanged since" in str(found)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param(["--static", "--live"], "leave out --live", id="static and live"),
        pytest.param(["--static", "--env"], "leave out --env", id="static and env"),
        pytest.param(["--space", "local"], "only --live asks a model", id="space without live"),
        pytest.param(["--html", "paper.ipynb"], "a name that ends in .html", id="no page"),
        pytest.param([], "is not a file", id="no such file"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(given: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "missing.zip", *given]) == 2
    assert why in capsys.readouterr().err


def test_a_kernel_that_ends_is_told_and_files_and_modules_that_cells_name_are_there(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "a").mkdir()
    (work / "a" / "helper.py").write_text("NAME = 'helper'")
    (work / "a" / "the fox.png").write_bytes(b"no image")
    (work / "a" / "other.png").write_bytes(b"not named")
    uses = "import helper\nfrom os import path\nimage = 'the fox.png'\nprint(helper.NAME, path.exists(image))"
    write_cells(work / "a" / "uses.ipynb", cell(uses, printed("helper True\n")))
    write_cells(work / "b" / "dies.ipynb", cell("import os; os._exit(1)"), cell("12"))
    assert main(["pack", "a/uses.ipynb", "b/dies.ipynb", "-o", "two.zip"]) == 2
    assert "give --date YYYY-MM-DD" in capsys.readouterr().err
    assert main(["pack", "a/uses.ipynb", "b/dies.ipynb", "-o", "two.zip", "--date", "2026-11-02"]) == 0
    names = archive.unpack(Path("two.zip"), work / "in")
    assert {one for one in names if one[:2] in {"a/", "b/"}} == {
        *("a/helper.py", "a/the fox.png", "a/uses.ipynb", "b/dies.ipynb")
    }
    found = reproduce(Path("two.zip"), Plan())
    assert [(one.label, one.state) for one in found.cells] == [
        ("a/uses.ipynb, cell 1", "as saved"),
        ("b/dies.ipynb, cell 1", "differs"),
        ("b/dies.ipynb, cell 2", "differs"),
    ]
    assert {one.why for one in found.cells[1:]} == {
        "it shows the error not run to its end: the kernel ended; saved is nothing"
    }
