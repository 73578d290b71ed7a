"""The images of a sweep's sheet, found in a notebook and compared with their records; and a sheet made tidy."""

from __future__ import annotations

import base64
import runpy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from PIL.PngImagePlugin import PngInfo

from flux_magic.errors import RecordError
from flux_magic.parameters.settings import MOST_SWEPT
from flux_magic.records import embedding
from flux_magic.records.record import parse_carried
from flux_magic.records.store import Store, get_export_path, write
from flux_magic.results.generations import Generations
from flux_magic.results.recall import recall
from flux_magic.sweeps import sheet_file
from flux_magic.sweeps.axes import Axis
from flux_magic.types import UNKNOWN
from flux_magic.verify import Outcome, Status, check_static, find_subjects
from tests.unit.samples import encoded, generation, opened
from tests.unit.test_verify import cell, output, shown, written

TIDY = Path(__file__).parents[2] / "scripts" / "tidy_notebooks.py"


def sheet(*missing: int) -> list[dict[str, Any]]:
    """Return what a cell shows of a sweep of three seeds, as a notebook holds it."""
    places = [place for place in range(3) if place not in missing]
    items = [generation(encoded(colour=place * 50), seed=place + 1) for place in places]
    made = Generations(items, [Axis("seed", (1, 2, 3))], places)
    return [output(one) for one in made.build_outputs()]


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_image_of_a_sheet_is_found_and_cannot_be_checked_without_a_space() -> None:
    written(Path("fox.ipynb"), cell(*sheet()), cell(*shown(generation())))
    report = check_static(["fox.ipynb"])
    assert [one.label for one in report.verdicts] == [
        "fox.ipynb, cell 1, image 1 of the sheet",
        "fox.ipynb, cell 1, image 2 of the sheet",
        "fox.ipynb, cell 1, image 3 of the sheet",
        "fox.ipynb, cell 2",
    ]
    assert [one.static for one in report.verdicts] == [Outcome.UNTOLD] * 3 + [Outcome.INTACT]
    assert {(one.status, one.why) for one in report.verdicts[:3]} == {
        (Status.UNCHECKED, "the image itself is not embedded")
    }
    assert [one.record and one.record.seed for one in report.verdicts[:3]] == [1, 2, 3]
    assert (report.problems, report.others) == ((), 0)


def test_a_sheet_that_is_another_picture_is_a_problem() -> None:
    swapped = sheet()
    swapped[0]["data"]["image/jpeg"] = base64.b64encode(encoded("jpeg")).decode()
    written(Path("fox.ipynb"), cell(*swapped))
    told = check_static(["fox.ipynb"])
    assert told.problems == (
        "fox.ipynb, cell 1: the sheet is not the image that was shown: it was altered, or deleted",
    )
    assert not told.passed


def test_the_images_of_a_sheet_that_are_in_the_store_are_checked_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    kept, lost = (generation(encoded(colour=number), seed=number) for number in (1, 2))
    stored = Store(tmp_path / "store").put(kept.record, [kept.data])
    made = Generations([kept, lost], [Axis("seed", (1, 2))])
    written(Path("fox.ipynb"), cell(*(output(one) for one in made.build_outputs())))
    assert [one.static for one in check_static(["fox.ipynb"]).verdicts] == [Outcome.INTACT, Outcome.UNTOLD]
    stored.files[0].write_bytes(encoded(colour=77))
    assert check_static(["fox.ipynb"]).verdicts[0].status is not Status.PASS


def test_images_that_were_not_made_are_not_found() -> None:
    written(Path("fox.ipynb"), cell(*sheet(0, 2)))
    subject = find_subjects(["fox.ipynb"]).subjects[1]
    assert (subject.label, subject.data) == ("fox.ipynb, cell 1, image 1 of the sheet", None)
    written(Path("fox.ipynb"), cell(*sheet(0, 1, 2)))
    assert check_static(["fox.ipynb"]).verdicts == ()


def test_several_sheets_of_a_cell_are_counted() -> None:
    written(Path("fox.ipynb"), cell(*sheet(1, 2), *sheet(0, 2)))
    labels = [found.label for found in find_subjects(["fox.ipynb"]).subjects if not found.is_sheet]
    assert labels == [f"fox.ipynb, cell 1, image {number}, image 1 of the sheet" for number in (1, 2)]


def test_a_record_of_a_sheet_that_was_edited_fails_as_any_other() -> None:
    outputs = sheet()
    outputs[0]["metadata"]["flux_magic"]["sheet"][1]["record"]["run"]["seed"] = 7
    written(Path("fox.ipynb"), cell(*outputs))
    sheets, *others = check_static(["fox.ipynb"]).verdicts
    assert [one.status for one in others] == [Status.UNCHECKED, Status.FAIL, Status.UNCHECKED]
    assert sheets.why.endswith("the record was edited: image 2: the notebook says seed 7, the sheet 2")


