"""A capsule on another machine: Binder's configuration, and the whole circle as another user without a network."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flux_magic.capsules import archive
from tests.support.capsules import FOX, PAPER, edit_json, flip_pixel, get_input, keep_apart, make_signed_capsule
from tests.support.limits import PROGRAM

ROOT = Path(__file__).parents[2]
STRANGER = 65534
"""The number of the user that owns nothing."""
INSTALL = 4 * PROGRAM
"""Seconds for 60 packages that are installed."""
BECOME = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", "env")
OFFLINE = (sys.executable, str(ROOT / "scripts" / "offline.py"))

ALTERATIONS: dict[str, Any] = {
    f"flux_images/{FOX}.webp": lambda at: flip_pixel(at / "flux_images" / f"{FOX}.webp"),
    f"flux_images/{FOX}.json": lambda at: edit_json(
        at / "flux_images" / f"{FOX}.json", lambda one: one["run"].update(seed=43)
    ),
    f"{PAPER}, cell 4": lambda at: edit_json(at / PAPER, lambda one: one["cells"][4].update(source="%%flux\na dog")),
    "flux_images/inputs/": lambda at: flip_pixel(get_input(at)),
}
"""One pixel, one record, one cell, one ingredient: how each is altered, by the name that it is given."""


@pytest.fixture(scope="module")
def capsule(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with keep_apart(folder := tmp_path_factory.mktemp("capsules")):
        return make_signed_capsule(folder)


@pytest.fixture
def shared(capsule: Path) -> Iterator[Path]:
    """Yield a folder that other users see, which the folders of pytest are not, with the capsule in it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "stranger").mkdir()
        shutil.copy(capsule, Path(folder) / "stranger" / "paper.zip")
        yield Path(folder)


def test_binder_reads_the_capsule_as_it_is(capsule: Path, tmp_path: Path) -> None:
    archive.unpack(capsule, tmp_path)
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM)
    assert done.returncode == 0, done.stderr
    assert '-r "requirements.txt"' in done.stdout + done.stderr


@pytest.mark.thorough
def test_another_user_reproduces_it_without_a_network_and_each_alteration_is_named_alone(shared: Path) -> None:
    folder, stranger = shared / "in", shared / "stranger"
    folder.mkdir()
    archive.unpack(stranger / "paper.zip", folder)
    run(find_python(), "-m", "venv", str(shared / "environment"))
    installed = re.search(r"^pip install (.+)$", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert installed is not None
    run(
        str(shared / "environment/bin/pip"),
        "install",
        "--quiet",
        "--no-compile",
        *shlex.split(installed[1]),
        cwd=folder,
    )
    os.chown(stranger, STRANGER, STRANGER)
    code, found = reproduce(shared, "paper.zip")
    assert (code, found["passed"], found["altered"], found["not_run"]) == (0, True, [], None), found
    assert [one["state"] for one in found["cells"]] == ["as saved"] * 7
    assert {one["static"] for one in found["images"]["images"]} == {"intact"}
    assert all("unchanged since" in one["why"] for one in found["images"]["images"])
    for name, alter in ALTERATIONS.items():
        archive.unpack(stranger / "paper.zip", altered := shared / name.replace("/", " "))
        alter(altered)
        archive.write_archive(altered, stranger / "altered.zip")
        code, found = reproduce(shared, "altered.zip")
        (named,) = [one["label"] for one in found["altered"]]
        assert named.startswith(name)
        assert all(one["status"] == "pass" for one in found["images"]["images"])
        assert (code, found["not_run"], found["cells"]) == (1, "the capsule was altered", [])
    left = [path.name for path in stranger.iterdir() if not path.name.startswith(".")]
    assert sorted(left) == ["altered.zip", "paper.zip"]


def find_python() -> str:
    """Return a Python of this version that another user may run."""
    asked = [*BECOME, "PYTHON", "-c", "import ensurepip, sys; print(*sys.version_info[:2])"]
    if os.name == "posix" and os.geteuid() == 0 and shutil.which("setpriv"):
        for python in (getattr(sys, "_base_executable", ""), "/usr/local/bin/python3", "/usr/bin/python3"):
            command = [python if one == "PYTHON" else one for one in asked]
            if subprocess.run(command, capture_output=True, text=True).stdout.split() == list(
                map(str, sys.version_info[:2])
            ):
                return python
    pytest.skip("only root becomes another user, who needs a Python that all may run")


def reproduce(shared: Path, name: str) -> tuple[int, Any]:
    """Return what the command gives another user without a network."""
    stranger, command = shared / "stranger", str(shared / "environment/bin/flux-magic")
    asked = [*OFFLINE, *BECOME, f"HOME={stranger}", command, "reproduce", name, "--json", "-"]
    done = subprocess.run(asked, cwd=stranger, capture_output=True, text=True, timeout=PROGRAM)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.thorough
@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_an_environment_of_its_own_is_made_by(tool: str, capsule: Path, tmp_path: Path) -> None:
    path = os.environ["PATH"]
    if tool == "uv":
        run(sys.executable, "-m", "venv", str(tmp_path / "uv"))
        run(str(tmp_path / "uv/bin/pip"), "install", "--quiet", "uv")
        path = f"{tmp_path / 'uv/bin'}{os.pathsep}{path}"
    asked = [str(Path(sys.executable).with_name("flux-magic")), "reproduce", "--env", tool, str(capsule)]
    done = subprocess.run(
        asked, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=INSTALL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("; 7 of 7 cells as saved")


@pytest.mark.thorough
def test_the_wheel_in_a_capsule_is_the_one_that_is_built(capsule: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT))
    archive.unpack(capsule, tmp_path / "in")
    (built,), (packed,) = tmp_path.glob("*.whl"), (tmp_path / "in" / "wheels").glob("*.whl")
    assert sorted(zipfile.ZipFile(built).namelist()) == sorted(zipfile.ZipFile(packed).namelist())


def run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
