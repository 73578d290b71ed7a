"""Images as they go in: what is sent as it is, what is converted and said, what never leaves, what is refused."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from flux_magic.errors import InvalidRequest
from flux_magic.images import codecs, inputs, pixels
from flux_magic.images.arrays import convert_array
from flux_magic.images.bare import remove_all_but_pixels
from flux_magic.images.inputs import convert_input, paint_mask, read_array, read_input
from flux_magic.records.embedding import embed_record
from flux_magic.types import InputImage
from tests.unit.samples import NO_AVIF, digest_of, drawing, encoded, opened, record

RAMP = (np.arange(48, dtype=np.uint16).reshape(6, 8) * 1391).astype(np.uint16)
"""Grey of 16 bits, from 0 to nearly 65535."""


def file(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def on_white(image: Image.Image) -> Image.Image:
    whole = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


def photo(orientation: int = 1, kind: str = "JPEG", **options: Any) -> bytes:
    """Return a photo as a camera writes it: with where it was taken, and which way up."""
    exif = Image.Exif()
    exif[0x010F] = "SECRETCAM"
    exif[0x0112] = orientation
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    exif.get_ifd(0x8825)[29] = "SECRETDATE"
    return file(drawing(), kind, exif=exif.tobytes(), **options)


def text(data: bytes) -> bytes:
    """Return a PNG with strings of every kind, and something behind its end."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "SECRET")
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>SECRET</x:xmpmeta>")
    return file(opened(data), "PNG", pnginfo=info) + b"SECRET behind the end"


def comic(data: bytes) -> bytes:
    """Return a JPEG with a comment, the segments of other tools, and another photo behind its end, as phones do."""
    others = b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body
        for marker, body in ((0xED, b"Photoshop 3.0\0SECRET city"), (0xFE, b"SECRET"), (0xEB, b"JP SECRET"))
    )
    return data[:2] + others + data[2:] + photo()


def rolled(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_270)


RGB, SEEN = drawing(), drawing("RGBA")
GREY = (RAMP / 257 + 0.5).astype(np.uint8)


