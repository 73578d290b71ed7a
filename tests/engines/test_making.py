"""Images of tiny pipelines, saved by `save_pretrained` and loaded by the real path."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import threading
import weakref
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from PIL import Image, ImageChops

import flux_magic
from flux_magic.client.progress import find_previews
from flux_magic.errors import (
    InvalidArgument,
    InvalidRequest,
    ModelUnavailable,
    NotEnoughMemory,
    NotInStore,
    SpaceError,
    Stopped,
)
from flux_magic.providers.diffusers import hub
from flux_magic.providers.diffusers.worker import worker
from flux_magic.records.record import find_contradiction, parse_record
from flux_magic.results.generation import Generation
from flux_magic.types import Log, Preview, Running
from flux_magic.verify.live import choose_settings
from flux_magic.verify.similarity import Grade
from flux_magic.verify.verdict import list_differences
from tests.engines import tiny

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of each other

Folders = Mapping[str, Path]


def make(model: Path | str, **options: Any) -> Generation:
    given = {"seed": 7, "size": "64x64", "steps": 2, "quiet": True, "provider": "diffusers", **options}
    made = flux_magic.generate(given.pop("prompt", "a red fox"), model=str(model), **given)
    assert isinstance(made, Generation)
    return made


@pytest.mark.parametrize(
    ("name", "own"),
    [
        pytest.param("flux", {"guidance": 3.5, "true_cfg_scale": 1.0, "max_sequence_length": 512}, id="FLUX.1-dev"),
        pytest.param("schnell", {"true_cfg_scale": 1.0, "max_sequence_length": 512}, id="FLUX.1-schnell"),
        pytest.param("klein", {"max_sequence_length": 512}, id="FLUX.2-klein"),
        pytest.param("z_image", {"guidance": 5.0, "cfg_truncation": 1.0}, id="Z-Image"),
        pytest.param("sdxl", {"guidance": 5.0, "guidance_rescale": 0.0}, id="SDXL"),
    ],
)
def test_a_model_makes_an_image_with_steps_previews_a_record_and_its_replay(
    folders: Folders, name: str, own: Mapping[str, Any]
) -> None:
    events: list[Any] = []
    first = make(folders[name], on_event=events.append)
    steps = [(one.step, one.total) for one in events if isinstance(one, Running)]
    assert steps == [(1, 2), (2, 2)]
    assert [bool(find_previews(one)) for one in events if isinstance(one, Preview)] == [True, True]
    assert not [one for one in events if isinstance(one, Log)], "no warning of the library"
    record = first.record
    assert (record.model, record.provider, record.seed, record.steps) == (name, "diffusers", 7, 2)
    assert own.items() <= record.parameters.items()
    assert ("guidance" in record.parameters) == ("guidance" in own), "a guidance that does not count is not recorded"
    details = record.circumstances.details
    assert (details["device"], details["dtype"], details["torch"]) == ("cpu", "float32", torch.__version__)
    assert "Euler" in details["scheduler"]
    assert json.loads(details["scheduler_config"])["num_train_timesteps"] == 1000
    assert record.circumstances.weights.startswith("sha256:")
    assert str(folders[name].parent) not in json.dumps(record.as_dict()), "no path of this machine"
    assert parse_record(json.loads(json.dumps(record.as_dict()))) == record
    assert find_contradiction(record) == ""
    again = make(folders[name])
    assert (again.replayed, again.data) == (True, first.data)
    assert make(folders[name], fresh=True).digest == first.digest
    assert make(folders[name], seed=8).digest != first.digest
    assert make(record.requested_model).replayed, "the cell names the folder by its digest"


def test_the_pixels_are_those_of_the_bare_pipeline(folders: Folders) -> None:
    pipe = diffusers.FluxPipeline.from_pretrained(folders["flux"])
    generator = torch.Generator("cpu").manual_seed(7)
    bare = pipe("a red fox", width=64, height=64, num_inference_steps=2, generator=generator).images[0]
    assert make(folders["flux"]).image.tobytes() == bare.tobytes()


def test_what_is_left_out_is_the_models_own(folders: Folders) -> None:
    made = make(folders["schnell"], steps=None)
    assert (made.record.steps, made.record.requested_steps) == (4, None)
    panel = asyncio.run(
        flux_magic.AsyncClient().fetch_description(
            flux_magic.Settings(provider="diffusers", model=str(folders["klein"]))
        )
    )
    assert panel is not None
    assert {row.name: row.default for row in panel.parameters if row.name != "seed"} == {
        "height": None,
        "width": None,
        "steps": 4,
        "max_sequence_length": 512,
    }


def test_images_go_in(folders: Folders) -> None:
    fox = Image.new("RGB", (64, 48), "orange")
    mask = Image.new("L", (64, 48), 255)
    changed = make(folders["flux"], image=fox, strength=0.9, size=None)
    assert (changed.width, changed.height) == (64, 48)
    assert (changed.record.parameters["strength"], changed.record.width) == (0.9, 64)
    assert changed.record.circumstances.details["pipeline"] == "FluxImg2ImgPipeline"
    painted = make(folders["flux"], image=fox, mask=mask, size=None)
    assert painted.record.circumstances.details["pipeline"] == "FluxInpaintPipeline"
    both = make(folders["klein"], image=[fox.resize((64, 64)), fox.resize((80, 64))], size=None)
    assert len(both.record.images) == 2
    with pytest.raises(InvalidRequest, match="kontext takes 1 image: give fewer"):
        make(folders["kontext"], image=[fox, fox, fox], prompt="both")


def test_kontext_scales_the_size_and_the_record_has_what_was_made(folders: Folders) -> None:
    made = make(folders["kontext"], steps=1, size="512x256")
    assert (made.width, made.height) != (512, 256)
    assert (made.record.width, made.record.height) == (512, 256), "as it was sent"
    assert (made.record.files[0].width, made.record.files[0].height) == made.image.size
    assert "the provider warned: Generation `height` and `width` have been adjusted" in made.note


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param("z_image", {"size": "64x72"}, None, id="a size that fits"),
        pytest.param("z_image", {"size": "66x64", "width": None}, None, id="a size that is rounded"),
        pytest.param(
            "flux", {"parameters": {"shift": 3.0}}, "flux takes no shift: it takes .*guidance.*by --set", id="no such"
        ),
        pytest.param("schnell", {"guidance": 3.0}, "schnell takes no guidance", id="a guidance that would not count"),
        pytest.param("flux", {"negative_prompt": "fog"}, "only with true_cfg_scale above 1", id="a negative prompt"),
        pytest.param("flux", {"strength": 0.5}, "flux takes no strength", id="a strength without an image"),
        pytest.param("flux", {"device": "cuda"}, "device is 'cuda', which torch does not find here", id="no GPU"),
        pytest.param("flux", {"offload": "model"}, "needs a GPU: this runs on the CPU", id="offload on a CPU"),
        pytest.param("flux", {"dtype": "int4"}, "dtype is 'int4': choose one of auto, float32", id="no dtype"),
        pytest.param(
            "flux", {"parameters": {"max_sequence_length": 4096}}, "flux refuses the request: .*512", id="refused"
        ),
    ],
)
def test_what_cannot_be_made_is_one_clear_line(
    folders: Folders, name: str, options: dict[str, Any], message: str | None
) -> None:
    if message is None:
        make(folders[name], steps=1, **options)
        return
    with pytest.raises(InvalidRequest, match=message) as caught:
        make(folders[name], **options)
    assert "\n" not in caught.value.message


def test_z_image_refuses_a_size_before_it_runs(tmp_path: Path) -> None:
    """The tiny VAE has steps of 4 pixels, of which every size is a multiple; a deeper one is like the real one."""
    pipe = tiny.make_z_image(tmp_path)
    pipe.vae = tiny._make_vae(16, 4)
    pipe.save_pretrained(tmp_path / "deep")
    events: list[Any] = []
    with pytest.raises(InvalidRequest, match="deep refuses the request: Width must be divisible by 16"):
        make(tmp_path / "deep", size="72x64", on_event=events.append)
    assert not [one for one in events if isinstance(one, Running)]
    assert make(tmp_path / "deep", size="64x64").image.size == (64, 64)


def test_an_interrupt_ends_within_one_step_and_the_next_image_is_made(folders: Folders) -> None:
    reached, total = threading.Event(), 500
    steps: list[int] = []

    def see(event: object) -> None:
        if isinstance(event, Running):
            steps.append(event.step or 0)
            reached.set()

    client = flux_magic.Client(provider="diffusers", model=str(folders["flux"]), size="64x64")
    job = client.submit("a fox", seed=1, steps=total, on_event=see)
    assert reached.wait(60)
    assert job.cancel()
    done: list[int] = []
    worker.submit(lambda: done.append(len(steps))).result(60)  # the thread is free again
    assert done[0] < total / 2
    with pytest.raises(Stopped):
        job.result()
    assert make(folders["flux"], seed=1).record.steps == 2


def test_one_pipeline_is_loaded_and_unload_frees_it(folders: Folders) -> None:
    make(folders["flux"])
    assert worker.loaded is not None
    held = weakref.ref(worker.loaded.pipe.transformer)
    make(folders["flux"], seed=8)
    assert held() is worker.loaded.pipe.transformer, "kept from one image to the next"
    make(folders["klein"])
    gc.collect()
    assert held() is None, "never two"
    held = weakref.ref(worker.loaded.pipe.transformer)
    assert flux_magic.unload()
    gc.collect()
    assert held() is None
    assert not flux_magic.unload()


def test_a_folder_that_moves_is_the_same_and_changed_weights_are_another_model(
    folders: Folders, tmp_path: Path
) -> None:
    old = tmp_path / "models" / "fox"
    shutil.copytree(folders["flux"], old)
    first = make(old)
    moved = old.rename(tmp_path / "elsewhere")
    with pytest.raises(InvalidRequest, match=r"the model fox with the digest .* is in no folder that was used here"):
        make(first.record.requested_model)
    again = make(moved)
    assert (again.replayed, again.record.circumstances.weights) == (True, first.record.circumstances.weights)
    state = diffusers.FluxTransformer2DModel.from_pretrained(moved / "transformer")
    with torch.no_grad():
        state.proj_out.weight.mul_(3)
    state.save_pretrained(moved / "transformer")
    changed = make(moved)
    assert not changed.replayed
    assert changed.digest != first.digest
    assert changed.record.circumstances.weights != first.record.circumstances.weights


def test_out_of_memory_leaves_a_process_that_works(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folders["flux"])
    assert worker.loaded is not None
    held: list[Any] = []

    def allocate(*_: object, **__: object) -> None:
        held.append(weakref.ref(torch.zeros(1000)))
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    with monkeypatch.context() as patch:
        patch.setattr(worker.loaded.pipe.transformer, "forward", allocate)
        with pytest.raises(
            NotEnoughMemory, match="not enough memory for an image of 64x64: CUDA out of memory"
        ) as caught:
            make(folders["flux"], seed=8)
    assert 'FluxMagics.dtype = "bfloat16"' in caught.value.hint
    assert "a smaller size" in caught.value.hint
    assert caught.value.__cause__ is None
    assert make(folders["flux"], seed=8).record.seed == 8


def test_another_failure_of_a_pipeline_is_in_its_own_words(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folders["flux"])
    assert worker.loaded is not None

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the kernel image is invalid\nmore")

    monkeypatch.setattr(worker.loaded.pipe.transformer, "forward", fail)
    with pytest.raises(SpaceError, match=r"the pipeline failed: RuntimeError: the kernel image is invalid$"):
        make(folders["flux"], seed=8)


def test_a_model_that_does_not_fit_is_refused_before_it_is_read(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    real = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real._replace(available=1000))
    with pytest.raises(NotEnoughMemory, match=r"the model takes 0.0 GiB as float32, and main memory has") as caught:
        make(folders["flux"])
    assert "bfloat16" in caught.value.hint


def _spoil(folder: Path, how: str) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    if how == "pickle":
        for file in (folder / "transformer").glob("*.safetensors"):
            file.unlink()
        torch.save({}, folder / "transformer" / "diffusion_pytorch_model.bin")
    elif how == "code":
        (folder / "pipeline.py").write_text("raise SystemExit('run!')")
        index["_class_name"] = ["pipeline", "Mine"]
    elif how == "part":
        (folder / "transformer" / "mine.py").write_text("raise SystemExit('run!')")
        index["transformer"] = ["mine", "Mine"]
    elif how == "class":
        index["_class_name"] = "NoSuchPipeline"
    else:
        (folder / "vae" / "config.json").write_text("{")
    (folder / "model_index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        pytest.param(
            "pickle", "has no weights as safetensors for transformer, and other forms can run code", id="pickle"
        ),
        pytest.param("code", "brings code of its own, which is not run here", id="a pipeline's code"),
        pytest.param("part", "brings code of its own for transformer, which is not run here", id="a part's code"),
        pytest.param("class", "cannot be loaded: .*NoSuchPipeline", id="an unknown class"),
        pytest.param("damage", "cannot be loaded: ", id="a damaged configuration"),
    ],
)
def test_what_is_not_safe_or_whole_is_not_loaded(folders: Folders, tmp_path: Path, how: str, message: str) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(folders["flux"], folder)
    _spoil(folder, how)
    with pytest.raises(ModelUnavailable, match=message):
        make(folder)
    assert make(folders["flux"]).record.seed == 7


def test_without_a_network_a_model_that_is_not_here_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "find_snapshot", lambda _: None)
    with pytest.raises(
        NotInStore, match="someone/fox@v1 is not on this disk, and with HF_HUB_OFFLINE=1 nothing"
    ) as caught:
        make("someone/fox@v1")
    assert "hf download someone/fox" in caught.value.hint
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match=r"is no saved pipeline: it has no model_index.json"):
        make(tmp_path / "empty")
    with pytest.raises(
        InvalidRequest, match=r"give a Hub id such as black-forest-labs/FLUX.1-schnell, id@revision, or"
    ):
        make("no model")


@pytest.mark.parametrize("how", [pytest.param("sweep", id="a sweep"), pytest.param("count", id="-n 4")])
def test_images_of_one_shape_are_made_at_once_each_with_its_own_seed(folders: Folders, how: str) -> None:
    """A sum in another order rounds another way, so the pixels of a batch may differ from those alone by a little."""
    alone = [make(folders["flux"], seed=seed, batch=1) for seed in (1, 2, 3, 4)]
    options: dict[str, Any] = {"size": "64x64", "steps": 2, "provider": "diffusers", "model": str(folders["flux"])}
    options |= {"batch": 4, "fresh": True, "quiet": True}
    events: list[Any] = []
    flux_magic.unload()  # all four are there when it is loaded
    if how == "sweep":
        together = flux_magic.sweep("a red fox", seed=[1, 2, 3, 4], **options)
    else:
        together = flux_magic.generate("a red fox", count=4, seed=1, on_event=events.append, **options)
        shown = [len(find_previews(one)) for one in events if isinstance(one, Preview)]
        assert max(shown) == 4
        assert {one.step for one in events if isinstance(one, Running)} == {1, 2}
    assert [one.record.circumstances.details["batch"] for one in together] == ["4"] * 4
    assert [one.seed for one in together] == [1, 2, 3, 4]
    assert len({one.digest for one in together}) == 4
    for one, other in zip(together, alone, strict=True):
        most = max(ImageChops.difference(one.image, other.image).tobytes())
        assert most <= 2, "of 255"
        kept = replace(one.record, circumstances=other.record.circumstances, files=other.record.files)
        assert kept == other.record, "nothing else differs"
        assert make(folders["flux"], seed=one.seed).replayed


def test_a_pipeline_of_the_users_is_a_provider(folders: Folders) -> None:
    pipe = diffusers.FluxPipeline.from_pretrained(folders["flux"])
    mine = flux_magic.Pipeline(pipe, name="ink")
    first = make("", provider=mine)
    record = first.record
    assert (record.provider, record.model, record.requested_provider) == (
        "diffusers pipeline",
        "unknown (pipeline ink)",
        "ink",
    )
    assert record.circumstances.weights == "unknown"
    assert make("", provider="ink").replayed, "the name leads to it"
    pipe.scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    assert not make("", provider="ink").replayed, "another scheduler is another image"
    other = flux_magic.Pipeline(pipe, name="wash")
    assert not make("", provider=other).replayed, "the name is a part of the key"
    for name, given in (("diffusers", pipe), ("Ink!", pipe), ("ink", "no pipeline")):
        with pytest.raises(InvalidArgument):
            flux_magic.Pipeline(given, name=name)


def test_verify_makes_the_image_again_and_downloads_nothing_for_a_record(folders: Folders, tmp_path: Path) -> None:
    made = make(folders["flux"])
    made.save(tmp_path / "fox.png")
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        found = flux_magic.Client(provider="diffusers").verify(tmp_path / "fox.png")
    finally:
        torch.set_num_threads(before)
    (verdict,) = found.verdicts
    assert verdict.grade in {Grade.SAME_BYTES, Grade.SAME_PIXELS, Grade.SAME_TO_THE_EYE}, found
    record = replace(made.record, requested_model="someone/else")
    said = choose_settings(record, None, {"provider": "diffusers"})
    assert said == "not asked: its model someone/else is not on this disk, and nothing is downloaded for a record"
    assert "not on this disk" in str(
        choose_settings(replace(record, requested_model=str(folders["flux"])), None, {"provider": "diffusers"})
    )
    with_gpu = replace(made.record.circumstances, details={**made.record.circumstances.details, "device": "cuda"})
    assert "device: cuda -> cpu" in list_differences(replace(made.record, circumstances=with_gpu), made.record)
