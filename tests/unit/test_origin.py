"""From an image back to the cell that makes it: ours and other tools', whole, altered and hostile."""

from __future__ import annotations

import asyncio
import io
import json
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets import Widget
from PIL import Image, PngImagePlugin

import flux_magic
from flux_magic.client import blocking
from flux_magic.client import recall as provenance
from flux_magic.errors import FluxError, InvalidRequest, NotAnImage, RecordError
from flux_magic.images import codecs, metadata
from flux_magic.images.codecs import make_png_chunk as chunk
from flux_magic.jupyter.panel import Panel
from flux_magic.parameters import settings
from flux_magic.parameters.table import Parameter
from flux_magic.providers.base import ModelDescription
from flux_magic.providers.gradio.any_space import AnySpace
from flux_magic.records import embedding
from flux_magic.records.record import Carried
from flux_magic.records.store import Store, get_export_path, write
from flux_magic.results.generation import Generation
from flux_magic.results.recall import Recalled, recall, recall_bytes, recall_generation
from flux_magic.types import Record
from tests.unit.samples import drawing, encoded, generation, record
from tests.unit.scripted import close, installed
from tests.unit.test_command import asked_by

NATIVE = {"png": encoded(), "jpg": encoded("jpeg"), "webp": encoded("webp", lossless=True)}


def requested(made: Record) -> dict[str, Any]:
    """Return what the cell of a record has to ask for."""
    return {
        "prompt": made.prompt,
        "steps": made.steps,
        "seed": made.seed,
        "width": made.requested_width,
        "height": made.requested_height,
    }


@pytest.mark.parametrize("suffix", NATIVE)
def test_an_image_of_ours_gives_back_the_cell_that_made_it(tmp_path: Path, suffix: str) -> None:
    made = generation(NATIVE[suffix], prompt="a {red} fox\nin the snow", requested_width=1025)
    [path] = made.save(tmp_path / f"fox.{suffix}")
    found = recall(path)
    assert (found.name, found.tool, found.unmatched) == (str(path), "flux_magic", ())
    assert found.record == made.record
    assert found.cell == made.command()
    assert asked_by(found.cell) == requested(made.record)
    assert found.options == {**requested(made.record), "model": "flux"}
    assert found.generation is not None
    assert (found.generation.data, found.generation.record) == (made.data, made.record)
    assert str(found) == f"{path}: made with flux_magic, by {made.record.model}\n\n{made.command()}"


@pytest.mark.parametrize("suffix", NATIVE)
@pytest.mark.parametrize("delivered", NATIVE)
def test_another_encoding_gives_the_cell_but_not_the_image_as_it_was_delivered(
    tmp_path: Path, delivered: str, suffix: str
) -> None:
    made = generation(NATIVE[delivered])
    [path] = made.save(tmp_path / f"fox.{suffix}")
    found = recall(path)
    assert found.cell == made.command()
    assert found.unmatched == ()
    assert (found.generation is not None) == (delivered == suffix)


def test_the_second_picture_of_a_job_is_that_one(tmp_path: Path) -> None:
    made = generation(encoded(), NATIVE["webp"])
    _, second = made.save(tmp_path)
    found = recall(second).generation
    assert found is not None
    assert found.data == NATIVE["webp"]
    assert found.record.files == made.record.files[1:]
    [again] = found.save(tmp_path / "again.webp")
    assert again.read_bytes() != NATIVE["webp"]


def test_the_model_and_the_space_are_in_the_cell(tmp_path: Path) -> None:
    made = generation(requested_model="flux-schnell", requested_space="owner/name")
    found = recall(*made.save(tmp_path / "fox.png"))
    assert found.options["space"] == "owner/name"
    assert asked_by(found.cell) == {**requested(made.record), "model": "flux-schnell", "space": "owner/name"}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bare_file_of_a_store_is_known_by_the_record_beside_it(tmp_path: Path, place: int) -> None:
    made = generation(*NATIVE.values())
    stored = Store(tmp_path, None).put(made.record, [file.data for file in made.files])
    found = recall(stored.files[place])
    assert found.cell == made.command()
    assert found.unmatched == ()
    assert found.generation is not None
    assert found.generation.data == list(NATIVE.values())[place]


