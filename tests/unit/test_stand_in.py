"""What the local Space draws and edits by rule: the pixels, and what guidance, negative prompt and mask do to them."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flux_magic.images.digest import compute_pixel_digest
from flux_magic.providers.stand_in.space_drawing import NEUTRAL, draw
from flux_magic.providers.stand_in.space_editing import KINDS, edit, find_rules
from flux_magic.providers.stand_in.space_images import UnusableImage, read_image, read_mask
from flux_magic.providers.stand_in.space_lettering import Pixels

LABEL = 40
"""Rows of the largest label of an image of 256 pixels."""

LEFT = np.zeros((256, 256), dtype=np.int64)
LEFT[:, :128] = 255


def drawn(prompt: str = "a red fox", **changes: Any) -> Pixels:
    return draw(**{"prompt": prompt, "seed": 42, "width": 256, "height": 256, "steps": 4, **changes})


def edited(prompt: str, image: Pixels | None = None, **changes: Any) -> Pixels:
    return edit(drawn() if image is None else image, prompt, **{"seed": 7, "steps": 4, **changes})


def digest(image: Pixels) -> str:
    return compute_pixel_digest(Image.fromarray(image))


def has_changed(image: Pixels, before: Pixels) -> bool:
    """Return True if the pixels above the label are not the same."""
    return not np.array_equal(image[:-LABEL], before[:-LABEL])


@pytest.mark.parametrize(
    ("make", "pixels"),
    [
        pytest.param(drawn, "d7b015a9650996092a1da9409a6ee857ed45a482e76904b65fba2f5cb727bb15", id="neutral"),
        pytest.param(
            lambda: drawn(guidance=700),
            "b9cbbce9d161376bbc5907e2c8527a3879c2d701e8bf4ba23edb6855196b23ed",
            id="guidance 7",
        ),
        pytest.param(
            lambda: drawn(guidance=0, negative="sun, hills"),
            "7d981efbad64984840e7b9803d5fdeb819c44d41c70554723f7e5cb3bc6dab1c",
            id="guidance 0, without sun and hills",
        ),
        pytest.param(
            lambda: drawn(negative="water, trees, birds, mist"),
            "1bee718a68aec5c2b2f115d8d09117410ba5571d160cb2fb3bcc31a1e65a8606",
            id="without the rest",
        ),
        pytest.param(
            lambda: edited("make it winter"),
            "e1b842db2b92bdfcdb78c51244e9833159dbac5d0990c452e14614ce11d44b5f",
            id="winter",
        ),
        pytest.param(
            lambda: edited("at night", edited("make it winter")),
            "aa04acc1caed080f238a6fc2d960fbd407d6740f6b0aa6abb5cd62508a6d4917",
            id="an edit of an edit",
        ),
        pytest.param(
            lambda: edited("a foggy spring dawn", guidance=1200, steps=9),
            "18d2a74b1f3baa3a0688515b74944e4e6bc57d2a8701c509c8f6baef5b9d95c6",
            id="three kinds",
        ),
        pytest.param(
            lambda: edited("rain on a summer noon", mask=LEFT),
            "757675e3fb60dedc8c395d1c1d16ac8e8c344c0776681d44478699ed22e5f389",
            id="within a mask",
        ),
        pytest.param(
            lambda: edited("autumn, snow at dusk", drawn(width=640, height=384)),
            "b7a6612a8904484833309e8ff926b91921dde6f30b55a13638425f3980e5731b",
            id="another size",
        ),
        pytest.param(
            lambda: edited("nicer"), "e6a8cb234848b9dce9e53c15c1e95c8a190e9f7d1dfbbdab800b1f5fb385acd5", id="a tint"
        ),
    ],
)
def test_the_pixels_are_the_same_on_every_machine(make: Callable[[], Pixels], pixels: str) -> None:
    assert digest(make()) == pixels


def test_guidance_colours_the_drawing_and_says_so() -> None:
    def measure(image: Pixels) -> int:
        """Return how far apart red, green and blue are."""
        seen = image[:-LABEL].astype(int)
        return int((seen.max(axis=2) - seen.min(axis=2)).sum())

    colours = [measure(drawn(guidance=guidance)) for guidance in (0, 100, NEUTRAL, 700, 2000)]
    assert colours == sorted(set(colours))
    assert colours[0] == 0
    assert not np.array_equal(drawn(guidance=351)[-LABEL:], drawn()[-LABEL:])


@pytest.mark.parametrize(
    "word", ["sun", "MOON,", "hills", "mountains", "mist", "birds", "trees", "a forest", "water", "lake", "autumn"]
)
def test_a_negative_prompt_removes_what_it_names(word: str) -> None:
    assert has_changed(drawn(negative=word), drawn())


@pytest.mark.parametrize("word", ["blurry", "stars", "fox", "sunny"])
def test_a_negative_prompt_that_names_nothing_of_the_drawing_is_only_written_on_it(word: str) -> None:
    image = drawn(negative=word)
    assert not has_changed(image, drawn())
    assert not np.array_equal(image, drawn())
    assert np.array_equal(drawn(negative=" \n"), drawn())


def test_a_night_without_a_moon_is_a_night() -> None:
    night, moonless = drawn("a lake at night"), drawn("a lake at night", negative="moon")
    assert has_changed(moonless, night)
    assert moonless[:-LABEL].mean() < night[:-LABEL].mean() < drawn("a lake at night", negative="night").mean()


@pytest.mark.parametrize(("name", "words"), [(name, rule.words) for kind in KINDS for name, rule in kind.items()])
def test_each_season_weather_and_time_of_day_is_an_edit_of_its_own(name: str, words: str) -> None:
    assert [find_rules(f"Make it {word}!") for word in words.split()] == [[name]] * len(words.split())
    image, more = edited(f"make it {name}"), edited(f"make it {name}", guidance=1000)
    assert has_changed(image, drawn())
    assert has_changed(more, image)
    if name not in {"winter", "snow"}:  # the snow on the ground is the same everywhere
        assert has_changed(image, edited("nicer"))
    assert has_changed(edited(f"make it {name}", seed=8), image)
    assert has_changed(edited(f"make it {name}", steps=9), image)
    assert not has_changed(edited(f"make it {name}", guidance=0), drawn())


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        pytest.param("a winter night, with snow", ["winter", "snow", "night"], id="one of each kind"),
        pytest.param("not summer but autumn", ["summer"], id="the first of a kind"),
        pytest.param("wintergreen nightingales", [], id="parts of words"),
        pytest.param("", [], id="none"),
    ],
)
def test_the_words_of_a_prompt_choose_the_edit(prompt: str, names: list[str]) -> None:
    assert find_rules(prompt) == names
    assert has_changed(edited(prompt), drawn())


def test_what_is_outside_a_mask_stays_as_it_is_but_for_the_label() -> None:
    image = edited("a night in winter", mask=LEFT)
    assert np.array_equal(image[:-LABEL, 128:], drawn()[:-LABEL, 128:])
    assert np.array_equal(image[:-LABEL, :128], edited("a night in winter")[:-LABEL, :128])
    assert not has_changed(edited("night", mask=LEFT * 0), drawn())
    assert has_changed(edited("night", mask=LEFT * 0 + 128), edited("night"))


def test_the_label_of_an_edit_hides_the_label_below() -> None:
    for before in (drawn("one", guidance=700), drawn("another fox", negative="sun")):
        rows = edited("at night", before)[-LABEL:].reshape(-1, 3)
        assert len(np.unique(rows, axis=0)) == 2
    assert np.array_equal(edited("at night", drawn("one"))[-LABEL:], edited("at night", drawn("two"))[-LABEL:])


@pytest.mark.parametrize("size", [(128, 128), (128, 2048), (2048, 130)])
def test_an_image_of_any_size_is_edited(size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 90, dtype=np.uint8)
    assert edited("a snowy summer dawn", image, guidance=2000, steps=50).shape == image.shape


def save(folder: Path, image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    image.save(folder / "image", kind, **options)
    return str(folder / "image")


PLAIN = Image.new("RGB", (200, 128), (10, 120, 200))


@pytest.mark.parametrize(
    ("image", "options", "colour"),
    [
        pytest.param(PLAIN, {}, (10, 120, 200), id="RGB"),
        pytest.param(Image.new("RGBA", (200, 128), (0, 0, 0, 0)), {}, (255, 255, 255), id="alpha, on white"),
        pytest.param(Image.new("RGBA", (200, 128), (0, 100, 0, 51)), {}, (204, 224, 204), id="half of it"),
        pytest.param(Image.new("I;16", (200, 128), 0x8034), {}, (128, 128, 128), id="16 bits"),
        pytest.param(Image.new("1", (200, 128), 1), {}, (255, 255, 255), id="1 bit"),
        pytest.param(PLAIN.convert("P"), {"kind": "GIF"}, None, id="GIF"),
        pytest.param(PLAIN, {"kind": "WEBP", "lossless": True}, (10, 120, 200), id="WebP"),
        pytest.param(PLAIN.convert("CMYK"), {"kind": "JPEG"}, None, id="CMYK"),
    ],
)
def test_each_kind_of_image_goes_in(
    image: Image.Image, options: dict[str, Any], colour: tuple[int, int, int] | None, tmp_path: Path
) -> None:
    read = read_image(save(tmp_path, image, **options))
    assert (read.shape, str(read.dtype)) == ((128, 200, 3), "uint8")
    assert colour is None or tuple(read[5, 5]) == colour


def test_an_image_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    assert read_image(save(tmp_path, PLAIN, "JPEG", exif=exif)).shape == (200, 128, 3)


def make_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "the image cannot be read: give a PNG, JPEG, WebP or GIF that is whole", id="empty"),
        pytest.param(make_png(PLAIN)[:100], "the image cannot be read", id="cut short"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "the image cannot be read", id="SVG"),
        pytest.param(make_png(Image.new("1", (2049, 128))), "the image has 2049 x 128 pixels: this", id="wide"),
        pytest.param(make_png(Image.new("1", (128, 127))), "takes 128 to 2048 a side", id="small"),
        pytest.param(make_png(Image.new("1", (15000, 13000))), "at most 2048 pixels a side", id="a bomb"),
    ],
)
def test_what_cannot_be_edited_is_refused_in_words(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(data)
    with pytest.raises(UnusableImage, match=re.escape(reason)):
        read_image(str(path))


def test_a_mask_is_white_where_the_image_changes(tmp_path: Path) -> None:
    image = np.zeros((128, 200, 3), dtype=np.uint8)
    mask = Image.new("LA", (200, 128), (255, 0))
    mask.paste((255, 255), (0, 0, 100, 128))
    mask.paste((128, 255), (0, 0, 10, 128))
    assert [int(read_mask(save(tmp_path, mask), image)[5, x]) for x in (5, 50, 150)] == [128, 255, 0]
    with pytest.raises(UnusableImage, match="the mask has 200 x 128 pixels, and the image 128 x 200"):
        read_mask(save(tmp_path, mask), image.transpose(1, 0, 2))
    with pytest.raises(UnusableImage, match="an edit needs an image"):
        read_image(None)
