"""A sheet as a figure for a paper: its labels, sizes and colours, the files that it is saved as, and matplotlib's."""

from __future__ import annotations

import base64
import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image, ImageChops

from flux_magic.errors import InvalidArgument, InvalidRequest, MissingExtra
from flux_magic.results.differences import find_differences, shorten
from flux_magic.results.generations import Generations
from flux_magic.results.sheet_look import read_look
from flux_magic.sweeps import lettering, sheet_file
from flux_magic.sweeps.axes import Axis, pair_axes
from flux_magic.sweeps.layout import Look, plan_sheet
from flux_magic.sweeps.sheet import BACKGROUNDS, Sheet
from flux_magic.verify import check_static
from tests.unit.samples import encoded, generation, opened

STEPS, SEEDS = Axis("steps", (1, 2)), Axis("seed", (1, 2, 3))
STORY = pair_axes([Axis("scene", ("snow", "sea", "night")), Axis("seed", (3, 1, 3))])
SVG = "{http://www.w3.org/2000/svg}"


def image(place: int = 0, size: tuple[int, int] = (64, 48), **changes: Any) -> Any:
    return generation(encoded(colour=place * 40, size=size), width=size[0], height=size[1], **changes)


def table() -> Generations:
    every = [image(place, steps=place // 3 + 1, seed=place % 3 + 1) for place in range(6)]
    return Generations(every, [STEPS, SEEDS])


def story() -> Generations:
    return Generations([image(place, prompt=f"a fox {place}", seed=[3, 1, 3][place]) for place in range(3)], [STORY])


def look(made: Generations, **given: Any) -> Look:
    axes = made.axes or (find_differences(made),)
    options: Any = given
    return read_look(axes, dict(enumerate(made)), len(made), options)


@pytest.mark.parametrize(
    ("options", "labels", "heads", "beside"),
    [
        pytest.param({}, None, None, None, id="the axes"),
        pytest.param({"labels": "(a)"}, ("(a)", "(b)", "(c)", "(d)", "(e)", "(f)"), None, None, id="letters"),
        pytest.param({"labels": "A."}, ("A.", "B.", "C.", "D.", "E.", "F."), None, None, id="capitals"),
        pytest.param({"labels": "1"}, ("1", "2", "3", "4", "5", "6"), None, None, id="numbers"),
        pytest.param({"labels": [*"uvwxy", None]}, (*"uvwxy", ""), None, None, id="a list"),
        pytest.param({"labels": False}, (), (), (), id="none"),
        pytest.param({"labels": "", "row_labels": "{steps} steps"}, (), (), ("1 steps", "2 steps"), id="rows alone"),
        pytest.param({"column_labels": "(a) {seed}"}, None, ("(a) 1", "(b) 2", "(c) 3"), None, id="letters, template"),
        pytest.param({"columns": 2, "row_labels": "abc"}, None, None, ("a", "b", "c"), id="other columns"),
    ],
)
def test_labels_are_strings_letters_or_templates(options: Any, labels: Any, heads: Any, beside: Any) -> None:
    made = look(table(), **options)
    assert (made.labels, made.heads, made.beside) == (labels, heads, beside)


def test_a_template_has_the_parameters_of_the_image_and_the_axes() -> None:
    typed = "({n}) {scene}: {prompt}, {size}, seed {seed:02d}, {{literal}}"
    assert look(story(), labels=typed).labels == tuple(
        f"({n}) {scene}: a fox {n - 1}, 64x48, seed 0{seed}, {{literal}}"
        for n, scene, seed in ((1, "snow", 3), (2, "sea", 1), (3, "night", 3))
    )
    many = Generations([image(seed=seed) for seed in range(28)])
    assert (look(many, labels="a").labels or ())[25:] == ("z", "aa", "ab")
    assert (look(many, labels="(i)").labels or ())[::9] == ("(i)", "(x)", "(xix)", "(xxviii)")
    assert (look(many, labels="I. {seed:.1f}").labels or ())[3] == "IV. 3.0"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": ["a"]}, "labels has 1 string for 6 images: give one for each"),
        ({"row_labels": "{seed}"}, "row_labels names {seed}, which differs within rows"),
        ({"row_labels": "{seed:02d}"}, "row_labels names {seed}, which differs within rows"),
        ({"row_labels": [*"abc"]}, "row_labels has 3 strings for 2 rows: give one for each"),
        ({"labels": "fox"}, "labels is 'fox', the same for all: give strings, letters"),
        ({"labels": 3}, "labels is 3: give strings, letters such as"),
        ({"labels": "{sede}"}, "labels: {sede} is not a field of these images. A label can have {prompt}, {seed}"),
        ({"labels": "{prompt:04d}"}, "'a red fox' does not take the format '04d'"),
        ({"tile": 5}, "tile is 5: give a whole number from 16 to 4096"),
        ({"gap": -1}, "gap is -1: give a whole number from 0 to 1000"),
        ({"columns": 0}, "columns is 0: give a whole number"),
        ({"dpi": "high"}, "dpi is 'high': give a whole number from 10 to 4800"),
        ({"title": 5}, "title is 5: give a string"),
        ({"background": "pink"}, "background is 'pink': choose one of white, dark, transparent, grey"),
        ({"font": "No Such Sans"}, "font is No Such Sans: this system has no such family; there are "),
        ({"font": "no/such.ttf"}, "font is no/such.ttf: there is no such file"),
        ({"font": __file__}, f"font is {__file__}: this is no font that can be drawn at any size"),
    ],
)
def test_what_a_figure_cannot_be_is_one_clear_line(options: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        table().grid(**options)
    assert str(told.value).startswith(words)


def test_a_sheet_that_no_program_opens_and_another_argument_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than image programs open: give a tile below 4096"):
        Generations([image(seed=seed) for seed in range(16)]).grid(tile=4096)
    with pytest.raises(InvalidArgument, match=r"grid\(\) has no argument labls: did you mean labels\?"):
        table().grid(labls="(a)")  # type: ignore[call-arg]


def test_all_grows_with_the_tile_and_nothing_lies_on_anything_else() -> None:
    sizes = [(64, 48)] * 6
    small, large = (plan_sheet([STEPS, SEEDS], sizes, Look(tile=tile, title="Foxes")) for tile in (320, 640))
    assert large.size == tuple(2 * side for side in small.size) or all(
        abs(b - 2 * a) <= 8 for a, b in zip(small.size, large.size, strict=True)
    )
    assert (small.head_size, large.head_size) == (18, 36)
    every = Look(labels=tuple("abcdef"), heads=tuple("uvw"), beside=tuple("xy"), title="many words " * 9, tile=128)
    sheet = Sheet([STEPS, SEEDS], sizes, every)
    ink = sheet.image.convert("L")
    for label in sheet.list_lines():  # each is written where no cell is, and within the border
        assert all(lettering.measure_width(line, label.size) < sheet.plan.size[0] for line in label.lines)
    for place in range(6):
        assert ink.crop(sheet.get_box(place)).getextrema() == (241, 241)
    assert ink.crop((0, 0, ink.width, 8)).getextrema() == ink.crop((0, 0, 8, ink.height)).getextrema() == (255, 255)


@pytest.mark.parametrize("background", [*BACKGROUNDS])
def test_a_sheet_on_another_background_is_the_same_in_its_cells(background: str) -> None:
    made = Generations([*table()][:5], [STEPS, SEEDS], range(5), troubles={5: "the queue is full"})
    white, other = made.grid(), made.grid(background=background)
    box = Sheet([STEPS, SEEDS], [(64, 48)] * 6).get_box(0)
    assert (white.size, other.mode) == (other.size, "RGBA" if background == "transparent" else "RGB")
    assert ImageChops.difference(white.crop(box), other.crop(box).convert("RGB")).getbbox() is None
    paint = BACKGROUNDS[background]
    corner = other.convert("RGBA").getpixel((0, 0))
    assert isinstance(corner, tuple)
    assert corner[3] == (255 if paint.paper else 0)
    # Labels can be read on it; a transparent one lies on the pages of light and dark themes.
    for paper in [paint.paper] if paint.paper else ["#ffffff", "#111111"]:
        assert contrast(paper, paint.ink) > 4.3
    assert contrast(paint.empty, paint.pale_ink) > 4.5


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as the WCAG define it, 1 to 21."""

    def luminance(colour: str) -> float:
        linear = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
        assert isinstance(linear, tuple)
        parts = [c / 12.92 if (c := value / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for value in linear]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff", "a.pdf", "a.svg"])
def test_every_file_has_its_size_in_inches_and_those_with_room_the_records(name: str, tmp_path: Path) -> None:
    grid = story().grid(labels="(a) {scene}", tile=150, title="A <story> & more", dpi=150)
    grid.save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    out = io.BytesIO()
    grid.save(out, format=name[2:].replace("jpg", "jpeg"))
    assert out.getvalue()[:4] == data[:4]
    inches = [side / 150 for side in grid.size]
    if name.endswith(".svg"):
        root = ET.fromstring(data)
        assert [float(root.attrib[side]) / 96 for side in ("width", "height")] == pytest.approx(inches)
        texts = [one.text for one in root.iter(f"{SVG}text")]
        assert texts == ["A <story> & more", "(a) snow", "(b) sea", "(c) night"]
        pictures = [
            next(iter(one.attrib[key] for key in one.attrib if "href" in key)) for one in root.iter(f"{SVG}image")
        ]
        assert [opened(base64.b64decode(one.partition(",")[2])).size for one in pictures] == [(150, 112)] * 3
        assert "3 images, scene snow with seed 3" in (root.findtext(f"{SVG}title") or "")
    elif name.endswith(".pdf"):
        box = [float(one) for one in re.findall(rb"/MediaBox \[ ?([\d. ]+)\]", data)[0].split()]
        assert [side / 72 for side in box[2:]] == pytest.approx(inches, abs=0.01)
        assert b"/DejaVuSans" in data.replace(b"+DejaVu", b"/DejaVu"), "its labels are text"
        assert b"/CIDFontType2" in data or b"/TrueType" in data
    else:
        if name != "a.webp":
            assert opened(data).info["dpi"] == pytest.approx((150, 150), abs=0.1)
        kept = sheet_file.read(data)
        assert (kept is not None) == (name != "a.tiff")
        if kept:
            assert len(kept.images) == 3
            assert check_static(tmp_path / name).passed


def test_a_pdf_without_matplotlib_is_one_page_and_a_transparent_one_white(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheet_file, "_has_matplotlib", lambda: False)
    grid = story().grid(background="transparent", tile=64)
    for name in ("a.pdf", "a.jpg", "a.png"):
        grid.save(tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert opened((tmp_path / "a.jpg").read_bytes()).getpixel((2, 2)) == (255, 255, 255)
    assert opened((tmp_path / "a.png").read_bytes()).mode == "RGBA"
    shown: Any = grid
    assert [shown._repr_jpeg_(), shown._repr_png_()[1]] == [None, {"alt": shown._alt}]
    assert story().grid()._repr_png_() is None, "a notebook keeps one of the two"
    drawn = story().grid()
    drawn.paste("red", (0, 0, 5, 5))
    with pytest.raises(InvalidRequest, match="drawn on, so it has no SVG any more"):
        drawn.save(tmp_path / "a.svg")


def test_a_figure_of_matplotlib_looks_as_the_sheet_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Generations([*table()][:5], [STEPS, SEEDS], range(5), troubles={5: "the queue is full"})
    figure, grid = made.figure(title="Foxes $1$", tile=120, dpi=100), made.grid(title="Foxes $1$", tile=120)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    shown = opened(out.getvalue()).convert("RGB")
    assert shown.size == grid.size
    difference = ImageChops.difference(shown, grid).convert("L")  # but for the edges of characters it is the same
    for box in (Sheet([STEPS, SEEDS], [(64, 48)] * 6, Look(tile=120, title="x")).get_box(place) for place in range(5)):
        # An older matplotlib rounds the places of images, so their edges may differ by a part of a pixel.
        assert difference.crop(box).resize((4, 4), Image.Resampling.BOX).getextrema()[1] < 10  # type: ignore[operator]
    assert difference.resize((14, 14), Image.Resampling.BOX).getextrema()[1] < 64  # type: ignore[operator]
    assert (len(figure.axes), figure.texts[0].get_text()) == (6, r"Foxes \$1\$")
    png, metadata = figure._repr_png_()  # type: ignore[attr-defined]  # a notebook asks for it
    assert (png[:4], metadata["alt"][:24]) == (b"\x89PNG", "a red fox: 5 of 6 images")
    from flux_magic.sweeps import sheet_figure

    sheet_figure._load_class.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=re.escape('pip install "flux-magic[figure]"')):
        made.figure()


def test_images_picked_by_hand_are_labelled_by_their_captions_or_what_differs() -> None:
    def differences(*made: Any) -> tuple[str, list[str]]:
        axis = find_differences(made)
        return axis.name, [axis.format_label(place) for place in range(len(made))]

    snow, sea = "a red fox in the snow", "a red fox by the sea"
    assert differences(image(seed=1), image(seed=1)) == ("seed", ["seed 1", "seed 1"])
    assert differences(image(seed=1, prompt=snow), image(seed=1, prompt=sea)) == (
        "prompt",
        ["in the snow", "by the sea"],
    )
    mixed = differences(image(seed=1, prompt=snow, steps=2), image(0, (48, 64), seed=2, prompt=sea))
    assert mixed == (
        "prompt+size+steps+seed",
        ["in the snow · 64×48 · steps 2 · seed 1", "by the sea · 48×64 · steps 4 · seed 2"],
    )
    assert differences(image(seed=None), image(seed=None)) == ("image", ["image 1", "image 2"])
    assert shorten(["a fox", "a fox in the snow"]) == ["a fox", "a fox in the snow"]

    class Captioned:
        def __init__(self, caption: str | None) -> None:
            self.caption, self._made = caption, image(seed=1)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._made, name)

    assert differences(Captioned("At home"), Captioned("Away")) == ("caption", ["At home", "Away"])
    assert differences(Captioned("At home"), Captioned(None))[0] == "seed"
    assert Generations([image(seed=1), image(0, (48, 64), seed=2)]).grid().size[0] > 640


def test_what_no_font_draws_is_said_and_a_font_goes_before_the_bundled_one(capsys: pytest.CaptureFixture[str]) -> None:
    made = look(story(), labels=["\U0010a7f5 fox", "ثعلب", "fox"])
    assert made.labels == ("? fox", "ثعلب", "fox")
    assert "no font here draws \U0010a7f5: font= takes the file or the family" in capsys.readouterr().err
    other = Path(lettering._BUNDLED).parents[3] / "tests" / "data" / "fonts"
    files = [str(path) for path in other.rglob("*.[to]t[fc]")]
    assert files
    assert lettering.find_file(files[0]) == files[0]
    assert story().grid(font=files[0]).size == story().grid(font=files[0]).size


@pytest.mark.parametrize(("inline", "media_type"), [(None, "image/jpeg"), ("jpeg", "image/jpeg"), ("png", "image/png")])
def test_in_a_notebook_a_sheet_glares_in_no_theme(inline: str | None, media_type: str) -> None:
    made = Generations([replace(one, inline=inline) for one in table()], [STEPS, SEEDS])
    sheet = made.build_outputs()[0]
    assert list(sheet.data) == [media_type, "text/plain"]
    shown = opened(base64.b64decode(sheet.data[media_type])).convert("RGBA").getpixel((2, 2))
    assert isinstance(shown, tuple)
    assert shown[3] == 0 if inline == "png" else shown[:3] == (104, 104, 104)
    assert sheet.metadata[media_type]["alt"].startswith("a red fox: 6 images, steps 1, 2 from top to bottom")


def test_a_sheet_without_a_suffix_and_what_is_no_image_are_refused_in_one_line(tmp_path: Path) -> None:
    refused = r"^cannot save the sheet as '.*': give a name that ends in \.png, [^\n]+$"
    for name in ("sheet", "sheet.", "sheet.xyz"):
        with pytest.raises(InvalidRequest, match=refused):
            story().grid().save(tmp_path / "new" / name)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InvalidArgument, match=r"^an item is 5: give a list of generations$"):
        Generations([image(), 5])  # type: ignore[list-item]
