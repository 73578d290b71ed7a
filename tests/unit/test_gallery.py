"""The gallery of the store, without a browser: what each press does."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets import Widget

from flux_magic.images import codecs
from flux_magic.jupyter.gallery import Gallery, opening
from flux_magic.jupyter.gallery.opening import MARK, GalleryHistory
from flux_magic.parameters.settings import resolve
from flux_magic.records.query import Query
from flux_magic.records.store import Store
from tests.unit.samples import encoded, notebook, record
from tests.unit.scripted import installed, settle

WIDGET = "application/vnd.jupyter.widget-view+json"
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
    opened.clear()
    settle()
    left = [one["model_name"] for key, one in Widget.get_manager_state()["state"].items() if key not in before]
    assert left == []


def fill(number: int, colour: int = 0, **changes: Any) -> None:
    """Put images into the store, of which the last is the newest; their colours begin with this one."""
    store = Store(Path("store"), None)
    for at in range(number):
        data = encoded(colour=colour + at)
        prompt = ["a red fox", "a hen", "a fox in the snow"][at % 3]
        started = f"2026-01-01T{at // 60:02}:{at % 60:02}:00+00:00"
        made = record(prompt=prompt, seed=at, files=(codecs.describe(data),), started=started, **changes)
        store.put(made, [data])


def show(typed: str = "") -> Gallery:
    gallery = Gallery(resolve(), Query(words=typed))
    opened.append(gallery)
    return settled(gallery)


def settled(gallery: Gallery) -> Gallery:
    assert gallery.wait()
    return gallery


def seeds(gallery: Gallery) -> list[int | None]:
    return [one.seed for one in gallery.grid.images]


def said(gallery: Gallery) -> str:
    """Return what the status line says, once all is done."""
    assert gallery.wait()
    return html.unescape(re.sub("<.*?>", "", gallery.status.value))


def press(gallery: Gallery, *buttons: Any) -> str:
    """Press buttons, a number for a thumbnail, and return what the status line says at last."""
    for one in buttons:
        (gallery.grid.slots[one].button if isinstance(one, int) else one).click()
        assert gallery.wait()
    return said(gallery)


def test_images_come_by_the_page_with_their_thumbnails_and_words_find_some() -> None:
    fill(120)
    gallery = show()
    assert (seeds(gallery), said(gallery)) == (list(range(119, 69, -1)), "120 images")
    first = gallery.grid.slots[0].button
    assert (first.description, first.tooltip) == ("a fox in the snow\nseed 119", "a fox in the snow, seed 119, 8×6")
    assert len(re.findall("data:image/jpeg", "".join(one.value for one in gallery.grid.sheets.children))) == 50
    before = len(Widget.get_manager_state()["state"])
    press(gallery, gallery.more)
    assert (seeds(gallery), gallery.more.description) == (list(range(119, 19, -1)), "More (20)")
    assert len(Widget.get_manager_state()["state"]) == before + 55, "a thumbnail is one widget, ten share a style sheet"
    press(gallery, gallery.more)
    assert (len(seeds(gallery)), gallery.more.layout.display) == (120, "none")
    for typed in ("s", "sn", "snow"):
        gallery.search.value = typed
    assert said(gallery) == "40 images"
    assert (seeds(gallery)[:2], gallery.grid.slots[0].button) == ([119, 116], first), "a page keeps its focus"
    assert len(Widget.get_manager_state()["state"]) == before, "what is not loaded has no widget"
    sent = [one.value for one in gallery.grid.sheets.children]
    gallery._ask(0)
    gallery.wait()
    assert all(one.value is same for one, same in zip(gallery.grid.sheets.children, sent, strict=True)), (
        "not drawn twice"
    )
    gallery.search.value = "hen seed:4"
    assert (said(gallery), seeds(gallery)) == ("1 image", [4])


@pytest.mark.parametrize(
    ("typed", "starred", "words"),
    [
        ("zebra", False, "No image with 'zebra': leave something out, or search for words of the prompt, #tag"),
        ("", True, "No image is starred: open one and press Star"),
        ("fox", True, "No image with 'fox', a star: leave something out"),
        ("after:2026-99-99", False, "InvalidRequest|after"),
        ("$x$ <b>", False, "No image with '$x$ <b>': leave"),
    ],
)
def test_a_search_that_finds_nothing_says_what_to_do(typed: str, *, starred: bool, words: str) -> None:
    fill(3)
    gallery = show(typed)
    gallery.starred.value = starred
    assert any(one in said(gallery) for one in words.split("|"))
    if "after" not in typed:
        assert seeds(gallery) == []
        gallery.search.value, gallery.starred.value = "", False
        assert said(gallery) == "3 images"


def test_conditions_of_the_line_are_on_a_button_that_drops_them() -> None:
    fill(4)
    gallery = Gallery(resolve(), Query(words="fox", seed=2, tags=("farm",), starred=True))
    opened.append(gallery)
    assert said(gallery).startswith("No image with 'fox #farm', seed 2, a star: ")
    assert (gallery.search.value, gallery.starred.value, gallery.drop.description) == ("fox #farm", True, "seed 2")
    gallery.search.value, gallery.starred.value = "fox", False
    assert (said(gallery), seeds(gallery)) == ("1 image", [2])
    assert press(gallery, gallery.drop) == "3 images"


def test_an_empty_store_says_how_to_begin() -> None:
    assert said(show()) == "No images in the store yet: make one with %%flux"


def test_an_image_gets_a_star_and_tags_and_is_found_by_them() -> None:
    fill(3)
    gallery = show()
    assert press(gallery, 1, gallery.detail.star) == "“a hen” (seed 1) has a star"
    assert gallery.grid.slots[1].button.description == "★ a hen\nseed 1"
    assert gallery.detail.star.description == "Starred"
    gallery.detail.tags.value = "#Bird, farm"
    assert (said(gallery), gallery.detail.tags.value) == ("Tags: bird, farm", "")
    chips = gallery.detail.widget.children[4].children
    assert (chips[0].description, chips[0].tooltip) == ("bird", "Remove the tag bird")
    assert gallery.detail.tags.options == ("bird", "farm")
    assert "#farm" in gallery.search.options
    gallery.detail.tags.value = "two!"
    assert "'two!' is no tag" in said(gallery)
    assert press(gallery, chips[0]) == "Tags: farm"
    gallery.starred.value = True
    assert (said(gallery), seeds(gallery)) == ("1 image", [1])
    gallery.starred.value, gallery.search.value = False, "#farm"
    assert (said(gallery), seeds(gallery)) == ("1 image", [1])
    assert press(gallery, gallery.detail.star) == "“a hen” (seed 1) has no star"
    again = show("#farm")
    assert (seeds(again), [one.is_starred for one in again.grid.slots]) == ([1], [False])


def test_what_is_deleted_comes_back_one_after_the_other() -> None:
    fill(4)
    gallery = show()
    files = sorted(Path("store").rglob("2*/*"))
    assert gallery.size.value.startswith("the store: 8 files")
    assert press(gallery, 1, gallery.detail.delete) == "Deleted “a fox in the snow” (seed 2); 3 left"
    assert gallery.size.value.startswith("the store: 6 files")
    assert gallery._current is gallery.grid.slots[2], "the next image is open"
    gallery._on_message({"do": "delete", "at": 3})
    assert said(gallery) == "Deleted “a red fox” (seed 0); 2 left"
    assert (seeds(gallery), len(sorted(Path("store").rglob("2*/*.webp")))) == ([3, 1], 0)
    assert press(gallery, gallery.undo) == "“a red fox” (seed 0) is back"
    gallery.search.value = "fox"
    assert said(gallery) == "2 images", "the other one is still deleted"
    assert press(gallery, gallery.undo) == "“a fox in the snow” (seed 2) is back"
    assert (seeds(gallery), gallery.undo.layout.display) == ([3, 2, 0], "none")
    assert sorted(Path("store").rglob("2*/*")) == files
    press(gallery, 0, *[gallery.detail.delete] * 3)
    assert (seeds(gallery), gallery.detail.widget.layout.display) == ([], "none")


@pytest.mark.parametrize("does", ["star", "delete"])
def test_an_image_that_another_process_deleted_goes_and_the_status_says_so(does: str) -> None:
    fill(3)
    gallery = show()
    press(gallery, 1)
    for path in Path("store").rglob("*a-hen*"):
        path.unlink()
    assert press(gallery, getattr(gallery.detail, does)) == "this image is no longer in the store"
    assert (seeds(gallery), gallery.total, gallery.undo.layout.display) == ([2, 0], 2, "none")
    assert gallery._current is gallery.grid.slots[2], "the next image is open"
    assert not [*Path("store").rglob("*.marks.json")]


def test_two_images_are_compared_by_what_their_records_say() -> None:
    fill(3)
    gallery = show()
    assert press(gallery, 0, gallery.detail.compare) == "Now choose the image to compare it with"
    assert press(gallery, 2) == "Below, “a fox in the snow” (seed 2) is beside “a red fox” (seed 0)"
    shown = gallery.comparison.html
    assert shown.count("<img src=") == 2
    names = re.findall('<th scope="row">(.*?)</th>', shown)
    assert (names, "The same in both: model, size, steps, Space" in shown) == (
        ["prompt", "seed", "made on", "image"],
        True,
    )
    press(gallery, gallery.comparison.shut)
    assert (gallery.comparison.html, gallery.comparison.widget.layout.display) == ("", "none")
    press(gallery, gallery.detail.compare)
    gallery._on_message({"do": "escape"})
    assert said(gallery) == "Nothing is compared"
    assert press(gallery, 1) == "Nothing is compared"


def test_an_image_becomes_a_cell_an_input_and_a_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    fill(2)
    gallery = show()
    digest = gallery.grid.images[0].digest
    assert press(gallery, 0, gallery.detail.put).startswith("The cell is below the image")
    assert gallery.detail.cell.value == "%%flux --steps 4 --seed 1 --size 256x192\na hen"
    press(gallery, gallery.detail.use)
    assert gallery.detail.cell.value == f"%%flux --image sha256:{digest[:12]}\n"
    press(gallery, gallery.detail.panel)
    assert gallery.reuse.panel is not None
    assert (gallery.reuse.panel.prompt, gallery.reuse.panel.seed) == ("a hen", 1)
    first = gallery.reuse.panel
    assert press(gallery, 1, gallery.detail.use).startswith("It goes into the panel below")
    press(gallery, gallery.detail.panel)
    assert (first.comm, gallery.reuse.panel.prompt) == (None, "a red fox")


def test_an_image_whose_file_is_gone_says_so_and_stops_nothing() -> None:
    fill(2, colour=250)  # other tests have the thumbnails of other ones
    next(Path("store").rglob("*a-hen*.png")).unlink()
    next(Path("store").rglob("*a-red*.png")).write_bytes(b"x")
    next(Path("store").rglob("*a-hen*.json")).with_stem("01-000000.000000-a-fox-1-1a2b3c4d5e6f-nokey").write_text("{")
    gallery = show()
    assert "the file is damaged" in gallery.grid.sheets.children[0].value
    assert "the file is gone" in gallery.grid.sheets.children[0].value
    assert ".json is skipped: the record is no JSON" in gallery.size.value
    press(gallery, 0)
    assert "is not in the store any more" in gallery.detail._image.value


def test_a_cell_that_runs_again_closes_its_gallery_and_each_output_has_the_page(tmp_path: Path) -> None:
    fill(22)
    with notebook(tmp_path) as shown:
        shell: Any = InteractiveShell.instance()
        history = GalleryHistory(resolve(), Query(words="fox"))
        assert [one.seed for one in history[:2]] == [21, 20]
        ids = []
        for request in ("first", "first", "second"):
            shell.parent_header = {"header": {"msg_id": request}, "metadata": {"cellId": "1"}}
            history._ipython_display_()
            data = shown[-1]["data"]
            ids.append(data[WIDGET]["model_id"])
            assert data["text/html"].count("<img") == 15
            assert shown[-1]["metadata"] == MARK
        settle()
        assert all(one.wait() for _, galleries in opening._open.values() for one in galleries)
        left = Widget.get_manager_state()["state"]
        assert [one in left for one in ids] == [False, False, True], "two in one run are both on the page"
        GalleryHistory(resolve(), Query(words="zebra"))._ipython_display_()
        assert shown[-1]["data"]["text/plain"] == "no image in the store with 'zebra'"
        for _, galleries in opening._open.values():
            opened.extend(galleries)
        opening._open.clear()
