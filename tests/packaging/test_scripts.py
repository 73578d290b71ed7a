"""`make live`, on the local Space in place of the public one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import hasty
from tests.support.limits import PROGRAM

LIVE = Path(__file__).parents[2] / "scripts" / "live.py"


def run(space: str, folder: Path) -> subprocess.CompletedProcess[str]:
    code = f"{hasty.CODE}\nimport runpy\nrunpy.run_path({str(LIVE)!r}, run_name='__main__')"
    command = [sys.executable, "-c", code, "--space", space, "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM)


@pytest.mark.thorough
def test_live_makes_five_requests_and_keeps_what_it_saw(space: str, tmp_path: Path) -> None:
    done = run(space, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    requests = json.loads((tmp_path / "report.json").read_text())["requests"]
    assert list(requests) == ["defaults", "seed", "seed_again", "size", "provider"]
    first, again = (requests[name]["record"]["files"][0]["digest"] for name in ("seed", "seed_again"))
    assert first == again
    assert len(list((tmp_path / "images").iterdir())) == 3


@pytest.mark.thorough
def test_live_says_what_failed(tmp_path: Path) -> None:
    done = run("http://127.0.0.1:9", tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("ConnectionFailed: no connection to 127.0.0.1:9") == 5
