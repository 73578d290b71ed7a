"""Files and answers of strangers: bounded in memory and in time, and what is no file is not opened."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flux_magic.client import client
from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import FluxError, InvalidRequest, NotAnImage, RecordError
from flux_magic.images import codecs, metadata, pixels
from flux_magic.images.bounded_json import parse_json
from flux_magic.images.metadata import codings, unescape
from flux_magic.jupyter.next_cell import NextCell
from flux_magic.parameters import settings
from flux_magic.providers.base import Limits
from flux_magic.providers.http.sse import Decoder
from flux_magic.records import in_hand
from flux_magic.records.command import write_cell
from flux_magic.records.record import load_json, parse_carried, parse_record
from flux_magic.records.store import Store
from flux_magic.results import history
from flux_magic.results.generation import Generation
from flux_magic.results.recall import recall, recall_bytes
from flux_magic.verify import export
from flux_magic.verify.static import check_static
from tests.support.growth import assert_linear
from tests.unit.samples import encoded, generation, record
from tests.unit.scripted import ADDRESS, answer, installed
from tests.unit.test_metadata_formats import XMP, app1, webp_of
from tests.unit.test_metadata_hostile import VP8, chunk, jpeg_with, png_with

QUARTER: int = 2**16
"""Bytes of the smaller case; the larger one has four times as many."""


def tolerant(work: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return the work with every error of ours as an answer."""

    def tried(given: Any) -> None:
        with contextlib.suppress(FluxError):
            work(given)

    return tried


def recalled_text(keyword: bytes) -> Callable[[str], None]:
    """Return what recalls a PNG with a string under this keyword, down to the cell that is shown."""

    def show(text: str) -> None:
        body = keyword + b"\0\0" + zlib.compress(text.encode("utf-8", "replace"), 1)
        str(recall_bytes(png_with(chunk(b"zTXt", body)), "x.png"))

    return tolerant(show)


