"""Images compared with their records, with no Space at all."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flux_magic.images import codecs, metadata
from flux_magic.records import embedding as keepsake
from flux_magic.results.generation import Generation
from flux_magic.results.output import Output, build_parameters
from flux_magic.types import Circumstances, Record
from flux_magic.verify import Outcome, Report, Status, Verdict, check_static, find_subjects
from tests.unit.samples import encoded, generation, opened, record

Change = Callable[[dict[str, Any]], object]


def output(shown: Output) -> dict[str, Any]:
    """Return an output as a notebook holds it."""
    whole = json.loads(json.dumps({"data": shown.data, "metadata": shown.metadata}))
    return {"output_type": "display_data", **whole}


def cell(*outputs: dict[str, Any], source: str = "%%flux\na red fox") -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {}, "execution_count": 1}


def shown(made: Generation) -> list[dict[str, Any]]:
    """Return what a cell shows of it, as a notebook holds it."""
    return [output(one) for one in made.build_outputs()]


def written(path: Path, *cells: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}), "utf-8")
    return path


def embedded(one: dict[str, Any]) -> bytes:
    """Return the image of an output."""
    (kind,) = (kind for kind in one["data"] if kind.startswith("image/"))
    return base64.b64decode(one["data"][kind])


def put(one: dict[str, Any], data: bytes) -> None:
    """Embed another image in its place."""
    (kind,) = (kind for kind in one["data"] if kind.startswith("image/"))
    one["data"][kind] = base64.b64encode(data).decode()


def told(one: dict[str, Any]) -> dict[str, Any]:
    """Return what the metadata of an output hold of ours."""
    known: dict[str, Any] = one["metadata"]["flux_magic"]
    return known


def saved(image: Image.Image, suffix: str = "png", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, suffix.upper(), **options)
    return out.getvalue()


def with_texts_of(like: bytes, data: bytes, change: Change = lambda _known: None) -> bytes:
    """Other pixels under the strings of an image, whose record a tool has changed."""
    found = metadata.read(like)
    known = json.loads(found.record)
    change(known)
    return metadata.embed(
        data, metadata.Written(found.parameters, json.dumps(known), "a red fox", "a model", "", drawn=False)
    )


def one_pixel_changed(data: bytes) -> bytes:
    """Return the image with a bit of one pixel changed, and all its strings."""
    image = opened(data).convert("RGB")
    red, *others = image.getpixel((3, 3))  # type: ignore[misc]  # an RGB picture has three values
    image.putpixel((3, 3), (red ^ 1, *others))
    return with_texts_of(data, saved(image))


def reencoded(data: bytes, suffix: str = "png", **options: Any) -> bytes:
    """Return the image re-encoded, with all its strings."""
    return with_texts_of(data, saved(opened(data), suffix, **options))


def without_texts(one: dict[str, Any]) -> None:
    put(one, metadata.remove_metadata(embedded(one)))


def both(*changes: Change) -> Change:
    """Return one change after the other."""

    def change(one: dict[str, Any]) -> None:
        for each in changes:
            each(one)

    return change


def embedding(data: bytes) -> Change:
    """Return another image in its place."""
    return lambda one: put(one, data)


def through(change: Callable[[bytes], bytes]) -> Change:
    """Return the image itself changed."""
    return lambda one: put(one, change(embedded(one)))


def saying(**changes: Any) -> Change:
    """Return what was run, by the notebook, changed."""
    return lambda one: told(one)["record"]["run"].update(changes)


def of_files(**changes: Any) -> Change:
    """Return what was delivered, by the notebook, changed."""
    return lambda one: told(one)["record"]["files"][0].update(changes)


def bare_of_metadata(one: dict[str, Any]) -> None:
    one["metadata"].clear()


def hand_made(one: dict[str, Any]) -> None:
    """Return a record without a copy, and nothing inside the image."""
    del told(one)["copy"]
    without_texts(one)


def verdicts(path: Path) -> list[Verdict]:
    report = check_static([path])
    assert report.problems == ()
    return list(report.verdicts)


def of_output(folder: Path, change: Change = lambda _one: None, made: Generation | None = None) -> Verdict:
    """Return the verdict on a notebook's one image, after its output was changed."""
    first, *others = shown(made or generation())
    change(first)
    (verdict,) = verdicts(written(folder / "fox.ipynb", cell(first, *others)))
    return verdict


