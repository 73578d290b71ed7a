"""A parameter is one row of the table: a copy of the package with three more rows has them everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.limits import PROGRAM

ROOT = Path(__file__).parents[2]
LAST = '    Parameter(name="height", example="768", **_SIDE),\n'
[DOCUMENTED] = re.findall(r"(?m)^Parameter\(name=\"warmth\".*\n", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
ROWS = f"""\
    {DOCUMENTED}\
    Parameter(name="style", help="a style", kind=str, choices=("oil", "ink"), sweepable=False),
    Parameter(name="terms", help="words to avoid", kind=str, sweepable=False),
"""
SENT = {"warmth": 3.5}
PLAIN_KEY = "f56d4dcf46e37bcea728fc4884626b504211aecbdcca1bfc1ac8718ac86ebe3e"
"""Of a request that does not use the new parameters: as it was before there were any."""

ONCE = "warmth is {}: give a number from 0 to 20"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Return what the program finds in the copy."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "flux_magic", folder / "flux_magic", ignore=shutil.ignore_patterns("*.pyc"))
    table = folder / "flux_magic" / "parameters" / "table.py"
    assert table.read_text("utf-8").count(LAST) == 1
    table.write_text(table.read_text("utf-8").replace(LAST, LAST + ROWS), "utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLUX_MAGIC_")}
    paths = os.pathsep.join(map(str, (folder, ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.one_row", str(folder)],
        cwd=folder,
        env={**environment, "PYTHONPATH": paths, "FLUX_MAGIC_STORE": str(folder / "store")},
        capture_output=True,
        text=True,
        timeout=PROGRAM,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("flag", [SENT, "a fox"]),
        ("several", {"warmth": [1.0, 2.5]}),
        ("flag refused", "--warmth 21: give a number from 0 to 20"),
        ("Tab", ["--war", ["--warmth"]]),
        ("help", True),
        ("several in help", True),
        ("Settings", 3.0),
        ("Settings refused", f"{ONCE.format(repr('3'))}, as in warmth=3"),
        ("request", 3.0),
        ("request refused", ONCE.format(-1)),
        ("keyword", [4.0, True]),
        ("%config", [{"warmth": 4.5}, {"warmth": 1.0}]),
        ("%config refused", f"FluxMagics.warmth stays 4.5: {ONCE.format(21)}"),
        ("provider", [SENT, {}]),
        ("Space", [{"prompt": "a fox", "warm_scale": 3.5}, {"prompt": "a fox"}]),
        ("Space refused", "black-forest-labs-flux-1-schnell takes no warmth: leave it out"),
        ("replayed", [False, True, False]),
        ("axis", ["warmth 2.5", [{"warmth": 1.0}, {"warmth": 2.5}]]),
        ("display", ["warmth  3.5", "%%flux --steps 2 --seed 1 --size 768x768 --warmth 3.5"]),
        ("plain display", False),
        ("columns", ["prompt", "seed", "steps", "width", "height", "warmth", "model"]),
        ("to_pandas", [3.5, None]),
        ("key", [False, True]),
        ("plain key", PLAIN_KEY),
        ("record", [True, SENT, SENT]),
        ("schema", [2, 1]),
        ("request of a record", 3.5),
        ("command", "%%flux --steps 2 --seed 1 --size 768x768 --warmth 3.5"),
        ("command reads", SENT),
        ("text in the file", ["Steps: 2", "Seed: 1", "Size: 8x6", "Warmth: 3.5"]),
        ("file", ["3-5.png"]),
        ("slider", [0, 20, 3.5, False]),
        ("slider moved", 7.0),
        ("bounds", [1, 5, 5]),
        ("panel refused", "warmth is 6.0: this Space takes 1 to 5"),
        ("left to the Space", [None, {}, True]),
        ("fields", [{"style": "oil", "terms": "no text"}, ["the Space's default", "oil", "ink"]]),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_a_parameter_of_one_row_is_seen(seen: Mapping[str, Any], where: str, what: Any) -> None:
    assert seen[where] == what


def test_the_options_of_a_prompt_are_named(seen: Mapping[str, Any]) -> None:
    assert "--warmth 3 is in the prompt" in seen["prompt"]
