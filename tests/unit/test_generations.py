"""Generations of a sweep: taken by position and by axis, as a table, as a sheet, in a notebook."""

from __future__ import annotations

import base64
import gc
import itertools
import pickle
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flux_magic.errors import FluxError, InvalidRequest, MissingExtra, NotInSweep
from flux_magic.images import codecs
from flux_magic.results.generation import Generation, ImageFile
from flux_magic.results.generations import Generations
from flux_magic.sweeps import sheet_file
from flux_magic.sweeps.axes import Axis
from flux_magic.sweeps.sheet import Sheet
from tests.unit.samples import encoded, generation, notebook, opened

STEPS = Axis("steps", (1, 2, 4))
SEEDS = Axis("seed", (1, 2, 3, 4))
AXES = [STEPS, SEEDS]
PAIRS = list(itertools.product(STEPS.values, SEEDS.values))


def image(place: int, **changes: Any) -> Generation:
    return generation(encoded(colour=place * 20, size=(64, 48)), width=64, height=48, **changes)


def items() -> list[Generation]:
    return [image(place, steps=steps, seed=seed) for place, (steps, seed) in enumerate(PAIRS)]


def sweep(*missing: int, **options: Any) -> Generations:
    """Return a sweep of steps and seeds, without the images of these places."""
    every = items()
    places = [place for place in range(12) if place not in missing]
    return Generations([every[place] for place in places], AXES, places, **options)


def test_a_sweep_is_a_sequence_of_its_images_in_order() -> None:
    every = items()
    made = Generations(every, AXES)
    assert (len(made), list(made), made[0], made[-1]) == (12, every, every[0], every[-1])
    assert every[3] in made
    assert made.index(every[3]) == 3
    assert made.axes == (STEPS, SEEDS)
    with pytest.raises(IndexError):
        made[12]


def test_a_slice_has_no_axes_any_more() -> None:
    made = sweep()[2:5]
    assert isinstance(made, Generations)
    assert (len(made), made.axes) == (3, ())
    assert [one.seed for one in made] == [3, 4, 1]


@pytest.mark.parametrize("seed", [3, "3"])
def test_with_a_value_for_each_axis_it_is_one_image(seed: object) -> None:
    made = sweep()
    found = made.sel(seed=seed, steps=4)
    assert found is made[{"steps": 4, "seed": seed}] is made[10]
    assert isinstance(found, Generation)
    assert (found.seed, found.steps) == (3, 4)


def test_numbers_of_numpy_are_values_as_well() -> None:
    np = pytest.importorskip("numpy")
    made = sweep()
    assert made.sel(seed=np.int64(3), steps=np.int32(4)) is made[10]


def test_with_some_values_it_is_what_is_left_with_the_axes_that_are_left() -> None:
    made = sweep()
    row, column = made.sel(steps=2), made[{"seed": 4}]
    assert isinstance(row, Generations)
    assert isinstance(column, Generations)
    assert (row.axes, [one.seed for one in row]) == ((SEEDS,), [1, 2, 3, 4])
    assert (column.axes, [one.steps for one in column]) == ((STEPS,), [1, 2, 4])
    assert row.sel(seed=3) is made[6]
    assert column.sel(steps=2) is made[7]
    assert list(made[{}]) == list(made)


def test_sizes_are_texts_or_pairs() -> None:
    axes = [Axis("size", ("512x768", "64x48"))]
    made = Generations([image(1), image(2)], axes)
    assert made.sel(size=(512, 768)) is made.sel(size="512x768") is made.sel(size=[512, 768]) is made[0]