@pytest.mark.parametrize(
    ("data", "kind", "note", "shows"),
    [
        pytest.param(encoded(), "png", "", RGB, id="PNG"),
        pytest.param(encoded("jpeg"), "jpeg", "", opened(encoded("jpeg")), id="JPEG"),
        pytest.param(encoded("jpeg", progressive=True), "jpeg", "", opened(encoded("jpeg")), id="progressive"),
        pytest.param(encoded("webp"), "webp", "", opened(encoded("webp")), id="WebP"),
        pytest.param(photo(6), "jpeg", "turned upright, as a new JPEG", None, id="turned"),
        pytest.param(photo(6, "PNG"), "png", "turned upright", rolled(RGB), id="turned PNG"),
        pytest.param(encoded("png", "RGBA"), "png", "alpha laid on white", on_white(SEEN), id="alpha"),
        pytest.param(file(RGB.convert("RGBA"), "PNG"), "png", "opaque alpha left out", RGB, id="opaque alpha"),
        pytest.param(
            encoded("webp", "RGBA", lossless=True), "png", "alpha laid on white", on_white(SEEN), id="alpha of a WebP"
        ),
        pytest.param(encoded("png", "L"), "png", "grey made RGB", RGB.convert("L").convert("RGB"), id="grey"),
        pytest.param(
            file(RGB.quantize(16), "PNG"), "png", "palette made RGB", RGB.quantize(16).convert("RGB"), id="palette"
        ),
        pytest.param(
            file(Image.fromarray(RAMP), "PNG"),
            "png",
            "16 bits made 8; grey made RGB",
            Image.fromarray(GREY).convert("RGB"),
            id="grey of 16 bits",
        ),
        pytest.param(file(RGB.convert("CMYK"), "TIFF"), "png", "CMYK made RGB", RGB, id="CMYK"),
        pytest.param(
            file(Image.fromarray((RAMP / 70_000).astype(np.float32)), "TIFF"),
            "png",
            "numbers made 8 bits; grey made RGB",
            Image.fromarray((RAMP / 70_000 * 255 + 0.5).astype(np.uint8)).convert("RGB"),
            id="numbers",
        ),
        pytest.param(file(RGB, "TIFF"), "png", "TIFF made PNG", RGB, id="TIFF"),
        pytest.param(file(RGB, "BMP"), "png", "BMP made PNG", RGB, id="BMP"),
        pytest.param(
            file(RGB.quantize(8), "GIF", save_all=True, append_images=[drawing(colour=90).quantize(8)]),
            "png",
            "the first of its 2 frames; palette made RGB",
            RGB.quantize(8).convert("RGB"),
            id="animation",
        ),
        pytest.param(
            file(RGB, "PNG", save_all=True, append_images=[drawing(colour=90)]),
            "png",
            "the first of its 2 frames",
            RGB,
            id="animated PNG",
        ),
        pytest.param(
            encoded("avif") if codecs.can_read_avif() else b"", "png", "AVIF made PNG", None, marks=NO_AVIF, id="AVIF"
        ),
    ],
)
def test_a_file_goes_in_as_a_model_takes_it_and_a_note_says_what_was_changed(
    data: bytes, kind: str, note: str, shows: Image.Image | None
) -> None:
    one = read_input(data)
    sent = opened(one.data)
    assert (one.record.role, one.record.media_type, one.record.note) == ("image", f"image/{kind}", note)
    assert sent.mode == "RGB"
    assert one.record.digest == digest_of(sent)
    assert (one.record.width, one.record.height) == sent.size
    assert one.record.sha256 == codecs.describe(one.data).sha256
    if shows is not None:
        assert sent.tobytes() == shows.convert("RGB").tobytes()
    assert read_input(one.data).data == one.data  # what the store has of it is sent as it is
    assert (one.data == data) is (not note)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(photo(), id="JPEG"),
        pytest.param(photo(1, "PNG"), id="PNG"),
        pytest.param(photo(1, "WEBP", lossless=True), id="WebP"),
        pytest.param(photo(3), id="turned"),
        pytest.param(text(encoded()), id="strings"),
        pytest.param(comic(encoded("jpeg", progressive=True)), id="segments"),
        pytest.param(
            embed_record(encoded(), record(prompt="SECRET", files=(codecs.describe(encoded()),)), 0)[0], id="record"
        ),
        pytest.param(photo(1, "TIFF"), id="TIFF"),
    ],
)
def test_nothing_but_pixels_leaves(data: bytes) -> None:
    assert b"SECRET" in data
    one = read_input(data)
    sent = opened(one.data)
    assert b"SECRET" not in one.data
    assert b"\xff\xd8\xff" not in one.data[3:]
    assert not sent.getexif()
    assert (
        not sent.info.keys()
        - {"jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"}
        - {*("loop", "background", "timestamp", "duration")}
    )
    if opened(data).getexif().get(0x0112, 1) == 1:
        assert sent.tobytes() == opened(data).tobytes()


def test_the_profile_of_the_colours_stays() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind, more in (("PNG", {}), ("JPEG", {}), ("WEBP", {}), ("JPEG", {"exif": exif})):
        sent = opened(read_input(file(RGB, kind, icc_profile=profile, **more)).data)
        assert sent.info["icc_profile"] == profile, kind
    of_cmyk = profile[:16] + b"CMYK" + profile[20:]
    assert "icc_profile" not in opened(read_input(file(RGB.convert("CMYK"), "JPEG", icc_profile=of_cmyk)).data).info


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_what_is_cut_short_is_not_taken_apart(kind: str) -> None:
    data = encoded(kind, size=(64, 64))
    said = []
    for end in range(len(data)):
        try:
            read_input(data[:end])
        except InvalidRequest as error:
            said.append(str(error))
    assert len(said) > len(data) // 2
    assert not [one for one in said if not one.startswith("the image ") or "Space" in one]
    assert opened(remove_all_but_pixels(data, f"image/{kind}")).tobytes() == opened(data).tobytes()


