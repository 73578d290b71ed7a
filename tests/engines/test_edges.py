"""What a machine with a GPU would do, by torch's own questions for one, and other edges of the room."""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import flux_magic
from flux_magic.errors import InvalidRequest, MissingExtra, ModelUnavailable, NotEnoughMemory
from flux_magic.parameters.settings import Settings
from flux_magic.parameters.table import Parameter
from flux_magic.providers.diffusers import hub, loading, models, previews, provider, running, taking, unloaded
from flux_magic.providers.diffusers.models import Model
from flux_magic.providers.diffusers.worker import Worker, worker
from flux_magic.types import ImageRequest
from tests.engines import tiny
from tests.engines.test_making import make

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of each other

Folders = Mapping[str, Path]
GIB = 2**30


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let torch say that there is a GPU; what it says of it can be changed."""
    said: dict[str, Any] = {"free": 24 * GIB, "bf16": True, "emptied": 0}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: said["bf16"])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (said["free"], 24 * GIB))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Some GPU")
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: said.update(emptied=said["emptied"] + 1))
    return said


def test_a_gpu_is_chosen_with_what_it_has(gpu: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert (loading.choose_device("auto"), loading.choose_dtype("auto", "cuda")) == ("cuda", torch.bfloat16)
    assert loading.choose_device("cuda:0") == "cuda:0"
    with pytest.raises(InvalidRequest, match="device is 'cuda:1', which torch does not find here: there is cuda, cpu"):
        loading.choose_device("cuda:1")
    gpu["bf16"] = False
    assert (loading.choose_dtype("auto", "cuda"), loading.choose_dtype("auto", "mps")) == (
        torch.float16,
        torch.bfloat16,
    )
    assert loading.choose_dtype("float64", "cpu") == torch.float64
    assert (loading.name_hardware("cuda"), loading.name_hardware("mps")[-11:]) == ("Some GPU", "GPU (Metal)")
    assert asyncio.run(_ask_status())["device"] == "cuda, Some GPU"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    emptied: list[int] = []
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append(1))
    worker.loaded = SimpleNamespace()  # type: ignore[assignment]
    assert worker.release()
    assert (gpu["emptied"], emptied) == (1, [1])


async def _ask_status() -> Mapping[str, str]:
    return await provider.Diffusers(None).status()  # type: ignore[arg-type]


def test_a_batch_is_as_large_as_the_gpus_memory_lets_it_be(gpu: dict[str, Any]) -> None:
    loaded: Any = SimpleNamespace(details={"device": "cuda"})

    def choose(free: float, **settings: Any) -> int:
        gpu["free"] = int(free * GIB)
        request = ImageRequest("a fox", width=1024, height=1024)
        job = running.Job(request, Settings(**settings), (), lambda _event: None)
        return provider.choose_batch(loaded, job)

    assert [choose(free) for free in (0.5, 5, 40)] == [1, 2, 8]
    assert choose(0.5, batch=3) == 3
    assert [provider.Diffusers.count_at_once(Settings(**one)) for one in ({"batch": 3}, {"device": "cpu"})] == [3, 1]


@pytest.mark.parametrize(
    ("offload", "free", "says"),
    [
        pytest.param("none", 1000, 'offload = "model" keeps on the GPU only what runs', id="nothing offloaded"),
        pytest.param("model", 1000, 'offload = "group" takes least', id="by model"),
        pytest.param("group", 0, "", id="by group it fits"),
        pytest.param("none", GIB, "", id="it fits"),
    ],
)
def test_a_model_that_does_not_fit_on_a_gpu_names_what_helps(
    folders: Folders, gpu: dict[str, Any], offload: str, free: int, says: str
) -> None:
    gpu["free"] = free
    if not says:
        loading.check_memory(folders["flux"], torch.bfloat16, "cuda", offload)
        return
    with pytest.raises(NotEnoughMemory, match=r"as bfloat16, and the GPU has 0.0 GiB free") as caught:
        loading.check_memory(folders["flux"], torch.bfloat16, "cuda", offload)
    assert says in caught.value.hint


def test_an_allocators_error_becomes_ours_and_another_stays(gpu: dict[str, Any]) -> None:
    for error in (RuntimeError("MPS backend out of memory"), MemoryError(), RuntimeError("Invalid buffer size: 9 GB")):
        says = "not enough memory for it: "
        with pytest.raises(NotEnoughMemory, match=says), loading.translate_memory("it", Settings(offload="model")):
            raise error
    assert gpu["emptied"] == 3
    for kept in (RuntimeError("something else"), NotEnoughMemory("as it is")):
        with pytest.raises(type(kept), match=str(kept)), loading.translate_memory("it", Settings()):
            raise kept


def test_the_parts_of_a_pipeline_are_put_where_it_is_told() -> None:
    called: list[Any] = []

    class Pipe:
        def __getattr__(self, name: str) -> Any:
            return lambda *given, **options: called.append((name, *given, options))

    for offload in ("none", "model", "group"):
        loading._place(Pipe(), "cuda", offload)
    names = [one[0] for one in called]
    assert names == ["to", "enable_model_cpu_offload", "enable_group_offload"]
    assert called[2][1] == {"onload_device": torch.device("cuda"), "offload_type": "leaf_level", "use_stream": True}


def test_without_torch_or_on_python_3_10_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version_info", (3, 10, 13))
        with pytest.raises(
            MissingExtra, match=r"^the provider diffusers needs Python 3.11 or later, and this is 3.10$"
        ):
            loading.require_libraries()
    real = builtins.__import__

    def refuse(name: str, *others: Any, **options: Any) -> Any:
        if name == "torch":
            raise ImportError(name="torch")
        return real(name, *others, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        MissingExtra, match=r"needs torch, which is not installed: pip install 'flux-magic\[diffusers\]'"
    ):
        loading.require_libraries()
    monkeypatch.undo()
    monkeypatch.setattr(loading, "require_libraries", _raise_missing)
    assert asyncio.run(_ask_status()) == {"diffusers": "no torch"}


def _raise_missing() -> None:
    raise MissingExtra("no torch")


def test_a_model_is_at_hand_if_its_files_are(folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not provider.Diffusers.is_at_hand(str(folders["flux"])), "a path is the user's alone"
    name, _ = models.name_model(str(folders["flux"]))
    assert provider.Diffusers.is_at_hand(name)
    assert not provider.Diffusers.is_at_hand("no model")
    assert not provider.Diffusers.is_at_hand("someone/fox")
    assert provider.Diffusers.takes("endpoint") is False
    prepared = provider.Diffusers.prepare(ImageRequest("a fox", seed=7, model="someone/fox@v1"))
    assert (prepared.address, prepared.values["seed"]) == ("diffusers, someone/fox@v1", 7)
    assert models.Model(folder=tmp_path / "fox").asked == ""
    monkeypatch.setattr(models, "_get_cache", lambda: None)
    assert len(models.compute_folder_digest(folders["flux"])) == 64, "without a cache it is computed again"
    for content, says in ((None, "cannot be read"), ("[1]", "is not what save_pretrained writes")):
        if content:
            (tmp_path / models.INDEX).write_text(content)
        with pytest.raises(ModelUnavailable, match=says):
            models.read_index(tmp_path)


def test_a_snapshot_counts_if_it_is_whole(folders: Folders, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(folders["flux"], whole)
    assert hub._is_whole(whole)
    assert not hub._is_whole(tmp_path)
    weights = whole / "transformer" / "diffusion_pytorch_model.safetensors"
    shards = {"weight_map": {"a": "diffusion_pytorch_model-00001-of-00002.safetensors"}}
    (whole / "transformer" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(shards))
    assert not hub._is_whole(whole), "a shard is missing"
    weights.rename(weights.with_name("diffusion_pytorch_model-00001-of-00002.safetensors"))
    assert hub._is_whole(whole)
    shutil.rmtree(whole / "vae")
    assert not hub._is_whole(whole), "a part is missing"
    assert hub._format_size(34e9) == "34.0 GB"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(OSError(28, "No space left"), "no room on the disk is left for the download", id="full"),
        pytest.param(ValueError("odd\nmore"), "someone/fox was not downloaded: ValueError: odd\n", id="anything else"),
    ],
)
def test_a_download_that_fails_is_one_line(error: Exception, message: str) -> None:
    with pytest.raises(flux_magic.FluxError, match=message), hub._translate(Model("someone/fox")):
        raise error


def test_what_an_unloaded_pipeline_takes_is_read_off_its_files(folders: Folders, tmp_path: Path) -> None:
    assert unloaded.read_taken_of(folders["schnell"]).find("guidance") is None
    strange = tmp_path / "strange"
    shutil.copytree(folders["schnell"], strange)
    index = json.loads((strange / "model_index.json").read_text())
    (strange / "model_index.json").write_text(json.dumps({**index, "_class_name": "NoSuchPipeline"}))
    with pytest.raises(ModelUnavailable, match="strange is a NoSuchPipeline, which this diffusers does not have"):
        unloaded.read_taken_of(strange)
    assert vars(unloaded._read_config(tmp_path)) == {}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param(4.0, 4, id="a float that is an integer"),
        pytest.param("many", InvalidRequest, id="no number"),
    ],
)
def test_a_value_has_the_type_of_its_argument(folders: Folders, value: Any, found: Any) -> None:
    taken = unloaded.read_taken_of(folders["flux"])
    request = ImageRequest("a fox", seed=1, parameters={"max_sequence_length": value})
    if found is InvalidRequest:
        with pytest.raises(InvalidRequest, match="max_sequence_length"):
            taking.build_values(taken, request, "flux")
    else:
        assert taking.build_values(taken, request, "flux")["max_sequence_length"] == found
    switch = Parameter(name="on", help="", kind=bool)
    assert taking._check(switch, True) is True
    with pytest.raises(InvalidRequest, match="clip is 5: give"):
        taking._check(Parameter(name="clip", help="", kind=str), 5)


def test_previews_of_another_form_are_left_out_and_the_image_is_made(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert previews.fit_factors(SimpleNamespace(vae=None)) is None
    with previews.watch_estimates(SimpleNamespace(scheduler=None), print):
        pass
    first = make(folders["flux"])
    monkeypatch.setattr(previews, "unpack", lambda *_: 1 / 0)
    events: list[Any] = []
    again = make(folders["flux"], fresh=True, on_event=events.append)
    assert again.digest == first.digest
    assert not [one for one in events if isinstance(one, flux_magic.Preview)]
    with monkeypatch.context() as patch:
        patch.setattr(previews, "fit_factors", lambda _: 1 / 0)
        assert "factors" not in provider.fit(loading.Loaded((), None, "", "", {})).memo


def test_a_negative_prompt_counts_with_a_guidance_and_goes_to_each_image_of_a_batch(folders: Folders) -> None:
    own: dict[str, Any] = {"negative_prompt": "fog", "parameters": {"true_cfg_scale": 4.0}}
    made = flux_magic.generate(
        "a fox",
        count=2,
        seed=1,
        batch=2,
        provider="diffusers",
        model=str(folders["flux"]),
        size="64x64",
        steps=1,
        **own,
    )
    assert {one.record.parameters["negative_prompt"] for one in made} == {"fog"}


def test_a_mistake_in_a_pipelines_step_is_no_refusal(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folders["flux"])
    assert worker.loaded is not None
    monkeypatch.setattr(worker.loaded.pipe.vae, "decode", lambda *_, **__: int("x"))
    with pytest.raises(flux_magic.ResponseError, match="the pipeline failed: ValueError: invalid literal"):
        make(folders["flux"], seed=8)


def test_a_cancelled_task_is_not_run_and_a_closed_worker_can_be_used_again() -> None:
    own, ran = Worker(), list[int]()
    gate: concurrent.futures.Future[None] = concurrent.futures.Future()
    own.submit(lambda: gate.result(60))  # it holds the thread
    late = own.submit(lambda: ran.append(1))
    assert late.cancel()
    gate.set_result(None)
    own.submit(lambda: None).result(60)
    assert not ran
    own.close()
    own.close()
    assert own.submit(lambda: 5).result(60) == 5
    own.close()


def test_kontexts_record_has_the_size_that_was_made_as_well(folders: Folders) -> None:
    """What was sent is what was asked for; the file says what the pipeline made of it, and verify accepts both."""
    made = make(folders["kontext"], steps=1, size="512x256")
    record = json.loads(json.dumps(made.record.as_dict()))
    assert (record["run"]["width"], record["run"]["height"]) == (512, 256)
    sides = (record["files"][0]["width"], record["files"][0]["height"])
    assert sides == (made.width, made.height) == made.image.size
    assert sides == (1408, 704), "a megapixel of the same shape"
    left = make(folders["flux"], size="60x70", steps=1)
    assert (left.record.width, left.record.height) == (left.width, left.height)


def test_a_pipeline_with_adapters_and_without_a_scheduler_is_described() -> None:
    from flux_magic.providers.diffusers.pipeline import _describe_changes

    pipe = SimpleNamespace(scheduler=None, get_active_adapters=lambda: ["ink", "a"])
    assert _describe_changes(pipe)["adapters"] == "a, ink"
    with pytest.raises(flux_magic.FluxError, match="give a pipeline of diffusers, loaded"):
        flux_magic.Pipeline(tiny, name="ink")
