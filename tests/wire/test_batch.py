"""`flux-magic batch`, as a program, against a real Space."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from flux_magic.client.client import recall
from tests.support.limits import PROGRAM
from tests.wire.test_command_line import FLUX_MAGIC

FILE = """prompt,animal,steps,seed,id
a {animal},fox,2,1,a
a {animal},hen,,,b
a {animal},owl,x,3,c
"""


def batch(folder: Path, *options: str, out: str = "out") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FLUX_MAGIC_STORE": str(folder / "store"), "FLUX_MAGIC_REPLAY": "auto"}
    command = [FLUX_MAGIC, "batch", "p.csv", "--out", out, "--size", "256x256", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM, cwd=folder, env=environment)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_is_an_image_and_a_second_run_makes_what_is_missing(space: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(FILE)
    dry = batch(tmp_path, "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()) == (1, [
        "line 2: 'a fox', seed 1, 2 steps, 256x256",
        "line 3: 'a hen', a random seed, 2 steps, 256x256",
        "nothing was sent; 2 images would be made",
    ])  # fmt: skip
    assert not (tmp_path / "out").exists()
    first = batch(tmp_path, "--space", space)
    assert (first.returncode, first.stdout) == (1, "2 of 3 images are in out; the table is out/results.csv\n")
    assert first.stderr.splitlines() == [
        "note: the column id shapes no image: it is copied into results.csv",
        "flux-magic: line 4: steps x: give a whole number from 1 up",
    ]
    fox, hen, owl = rows = read(tmp_path / "out/results.csv")
    assert [row["id"] for row in rows] == list("abc")
    assert [row["error"] for row in rows] == ["", "", "line 4: steps x: give a whole number from 1 up"]
    assert (fox["prompt"], fox["seed"], owl["file"]) == ("a fox", "1", "")
    made = recall(tmp_path / "out" / hen["file"])
    assert (made.options["prompt"], str(made.options["seed"])) == ("a hen", hen["seed"])

    (tmp_path / "p.csv").write_text(FILE.replace(",x,", ",3,"))
    (tmp_path / "out" / fox["file"]).unlink()
    second = batch(tmp_path, "--space", space)
    assert (second.returncode, second.stdout) == (
        0, "3 of 3 images are in out, 1 of them from the store; the table is out/results.csv\n"
    )  # fmt: skip
    again = read(tmp_path / "out/results.csv")
    assert [row["digest"] for row in again[:2]] == [fox["digest"], hen["digest"]]
    assert [row["replayed"] for row in again] == ["True", "False", "False"]


SECRETS = """prompt,seed,id,space,source,set.api_key
a fox,1,a,{space}/?sig=abc1,http://u:abc2@h/,
a fox,1,b,{space}/?sig=abc1,http://h/?token=abc3&a=b,
a hen,,c,http://u:abc4@h/,hf_abc5,abc6
"""


def test_secrets_are_in_no_table_twins_are_made_once_and_a_dry_run_knows_what_is_there(
    space: str, tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text(SECRETS.format(space=space))
    made = batch(tmp_path, "--steps", "2")
    table = (tmp_path / "out/results.csv").read_text()
    assert "abc" not in table + made.stdout + made.stderr
    fox, again, hen = read(tmp_path / "out/results.csv")
    assert (fox["digest"], fox["replayed"]) == (again["digest"], "False") == (again["digest"], again["replayed"])
    assert "takes no user name or password" in hen["error"]
    (tmp_path / "p.csv").write_text(SECRETS.format(space=space).replace("u:abc4@h/", "h/") + f"an owl,,,{space},,\n")
    assert fox["file"] == again["file"]
    dry = batch(tmp_path, "--steps", "2", "--dry-run", "--cluster", "tcp://127.0.0.1:1", "--image", "nothere.png")
    assert dry.returncode == 1
    assert all(f"line {number}: image is 'nothere.png': there is no such file" in dry.stderr for number in (2, 3, 4, 5))
    dry = batch(tmp_path, "--steps", "2", "--dry-run", "--cluster", "tcp://127.0.0.1:1")
    assert dry.stdout.splitlines() == [
        "line 2: 'a fox', seed 1, 2 steps, 256x256, which is there",
        "line 3: 'a fox', seed 1, 2 steps, 256x256, which is there",
        dry.stdout.splitlines()[2],
        "line 5: 'an owl', a random seed, 2 steps, 256x256",
        "nothing was sent; 2 images would be made",
    ]
    assert "note: the cluster was not tried" in dry.stderr


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(signal.SIGINT, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, id="kill"),
        pytest.param(signal.SIGKILL, id="kill -9"),
    ],
)
def test_a_run_that_ends_early_is_gone_on_with(end: signal.Signals, slow_space: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("prompt\n" + "".join(f"scene {number}\n" for number in range(8)))
    environment = {**os.environ, "FLUX_MAGIC_STORE": str(tmp_path / "store")}
    command = [FLUX_MAGIC, "batch", "p.csv", "--out", "out", "--size", "256x256", "--space", slow_space]
    with subprocess.Popen(
        [*command, "--concurrency", "1"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + PROGRAM
        while len(list((tmp_path / "out").glob("*.webp"))) < 2:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(end)
        _, said = process.communicate(timeout=PROGRAM)
    if end != signal.SIGKILL:
        assert (process.returncode, "run it again to make what is missing" in said) == (128 + end, True)
    seeds = [row["seed"] for row in read(tmp_path / "out/results.csv")]
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.webp")}
    done = batch(tmp_path, "--space", slow_space)
    assert done.returncode == 0, done.stderr
    rows = read(tmp_path / "out/results.csv")
    assert [row["seed"] for row in rows] == seeds
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.webp")}
    assert files.keys() == {row["file"] for row in rows}
    assert kept.items() <= files.items()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(
            ["--steps", "1,2"],
            "--steps has several values: give one here, and in the file a row for each",
            id="several",
        ),
        pytest.param(["--space", "a b"], "a b", id="no Space"),
        pytest.param(["--set", "a=1,2"], "--set a has several values", id="several of its own"),
        pytest.param(["--out", "{what}.png"], "{what} is not a field", id="a pattern"),
        pytest.param(
            ["--out", "out/{id}.png"],
            "line 2 and line 3 would both be saved as out/x.png: add {n} or {seed} to --out",
            id="one name",
        ),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(options: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("prompt,id\na,x\nb,x\n")
    failed = batch(tmp_path, *options)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert words in failed.stderr
    assert "Traceback" not in failed.stderr