def byte_by_byte(data: bytes) -> None:
    decoder = Decoder()
    for place in range(len(data) // 8):
        decoder.feed(data[place : place + 1])
        assert decoder.held >= 0


def in_chunks(data: bytes) -> None:
    decoder = Decoder()
    for place in range(0, len(data), 2**14):
        decoder.feed(data[place : place + 2**14])
        assert decoder.held >= 0
    decoder.finish()


PARAMETERS = ("\n", " \n", "(a:", "<lora:a:", " <lora:a>", "{", 'ab: "\\', 'ab: "', "ab: b, ", "\nSteps: 1, ", "[")
OTHERS = {
    b"prompt": ('{"a":{', "[", '{"1":{"class_type":"x","inputs":{"a":["1",0]}},'),
    b"Dream": ('"a" -s 1 ', '"\\', "\n"),
    b"Comment": ('{"prompt":"', "prompt:", "\n"),
    b"Description": (" --a ", " --seed 1", "Job ID: ", "\n"),
    b"sd-metadata": ('{"image":{"prompt":"', "[a", '{"lora":['),
    b"XML:com.adobe.xmp": ("<a>", "&#10;", "<a b='", "\n", "<!--"),
    b"Raw profile type exif": ("\n", "00", "\nexif\n"),
    b"flux_magic": ("[", '{"a":', "\n", "\\u0000"),
}
TEXTS = [
    *(pytest.param(recalled_text(b"parameters"), unit, id=f"parameters {unit!r}") for unit in PARAMETERS),
    *(
        pytest.param(recalled_text(keyword), unit, id=f"{keyword.decode()} {unit!r}")
        for keyword, units in OTHERS.items()
        for unit in units
    ),
    *(pytest.param(write_cell, unit, id=f"a cell of {unit!r}") for unit in ("\n", " \n", "{", "--a ", '"')),
    pytest.param(unescape, "\n  \\", id="unescaped"),
    pytest.param(tolerant(load_json), '[{"', id="a record"),
]
MADE: list[Any] = [
    *(pytest.param(work, lambda size, unit=unit: unit * (size // len(unit)), id=id_) for work, unit, id_ in [
        (byte_by_byte, b"data: x", "a stream byte by byte"),
        (in_chunks, b"data:\n", "an event of empty lines"),
        (in_chunks, b"data:\r\r", "events without anything"),
        (in_chunks, b":", "a comment without end"),
        (codings.decode_comment, b"\0\xff", "a comment of UTF-16"),
        (codings.decode_any, b"\x1b$", "a comment of any coding"),
    ]),
    *(pytest.param(tolerant(work), made, id=f"{name}, {how}") for how, work in [
        ("read", metadata.read), ("bare", metadata.remove_metadata), ("signed", metadata.has_credentials),
        ("described", codecs.describe),
    ] for name, made in {
        "PNG chunks": lambda size: png_with(chunk(b"tEXt", b"a\0b") * (size // 15)),
        "PNG keywords": lambda size: png_with(*(chunk(b"tEXt", b"%d\0" % n) for n in range(size // 16))),
        "JPEG markers": lambda size: jpeg_with(b"\xff\xe5\0\2" * (size // 4)),
        "JPEG fill": lambda size: jpeg_with(b"\xff" * size),
        "JPEG XMP": lambda size: jpeg_with(*[app1(XMP + b"<a>")] * (size // 36)),
        "JPEG EXIF": lambda size: jpeg_with(*[app1(b"Exif\0\0MM\0*")] * (size // 14)),
        "WebP chunks": lambda size: webp_of(VP8, *[(b"abcd", b"")] * (size // 8)),
        "GIF blocks": lambda size: b"GIF89a\1\0\1\0\0\0\0" + b"\x21\xfe\1x\0" * (size // 5),
        "AVIF boxes": lambda size: b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + b"\0\0\0\x08free" * (size // 8),
    }.items()),
]  # fmt: skip


@pytest.mark.parametrize(("work", "unit"), TEXTS)
def test_the_time_for_a_text_grows_as_its_length(work: Callable[[str], object], unit: str) -> None:
    assert_linear(lambda size: "a" + unit * (size // len(unit)) + "b", work, QUARTER)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
@pytest.mark.parametrize(("work", "made"), MADE)
def test_the_time_for_a_file_or_a_stream_grows_as_its_length(
    work: Callable[[bytes], object], made: Callable[[int], bytes]
) -> None:
    assert_linear(made, work, QUARTER)


SCRIPT = r"""
import resource, struct, sys, threading, zlib
from flux_magic.images import codecs, metadata
from flux_magic.errors import NotAnImage
from flux_magic.images.bounded_json import parse_json

def chunk(name, body): return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
def png():
    coder, row = zlib.compressobj(9), bytes(1 + 3 * 8000)
    body = b"".join([*(coder.compress(row) for _ in range(7999)), coder.flush()])
    head = struct.pack(">IIBBBBB", 8000, 7999, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
def four(data):
    threads = [threading.Thread(target=codecs.describe, args=(data,)) for _ in range(4)]
    for one in threads: one.start()
    for one in threads: one.join()
works = {
    "a large PNG four times at once": (png, four),
    "a large PNG as JPEG": (png, lambda data: codecs.encode_for_notebook(data, "jpeg")),
    "a JPEG of 8 million markers": (lambda: b"\xff\xd8" + b"\xff\xe5\0\2" * 8_000_000, metadata.remove_metadata),
    "a PNG of 2 million chunks": (lambda: b"\x89PNG\r\n\x1a\n" + chunk(b"abCd", b"") * 2_000_000, metadata.read),
    "a WebP of 4 million chunks": (lambda: b"RIFF\xff\xff\xff\x7fWEBP" + b"abcd\0\0\0\0" * 4_000_000, codecs.describe),
    "JSON of 20 million lists": (lambda: "[" + "[]," * 20_000_000 + "0]", parse_json),
}
make, work = works[sys.argv[1]]
codecs.load()
data = make()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    work(data)
except (NotAnImage, ValueError) as error:
    print(error, file=sys.stderr)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB there")
@pytest.mark.parametrize(
    ("what", "most"),
    [
        pytest.param("a large PNG four times at once", 350, id="pixels, four at once"),
        pytest.param("a large PNG as JPEG", 350, id="pixels, encoded"),
        pytest.param("a JPEG of 8 million markers", 60, id="markers"),
        pytest.param("a PNG of 2 million chunks", 60, id="PNG chunks"),
        pytest.param("a WebP of 4 million chunks", 60, id="WebP chunks"),
        pytest.param("JSON of 20 million lists", 150, id="JSON"),
    ],
)
def test_the_memory_for_what_a_stranger_made_is_bounded(what: str, most: int) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, what], capture_output=True, text=True, check=True)
    assert int(done.stdout) < most, done.stderr


def test_an_answer_of_many_files_gives_the_first_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kind, limits, fetched = installed(monkeypatch), Limits(), []
    addresses = [f"{ADDRESS}?{number}" for number in range(3000)]
    kind.script = [answer(*addresses)]

    async def fetch(_self: object, url: str) -> bytes:
        fetched.append(url)
        return encoded()

    monkeypatch.setattr(kind, "fetch", fetch)
    made = client.generate("a fox", seed=1, store=tmp_path)
    assert isinstance(made, Generation)
    assert (len(made.files), len(fetched)) == (limits.files, limits.files)
    assert made.note == (
        "the Space sent 3,000 files, of which the first 32 are kept; the limit is 32 files and 128 MiB per response"
    )
    large = encoded() + bytes(50 * 2**20)
    monkeypatch.setattr(kind, "fetch", lambda _self, _url: _done(large))
    made = client.generate("a fox", seed=2, store=False)
    assert isinstance(made, Generation)
    assert len(made.files) == 2
    assert "3,000 files, of which the first 2 are kept" in made.note


async def _done(data: bytes) -> bytes:
    return data


def bound(path: Path) -> None:
    """Leave a socket there; its whole path may be too long for one."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name[-90:])
        Path(path.name[-90:]).rename(path.name)
    finally:
        os.chdir(here)


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


STRANGE: dict[str, Callable[[Path], object]] = {
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a socket": bound,
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link in a circle": lambda path: path.symlink_to(path.name),
    "a sparse file": sparse,
    "a link elsewhere": lambda path: path.symlink_to("/etc/passwd"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="it has none of these")
@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in STRANGE.items()])
def test_what_is_no_file_is_not_read_by_any_command(
    make: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kind = installed(monkeypatch)
    monkeypatch.setenv("FLUX_MAGIC_SHARED_STORE", "store")
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    first = client.generate("a fox", seed=1, store="store")
    assert isinstance(first, Generation)
    assert first.path
    for strange in (first.path, first.path.with_suffix(".json")):
        content = strange.read_bytes()
        strange.unlink()
        make(strange)
        in_hand.drop(first.path)
        again = client.generate("a fox", seed=1, store=False)
        assert isinstance(again, Generation)
        assert not again.replayed
        assert [one.record.seed for one in history.read_history(settings.resolve(store="store"))] in ([], [1])
        strange.rmdir() if strange.is_dir() and not strange.is_symlink() else strange.unlink()
        strange.write_bytes(content)
    assert len(kind.made) == 3
    for name in ("fox.png", "fox.ipynb", "beside.json"):
        make(Path(name))
    with pytest.raises((InvalidRequest, NotAnImage), match=r"fox\.png"):
        recall("fox.png")
    with pytest.raises(InvalidRequest, match="fox"):
        export.export("fox.ipynb")
    Path("beside.png").write_bytes(encoded())
    with pytest.raises(RecordError, match="does not say what made it"):
        recall("beside.png")
    assert not NextCell("1", "fox.ipynb").has("x")
    report = check_static([Path("fox.png"), Path("fox.ipynb"), Path("beside.png")])
    assert not report.passed
    assert all(len(str(problem).splitlines()) == 1 for problem in report.problems)


@pytest.mark.parametrize("value", [
    pytest.param("1" * 4000, id="a long number"), pytest.param("1" * 4301, id="a number too long for Python"),
    pytest.param("1e999", id="infinity"), pytest.param("1e308", id="a large float"), pytest.param("NaN", id="NaN"),
    pytest.param("[" * 600 + "]" * 600, id="deep"), pytest.param('{"a":' * 600 + "1" + "}" * 600, id="deep objects"),
    pytest.param("[" * 100_000, id="too deep"), pytest.param('"\\ud800"', id="half a character"),
    pytest.param('"\\u0000\\u001b"', id="controls"), pytest.param("null", id="null"), pytest.param("true", id="true"),
    pytest.param("-1", id="negative"), pytest.param("[]", id="a list"), pytest.param("{}", id="an object"),
])  # fmt: skip
def test_no_value_in_a_record_or_a_recipe_is_an_error_of_pythons(value: str) -> None:
    given = record(sent={"guidance": 3.5}).as_dict()
    places = [(part, name) for part in ("requested", "run", "circumstances") for name in given[part]]
    for part, name in [*places, ("files", ""), ("schema", "")]:
        whole = json.loads(json.dumps(given))
        if name:
            whole[part][name] = "HERE"
        else:
            whole[part] = "HERE"
        text = json.dumps({"record": whole}).replace('"HERE"', value)
        for keyword in (b"flux_magic", b"parameters", b"prompt", b"workflow", b"Comment", b"invokeai_metadata"):
            data = png_with(chunk(b"tEXt", keyword + b"\0" + text.encode()))
            with contextlib.suppress(FluxError):
                found = recall_bytes(data, "x.png")
                assert found.describe()
                assert json.dumps([found.as_dict(), str(found)])


def wide(width: int, height: int = 1) -> bytes:
    rows = zlib.compress((b"\0" + bytes(3 * width)) * height)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_an_image_too_long_for_an_encoding_is_png_in_a_notebook_and_told_when_saved(tmp_path: Path) -> None:
    data = wide(65535)
    assert codecs.encode_for_notebook(data, "jpeg") == ("image/png", data)
    for suffix, kind, most in (("jpg", "JPEG", "65,500"), ("webp", "WebP", "16,383")):
        says = f"cannot save 65535×1 pixels as {kind}, which has at most {most} on a side: save as .png"
        with pytest.raises(InvalidRequest) as caught:
            generation(data).save(tmp_path / f"fox.{suffix}")
        assert caught.value.message == says
    assert list(tmp_path.iterdir()) == []
    assert codecs.make_thumbnail(data, 100)


def test_pillow_warns_of_no_image(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    gif = b"GIF89a\1\0\1\0\0\0\0\x2c\0\0\0\0" + struct.pack("<HH", 10_000, 9_000) + b"\0\2\0\0;"
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff" * 2
    for data in (wide(9_500, 9_500), gif, b"RIFF" + struct.pack("<I", 22) + b"WEBP" + canvas):
        with pytest.raises(NotAnImage):
            codecs.describe(data)
        with pytest.raises(NotAnImage):
            codecs.count_frames(data)
    assert [str(one.message) for one in recwarn] == []


def test_the_budget_of_pixels_is_given_back_also_by_what_fails() -> None:
    for _ in range(5):
        with pytest.raises(NotAnImage):
            codecs.describe(wide(8000, 7000)[:-40])
    with pixels.budget.take(pixels.MOST), pixels.budget.take(pixels.MOST):
        assert codecs.describe(encoded()).width == 8


@pytest.mark.parametrize("name", ["store", "shared_store"])
@pytest.mark.parametrize(("path", "says"), [
    pytest.param("a\0b", "it holds a NUL character", id="NUL"),
    pytest.param("a\ud800b", "it holds a character that no path can have", id="half a character"),
    pytest.param("x" * 300, "it is too long", id="a long name"),
    pytest.param("x/" * 3000, "it is too long", id="a long path"),
])  # fmt: skip
def test_a_folder_that_no_path_can_name_is_told_before_anything_is_sent(
    name: str, path: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, options = installed(monkeypatch), dict[str, Any]({name: path})
    with pytest.raises(InvalidRequest, match=rf"^{name} is .*: {says}"):
        asyncio.run(AsyncClient().generate("a fox", count=1, **options))
    with pytest.raises(InvalidRequest, match=says):
        AsyncClient(**options)
    with pytest.raises(InvalidRequest, match=says):
        recall(path)
    assert kind.made == []


def test_what_was_made_or_found_is_shown_though_the_store_has_lost_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = installed(monkeypatch)
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    for replayed in (False, True):
        made = client.generate("a fox", seed=1, store=tmp_path)
        assert isinstance(made, Generation)
        assert made.path
        assert made.replayed is replayed
        data = made.path.read_bytes()
        made.path.unlink()
        assert made.build_outputs()
        assert made.data == encoded()
        made.path.write_bytes(data)
    assert len(kind.made) == 1
    known = Store(tmp_path)
    (stored,) = known
    known.delete(stored)
    assert in_hand.find(stored.files[0], stored.record.files[0].sha256) is None, "what the user deleted is gone"


def test_json_is_counted_by_its_values_and_not_by_its_commas() -> None:
    assert parse_json('["' + "," * 3_000_000 + '"]') == ["," * 3_000_000]
    with pytest.raises(ValueError, match="over 2,000,000 values"):
        parse_json("[" + "0," * 2_000_000 + "0]")
    for wrong in (b"\xff", b"[", "1" * 5000, "[" * 10**6):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever its words are
            parse_json(wrong)
    with pytest.raises(RecordError):
        parse_record(load_json("[" * 10**5))
    with pytest.raises(RecordError):
        parse_carried({"record": [1]})
