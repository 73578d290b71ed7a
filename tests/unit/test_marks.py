"""Stars and tags: what a tag may be, and the files that have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flux_magic.errors import InvalidRequest
from flux_magic.records.marks import Marks, check_tags, get_marks_path, read_marks, write_marks


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        pytest.param(["#Fox", "fox", "winter-2026"], ("fox", "winter-2026"), id="once, in lower case, without #"),
        pytest.param("fox, winter", ("fox", "winter"), id="in one string"),
        pytest.param(["狐狸", "कि", "4k_"], ("4k_", "कि", "狐狸"), id="any script"),
        pytest.param(["cafe\u0301"], ("café",), id="composed"),
        pytest.param([], (), id="none"),
    ],
)
def test_tags_are_short_words(given: object, tags: tuple[str, ...]) -> None:
    assert check_tags(given) == tags


@pytest.mark.parametrize(
    "given",
    [[""], ["two words"], ["x" * 33], ["-x"], ["a/b"], ["a.b"], [5], 5, None, {"a": 1}, [f"t{n}" for n in range(51)]],
)
def test_what_is_no_tag_is_one_clear_line(given: object) -> None:
    with pytest.raises(InvalidRequest, match=r"tag") as caught:
        check_tags(given)
    assert "\n" not in str(caught.value)


def test_marks_are_read_as_written_and_others_values_stay(tmp_path: Path) -> None:
    path = get_marks_path(tmp_path / "26-fox-42-1a2b3c4d5e6f-nokey.json")
    assert path.name == "26-fox-42-1a2b3c4d5e6f-nokey.marks.json"
    path.write_text('{"rating": 5}', "utf-8")
    write_marks(path, Marks(starred=True, tags=("fox", "狐狸")))
    assert read_marks(path) == Marks(starred=True, tags=("fox", "狐狸"))
    assert '"rating": 5' in path.read_text("utf-8")
    write_marks(path, Marks())
    assert not path.exists()
    write_marks(path, Marks(), keeps_none=True)
    assert path.exists()
    assert read_marks(path) == Marks()


@pytest.mark.parametrize("content", ["", "[" * 9999, "[]", '{"tags": "a/b", "starred": 1}', "\0"])
def test_a_damaged_file_has_no_marks(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.marks.json").write_text(content, "utf-8")
    assert read_marks(tmp_path / "a.marks.json") == Marks()
