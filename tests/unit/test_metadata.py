from __future__ import annotations

import io
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flux_magic.errors import NotAnImage
from flux_magic.images import codecs, formats, metadata
from flux_magic.images.metadata import Written
from tests.unit.samples import drawing, encoded, python

NATIVE = {
    "PNG": encoded("png"),
    "PNG with alpha": encoded("png", "RGBA"),
    "JPEG": encoded("jpeg"),
    "grey JPEG": encoded("jpeg", "L", progressive=True),
    "lossy WebP": encoded("webp"),
    "lossless WebP": encoded("webp", lossless=True),
    "lossy WebP with alpha": encoded("webp", "RGBA"),
    "lossless WebP with alpha": encoded("webp", "RGBA", lossless=True),
    "animated WebP": encoded("webp", save_all=True, append_images=[drawing(colour=200)]),
    "large WebP": encoded("webp", size=(300, 17)),
    "PNG with a profile": encoded("png", icc_profile=b"a profile"),
    "JPEG with a profile": encoded("jpeg", icc_profile=b"a profile" * 10_000, comment="a comment"),
    "WebP with a profile": encoded("webp", "RGBA", icc_profile=b"a profile"),
}
"""Files as Pillow writes them, without any text of ours or EXIF."""


def exif(order: str | None = None) -> Image.Exif:
    """EXIF such as a camera's: some values of each directory, and a comment."""
    made = Image.Exif()
    made.endian = order
    made[0x0112], made[0x010F] = 6, "The maker"
    made[0x8769] = {0x9003: "2026:01:01 00:00:00", 0x927C: b"a maker's notes", 0x9286: b"ASCII\0\0\0old"}
    made[0x8825] = {0x0001: "N", 0x0002: (51.0, 30.0, 0.0)}
    return made


WITH_EXIF = {
    "PNG with EXIF": encoded("png", exif=exif()),
    "JPEG with EXIF": encoded("jpeg", exif=exif()),
    "JPEG with little-endian EXIF": encoded("jpeg", exif=exif("<")),
    "WebP with EXIF": encoded("webp", exif=exif()),
    "WebP with marked EXIF": encoded("webp", exif=b"Exif\0\0" + exif("<").tobytes()),
    "JPEG with a comment alone": encoded(
        "jpeg",
        exif=b"Exif\0\0MM\0*\0\0\0\x08"
        + bytes.fromhex("00018769000400000001")
        + struct.pack(">II", 26, 0)
        + bytes.fromhex("00019286000700000009")
        + struct.pack(">II", 44, 0)
        + b"ASCII\0\0\0x",
    ),
}
FILES = {**NATIVE, **WITH_EXIF}

PROMPTS = {
    "plain": "a red fox",
    "newlines": "a red fox\n\nin the snow\n",
    "quotes and commas": "a \"red\" fox, 'small', <b>&amp;</b>: ]]>, {x}",
    "emoji": "a \U0001f98a in the snow",
    "Arabic": "ثعلب أحمر في الثلج",
    "Latin-1": "ein Fuchs im Schnee, größer",
    "a last line": "Steps: 99, Sampler: x, CFG scale: 7",
    "a last line below": "a red fox\nSteps: 99, Sampler: x, CFG scale: 7\nand snow",
    "a negative prompt": "a red fox\nNegative prompt: x\nand snow",
    "spaces before": "  a red fox\n  Steps: 99, Seed: 1, Size: 8x8\n\t Negative prompt: x\n\u00a0Steps: 1",
    "backslashes": "\\Steps: 1\n \\\\Steps: 2\n\\Negative prompt: x\n\\a\\",
    "control characters": "a\x01red\x1b[0m\tfox\x7f\x85\r\n\u2028in snow\ufeff\uffff",
    "300 KB": "a red fox, \U0001f98a; " * 15_000,
}


def text_of(prompt: str, model: str = "FLUX.1-schnell", seed: int | None = 42, **parameters: Any) -> str:
    return metadata.format_a1111(
        prompt=prompt,
        steps=4,
        seed=seed,
        width=1024,
        height=768,
        model=model,
        version="flux_magic 0.1.0",
        parameters=parameters,
    )


def carried(prompt: str, **changes: Any) -> Written:
    """Return what a generation's file carries for this prompt."""
    made = {"parameters": text_of(prompt), "record": json.dumps({"prompt": prompt}), "prompt": prompt}
    return Written(**{**made, "system": "FLUX.1-schnell", "system_version": "", "drawn": False, **changes})


def fits(data: bytes, prompt: str) -> bool:
    """Return True if A1111's text finds room: in a JPEG it has 64 KiB."""
    return formats.detect_media_type(data) != "image/jpeg" or len(text_of(prompt).encode("utf-16-be")) < 65_000


every_file = pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in FILES.items()])
every_prompt = pytest.mark.parametrize("prompt", [pytest.param(prompt, id=name) for name, prompt in PROMPTS.items()])
files = st.sampled_from(list(FILES.values()))
texts = st.text(st.characters(), max_size=60)
prompts = st.one_of(texts, st.sampled_from([prompt for prompt in PROMPTS.values() if len(prompt) < 200]))


@st.composite
def carrieds(draw: st.DrawFn) -> Written:
    """Anything that may be carried; now and then too much of it for one segment of a JPEG."""
    prompt = draw(prompts) * draw(st.sampled_from([1, 1, 1, 3000]))
    return carried(prompt, system=draw(texts), system_version=draw(texts), drawn=draw(st.booleans()))


