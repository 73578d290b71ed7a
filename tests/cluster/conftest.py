"""Real clusters of Dask: each worker is a process of its own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from flux_magic.parameters import settings


@contextmanager
def run_cluster(**options: Any) -> Iterator[Any]:
    """Provide a cluster of two processes with two threads each."""
    usual = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}
    before = {**os.environ}  # Dask sets some variables while it starts a process, and may close meanwhile
    with LocalCluster(**{**usual, "silence_logs": logging.CRITICAL, **options}) as cluster:
        yield cluster
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def dask() -> Iterator[Any]:
    """Yield one cluster for all who leave its workers alive."""
    with run_cluster() as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give a test a store of its own, which answers."""
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "auto")
    monkeypatch.chdir(tmp_path)
    settings.configure_by(dict)
