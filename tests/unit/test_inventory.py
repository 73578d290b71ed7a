"""What a store holds, and what of it could go: nothing that has a record, is young, is a link or is somebody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from flux_magic.cli import main
from flux_magic.errors import InvalidRequest
from flux_magic.images.inputs import read_input
from flux_magic.jupyter.provenance import run_history
from flux_magic.parameters.settings import Settings
from flux_magic.records.aside import move_aside
from flux_magic.records.inventory import MOST_EXAMINED, SETTLED, find_leftovers, measure, remove
from flux_magic.records.marks import Marks, get_marks_path, write_marks
from flux_magic.records.store import Store, Stored
from flux_magic.results import history
from tests.support.limits import PROGRAM
from tests.unit.samples import encoded, generation, notebook

PART = ".0123456789abcdef.part"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a store's folder, at a time when what is in it is old."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    later(monkeypatch)
    return tmp_path / "store"


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time() + SETTLED + 5
    monkeypatch.setattr(time, "time", lambda: now)


def put(folder: Path, seed: int = 1, *, with_input: bool = False, size: tuple[int, int] = (8, 6)) -> Stored:
    images = [read_input(encoded(size=size))] if with_input else []
    made = generation(encoded("webp"), seed=seed, images=[one.record for one in images])
    return Store(folder, None).put(made.record, [file.data for file in made.files], images)


def touch(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x" * 100_000)


def lose_record(folder: Path) -> None:
    put(folder).path.unlink()


def lose_image(folder: Path) -> None:
    put(folder).files[0].unlink()


def lose_job(folder: Path) -> None:
    stored = put(folder, with_input=True)
    stored.path.unlink()
    stored.files[0].unlink()


def lose_marked(folder: Path) -> None:
    stored = put(folder)
    write_marks(get_marks_path(stored.path), Marks(starred=True))
    for path in (stored.path, *stored.files):
        path.unlink()


def delete_with_undo(folder: Path) -> None:
    stored = put(folder)
    write_marks(get_marks_path(stored.path), Marks(starred=True))
    move_aside(folder, stored)


def damage_a_record(folder: Path) -> None:
    lose_job(folder)
    put(folder, 2).path.write_text("{")


def link_a_month(folder: Path) -> None:
    touch(folder.parent / "elsewhere", PART)
    folder.mkdir()
    (folder / "2026-01").symlink_to(folder.parent / "elsewhere")
    (folder / "inputs").symlink_to(folder.parent / "elsewhere")
    (folder / PART).symlink_to(folder.parent / "elsewhere" / PART)


def link_a_record(folder: Path) -> None:
    stored = put(folder)
    moved = stored.path.rename(folder.parent / "moved.json")
    stored.path.symlink_to(moved)


def edit_what_is_lost(folder: Path, *, record: bool) -> None:
    """Make an image of another one, of which the record or the image is lost."""
    made = put(folder, 1)
    data = made.read()
    image = read_input(data)
    (made.path if record else made.files[0]).unlink()
    other = generation(encoded(size=(4, 4)), seed=2, images=[image.record])
    Store(folder, None).put(other.record, [other.data], [image])


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        pytest.param(lambda folder: touch(folder, f"2026-11/{PART}"), ["partial file"], id="partial"),
        pytest.param(lambda folder: touch(folder, f"inputs/1a/{PART}"), ["partial file"], id="partial input"),
        pytest.param(lose_record, ["image without a record"], id="no record"),
        pytest.param(lose_image, ["record without an image"], id="no image"),
        pytest.param(lose_job, ["input that no image needs"], id="no job"),
        pytest.param(lose_marked, ["mark without a record"], id="no marked image"),
        pytest.param(delete_with_undo, ["deleted file"] * 3, id="deleted, and not yet gone"),
        pytest.param(lambda folder: touch(folder, "2026-11/mine.marks.json"), [], id="somebody's marks"),
        pytest.param(lambda folder: touch(folder, "2026-11/mine.webp"), [], id="somebody's image"),
        pytest.param(lambda folder: touch(folder, f"mine/{PART}"), [], id="somebody's folder"),
        pytest.param(damage_a_record, [], id="a record that cannot be read may name the input"),
        pytest.param(link_a_month, [], id="links"),
        pytest.param(link_a_record, [], id="a linked record"),
        pytest.param(partial(edit_what_is_lost, record=False), [], id="the record of what went into another image"),
        pytest.param(partial(edit_what_is_lost, record=True), [], id="the image that went into another one"),
        pytest.param(lambda folder: put(folder, with_input=True), [], id="all whole"),
        pytest.param(Path.absolute, [], id="no folder"),
    ],
)
def test_what_could_go_is_listed_and_goes_only_if_one_says_so(
    folder: Path, spoil: Callable[[Path], object], kinds: list[str]
) -> None:
    spoil(folder)
    before = {path for path in folder.parent.rglob("*") if path.is_file()}
    if kinds:
        kept = put(folder, 7, with_input=True, size=(5, 5))
        before |= {kept.path, *kept.files, *(folder / "inputs").rglob("*.png")}
    found = find_leftovers(folder)
    assert [one.kind for one in found] == kinds
    listed = history.clean(Settings(store=str(folder)))
    assert ("could go" in listed) == bool(kinds)
    assert len(kinds) < 2 or f"  {len(kinds)} {kinds[0]}s, " in listed
    assert {path for path in before if path.is_file()} == before
    assert "deleted" in (history.clean(Settings(store=str(folder)), yes=True) if kinds else "deleted")
    assert before - {path for path in before if path.is_file()} == {one.path for one in found}
    assert find_leftovers(folder) == []


def test_what_is_young_or_changed_meanwhile_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_record(folder)
    lose_job(folder)
    image, kept = find_leftovers(folder)
    record = image.path.with_name(f"{image.path.stem}.json")
    record.touch()  # another process has put it there
    os.utime(kept.path)  # or needs it
    assert remove([image, kept]) == []
    record.unlink()
    kept.path.unlink()
    assert remove([image, kept]) == [image]
    lose_record(folder)
    monkeypatch.undo()
    [young] = find_leftovers(folder)
    assert (young.is_settled, remove([young])) == (False, [])


def test_an_input_that_is_needed_again_is_young_again(folder: Path) -> None:
    put(folder, with_input=True)
    (kept,) = (folder / "inputs").rglob("*.png")
    os.utime(kept, (1, 1))
    put(folder, 2, with_input=True)
    assert kept.stat().st_mtime > 1


WRITER = """
import sys
from pathlib import Path
from tests.unit.test_inventory import put
for seed in range(60):
    put(Path(sys.argv[1]), seed, with_input=True, size=(seed + 1, 3))
