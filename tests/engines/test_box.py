"""The model tiny, opened as a user opens it: its name, its defaults, and all that its pipeline takes."""

from __future__ import annotations

import asyncio
import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from distributed import Client
from PIL import Image, ImageChops

import flux_magic
from flux_magic.client.progress import find_previews
from flux_magic.errors import InvalidRequest, ModelUnavailable, Stopped
from flux_magic.providers.diffusers import models, tiny
from flux_magic.providers.diffusers.worker import worker
from flux_magic.results.generation import Generation
from flux_magic.types import Preview, Running
from flux_magic.verify.similarity import Grade
from scripts.tiny.box import CODE, MOST, PACKAGED, fill_box
from scripts.tiny.room import Room
from tests.cluster.conftest import run_cluster
from tests.support.kernel import run_kernel

pytestmark = [pytest.mark.usefixtures("box"), pytest.mark.filterwarnings("default")]  # the libraries warn of each other

NAME = "flux_magic tiny 1"


def make(prompt: str = "a red fox, at night", **options: Any) -> Generation:
    made = flux_magic.generate(
        prompt, **{"model": "tiny", "provider": "diffusers", "seed": 7, "quiet": True, **options}
    )
    assert isinstance(made, Generation)
    return made


def is_like(one: Generation, other: Generation) -> bool:
    """Return True for the same pixels, but for the rounding of a sum in another order."""
    return max(ImageChops.difference(one.image.convert("RGB"), other.image.convert("RGB")).tobytes()) <= 2


def test_a_prompt_alone_is_what_the_bare_pipeline_makes_and_the_record_says_how(
    box: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[Any] = []
    made = make(on_event=events.append)
    assert capfd.readouterr().err == "", "no library says anything"
    assert made.note == ""
    assert [(one.step, one.total) for one in events if isinstance(one, Running)] == [(step, 8) for step in range(1, 9)]
    assert [bool(find_previews(one)) for one in events if isinstance(one, Preview)] == [True] * 8
    record = made.record
    assert (record.model, record.requested_model, record.provider) == (NAME, "tiny", "diffusers")
    assert (record.width, record.height, record.steps) == (128, 128, 8)
    assert dict(record.parameters) == {"guidance": 3.0, "max_sequence_length": 64}
    assert (record.requested_width, record.requested_steps, dict(record.requested_parameters)) == (None, None, {})
    assert "--model tiny --provider diffusers" in made.command()
    assert record.circumstances.weights == f"sha256:{tiny.DIGEST}"
    made.save(tmp_path / "fox.png")
    assert "digitalsourcetype/trainedAlgorithmicMedia" in (tmp_path / "fox.png").read_bytes().decode("latin-1")
    assert (made.replayed, make().replayed, make(model=NAME).replayed) == (False, True, True)

    diffusers.utils.logging.set_verbosity_error()
    pipe = diffusers.FluxPipeline.from_pretrained(box, dtype=torch.float32)
    diffusers.utils.logging.set_verbosity_warning()
    bare = pipe(
        "a red fox, at night",
        negative_prompt="",
        true_cfg_scale=3.0,
        num_inference_steps=8,
        height=128,
        width=128,
        max_sequence_length=64,
        generator=torch.Generator().manual_seed(7),
    ).images[0]
    assert made.image.convert("RGB").tobytes() == bare.tobytes()


def test_before_it_is_loaded_a_panel_knows_its_defaults() -> None:
    settings = flux_magic.Settings(provider="diffusers", model="tiny")
    description = asyncio.run(flux_magic.AsyncClient().fetch_description(settings))
    assert description is not None
    assert worker.loaded is None
    assert (description.model, description.input_images, description.takes_mask) == (NAME, 0, False)
    known = {row.name: row.default for row in description.parameters if row.default is not None}
    assert known == dict(tiny.DEFAULTS)


def test_verify_finds_the_model_by_its_name_in_a_record(tmp_path: Path) -> None:
    make().save(tmp_path / "fox.png")
    flux_magic.unload()
    (verdict,) = flux_magic.Client(provider="diffusers").verify(tmp_path / "fox.png").verdicts
    assert verdict.grade in {Grade.SAME_BYTES, Grade.SAME_PIXELS}


def test_unknown_words_are_named_below_the_image() -> None:
    made = make("a red Dragon by the sea, and a unicorn", guidance=2.0, negative_prompt="smog", steps=1)
    assert made.note == f"the provider warned: {NAME} does not know these words: Dragon, unicorn, smog"


def test_guidance_and_a_negative_prompt_count() -> None:
    usual = make(steps=2)
    assert make(steps=2, guidance=1.0).digest != usual.digest
    away = make(steps=2, negative_prompt="night")
    assert away.digest != usual.digest
    assert away.record.parameters["negative_prompt"] == "night"
    with pytest.raises(InvalidRequest, match=f"{NAME} heeds a negative prompt only with guidance above 1: add --guid"):
        make(guidance=1.0, negative_prompt="night")
    with pytest.raises(InvalidRequest, match=f"{NAME} takes no true_cfg_scale"):
        make(parameters={"true_cfg_scale": 2.0})


@pytest.mark.parametrize(
    ("given", "made"),
    [
        pytest.param((128, 128), (128, 128), id="its own size"),
        pytest.param((1024, 768), (128, 96), id="a photo"),
        pytest.param((60, 600), (16, 128), id="a stripe"),
    ],
)
def test_an_image_that_goes_in_is_brought_to_the_models_size_in_its_own_shape(
    given: tuple[int, int], made: tuple[int, int]
) -> None:
    changed = make(image=Image.new("RGB", given, "orange"), strength=0.5)
    assert changed.image.size == made
    assert (changed.record.steps, changed.record.parameters["strength"]) == (8, 0.5)
    assert changed.record.circumstances.details["pipeline"] == "FluxImg2ImgPipeline"
    assert changed.record.parameters["guidance"] == 3.0
    assert changed.note == ""


def test_a_mask_goes_in() -> None:
    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, (64, 0, 128, 128))
    painted = make(image=Image.new("RGB", (128, 128), "orange"), mask=mask, size="128x128", steps=4)
    assert painted.record.circumstances.details["pipeline"] == "FluxInpaintPipeline"
    assert (painted.image.size, painted.record.parameters["max_sequence_length"]) == ((128, 128), 64)
    assert painted.note == ""


