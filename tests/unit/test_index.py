"""The index: it is what the files say, whatever happens to it, and whoever else is at work."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_magic.errors import InvalidRequest
from flux_magic.parameters.settings import Settings
from flux_magic.records import cache, database, index
from flux_magic.records.query import Query
from flux_magic.records.store import BESIDE, Store, get_export_path, write
from flux_magic.results.library import Library, open_library
from tests.support.limits import PROGRAM
from tests.unit.samples import encoded, generation
from tests.unit.test_library import put, seeds

pytestmark = pytest.mark.usefixtures("own_cache")


def library_of(folder: Path) -> Library:
    return open_library(Settings(store=str(folder)))


def find_database(tmp_path: Path) -> Path:
    [found] = (tmp_path / "cache" / "flux_magic" / "index").glob("*.sqlite")
    return found


def overwrite(path: Path) -> None:
    """Put zeros over all but the first page."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(size - 4096))


def write_other_tables(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE jobs(number)")
    db.close()


def lock(path: Path) -> None:
    """Let nothing be read or written there."""
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(Path.unlink, id="deleted"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"no database" * 999), id="no database"),
        pytest.param(overwrite, id="damaged"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:9000]), id="half of it"),
        pytest.param(write_other_tables, id="tables of somebody else"),
        pytest.param(lambda path: path.rename(path.with_stem(f"{path.stem}9")), id="another version's"),
        pytest.param(lock, id="a cache that cannot be written"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder in its place"),
        pytest.param(lambda path: shutil.rmtree(path.parents[2]), id="no cache"),
    ],
)
def test_an_index_that_is_lost_or_damaged_is_made_again(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    for number in range(25):
        put(folder, number, prompt=f"a fox {number} " + "in the snow " * 40)
    first = library_of(folder)
    assert first.count(Query("fox")) == 25
    del first
    spoil(find_database(tmp_path))
    library = library_of(folder)
    assert library.count(Query("fox")) == 25
    assert seeds(library, Query("fox 2"), number=2) == [24, 23]
    put(folder, 26)
    assert library.find()[0].seed == 26
    assert library.skipped == []


def test_without_a_home_or_trigrams_all_is_found_as_well(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        put(folder, number, prompt=["a fox", "狐狸", '50%_off "fox"'][number])
    database.has_trigrams.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(database, "has_trigrams", lambda: False)
        patch.setattr("flux_magic.records.selection.has_trigrams", lambda: False)
        for where in (cache.find_local_cache, lambda: None):
            patch.setattr(database, "find_local_cache", where)
            library = library_of(folder)
            words = ["fox", "狐狸", "%_", "\\", '"fox"', ""]
            assert [seeds(library, Query(one)) for one in words] == [[2, 0], [1], [2], [], [2], [2, 1, 0]]
    assert find_database(tmp_path).stem.endswith(str(database.VERSION))


def test_a_cache_on_another_computer_is_not_trusted_with_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.find_local_cache() == cache.find_cache() == tmp_path / "cache" / "flux_magic"
    monkeypatch.setattr(cache, "_find_kind", lambda _: "nfs4")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    own = tmp_path / f"flux_magic-{os.getuid()}"
    assert cache.find_local_cache() == own
    assert own.stat().st_mode & 0o777 == 0o700
    own.chmod(0o777)
    assert cache.find_local_cache() is None, "others could write there"


def test_a_database_that_nobody_asks_for_goes(folder: Path, tmp_path: Path) -> None:
    put(folder)
    library_of(folder).refresh()
    old = find_database(tmp_path)
    os.utime(old, (0, 0))
    put(tmp_path / "other")
    library_of(tmp_path / "other").refresh()
    assert find_database(tmp_path) != old


def test_what_changes_in_the_files_is_found_at_once(folder: Path) -> None:
    library, other = library_of(folder), library_of(folder)
    assert (library.count(), library.tags()) == (0, {})
    stored = [put(folder, number) for number in range(3)]
    assert seeds(library, Query()) == seeds(other, Query()) == [2, 1, 0]
    Store(folder, None).delete(stored[1])
    assert seeds(library, Query()) == [2, 0]
    other.mark(other.find()[0], starred=True, tags=["x"])
    assert (seeds(library, Query("#x is:starred")), library.tags()) == ([2], {"x": 1})
    other.mark(other.find()[0], tags=["y"])
    assert (library.tags(), library.count(Query("#x"))) == ({"y": 1}, 0)
    shutil.move(folder / stored[0].path.parent.name, folder / "2020-01")
    assert seeds(library, Query()) == [2, 0]
    shutil.move(folder, folder.with_name("away"))
    assert (seeds(library, Query()), library.count()) == ([], 0)
    shutil.move(folder.with_name("away"), folder)
    assert seeds(library, Query()) == [2, 0]


def test_a_folder_that_stays_the_same_is_listed_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    month = put(folder, 1).path.parent
    listed: list[str] = []

    def listdir(path: Path) -> list[str]:
        if Path(path).is_relative_to(folder):
            listed.append(Path(path).name)
        return [entry.name for entry in os.scandir(path)]

    monkeypatch.setattr(os, "listdir", listdir)
    library, state = library_of(folder), month.stat()
    library.refresh()
    path = put(folder, 2).path
    os.utime(month, ns=(state.st_atime_ns, state.st_mtime_ns))  # a coarse clock: it looks the same
    assert seeds(library, Query()) == [2, 1]
    monkeypatch.setattr(index, "SETTLED", 0.0)
    library.refresh()
    listed.clear()
    library.refresh()
    assert library_of(folder).count() == 2, "another process knows as well"
    assert listed == []
    path.unlink()
    assert (library.count(), listed) == (1, [month.name])


def test_a_damaged_record_is_skipped_with_a_note_until_it_is_mended(folder: Path) -> None:
    good, bad = put(folder, 1), put(folder, 2)
    content = bad.path.read_bytes()
    bad.path.write_bytes(content[:-30])
    library = library_of(folder)
    assert seeds(library, Query()) == [1]
    [line] = library.skipped
    assert line.startswith(f"{bad.path.name} is skipped: the record is no JSON")
    good.path.write_text("{}", "utf-8")
    assert seeds(library, Query("fox")) == []
    assert len(library.skipped) == 2, "what is damaged in its place is found as it is read"
    bad.path.write_bytes(content)
    assert seeds(library, Query()) == [2]
    bad.path.unlink()
    good.path.write_text(json.dumps(json.loads(content)), "utf-8")
    assert (seeds(library, Query()), library.skipped) == ([2], [])


def test_an_image_in_several_folders_is_shown_once(tmp_path: Path, folder: Path) -> None:
    for number in (1, 2, 3):
        put(folder, number)
        put(tmp_path / "shared", number + 1)
    made = generation(encoded(colour=3), seed=3, started="2026-01-04T08:30:00+00:00")
    beside = write(get_export_path(tmp_path / BESIDE, made.record), made.record, [made.data])
    library = open_library(Settings(store=str(folder), shared_store=str(tmp_path / "shared")))
    walked = [one.path for one in Store(folder, BESIDE, (tmp_path / "shared",))]
    found = library.find()
    assert [one.path and one.path.with_suffix(".json") for one in found] == walked
    assert [one.seed for one in found] == [4, 3, 2, 1]
    assert found[1].path == beside.files[0]
    assert (library.count(), library.count(Query(seed=3)), seeds(library, Query(), start=1, number=2)) == (4, 1, [3, 2])


def test_of_the_same_time_the_last_that_was_kept_comes_first_and_an_unknown_time_last(folder: Path) -> None:
    same, earlier = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+02:00"
    for number, started in enumerate(["unknown", "nonsense", *[same] * 30, earlier]):
        put(folder, number, started=started)
    expected = [*range(31, 1, -1), 32, 1, 0]
    assert seeds(library_of(folder), Query()) == expected
    library = library_of(folder)
    put(folder, 33, started=same)
    assert seeds(library, Query()) == [33, *expected]
    assert seeds(library, Query(before="2026-01-01")) == [32]
    assert seeds(library, Query(after="1970-01-01"), number=99) == [33, *expected[:-2]]


WORKER = """
import sys
from pathlib import Path
from flux_magic.parameters.settings import Settings
from flux_magic.records.query import Query
from flux_magic.results.library import open_library
from tests.unit.test_library import put

folder, first = Path(sys.argv[1]), int(sys.argv[2])
library = open_library(Settings(store=str(folder)))
for number in range(first, first + 15):
    stored = put(folder, 0, seed=number, prompt=f"fox {number}")
    [found] = library.find(Query(f"fox {number}"))
    assert found.path == stored.files[0]
    library.mark(found, starred=True)
    [found] = library.find(Query("is:starred", seed=number))
"""


def test_several_processes_fill_and_search_one_store(folder: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(folder), str(first)], stderr=subprocess.PIPE, text=True)
        for first in (100, 200, 300)
    ]
    told = [worker.communicate(timeout=PROGRAM)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], told
    library = library_of(folder)
    assert library.count() == library.count(Query(starred=True)) == 45