"""
CLEANER = """
import sys
from pathlib import Path
from flux_magic.records import inventory
inventory.SETTLED = -60.0 if sys.argv[2] == "all" else inventory.SETTLED
print("ready", flush=True)
sys.stdin.readline()
print(len(inventory.remove(inventory.find_leftovers(Path(sys.argv[1])))))
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_nothing_that_another_process_is_at_work_on_goes(tmp_path: Path) -> None:
    writer = start(WRITER, tmp_path)
    while writer.poll() is None:
        assert remove(find_leftovers(tmp_path)) == []
    assert writer.communicate(timeout=PROGRAM)[0] == ""
    assert writer.returncode == 0
    stored = list(Store(tmp_path, None))
    assert len(stored) == 60
    assert all(one.read_all() for one in stored)
    assert len(list((tmp_path / "inputs").rglob("*.png"))) == 60


def test_two_processes_that_clean_one_store_do_not_fail_each_other(tmp_path: Path) -> None:
    for seed in range(300):
        touch(tmp_path, f"2026-11/.{seed:016x}.part")
    cleaners = [start(CLEANER, tmp_path, "all") for _ in range(2)]
    assert all(one.stdout is not None and one.stdout.readline() == "ready\n" for one in cleaners)
    for one in cleaners:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [int(one.communicate(timeout=PROGRAM)[0]) for one in cleaners]
    assert [one.returncode for one in cleaners] == [0, 0]
    assert sum(said) >= 300
    assert not list(tmp_path.rglob("*.part"))


def test_the_size_of_many_files_is_estimated(folder: Path) -> None:
    for number in range(MOST_EXAMINED + 200):
        touch(folder, f"2026-11/{number}")
    held = measure(folder)
    assert (held.files, held.is_exact) == (MOST_EXAMINED + 200, False)
    assert held.size == 100_000 * held.files
    assert str(held) == "1,200 files, about 120.0 MB"


def test_the_command_lists_the_store_and_cleans_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, 3)
    touch(folder, f"2026-11/{PART}")
    assert main(["history", "fox"]) == 0
    image, held = capsys.readouterr().out.splitlines()
    assert image.startswith("2026-01-01 00:00  <flux ")
    assert held == f"the store {folder}: 3 files, 0.1 MB"
    assert main(["history", "--clean"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 file, 0.1 MB, could go:",
        "  1 partial file, 0.1 MB",
        f"    2026-11/{PART}",
        "nothing was deleted: flux-magic history --clean --yes deletes them",
    ]
    assert main(["history", "--clean", "--yes"]) == 0
    assert capsys.readouterr().out.startswith("1 file, 0.1 MB, deleted:\n")
    assert main(["history", "--clean"]) == 0
    assert capsys.readouterr().out == "nothing to clean in the store: 2 files, under 0.1 MB\n"
    monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9)
    touch(folder, f"2026-11/{PART}")
    assert main(["history", "--clean", "--yes"]) == 0
    held, young = capsys.readouterr().out.splitlines()
    assert held.startswith("nothing to clean")
    assert young == "1 file that changed in the last 15 minutes is left alone: another process may be at work"
    assert [main(["history", *wrong]) for wrong in (["--yes"], ["--clean", "x"], ["--last", "0"])] == [2, 2, 2]


def test_the_magic_cleans_too_and_takes_nothing_beside(folder: Path, tmp_path: Path) -> None:
    touch(folder, f"2026-11/{PART}")
    with notebook(tmp_path), capture_output() as told:
        shell = InteractiveShell.instance()
        assert run_history(shell, "--clean") is None
        assert told.stdout.endswith("\nnothing was deleted: %flux_history --clean --yes deletes them\n")
        assert run_history(shell, "--clean --yes") is None
        assert told.stdout.endswith(f", deleted:\n  1 partial file, 0.1 MB\n    2026-11/{PART}\n")
        for wrong in ("--clean fox", "--yes", "--clean --last 3"):
            with pytest.raises(InvalidRequest, match="--clean takes no other option but --yes, and no words"):
                run_history(shell, wrong)
    assert not list(folder.rglob("*.part"))