@every_prompt
@every_file
def test_what_is_embedded_is_read_back_and_no_pixel_changes(data: bytes, prompt: str) -> None:
    made = metadata.embed(data, carried(prompt))
    found = metadata.read(made)
    assert found.record == carried(prompt).record
    assert found.parameters == (text_of(prompt) if fits(data, prompt) else "")
    assert codecs.describe(made).digest == codecs.describe(data).digest


@given(files, carrieds())
def test_any_text_is_read_back_as_it_was(data: bytes, what: Written) -> None:
    found = metadata.read(metadata.embed(data, what))
    assert found.record == what.record
    assert found.parameters in {what.parameters, ""}
    assert found.parameters or not fits(data, what.prompt)


@given(files, carrieds(), carrieds())
def test_a_second_embedding_takes_the_place_of_the_first(data: bytes, one: Written, other: Written) -> None:
    first = metadata.embed(data, one)
    assert metadata.embed(first, other) == metadata.embed(data, other)
    assert metadata.remove_metadata(first) == metadata.remove_metadata(data)


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in NATIVE.items()])
def test_a_file_without_texts_is_bare_as_it_is(data: bytes) -> None:
    assert metadata.remove_metadata(data) == data


@every_file
def test_a_bare_file_carries_nothing_and_shows_the_same(data: bytes) -> None:
    bare = metadata.remove_metadata(metadata.embed(data, carried("a red fox")))
    comment = {"JPEG comment": "a comment"} if b"a comment" in data else {}
    assert metadata.read(bare) == metadata.Found(texts=comment)
    assert not opened(bare).getexif()
    assert codecs.describe(bare).digest == codecs.describe(data).digest


@pytest.mark.parametrize("rest", [pytest.param(b"behind the end", id="even"), pytest.param(b"\0PK", id="odd")])
@every_file
def test_what_follows_the_end_of_the_file_stays(data: bytes, rest: bytes) -> None:
    assert metadata.embed(data + rest, carried("x")) == metadata.embed(data, carried("x")) + rest
    assert metadata.remove_metadata(data + rest) == metadata.remove_metadata(data) + rest


@every_file
def test_profile_comment_and_frames_stay(data: bytes) -> None:
    before, after = opened(data), opened(metadata.embed(data, carried("a red fox")))
    for key in ("icc_profile", "comment", "loop", "jfif_density"):
        assert after.info.get(key) == before.info.get(key)
    assert getattr(after, "n_frames", 1) == getattr(before, "n_frames", 1)


@every_prompt
@pytest.mark.parametrize("data", [pytest.param(NATIVE[name], id=name) for name in ("PNG", "PNG with a profile")])
def test_pillow_has_a_pngs_texts_before_it_reads_pixels(data: bytes, prompt: str) -> None:
    image = Image.open(io.BytesIO(metadata.embed(data, carried(prompt))))
    assert image.info["parameters"] == text_of(prompt)
    assert image.info["flux_magic"] == carried(prompt).record
    assert image.info["XML:com.adobe.xmp"].startswith("<?xpacket")


@every_prompt
@pytest.mark.parametrize("name", ["JPEG", "JPEG with little-endian EXIF", "lossy WebP", "WebP with EXIF"])
def test_pillow_reads_the_comment_that_exif_holds(name: str, prompt: str) -> None:
    image = opened(metadata.embed(FILES[name], carried(prompt)))
    comment = image.getexif().get_ifd(0x8769).get(0x9286)
    wanted = b"UNICODE\0" + text_of(prompt).encode("utf-16-be")
    assert comment == (wanted if fits(FILES[name], prompt) else None)


@pytest.mark.parametrize(
    "name", ["JPEG with EXIF", "JPEG with little-endian EXIF", "WebP with EXIF", "WebP with marked EXIF"]
)
@pytest.mark.parametrize("prompt", ["a red fox", "a red fox " * 10_000])
def test_other_exif_stays(name: str, prompt: str) -> None:
    before, after = (opened(data).getexif() for data in (FILES[name], metadata.embed(FILES[name], carried(prompt))))
    assert (after[0x0112], after[0x010F], after.endian) == (6, "The maker", before.endian)
    assert after.get_ifd(0x8825) == before.get_ifd(0x8825) != {}
    kept = {tag: value for tag, value in after.get_ifd(0x8769).items() if tag != 0x9286}
    assert kept == {0x9003: "2026:01:01 00:00:00", 0x927C: b"a maker's notes"}


@pytest.mark.parametrize("name", ["PNG", "JPEG", "lossy WebP"])
def test_nul_and_lone_surrogates_do_not_stop_a_text(name: str) -> None:
    what = carried("a\0red\ud800fox", system="\udfff\0")
    found = metadata.read(metadata.embed(NATIVE[name], what))
    assert found.parameters.startswith("a\ufffdred\ufffdfox\n")
    assert json.loads(found.record) == {"prompt": "a\0red\ud800fox"}
    raw = metadata.embed(NATIVE[name], carried("x", parameters="a\0\udc00"))
    assert metadata.read(raw).parameters == "a\ufffd\ufffd"


def test_what_is_no_picture_is_named() -> None:
    for call in (metadata.read, metadata.remove_metadata, lambda data: metadata.embed(data, carried("x"))):
        with pytest.raises(NotAnImage, match=r"^this is plain text, not PNG, JPEG, WebP, GIF or AVIF$"):
            call(b"GIF")


def test_the_package_is_imported_without_pillow() -> None:
    assert python("import sys, flux_magic.images.metadata; print('PIL' in sys.modules, 'pyexpat' in sys.modules)") == (
        "False False\n"
    )


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