@pytest.mark.parametrize(
    ("records", "words"),
    [
        pytest.param(None, "they are not a list", id="nothing"),
        pytest.param({"record": 3}, "they are not a list", id="an object"),
        pytest.param("a text", "they are not a list", id="a text"),
        pytest.param([3] * 10**6, f"1000000 of them, more than {MOST_SWEPT}", id="a million"),
        pytest.param([{}] * (MOST_SWEPT + 1), f"more than {MOST_SWEPT}", id="one too many"),
        pytest.param(
            [3, None, [], "x"], "4 of 4 records of the sheet cannot be read: they are not JSON objects", id="rubbish"
        ),
    ],
)
def test_a_malformed_sheet_is_one_problem(records: object, words: str) -> None:
    outputs = sheet()
    outputs[0]["metadata"]["flux_magic"]["sheet"] = records
    written(Path("fox.ipynb"), cell(*outputs))
    report = check_static(["fox.ipynb"])
    (problem,) = report.problems
    assert words in problem
    assert problem.startswith("fox.ipynb, cell 1: ")
    assert report.verdicts == ()


@pytest.mark.parametrize("value", [{}, {"record": 3}, {"record": {"run": 3}}, {"record": None, "copy": 3}], ids=repr)
def test_a_record_of_odd_shape_is_told_and_the_others_are_read(value: object) -> None:
    outputs = sheet()
    outputs[0]["metadata"]["flux_magic"]["sheet"][1] = value
    written(Path("fox.ipynb"), cell(*outputs))
    report = check_static(["fox.ipynb"])
    assert [one.record is None for one in report.verdicts] == [False, True, False]
    assert report.verdicts[1].status is Status.UNCHECKED
    assert report.problems == ()


def test_what_else_a_sheets_output_shows_is_told() -> None:
    outputs = sheet()
    outputs[0]["data"]["text/html"] = "<img>"
    written(Path("fox.ipynb"), cell(*outputs))
    (problem,) = check_static(["fox.ipynb"]).problems
    assert "the output shows text/html, which is not ours" in problem


def test_a_sheet_without_its_metadata_carries_the_records_itself() -> None:
    outputs = sheet()
    written(Path("fox.ipynb"), cell(*outputs))
    expected = check_static(["fox.ipynb"])
    outputs[0]["metadata"].clear()
    written(Path("fox.ipynb"), cell(*outputs))
    assert check_static(["fox.ipynb"]).as_dict() == expected.as_dict()
    data = base64.b64decode(outputs[0]["data"]["image/jpeg"])
    outputs[0]["data"]["image/jpeg"] = base64.b64encode(data[:-200] + bytes(198) + data[-2:]).decode()
    written(Path("fox.ipynb"), cell(*outputs))
    (problem,) = check_static(["fox.ipynb"]).problems
    assert "it was altered, or deleted" in problem


def test_the_images_of_a_figure_are_checked_where_they_are_and_those_of_another_tool_are_counted() -> None:
    def shown_by(image: bytes) -> dict[str, Any]:
        data = {"image/jpeg": base64.b64encode(image).decode(), "text/plain": "<a figure>"}
        return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}

    FOXES.grid(labels="(a)").save("figure.jpg")
    figure = Path("figure.jpg").read_bytes()
    Path("figure.jpg").unlink()
    written(Path("fox.ipynb"), cell(*shown(FOXES[0])), cell(shown_by(figure)), cell(shown_by(encoded("jpeg"))))
    one = FOXES[1]
    write(get_export_path(Path("flux_images"), one.record), one.record, [one.data])
    report = check_static(["fox.ipynb"])
    assert [each.label for each in report.verdicts] == ["fox.ipynb, cell 1", "fox.ipynb, cell 2, image 2 of the sheet"]
    assert (report.passed, report.others) == (True, 1)
    written(Path("fox.ipynb"), cell(shown_by(figure[:-200] + bytes(198) + figure[-2:])))
    report = check_static(["fox.ipynb"])
    assert report.verdicts[0].why == "a sheet of 3 images, altered since it was made"
    assert report.problems[0].startswith("fox.ipynb, cell 1: the sheet is not the image that was shown")


FOXES = Generations([generation(encoded(colour=one), seed=one) for one in (1, 2, 3)], [Axis("seed", (1, 2, 3))])


def saved(name: str, how: str) -> Path:
    """Return a sheet's file: as `grid()` saves it, as a notebook shows it, or with something done to it."""
    path = Path(name)
    if how == "shown":
        path.write_bytes(base64.b64decode(FOXES.build_outputs()[0].data["image/jpeg"]))
        return path
    FOXES.grid().save(path)
    if how == "saved":
        return path
    image = opened(path.read_bytes())
    texts = PngInfo()
    for keyword, text in image.text.items():  # type: ignore[attr-defined]
        texts.add_itxt(keyword, text.replace('"seed":2,', '"seed":7,', 1) if how == "edited" else text)
    if how == "drawn on":
        image.paste("red", (0, 0, 9, 9))
    image.save(path, pnginfo=None if how == "stripped" else texts, optimize=True)
    return path