def test_a_sweep_is_made_in_batches_and_each_image_has_the_notes_of_its_own_prompt() -> None:
    options: dict[str, Any] = {"model": "tiny", "provider": "diffusers", "quiet": True, "seed": 7, "steps": 2}
    prompts = ["a red fox", "a red dragon", "a blue owl"]
    together = flux_magic.sweep("{what}", what=prompts, batch=3, **options)
    assert [one.record.circumstances.details["batch"] for one in together] == ["3"] * 3
    assert [one.note.rpartition(": ")[2] for one in together] == ["", "dragon", ""]
    for prompt, one in zip(prompts, together, strict=True):
        assert is_like(make(prompt, steps=2, fresh=True), one)


def test_an_interrupt_ends_it_and_the_next_image_is_made() -> None:
    reached = threading.Event()
    client = flux_magic.Client(provider="diffusers", model="tiny")
    job = client.submit(
        "a fox", seed=1, steps=500, on_event=lambda one: reached.set() if isinstance(one, Running) else None
    )
    assert reached.wait(60)
    assert job.cancel()
    with pytest.raises(Stopped):
        job.result()
    assert make(steps=1).record.steps == 1


def test_a_worker_of_a_cluster_opens_its_own() -> None:
    with run_cluster(n_workers=1, threads_per_worker=2, processes=False) as cluster, closing(Client(cluster)):
        options: dict[str, Any] = {"model": "tiny", "provider": "diffusers", "quiet": True, "steps": 2}
        made = flux_magic.sweep("a red fox", seed=[1, 2], cluster=cluster, **options)
    assert {(one.record.model, one.record.requested_model) for one in made} == {(NAME, "tiny")}
    assert make("a red fox", seed=1, steps=2).replayed


def test_other_bytes_make_no_image_under_this_name(box: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(box, changed)
    with (changed / "vae" / "diffusion_pytorch_model.safetensors").open("r+b") as weights:
        weights.seek(-2, 2)
        weights.write(b"\x00\x3c")
    monkeypatch.setattr(tiny, "find_folder", lambda: changed)
    with pytest.raises(ModelUnavailable, match=f"files of flux-magic-tiny are not those of {NAME}"):
        make()
    by_path = make(model=str(changed), steps=1, size="128x128")
    assert (by_path.record.model, worker.loaded is not None) == ("changed", True)


def test_a_cell_with_a_prompt_alone_shows_it_enlarged_by_a_whole_number(tmp_path: Path) -> None:
    with run_kernel(tmp_path, FLUX_MAGIC_STORE="off") as kernel:
        kernel.run_ok("%load_ext flux_magic")
        cell = kernel.run_ok("%%flux --provider diffusers --model tiny --seed 7 --output fox\na red dragon")
        shown = next(one for one in cell.outputs if "image/png" in one["data"])
        assert shown["metadata"]["image/png"] == {"alt": "a red dragon", "width": 512, "height": 512}
        assert "does not know these words: dragon" in cell.stderr + cell.stdout + str(cell.outputs)
        assert kernel.run_ok("print(fox.image.size, fox.record.model)").stdout == f"(128, 128) {NAME}\n"


def test_the_step_from_a_run_to_the_package_copies_the_model_and_writes_its_digest(box: Path, tmp_path: Path) -> None:
    room, root = Room(tmp_path / "run"), tmp_path / "clone"
    with pytest.raises(FileNotFoundError, match=r"no model in .*: save it first"):
        fill_box(room, root)
    shutil.copytree(box, room.folder / "model")
    (room.folder / "model" / "vae" / "notes.md").write_text("no part of the model")
    code = root / CODE
    code.parent.mkdir(parents=True)
    before = Path(tiny.__file__).read_text("utf-8").splitlines()
    code.write_text("\n".join(before), "utf-8")
    stale = root / PACKAGED / "vae" / "stale.safetensors"
    stale.parent.mkdir(parents=True)
    stale.touch()
    digest = fill_box(room, root)
    assert digest == models.compute_folder_digest(box, is_cached=False), "neither file counts"
    assert not stale.exists()
    assert not (stale.parent / "notes.md").exists()
    changed = [line for line in code.read_text("utf-8").splitlines() if line not in before]
    assert changed in ([f'DIGEST: Final = "{digest}"'], []), "one line, or none where it was this one already"
    assert f'DIGEST: Final = "{digest}"' in code.read_text("utf-8").splitlines()
    (room.folder / "model" / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(bytes(MOST))
    with pytest.raises(ValueError, match="and the package takes 8"):
        fill_box(room, root)
    assert models.compute_folder_digest(root / PACKAGED, is_cached=False) == digest, "the model that was there stays"