def of_file(folder: Path, change: Callable[[bytes], bytes] = lambda data: data, name: str = "fox.png") -> Verdict:
    """Return the verdict on a saved image, after its file was changed."""
    (path,) = generation().save(folder / name)
    path.write_bytes(change(path.read_bytes()))
    (verdict,) = verdicts(path)
    return verdict


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["fox.png", "fox.jpg", "fox.jpeg", "fox.WEBP"])
def test_a_saved_picture_is_intact(tmp_path: Path, name: str) -> None:
    verdict = of_file(tmp_path, name=name)
    assert (verdict.status, verdict.static, verdict.why) == (Status.PASS, Outcome.INTACT, "")
    assert (verdict.where, verdict.grade, verdict.distance, verdict.remade) == ("file", None, None, None)
    assert verdict.embedded == (tmp_path / name).read_bytes()
    assert verdict.record is not None
    assert verdict.record.prompt == "a red fox"


@pytest.mark.parametrize(
    ("data", "inline"),
    [
        pytest.param(encoded("png"), None, id="as delivered"),
        pytest.param(encoded("webp", lossless=True), None, id="WebP as PNG"),
        pytest.param(encoded("webp"), None, id="lossy WebP as JPEG"),
        pytest.param(encoded("png", "RGBA"), "jpeg", id="as JPEG, on white"),
    ],
)
def test_an_embedded_picture_is_intact(tmp_path: Path, data: bytes, inline: str | None) -> None:
    verdict = of_output(tmp_path, made=generation(data, inline=inline))
    assert (verdict.status, verdict.static, verdict.why) == (Status.PASS, Outcome.INTACT, "")


def test_a_picture_whose_output_lost_its_metadata_is_compared_with_the_record_inside(tmp_path: Path) -> None:
    assert of_output(tmp_path, bare_of_metadata).static is Outcome.INTACT
    changed = of_output(tmp_path, both(bare_of_metadata, through(one_pixel_changed)))
    assert changed.static is Outcome.ALTERED


def stripped(one: dict[str, Any]) -> None:
    del told(one)["record"]["circumstances"]
    told(one)["record"]["requested"]["seed"] = None


def test_circumstances_that_were_tidied_away_are_no_edit_and_are_taken_from_the_picture(tmp_path: Path) -> None:
    verdict = of_output(tmp_path, stripped)
    assert verdict.static is Outcome.INTACT
    assert verdict.record is not None
    assert verdict.record.circumstances.version == "0.1.0"
    alone = of_output(tmp_path, both(stripped, without_texts))
    assert alone.record is not None
    assert alone.record.circumstances == Circumstances()