def test_the_record_beside_a_file_is_over_what_its_space_wrote_into_it(tmp_path: Path) -> None:
    made = generation(png({"parameters": "something else\nSteps: 9, Sampler: x, Seed: 9"}))
    stored = Store(tmp_path, None).put(made.record, [made.data])
    assert recall(stored.files[0]).record == made.record


@pytest.mark.parametrize(
    "beside", [b"", b"{}", json.dumps(record().as_dict()).encode()], ids=["empty", "no record", "of another image"]
)
def test_a_record_beside_a_file_that_is_not_its_own_tells_nothing(tmp_path: Path, beside: bytes) -> None:
    (tmp_path / "fox.png").write_bytes(encoded())
    (tmp_path / "fox.json").write_bytes(beside)
    with pytest.raises(RecordError, match="does not say what made it"):
        recall(tmp_path / "fox.png")


def test_a_file_in_the_folder_beside_a_notebook_is_known(tmp_path: Path) -> None:
    made = generation(*NATIVE.values())
    inside = [embedding.embed_restorable(file.data, made.record, place) for place, file in enumerate(made.files)]
    stored = write(get_export_path(tmp_path, made.record), made.record, inside)
    for path, data in zip(stored.files, NATIVE.values(), strict=True):
        found = recall(path)
        assert found.record == made.record
        assert found.generation is not None
        assert found.generation.data == data
        path.with_name("moved").write_bytes(path.read_bytes())
        assert recall(path.with_name("moved")).cell == made.command()


def test_a_picture_that_a_decoder_reads_although_it_is_not_whole_has_its_record_beside_it(tmp_path: Path) -> None:
    cut = encoded()[:-12]
    made = generation(cut)
    stored = Store(tmp_path, None).put(made.record, [cut])
    assert recall(stored.files[0]).cell == made.command()


def altered(suffix: str, tmp_path: Path, **options: Any) -> Path:
    """Return an image of ours with one pixel changed, saved by another program that keeps the metadata."""
    [path] = generation(NATIVE[suffix]).save(tmp_path / f"fox.{suffix}")
    with Image.open(path) as image:
        texts = PngImagePlugin.PngInfo()
        for name, text in getattr(image, "text", {}).items():
            texts.add_itxt(name, text)
        kept = {"pnginfo": texts} if suffix == "png" else {"xmp": image.info["xmp"], "exif": image.info["exif"]}
        changed = image.convert("RGB")
    changed.putpixel((0, 0), (255, 255, 255))
    changed.save(path, **kept, **options)
    return path


@pytest.mark.parametrize("suffix", NATIVE)
def test_an_altered_picture_is_called_so_and_its_cell_makes_what_it_was(tmp_path: Path, suffix: str) -> None:
    found = recall(altered(suffix, tmp_path))
    assert found.unmatched == ("the image was altered since: its cell makes the original",)
    assert found.cell == generation(NATIVE[suffix]).command()
    assert found.generation is None
    assert "\n  - the image was altered" in str(found)


def test_the_same_pixels_in_other_bytes_are_not_altered(tmp_path: Path) -> None:
    [path] = generation().save(tmp_path / "fox.png")
    with Image.open(path) as image:
        texts = PngImagePlugin.PngInfo()
        for name, text in getattr(image, "text", {}).items():
            texts.add_itxt(name, text)
        image.save(path, pnginfo=texts, compress_level=0)
    assert recall(path).unmatched == ()


def carrying(data: bytes, record_text: str, parameters: str = "") -> bytes:
    """Return an image with this text where our record is."""
    return metadata.embed(data, metadata.Written(parameters, record_text, "a fox", "x", "", drawn=False))


