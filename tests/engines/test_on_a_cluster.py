"""Pipelines on the workers of a Dask cluster: each is a process with a GPU by name, and computes on its processor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from PIL import ImageChops

import flux_magic
from flux_magic.errors import Incomplete, ModelUnavailable
from flux_magic.types import ImageRequest
from tests.cluster.conftest import run_cluster

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of each other

Folders = Mapping[str, Path]


@pytest.fixture(scope="module")
def gpus() -> Iterator[Any]:
    """Yield two processes of four threads, each with one GPU."""
    with run_cluster(threads_per_worker=4, resources={"GPU": 1}) as cluster:
        yield cluster


def make(cluster: Any, model: Path | str, **options: Any) -> flux_magic.Generations:
    usual = {"seed": list(range(12)), "size": "64x64", "steps": 2, "quiet": True, "provider": "diffusers"}
    return flux_magic.sweep("a red fox", model=str(model), cluster=cluster, **{**usual, **options})


def look() -> tuple[bool, int]:
    """Return if this process, a worker, has a pipeline, and how many threads run pipelines."""
    import threading

    from flux_magic.providers.diffusers.worker import worker

    return worker.loaded is not None, sum("diffusers" in one.name for one in threading.enumerate())


def test_batches_of_one_shape_go_to_workers_that_keep_one_pipeline_each(
    gpus: Any, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders["flux"].parent)  # the workers are elsewhere
    made = make(gpus, "flux", batch=4)
    with closing(Client(gpus)) as client:
        assert [*client.run(look).values()] == [(True, 1)] * 2
    assert Counter(one.record.circumstances.details["batch"] for one in made) == {"4": 12}
    assert made[0].record.requested_model.startswith("flux@sha256:")
    assert (made[0].request.model, str(folders["flux"]) in str(made[0].record.as_dict())) == ("flux", False)
    alone = make(None, "flux", seed=[0, 5], fresh=True)
    for one, other in zip(alone, (made[0], made[5]), strict=True):
        differs = ImageChops.difference(one.image.convert("RGB"), other.image.convert("RGB"))
        assert max(most for _, most in differs.getextrema()) <= 2
    assert all(one.replayed for one in make(None, "flux"))


def test_an_interrupt_ends_the_pipelines_with_their_step_and_keeps_what_is_finished(
    gpus: Any, folders: Folders
) -> None:
    each = [ImageRequest("a fox", seed=seed, width=64, height=64, steps=900 if seed > 3 else 2) for seed in range(24)]
    own: dict[str, Any] = {"model": str(folders["flux"]), "provider": "diffusers", "cluster": gpus, "batch": 4}
    images = flux_magic.generate_many(each, **own)
    first = sorted(str(next(images).seed) for _ in range(4))
    images.close()
    assert first == list("0123")
    again = flux_magic.generate_many(
        [*each[:4], *(ImageRequest("a fox", seed=seed, steps=2, width=64, height=64) for seed in range(20, 22))], **own
    )
    assert sorted((str(one.seed), one.replayed) for one in again) == [
        *((seed, True) for seed in "0123"),
        ("20", False),
        ("21", False),
    ]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        pytest.param({"device": "cuda"}, Incomplete, "device is 'cuda', which torch does not find here", id="no GPU"),
        pytest.param({"model": "some/model"}, ModelUnavailable, "some/model", id="no model"),
    ],
)
def test_a_worker_without_a_gpu_or_the_model_is_named(
    gpus: Any, folders: Folders, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=rf"{message}[^\n]* \(on the worker tcp://127\.0\.0\.1:\d+\)"):
        make(gpus, **{"model": folders["flux"], "seed": [1, 2], **options})
