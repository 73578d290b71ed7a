"""Binder can build an image from `binder/`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.limits import PROGRAM

ROOT = Path(__file__).parents[2]


@pytest.mark.thorough
def test_repo2docker_reads_the_configuration_with_its_python_pinned() -> None:
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM)
    assert done.returncode == 0, done.stderr
    assert '-r "binder/requirements.txt"' in done.stdout + done.stderr
    assert (ROOT / "binder" / "runtime.txt").read_text() == "python-3.11\n"