STROKES = Image.new("RGBA", (8, 6))
STROKES.paste((0, 0, 0, 255), (2, 1, 5, 4))
WHERE = Image.new("L", (8, 6))
WHERE.paste(255, (2, 1, 5, 4))
PAINTED = Image.composite(Image.new("RGBA", (8, 6), "white"), Image.new("RGBA", (8, 6), "black"), WHERE)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        pytest.param(file(WHERE, "PNG"), "", id="grey"),
        pytest.param(file(WHERE.convert("1"), "PNG"), "made grey", id="black and white"),
        pytest.param(file(WHERE.convert("RGB"), "PNG"), "made grey", id="RGB"),
        pytest.param(file(STROKES, "PNG"), "taken from its alpha", id="black strokes on nothing"),
        pytest.param(file(PAINTED, "PNG"), "made grey", id="opaque"),
        pytest.param(
            file(Image.merge("RGBA", [*PAINTED.split()[:3], WHERE]), "PNG"), "taken from its alpha", id="both"
        ),
    ],
)
def test_a_mask_is_grey_and_white_where_it_may_change(data: bytes, note: str) -> None:
    one = read_input(data, "mask")
    sent = opened(one.data)
    assert (one.record.role, sent.mode, one.record.note) == ("mask", "L", note)
    assert sent.tobytes() == WHERE.tobytes()
    assert one.record.digest == digest_of(WHERE)


NUMBERS = np.asarray(RGB)