def test_what_carries_no_word_of_its_copy_is_taken_as_it_is() -> None:
    found = recall_bytes(carrying(encoded(), json.dumps({"record": record().as_dict()})), "fox.png")
    assert found.unmatched == ()
    assert found.generation is None
    assert found.cell == generation().command()


def test_an_unknown_seed_is_said_and_left_out_of_the_cell(tmp_path: Path) -> None:
    found = recall(*generation(seed=None).save(tmp_path / "fox.png"))
    assert found.unmatched == ("its seed is not known: the Space chose it and did not report it",)
    assert found.generation is None
    assert "seed" not in found.options
    assert "--seed" not in found.cell


def test_a_record_that_no_request_can_have_made_still_gives_its_cell() -> None:
    made = replace(generation().record, prompt=" ")
    inside, _ = embedding.embed_record(encoded(), made, 0)
    found = recall_bytes(inside, "fox.png")
    assert (found.record, found.generation) == (made, None)
    assert asked_by(found.cell) == requested(made)


def test_an_image_of_this_process_is_its_own_origin() -> None:
    made = generation()
    found = recall_generation(made, "image 1 from the last")
    assert found.generation is made
    assert found.cell == made.command()
    assert str(found).startswith("image 1 from the last: made with flux_magic")


def png(texts: dict[str, str]) -> bytes:
    """Return a PNG with these strings, as Pillow writes them."""
    info, out = PngImagePlugin.PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_text(name, text)
    drawing().save(out, "PNG", pnginfo=info)
    return out.getvalue()


def with_comment(kind: str, text: str) -> bytes:
    """Return a JPEG or WebP with EXIF's UserComment, as AUTOMATIC1111's web UI writes it."""
    exif = Image.Exif()
    exif[0x8769] = {0x9286: b"UNICODE\0" + text.encode("utf-16-be")}
    out = io.BytesIO()
    drawing().save(out, kind, exif=exif)
    return out.getvalue()


A1111 = (
    "a red fox <lora:fluffy:0.8>, (snow:1.2)\nNegative prompt: a hen\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x768, Model: dreams"
)
GRAPH = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "flux/dev.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "a hen", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 1234, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0],
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "fox"}},
}  # fmt: skip
INVOKE = {
    "app_version": "5.0", "generation_mode": "txt2img", "positive_prompt": "a red fox", "negative_prompt": "a hen",
    "width": 512, "height": 768, "seed": 1234, "steps": 20, "cfg_scale": 7.5, "scheduler": "euler",
    "model": {"name": "dreams"},
}  # fmt: skip
SWARM = {
    "sui_image_params": {
        "prompt": "a red fox", "negativeprompt": "a hen", "model": "dreams", "seed": 1234, "steps": 20, "cfgscale": 7,
        "width": 512, "height": 768, "swarm_version": "0.9",
    }
}  # fmt: skip
FOX = {"prompt": "a red fox", "steps": 20, "seed": 1234, "width": 512, "height": 768}
REFUSED = {"guidance 7: FLUX.1-schnell takes none", 'negative prompt "a hen": FLUX.1-schnell takes none'}