ALTERED = "altered since it was made"
IN_NOTEBOOKS = [
    pytest.param(without_texts, Outcome.INTACT, "", id="no record inside"),
    pytest.param(through(one_pixel_changed), Outcome.ALTERED, ALTERED, id="one pixel"),
    pytest.param(
        through(lambda data: reencoded(data, compress_level=0)),
        Outcome.REENCODED,
        "re-encoded since, the same pixels",
        id="re-encoded without loss",
    ),
    pytest.param(through(lambda data: reencoded(data, "jpeg", quality=60)), Outcome.ALTERED, ALTERED, id="re-encoded"),
    pytest.param(
        embedding(embedded(shown(generation(encoded(colour=7), seed=43))[0])),
        Outcome.ALTERED,
        f"{ALTERED}, another image is in its place: the notebook says seed 42, the image 43",
        id="swapped",
    ),
    pytest.param(
        embedding(encoded(colour=7)),
        Outcome.ALTERED,
        ALTERED,
        id="swapped for one without texts",
    ),
    pytest.param(
        saying(seed=43),
        Outcome.EDITED,
        "the record was edited: the notebook says seed 43, the image 42",
        id="another seed",
    ),
    pytest.param(
        saying(seed=43, steps=5, prompt="a hen"),
        Outcome.EDITED,
        "the record was edited: the notebook says seed 43 and steps 5, the image seed 42 and steps 4",
        id="more than one thing",
    ),
    pytest.param(
        saying(prompt="a hen"),
        Outcome.EDITED,
        "the record was edited: the notebook says prompt 'a hen', the image 'a red fox'",
        id="another prompt",
    ),
    pytest.param(
        of_files(sha256="0" * 64),
        Outcome.EDITED,
        "the record was edited: the notebook describes other files than the image",
        id="other files",
    ),
    pytest.param(
        both(without_texts, saying(seed=43)),
        Outcome.EDITED,
        "the record was edited: the record says seed 43, the notebook's line 42",
        id="another seed than the line says",
    ),
    pytest.param(
        both(without_texts, of_files(digest="0" * 64)),
        Outcome.EDITED,
        "the record was edited: its copy has other pixels than the delivered image",
        id="another digest",
    ),
    pytest.param(
        both(hand_made, of_files(digest="0" * 64)),
        Outcome.EDITED,
        "the record was edited: the notebook's line describes other pixels than the record",
        id="another digest than the line says",
    ),
    pytest.param(
        lambda one: told(one)["copy"].update(file=2),
        Outcome.UNTOLD,
        "the record is not whole: it has no file 2",
        id="a file that there is not",
    ),
    pytest.param(saying(seed=None), Outcome.UNTOLD, "its record has no seed", id="no seed"),
    pytest.param(
        lambda one: told(one)["record"]["run"].pop("seed"), Outcome.UNTOLD, "its record has no seed", id="seed removed"
    ),
    pytest.param(
        both(bare_of_metadata, without_texts),
        Outcome.UNTOLD,
        "the notebook holds no record of it",
        id="no record",
    ),
    pytest.param(
        lambda one: one["data"].pop("image/png"), Outcome.UNTOLD, "the image itself is not embedded", id="a link"
    ),
    pytest.param(
        both(lambda one: one["data"].pop("image/png"), saying(seed=43)),
        Outcome.EDITED,
        "the record was edited: the record says seed 43, the notebook's line 42",
        id="a link's record edited",
    ),
    pytest.param(
        lambda one: one["data"].update({"image/png": "a"}),
        Outcome.ALTERED,
        f"{ALTERED}: the image is empty, not PNG, JPEG, WebP, GIF or AVIF",
        id="no base64",
    ),
    pytest.param(
        through(lambda data: data[:-30]),
        Outcome.ALTERED,
        f"{ALTERED}: the image is damaged: image file is truncated",
        id="cut short",
    ),
]


@pytest.mark.parametrize(("change", "outcome", "why"), IN_NOTEBOOKS)
def test_what_became_of_a_notebooks_picture(tmp_path: Path, change: Change, outcome: Outcome, why: str) -> None:
    verdict = of_output(tmp_path, change)
    assert (verdict.static, verdict.why) == (outcome, why)
    status = Status.PASS if outcome.is_sound else Status.FAIL
    assert verdict.status is (Status.UNCHECKED if outcome is Outcome.UNTOLD else status)


