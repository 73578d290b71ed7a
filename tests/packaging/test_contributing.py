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
print(nocturne.__name__, nocturne.get_inputs(ImageRequest("a fox", "nocturne", 301, 768, 2, 5)))
"""


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Return the folder of a copy of the package, with what the document says to write."""
    package = shutil.copytree(ROOT / "flux_magic", tmp_path / "flux_magic", ignore=shutil.ignore_patterns("*.pyc"))
    found = re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    provider, registry = (textwrap.dedent(block) for block in found)
    (package / "providers" / "nocturne.py").write_text(provider)
    importing, registering = registry.strip().split("\n\n")
    known = (package / "providers" / "registry.py").read_text()
    first = "from .flux1_schnell import BlackForestLabs_Flux1Schnell\n"
    known = known.replace(first, f"{first}{importing}\n")
    (package / "providers" / "registry.py").write_text(
        re.sub(r"(?m)^PROVIDERS: .*", lambda row: _append(row[0], registering), known)
    )
    return tmp_path


def _append(row: str, documented: str) -> str:
    """Return the registry's row with the document's last provider added."""
    first, _, last = documented.removesuffix(")").rpartition(", ")
    assert documented.startswith(row[: row.index(" = ")]), first
    return f"{row.removesuffix(')').removesuffix(',')}, {last})"


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
    values = {"words": "a fox", "width": 296, "height": 768, "steps": 2, "seed": 5, "randomize_seed": False}
    assert run(changed, "-c", ASKED) == f"Nocturne {values | {'warmth': 3.5}}\n"


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
