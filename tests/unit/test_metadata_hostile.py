"""Files that somebody broke, or made to break us: each is read or refused, in one line, and soon."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flux_magic.errors import NotAnImage
from flux_magic.images import metadata
from flux_magic.images.codecs import make_png_chunk
from tests.support.growth import assert_linear
from tests.unit.samples import encoded
from tests.unit.test_metadata import FILES, NATIVE, carried
from tests.unit.test_metadata_formats import MORE_XMP, XMP, app1, thumbnailed, webp_of

MOST = 8 * 1024 * 1024
PNG, JPEG, WEBP = (NATIVE[name] for name in ("PNG", "JPEG", "lossy WebP"))
VP8 = (b"VP8 ", WEBP[20:])
LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {chr(98 + place)} '{f'&{chr(97 + place)};' * 10}'>" for place in range(12))
    + "]><x:x xmlns:x='urn:flux-magic:ns:1.0/'><x:Record>&m;</x:Record></x:x>"
)


def chunk(name: bytes, body: bytes, crc: int | None = None) -> bytes:
    made = make_png_chunk(name, body)
    return made if crc is None else made[:-4] + struct.pack(">I", crc)


def png_with(*chunks: bytes) -> bytes:
    """Return a PNG with these chunks behind its head."""
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def jpeg_with(*segments: bytes) -> bytes:
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def bomb(size: int) -> bytes:
    return zlib.compress(bytes(size))


def tiff_of(*directories: tuple[int, bytes]) -> bytes:
    """Big-endian EXIF with these bytes at these places."""
    made = bytearray(b"MM\0*\0\0\0\x08" + bytes(400))
    for place, data in directories:
        made[place : place + len(data)] = data
    return bytes(made)


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack(">HHHII", 1, tag, kind, count, value) + bytes(4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(PNG[:-12], "it ends before its IEND chunk", id="a PNG without an end"),
        pytest.param(PNG[:8], "it ends before its IEND chunk", id="a PNG's signature"),
        pytest.param(PNG[:40], "it ends before its IEND chunk", id="a PNG cut in a head"),
        pytest.param(PNG[:50], "its IDAT chunk reaches beyond the end of the file", id="a PNG cut in a chunk"),
        pytest.param(
            PNG[:33] + b"\xff\xff\xff\xfftEXt" + PNG[33:], "its tEXt chunk reaches beyond the end of the file",
            id="a negative length",
        ),
        pytest.param(
            PNG[:33] + b"\xff\xff\xff\xff\n\0\xff\x1b" + PNG[33:],
            r"its '\n\x00\xff\x1b' chunk reaches beyond the end of the file", id="a name of no letters",
        ),
        pytest.param(PNG[:8] + PNG[33:], "it begins with a chunk IDAT, not with IHDR", id="a PNG without a head"),
        pytest.param(
            png_with(chunk(b"tEXt", b"prompt\0x", crc=1)), "its tEXt chunk 'prompt' has a wrong checksum",
            id="a wrong checksum",
        ),
        pytest.param(
            png_with(chunk(b"zTXt", b"a\0\0" + bomb(1000)[:-5])), "its zTXt chunk 'a' is cut short", id="zTXt cut short"
        ),
        pytest.param(
            png_with(chunk(b"zTXt", b"a\0\0not zlib")), "its zTXt chunk 'a' cannot be decompressed", id="no zlib"
        ),
        pytest.param(
            png_with(chunk(b"zTXt", b"a\0\1x")), "its zTXt chunk 'a' is not laid out as such a chunk is",
            id="an unknown compression",
        ),
        pytest.param(
            png_with(chunk(b"zTXt", b"")), "its zTXt chunk '' is not laid out as such a chunk is", id="an empty zTXt"
        ),
        pytest.param(
            png_with(chunk(b"iTXt", b"a\0\0\0en")), "its iTXt chunk 'a' is not laid out as such a chunk is",
            id="iTXt without a text",
        ),
        pytest.param(
            png_with(chunk(b"iTXt", b"a\0\2\0\0\0x")), "its iTXt chunk 'a' is not laid out as such a chunk is",
            id="iTXt with another flag",
        ),
        pytest.param(
            png_with(chunk(b"iTXt", b"a\0\0\0\0\0\xff")), "its iTXt chunk 'a' is not in UTF-8", id="iTXt of no UTF-8"
        ),
        pytest.param(JPEG[:3], "it ends before its first scan", id="a JPEG's first bytes"),
        pytest.param(JPEG[:100], "its segment FFDB reaches beyond the end of the file", id="a JPEG cut in a segment"),
        pytest.param(JPEG[:4], "its segment FFE0 reaches beyond the end of the file", id="a JPEG cut in a length"),
        pytest.param(jpeg_with(b"\xff\xe1\0\0"), "its segment FFE1 has a length of 0", id="a length of 0"),
        pytest.param(jpeg_with(b"\xff\xe1\0\1"), "its segment FFE1 has a length of 1", id="a length of 1"),
        pytest.param(jpeg_with(b"\xff\xe1\0\2x"), "there is no marker at byte 6", id="no marker"),
        pytest.param(jpeg_with(b"\xff\0"), "there is no marker at byte 2", id="a marker of 0"),
        pytest.param(JPEG[:2] + b"\xff" * 1000, "it ends before its first scan", id="nothing but fill bytes"),
        pytest.param(
            WEBP[:4] + b"\xff\xff\xff\xff" + WEBP[8:], f"it says that it has 4294967303 bytes, and has {len(WEBP)}",
            id="a WebP that says it is larger",
        ),
        pytest.param(WEBP[:4] + b"\0\0\0\0" + WEBP[8:], "it does not begin with an image", id="a WebP of size 0"),
        pytest.param(
            WEBP[:4] + b"\x0a\0\0\0" + WEBP[8:], "its 'VP8 ' chunk reaches beyond the end of the file",
            id="a WebP that says it is smaller",
        ),
        pytest.param(webp_of((b"EXIF", b"")), "it does not begin with an image", id="a WebP without a picture"),
        pytest.param(
            WEBP[:16] + b"\xff\xff\xff\xff" + WEBP[20:], "its 'VP8 ' chunk reaches beyond the end of the file",
            id="a WebP with a long chunk",
        ),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_in_one_line(data: bytes, reason: str) -> None:
    kind = {b"\x89P": "PNG", b"\xff\xd8": "JPEG", b"RI": "WebP"}[data[:2]]
    with pytest.raises(NotAnImage) as caught:
        metadata.read(data)
    assert str(caught.value) == f"this {kind} is damaged: {reason}"


@pytest.mark.parametrize(
    ("data", "where"),
    [
        pytest.param(png_with(chunk(b"tEXt", b"a\0" + b"x" * (MOST + 1))), "its tEXt chunk 'a'", id="tEXt"),
        pytest.param(png_with(chunk(b"zTXt", b"a\0\0" + bomb(MOST + 1))), "its zTXt chunk 'a'", id="zTXt"),
        pytest.param(png_with(chunk(b"zTXt", b"a\0\0" + bomb(40 * MOST))), "its zTXt chunk 'a'", id="a bomb"),
        pytest.param(
            png_with(chunk(b"iTXt", b"parameters\0\1\0\0\0" + bomb(40 * MOST))), "its iTXt chunk 'parameters'",
            id="a bomb in iTXt",
        ),
        pytest.param(jpeg_with(app1(XMP + b"<x:x xmlns:x='http://ns.adobe.com/xmp/note/' x:HasExtendedXMP='"
            + b"0" * 32 + b"'/>"), *[app1(MORE_XMP + b"0" * 32 + bytes(65_000))] * 130), "its extended XMP",
            id="extended XMP",
        ),
        pytest.param(webp_of(VP8, (b"XMP ", bytes(MOST + 1))), "its XMP chunk", id="XMP of a WebP"),
        pytest.param(
            webp_of(VP8, (b"EXIF", tiff_of((8, entry(0x8769, 4, 1, 26)), (26, entry(0x9286, 7, MOST + 9, 44)))
            + bytes(MOST + 9))), "the UserComment of its EXIF", id="a comment",
        ),
    ],
)  # fmt: skip
def test_a_text_of_over_8_mib_is_refused(data: bytes, where: str) -> None:
    kind = {b"\x89P": "PNG", b"\xff\xd8": "JPEG", b"RI": "WebP"}[data[:2]]
    with pytest.raises(NotAnImage) as caught:
        metadata.read(data)
    assert str(caught.value) == f"this {kind} is not read: {where} holds over 8 MiB of text"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(webp_of((b"VP8X", bytes(9)), VP8), "its VP8X chunk is too short", id="a short head"),
        pytest.param(webp_of((b"VP8 ", bytes(20))), "its 'VP8 ' chunk does not begin as an image does", id="VP8"),
        pytest.param(webp_of((b"VP8L", b"")), "its VP8L chunk does not begin as an image does", id="VP8L"),
        pytest.param(
            webp_of((b"VP8 ", b"\0\0\0\x9d\x01\x2a\0\0\0\0")), "its 'VP8 ' chunk does not begin as an image does",
            id="no width",
        ),
    ],
)  # fmt: skip
def test_a_webp_whose_size_nobody_can_tell_gets_no_texts(data: bytes, reason: str) -> None:
    with pytest.raises(NotAnImage) as caught:
        metadata.embed(data, carried("x"))
    assert str(caught.value) == f"this WebP is damaged: {reason}"


def test_a_text_of_8_mib_is_read() -> None:
    assert len(metadata.read(png_with(chunk(b"zTXt", b"a\0\0" + bomb(MOST)))).texts["a"]) == MOST


def test_many_texts_just_within_the_limit_are_refused_together() -> None:
    one = chunk(b"zTXt", b"a\0\0" + bomb(MOST))
    with pytest.raises(
        NotAnImage, match=r"^this PNG is not read: the sum of its text chunks holds over 64 MiB of text$"
    ):
        metadata.read(png_with(*[one] * 1000))


@pytest.mark.parametrize(
    "tiff",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Exif\0\0", id="a mark alone"),
        pytest.param(b"MM\0*\0\0\0\x08", id="a head alone"),
        pytest.param(b"MM\0*\xff\xff\xff\xff" + bytes(20), id="a directory far behind the end"),
        pytest.param(b"MM\0*\0\0\0\0" + bytes(20), id="a directory at the head"),
        pytest.param(tiff_of((8, b"\xff\xff")), id="more entries than bytes"),
        pytest.param(tiff_of((8, entry(0x8769, 4, 1, 8))), id="a directory that points to itself"),
        pytest.param(tiff_of((8, entry(0x8769, 4, 1, 0xFFFFFFFF))), id="a pointer behind the end"),
        pytest.param(tiff_of((8, entry(0x8769, 4, 1, 26)), (26, entry(0x9286, 7, 0xFFFFFFFF, 44))), id="a huge count"),
        pytest.param(tiff_of((8, entry(0x8769, 4, 1, 26)), (26, entry(0x9286, 99, 20, 0))), id="an unknown type"),
        pytest.param(tiff_of((8, entry(0x8769, 4, 1, 26)), (26, entry(0x9286, 7, 20, 399))), id="a comment cut short"),
        pytest.param(tiff_of((8, entry(0x8769, 4, 1, 26)), (26, entry(0x9286, 7, 3, 0))), id="a comment too short"),
    ],
)
def test_exif_that_makes_no_sense_is_not_read_and_stops_nothing(tiff: bytes) -> None:
    for data in (png_with(chunk(b"eXIf", tiff)), jpeg_with(app1(b"Exif\0\0" + tiff)), webp_of(VP8, (b"EXIF", tiff))):
        assert metadata.read(data).parameters == ""
        made = metadata.embed(data, carried("x"))
        assert metadata.read(made).record == carried("x").record
        assert metadata.embed(made, carried("x")) == made


@pytest.mark.parametrize(
    "xml",
    [
        pytest.param(LAUGHS, id="a billion laughs"),
        pytest.param(
            "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x:x xmlns:x='urn:flux-magic:ns:1.0/'>"
            "<x:Record>&a;</x:Record></x:x>", id="an entity of a file",
        ),
        pytest.param("<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x'><x/>", id="a document type elsewhere"),
        pytest.param("<x:x xmlns:x='urn:flux-magic:ns:1.0/'><x:Record>x", id="no end"),
        pytest.param("<x>" * 200_000 + "</x>" * 200_000, id="very deep"),
        pytest.param("<?xml version='1.0' encoding='nonsense'?><x/>", id="an unknown encoding"),
        pytest.param("", id="nothing"),
        pytest.param("\0\0", id="no text"),
    ],
)  # fmt: skip
def test_xmp_that_is_no_plain_xml_has_no_record(xml: str) -> None:
    data = webp_of(VP8, (b"XMP ", xml.encode()))
    assert metadata.read(data) == metadata.Found(xmp=xml)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda n: png_with(chunk(b"tEXt", b"a\0x") * n), id="PNG"),
        pytest.param(lambda n: jpeg_with(b"\xff\xe1\0\2" * n), id="JPEG"),
        pytest.param(lambda n: jpeg_with(app1(MORE_XMP + b"0" * 32 + bytes(8)) * n), id="JPEG of extended XMP"),
        pytest.param(lambda n: webp_of(VP8, *[(b"odd.", b"")] * n), id="WebP"),
        pytest.param(
            lambda n: webp_of(VP8, (b"EXIF", tiff_of((8, b"\xff\xff" + bytes(min(n, 65_535) * 12 + 4))))), id="EXIF"
        ),
    ],
)
def test_the_time_for_many_small_parts_grows_with_their_number_alone(made: Callable[[int], bytes]) -> None:
    def read_and_embed(data: bytes) -> None:
        for call in (metadata.read, metadata.remove_metadata, lambda given: metadata.embed(given, carried("x"))):
            call(data)

    assert_linear(made, read_and_embed, 4_000)


def crowded() -> list[bytes]:
    """Small files with as many kinds of text in them as there are."""
    made = Image.Exif()
    made[0x8769] = {0x9286: b"UNICODE\0\0x"}
    texts = [
        chunk(b"zTXt", b"a\0\0" + bomb(9)),
        chunk(b"iTXt", b"b\0\1\0en\0\0" + bomb(9)),
        chunk(b"eXIf", thumbnailed()),
    ]
    files = [*FILES.values(), png_with(*texts), encoded("jpeg", exif=made), encoded("webp", exif=thumbnailed())]
    long = carried("x" * 40_000)
    return [metadata.embed(data, carried("a red fox")) for data in files] + [metadata.embed(JPEG, long)]


CROWDED = crowded()
bytes_at = st.integers(0, 1 << 20)
changes = st.one_of(
    st.tuples(st.just("flip"), bytes_at, st.integers(1, 255)),
    st.tuples(st.just("set"), bytes_at, st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])),
    st.tuples(st.just("cut"), bytes_at, st.integers(1, 64)),
    st.tuples(st.just("end"), bytes_at, st.just(0)),
    st.tuples(st.just("twice"), bytes_at, st.integers(1, 64)),
)


def changed(data: bytes, how: str, at: int, by: int) -> bytes:
    place = at % max(len(data), 1)
    head, tail = data[:place], data[place:]
    return {
        "flip": lambda: head + bytes([tail[0] ^ by]) + tail[1:] if tail else data,
        "set": lambda: head + bytes([by]) + tail[1:],
        "cut": lambda: head + tail[by:],
        "end": lambda: head,
        "twice": lambda: head + tail[:by] + tail,
    }[how]()


def settles(call: Callable[[bytes], object], data: bytes) -> None:
    message = ""
    try:
        call(data)
    except NotAnImage as error:
        message = str(error)
    assert "\n" not in message
    assert len(message) < 200


@given(st.sampled_from(CROWDED), st.lists(changes, min_size=1, max_size=6))
def test_a_changed_file_is_read_or_refused_and_nothing_else(data: bytes, how: list[tuple[str, int, int]]) -> None:
    for change in how:
        data = changed(data, *change)
    settles(metadata.read, data)
    settles(metadata.remove_metadata, data)
    settles(lambda given: metadata.read(metadata.embed(given, carried("x"))), data)


@given(st.sampled_from([PNG[:8], PNG[:33], JPEG[:2], WEBP[:12], WEBP[:20]]), st.binary(max_size=200))
def test_a_beginning_with_anything_behind_it_is_read_or_refused(head: bytes, rest: bytes) -> None:
    settles(metadata.read, head + rest)
    settles(metadata.remove_metadata, head + rest)


@given(st.binary(max_size=120), st.sampled_from([b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0", thumbnailed()[:60]]))
def test_any_exif_is_kept_or_replaced_and_a_second_text_replaces_the_first(rest: bytes, head: bytes) -> None:
    data = webp_of(VP8, (b"EXIF", head + rest))
    first = metadata.embed(data, carried("one"))
    assert metadata.embed(first, carried("other")) == metadata.embed(data, carried("other"))
    assert metadata.read(first).parameters == carried("one").parameters
    assert metadata.remove_metadata(first) == metadata.remove_metadata(data)
    jpeg = jpeg_with(app1(b"Exif\0\0" + head + rest))
    long, short = carried("x" * 33_000), carried("one")
    assert metadata.embed(metadata.embed(jpeg, long), short) == metadata.embed(jpeg, short)
    assert metadata.embed(metadata.embed(jpeg, short), long) == metadata.embed(jpeg, long)


def test_no_file_is_opened_and_nothing_is_decoded_to_read_texts() -> None:
    picture_less = io.BytesIO(metadata.embed(PNG, carried("x"))).getvalue().replace(b"IDAT", b"IDOT")
    assert metadata.read(picture_less).record == carried("x").record