def edited(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda data: with_texts_of(data, data, lambda known: known["record"]["run"].update(changes))


def of_another_seed(data: bytes) -> bytes:
    """Return all that the file says is of another seed."""
    carried = keepsake.read(data)
    assert carried is not None
    return keepsake.embed_record(data, replace(carried.record, seed=43, requested_seed=43), 0)[0]


IN_FILES = [
    pytest.param(one_pixel_changed, Outcome.ALTERED, ALTERED, id="one pixel"),
    pytest.param(
        lambda data: reencoded(data, compress_level=0),
        Outcome.REENCODED,
        "re-encoded since, the same pixels",
        id="re-encoded",
    ),
    pytest.param(
        edited(seed=43),
        Outcome.EDITED,
        "the record was edited: the record says seed 43, the image's parameters 42",
        id="another seed",
    ),
    pytest.param(
        edited(steps=5),
        Outcome.EDITED,
        "the record was edited: the record says steps 5, the image's parameters 4",
        id="other steps",
    ),
    pytest.param(of_another_seed, Outcome.INTACT, "", id="edited without a contradiction"),
    pytest.param(edited(seed=None), Outcome.UNTOLD, "its record has no seed", id="no seed"),
    pytest.param(metadata.remove_metadata, Outcome.UNTOLD, "the file holds no record of it", id="no record"),
    pytest.param(
        lambda data: with_texts_of(data, data, lambda known: known.pop("record")),
        Outcome.UNTOLD,
        "the record is not whole: it must contain ['record'] properties",
        id="half a record",
    ),
    pytest.param(
        lambda data: with_texts_of(data, data, lambda known: known["record"].update(schema=9)),
        Outcome.UNTOLD,
        "the record is of version 9: this flux_magic reads up to 2",
        id="of a later version",
    ),
    pytest.param(
        lambda data: metadata.embed(data, metadata.Written("", "[1, 2]", "", "", "", drawn=False)),
        Outcome.UNTOLD,
        "the record is not whole: it must be object",
        id="a record that is none",
    ),
]


@pytest.mark.parametrize(("change", "outcome", "why"), IN_FILES)
def test_what_became_of_a_saved_picture(
    tmp_path: Path, change: Callable[[bytes], bytes], outcome: Outcome, why: str
) -> None:
    verdict = of_file(tmp_path, change)
    assert (verdict.static, verdict.why) == (outcome, why)


def test_a_saved_picture_whose_pixels_are_damaged_fails(tmp_path: Path) -> None:
    (path,) = generation().save(tmp_path / "fox.png")
    data = path.read_bytes()
    place = data.index(b"IDAT") + 10
    path.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
    (verdict,) = verdicts(path)
    assert verdict.static is Outcome.ALTERED
    assert verdict.why.startswith(f"{ALTERED}: the image is damaged")


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        pytest.param(lambda _one: None, Outcome.INTACT, id="as delivered"),
        pytest.param(through(lambda data: saved(opened(data), compress_level=0)), Outcome.INTACT, id="re-encoded"),
        pytest.param(embedding(encoded(colour=9)), Outcome.ALTERED, id="another"),
        pytest.param(embedding(encoded("jpeg")), Outcome.UNTOLD, id="of another type, with losses"),
    ],
)
def test_a_record_without_a_copy_is_compared_by_what_was_delivered(
    tmp_path: Path, change: Change, outcome: Outcome
) -> None:
    assert of_output(tmp_path, both(hand_made, change)).static is outcome


def test_a_copy_that_only_the_picture_tells_of_counts(tmp_path: Path) -> None:
    made = generation(encoded("webp"))  # embedded as JPEG, with losses
    assert of_output(tmp_path, lambda one: told(one).pop("copy"), made).static is Outcome.INTACT


@pytest.mark.parametrize("place", [0, 1])
def test_of_several_pictures_without_a_copy_the_one_with_these_pixels_is_meant(tmp_path: Path, place: int) -> None:
    made = generation(encoded(), encoded(colour=9))
    for by_line in (True, False):
        outputs = shown(made)[:2]
        for one in outputs:
            hand_made(one)
            if not by_line:
                del one["data"]["text/plain"]
        found = verdicts(written(tmp_path / "fox.ipynb", cell(*outputs)))
        assert found[place].static is Outcome.INTACT
        assert found[place].label == f"{tmp_path}/fox.ipynb, cell 1, image {place + 1}"


