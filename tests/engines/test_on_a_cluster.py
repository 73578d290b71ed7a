"""Pipelines on the workers of a Dask cluster: each has a GPU by name, and computes on its processor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from PIL import ImageChops

import flux_magic
from flux_magic.errors import Incomplete
from tests.cluster.conftest import run_cluster

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of each other

Folders = Mapping[str, Path]


@pytest.fixture(scope="module")
def gpus() -> Iterator[Any]:
    """Yield a worker of four threads with one GPU, in this process."""
    with run_cluster(n_workers=1, threads_per_worker=4, resources={"GPU": 1}, processes=False) as cluster:
        with closing(Client(cluster)) as client:
            client.gather(client.map(time.sleep, [0.1] * 4, pure=False))  # the threads are there from the beginning
        yield cluster


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a batch, here and on a worker in this process, wait for its requests as long as a busy machine needs."""
    monkeypatch.setattr("flux_magic.client.cluster._GATHER", 5.0)
    monkeypatch.setattr("flux_magic.providers.diffusers.provider._GATHER", 0.5)


def make(cluster: Any, model: Path | str, **options: Any) -> flux_magic.Generations:
    usual = {"seed": list(range(12)), "size": "64x64", "steps": 2, "quiet": True, "provider": "diffusers"}
    return flux_magic.sweep("a red fox", model=str(model), cluster=cluster, **{**usual, **options})


def look() -> tuple[bool, int]:
    """Return if this process, a worker, has a pipeline, and how many threads run pipelines."""
    import threading

    from flux_magic.providers.diffusers.worker import worker

    return worker.loaded is not None, sum("diffusers" in one.name for one in threading.enumerate())


def test_workers_keep_one_pipeline_each(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folders["flux"].parent)
    with run_cluster(threads_per_worker=2, resources={"GPU": 1}) as cluster:
        monkeypatch.chdir(folders["flux"])  # the workers have begun elsewhere
        made = make(cluster, "../flux", seed=list(range(8)), batch=2)
        with closing(Client(cluster)) as client:
            assert [*client.run(look).values()] == [(True, 1)] * 2
    assert Counter(one.record.circumstances.details["batch"] for one in made) == {"2": 8}


def test_batches_of_one_shape_are_what_the_plain_client_makes(gpus: Any, folders: Folders) -> None:
    made = make(gpus, folders["flux"], batch=4)
    assert Counter(one.record.circumstances.details["batch"] for one in made) == {"4": 12}
    assert made[0].record.requested_model.startswith("flux@sha256:")
    assert str(folders["flux"]) not in str(made[0].record.as_dict())
    alone = make(None, folders["flux"], seed=[0, 5], fresh=True)
    for one, other in zip(alone, (made[0], made[5]), strict=True):
        differs = ImageChops.difference(one.image.convert("RGB"), other.image.convert("RGB"))
        assert max(differs.tobytes()) <= 2
    assert all(one.replayed for one in make(None, folders["flux"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"device": "cuda"},
            r"device is 'cuda', which torch does not find here[^\n]* \(on the worker inproc://\S+\)",
            id="no GPU",
        ),
        pytest.param({"model": "some/model"}, "some/model is not on this disk", id="no model"),  # looked for here first
    ],
)
def test_what_a_worker_or_this_machine_lacks_is_named(
    gpus: Any, folders: Folders, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(Incomplete, match=message):
        make(gpus, **{"model": folders["flux"], "seed": [1, 2], **options})