@pytest.mark.parametrize(
    ("data", "tool", "options", "named"),
    [
        pytest.param(
            png({"parameters": A1111}),
            "AUTOMATIC1111",
            {**FOX, "prompt": "a red fox, (snow:1.2)"},
            {*REFUSED, "LoRA: fluffy (0.8)", "sampler: Euler a", "model: dreams"},
            id="AUTOMATIC1111's PNG",
        ),
        pytest.param(
            with_comment("JPEG", A1111),
            "AUTOMATIC1111",
            {**FOX, "prompt": "a red fox, (snow:1.2)"},
            {"sampler: Euler a"},
            id="AUTOMATIC1111's JPEG",
        ),
        pytest.param(
            with_comment("WEBP", A1111),
            "AUTOMATIC1111",
            {**FOX, "prompt": "a red fox, (snow:1.2)"},
            {"sampler: Euler a"},
            id="AUTOMATIC1111's WebP",
        ),
        pytest.param(
            png({"prompt": json.dumps(GRAPH), "workflow": json.dumps({"nodes": []})}),
            "ComfyUI",
            FOX,
            {*REFUSED, "sampler: euler", "model: dev"},
            id="ComfyUI's PNG",
        ),
        pytest.param(
            png({"invokeai_metadata": json.dumps(INVOKE)}),
            "InvokeAI",
            FOX,
            {"model: dreams", "guidance 7.5: FLUX.1-schnell takes none"},
            id="InvokeAI's PNG",
        ),
        pytest.param(
            png({"parameters": json.dumps(SWARM)}),
            "SwarmUI",
            FOX,
            {*REFUSED, "model: dreams"},
            id="SwarmUI's PNG",
        ),
    ],
)
def test_an_image_of_another_tool_gives_a_cell_and_names_what_has_no_counterpart(
    tmp_path: Path, data: bytes, tool: str, options: dict[str, Any], named: set[str]
) -> None:
    (tmp_path / "fox").write_bytes(data)
    found = recall(tmp_path / "fox")
    assert (found.tool, found.usable, found.record, found.generation) == (tool, options, None, None)
    assert {**found.options, "guidance": 7} == {**options, "guidance": 7, "negative_prompt": "a hen"}
    assert set(found.unmatched) >= named
    assert asked_by(found.cell) == options
    assert str(found).startswith(f"{tmp_path / 'fox'}: made with {tool}\n  - ")


IMG2IMG = f"{A1111}, Denoising strength: 0.4"


@pytest.mark.parametrize(
    ("space", "fetched", "flags", "notes"),
    [
        pytest.param(None, (), "", {*REFUSED, "strength 0.4: FLUX.1-schnell takes none"}, id="a model that takes none"),
        pytest.param(
            "a/b",
            (),
            ' --guidance 7 --negative "a hen"',
            {"strength 0.4: it needs the image, --image"},
            id="not known yet",
        ),
        pytest.param(
            "a/b",
            ("guidance", "strength"),
            " --guidance 7 --strength 0.4",
            {'negative prompt "a hen": a/b takes none'},
            id="a Space that was asked before",
        ),
    ],
)
def test_the_cell_has_what_the_model_at_hand_takes_and_a_note_names_the_rest(
    monkeypatch: pytest.MonkeyPatch, space: str | None, fetched: tuple[str, ...], flags: str, notes: set[str]
) -> None:
    rows = tuple(Parameter(name=name, help="") for name in fetched)
    known = ModelDescription("m", "p", rows) if fetched else None
    monkeypatch.setattr(AnySpace, "recall_description", lambda *_: known)
    monkeypatch.setattr(settings, "_configured", lambda: {"space": space})
    found = recall_bytes(png({"parameters": IMG2IMG}), "fox.png")
    assert found.cell.split("\n")[0] == f"%%flux --steps 20 --seed 1234 --size 512x768{flags}"
    assert {"guidance": 7, "negative_prompt": "a hen", "strength": 0.4}.items() <= found.options.items()
    assert "an image that it starts from" in found.unmatched
    assert {one for one in found.unmatched if one.startswith(("guidance", "negative", "strength"))} == notes