def version_0(one: dict[str, Any], made: Record) -> None:
    """As notebooks were saved with before there was a schema."""
    import hashlib

    without_texts(one)
    known = told(one)["record"]
    flat = {**known["run"], "files": known["files"], "version": "0.1.0"}
    flat |= {f"requested_{name}": getattr(made, f"requested_{name}") for name in ("model", "space", "width", "height")}
    sha256 = hashlib.sha256(embedded(one)).hexdigest()
    one["metadata"]["flux_magic"] = {"record": flat, "embedded": {"media_type": "image/jpeg", "sha256": sha256}}


BEFORE = [
    pytest.param(encoded(), encoded(colour=9), Outcome.ALTERED, id="PNG"),
    pytest.param(encoded("webp", lossless=True), encoded(colour=9), Outcome.ALTERED, id="lossless WebP as PNG"),
    pytest.param(encoded("webp"), encoded("jpeg", colour=9), Outcome.UNTOLD, id="lossy WebP as JPEG"),
]


@pytest.mark.parametrize(("data", "another", "outcome"), BEFORE)
def test_a_notebook_from_before_there_was_a_schema_is_checked(
    tmp_path: Path, data: bytes, another: bytes, outcome: Outcome
) -> None:
    made = generation(data)

    def before(one: dict[str, Any]) -> None:
        version_0(one, made.record)

    assert of_output(tmp_path, before, made).static is Outcome.INTACT
    assert of_output(tmp_path, both(before, embedding(another)), made).static is outcome


def test_of_several_pictures_from_before_there_was_a_schema_each_is_checked(tmp_path: Path) -> None:
    made = generation(encoded("webp"), encoded("webp", colour=9))
    outputs = shown(made)[:2]
    for one in outputs:
        version_0(one, made.record)
    assert [one.static for one in verdicts(written(tmp_path / "fox.ipynb", cell(*outputs)))] == [Outcome.INTACT] * 2


def test_a_version_0_whose_checksum_is_of_no_picture_is_altered(tmp_path: Path) -> None:
    def broken(one: dict[str, Any]) -> None:
        version_0(one, record())
        put(one, b"nothing")
        told(one)["embedded"]["sha256"] = "0a8d7ea8c2a6ca1f" + "0" * 48

    assert of_output(tmp_path, broken).static is Outcome.ALTERED


def test_the_record_that_a_store_keeps_beside_a_picture_counts(tmp_path: Path) -> None:
    first, second = encoded(), encoded(colour=9)
    known = json.dumps(generation(first, second).record.as_dict())
    for name, data in {"fox.png": first, "fox.2.png": second}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "fox.json").write_text(known)
    assert [one.static for one in verdicts(tmp_path)] == [Outcome.INTACT] * 2
    (tmp_path / "fox.2.png").write_bytes(encoded(colour=8))
    assert [one.static for one in verdicts(tmp_path)] == [Outcome.ALTERED, Outcome.INTACT]
    (tmp_path / "fox.json").write_text('{"some": "data"}')
    assert [one.why for one in verdicts(tmp_path)] == ["the file holds no record of it"] * 2


def test_a_picture_and_the_record_beside_it_have_to_say_the_same(tmp_path: Path) -> None:
    made = generation()
    made.save(tmp_path / "fox.png")  # as an export does it: with the record inside, and beside it
    beside = made.record.as_dict()
    (tmp_path / "fox.json").write_text(json.dumps(beside))
    assert [one.static for one in verdicts(tmp_path)] == [Outcome.INTACT]
    beside["run"]["seed"] = 43
    (tmp_path / "fox.json").write_text(json.dumps(beside))
    assert [one.why for one in verdicts(tmp_path)] == [
        "the record was edited: the image says seed 42, the file beside it 43"
    ]
    (tmp_path / "fox.json").write_text(json.dumps(beside | {"more": "a" * 2**24}))
    assert [one.static for one in verdicts(tmp_path)] == [Outcome.INTACT], "nothing of this size is a record"