def test_who_searches_while_another_thread_reads_finds_what_is_known(folder: Path) -> None:
    put(folder, 1)
    library = library_of(folder)
    assert seeds(library, Query()) == [1]
    put(folder, 2)
    with library._refreshing:
        assert seeds(library, Query()) == [1]
    assert seeds(library, Query()) == [2, 1]


def test_a_locked_database_is_no_error(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, 1)
    assert library_of(folder).count() == 1
    put(folder, 2)
    monkeypatch.setattr(database, "_BUSY", 0.0)
    other = sqlite3.connect(find_database(tmp_path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert seeds(library_of(folder), Query()) == [2, 1]
    finally:
        other.close()


FULL = """
import resource, sys
from pathlib import Path
from tests.unit.test_index import library_of, seeds
from flux_magic.records.query import Query

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
library = library_of(Path(sys.argv[1]))
print(seeds(library, Query("fox")), library.skipped, len(library.thumbnail(library.find()[0])) > 99)
"""


@pytest.mark.parametrize("room", [0, 20_000], ids=["full", "filled up meanwhile"])
def test_a_full_disk_is_no_error(folder: Path, room: int) -> None:
    for number in range(3):
        put(folder, number, prompt="a fox " + "in the snow " * 400)
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    command = [sys.executable, "-c", FULL, str(folder), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, env=own)  # what measures would write a file as well
    assert (done.stdout, done.stderr) == ("[2, 1, 0] [] True\n", "")


def test_a_query_is_checked(folder: Path) -> None:
    put(folder, parameters={"shift": 3})
    library = library_of(folder)
    assert library.count(Query(parameters={"shift": "3.0"})) == 1
    for wrong in (Query(parameters={"shfit": 3}), Query(seed=-1), Query(words=5), "fox"):  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest):
            library.find(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest):
        library.find(start=-1)