@pytest.mark.parametrize(
    ("told", "cell", "unmatched"),
    [
        pytest.param("Seed: 3", "%%flux --steps 20 --seed 3\na red fox", "sampler: Euler", id="no size"),
        pytest.param("Size: 4x4", "%%flux --steps 20\na red fox", "size: 4×4", id="no seed and too small a size"),
    ],
)
def test_what_another_tool_does_not_say_is_left_to_the_defaults(told: str, cell: str, unmatched: str) -> None:
    found = recall_bytes(png({"parameters": f"a red fox\nSteps: 20, Sampler: Euler, {told}"}), "fox.png")
    assert found.cell == cell
    assert unmatched in found.unmatched


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{", "the record is no JSON", id="no JSON"),
        pytest.param("[" * 99_999, "nested", id="nested"),
        pytest.param("{}", "must contain ['record']", id="no record"),
        pytest.param('{"record": {"schema": 1}}', "the record is not whole", id="not whole"),
        pytest.param('{"record": {"schema": 3}}', "the record is of version 3", id="of a later version"),
    ],
)
def test_a_damaged_record_is_said_and_the_text_beside_it_is_taken(text: str, says: str) -> None:
    ours = metadata.format_a1111(
        prompt="a red fox", steps=4, seed=42, width=256, height=192, model="m", version="flux_magic 9.0"
    )
    found = recall_bytes(carrying(encoded(), text, ours), "fox.png")
    assert asked_by(found.cell) == {"prompt": "a red fox", "steps": 4, "seed": 42, "width": 256, "height": 192}
    assert says in found.unmatched[0]
    with pytest.raises(RecordError, match=r"^fox\.png: the record") as caught:
        recall_bytes(carrying(encoded(), text), "fox.png")
    assert says in caught.value.message
    assert ("pip install --upgrade" in caught.value.hint) == ("version 3" in says)


HOSTILE = [
    pytest.param({"space": "local --save /tmp/x --overwrite"}, id="options behind a Space"),
    pytest.param({"space": "local\n%%bash\nrm -r x"}, id="lines behind a Space"),
    pytest.param({"space": "--save"}, id="an option as a Space"),
    pytest.param({"space": ""}, id="an empty Space"),
    pytest.param({"space": "'a/b"}, id="a quote"),
    pytest.param({"model": 'flux" --proxy http://evil.example'}, id="options behind a model"),
    pytest.param({"model": "flux\u2028--yes"}, id="a line separator"),
]


@pytest.mark.parametrize("changes", HOSTILE)
def test_a_strangers_picture_smuggles_no_options_into_its_cell(changes: dict[str, str]) -> None:
    made = record(**{f"requested_{name}": value for name, value in changes.items()})
    found = recall_bytes(carrying(encoded(), json.dumps({"record": made.as_dict()})), "fox.png")
    assert asked_by(found.cell) == {**requested(made), **changes}


WORDS = st.one_of(st.text(max_size=8), st.sampled_from(["local", "a/b", "--save x", "a\nb", "'", '"a b"', "-", "x=y"]))


@given(space=WORDS, model=WORDS.filter(lambda model: model not in {"", "flux"}))
def test_whatever_a_picture_names_its_cell_asks_for_that_and_no_more(space: str, model: str) -> None:
    made = record(requested_space=space, requested_model=model)
    found = recall_bytes(carrying(encoded(), json.dumps({"record": made.as_dict()})), "fox.png")
    assert asked_by(found.cell) == {**requested(made), "space": space, "model": model}