def test_a_picture_whose_parts_cannot_be_read_but_whose_pixels_can_is_compared_with_the_record_beside_it(
    tmp_path: Path,
) -> None:
    data = encoded("jpeg")
    odd = data[:2] + b"\xff\xe1\xff\xff" + data[2:]
    (tmp_path / "fox.jpg").write_bytes(odd)
    assert check_static([tmp_path]).problems
    (tmp_path / "fox.json").write_text(json.dumps(generation(data).record.as_dict()))
    (verdict,) = verdicts(tmp_path)
    assert verdict.static in {Outcome.INTACT, Outcome.ALTERED}


def test_a_swap_for_a_picture_that_was_itself_altered_is_told_by_its_record(tmp_path: Path) -> None:
    other = one_pixel_changed(embedded(shown(generation(encoded(colour=7), seed=43))[0]))
    verdict = of_output(tmp_path, embedding(other))
    assert verdict.why == "the record was edited: the notebook says seed 42, the image 43"
    alone = with_texts_of(other, other, lambda known: known.pop("copy"))
    assert of_output(tmp_path, embedding(alone)).static is Outcome.EDITED


def test_a_record_inside_that_cannot_be_read_leaves_the_notebooks(tmp_path: Path) -> None:
    broken = with_texts_of(shown_png(), shown_png(), lambda known: known.pop("record"))
    assert of_output(tmp_path, embedding(broken)).static is Outcome.INTACT


def shown_png() -> bytes:
    return embedded(shown(generation())[0])


def test_labels_count_the_code_cells_that_are_not_empty_and_the_pictures_of_one(tmp_path: Path) -> None:
    two, one = shown(generation(encoded(), encoded(colour=9))), shown(generation())
    text = {"cell_type": "markdown", "source": ["# a fox"]}
    cells = [text, cell(source="%load_ext flux_magic"), cell(*two), cell(source=" \n"), text, cell(*one)]
    written(tmp_path / "fox.ipynb", *cells)
    assert [found.label for found in find_subjects(["fox.ipynb"]).subjects] == [
        "fox.ipynb, cell 2, image 1",
        "fox.ipynb, cell 2, image 2",
        "fox.ipynb, cell 3",
    ]


def test_other_pictures_of_a_notebook_are_counted_and_told(tmp_path: Path) -> None:
    plot = {
        "output_type": "display_data",
        "data": {"image/png": "aGVs\nbG8=", "text/plain": "<Figure>"},
        "metadata": {},
    }
    vector = {"output_type": "execute_result", "data": {"image/svg+xml": ["<svg>", "</svg>"]}, "metadata": {}}
    stream = {"output_type": "stream", "name": "stdout", "text": "<flux "}
    written(tmp_path / "fox.ipynb", cell(plot, stream, *shown(generation())), cell(vector))
    report = check_static(["fox.ipynb"])
    assert (len(report.verdicts), report.others, report.passed) == (1, 2, True)
    assert "2 other images are not from flux_magic\n" in str(report)
    written(tmp_path / "fox.ipynb", cell(plot, *shown(generation())))
    assert "1 other image is not from flux_magic\n" in str(check_static(["fox.ipynb"]))


def test_outputs_may_be_split_into_lines(tmp_path: Path) -> None:
    def split(one: dict[str, Any]) -> None:
        text = one["data"]["image/png"]
        one["data"] = {"image/png": [f"{text[:76]}\n", f"{text[76:]}\n"], "text/plain": [one["data"]["text/plain"]]}

    assert of_output(tmp_path, split).static is Outcome.INTACT


def test_the_output_with_the_parameters_is_no_picture(tmp_path: Path) -> None:
    written(tmp_path / "fox.ipynb", cell(output(build_parameters(record()))))
    report = check_static(["fox.ipynb"])
    assert (report.verdicts, report.others) == ((), 0)


