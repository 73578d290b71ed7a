from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

from flux_magic.errors import InvalidRequest, NotAnImage
from flux_magic.images import codecs, digest, formats
from tests.unit.samples import NO_AVIF, digest_of, drawing, encoded, opened


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that says it is this large, and holds no pixels."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT": zlib.compress(b""), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(codecs.make_png_chunk(name, body) for name, body in chunks.items())


def distance(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two images' channels."""
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_the_digest_is_over_a_tag_the_size_and_the_rgba_pixels(mode: str) -> None:
    found = codecs.describe(encoded("png", mode))
    assert found.digest == digest_of(opened(encoded("png", mode)))
    assert (found.width, found.height, found.media_type) == (8, 6, "image/png")


def test_the_digest_of_one_white_pixel_is_as_written_down() -> None:
    whole = b"flux_magic pixels 1\n" + bytes([0, 0, 0, 1, 0, 0, 0, 1]) + b"\xff\xff\xff\xff"
    assert digest.compute_pixel_digest(Image.new("L", (1, 1), 255)) == hashlib.sha256(whole).hexdigest()


def test_the_digest_is_of_the_pixels_and_not_of_their_encoding() -> None:
    small, large = encoded("png"), encoded("png", compress_level=0)
    lossless = encoded("webp", lossless=True)
    assert small != large
    assert len({codecs.describe(data).digest for data in (small, large, lossless)}) == 1
    assert codecs.describe(small).sha256 == hashlib.sha256(small).hexdigest()


def test_other_pixels_and_another_shape_have_another_digest() -> None:
    plain = [Image.new("RGB", size) for size in ((2, 3), (3, 2), (6, 1))]
    assert len({digest.compute_pixel_digest(image) for image in [*plain, drawing(), drawing(colour=1)]}) == 5


def test_only_the_first_frame_counts() -> None:
    frames = [drawing(colour=200), drawing(colour=90)]
    moving = encoded("webp", save_all=True, append_images=frames, lossless=True)
    assert codecs.describe(moving).digest == digest_of(drawing())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"<html>no</html>", "is a web page, not PNG, JPEG, WebP, GIF or AVIF", id="a page"),
        pytest.param(encoded("gif")[:30], "damaged", id="a cut GIF"),
        pytest.param(b"\0\0\0\x1cftypavif" + bytes(40), "damaged", id="a cut AVIF", marks=NO_AVIF),
        pytest.param(b"%PDF-1.7", "is PDF, which flux_magic cannot show", id="a PDF"),
        pytest.param(encoded("png")[:50], "damaged", id="a cut PNG"),
        pytest.param(encoded("jpeg")[:-60], "damaged", id="a cut JPEG"),
        pytest.param(encoded("webp")[:40], "damaged", id="a cut WebP"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"?" * 40, "damaged", id="no PNG behind its first bytes"),
        pytest.param(b"\xff\xd8\xff", "damaged", id="no JPEG behind its first bytes"),
        pytest.param(b"RIFF\0\0\0\0WEBP", "damaged", id="no WebP behind its first bytes"),
        pytest.param(png_of_size(8001, 8000), "8001×8000 pixels: more than 64,000,000", id="too large"),
        pytest.param(png_of_size(10_000, 10_000), "pixels: more than 64,000,000", id="so large that Pillow warns"),
        pytest.param(png_of_size(60_000, 60_000), "pixels: more than 64,000,000", id="so large that Pillow refuses"),
    ],
)
def test_what_cannot_be_decoded_is_not_an_image(data: bytes, words: str) -> None:
    with pytest.raises(NotAnImage, match=words):
        codecs.describe(data)