def test_what_is_missing_stays_missing_in_what_is_left() -> None:
    made = sweep(5, 6, troubles={5: "it broke"})
    row = made.sel(steps=2)
    assert isinstance(row, Generations)
    assert [one.seed for one in row] == [1, 4]
    assert row.missing == {1: "failed: it broke", 2: "not made"}
    assert row.sel(seed=4) is made.sel(seed=4, steps=2)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"seeds": 3}, "this sweep has no axis 'seeds': did you mean seed? It has steps, seed", id="axis"),
        pytest.param({"size": 3}, "this sweep has no axis 'size': It has steps, seed", id="another axis"),
        pytest.param({"seed": 9}, "this sweep has no seed 9: it has 1, 2, 3, 4", id="value"),
        pytest.param({"seed": [1, 2]}, "seed is [1, 2]: give one value; a list of them is for a loop", id="a list"),
        pytest.param({"seed": True}, "this sweep has no seed True: it has 1, 2, 3, 4", id="a bool"),
        pytest.param(
            {"seed": 2, "steps": 2}, "there is no image of steps=2 seed=2: failed: it broke badly", id="failed"
        ),
        pytest.param({"seed": 3, "steps": 2}, "there is no image of steps=2 seed=3: not made", id="not made"),
    ],
)
def test_what_a_sweep_does_not_have_is_a_lookup_error_in_one_line(values: dict[str, object], words: str) -> None:
    made = sweep(5, 6, troubles={5: "it broke\nbadly"})
    ways: list[Callable[[], object]] = [lambda: made[values], lambda: made.sel(**values)]
    for take in ways:
        with pytest.raises(LookupError) as caught:
            take()
        assert isinstance(caught.value, NotInSweep)
        assert isinstance(caught.value, FluxError)
        assert str(caught.value) == words


@pytest.mark.parametrize("value", [3.0, " 3 "])
def test_a_value_may_be_a_float_of_a_table_or_have_blanks_around_it(value: object) -> None:
    made = sweep()
    assert made.sel({"seed": value}, steps=4) is made[10]