def test_folders_are_read_to_their_depth_without_what_is_hidden_and_nothing_twice(tmp_path: Path) -> None:
    deep = tmp_path / "pictures" / "foxes"
    for folder in (deep, tmp_path / ".git", tmp_path / "pictures" / ".ipynb_checkpoints"):
        folder.mkdir(parents=True)
        generation().save(folder / "fox.png")
    written(tmp_path / "pictures" / "b.ipynb", cell(*shown(generation())))
    generation().save(tmp_path / "pictures" / "a.JPG")
    (tmp_path / "pictures" / "notes.txt").write_text("a fox")
    generation().save(tmp_path / "pictures" / ".hidden.png")
    found = find_subjects([Path(), "pictures/a.JPG", deep])
    assert [one.label for one in found.subjects] == [
        "pictures/a.JPG",
        "pictures/b.ipynb, cell 1",
        "pictures/foxes/fox.png",
    ]
    assert found.problems == []


BROKEN = [
    pytest.param(b"{", "broken.ipynb: not a notebook: it is not JSON", id="no JSON"),
    pytest.param(b"\xff\xfe\xff", "broken.ipynb: not a notebook: it is not JSON", id="no text"),
    pytest.param(b"[" * 200_000, "broken.ipynb: not a notebook: it is nested too deeply", id="nested too deeply"),
    pytest.param(b"[]", "broken.ipynb: not a notebook of format 4: it has no cells", id="a list"),
    pytest.param(b'{"worksheets": []}', "broken.ipynb: not a notebook of format 4: it has no cells", id="of format 3"),
]


@pytest.mark.parametrize(("content", "line"), BROKEN)
def test_a_broken_notebook_is_one_line_and_the_others_are_checked(tmp_path: Path, content: bytes, line: str) -> None:
    (tmp_path / "broken.ipynb").write_bytes(content)
    generation().save(tmp_path / "fox.png")
    report = check_static(["broken.ipynb", "fox.png"])
    assert report.problems == (line,)
    assert [one.label for one in report.verdicts] == ["fox.png"]
    assert (report.passed, report.exit_code) == (False, 1)
    assert line in str(report).splitlines()


ODD_CELLS: list[Any] = [None, 3, {}, {"cell_type": "code"}, {"cell_type": "code", "source": "x", "outputs": {"a": 1}}]
ODD_OUTPUTS: list[Any] = [None, {"data": []}, {"data": {"text/plain": 3}, "metadata": 4}, {"data": {"image/png": {}}}]


def test_a_notebook_of_odd_shapes_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    written(tmp_path / "odd.ipynb", *ODD_CELLS, cell(*ODD_OUTPUTS, *shown(generation())))
    report = check_static(["odd.ipynb"])
    assert [(one.label, one.static) for one in report.verdicts] == [("odd.ipynb, cell 2", Outcome.INTACT)]
    assert report.others == 1


@pytest.mark.parametrize("value", [None, 3, [], {}, {"record": 3}, {"record": {"run": 3}}, "a text"], ids=repr)
def test_metadata_of_odd_shapes_are_no_record(tmp_path: Path, value: object) -> None:
    verdict = of_output(tmp_path, both(without_texts, lambda one: one["metadata"].update(flux_magic=value)))
    assert (verdict.static, verdict.status) == (Outcome.UNTOLD, Status.UNCHECKED)
    assert verdict.why
    assert "\n" not in verdict.why


