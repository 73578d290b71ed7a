"""What an eye sees of a difference, on drawings of the local Space."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from flux_magic.providers.stand_in.space_drawing import Landscape
from flux_magic.providers.stand_in.space_lettering import caption
from flux_magic.verify import Grade, similarity
from flux_magic.verify.similarity import compare
from tests.unit.samples import drawing, encoded


@functools.cache
def drawn(seed: int = 42, side: int = 256, steps: int = 2, said: str = "a red fox") -> Image.Image:
    """Return an image of the local Space; `said` is on its caption alone."""
    picture = Landscape("a red fox", seed, side, side, steps).draw()
    caption(picture, [said, f"seed {seed}", "a local stand-in drew this, not FLUX"])
    return Image.fromarray(picture)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(out).convert("RGB")


def painted(image: Image.Image, radius: float, colour: tuple[int, int, int]) -> Image.Image:
    """Return a disc; the radius is a part of the width."""
    image, side = image.copy(), image.width
    x, y, r = 0.7 * side, 0.3 * side, radius * side
    ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=colour)
    return image


def brighter(image: Image.Image, by: int) -> Image.Image:
    return image.point(lambda value: min(value + by, 255))


def one_bit(image: Image.Image) -> Image.Image:
    image = image.copy()
    red, *others = image.getpixel((0, 0))  # type: ignore[misc]  # an RGB picture has three values
    image.putpixel((0, 0), (red ^ 1, *others))
    return image


UNSEEN = [
    pytest.param(one_bit, id="one bit of one pixel, as by an altered Space"),
    pytest.param(lambda image: jpeg(image, 95), id="JPEG of quality 95"),
    pytest.param(lambda image: jpeg(image, 60), id="JPEG of quality 60"),
    pytest.param(lambda image: brighter(image, 5), id="a little brighter"),
]
SEEN = [
    pytest.param(lambda image: jpeg(image, 10), id="JPEG of quality 10"),
    pytest.param(lambda image: painted(image, 0.01, (20, 20, 20)), id="a dot painted in"),
    pytest.param(lambda image: painted(image, 0.03, (200, 30, 30)), id="a disc painted in"),
    pytest.param(lambda image: image.convert("L").convert("RGB"), id="without colour"),
    pytest.param(lambda image: ImageEnhance.Brightness(image).enhance(0.5), id="half as bright"),
    pytest.param(lambda image: image.filter(ImageFilter.GaussianBlur(image.width / 128)), id="blurred"),
]


@pytest.mark.parametrize("side", [256, 512])
@pytest.mark.parametrize("change", UNSEEN)
def test_what_no_eye_sees_is_below_the_threshold(change: Callable[[Image.Image], Image.Image], side: int) -> None:
    for seed in (0, 42):
        image = drawn(seed, side)
        assert 0 <= similarity.measure_distance(image, change(image)) <= similarity.THRESHOLD / 2


@pytest.mark.parametrize("side", [256, 512])
@pytest.mark.parametrize("change", SEEN)
def test_what_an_eye_sees_is_above_it(change: Callable[[Image.Image], Image.Image], side: int) -> None:
    for seed in (0, 42):
        image = drawn(seed, side)
        assert similarity.measure_distance(image, change(image)) > similarity.THRESHOLD


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"seed": 43}, id="another seed"),
        pytest.param({"steps": 3}, id="one step more"),
        pytest.param({"said": "a red fax"}, id="one letter of the caption"),
    ],
)
def test_another_drawing_is_another_picture(other: dict[str, Any]) -> None:
    assert similarity.measure_distance(drawn(), drawn(**other)) > similarity.THRESHOLD


def test_the_distance_is_0_for_the_same_and_the_same_both_ways() -> None:
    assert similarity.measure_distance(drawn(), drawn()) == 0
    there, back = similarity.measure_distance(drawn(0), drawn(1)), similarity.measure_distance(drawn(1), drawn(0))
    assert there == pytest.approx(back)
    assert 1 < there <= 2


@pytest.mark.parametrize("size", [(1, 1), (8, 6), (300, 3), (21, 22)])
def test_a_picture_of_any_size_is_measured(size: tuple[int, int]) -> None:
    black, white = (Image.new("RGB", size, colour) for colour in ("black", "white"))
    assert similarity.measure_distance(black, black) == 0
    assert similarity.measure_distance(black, white) > similarity.THRESHOLD


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_a_picture_of_any_mode_is_measured(mode: str) -> None:
    image = drawing("RGB", (64, 64)).convert(mode)
    assert similarity.measure_distance(image, image) == 0


@pytest.mark.parametrize("ground", ["white", "black"])
def test_what_is_transparent_is_seen_on_light_and_dark(ground: str) -> None:
    clear, filled = Image.new("RGBA", (64, 64), (0, 0, 0, 0)), Image.new("RGBA", (64, 64), ground)
    assert similarity.measure_distance(clear, filled) > similarity.THRESHOLD


def test_grades_go_from_bytes_by_pixels_to_the_eye() -> None:
    def png(image: Image.Image, **options: Any) -> bytes:
        out = io.BytesIO()
        image.save(out, "PNG", **options)
        return out.getvalue()

    image = drawn()
    others = [png(image), png(image, compress_level=1), png(jpeg(image, 90)), png(drawn(43)), encoded()]
    found = [compare(png(image), other) for other in others]
    assert [one.grade for one in found] == [
        Grade.SAME_BYTES,
        Grade.SAME_PIXELS,
        Grade.SAME_TO_THE_EYE,
        Grade.DIFFERENT,
        Grade.DIFFERENT,
    ]
    assert [one.distance is None for one in found] == [False, False, False, False, True]
    assert found[4].note == "it is 256×256, regenerated 8×6"
