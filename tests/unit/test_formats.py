"""A file's format by its content: the five that are read, and those that an error names."""

from __future__ import annotations

import gzip
import io

import pytest
from PIL import Image

from flux_magic.errors import HOPELESS, NotAnImage
from flux_magic.images.formats import MEDIA_TYPES, detect_media_type, make_refusal, name_format
from tests.unit.samples import encoded


def ftyp(major: bytes, *others: bytes) -> bytes:
    body = b"ftyp" + major + b"\0\0\0\0" + b"".join(others)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08mdat"


def written(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(out, kind)
    return out.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'


@pytest.mark.parametrize(
    ("data", "name"),
    [
        *(pytest.param(encoded(name.lower()), name, id=name) for name in MEDIA_TYPES if name != "AVIF"),
        pytest.param(ftyp(b"avif", b"mif1", b"miaf"), "AVIF", id="AVIF"),
        pytest.param(b"GIF87a" + bytes(20), "GIF", id="an old GIF"),
        pytest.param(ftyp(b"avis", b"msf1", b"avif"), "AVIF", id="a moving AVIF"),
        pytest.param(ftyp(b"mif1", b"mif1", b"avif", b"miaf"), "AVIF", id="an AVIF in a container"),
        pytest.param(ftyp(b"heic", b"mif1", b"heic"), "HEIC", id="HEIC"),
        pytest.param(ftyp(b"heix"), "HEIC", id="HEIC of 10 bits"),
        pytest.param(ftyp(b"mif1", b"mif1", b"heic"), "HEIC", id="HEIC in a container"),
        pytest.param(ftyp(b"msf1", b"hevc"), "HEIC", id="a sequence of HEIC"),
        pytest.param(ftyp(b"mif1", b"miaf"), "HEIF", id="HEIF of a coding that is not told"),
        pytest.param(ftyp(b"isom", b"iso2", b"avc1", b"mp41"), "an MP4 video", id="MP4"),
        pytest.param(ftyp(b"qt  "), "a QuickTime video", id="QuickTime"),
        pytest.param(b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x86\x81\1\x42\x82\x84webm", "a WebM video", id="WebM"),
        pytest.param(b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x88matroska", "a Matroska video", id="Matroska"),
        pytest.param(b"RIFF\0\0\0\0AVI LIST", "an AVI video", id="AVI"),
        pytest.param(b"RIFF\0\0\0\0WAVEfmt ", "WAV", id="WAV"),
        pytest.param(b"\xff\x0a\xfa\x1f", "JPEG XL", id="JPEG XL, bare"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "JPEG XL", id="JPEG XL in its container"),
        pytest.param(written("JPEG2000"), "JPEG 2000", id="JPEG 2000"),
        pytest.param(b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000", id="JPEG 2000, bare"),
        pytest.param(written("TIFF"), "TIFF", id="TIFF"),
        pytest.param(b"MM\0*\0\0\0\x08", "TIFF", id="TIFF, big-endian"),
        pytest.param(written("BMP"), "BMP", id="BMP"),
        pytest.param(written("ICO"), "ICO", id="ICO"),
        pytest.param(written("PPM"), "PNM", id="PNM"),
        pytest.param(written("PDF"), "PDF", id="PDF"),
        pytest.param(b"8BPS\0\1" + bytes(20), "PSD", id="PSD"),
        pytest.param(b"PK\x03\x04\x14\0", "a ZIP archive", id="ZIP"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", id="Git LFS"),
        pytest.param(SVG, "SVG", id="SVG"),
        pytest.param(b"\xef\xbb\xbf\n  " + SVG, "SVG", id="SVG behind a mark"),
        pytest.param(
            '\ufeff<?xml version="1.0"?>\n'.encode("utf-16-le") + SVG.decode().encode("utf-16-le"),
            "SVG",
            id="SVG in UTF-16",
        ),
        pytest.param(
            b'<?xml version="1.0"?><!-- <html> --><!DOCTYPE svg [<!ENTITY a "b">]>' + SVG,
            "SVG",
            id="SVG behind all that may be",
        ),
        pytest.param(b"<svg:svg xmlns:svg='x'/>", "SVG", id="SVG with a prefix"),
        pytest.param(gzip.compress(SVG), "SVG (compressed)", id="svgz"),
        pytest.param(gzip.compress(b"x"), "gzip", id="gzip"),
        pytest.param(b"\x1f\x8b\x08broken", "gzip", id="a gzip that is broken"),
        pytest.param(b"<!doctype html><title>Sign in</title>", "a web page", id="a page"),
        pytest.param(b"<!-- x --><html><svg/></html>", "a web page", id="a page with an SVG in it"),
        pytest.param(b"<div>404", "a web page", id="a part of a page"),
        pytest.param(b"<!-- " + b"<" * 100_000, "a web page", id="a comment without an end"),
        pytest.param(b"<?xml version='1.0'?><rss/>", "XML", id="XML"),
        pytest.param(b' {"detail": "Not Found"}', "JSON", id="JSON"),
        pytest.param(b'["' + b"x" * 100_000, "JSON", id="a long JSON"),
        pytest.param(b"Not Found", "plain text", id="a text"),
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"\x89PNG", "of an unknown format", id="a beginning"),
        pytest.param(bytes(40), "of an unknown format", id="zeros"),
    ],
)
def test_a_files_format_is_told_by_its_content(data: bytes, name: str) -> None:
    assert name_format(data) == name
    assert detect_media_type(data) == MEDIA_TYPES.get(name)
    assert detect_media_type(data[:12]) in {MEDIA_TYPES.get(name), None}
    if name not in MEDIA_TYPES:
        error = make_refusal("the Space's file", data)
        assert isinstance(error, NotAnImage)
        assert error.message.startswith(f"the Space's file is {name}, ")
        # The next image of this Space would be such a file as well, and cost as much.
        by_chance = name in {"empty", "a web page", "of an unknown format", "JSON", "plain text"}
        assert isinstance(error, HOPELESS) != by_chance