@pytest.mark.parametrize("suffix", ["png", "jpeg", "webp"])
def test_a_picture_damaged_anywhere_is_decoded_or_not_an_image(suffix: str) -> None:
    whole = encoded(suffix)
    for place in range(12, len(whole)):
        damaged = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        try:
            assert len(codecs.describe(damaged).digest) == 64
        except NotAnImage as error:
            assert len(str(error).splitlines()) <= 3  # noqa: PT017 - either end is right


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        pytest.param(encoded("png"), "image/png", id="PNG"),
        pytest.param(encoded("jpeg"), "image/jpeg", id="JPEG"),
        pytest.param(encoded("png", "RGBA"), "image/png", id="PNG with alpha"),
        pytest.param(encoded("webp"), "image/jpeg", id="lossy"),
        pytest.param(encoded("webp", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"), "image/jpeg", id="lossy in the long form"),
        pytest.param(encoded("webp", lossless=True), "image/png", id="lossless"),
        pytest.param(encoded("webp", "RGBA"), "image/png", id="lossy with alpha"),
        pytest.param(encoded("webp", "RGBA", lossless=True), "image/png", id="lossless with alpha"),
        pytest.param(encoded("webp", save_all=True, append_images=[drawing(colour=9)]), "image/png", id="animated"),
    ],
)
def test_what_a_notebook_takes_is_embedded_as_delivered_and_webp_as_jpeg_or_png(data: bytes, media_type: str) -> None:
    found, embedded = codecs.encode_for_notebook(data, None)
    assert found == formats.detect_media_type(embedded) == media_type
    assert (embedded == data) is (formats.detect_media_type(data) == media_type)
    assert distance(opened(embedded), opened(data)) < 3
    if media_type == "image/png":
        assert digest_of(opened(embedded)) == digest_of(opened(data))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (300, 1), (33, 65)])
def test_a_png_has_the_very_pixels_of_the_lossless_webp(size: tuple[int, int], mode: str) -> None:
    for made in (drawing(mode, size=size), Image.effect_noise(size, 200).convert(mode)):
        out = io.BytesIO()
        made.save(out, "WEBP", lossless=True, exact=True)
        assert codecs.keeps_pixels(out.getvalue(), "image/png")
        _, embedded = codecs.encode_for_notebook(out.getvalue(), None)
        assert opened(embedded).mode == opened(out.getvalue()).mode
        assert opened(embedded).tobytes() == opened(out.getvalue()).tobytes()


def test_a_colour_profile_goes_along_into_a_png() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    _, embedded = codecs.encode_for_notebook(encoded("webp", lossless=True, icc_profile=profile), None)
    assert opened(embedded).info["icc_profile"] == profile


@pytest.mark.parametrize(
    "data",
    [b"RIFF\x04\0\0\0WEBP", b"RIFF\x0c\0\0\0WEBPICCP\0\0\0\0", b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0"],
    ids=["empty", "no picture", "ends after its first header"],
)
def test_a_webp_without_a_picture_is_not_taken_for_a_lossy_one(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        codecs.encode_for_notebook(data, None)


@pytest.mark.parametrize(
    "data", [encoded("png"), encoded("jpeg"), encoded("webp", "RGBA")], ids=["PNG", "JPEG", "WebP"]
)
@pytest.mark.parametrize("inline", ["png", "jpeg"])
def test_inline_chooses_the_encoding(data: bytes, inline: str) -> None:
    media_type, embedded = codecs.encode_for_notebook(data, inline)
    assert media_type == formats.detect_media_type(embedded) == f"image/{inline}"
    assert opened(embedded).size == (8, 6)


def test_jpeg_lays_what_is_transparent_on_white() -> None:
    _, embedded = codecs.encode_for_notebook(encoded("png", "RGBA", size=(64, 64)), "jpeg")
    corner = opened(embedded).getpixel((0, 0))
    assert isinstance(corner, tuple)
    assert min(corner) > 200


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_a_suffix_asks_for_its_encoding(suffix: str) -> None:
    data = encoded("webp")
    found = codecs.convert_to_suffix(data, Path(f"fox{suffix}"))
    assert formats.detect_media_type(found) == codecs.SUFFIXES[suffix.lower()]
    assert (found == data) is (suffix == ".webp")


def test_a_png_becomes_a_webp_without_loss() -> None:
    found = codecs.convert_to_suffix(encoded("png"), Path("fox.webp"))
    assert codecs.describe(found).digest == codecs.describe(encoded("png")).digest


@pytest.mark.parametrize("name", ["fox.gif", "fox", "fox.png.txt", ".png"])
def test_another_suffix_is_refused_and_the_known_ones_are_named(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\.png, \.jpg, \.jpeg, \.webp"):
        codecs.check_suffix(Path(name))


def test_a_cmyk_jpeg_becomes_a_png() -> None:
    assert codecs.encode_for_notebook(encoded("jpeg", "CMYK"), "png")[0] == "image/png"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(mode: str) -> None:
    small = opened(codecs.make_thumbnail(encoded("jpeg" if mode == "CMYK" else "png", mode, size=(400, 100)), 96))
    assert (small.format, small.size) == ("JPEG", (96, 24))