def test_a_broken_image_a_path_that_is_not_there_and_other_files_are_a_line_each(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(encoded()[:-12])
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    (tmp_path / "notes.txt").write_text("a fox")
    report = check_static(["broken.png", "page.jpg", "nowhere.png", "notes.txt", "a" * 5000, "a\0b.png"])
    assert report.problems[:2] == (
        "nowhere.png: there is no such file or folder",
        "notes.txt: neither a notebook, nor a PNG, JPEG, WebP, GIF or AVIF, nor a folder",
    )
    assert report.problems[2:4] == (
        f"{'a' * 5000}: there is no such file or folder",
        "a\0b.png: there is no such file or folder",
    )
    assert report.problems[4:] == (
        "broken.png: this PNG is damaged: it ends before its IEND chunk",
        "page.jpg: this is a web page, not PNG, JPEG, WebP, GIF or AVIF",
    )
    assert report.verdicts == ()


def test_what_goes_away_while_it_is_read_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "fox.ipynb")
    generation().save(tmp_path / "fox.png")

    def gone(path: str, *_options: int) -> int:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "open", gone)
    assert check_static(["fox.ipynb", "fox.png"]).problems == (
        "fox.ipynb: cannot be read: Input/output error",
        "fox.png: cannot be read: Input/output error",
    )


def test_a_folder_that_cannot_be_listed_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", refused)
    assert check_static(["closed"]).problems == ("closed: cannot be read: Permission denied",)


def test_what_is_no_file_or_too_large_is_a_line(tmp_path: Path) -> None:
    os.mkfifo("fifo.png")
    Path("gone.png").symlink_to("nowhere.png")
    Path("round.png").symlink_to("round.png")
    Path("large.png").touch()
    os.truncate("large.png", 300 * 2**20)
    Path("outside.png").symlink_to(tmp_path.parent / "fox.png")
    (tmp_path.parent / "fox.png").write_bytes(encoded())
    generation().save("pictures/fox.png")
    Path("pictures", "again.png").symlink_to("fox.png")
    assert check_static(Path()).problems == (
        "fifo.png: cannot be read: it is a device, a pipe or a socket, not a file",
        "gone.png: cannot be read: No such file or directory",
        "large.png: cannot be read: it has over 256 MiB",
        "outside.png: cannot be read: it is a link to a place outside of its folder",
        "round.png: cannot be read: Too many levels of symbolic links",
    )


def test_a_file_that_is_gone_when_it_is_to_be_kept_is_not_kept(tmp_path: Path) -> None:
    generation().save("fox.png")
    (subject,) = find_subjects("fox.png").subjects
    assert subject.keep_data(keep=True) == (tmp_path / "fox.png").read_bytes()
    Path("fox.png").unlink()
    assert subject.keep_data(keep=True) is None


def test_nothing_found_does_not_pass(tmp_path: Path) -> None:
    report = check_static([tmp_path])
    assert (str(report), report.passed, report.exit_code) == ("no image from flux_magic found", False, 1)


def test_pictures_are_kept_for_the_page_alone(tmp_path: Path) -> None:
    generation().save(tmp_path / "fox.png")
    kept, let_go = check_static("fox.png"), check_static(tmp_path / "fox.png", keep=False)  # one path, as it is
    assert kept.passed
    assert let_go.passed
    assert kept.verdicts[0].embedded == (tmp_path / "fox.png").read_bytes()
    assert let_go.verdicts[0].embedded is None
    assert isinstance(kept, Report)


def test_a_picture_in_the_form_of_its_copy_is_what_was_embedded() -> None:
    from flux_magic.verify.verdict import encode_as

    delivered = encoded("webp")
    for inline in ("png", "jpeg"):
        kind, data = codecs.encode_for_notebook(delivered, inline)
        assert encode_as(delivered, kind) == data
    assert encode_as(delivered, "image/webp") == delivered


def test_a_digest_that_is_not_that_of_the_pixels_is_an_edit_even_where_all_else_fits(tmp_path: Path) -> None:
    made = generation()
    [file] = made.record.files
    forged = replace(made.record, files=(replace(file, digest="0" * 64),))
    (tmp_path / "fox.png").write_bytes(keepsake.embed_record(made.data, forged, 0)[0])
    report = check_static([tmp_path / "fox.png"])
    assert not report.passed
    assert "the record was edited: its digest is not that of these pixels" in str(report)
