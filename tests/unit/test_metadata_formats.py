"""The bytes that are written, by the specifications of PNG, JPEG, WebP, EXIF and XMP."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image, PngImagePlugin

from flux_magic.images import codecs, metadata
from tests.unit.samples import drawing, encoded
from tests.unit.test_metadata import FILES, NATIVE, carried, exif, opened, text_of

XMP = b"http://ns.adobe.com/xap/1.0/\0"
MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"


def chunks_of_png(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + size]
        assert data[position + 8 + size :][:4] == struct.pack(">I", zlib.crc32(name + body))
        yield name, body
        position += 12 + size


def segments_of_jpeg(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 2
    while data[position + 1] != 0xDA:
        mark, marker, size = struct.unpack_from(">BBH", data, position)
        assert mark == 0xFF
        yield marker, data[position + 4 : position + 2 + size]
        position += 2 + size


def chunks_of_webp(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert (data[:4], int.from_bytes(data[4:8], "little"), data[8:12]) == (b"RIFF", len(data) - 8, b"WEBP")
    position = 12
    while position < len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        yield name, data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    assert position == len(data)


def webp_of(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def app1(body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, 0xE1, len(body) + 2) + body


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        pytest.param("ein Fuchs, größer\nim Schnee", b"tEXt", id="Latin-1"),
        pytest.param("a \U0001f98a", b"iTXt", id="an emoji"),
        pytest.param("a\tfox", b"iTXt", id="a tab"),
        pytest.param("a\x85fox", b"iTXt", id="a control character of Latin-1"),
    ],
)
def test_a_pngs_texts_stand_directly_behind_its_head(prompt: str, kind: bytes) -> None:
    names = [name for name, _body in chunks_of_png(NATIVE["PNG"])]
    made = list(chunks_of_png(metadata.embed(NATIVE["PNG"], carried(prompt))))
    assert [name for name, _body in made] == [b"IHDR", kind, b"iTXt", b"iTXt", *names[1:]]
    assert [body.partition(b"\0")[0] for _name, body in made[1:4]] == [
        b"parameters", b"XML:com.adobe.xmp", b"flux_magic"
    ]  # fmt: skip


def test_texts_of_other_tools_stay_and_are_read() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("prompt", '{"3": {}}')
    texts.add_itxt("workflow", '{"name": "\U0001f98a"}', lang="en", zip=True)
    texts.add_text("Comment", "größer", zip=True)
    texts.add_text("parameters", "of another tool")
    texts.add_itxt("XML:com.adobe.xmp", "<x/>")
    data = encoded("png", pnginfo=texts)
    others = {"prompt": '{"3": {}}', "workflow": '{"name": "\U0001f98a"}', "Comment": "größer"}
    assert metadata.read(data) == metadata.Found("of another tool", "", "<x/>", others)
    made = metadata.embed(data, carried("a red fox"))
    assert metadata.read(made).parameters == text_of("a red fox")
    assert metadata.read(made).texts == others
    assert sum(name in {b"tEXt", b"iTXt", b"zTXt"} for name, _body in chunks_of_png(made)) == 6
    assert metadata.remove_metadata(made) == metadata.remove_metadata(encoded("png"))


def test_a_png_without_parameters_has_those_of_its_exif() -> None:
    assert metadata.read(FILES["PNG with EXIF"]).parameters == "old"
    assert metadata.read(metadata.embed(FILES["PNG with EXIF"], carried("new"))).parameters == text_of("new")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(b"UNICODE\0" + "x\nSteps: 4, ثعلب".encode("utf-16-be"), "x\nSteps: 4, ثعلب", id="big-endian"),
        pytest.param(b"UNICODE\0" + "x\nSteps: 4, ثعلب".encode("utf-16-le"), "x\nSteps: 4, ثعلب", id="little-endian"),
        pytest.param(b"UNICODE\0" + "一二三\0\0".encode("utf-16-be"), "一二三", id="nothing to tell by"),
        pytest.param(b"UNICODE\0" + b"\0x\0", "x", id="half a character"),
        pytest.param(b"ASCII\0\0\0" + b"x y\0\0", "x y", id="ASCII"),
        pytest.param(b"\0\0\0\0\0\0\0\0" + "größer".encode(), "größer", id="no code"),
        pytest.param(b"UNICODE\0", "", id="no text"),
        pytest.param(b"x", "x", id="no head"),
    ],
)
def test_a_comment_is_read_by_the_code_at_its_head(value: bytes, text: str) -> None:
    made = Image.Exif()
    made[0x8769] = {0x9286: value}
    assert metadata.read(encoded("webp", exif=made)).parameters == text
    assert metadata.read(encoded("jpeg", exif=made)).parameters == text


def thumbnailed() -> bytes:
    """Little-endian EXIF whose second directory points to a thumbnail, and whose notes hold offsets of their own."""
    main = struct.pack("<HHHIIHHIII", 2, 0x0112, 3, 1, 6, 0x8769, 4, 1, 38, 68)
    sub = struct.pack("<HHHIIHHIII", 2, 0x9286, 7, 12, 110, 0x927C, 7, 6, 104, 0)
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 98, 0x0202, 4, 1, 6, 0)
    return b"II*\0\x08\0\0\0" + main + sub + second + b"\xff\xd8..\xff\xd9" + b"notes!" + b"ASCII\0\0\0old." + b"tail"


def test_whatever_an_offset_of_exif_points_to_stays_where_it_is() -> None:
    data = metadata.embed(encoded("webp", exif=thumbnailed()), carried("a red fox"))
    found = opened(data).getexif()
    assert (found[0x0112], found.get_ifd(0x8769)[0x927C]) == (6, b"notes!")
    held = dict(chunks_of_webp(data))[b"EXIF"]
    main = int.from_bytes(held[4:8], "little")
    assert struct.unpack_from("<I", held, main + 2 + 2 * 12) == (68,)
    assert held[68:110] == thumbnailed()[68:110]
    assert b"old." not in held
    assert metadata.read(data).parameters == text_of("a red fox")


def test_exif_without_anything_but_an_old_comment_goes_with_it() -> None:
    data = FILES["JPEG with a comment alone"]
    assert metadata.read(data).parameters == "x"
    long = metadata.embed(data, carried("x" * 40_000))
    assert not any(body.startswith(b"Exif") for _marker, body in segments_of_jpeg(long))


def test_exif_that_nobody_can_read_is_replaced() -> None:
    for broken in (b"MM\0*", b"nothing", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff......"):
        data = webp_of((b"VP8 ", dict(chunks_of_webp(NATIVE["lossy WebP"]))[b"VP8 "]), (b"EXIF", broken))
        assert metadata.read(data) == metadata.Found()
        assert metadata.embed(data, carried("x")) == metadata.embed(NATIVE["lossy WebP"], carried("x"))


def test_exif_over_several_segments_is_one_and_stays() -> None:
    tiff = exif().tobytes()[6:]
    parts = [tiff, b"\0" * 60_000, b"\0" * 60_000]
    data = b"\xff\xd8" + b"".join(app1(b"Exif\0\0" + part) for part in parts) + encoded("jpeg")[2:]
    made = metadata.embed(data, carried("a red fox"))
    assert [body[:4] for _marker, body in segments_of_jpeg(made)][:5] == [b"JFIF", *[b"Exif"] * 3, b"http"]
    assert metadata.read(made).parameters == "old"
    assert metadata.embed(made, carried("a red fox")) == made


def test_a_jpegs_texts_stand_behind_its_first_segments() -> None:
    before = list(segments_of_jpeg(NATIVE["JPEG"]))
    made = list(segments_of_jpeg(metadata.embed(NATIVE["JPEG"], carried("a red fox"))))
    assert [marker for marker, _body in made[:3]] == [0xE0, 0xE1, 0xE1]
    assert (made[1][1][:8], made[2][1][: len(XMP)]) == (b"Exif\0\0MM", XMP)
    assert [made[0], *made[3:]] == before


def test_a_jpeg_without_its_usual_head_begins_with_the_texts() -> None:
    data = b"\xff\xd8" + NATIVE["JPEG"][20:]
    made = metadata.embed(data, carried("a red fox"))
    assert [marker for marker, _body in segments_of_jpeg(made)][:2] == [0xE1, 0xE1]
    assert codecs.describe(made).digest == codecs.describe(data).digest


def test_fill_bytes_before_a_jpegs_segments_stay() -> None:
    data = b"\xff\xd8\xff\xff" + NATIVE["JPEG"][2:20] + b"\xff\xff\xff" + NATIVE["JPEG"][20:]
    assert metadata.remove_metadata(metadata.embed(data, carried("x"))) == metadata.remove_metadata(data) == data
    assert metadata.read(metadata.embed(data, carried("x"))).parameters == text_of("x")


def test_xmp_of_over_64_kib_goes_on_in_further_segments() -> None:
    made = metadata.embed(NATIVE["JPEG"], carried("a red fox " * 20_000))
    assert all(marker != 0xE1 or len(body) <= 65_533 for marker, body in segments_of_jpeg(made))
    (main,) = (body for _marker, body in segments_of_jpeg(made) if body.startswith(XMP))
    parts = [body[len(MORE_XMP) :] for _marker, body in segments_of_jpeg(made) if body.startswith(MORE_XMP)]
    whole = b"".join(part[40:] for part in parts)
    assert len(parts) > 1
    assert [struct.unpack(">II", part[32:40]) for part in parts] == [
        (len(whole), sum(len(before[40:]) for before in parts[:place])) for place in range(len(parts))
    ]
    guid = hashlib.md5(whole).hexdigest().upper()
    assert {part[:32] for part in parts} == {guid.encode()}
    assert f"<xmpNote:HasExtendedXMP>{guid}</xmpNote:HasExtendedXMP>" in main.decode()
    assert "<Iptc4xmpExt:DigitalSourceType>" in main.decode()
    assert whole.startswith(b"<x:xmpmeta")


def test_the_segments_of_extended_xmp_are_read_in_any_order_and_only_as_a_whole() -> None:
    made = metadata.embed(NATIVE["JPEG"], carried("a red fox " * 20_000))
    end = made.index(b"\xff\xda")
    bodies = [body for marker, body in segments_of_jpeg(made) if marker == 0xE1]
    rest = NATIVE["JPEG"][2:]
    assert end > 0
    turned = b"\xff\xd8" + b"".join(map(app1, reversed(bodies))) + rest
    assert metadata.read(turned).record == carried("a red fox " * 20_000).record
    for lost in range(1, len(bodies)):
        fewer = b"\xff\xd8" + b"".join(map(app1, bodies[:lost] + bodies[lost + 1 :])) + rest
        assert metadata.read(fewer).record == ""


@pytest.mark.parametrize(
    ("name", "flags", "names"),
    [
        pytest.param("lossy WebP", 0x0C, [b"VP8X", b"VP8 ", b"EXIF", b"XMP "], id="lossy"),
        pytest.param("large WebP", 0x0C, [b"VP8X", b"VP8 ", b"EXIF", b"XMP "], id="of another size"),
        pytest.param("lossless WebP", 0x0C, [b"VP8X", b"VP8L", b"EXIF", b"XMP "], id="lossless"),
        pytest.param(
            "lossless WebP with alpha", 0x1C, [b"VP8X", b"VP8L", b"EXIF", b"XMP "], id="lossless, with alpha"
        ),
        pytest.param(
            "lossy WebP with alpha", 0x1C, [b"VP8X", b"ALPH", b"VP8 ", b"EXIF", b"XMP "], id="lossy, with alpha"
        ),
        pytest.param(
            "animated WebP", 0x0E, [b"VP8X", b"ANIM", b"ANMF", b"ANMF", b"EXIF", b"XMP "], id="animated"
        ),
        pytest.param(
            "WebP with a profile", 0x3C, [b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"EXIF", b"XMP "], id="with a profile"
        ),
    ],
)  # fmt: skip
def test_a_webps_head_says_what_is_in_it(name: str, flags: int, names: list[bytes]) -> None:
    made = list(chunks_of_webp(metadata.embed(NATIVE[name], carried("a red fox"))))
    assert [chunk for chunk, _body in made] == names
    head = made[0][1]
    assert (head[0], head[1:4]) == (flags, b"\0\0\0")
    size = tuple(int.from_bytes(head[place : place + 3], "little") + 1 for place in (4, 7))
    assert size == opened(NATIVE[name]).size


def test_a_webps_unknown_chunks_stay_behind_the_texts() -> None:
    picture_chunk = (b"VP8 ", dict(chunks_of_webp(NATIVE["lossy WebP"]))[b"VP8 "])
    data = webp_of(picture_chunk, (b"odd.", b"abc"), (b"XMP ", b"<x/>"))
    made = metadata.embed(data, carried("x"))
    assert [name for name, _body in chunks_of_webp(made)] == [b"VP8X", b"VP8 ", b"EXIF", b"XMP ", b"odd."]
    assert metadata.remove_metadata(made) == metadata.remove_metadata(data)
    assert [name for name, _body in chunks_of_webp(metadata.remove_metadata(data))] == [b"VP8X", b"VP8 ", b"odd."]


def test_a_webp_as_pillow_writes_it_with_texts_goes_back_to_the_simple_form() -> None:
    made = encoded("webp", lossless=True, xmp=b"<x/>", exif=exif())
    assert metadata.remove_metadata(made) == encoded("webp", lossless=True)


def test_frames_are_the_same_after_embedding() -> None:
    data = encoded("webp", save_all=True, append_images=[drawing(colour=200)], duration=70, lossless=True)
    before, after = opened(data), opened(metadata.embed(data, carried("x")))
    for image in (before, after):
        image.seek(1)
    assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("name", ["PNG", "JPEG", "lossy WebP"])
def test_a_record_is_read_out_of_xmp_that_another_program_wrote_anew(name: str) -> None:
    xml = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        "<rdf:Description rdf:about='' xmlns:a='urn:flux-magic:ns:1.0/' a:Record='{&quot;a&quot;: 1}'/>"
        "</rdf:RDF></x:xmpmeta>"
    )
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", xml)
    options = {"pnginfo": texts} if name == "PNG" else {"xmp": xml.encode()}
    found = metadata.read(encoded({"lossy WebP": "webp"}.get(name, name), **options))
    assert (found.record, found.xmp) == ('{"a": 1}', xml)


def test_the_packet_is_xml_that_anybody_can_read() -> None:
    from xml.etree import ElementTree as ET

    packet = metadata.read(metadata.embed(NATIVE["PNG"], carried("<&>\x01\r\n", system="]]>", drawn=True))).xmp
    root = ET.fromstring(packet)
    texts = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    assert texts["AIPromptInformation"] == texts["li"] == "<&>\ufffd\r\n"
    assert texts["AISystemUsed"] == "]]>"
    assert str(texts["DigitalSourceType"]).endswith("/algorithmicMedia")
    assert "AISystemVersionUsed" not in texts
