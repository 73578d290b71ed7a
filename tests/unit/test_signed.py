"""What somebody signed stays signed; and the same way of GIF and AVIF, into which nothing is written."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from flux_magic.cli import main
from flux_magic.errors import InvalidRequest, NotAnImage, SaveError
from flux_magic.images import codecs, metadata
from flux_magic.images.codecs import make_png_chunk as chunk
from flux_magic.images.metadata import Written
from flux_magic.records import embedding, sidecar, signing
from flux_magic.records.record import Carried
from flux_magic.records.store import Store
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.results.recall import recall
from flux_magic.verify import check, check_static
from flux_magic.verify.export import export
from tests.unit.samples import NO_AVIF, digest_of, drawing, encoded, generation, opened
from tests.unit.scripted import ADDRESS, installed
from tests.unit.signing import SIGNER, signed, state

SUFFIX = {"png": "png", "jpeg": "jpg", "webp": "webp", "gif": "gif", "avif": "avif"}
KINDS = [pytest.param(kind, marks=NO_AVIF if kind == "avif" else ()) for kind in SUFFIX]
EMBEDDABLE = ("png", "jpeg", "webp")
UNREADABLE = "carries content credentials (C2PA): they cannot be read: "
NO_TRUST = "the name is not verified: no trust list here has its certificate"


def noise(kind: str, **options: Any) -> bytes:
    """Return an image large enough for each encoder."""
    return encoded(kind, size=(32, 24), **options)


def outputs_bytes(made: Generation) -> bytes:
    shown = next(value for kind, value in made.build_outputs()[0].data.items() if kind.startswith("image/"))
    return base64.b64decode(shown)


def notebook_of(path: Path, made: Generation) -> Path:
    """Return a saved notebook that shows it."""
    outputs = [
        {"output_type": "display_data", "data": one.data, "metadata": one.metadata} for one in made.build_outputs()
    ]
    cell = {"cell_type": "code", "source": "%flux a red fox", "metadata": {}, "outputs": outputs}
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_image_is_saved_byte_for_byte_with_its_record_beside(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = signed(noise(kind), kind)
    made, path = generation(data), tmp_path / f"fox.{SUFFIX[kind]}"
    assert made.save(path) == [path]
    assert path.read_bytes() == data
    assert state(path.read_bytes(), kind) == "Valid"
    assert {one.name for one in tmp_path.iterdir()} == {path.name, "fox.json"}
    assert "signed (content credentials, C2PA)" in capsys.readouterr().err
    found = recall(path)
    assert found.record == made.record
    assert found.generation is not None
    assert found.generation.data == data
    assert str(found.credentials) == f"signed by {SIGNER}, unchanged since; {NO_TRUST}"
    (verdict,) = check_static(tmp_path).verdicts
    assert (verdict.status.value, verdict.static.value, verdict.record) == ("pass", "intact", made.record)

    assert made.save(path) == [path]  # the same once more is a success
    assert main(["info", str(path)]) == 0
    assert f"C2PA       signed by {SIGNER}" in capsys.readouterr().out
    place = len(data) - 30
    altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    assert f"signed by {SIGNER}, but altered since (" in str(signing.read(altered))


@pytest.mark.parametrize("kind", EMBEDDABLE)
def test_a_signed_image_leaves_store_notebook_and_export_as_it_came(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    data = signed(noise(kind), kind)
    made = generation(data)
    stored = Store(tmp_path / "store").put(made.record, [data])
    assert stored.read() == data
    report = export(notebook_of(tmp_path / "fox.ipynb", made))
    assert report.written == 1
    (exported,) = (one for one in report.folder.iterdir() if one.suffix != ".json")
    assert exported.read_bytes() == data
    assert recall(exported).record == made.record
    shown = outputs_bytes(made)
    said = made.build_outputs()[1].data["text/plain"]
    if kind == "webp":  # shown as JPEG
        assert embedding.read(shown) is not None
        assert "signed  by content credentials (C2PA), in the delivered file; this copy has none" in said
    else:
        assert shown == data
        assert "signed  by content credentials (C2PA), kept in this copy" in said
    assert check_static([tmp_path / "fox.ipynb", report.folder]).passed
    assert "signed" not in generation(noise(kind)).build_outputs()[1].data["text/plain"]


@pytest.mark.parametrize("kind", EMBEDDABLE)
@pytest.mark.parametrize("remote", ["", "http://127.0.0.1:9/fox.c2pa"], ids=["inside", "elsewhere"])
def test_stripped_the_record_goes_inside_and_no_credentials_are_left(kind: str, remote: str, tmp_path: Path) -> None:
    data = signed(noise(kind), kind, remote, embed=not remote)
    made, path = generation(data), tmp_path / f"fox.{SUFFIX[kind]}"
    assert embedding.is_signed(data)
    made.save(path, strip_credentials=True)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    left = path.read_bytes()
    assert (state(left, kind), embedding.is_signed(left)) == ("none", False)
    assert opened(left).tobytes() == opened(data).tobytes()
    assert recall(path).record == made.record
    assert check_static(path).passed
    made.save(path, overwrite=True, strip_credentials=True, metadata=False)
    assert (state(path.read_bytes(), kind), embedding.read(path.read_bytes())) == ("none", None)
    with pytest.raises(SaveError, match="another file of the same image"):
        made.save(path)
    assert "this copy has none" in generation(data).build_outputs()[1].data["text/plain"] or kind != "webp"


def test_the_magic_strips_what_it_embeds_and_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flux_magic.client.async_client import AsyncClient
    from flux_magic.jupyter.cell import read

    data = signed(noise("png"), "png")
    installed(monkeypatch).pictures = {ADDRESS: data}
    asked = read("--strip-credentials --seed 1", "a red fox", {})
    assert isinstance(asked.images, list)
    made = asyncio.run(AsyncClient(store=False).make(asked.images[0], asked.settings))
    assert made.data == data
    copy = embedding.describe_copy(embedding.remove_signature(data), made.record, 0, same_pixels=True)
    assert embedding.read(outputs_bytes(made)) == Carried(made.record, copy)
    made.save(tmp_path / "fox.png")
    assert state((tmp_path / "fox.png").read_bytes(), "png") == "none"


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        pytest.param("png", "fox.jpg", "saved as .jpg, another encoding, the image loses its content cred", id="JPEG"),
        pytest.param("webp", "fox.png", "saved as .png, another encoding, the image loses its content cred", id="PNG"),
        pytest.param(
            "avif",
            "fox.webp",
            "saved as .webp, another encoding, the image loses its content",
            id="WebP",
            marks=NO_AVIF,
        ),
    ],
)
def test_another_encoding_says_that_it_loses_the_credentials(
    kind: str, name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = generation(signed(noise(kind), kind))
    Generations([made, made]).save(tmp_path / "all")
    assert capsys.readouterr().err.count("note: ") == 1  # once, however many there are
    made.save(tmp_path / name)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "fox.json").exists()
    assert recall(tmp_path / name).record == made.record
    made.save(tmp_path / name, overwrite=True, strip_credentials=True)  # it was meant
    assert "loses" not in capsys.readouterr().err


def test_a_record_beside_takes_no_file_of_anybody_else(tmp_path: Path) -> None:
    first, second = (generation(signed(noise("png", colour=colour), "png")) for colour in (1, 2))
    mine, path = tmp_path / "fox.json", tmp_path / "fox.png"
    mine.write_text('{"my": "notes"}')
    first.save(path)
    assert mine.read_text() == '{"my": "notes"}'
    assert recall(path).record == first.record
    second.save(path, overwrite=True)  # its record is replaced along with the image
    assert {one.name for one in tmp_path.iterdir()} == {"fox.json", "fox.png", "fox.png.json"}
    assert recall(path).record == second.record
    (tmp_path / "fox.png.json").write_text("[]")
    with pytest.raises(SaveError, match=r"fox\.json and fox\.png\.json are there already"):
        first.save(path, overwrite=True)
    assert path.read_bytes() == second.data
    first.save(path, overwrite=True, metadata=False)
    assert (path.read_bytes(), (tmp_path / "fox.png.json").read_text()) == (first.data, "[]")

    folder = tmp_path / "two"  # two formats of one name, each with a record of its own
    folder.mkdir()
    others = {kind: generation(signed(noise(kind), kind)) for kind in ("png", "webp")}
    for kind, made in others.items():
        made.save(folder / f"fox.{kind}")
    assert all(recall(folder / f"fox.{kind}").record == made.record for kind, made in others.items())
    assert check_static(folder).passed


def in_png(body: bytes) -> bytes:
    data = noise("png")
    return data[:33] + chunk(b"caBX", body) + data[33:]


def in_jpeg(body: bytes) -> bytes:
    data = noise("jpeg")
    return data[:2] + b"\xff\xeb" + struct.pack(">H", len(body) + 2) + body + data[2:]


def in_webp(body: bytes) -> bytes:
    data = noise("webp") + b"C2PA" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


BOX = b"JP\0\1\0\0\0\1" + b"\0\0\0\x26jumb" + b"\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa\0"


def broken_by_an_older_version() -> bytes:
    data = signed(noise("png"), "png")
    made = generation(data)
    text = json.dumps(Carried(made.record, embedding.describe_copy(data, made.record, 0)).as_dict())
    return metadata.embed(data, Written("a red fox\nSteps: 4, Seed: 42, Size: 8x6", text, "a red fox", "m", "", False))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(noise("png"), None, id="a PNG without"),
        pytest.param(in_png(b""), None, id="an empty caBX"),
        pytest.param(in_png(b"garbage" * 99), UNREADABLE, id="a caBX of no box"),
        pytest.param(in_png(b"\xff" * 500_000), UNREADABLE, id="a large one"),
        pytest.param(in_jpeg(b"JP"), None, id="an APP11 that ends"),
        pytest.param(in_jpeg(b"HDR_RI ver=11"), None, id="an APP11 of another kind"),
        pytest.param(in_jpeg(BOX.replace(b"c2pa", b"zzzz")), None, id="a JUMBF box of another kind"),
        pytest.param(in_jpeg(BOX), UNREADABLE, id="a box that is empty"),
        pytest.param(in_webp(b""), None, id="an empty C2PA chunk"),
        pytest.param(in_webp(b"?"), UNREADABLE, id="a C2PA chunk of no box"),
        pytest.param(in_webp(b"?" * 60)[:-20], None, id="a C2PA chunk in a RIFF that is cut"),
        pytest.param(
            signed(noise("webp"), "webp", "http://127.0.0.1:9/fox", embed=False),
            "carries content credentials (C2PA): they are on a server, which is not asked",
            id="elsewhere",
        ),
        pytest.param(
            broken_by_an_older_version(),
            f"signed by {SIGNER}, but altered since (its bytes); {NO_TRUST}",
            id="embedded",
        ),
    ],
)
def test_credentials_of_strangers_are_told_and_never_a_traceback(
    data: bytes, said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = signing.read(data)
    assert str(found).startswith(said) if said else found is None
    with contextlib.suppress(NotAnImage):  # but for one that cannot be decoded, it is saved, and found again
        made = generation(data)
        made.save(tmp_path / "fox", overwrite=True)
        (path,) = (one for one in (tmp_path / "fox").iterdir() if one.suffix != ".json")
        assert (recall(path).record == made.record) == (embedding.read(data) is None)
        assert (path.read_bytes() == data) == (path.with_suffix(".json").exists())
    monkeypatch.setitem(sys.modules, "c2pa", None)  # not installed
    unread = signing.read(data)
    assert (unread is None) == (found is None)
    if unread:
        assert str(unread) == (
            'carries content credentials (C2PA): to see who signed it, run pip install "flux-magic[sign]"'
        )


def test_what_an_older_version_embedded_into_a_signed_image_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "fox.png"
    path.write_bytes(broken_by_an_older_version())
    found = recall(path)
    assert found.record is not None
    assert "but altered since" in found.describe()
    assert found.as_dict()["credentials"] == {
        "state": "altered",
        "signer": SIGNER,
        "trusted": False,
        "detail": "",
        "parts": ["its bytes"],
        "signed": None,
        "stamped": None,
        "tool": "tests 1",
        "creator": None,
        "ingredients": [],
    }
    assert check_static(path).passed


def test_an_image_without_a_record_says_at_least_who_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fox.jpg"
    path.write_bytes(signed(noise("jpeg"), "jpeg"))
    assert main(["info", str(path)]) == 1
    said = capsys.readouterr().err
    assert "does not say what made it" in said
    assert f"The file is signed by {SIGNER}" in said


@pytest.mark.parametrize("kind", KINDS[3:])
def test_a_gif_and_an_avif_are_kept_shown_saved_recalled_and_verified(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flux_magic.client.async_client import AsyncClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    frames = [drawing(size=(32, 24), colour=colour).convert("RGB") for colour in (120, 240)]
    data = noise(kind, save_all=True, append_images=frames)
    mine = installed(monkeypatch)
    mine.pictures = {ADDRESS: data}
    client = AsyncClient(seed=42, replay="auto")
    made = asyncio.run(client.generate("a red fox"))
    again = asyncio.run(client.generate("a red fox"))
    assert isinstance(made, Generation)
    assert isinstance(again, Generation)
    assert (again.replayed, again.data, len(mine.made)) == (True, data, 1)
    assert made.path is not None
    assert made.path.suffix == f".{kind}"
    assert made.digest == digest_of(opened(data))
    assert (made.files[0].media_type, made.record.files[0].media_type) == (f"image/{kind}",) * 2
    image, table = made.build_outputs()
    assert list(image.data) == ["image/png", "text/plain"]
    assert digest_of(opened(outputs_bytes(made))) == made.digest
    assert "frames  3, of which the first is shown" in table.data["text/plain"]
    assert opened(codecs.make_thumbnail(data, 16)).size == (16, 12)
    assert Generations([made, again]).grid().size[0] > 32

    folder = tmp_path / "saved"
    made.save(folder)
    (saved,) = folder.glob(f"*.{kind}")
    assert saved.read_bytes() == data
    assert recall(saved).record == made.record
    made.save(folder / "fox.png")
    assert "loses all but the first of its 3 frames" in capsys.readouterr().err
    assert embedding.read((folder / "fox.png").read_bytes()) is not None
    made.save(folder / f"again.{kind}")
    with pytest.raises(InvalidRequest, match=rf"\.{kind} is for an image that came as such"):
        generation().save(folder / f"other.{kind}")
    (folder / f"stray.{kind}").write_bytes(data)  # of no record, in a folder: none of ours
    assert check_static([folder, tmp_path / "store"]).counts == {"intact": 4}
    notebook = notebook_of(tmp_path / "fox.ipynb", made)
    assert check_static(notebook).passed
    assert export(notebook).written == 1
    live = asyncio.run(check([saved, notebook, folder / "fox.png"], space=mine.url))
    assert live.counts in ({"same bytes": 3}, {"same bytes": 1, "same pixels": 2})
    (folder / f"stray.{kind}").with_suffix(".json").write_text(sidecar.format_record(generation().record))
    assert not check_static(folder).passed


def test_a_pillow_without_avif_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\0\0\0\x1cftypavif" + bytes(40)
    monkeypatch.setattr(codecs, "can_read_avif", lambda: False)
    with pytest.raises(NotAnImage, match="is AVIF, which this Pillow cannot read") as error:
        codecs.decode(data)
    assert error.value.hint == "Upgrade Pillow: pip install --upgrade pillow."
