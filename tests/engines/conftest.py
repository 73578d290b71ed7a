"""The engines' own environment: nothing here is collected without torch and diffusers."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait for each other take most of the time of a tiny model
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{tempfile.gettempdir()}/torchinductor")  # else an image does

if importlib.util.find_spec("torch") is None or importlib.util.find_spec("diffusers") is None:
    collect_ignore_glob = ["*"]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of tiny pipelines, each saved once by `save_pretrained`."""
    from tests.engines import tiny

    root = tmp_path_factory.mktemp("tiny")
    return {name: tiny.save(name, root / name) for name in tiny.MAKERS}


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give a test a store, a cache of digests and a worker of its own."""
    from flux_magic.providers.diffusers import models, provider
    from flux_magic.providers.diffusers.worker import worker

    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(models, "_get_cache", lambda: tmp_path / "digests.json")
    monkeypatch.setattr(provider, "_described", {})
    monkeypatch.chdir(tmp_path)
    yield
    worker.close()


@pytest.fixture
def box() -> Path:
    """Return the folder of the tiny model, as it is installed."""
    from flux_magic.providers.diffusers import tiny

    return tiny.open_folder()
