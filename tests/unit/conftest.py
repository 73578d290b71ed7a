"""How the properties here are tried."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example may take is no one's promise, and a machine may be busy. Other examples are drawn in each run, so
# fewer of them in one find as much over some runs; `make test-thorough` draws many.
settings.register_profile("here", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=300)
settings.load_profile("here")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the test's folder, and return the cache folder there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a store, which is not there yet."""
    return tmp_path / "store"
