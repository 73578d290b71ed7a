"""What CONTRIBUTING tells is true: its provider works and passes the checks, and its rooms are those there are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.limits import PROGRAM

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
ASKED = """
from flux_magic import providers
from flux_magic.types import ImageRequest

nocturne = providers.get_provider("nocturne")
print(nocturne.__name__, nocturne.prepare(ImageRequest("a fox", "nocturne", 301, 768, 2, 5)))
"""


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Return the folder of a copy of the package, with what the document says to write."""
    package = shutil.copytree(ROOT / "flux_magic", tmp_path / "flux_magic", ignore=shutil.ignore_patterns("*.pyc"))
    found = re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    (provider,) = (textwrap.dedent(block) for block in found)
    (package / "providers" / "named" / "nocturne.py").write_text(provider)
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=PROGRAM,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_provider_answers_for_its_model_and_passes_ruff(changed: Path) -> None:
    run(changed, "-m", "ruff", "check", "--no-cache", "--config", str(ROOT / "pyproject.toml"), "flux_magic/providers")
    said = run(changed, "-c", ASKED)
    assert said.startswith("Nocturne Prepared(address='https://someone-nocturne.hf.space/call/paint', values=")
    values = {"prompt": "a fox", "seed": 5, "steps": 2, "width": 296, "height": 768, "warmth": 3.5}
    assert str(values) in said


def test_its_table_has_every_room_and_each_of_its_modules() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)/?` \| (.*) \|$", CONTRIBUTING.split("## The rooms")[1].split("\n## ")[0])
    named = {room: set(re.findall(r"`(\w+)/?`", words)) for room, words in rows}
    assert set(named) == modules_of(ROOT / "flux_magic")
    for room, names in named.items():
        assert modules_of(ROOT / "flux_magic" / room) <= names, room


def modules_of(folder: Path) -> set[str]:
    """Names of the modules and packages in a folder; none if it is no folder."""
    return {path.stem for path in folder.glob("*.py")} - {"__init__"} | {
        path.parent.name for path in folder.glob("*/*.py")
    }