@pytest.mark.parametrize(
    ("array", "note", "shows"),
    [
        pytest.param(NUMBERS, "", RGB, id="RGB"),
        pytest.param(NUMBERS[::-1, ::-1], "", RGB.rotate(180), id="a view"),
        pytest.param(np.asarray(SEEN), "alpha laid on white", on_white(SEEN), id="RGBA"),
        pytest.param(NUMBERS[:, :, 0], "grey made RGB", RGB.getchannel(0), id="grey"),
        pytest.param(NUMBERS[:, :, :1], "grey made RGB", RGB.getchannel(0), id="one channel"),
        pytest.param(NUMBERS / 255, "numbers from 0 to 1 made 8 bits", RGB, id="numbers"),
        pytest.param((NUMBERS / 255).astype(np.float32), "numbers from 0 to 1 made 8 bits", RGB, id="float32"),
        pytest.param(NUMBERS.astype(np.int64), "", RGB, id="int64"),
        pytest.param(NUMBERS.astype(np.uint16) * 257, "16 bits made 8", RGB, id="16 bits"),
        pytest.param(np.asarray(WHERE) > 0, "grey made RGB", WHERE, id="true or false"),
    ],
)
def test_an_array_goes_in(array: Any, note: str, shows: Image.Image) -> None:
    one = read_array(array)
    assert (one.record.media_type, one.record.note) == ("image/png", note)
    assert opened(one.data).tobytes() == shows.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("array", "said"),
    [
        pytest.param(np.zeros((3, 6, 8)), r"shape \(3, 6, 8\): .*\.transpose\(1, 2, 0\)", id="channels first"),
        pytest.param(np.zeros(5), r"shape \(5,\): give height × width", id="one dimension"),
        pytest.param(np.zeros((0, 8, 3)), "shape", id="empty"),
        pytest.param(
            np.full((6, 8), 200.0), "values from 200 to 200: an array of float64 has 0 to 1", id="float of 200"
        ),
        pytest.param(np.full((6, 8), -1), "values from -1 to -1", id="below 0"),
        pytest.param(np.full((6, 8), np.nan), "values from nan", id="no numbers"),
        pytest.param(np.full((6, 8), "a"), "an array of <U1", id="strings"),
        pytest.param(
            np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (9000, 9000), (0, 0)), "64,000,000", id="huge"
        ),
    ],
)
def test_an_array_that_is_no_image_is_refused(array: Any, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        convert_array(array, "the image")


def test_a_pillow_image_goes_in_upright_and_stays_as_it_is() -> None:
    given = Image.open(io.BytesIO(photo(6)))
    one = convert_input(given)
    assert (one.record.note, one.record.width, one.record.height) == ("turned upright", 6, 8)
    assert b"SECRET" not in one.data
    assert (given.size, given.getexif()[0x0112]) == ((8, 6), 6)
    closed = Image.open(io.BytesIO(photo()))
    closed.close()
    with pytest.raises(InvalidRequest, match="the image is damaged"):
        convert_input(closed)
    with pytest.raises(InvalidRequest, match="make them 0 to 255"):
        convert_input(Image.fromarray(np.full((6, 8), 1e6, np.float32)))


HUGE = b"\x89PNG\r\n\x1a\n" + codecs.make_png_chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "fox.png is empty, not PNG, JPEG, WebP, GIF or AVIF", id="empty"),
        pytest.param(b"hello", "fox.png is plain text, not PNG", id="a string"),
        pytest.param(b"<html>", "fox.png is a web page, not PNG", id="a page"),
        pytest.param(
            b"\0\0\0\x18ftypheic" + bytes(20), "fox.png is HEIC, which is not read here: save it as", id="HEIC"
        ),
        pytest.param(b"%PDF-1.4", "fox.png is PDF, which is not read here", id="PDF"),
        pytest.param(encoded()[:40], "fox.png is damaged: ", id="cut short"),
        pytest.param(HUGE + codecs.make_png_chunk(b"IEND", b""), "fox.png has 9000×9000 pixels: more than", id="huge"),
        pytest.param(encoded() + bytes(inputs.MOST), "fox.png has 64 MiB: at most 64 MiB go in", id="64 MiB"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(data: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_input(data, subject="fox.png")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Space" not in str(caught.value)


def test_a_photo_on_its_side_is_turned_and_stays_small() -> None:
    plain = Image.linear_gradient("L").resize((256, 128)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file(plain, "JPEG", quality=92, exif=exif)
    one = read_input(data)
    assert (one.record.width, one.record.height, one.record.media_type) == (128, 256, "image/jpeg")
    seen, meant = (np.asarray(image, dtype=int) for image in (opened(one.data), rolled(opened(data))))
    assert abs(seen - meant).max() <= 2
    assert len(one.data) < 2 * len(data)


def test_a_known_digest_counts_if_the_pixels_are_the_files() -> None:
    known = "ab" * 32
    kept = [read_input(encoded("jpeg"), digest=known), read_input(file(RGB.quantize(8), "GIF"), digest=known)]
    assert [one.record.digest for one in kept] == [known, known]
    changed = [read_input(photo(6), digest=known), read_input(encoded("png", "RGBA"), digest=known)]
    masks = [read_input(encoded("jpeg"), "mask", digest=known)]
    assert not [one for one in (*changed, *masks) if one.record.digest == known]


def test_an_image_is_decoded_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    take = pixels.Budget.take

    def watched(self: pixels.Budget, number: int) -> Any:
        taken.append(number)
        return take(self, number)

    monkeypatch.setattr(pixels.Budget, "take", watched)
    made: list[InputImage] = [read_input(encoded()), convert_input(drawing()), read_array(NUMBERS)]
    assert [one.record.width for one in made] == [8, 8, 8]
    assert taken == [48, 48, 48]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_a_device_and_a_folder_are_not_opened(tmp_path: Path) -> None:
    from flux_magic import load_image

    os.mkfifo(tmp_path / "pipe.png")
    for path, said in (
        (tmp_path / "pipe.png", "a device, a pipe"),
        (Path("/dev/zero"), "a device"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            load_image(path)


def test_a_mask_is_painted_as_an_editor_would() -> None:
    """Both readings of the layer, by its alpha and by its grey, are the mask; only there the image is white."""
    below = convert_input(Image.new("RGB", (4, 2), (9, 8, 7)))
    white = Image.new("L", (4, 2), 0)
    white.paste(255, (2, 0, 4, 2))
    layer, composite = (codecs.decode(one) for one in paint_mask(below, convert_input(white, "mask")))
    assert [layer.getpixel((x, 0)) for x in (0, 3)] == [(0, 0, 0, 0), (255, 255, 255, 255)]
    assert [composite.getpixel((x, 0)) for x in (0, 3)] == [(9, 8, 7), (255, 255, 255)]