@pytest.mark.parametrize(
    ("index", "kind", "words"),
    [
        pytest.param(99, IndexError, "there is no image 99: there are 12, counted from 0", id="too far"),
        pytest.param(
            "seed", TypeError, """'seed' is neither a position nor a slice; to select by a value""", id="a text"
        ),
        pytest.param([0, 99], IndexError, "there is no image 99: there are 12, counted from 0", id="a list"),
        pytest.param([0.5], TypeError, "0.5 is neither a position nor a slice", id="a list of others"),
    ],
)
def test_what_is_no_place_is_told(index: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as told:
        _ = sweep()[index]
    assert str(told.value).startswith(words)


def test_one_that_cannot_be_saved_or_shown_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    gone = generation(seed=1)
    gone = replace(gone, files=(gone.files[0].move_to(tmp_path / "gone.png"),))
    made = Generations([gone, generation(encoded(colour=9), seed=2)])
    with pytest.raises(FluxError, match=r"gone\.png is not in the store any more"):
        made.save(tmp_path / "saved")
    assert [path.name[:12] for path in (tmp_path / "saved").iterdir()] == ["a-red-fox-2-"]
    first, second, _ = made.build_outputs()
    assert "is not in the store any more" in first.data["text/plain"]
    assert "image/png" in second.data


def test_an_error_names_no_more_values_than_can_be_read() -> None:
    made = Generations([], [Axis("seed", tuple(range(1000)))], [])
    with pytest.raises(NotInSweep, match=r"it has 0, 1, .*, 11, and 988 more$"):
        made.sel(seed=-1)


def test_what_is_no_sweep_has_no_axes() -> None:
    made = Generations(items())
    with pytest.raises(NotInSweep, match="this is not a sweep"):
        made.sel(seed=1)
    assert made.missing == {}


@pytest.mark.parametrize("places", [[0], [0, 12], [0, -1], [0, 1, 2]])
def test_places_that_the_axes_do_not_have_are_an_error(places: list[int]) -> None:
    with pytest.raises(ValueError, match="places"):
        Generations(items()[:2], AXES, places)


def test_its_repr_is_a_line_an_image_and_one_for_what_is_missing() -> None:
    assert repr(sweep()).count("\n") == 11
    shown = repr(sweep(5, 6, troubles={5: "it broke\nbadly"})).split("\n")
    assert len(shown) == 11
    assert shown[-1] == ("2 of 12 images are missing: steps=2 seed=2 failed: it broke badly; steps=2 seed=3 not made")


def test_a_table_has_a_row_for_each_image_and_no_column_twice() -> None:
    table = sweep(5).to_pandas()
    assert list(table.columns) == [
        "steps", "seed", "prompt", "width", "height", "model", "digest", "path", "replayed", "seconds",
    ]  # fmt: skip
    assert len(table) == 11
    first = table.iloc[0].to_dict()
    assert (first["steps"], first["seed"], first["prompt"]) == (1, 1, "a red fox")
    assert (first["width"], first["height"], first["seconds"]) == (64, 48, 1.5)
    assert first["digest"] == items()[0].digest
    assert first["path"] is None
    assert set(table["seed"]) == {1, 2, 3, 4}


def test_a_table_names_the_files_and_words_and_is_made_of_anything(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(image(1).data)
    made = image(1)
    stored = replace(made, files=(made.files[0].move_to(tmp_path / "fox.png"),), replayed=True)
    table = Generations([stored, made], [Axis("word", ("red", "blue"))]).to_pandas()
    assert list(table["word"]) == ["red", "blue"]
    assert table["path"][0] == str(tmp_path / "fox.png")
    assert list(table["replayed"]) == [True, False]
    assert list(Generations([made, made]).to_pandas().columns)[:3] == ["prompt", "seed", "steps"]
    assert Generations([]).to_pandas().empty


def test_without_pandas_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError) as caught:
        sweep().to_pandas()
    assert isinstance(caught.value, MissingExtra)
    assert str(caught.value) == 'a table needs pandas, which is not installed: pip install "flux-magic[pandas]"'


def test_the_grid_has_the_images_where_the_axes_say() -> None:
    made = sweep(5)
    plan = Sheet(AXES, [(64, 48)] * 12)
    grid = made.grid()
    assert grid.size == plan.image.size
    for place, one in ((place, made[{"steps": a, "seed": b}]) for place, (a, b) in enumerate(PAIRS) if place != 5):
        assert isinstance(one, Generation)
        left, top, right, bottom = plan.get_box(place)
        found = grid.getpixel(((left + right) // 2, (top + bottom) // 2))
        assert isinstance(found, tuple)
        assert abs(found[2] - place * 20) < 4


def test_generations_of_no_sweep_have_a_grid_by_their_seeds() -> None:
    several = Generations([image(1, seed=1), image(2, seed=1), image(3, seed=2)])
    assert several.grid().size == Sheet([Axis("seed", (1, 1, 2))], [(64, 48)] * 3).image.size
    unknown = Generations([image(1, seed=None), image(2)])
    assert unknown.grid().size == Sheet([Axis("image", (1, 2))], [(64, 48)] * 2).image.size
    assert Generations([]).grid().mode == "RGB"


def test_a_grid_is_a_copy_and_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    opening = codecs.open_image
    made = sweep()

    def counted(data: bytes, name: str) -> Image.Image:
        decoded.append(data)
        return opening(data, name)

    monkeypatch.setattr(codecs, "open_image", counted)
    made.grid().paste("red", (0, 0, 500, 500))
    assert made.grid().getpixel((0, 0)) == (255, 255, 255)
    made.build_outputs()
    assert [opened(one).format for one in decoded] == ["PNG"] * 12 + ["JPEG"], "each once, and the sheet that is shown"


def test_no_sheet_is_kept_but_the_last_which_is_drawn_again_as_it_was() -> None:
    def filled(number: int) -> tuple[Generations, weakref.ref[Sheet]]:
        sheet = Sheet(AXES, [(64, 48)] * 12)
        for place, item in enumerate(items()):
            sheet.put(place, item.files[0].image)
        made = sweep(number, sheet=sheet)
        shown.append(made.build_outputs()[0].data)
        return made, weakref.ref(sheet)

    shown: list[dict[str, str]] = []
    kept = [filled(number) for number in range(3)]
    gc.collect()
    assert [sheet() is not None for _, sheet in kept] == [False, False, True]
    assert [made.build_outputs()[0].data for made, _ in kept] == shown


def test_a_sheet_that_is_filled_already_is_taken_and_what_is_missing_marked_in_it() -> None:
    sheet = Sheet(AXES, [(64, 48)] * 12)
    sheet.put(0, opened(encoded(size=(64, 48), colour=250)))
    before = sheet.image
    made = sweep(5, sheet=sheet)
    assert made.grid().getpixel(sheet.get_box(0)[:2]) == before.getpixel(sheet.get_box(0)[:2])
    assert made.grid().crop(sheet.get_box(5)).getextrema() != before.crop(sheet.get_box(5)).getextrema()


def test_a_grid_that_was_changed_is_saved_as_pillow_saves_it(tmp_path: Path) -> None:
    made, named = sweep(), tmp_path / "sheet.png"
    drawn, pickled, of_one_without = made.grid(), pickle.loads(pickle.dumps(made.grid())), made[:3]
    drawn.paste("red", (0, 0, 9, 9))
    without = Generations([replace(one, metadata=False) for one in of_one_without])
    for image in (drawn, pickled, made.grid().crop((0, 0, 50, 50)), made.grid().copy(), without.grid()):
        image.save(named)
        assert (sheet_file.read(named.read_bytes()), opened(named.read_bytes()).size) == (None, image.size)
    made.grid().save(named, exif=Image.Exif())
    assert sheet_file.read(named.read_bytes()) is None, "the caller has texts of its own"
    made.grid().save(tmp_path / "sheet.bmp")
    with pytest.raises(InvalidRequest, match="give a name that ends in"):
        made.grid().save(tmp_path / "sheet.xyz")
    made.grid().save(tmp_path / "new" / "sheet.png")
    assert sheet_file.read((tmp_path / "new" / "sheet.png").read_bytes()) is not None


def test_a_sweep_shows_its_sheet_and_its_table() -> None:
    sheet, table = sweep(5).build_outputs()
    assert list(sheet.data) == ["image/jpeg", "text/plain"]
    assert sheet.data["text/plain"].startswith("<flux sheet steps×seed 3×4, 11 of 12 images sha256:")
    assert opened(base64.b64decode(sheet.data["image/jpeg"])).size == sweep(5).grid().size
    assert len(sheet.metadata["flux_magic"]["sheet"]) == 11
    assert list(table.data) == ["text/html", "text/markdown", "text/plain"]
    assert "steps=2 seed=2 not made" in table.data["text/plain"]


def test_a_count_shows_each_in_full() -> None:
    made = Generations(items()[:2])
    assert made.build_outputs() == [output for one in made for output in one.build_outputs()]


def test_a_notebook_shows_these_outputs(tmp_path: Path) -> None:
    made = sweep()
    with notebook(tmp_path) as shown:
        made._ipython_display_()
    assert [(one["data"], one["metadata"]) for one in shown] == [
        (one.data, one.metadata) for one in made.build_outputs()
    ]


def test_an_image_whose_file_is_gone_is_marked_and_all_others_are_shown(tmp_path: Path) -> None:
    every = items()
    lost = replace(every[5], files=(ImageFile(every[5].files[0].record, tmp_path / "gone.png"),))
    made = Generations([*every[:5], lost, *every[6:]], AXES)
    sheet, table = made.build_outputs()
    assert "12 images" in sheet.data["text/plain"]
    assert "steps=2 seed=2 64×48" in table.data["text/plain"]
    box = Sheet(AXES, [(64, 48)] * 12).get_box(5)
    assert (241, 241, 241) in [colour for _, colour in made.grid().crop(box).getcolors(100_000) or []]


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        pytest.param(Axis("size", ("64x48", "64x96")), [(64, 48), (64, 96)], id="sizes"),
        pytest.param(Axis("height", (48, 96)), [(64, 48), (64, 96)], id="heights"),
        pytest.param(Axis("width", (64, 128)), [(64, 48), (128, 48)], id="widths"),
    ],
)
def test_a_missing_image_has_the_room_that_was_asked_for(axis: Axis, shapes: list[tuple[int, int]]) -> None:
    axes = [axis, Axis("seed", (1, 2))]
    made = Generations([image(1)], axes, [0])
    assert made.grid().size == Sheet(axes, [shape for shape in shapes for _ in range(2)]).image.size


def test_a_sweep_of_which_nothing_was_made_is_shown() -> None:
    sheet, table = Generations([], AXES, [], troubles={0: "it broke"}).build_outputs()
    assert sheet.data["text/plain"].startswith("<flux sheet steps×seed 3×4, 0 of 12 images sha256:")
    assert sheet.metadata["flux_magic"]["sheet"] == []
    assert table.data["text/plain"].startswith("steps=1 seed=1 failed: it broke\nsteps=1 seed=2 not made\n")


def test_a_sweep_is_saved_into_a_folder(tmp_path: Path) -> None:
    paths = sweep(5).save(tmp_path / "foxes")
    assert len({path.name for path in paths}) == 11


def test_a_sweep_can_be_pickled_before_it_is_drawn_and_after() -> None:
    made = sweep(5)
    for _ in range(2):
        again = pickle.loads(pickle.dumps(made))
        assert (repr(again), again.axes) == (repr(made), made.axes)
        made.grid()