@pytest.mark.parametrize(
    ("name", "how", "outcome", "why"),
    [
        pytest.param("sheet.png", "saved", Outcome.INTACT, "a sheet of 3 images", id="PNG"),
        pytest.param("sheet.jpg", "saved", Outcome.INTACT, "a sheet of 3 images", id="JPEG"),
        pytest.param("sheet.webp", "saved", Outcome.INTACT, "a sheet of 3 images", id="WebP"),
        pytest.param("sheet.jpeg", "shown", Outcome.INTACT, "a sheet of 3 images", id="out of a notebook"),
        pytest.param("a.png", "optimized", Outcome.REENCODED, "a sheet of 3 images, the same pixels", id="optimized"),
        pytest.param(
            "a.png", "drawn on", Outcome.ALTERED, "a sheet of 3 images, altered since it was made", id="drawn on"
        ),
        pytest.param("a.png", "stripped", Outcome.UNTOLD, "the file holds no record of it", id="stripped"),
    ],
)
def test_a_sheets_file_carries_the_records_of_its_images_and_is_checked(
    name: str, how: str, outcome: Outcome, why: str
) -> None:
    path = saved(name, how)
    (verdict,) = check_static(["."]).verdicts
    assert (verdict.label, verdict.static, verdict.why) == (name, outcome, why)
    assert (verdict.status is Status.PASS) is outcome.is_sound
    if outcome is not Outcome.UNTOLD:
        with pytest.raises(RecordError, match="this is a sheet of 3 images, each with a record of its own"):
            recall(path)


def test_a_record_on_a_sheet_that_was_edited_fails() -> None:
    saved("sheet.png", "edited")
    labels = [(one.label, one.status) for one in check_static(["."]).verdicts]
    assert ("sheet.png, image 2 of the sheet", Status.FAIL) in labels


def test_the_images_on_a_sheet_are_checked_where_they_are_and_each_once() -> None:
    saved("sheet.png", "saved")
    saved("sheet.jpg", "saved")
    for one in list(FOXES)[:2]:
        write(get_export_path(Path("flux_images"), one.record), one.record, [one.data])
    exported = [path.as_posix() for path in sorted(Path("flux_images").glob("*.png"))]
    report = check_static(["."])
    assert [one.label for one in report.verdicts] == ["sheet.jpg", "sheet.png", *exported]
    assert report.passed
    assert [one.label for one in check_static(["sheet.png"]).verdicts] == [
        "sheet.png",
        "sheet.png, image 1 of the sheet",
        "sheet.png, image 2 of the sheet",
    ]
    Path(exported[0]).write_bytes(encoded(colour=99))
    assert not check_static(["sheet.png"]).passed


@pytest.mark.parametrize(
    "text", ['{"sheet": 3}', '{"sheet": [3], "copy": {}}', '{"sheet": [', '{"sheet": []}'], ids=["a", "b", "c", "d"]
)
def test_damaged_records_of_a_sheet_are_told(text: str) -> None:
    texts = PngInfo()
    texts.add_itxt("flux_magic", text)
    opened(encoded()).save("sheet.png", pnginfo=texts)
    (verdict,) = check_static(["."]).verdicts
    assert verdict.status is Status.UNCHECKED
    assert verdict.why.startswith("the record is no")


def test_tidying_takes_the_times_out_of_a_sheet_and_leaves_all_else() -> None:
    outputs = sheet()
    outputs[0]["metadata"]["flux_magic"]["sheet"][1]["replayed"] = True
    written(Path("fox.ipynb"), {"id": "fox", **cell(*outputs)})
    runpy.run_path(str(TIDY))["tidy"](Path("fox.ipynb"))
    (first, _) = nbformat.read("fox.ipynb", as_version=4).cells[0].outputs
    shown, tidied = (base64.b64decode(one["data"]["image/jpeg"]) for one in (outputs[0], first))
    assert embedding.compute_bare_sha256(tidied) == embedding.compute_bare_sha256(shown)
    inside = sheet_file.read(tidied)
    assert inside is not None
    assert list(inside.images) == first["metadata"]["flux_magic"]["sheet"]
    assert check_static(["fox.ipynb"]).problems == ()
    before, after = (one["metadata"]["flux_magic"]["sheet"] for one in (outputs[0], first))
    for was, now in zip(before, after, strict=True):
        record, timeless = parse_carried(was).record, parse_carried(now).record
        assert (timeless.files, timeless.seed, timeless.prompt) == (record.files, record.seed, record.prompt)
        assert (timeless.circumstances.started, timeless.circumstances.seconds) == (UNKNOWN, None)
    assert [one.get("replayed") for one in after] == [None, True, None]
