"""The contact sheet of a sweep: where its cells are, and what is in them."""

from __future__ import annotations

import io
import math
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from flux_magic.sweeps import lettering
from flux_magic.sweeps.axes import Axis
from flux_magic.sweeps.labels import describe_undrawn, make_labels
from flux_magic.sweeps.layout import MOST, MOST_CELL
from flux_magic.sweeps.sheet import Sheet
from tests.unit.samples import opened

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

SEEDS = Axis("seed", (1, 2, 3, 4))
STEPS = Axis("steps", (1, 2, 4))


def plain(colour: Colour | str, size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, colour)


def blank(*axes: Axis, size: tuple[int, int] = (512, 512)) -> Sheet:
    return Sheet(axes, [size] * math.prod(len(axis.values) for axis in axes))


def colour_of(place: int) -> Colour:
    return (40 * (place % 5) + 20, 30 * (place // 5) + 20, 200)


def middle(sheet: Sheet, place: int) -> object:
    left, top, right, bottom = sheet.get_box(place)
    return sheet.image.getpixel(((left + right) // 2, (top + bottom) // 2))


def has_ink(sheet: Sheet, box: Box) -> bool:
    """Return True if something is written there."""
    return any(sheet.image.convert("L").crop(box).histogram()[:128])


def cut(sheet: Sheet, place: int) -> Image.Image:
    return sheet.image.crop(sheet.get_box(place))


def of_colour(picture: Image.Image, colour: Colour) -> Box | None:
    """Return the box of all that has this colour, to a little."""
    difference = ImageChops.difference(picture, Image.new("RGB", picture.size, colour)).convert("L")
    return difference.point(lambda value: 255 if value < 12 else 0).getbbox()


def test_a_new_sheet_has_a_pale_cell_for_each_image() -> None:
    sheet = blank(STEPS, SEEDS)
    assert sheet.image.mode == "RGB"
    assert {middle(sheet, place) for place in range(12)} == {(241, 241, 241)}
    assert sheet.image.getpixel((0, 0)) == (255, 255, 255)


def test_of_two_axes_the_first_gives_the_rows_and_the_second_the_columns() -> None:
    sheet = blank(STEPS, SEEDS)
    for place in range(12):
        sheet.put(place, plain(colour_of(place)))
    assert [middle(sheet, place) for place in range(12)] == [colour_of(place) for place in range(12)]
    boxes = [sheet.get_box(place) for place in range(12)]
    assert len({box[1] for box in boxes[:4]}) == 1
    assert [box[0] for box in boxes[:4]] == sorted({box[0] for box in boxes})
    assert [box[1] for box in boxes[::4]] == sorted({box[1] for box in boxes})


def test_the_labels_stand_at_the_left_of_the_rows_and_above_the_columns() -> None:
    sheet = blank(STEPS, SEEDS)
    for place in range(12):
        left, top, right, bottom = sheet.get_box(place)
        if place % 4 == 0:
            assert has_ink(sheet, (0, top, left, bottom))
        if place < 4:
            assert has_ink(sheet, (left, 0, right, top))
    first = sheet.get_box(0)
    assert not has_ink(sheet, (0, 0, first[0], first[1]))


def test_one_axis_has_its_label_above_each_cell() -> None:
    sheet = blank(Axis("seed", tuple(range(8))))
    for place in range(8):
        left, top, right, _ = sheet.get_box(place)
        assert has_ink(sheet, (left, top - 25, right, top))


@pytest.mark.parametrize(
    ("number", "across"),
    [(1, 1), (3, 3), (5, 5), (6, 3), (7, 4), (8, 4), (9, 3), (10, 5), (12, 4), (20, 5), (100, 10), (1000, 20)],
)
def test_one_axis_is_wrapped_to_about_a_square_and_a_few_stay_in_one_row(number: int, across: int) -> None:
    sheet = blank(Axis("seed", tuple(range(number))), size=(256, 256))
    assert sum(sheet.get_box(place)[1] == sheet.get_box(0)[1] for place in range(number)) == across


def test_of_more_axes_the_last_gives_the_columns_and_all_before_the_rows() -> None:
    sheet = blank(Axis("word", ("red", "blue")), Axis("size", ("512x512", "768x768")), Axis("seed", (1, 2, 3)))
    tops = [sheet.get_box(place)[1] for place in range(0, 12, 3)]
    assert len(set(tops)) == 4
    assert len({sheet.get_box(place)[0] for place in range(12)}) == 3
    # What belongs to one word is together.
    assert tops[2] - tops[1] > tops[1] - tops[0] == tops[3] - tops[2]


def test_a_label_says_what_the_axis_says() -> None:
    assert make_labels([STEPS, Axis("size", ("512x768",)), Axis("word", ("red",))]) == [
        ["steps 1", "steps 2", "steps 4"],
        ["512x768"],
        ["red"],
    ]


@pytest.mark.parametrize("text", ["\U0010a7f5", "a \U0010a7f5", "\x07", "  ", "\u200b", "\ufe0f", "\ud800"])
def test_a_value_that_no_font_here_has_is_called_by_its_axis_and_number(text: str) -> None:
    assert make_labels([STEPS, Axis("names", ("fox", text))])[1] == ["fox", "names 2"]
    assert make_labels([STEPS, Axis("\U0010a7f5", (text,))])[1] == ["list 2 no. 1"]


@pytest.mark.parametrize("text", ["лиса", "αλεπού", "ế ộ ữ", "ثعلب أحمر", "שועל", "աղվես", "მელა", "✓ → ½"])
def test_the_bundled_font_draws_other_scripts_than_latin(text: str) -> None:
    assert make_labels([Axis("word", (text,))]) == [[text]]
    assert describe_undrawn([Axis("word", (text,))]) == ""


def test_arabic_is_joined_and_turned() -> None:
    """Joined, the characters are narrower than each alone; turned, the first is at the right."""
    assert lettering.measure_width("ببب", 18) < 3 * lettering.measure_width("ب", 18)
    left, right = ink_heights("سا")
    assert left > 1.5 * right


def ink_heights(text: str) -> tuple[int, int]:
    """Return the height of the ink in the left and in the right quarter of a word."""
    image = Image.new("L", (200, 40))
    lettering.write(ImageDraw.Draw(image), [text], 18, (0, 20), "white", "l")
    box = image.getbbox()
    assert box is not None
    quarter = (box[2] - box[0]) // 4
    left, right = (image.crop((x, 0, x + quarter, 40)).getbbox() for x in (box[0], box[2] - quarter))
    assert left is not None
    assert right is not None
    return left[3] - left[1], right[3] - right[1]


@pytest.mark.usefixtures("fonts")
def test_a_script_that_needs_raqm_is_numbered_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.features.check", lambda _name: False)
    assert make_labels([Axis("word", ("fox", "ثعلب"))]) == [["fox", "word 2"]]
    assert "no font here draws ثعلب" in describe_undrawn([Axis("word", ("fox", "ثعلب"))])


@pytest.fixture
def fonts() -> Iterator[None]:
    """Fonts are looked for again, before the test and after it."""
    caches = [
        lettering._find_font,
        lettering._list_installed,
        lettering._can_shape,
        lettering._has_glyph,
        lettering.measure_width,
    ]
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("fonts")
def test_a_font_of_the_system_is_found_for_a_script_that_the_bundled_one_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_DATA_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(variable, str(Path(__file__).parents[1] / "data"))
    assert make_labels([Axis("word", ("a 狐 fox", "狸"))]) == [["a 狐 fox", "word 2"]]
    assert describe_undrawn([Axis("word", ("狐", "狸"))]).startswith("no font here draws 狸, so the sheet has numbers")
    assert blank(Axis("word", ("狐",))).image.tobytes() != blank(Axis("word", ("狸",))).image.tobytes()


def test_blanks_and_dashes_of_any_kind_can_be_said() -> None:
    assert make_labels([Axis("word", ("a\n  red\u00a0fox – at\u2011night",))]) == [["a red fox - at-night"]]


@pytest.mark.parametrize("letter", "äÖçñåøłążčůďőīğş")
def test_letters_with_accents_are_drawn_with_them_composed_or_not(letter: str) -> None:
    apart = unicodedata.normalize("NFD", letter)
    assert make_labels([Axis("word", (letter,))]) == make_labels([Axis("word", (apart,))]) == [[letter]]

    def drawn(word: str) -> bytes:
        return blank(Axis("word", (f"a{word}a",))).image.tobytes()

    assert len({drawn(letter), drawn(apart[0])}) == 2 or letter in "øł"
    assert drawn(letter) == drawn(apart)


def test_every_letter_of_ascii_can_be_said() -> None:
    letters = [chr(code) for code in range(0x21, 0x7F)]
    assert [letter for letter in letters if lettering.can_draw(letter)] == letters


def test_images_are_as_large_as_they_are_to_each_other_and_centred() -> None:
    sizes = [(256, 256), (1024, 512)]
    sheet = Sheet([Axis("size", ("256x256", "1024x512"))], sizes)
    for place, size in enumerate(sizes):
        sheet.put(place, plain((200, 30, 30), size))
    small, large = (of_colour(cut(sheet, place), (200, 30, 30)) for place in (0, 1))
    assert large == (0, 0, MOST_CELL, MOST_CELL // 2)
    assert small == (120, 40, 200, 120)


def test_rows_are_as_high_as_what_was_asked_for_in_them() -> None:
    axes = [Axis("size", ("512x256", "512x512")), Axis("seed", (1, 2))]
    sheet = Sheet(axes, [(512, 256)] * 2 + [(512, 512)] * 2)
    heights = [sheet.get_box(place)[3] - sheet.get_box(place)[1] for place in range(4)]
    assert heights == [160, 160, 320, 320]


@pytest.mark.parametrize("size", [(1024, 256), (256, 1024), (16, 8), (1, 1), (3000, 1)])
def test_an_image_of_another_size_than_asked_for_is_fitted_into_its_cell(size: tuple[int, int]) -> None:
    sheet = blank(Axis("seed", (1, 2)))
    before = cut(sheet, 1)
    sheet.put(0, plain((200, 30, 30), size))
    found = of_colour(cut(sheet, 0), (200, 30, 30))
    assert found is not None
    wide, high = found[2] - found[0], found[3] - found[1]
    assert max(wide, high) == 320
    assert wide / high == pytest.approx(size[0] / size[1], rel=0.05) or min(wide, high) == 1
    assert ImageChops.difference(cut(sheet, 1), before).getbbox() is None


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_every_kind_of_image_can_be_put(mode: str) -> None:
    sheet = blank(Axis("seed", (1,)))
    sheet.put(0, Image.new(mode, (64, 64)) if mode == "I;16" else plain("black").convert(mode))
    assert middle(sheet, 0) == (0, 0, 0)


def test_what_is_transparent_lies_on_white() -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (32, 0, 64, 64))
    sheet = blank(Axis("seed", (1,)))
    sheet.put(0, clear)
    left, top, right, bottom = sheet.get_box(0)
    assert sheet.image.getpixel((left + 10, (top + bottom) // 2)) == (255, 255, 255)
    assert sheet.image.getpixel((right - 10, (top + bottom) // 2)) == (0, 0, 255)


def test_an_image_takes_the_place_of_a_mark_and_a_mark_that_of_an_image() -> None:
    sheet = blank(Axis("seed", (1, 2)))
    sheet.mark(0, "failed: the queue is full")
    assert has_ink(sheet, sheet.get_box(0))
    sheet.put(0, plain("white"))
    assert cut(sheet, 0).getcolors() == [(320 * 320, (255, 255, 255))]
    sheet.put(1, plain((200, 30, 30)))
    sheet.mark(1, "not made")
    assert of_colour(cut(sheet, 1), (200, 30, 30)) is None


@pytest.mark.parametrize("text", ["not made", "failed: " + "very " * 200 + "badly", "失敗", "", "x" * 3000, "a\nb"])
def test_a_mark_stays_in_its_cell(text: str) -> None:
    for size in ((512, 512), (512, 8)):
        sheet = blank(Axis("seed", tuple(range(30))), size=size)
        empty = sheet.image
        sheet.mark(7, text)
        changed = ImageChops.difference(sheet.image, empty).getbbox()
        left, top, right, bottom = sheet.get_box(7)
        assert changed is not None
        assert left <= changed[0] < changed[2] <= right
        assert top <= changed[1] < changed[3] <= bottom


@pytest.mark.thorough
def test_a_cell_that_is_too_small_for_words_is_crossed_out() -> None:
    sheet = blank(STEPS, Axis("seed", tuple(range(3000))))
    sheet.mark(0, "failed: the queue is full")
    left, top, *_ = sheet.get_box(0)
    assert sheet.image.getpixel((left, top)) == (176, 176, 176)


def test_the_image_is_a_copy() -> None:
    sheet = blank(Axis("seed", (1,)))
    before = sheet.image
    sheet.put(0, plain("black"))
    assert middle(sheet, 0) == (0, 0, 0)
    assert before.getextrema() != sheet.image.getextrema()


def test_the_same_sheet_has_the_same_bytes_as_a_jpeg_with_all_its_colours() -> None:
    def made() -> bytes:
        sheet = blank(STEPS, SEEDS)
        sheet.put(3, plain((200, 30, 30)))
        sheet.mark(4, "not made")
        return sheet.encode()

    assert made() == made()
    picture = Image.open(io.BytesIO(made()))
    assert (picture.format, picture.mode) == ("JPEG", "RGB")
    assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


def test_a_place_or_a_number_of_sizes_that_does_not_fit_the_axes_is_an_error() -> None:
    with pytest.raises(ValueError, match="there are 3 sizes for 4 images"):
        Sheet([SEEDS], [(512, 512)] * 3)
    sheet = blank(SEEDS)
    for place in (-1, 4):
        with pytest.raises(IndexError):
            sheet.put(place, plain("red"))


def test_a_thousand_images_are_one_sheet_that_can_be_looked_at() -> None:
    sheet = blank(Axis("steps", tuple(range(1, 41))), Axis("seed", tuple(range(25))))
    assert sheet.image.width < 1600
    assert sheet.image.height < 8000
    left, top, right, bottom = sheet.get_box(999)
    assert min(right - left, bottom - top) >= 40


def test_a_sheet_that_would_be_too_high_has_smaller_cells() -> None:
    high = blank(Axis("steps", tuple(range(1, 101))), Axis("seed", (1, 2)))
    left, _, right, _ = high.get_box(0)
    assert 40 <= right - left < 320
    assert high.image.height <= 8000


@pytest.mark.thorough
@pytest.mark.parametrize("lengths", [(2_500,), (10_000, 1), (1, 10_000), (100, 100), (10, 10, 100)])
def test_the_largest_sweeps_are_within_what_a_jpeg_can_be(lengths: tuple[int, ...]) -> None:
    varied = [Axis(f"axis{number}", tuple(range(length))) for number, length in enumerate(lengths)]
    sheet = blank(*varied, size=(768, 1344))
    last = math.prod(lengths) - 1
    sheet.put(last, plain("black"))
    assert max(sheet.image.size) <= MOST
    assert middle(sheet, last) == (0, 0, 0)


@pytest.mark.parametrize("label", ["m" * 300, "many words " * 40, "Donaudampfschifffahrtsgesellschaftskapitaen"])
def test_a_long_label_is_cut_before_the_cells_and_the_border(label: str) -> None:
    for axes in (
        (Axis("word", (label, "x")), SEEDS),
        (SEEDS, Axis("word", (label, "x"))),
        (Axis("word", (label, "x")),),
    ):
        sheet = blank(*axes)
        sheet_left, sheet_top, *_ = sheet.get_box(0)
        image = sheet.image
        assert sheet_left <= 300
        assert sheet_top <= 300
        assert not has_ink(sheet, (0, 0, 8, image.height))
        assert not has_ink(sheet, (0, 0, image.width, 4))
        assert {middle(sheet, place) for place in range(2)} == {(241, 241, 241)}


def test_the_columns_labels_stand_upright_where_they_do_not_fit() -> None:
    words = tuple(f"incomprehensibilities of {number}" for number in range(20))
    sheet = blank(STEPS, Axis("word", words))
    assert sheet.get_box(0)[1] > 100
    for place in range(20):
        left, top, right, _ = sheet.get_box(place)
        assert has_ink(sheet, (left, 0, right, top))


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[list[Axis], list[tuple[int, int]]]:
    """Axes with at most 400 combinations, and any sizes."""
    axes: list[Axis] = []
    room = 400
    for number in range(draw(st.integers(0, 4))):
        values = draw(
            st.one_of(
                st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=room, unique=True),
                st.lists(st.text(max_size=80), min_size=1, max_size=min(room, 8), unique=True),
            )
        )
        name = draw(st.sampled_from(["seed", "size", "word", "名前", f"names_{number}"]))
        axes.append(Axis(name, tuple(values)))
        room //= len(values)
        if room < 2:
            break
    seed = draw(st.integers(0, 1000))
    chosen = random.Random(seed)
    offered = draw(st.lists(st.tuples(st.integers(1, 4096), st.integers(1, 4096)), min_size=1, max_size=4))
    return axes, [chosen.choice(offered) for _ in range(math.prod(len(axis.values) for axis in axes))]


@given(sweep=sweeps(), text=st.text(max_size=200))
def test_any_axes_sizes_and_labels_give_a_sheet_within_its_limits(
    sweep: tuple[list[Axis], list[tuple[int, int]]], text: str
) -> None:
    axes, sizes = sweep
    sheet = Sheet(axes, sizes)
    width, height = sheet.image.size
    assert max(width, height) <= MOST
    last = len(sizes) - 1
    boxes = [sheet.get_box(place) for place in range(len(sizes))]
    assert all(0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height for box in boxes)
    assert len(set(boxes)) == len(boxes)
    sheet.mark(0, text)
    sheet.put(last, plain((10, 20, 30), sizes[last]))
    assert of_colour(cut(sheet, last), (10, 20, 30)) is not None
    assert opened(sheet.encode()).size == (width, height)
