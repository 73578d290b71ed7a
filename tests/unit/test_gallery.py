"""The gallery of the store, without a browser: what each press does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ipywidgets import Widget

from flux_magic.images import codecs
from flux_magic.jupyter.gallery import Gallery
from flux_magic.jupyter.gallery.search import read_query
from flux_magic.parameters.settings import resolve
from flux_magic.records.index import Query
from flux_magic.records.store import Store
from flux_magic.results.library import open_library
from tests.unit.samples import encoded, record

opened: list[Gallery] = []


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store of its own, and no widget left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    before = set(Widget.get_manager_state()["state"])
    yield
    for gallery in opened:
        gallery.close()
        assert gallery._do.wait(60) and gallery._draw.wait(60)
    opened.clear()
    left = [one["model_name"] for key, one in Widget.get_manager_state()["state"].items() if key not in before]
    assert left == []


def fill(number: int, **changes: Any) -> None:
    """Put images into the store, of which the last is the newest."""
    store = Store(Path("store"), None)
    for at in range(number):
        data = encoded(colour=at % 256)
        prompt = ["a red fox", "a hen", "a fox in the snow"][at % 3]
        started = f"2026-01-01T{at // 60:02}:{at % 60:02}:00+00:00"
        made = record(prompt=prompt, seed=at, files=(codecs.describe(data),), started=started, **changes)
        store.put(made, [data])


def show(typed: str = "") -> Gallery:
    gallery = Gallery(open_library(resolve()), typed)
    opened.append(gallery)
    return settled(gallery)


def settled(gallery: Gallery) -> Gallery:
    assert gallery.wait()
    return gallery


def seeds(gallery: Gallery) -> list[int | None]:
    return [one.seed for one in gallery.grid.images]


def test_x() -> None:
    fill(120)
    gallery = show()
    assert seeds(gallery) == list(range(119, 69, -1))
    gallery.more.click()
    settled(gallery)
    assert len(seeds(gallery)) == 100
    print(gallery.status.value)
    gallery.search.value = "snow"
    settled(gallery)
    print(gallery.status.value, len(seeds(gallery)))
    gallery.grid.slots[0].button.click()
    settled(gallery)
    gallery.detail.star.click()
    settled(gallery)
    print(gallery.status.value)
    gallery.detail.compare.click()
    settled(gallery)
    gallery.grid.slots[1].button.click()
    settled(gallery)
    print(gallery.status.value, gallery._pair.value[-700:])
    gallery.detail.delete.click()
    settled(gallery)
    print(gallery.status.value)
    gallery.undo.click()
    settled(gallery)
    print(gallery.status.value)
    gallery.detail.tags.value = "Fox, winter"
    settled(gallery)
    print(gallery.status.value, gallery.detail.tags.value)
    gallery.detail.put.click()
    settled(gallery)
    print(gallery.status.value, gallery.detail.cell.value)
    gallery.detail.use.click()
    settled(gallery)
    print(gallery.status.value, gallery.detail.cell.value)
    gallery.detail.panel.click()
    settled(gallery)
    print(gallery.status.value)


def test_query() -> None:
    assert read_query("fox seed:42 x size:512x512") == Query(words="fox x", seed=42, width=512, height=512)
