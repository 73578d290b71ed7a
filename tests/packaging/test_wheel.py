"""What people install: the wheel, in an environment that has nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flux_magic import __version__
from scripts.matrix import find_python
from tests.support.limits import PROGRAM

ROOT = Path(__file__).parents[2]
CELL = "%load_ext flux_magic\nprint(repr(get_ipython().run_cell_magic('flux', '--seed 1 --space {space}', 'a fox')))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def done(*command: str) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    beside = {path.name for path in (ROOT / "flux_magic/providers/stand_in").glob("*.py")}
    assert {f"flux_magic/providers/stand_in/{name}" for name in beside} <= set(names)
    assert {"flux_magic/jupyter/panel/extras.js", "flux_magic/py.typed"} <= set(names)
    jupyter = f"flux_magic-{__version__}.data/data/share/jupyter"
    described = json.loads(archive.read(f"{jupyter}/labextensions/flux-magic/package.json"))
    assert described["version"] == __version__
    assert f"{jupyter}/labextensions/flux-magic/{described['jupyterlab']['_build']['load']}" in names
    assert {f"{jupyter}/nbconvert/templates/{name}" for name in ("conf.json", "lab/display_priority.j2")} <= set(names)
    assert all(name.startswith(("flux_magic/", "flux_magic-")) for name in names)
    template = "nbconvert/templates/flux_magic/index.html.j2"
    assert {f"flux_magic/jupyter/share/{template}", f"flux_magic-0.1.0.data/data/share/jupyter/{template}"} <= set(
        names
    )


@pytest.mark.thorough
def test_in_a_clean_environment_it_loads_and_makes_an_image(wheel: Path, space: str, tmp_path: Path) -> None:
    done(sys.executable, "-m", "venv", str(tmp_path / "clean"))
    python = str(tmp_path / "clean" / "bin" / "python")
    constraints = ("--constraint", str(ROOT / "constraints.txt"))
    try:  # it takes 2 s, and pip 20; pip has a configuration of its own, which may reach what this does not
        done(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *constraints, str(wheel))
    except AssertionError:
        done(python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *constraints, str(wheel))
    said = done(python, "-m", "IPython", "--colors=nocolor", "-c", CELL.format(space=space))
    assert said.startswith("<flux 768×768 seed=1 steps=2 sha256:")
    panel = f"import flux_magic; panel = flux_magic.Panel(prompt='a fox', space='{space}'); panel.generate()"
    assert done(python, "-c", f"{panel}; print(repr(panel.wait()))").startswith("<flux 768×768 seed=")
    missing = subprocess.run(
        [python, "-m", "IPython", "-c", CELL.format(space="local")], capture_output=True, text=True, timeout=PROGRAM
    )
    assert 'pip install "flux-magic[local]"' in missing.stdout + missing.stderr
    command = subprocess.run([python, "-m", "flux_magic.cli"], capture_output=True, text=True, timeout=PROGRAM)
    assert command.returncode == 0


@pytest.mark.thorough
def test_on_python_3_10_the_extra_of_diffusers_installs_nothing_and_says_so(wheel: Path, tmp_path: Path) -> None:
    if (python310 := find_python("3.10")) is None:
        pytest.skip("there is no Python 3.10")
    done(python310, "-m", "venv", str(tmp_path / "old"))
    python = str(tmp_path / "old" / "bin" / "python")
    done(python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", f"{wheel}[diffusers]")
    installed = {one["name"] for one in json.loads(done(python, "-m", "pip", "list", "--format", "json"))}
    assert not {"torch", "diffusers", "transformers"} & installed
    asked = "flux_magic.generate('a fox', provider='diffusers', model='someone/fox')"
    failed = subprocess.run(
        [python, "-m", "IPython", "--colors=nocolor", "-c", f"import flux_magic\n%load_ext flux_magic\n{asked}"],
        capture_output=True,
        text=True,
        timeout=PROGRAM,
    )
    said = (failed.stdout + failed.stderr).strip().splitlines()
    assert said[-1] == "MissingExtra: the provider diffusers needs Python 3.11 or later, and this is 3.10"
