"""Lists that are walked together: `--zip`, `pairs=True`, and the axis that a sweep of pairs has."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flux_magic.client import client
from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import Incomplete, InvalidArgument, InvalidRequest, NotInSweep, SpaceError
from flux_magic.jupyter.cell import read
from flux_magic.results import sheet_output
from flux_magic.results.generations import Generations
from flux_magic.sweeps import sheet_file
from flux_magic.sweeps.axes import Axis
from flux_magic.sweeps.labels import make_labels
from tests.unit.scripted import Painter, painting

SCENES = ["in the snow", "by the sea", "at night"]
SIZES = ["64x48", "64x64", "64x48"]


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> type[Painter]:
    return painting(monkeypatch)


def requests(line: str, body: str = "a fox {scenes}", **names: object) -> list[tuple[Any, ...]]:
    asked = read(line, body, {"scenes": SCENES, "sizes": SIZES, **names}).images
    assert not isinstance(asked, list)
    return [(one.prompt, one.seed, one.width) for one in asked.requests]


@pytest.mark.parametrize(
    ("line", "body", "made"),
    [
        pytest.param("--zip --seed 1..3", "a {scenes}", [("a in the snow", 1), ("a by the sea", 2), ("a at night", 3)]),
        pytest.param("--zip -n 2 --seed 7", "{red|blue}", [("red", 7), ("blue", 8)], id="a count gives the seeds"),
        pytest.param("--zip --seed {seeds}", "{red|blue}", [("red", 5), ("blue", 5)], id="the same value twice"),
        pytest.param("--zip --sweep --seed 1,2", "{red|blue} {x|y}", [("red x", 1), ("blue y", 2)], id="three"),
    ],
)
def test_what_has_several_values_is_walked_together(line: str, body: str, made: list[tuple[str, int]]) -> None:
    assert [one[:2] for one in requests(line, body, seeds=[5, 5])] == made


@pytest.mark.parametrize(
    ("line", "body", "words"),
    [
        pytest.param(
            "--zip --seed 1..4",
            "a {scenes}",
            "scenes has 3 values and seed has 4: in pairs, all need the same number",
            id="unequal",
        ),
        pytest.param("--zip -n 4", "a {scenes}", "scenes has 3 values and count has 4", id="another count"),
        pytest.param("--zip", "a {scenes}", "only scenes has several values: pairs need two such lists", id="one"),
        pytest.param("--zip", "a fox", "--zip finds nothing to vary", id="none"),
        pytest.param("--zip --seed 1,1", "{a|a}", "the pair word 'a' with seed 1 occurs twice", id="a pair twice"),
        pytest.param("--zip --raw --seed 1,2", "{a|b}", "--raw takes what is in braces as typed, and --zip", id="raw"),
        pytest.param("--zip --seed 1..20 --steps 1..20", "a", "20 images are more than 16", id="many"),
    ],
)
def test_what_cannot_be_paired_is_one_clear_line(line: str, body: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        requests(line, body)
    assert str(told.value).startswith(words)


def test_a_pair_is_announced_and_saved_by_both_of_its_names() -> None:
    asked = read(
        "--zip --seed 1..3 --size {sizes} --save p/{scenes}-{seed}.png", "{scenes}", {"scenes": SCENES, "sizes": SIZES}
    )
    assert str(asked.images) == "3 images: 3 {scenes} with 3 seeds and 3 sizes in pairs"
    assert not isinstance(asked.images, list)
    assert make_labels(asked.images.axes)[0][0].replace("\u00a0", " ") == "in the snow · seed 1 · 64x48"
    assert "3 images: 3 {scenes}" in asked.describe()


@pytest.mark.usefixtures("painter")
def test_a_sweep_of_pairs_is_selected_tabled_and_shown_by_both_of_its_names(tmp_path: Path) -> None:
    made = client.sweep("a fox {scene}", scene=SCENES, seed=[3, 1, 3], pairs=True, quiet=True)
    assert [(one.prompt, one.seed) for one in made] == [
        (f"a fox {a}", b) for a, b in zip(SCENES, [3, 1, 3], strict=True)
    ]
    assert made.sel(scene="by the sea") is made[1]
    assert made.sel(seed=1, scene="by the sea") is made[1]
    threes = made.sel(seed=3)
    assert ([one.prompt for one in threes], threes.sel(scene="at night")) == (
        ["a fox in the snow", "a fox at night"],
        made[2],
    )
    with pytest.raises(NotInSweep, match="no pair of seed 1 and scene 'at night'"):
        made.sel(seed=1, scene="at night")
    with pytest.raises(NotInSweep, match=r"no axis 'steps': .*It has scene, seed"):
        made.sel(steps=2)
    assert list(made.to_pandas()[["scene", "seed"]].itertuples(index=False, name=None)) == list(
        zip(SCENES, [3, 1, 3], strict=True)
    )
    sheet, table = made.build_outputs()
    assert "<flux sheet scene+seed 3, 3 images" in sheet.data["text/plain"]
    alt = sheet.metadata["image/jpeg"]["alt"]
    assert "3 images, scene in the snow with seed 3, scene by the sea with seed 1, scene at night with seed 3" in alt
    assert 'scene="by the sea" seed=1' in table.data["text/plain"]
    made.grid().save(tmp_path / "sheet.png")
    kept = sheet_file.read((tmp_path / "sheet.png").read_bytes())
    assert kept is not None
    assert tuple(kept.axes) == made.axes
    assert {path.name for path in made.save(tmp_path / "{scene}-{seed}.png")} == {
        "in-the-snow-3.png",
        "by-the-sea-1.png",
        "at-night-3.png",
    }
    assert made[1].command() == client.generate("a fox by the sea", seed=1, quiet=True).command()


def test_a_pair_that_failed_is_named_by_its_values(painter: type[Painter]) -> None:
    painter.failing = {2: SpaceError("no")}

    async def main() -> Generations:
        return await AsyncClient().sweep("a fox {scene}", scene=SCENES, seed=[1, 2, 3], pairs=True)

    with pytest.raises(Incomplete) as told:
        asyncio.run(main())
    made = told.value.made
    assert isinstance(made, Generations)
    assert "scene=by the sea seed=2 failed: no" in repr(made)
    with pytest.raises(NotInSweep, match="no image of scene=by the sea seed=2: failed"):
        made.sel(seed=2)
    assert sheet_output.collect_contents(made.axes, made._list_places()).axes == made.axes


def test_pairs_are_true_or_false() -> None:
    with pytest.raises(InvalidArgument, match=r"pairs is \[1\]: give True or False"):
        client.sweep("a {pairs} fox", pairs=[1], seed=[1, 2])  # type: ignore[call-overload]


def test_an_axis_of_pairs_numbers_only_what_no_font_draws() -> None:
    words, seeds = Axis("word", ("fox", "\U0010a7f5")), Axis("seed", (1, 2))
    pair = Axis("word+seed", ("fox · seed 1", "? · seed 2"), (words, seeds))
    assert make_labels([pair]) == [["fox · seed\u00a01", "word\u00a02 · seed\u00a02"]]
