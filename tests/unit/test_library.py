"""The library: images that are found, marked, deleted and brought back."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flux_magic.errors import InvalidRequest, StoreError
from flux_magic.parameters.settings import Settings
from flux_magic.records import aside, thumbnails
from flux_magic.records.marks import Marks
from flux_magic.records.query import Query
from flux_magic.records.store import BESIDE, Store, Stored, get_export_path, write
from flux_magic.results.library import Deleted, Library, open_library
from flux_magic.types import InputRecord
from flux_magic.verify.export import export
from tests.unit.samples import encoded, generation, opened
from tests.unit.test_signed import notebook_of

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def library(folder: Path) -> Library:
    return open_library(Settings(store=str(folder)))


def put(folder: Path, number: int = 0, *, size: tuple[int, int] = (8, 6), **changes: Any) -> Stored:
    changes = {"seed": number, "started": f"2026-01-{number + 1:02}T08:30:00+00:00", **changes}
    made = generation(encoded(colour=number, size=size), **changes)
    return Store(folder, None).put(made.record, [file.data for file in made.files])


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def seeds(library: Library, query: Query, **options: int) -> list[int | None]:
    return [one.seed for one in library.find(query, **options)]


TABLE: list[dict[str, Any]] = [
    {"prompt": "A red FOX in the snow"},
    {"prompt": "a cat; naïve café, Straße", "model": "other-model", "steps": 2},
    {"prompt": "一只红色的狐狸在雪地里", "parameters": {"guidance": 3.5, "negative_prompt": "blurry, dark"}},
    {"prompt": 'a "quoted" fox AND -minus* (1:2) ^x'},
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param(Query(), [3, 2, 1, 0], id="all, the newest first"),
        pytest.param(Query("fox"), [3, 0], id="a word, in any case"),
        pytest.param(Query("snow red"), [0], id="words in any order"),
        pytest.param(Query("sno fo"), [0], id="beginnings"),
        pytest.param(Query("ox"), [3, 0], id="a part of a word"),
        pytest.param(Query("x"), [3, 0], id="one character"),
        pytest.param(Query("naive CAFÉ strasse"), [1], id="accents"),
        pytest.param(Query("狐狸 雪"), [2], id="a script without spaces"),
        pytest.param(Query("红色的狐狸"), [2], id="a longer part of it"),
        pytest.param(Query("地里"), [2], id="its last two characters"),
        pytest.param(Query("ox sn"), [0], id="words of two characters"),
        pytest.param(Query("fox qz"), [], id="two characters that no prompt has"),
        pytest.param(Query('"quoted" AND -minus* ^x (1:2)'), [3], id="punctuation is taken as it is"),
        pytest.param(Query('"'), [3], id="a quote"),
        pytest.param(Query("fox OR cat"), [], id="no syntax"),
        pytest.param(Query("a " * 5000), [3, 1, 0], id="a word many times"),
        pytest.param(Query(" ".join(f"x{n}" for n in range(490)), tags=("fox",)), [], id="many words"),
        pytest.param(Query("\ud800"), [], id="what no prompt has"),
        pytest.param(Query(model="OTHER"), [1], id="model"),
        pytest.param(Query("fox", seed=3), [3], id="seed"),
        pytest.param(Query(steps=2), [1], id="steps"),
        pytest.param(Query(width=8, height=6), [3, 2, 1, 0], id="size"),
        pytest.param(Query(parameters={"guidance": 3.5}), [2], id="a parameter"),
        pytest.param(Query(after="2026-01-02", before="2026-01-04"), [2, 1], id="dates"),
        pytest.param(Query(after="2026-01-02T08:30:00"), [3, 2, 1], id="a time"),
        pytest.param(Query(starred=True), [2, 0], id="starred"),
        pytest.param(Query("is:STARRED fox"), [0], id="starred, in the words"),
        pytest.param(Query("#winter"), [1, 0], id="a tag in the words"),
        pytest.param(Query(tags=("winter", "fox")), [0], id="tags"),
        pytest.param(Query("#nothing"), [], id="a tag that no image has"),
    ],
)
@pytest.mark.parametrize("few", [pytest.param(1000, id="rare numbers"), pytest.param(0, id="frequent numbers")])
def test_all_conditions_hold(
    library: Library, folder: Path, query: Query, found: list[int], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flux_magic.records.selection._FEW", few)
    for number, changes in enumerate(TABLE):
        put(folder, number, **changes)
    three, two, one, none = library.find()
    library.mark(none, starred=True, tags=["fox", "Winter"])
    library.mark(one, tags=["winter"])
    library.mark(two, starred=True)
    library.mark(three, starred=False)
    assert (seeds(library, query), library.count(query)) == (found, len(found))
    assert library.tags() == {"winter": 2, "fox": 1}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param("fox", {1, 2}, id="a word"),
        pytest.param("FOX", {1, 2}, id="any case"),
        pytest.param("snow fox", {2}, id="several, in any order"),
        pytest.param("fox hen", set(), id="all of them"),
        pytest.param("red snow", {2}, id="over line ends"),
        pytest.param("STRASSE", {3}, id="ß"),
        pytest.param("ثعلب", {4}, id="Arabic"),
        pytest.param("\U0001f98a", {4}, id="an emoji"),
        pytest.param("ΣΊΣΥΦΟΣ", {5}, id="Greek"),
        pytest.param("", {1, 2, 3, 4, 5}, id="nothing"),
        pytest.param(".*", set(), id="no pattern"),
    ],
)
def test_a_search_is_for_all_words_in_any_case(library: Library, folder: Path, words: str, found: set[int]) -> None:
    prompts = ["a Fox", "a red fox\nin the\n\nsnow", "eine Straße", "ثعلب \U0001f98a", "σίσυφος"]
    for seed, prompt in enumerate(prompts, 1):
        put(folder, seed, prompt=prompt)
    assert set(seeds(library, Query(words))) == found


def test_pages_follow_each_other(library: Library, folder: Path) -> None:
    for number in range(5):
        put(folder, number)
    assert [seeds(library, Query(), start=start, number=2) for start in (0, 2, 4, 6)] == [[4, 3], [2, 1], [0], []]


def test_marks_are_beside_the_record_which_does_not_change(library: Library, folder: Path) -> None:
    stored, before = put(folder), files(folder)
    [fox] = library.find()
    assert library.marks(fox) == Marks()
    assert library.mark(fox, starred=True) == Marks(starred=True)
    assert library.mark(fox, tags=["a"]) == library.marks(fox) == Marks(starred=True, tags=("a",))
    marked = stored.path.with_name(f"{stored.path.stem}.marks.json").relative_to(folder).as_posix()
    assert files(folder).keys() - before.keys() == {marked}
    library.mark(fox, starred=False, tags=[])
    assert files(folder) == before


def test_marks_of_what_others_keep_go_into_the_own_store(tmp_path: Path, folder: Path) -> None:
    shared, beside = tmp_path / "shared", tmp_path / BESIDE
    put(shared, 1)
    made = generation(encoded(colour=2), seed=2, started="2026-02-01T00:00:00+00:00")
    stored = write(get_export_path(beside, made.record), made.record, [made.data])
    stored.path.with_name(f"{stored.path.stem}.marks.json").write_text('{"starred": true, "tags": ["x"]}', "utf-8")
    before = files(shared) | files(beside)
    library = open_library(Settings(store=str(folder), shared_store=str(shared)))
    two, one = library.find()
    assert library.marks(two) == Marks(starred=True, tags=("x",))
    library.mark(one, starred=True)
    library.mark(two, starred=False)
    assert seeds(library, Query(starred=True)) == [1]
    assert files(shared) | files(beside) == before
    assert all(name.startswith("marks/") for name in files(folder))
    with pytest.raises(InvalidRequest, match="where nothing is deleted"):
        library.delete(one)
    off = open_library(Settings(store=False, shared_store=str(shared)))
    with pytest.raises(StoreError, match="there is no store to keep the mark in"):
        off.mark(off.find()[1], starred=True)


def test_marks_go_along_with_an_export_and_are_found_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(folder))
    put(folder)
    library = open_library(Settings(store=str(folder)))
    [fox] = library.find()
    library.mark(fox, starred=True, tags=["fox"])
    notebook = notebook_of(tmp_path / "fox.ipynb", fox)
    assert export(notebook).whole
    elsewhere = open_library(Settings(store=str(tmp_path / "other")))
    assert seeds(elsewhere, Query("#fox is:starred")) == [0]
    [copy] = library.find()
    assert copy.path is not None
    assert copy.path.parent == tmp_path / BESIDE, "what is beside the notebook is shown first"
    library.mark(copy, tags=["hare"])
    assert library.marks(fox) == library.marks(copy) == Marks(starred=True, tags=("hare",)), "it is one image"
    assert export(notebook).there == 1
    assert seeds(open_library(Settings(store=str(tmp_path / "third"))), Query("#hare")) == [0]


def test_a_deleted_image_is_not_found_until_it_comes_back_with_all_its_files(library: Library, folder: Path) -> None:
    put(folder, 1)
    put(folder, 2)
    _, one = library.find()
    library.mark(one, starred=True, tags=["x"])
    before = files(folder)
    deleted = library.delete(one)
    assert seeds(library, Query()) == [2]
    assert (library.count(), library.tags()) == (1, {})
    assert Store(folder, None).find_digest(one.digest) == []
    deleted.undo()
    assert files(folder) == before
    assert not [*(folder / "deleted").iterdir()]
    assert seeds(library, Query(starred=True)) == [1]
    with pytest.raises(StoreError, match="gone for good"):
        deleted.undo()


def test_what_a_crash_leaves_of_a_deletion_comes_back_whole(library: Library, folder: Path) -> None:
    stored = put(folder, 1)
    before = files(folder)
    [one] = library.find()
    with pytest.MonkeyPatch.context() as patch:

        def fails(path: Path, target: Path) -> Path:
            if path.suffix == ".png":
                raise PermissionError(13, "as a crash would leave it")
            return path.rename(target)

        patch.setattr(Path, "replace", fails)
        with pytest.raises(StoreError, match="as a crash would leave it"):
            library.delete(one)
    assert not stored.path.exists()
    assert library.find() == []
    [place] = (folder / "deleted").iterdir()
    Deleted(place).undo()
    assert files(folder) == before
    assert seeds(library, Query()) == [1]


def test_a_deleted_image_goes_for_good_after_a_day_and_stays_an_input(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, 1)
    [one] = library.find()
    [file] = one.files
    went_in = InputRecord("image", "image/png", 8, 6, one.digest, file.record.sha256)
    edited = generation(encoded(colour=9), seed=9, images=[went_in])
    Store(folder, None).put(edited.record, [edited.data])
    library.delete(one)
    [place] = (folder / "deleted").iterdir()
    [again] = library.find()
    assert [image.record.digest for image in again.request.images] == [one.digest], "it is kept as an input"
    monkeypatch.setattr(aside, "KEPT", timedelta(0))
    library.refresh()
    assert not place.exists()


def test_a_thumbnail_is_made_once_for_all_and_the_oldest_go(
    library: Library, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = put(folder, size=(600, 300))
    [one] = library.find()
    made = library.thumbnail(one)
    assert opened(made).size == (256, 128)
    stored.files[0].unlink()
    assert library.thumbnail(one) == made
    [kept] = (tmp_path / "cache").rglob("*.jpg")
    kept.write_bytes(made[:-9])
    with pytest.raises(StoreError):
        library.thumbnail(one)
    monkeypatch.setattr(thumbnails, "MOST", 1)
    os.utime(kept, (0, 0))
    other = one.digest[:2] + "0" * 62
    assert thumbnails.get_thumbnail(other, encoded) == thumbnails.get_thumbnail(other, bytes)
    assert [path.stem for path in (tmp_path / "cache").rglob("*.jpg")] == [other]
