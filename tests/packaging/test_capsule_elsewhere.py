"""A capsule on another machine: Binder's configuration, and the whole circle as another user without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux_magic.capsules import archive, environment
from flux_magic.capsules.manifest import read_manifest
from tests.support.capsules import keep_apart, make_capsule
from tests.support.limits import PROGRAM

ROOT = Path(__file__).parents[2]
STRANGER = 65534
"""The number of the user that owns nothing."""


@pytest.fixture(scope="module")
def capsule(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with keep_apart(folder := tmp_path_factory.mktemp("capsules")):
        return make_capsule(folder)


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
def test_another_user_reproduces_it_in_a_fresh_environment_without_a_network(shared: Path) -> None:
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root becomes another user")
    folder, stranger = shared / "in", shared / "stranger"
    folder.mkdir()
    archive.unpack(stranger / "paper.zip", folder)
    python = environment.make(folder, read_manifest(folder), shared / "environment", "pip")  # by the network, once
    tools = ["nbclient", "nbconvert", "packaging", "nbformat"]
    pinned = ["--constraint", str(ROOT / "constraints.txt")]
    run(python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *pinned, *tools)
    os.chown(stranger, STRANGER, STRANGER)
    become = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    offline = [sys.executable, str(ROOT / "scripts" / "offline.py"), *become]
    ask = [str(Path(python).with_name("flux-magic")), "reproduce", "paper.zip"]
    done = subprocess.run(
        [*offline, "env", f"HOME={stranger}", *ask], cwd=stranger, capture_output=True, text=True, timeout=PROGRAM
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 cells as saved" in done.stdout.splitlines()[-1]
    assert [path.name for path in stranger.iterdir() if not path.name.startswith(".")] == ["paper.zip"]


@pytest.mark.thorough
def test_the_wheel_in_a_capsule_is_the_one_that_is_built(capsule: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT))
    archive.unpack(capsule, tmp_path / "in")
    (built,), (packed,) = tmp_path.glob("*.whl"), (tmp_path / "in" / "wheels").glob("*.whl")
    assert sorted(zipfile.ZipFile(built).namelist()) == sorted(zipfile.ZipFile(packed).namelist())


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM)
    assert done.returncode == 0, done.stdout + done.stderr
