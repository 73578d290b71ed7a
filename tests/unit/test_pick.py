"""Some images of many: by number, by digest, by position, and by click."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flux_magic.errors import FluxError, MissingExtra
from flux_magic.jupyter import picking
from flux_magic.jupyter.completion import complete
from flux_magic.jupyter.picker import MOST, Picker
from flux_magic.jupyter.picking import write_line
from flux_magic.results.generations import Generations
from flux_magic.sweeps.axes import Axis
from tests.unit.samples import encoded, generation, notebook

SCENES, SEEDS = Axis("scene", ("snow", "sea", "night")), Axis("seed", (1, 2))


def sweep(*missing: int) -> Generations:
    every = [generation(encoded(colour=place * 40), seed=place % 2 + 1) for place in range(6)]
    places = [place for place in range(6) if place not in missing]
    return Generations([every[place] for place in places], [SCENES, SEEDS], places)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[InteractiveShell]:
    with notebook(tmp_path):
        running = InteractiveShell.instance()
        running.run_line_magic("load_ext", "flux_magic")
        running.user_ns |= {"foxes": sweep(), "fox": sweep()[0], "plain": Generations([*sweep()][:2]), "none": 3}
        yield running
        running.run_line_magic("unload_ext", "flux_magic")


def pick(shell: InteractiveShell, line: str) -> Any:
    return picking.run_pick(shell, line)


def test_what_is_picked_keeps_its_labels_its_order_and_its_values() -> None:
    foxes = sweep(1)
    assert [foxes.number(position) for position in range(5)] == [1, 3, 4, 5, 6]
    chosen = foxes.pick(6, 1)
    assert (list(chosen), chosen.describe()) == ([foxes[4], foxes[0]], ["night · seed 2", "snow · seed 1"])
    assert chosen.sel(scene="night") is foxes[4]
    assert list(chosen.to_pandas()["scene"]) == ["night", "snow"]
    assert "<flux sheet scene+seed 2, 2 images" in chosen.build_outputs()[0].data["text/plain"]
    assert list(foxes[[4, 0]]) == list(foxes[[-1, 0]]) == list(chosen)
    assert list(foxes.pick(foxes[2].digest[:8], 1)) == [foxes[2], foxes[0]]
    assert list(chosen.pick(2)) == [foxes[0]], "what was picked is picked from again, by its own numbers"
    assert foxes.pick(4).axes[0].name == "scene+seed"
    plain = Generations([*foxes])
    assert (plain.pick(2).axes, list(plain[[1]])) == ((), [foxes[1]])


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ((2,), "there is no image 2: not made"),
        ((7,), "there is no image 7: they are counted from 1 to 6"),
        ((0,), "there is no image 0: they are counted from 1 to 6"),
        ((1, 1), "image 1 is given twice"),
        ((1.5,), "1.5 is no image: give its number, from 1, or its digest"),
        (("abcdef",), "no images with digest abcdef: with random seeds, a new run makes other images"),
        (("ab",), "no images with digest ab: give more digits"),
    ],
)
def test_an_image_that_cannot_be_picked_is_one_clear_line(which: tuple[Any, ...], words: str) -> None:
    with pytest.raises(FluxError) as told:
        sweep(1).pick(*which)
    assert str(told.value) == words


def test_a_line_keeps_images_without_a_click(shell: InteractiveShell) -> None:
    kept = pick(shell, "foxes --keep 1..3,6 --output best")
    assert [kept.describe(), shell.user_ns["best"] is kept] == [
        ["snow · seed 1", "snow · seed 2", "sea · seed 1", "night · seed 2"],
        True,
    ]
    assert len(pick(shell, "--keep 1,7 fox foxes")) == 2
    assert complete("%flux_pick ", shell.user_ns) == ("", ["foxes", "plain", "best"])
    assert complete("%flux_pick foxes --k", shell.user_ns) == ("--k", ["--keep"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "name the images to choose from, such as foxes: %flux_pick foxes --keep 1,4,7 --output best"),
        ("foxs", "%flux_pick foxs: there is no foxs in this notebook; there are foxes, plain"),
        ("none --keep 1", "%flux_pick none: none has no images; there are foxes, plain"),
        ("foxes", "to choose by click needs a notebook; here name the images: %flux_pick foxes --keep 1,4,7"),
        ("foxes --keep red", "--keep red: give numbers, --keep 1,4,7, or at least 6 digits of digests"),
        ("foxes --keep 9", "there is no image 9: they are counted from 1 to 6"),
        ("foxes --keep 1 --output class", "--output class: this is a reserved word of Python"),
        ("foxes --keep 1 --output foxes", "the choice from foxes cannot be called foxes"),
        ("foxes --seed 4", "%flux_pick takes no --seed: that is an option of %flux"),
    ],
)
def test_a_line_that_cannot_be_is_one_clear_line(shell: InteractiveShell, line: str, words: str) -> None:
    with pytest.raises(FluxError) as told:
        pick(shell, line)
    assert str(told.value).startswith(words)


def test_without_ipywidgets_the_line_says_what_to_install(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "kernel", object(), raising=False)
    monkeypatch.delitem(sys.modules, "flux_magic.jupyter.picker")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingExtra, match=r"needs ipywidgets: pip install ipywidgets; or name the images: %flux_pick"):
        pick(shell, "foxes")
    assert len(pick(shell, "foxes --keep 1,2")) == 2


def test_a_choice_by_click_gets_its_name_and_its_line(tmp_path: Path) -> None:
    kept: dict[str, Generations] = {}
    with notebook(tmp_path) as shown:
        picker = Picker(sweep(), "foxes", "best", kept.__setitem__)
        picker._ipython_display_()
        assert [box.description for box in picker.boxes][1:3] == ["2: snow · seed 2", "3: sea · seed 1"]
        assert picker.keep.disabled
        picker.boxes[1].value = picker.boxes[4].value = True
        assert "2 of 6 chosen" in picker.status.value
        picker.name.value = "my best"
        picker.keep.click()
        assert ("Name my best: give a name that Python takes, for example fox<" in picker.status.value, kept) == (
            True,
            {},
        )
        for name, why in (("class", "Name class: this is a reserved word"), ("a.png", "Name a.png: that names the")):
            picker.name.value = name
            picker.keep.click()
            assert why in picker.status.value
            assert "--" not in picker.status.value
        picker.name.value = "best"
        picker.keep.click()
        assert kept["best"].describe() == ["snow · seed 2", "night · seed 1"]
        assert picker.line == "%flux_pick foxes --keep 2,5 --output best"
        assert "best has 2 images" in picker.status.value
        picker.none.click()
        assert picker.keep.disabled
        picker.every.click()
        assert sum(box.value for box in picker.boxes) == 6
    view, _, line = [one["data"] for one in shown]
    assert view["text/plain"] == "Picker(6 images of foxes)"
    assert line["text/plain"] == picker.line
    with pytest.raises(FluxError, match=f"foxes has {MOST + 1} images, more than {MOST}"):
        Picker(Generations([sweep()[0]] * (MOST + 1)), "foxes", "best", kept.__setitem__)


def test_a_random_seed_is_kept_by_digest_as_a_new_run_makes_other_images() -> None:
    first, second, *_ = sweep()
    random = Generations([replace(one, request=replace(one.request, chosen=True)) for one in (first, second)])
    line = write_line("foxes", random, [1], "best")
    assert line == f"%flux_pick foxes --keep {second.digest[:12]} --output best"
