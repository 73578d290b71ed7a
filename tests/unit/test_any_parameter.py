"""Parameters of any model in sweeps: axes, labels, tables, selection, files, and the cells of the images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flux_magic
from flux_magic.errors import FluxError, NotInSweep
from flux_magic.jupyter import cell
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.sweeps.requests import Sweep
from tests.unit.scripted import Scripted, painting


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Scripted]:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "store"))
    return painting(monkeypatch)


def read(line: str, names: dict[str, object] | None = None) -> Sweep:
    asked = cell.read(line, None, names or {}).images
    assert isinstance(asked, Sweep)
    return asked


def made() -> Generations:
    own = {"shift": [1, 3], "mode": ["Base", "Fast, they say"], "rate": 0.5}
    return flux_magic.sweep("a fox", guidance=[1, 3.5], parameters=own, seed=7, quiet=True)


def test_a_cell_sweeps_any_parameter_and_the_labels_name_it() -> None:
    asked = read("--guidance 1,3.5,7 --set shift=1,3 --set mode=a,b --set on=true --seed 7 a fox")
    assert str(asked) == "12 images: 3 values of guidance × 2 values of shift × 2 {mode}"
    assert [asked.format_label(place) for place in (0, 6, 11)] == [
        "guidance 1, shift 1, a", "guidance 3.5, shift 3, a", "guidance 7, shift 3, b"
    ]  # fmt: skip
    assert dict(asked.requests[6].parameters) == {"guidance": 3.5, "on": True, "shift": 3, "mode": "a"}
    json_value = read("--set 'loras=[1, 2]' --set shift=1,3 a fox").requests
    assert [one.parameters["loras"] for one in json_value] == ["[1, 2]"] * 2
    tight = read("--set loras=[1,2] --set shift=1,3 a fox").requests
    assert [one.parameters["loras"] for one in tight] == ["[1,2]"] * 2
    alone = read('--negative "{a|b}, 1,2" --set shift=1,3 a fox').requests
    assert [dict(one.parameters) for one in alone] == [
        {"negative_prompt": "{a|b}, 1,2", "shift": 1}, {"negative_prompt": "{a|b}, 1,2", "shift": 3}
    ]  # fmt: skip


def test_python_sweeps_lists_of_any_parameter_of_numpys_too() -> None:
    negative = flux_magic.sweep("a fox", negative_prompt=["hens", ""], seed=1, quiet=True)
    assert [one.parameters["negative_prompt"] for one in negative] == ["hens", ""]
    assert [one.seed for one in negative] == [1, 1]
    assert [negative.axes[0].format_label(place) for place in (0, 1)] == ["negative_prompt hens", 'negative_prompt ""']
    own = {"shift": np.array([1.0, 2.5]), "steps_too": np.int64(3), "on": [True]}
    swept = flux_magic.sweep("a fox", parameters=own, seed=1, quiet=True)
    assert [dict(one.parameters) for one in swept] == [
        {"steps_too": 3, "on": True, "shift": 1.0}, {"steps_too": 3, "on": True, "shift": 2.5}
    ]  # fmt: skip
    assert [line for one in swept for line in re.findall("--set shift=[^ \\n]+", one.command())] == [
        "--set shift=1.0", "--set shift=2.5"
    ]  # fmt: skip


def test_an_image_is_selected_by_any_parameter_as_it_is_shown_or_typed() -> None:
    foxes = made()
    for guidance in (1, 1.0, "1", "1.0", np.float64(1)):
        picked = foxes.sel(guidance=guidance, shift=3, mode="Fast, they say")
        assert isinstance(picked, Generation)
        assert dict(picked.parameters) == {"rate": 0.5, "guidance": 1, "shift": 3, "mode": "Fast, they say"}
    assert len(foxes.sel(shift="3")) == 4
    with pytest.raises(NotInSweep, match=r"this sweep has no guidance 2: it has 1, 3\.5"):
        foxes.sel(guidance=2)


def test_tables_have_a_column_for_each_parameter_that_an_image_has() -> None:
    foxes = made()
    table = foxes.to_pandas()
    assert list(table.columns[:3]) == ["guidance", "shift", "mode"]
    assert list(table["rate"]) == [0.5] * 8
    mixed = Generations([foxes[0], flux_magic.generate("a hen", seed=7, quiet=True)]).to_pandas()
    assert mixed["shift"].tolist()[0] == 1
    assert np.isnan(mixed["shift"].tolist()[1])
    shown = foxes.build_outputs()[-1].data["text/plain"]
    assert "rate     0.5" in shown
    assert 'guidance=3.5 shift=3 mode="Fast, they say"' in shown


def test_files_are_named_by_any_parameter_that_the_images_have(tmp_path: Path) -> None:
    foxes = made()
    foxes.save(tmp_path / "{guidance}-{shift}-{mode}-{rate}.png")
    assert {path.name for path in tmp_path.glob("*.png")} >= {"1-1-base-0-5.png", "3-5-3-fast-they-say-0-5.png"}
    foxes[0].save(tmp_path / "one-{rate}-{shift}.png")
    assert (tmp_path / "one-0-5-1.png").is_file()
    several = Generations([foxes[0], flux_magic.generate("a hen", seed=7, quiet=True)])
    several.save(tmp_path / "of-{shift}.png")
    assert {path.name for path in tmp_path.glob("of-*")} == {"of-1.png", "of-none.png"}
    cell.read(f"--set shift=3 --save {tmp_path}/{{shift}}.png a fox", None, {})
    for line in (f"--save {tmp_path}/{{shift}}.png a fox", f"--set shift=1,3 --save {tmp_path}/{{rate}}.png a fox"):
        with pytest.raises(FluxError, match="is not a field"):
            cell.read(line, None, {})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        pytest.param(
            lambda: read("--sweep --set shift=1,3 a {shift} fox", {"shift": ["red", "blue"]}),
            "{shift} and the model's own shift both vary: give the list another name",
            id="a list of the notebook",
        ),
        pytest.param(
            lambda: read("--set digest=1,3 a fox"),
            "digest has several values: a sweep has a digest of its own",
            id="a column",
        ),
        pytest.param(lambda: read("--set word_2=1,3 a fox"), "a sweep has a word_2 of its own", id="alternatives"),
        pytest.param(lambda: read("--set shift=1,1 a fox"), "--set shift: a value occurs twice", id="twice in a cell"),
        pytest.param(lambda: read("--set shift=1 --set shift=3 a fox"), "--set sets shift twice", id="two options"),
        pytest.param(
            lambda: read("--set guidance=1,3 a fox"), "an option of its own: --guidance 3.5", id="of the table"
        ),
        pytest.param(lambda: read("--strength .5,2 a fox"), "give a number from 0 to 1", id="out of range"),
        pytest.param(
            lambda: flux_magic.sweep("a fox", parameters={"shift": [1.0, 1]}),
            "shift: 1 occurs twice",
            id="twice in Python",
        ),
        pytest.param(
            lambda: flux_magic.sweep("a fox", parameters={"shift": [[1], [2]]}),
            "shift is [1]: give a number",
            id="lists",
        ),
        pytest.param(
            lambda: flux_magic.sweep("a fox", frobs=[1, 3]),
            "what the model has of its own goes into parameters={'frobs': [...]}",
            id="by its name alone",
        ),
    ],
)
def test_what_cannot_be_swept_is_one_clear_line(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(FluxError) as caught:
        call()
    assert says in caught.value.message