def bomb(*chunks: bytes) -> bytes:
    """Return a PNG of 60,000 by 60,000 pixels, as its head says."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def long_text(*, packed: bool) -> bytes:
    """100 MB of text in one chunk."""
    text = b"a" * 100_000_000
    packed_text = b"parameters\0\0" + zlib.compress(text, 1)
    return bomb(chunk(b"zTXt", packed_text) if packed else chunk(b"tEXt", b"parameters\0" + text))


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        pytest.param(encoded(), RecordError, "the image does not say what made it", id="no metadata"),
        pytest.param(encoded("jpeg"), RecordError, "the image does not say what made it", id="JPEG without metadata"),
        pytest.param(png({"parameters": "Steps: 20, Sampler: Euler, Seed: 1"}), RecordError, "prompt", id="no prompt"),
        pytest.param(
            png({"prompt": json.dumps({"1": GRAPH["4"]})}),
            RecordError,
            "its prompt is not in the file",
            id="no sampler",
        ),
        pytest.param(b"", NotAnImage, "is empty, not PNG, JPEG, WebP, GIF or AVIF", id="empty"),
        pytest.param(b"%PDF-1.7", NotAnImage, "is PDF, which flux_magic cannot show", id="PDF"),
        pytest.param(encoded("gif"), RecordError, "does not say what made it", id="GIF"),
        pytest.param(encoded()[:-20], NotAnImage, "damaged", id="PNG cut short"),
        pytest.param(encoded()[:20], NotAnImage, "damaged", id="PNG without a head"),
        pytest.param(encoded("webp")[:30], NotAnImage, "damaged", id="WebP cut short"),
        pytest.param(b"\xff\xd8\xff", NotAnImage, "damaged", id="JPEG of three bytes"),
        pytest.param(bomb(), RecordError, "does not say what made it", id="bomb"),
        pytest.param(bomb(chunk(b"tEXt", b"parameters\0a fox")[:-1] + b"x"), NotAnImage, "checksum", id="checksum"),
        pytest.param(bomb(b"\xff\xff\xff\xfftEXt"), NotAnImage, "reaches beyond the end", id="endless chunk"),
    ],
)
def test_whatever_cannot_be_told_is_one_clear_line(
    tmp_path: Path, data: bytes, error: type[FluxError], says: str
) -> None:
    path = tmp_path / "fox.png"
    path.write_bytes(data)
    with pytest.raises(error) as caught:
        recall(path)
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300


@pytest.mark.thorough
@pytest.mark.parametrize("packed", [False, True])
def test_a_text_of_100_mb_is_refused_in_one_clear_line(tmp_path: Path, *, packed: bool) -> None:
    path = tmp_path / "fox.png"
    path.write_bytes(long_text(packed=packed))
    with pytest.raises(NotAnImage, match=r"^this PNG is not read: its .* chunk 'parameters' holds over 8 MiB of text$"):
        recall(path)


@pytest.mark.parametrize("data", [encoded().replace(b"IDAT", b"IDAX"), bomb()], ids=["damaged", "a bomb"])
def test_a_picture_that_is_not_decoded_is_called_altered(data: bytes) -> None:
    made = generation()
    carried = Carried(made.record, embedding.describe_copy(made.data, made.record, 0))
    found = recall_bytes(carrying(data, json.dumps(carried.as_dict())), "fox.png")
    assert "altered" in found.unmatched[0]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("missing.png", r"cannot read missing\.png: No such file or directory", id="missing"),
        pytest.param("folder", "cannot read folder: it is a folder, not a file", id="a folder"),
        pytest.param("pipe", "cannot read pipe: it is a device, a pipe or a socket, not a file", id="a pipe"),
        pytest.param("/dev/zero", "cannot read /dev/zero: it is a device, a pipe", id="a device"),
        pytest.param("a\0b", "cannot read a\ufffdb: it holds a NUL character", id="NUL"),
        pytest.param("~nobody_here_7/x.png", "cannot read ~nobody_here_7/x.png: .*home", id="nobody's home"),
        pytest.param("x" * 5000, "cannot read x+: it is too long: File name too long", id="a long name"),
        pytest.param("", "cannot read : it is a folder, not a file", id="nothing"),
    ],
)
def test_what_is_no_file_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidRequest, match=says):
        recall(name)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.write(encoded())
        file.truncate(300 * 2**20)
    with pytest.raises(InvalidRequest, match=r"huge\.png: it has over 256 MiB$"):
        recall(path)


def test_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generation().save(tmp_path / "fox.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert recall("~/fox.png").cell == generation().command()


def test_an_image_behind_a_url_is_fetched_and_a_password_there_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def fetched(url: str, _settings: settings.Settings) -> bytes:
        asked.append(url)
        return embedding.embed_record(encoded(), generation().record, 0)[0]

    monkeypatch.setattr(provenance, "fetch_image", fetched)
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    found = flux_magic.recall("HTTPS://user:password@space.example/fox.png")
    assert asked == ["HTTPS://user:password@space.example/fox.png"]
    assert found.name == "HTTPS://***@space.example/fox.png"
    assert found.cell == generation().command()


@contextmanager
def opened(what: Recalled, **options: Any) -> Iterator[Panel]:
    """Provide a panel that opens with what was found; nothing of it is left."""
    panel = Panel(what, **options)
    try:
        yield panel
    finally:
        close(panel)


@pytest.fixture
def _panels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    installed(monkeypatch)
    blocking.history.clear()
    before = set(Widget.get_manager_state()["state"])
    yield
    assert set(Widget.get_manager_state()["state"]) == before


@pytest.mark.usefixtures("_panels")
def test_a_panel_opens_with_an_image_of_ours_and_what_made_it(tmp_path: Path) -> None:
    made = generation(seed=9, requested_space="c/d", prompt="a hen")
    [path] = made.save(tmp_path / "hen.png")
    with opened(flux_magic.recall(path)) as panel:
        assert (panel.prompt, panel.seed, panel.space) == ("a hen", 9, "c/d")
        assert (panel.width, panel.height, panel.steps) == (256, 192, 4)
        assert isinstance(panel.generation, Generation)
        assert panel.generation.data == made.data


@pytest.mark.usefixtures("_panels")
def test_a_panel_opens_with_what_made_an_image_of_another_tool(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(png({"invokeai_metadata": json.dumps(INVOKE)}))
    with opened(flux_magic.recall(tmp_path / "fox.png"), steps=4) as panel:
        assert (panel.prompt, panel.seed, panel.width, panel.height) == ("a red fox", 1234, 512, 768)
        assert (panel.steps, panel.generation) == (4, None)


def test_a_recalled_image_is_asked_for_by_its_cell_and_gives_the_same_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed(monkeypatch)
    first = asyncio.run(flux_magic.AsyncClient().generate("a {fox}", seed=3, width=1031, store=False))
    assert isinstance(first, Generation)
    [path] = first.save(tmp_path / "fox.png")
    again = asyncio.run(flux_magic.AsyncClient().generate(**asked_by(recall(path).cell), store=False))
    assert isinstance(again, Generation)
    assert again.request == replace(first.request, typed=None)
    assert again.digest == first.digest == codecs.describe(path.read_bytes()).digest


def test_nobody_can_say_of_a_link_whether_it_was_altered() -> None:
    assert embedding.is_untouched(encoded(), Carried(record())) is None


def test_what_is_known_is_told_in_lines_and_as_json() -> None:
    inside, _ = embedding.embed_record(encoded(), record(requested_space="local", space="local:1", seed=None), 0)
    found = recall_bytes(inside, "fox.png")
    lines = found.describe().split("\n")
    assert lines[0] == "fox.png"
    assert {"seed       unknown", "size       256×192", "Space      local:1"} <= set(lines)
    assert "model      black-forest-labs-flux-1-schnell (the local Space's drawing, not FLUX)" in lines
    assert "note       its seed is not known: the Space chose it and did not report it" in lines
    assert not [line for line in lines if line.startswith(("Gradio", "decoder", "commit"))]
    assert found.describe().endswith(f"\n\n{found.cell}")
    told = json.loads(json.dumps(found.as_dict()))
    assert found.record is not None
    assert told["record"] == found.record.as_dict()
    assert (told["tool"], told["cell"], told["unmatched"]) == ("flux_magic", found.cell, list(found.unmatched))


def test_of_another_tools_image_there_is_no_record_to_tell() -> None:
    found = recall_bytes(png({"parameters": A1111}), "fox.png")
    assert found.describe().startswith("fox.png\nmade with  AUTOMATIC1111\nnote       ")
    assert found.as_dict()["record"] is None


def test_a_strangers_control_characters_reach_no_terminal() -> None:
    evil = "\x1b]52;c;cm0gLXIgeA==\x07\x9b31m\x08\x7f"
    made = record(prompt=f"a fox {evil}", model=f"m{evil}\nx", provider=evil, requested_space=f"a/b{evil}")
    found = recall_bytes(carrying(encoded(), json.dumps({"record": made.as_dict()})), "fox.png")
    for text in (str(found), found.describe(), found.cell):
        assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert asked_by(found.cell) == {**requested(made), "space": f"a/b{evil}"}
