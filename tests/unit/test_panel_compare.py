"""The panel's comparison: seeds and steps as axes of one sheet, over a scripted provider."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_magic.client import blocking, progress
from flux_magic.errors import Incomplete, InvalidRequest, NotInStore, QuotaExceeded, SpaceError
from flux_magic.jupyter import cell
from flux_magic.jupyter.lines import _parse_panel_line
from flux_magic.jupyter.panel import Panel
from flux_magic.jupyter.panel.sheets import write_sheet_cell
from flux_magic.parameters import grammar, settings
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.sweeps.axes import Axis
from flux_magic.sweeps.requests import build_sweep
from flux_magic.sweeps.template import Template
from flux_magic.types import ImageRequest, Running
from tests.support.limits import PATIENCE
from tests.unit import test_panel
from tests.unit.samples import encoded, generation
from tests.unit.scripted import Scripted, answer, settle, until
from tests.unit.test_panel import LONG, describe, holding, make, requests, text, told

fresh, provider = test_panel.fresh, test_panel.provider
pytestmark = pytest.mark.usefixtures("provider")

Script = Callable[[ImageRequest], list[Any]]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, provider: type[Scripted]) -> Callable[[Script], None]:
    """Takes what the Space does for each request."""

    def take(script: Script) -> None:
        monkeypatch.setattr(provider, "script", property(lambda one: script(one.requests[-1])))

    return take


@pytest.fixture
def coloured(provider: type[Scripted], scripted: Callable[[Script], None]) -> None:
    """Return each seed and number of steps has an image of its own."""
    provider.pictures |= {
        f"http://127.0.0.1:1/{seed}-{steps}": encoded(colour=16 * seed + steps)
        for seed in range(9)
        for steps in range(9)
    }
    scripted(lambda asked: [answer(f"http://127.0.0.1:1/{asked.seed}-{asked.steps}")])


def sheet(panel: Panel) -> Generations:
    """Return what a comparison made."""
    made = panel.wait(PATIENCE)
    assert isinstance(made, Generations)
    assert made is panel.generations
    return made


def strip(panel: Panel) -> list[str]:
    """Return what is written below the strip's images."""
    return [item.children[1].description for item in panel._strip.widget.children]


def press(panel: Panel, called: str) -> None:
    """Press the newest in the strip that is called so."""
    next(item.children[1] for item in panel._strip.widget.children if item.children[1].description == called).click()


def test_every_combination_is_made_and_the_rest_is_as_the_sliders_say(provider: type[Scripted]) -> None:
    panel = make(width=512, seed=9, space="a/b", compare_seeds="1..3", compare_steps="1,4", count=5)
    panel.compare()
    made = sheet(panel)
    asked = [(1, 1), (1, 4), (2, 1), (2, 4), (3, 1), (3, 4)]
    assert [(one.seed, one.steps) for one in made] == asked
    assert sorted((one.seed, one.steps) for one in requests(provider)) == asked
    assert {(one.prompt, one.width, one.height, one.model) for one in requests(provider)} == {
        ("a fox", 512, 768, "flux")
    }
    assert {one.record.requested_space for one in made} == {"a/b"}
    assert made.axes == (Axis("seed", (1, 2, 3)), Axis("steps", (1, 4)))
    assert made.missing == {}
    assert sorted(one.digest for one in blocking.history) == sorted(one.digest for one in made)
    assert re.fullmatch(r"done in \d+\.\d s", text(panel))
    assert panel.generation is None


def test_a_random_seed_is_chosen_once_for_the_whole(provider: type[Scripted]) -> None:
    settings.configure_by(lambda: {"seed": 3})
    try:
        panel = make(seed=None, compare_steps="1,2,4")
        panel.compare()
        made = sheet(panel)
    finally:
        settings.configure_by(dict)
    (seed,) = {one.seed for one in requests(provider)}
    assert seed != 3
    assert panel._controls.seed.value == str(seed)
    panel._controls.keep.click()
    assert panel.seed == seed == made[0].seed


def test_one_value_in_a_field_goes_before_the_slider(provider: type[Scripted]) -> None:
    panel = make(seed=9, steps=8, compare_seeds=" 5 ", compare_steps=" 1 , 3 .. 4 ")
    panel.compare()
    assert sheet(panel).axes == (Axis("steps", (1, 3, 4)),)
    assert {one.seed for one in requests(provider)} == {5}


@pytest.mark.parametrize(
    ("seeds", "steps", "says"),
    [
        pytest.param("", "", "nothing to compare: give several seeds, for example 1..4, or several steps", id="empty"),
        pytest.param("7", " ", "nothing to compare: ", id="one"),
        pytest.param("1..x", "", "Seeds 1..x: give a whole number from 0 to 2147483647", id="a word"),
        pytest.param("1..3,2", "", "Seeds 1..3,2: 2 occurs twice", id="twice"),
        pytest.param("1..4", "0,1", "Steps 0: give a whole number from 1 up", id="out of range"),
        pytest.param("1..4", "1..5", "20 images are more than 16 in one go: give fewer seeds or steps", id="many"),
        pytest.param("1..999999", "", "Seeds 1..999999: 999999 values are more than 10000", id="too many to count"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_sent(provider: type[Scripted], seeds: str, steps: str, says: str) -> None:
    panel = make(compare_seeds=seeds, compare_steps=steps)
    with pytest.raises(InvalidRequest, match=r"^[^\n]+$") as told:
        panel.compare()
    assert str(told.value).startswith(says)
    assert text(panel) == str(told.value)
    assert 'role="alert"' in panel._status.widget.value
    assert not panel.busy
    assert requests(provider) == []


def test_what_cannot_be_asked_for_is_told_at_once() -> None:
    panel = make(prompt=" ", compare_seeds="1,2")
    assert panel._row.button.disabled
    with pytest.raises(InvalidRequest, match="the prompt is empty"):
        panel.compare()
    panel.prompt = "a fox"
    assert not panel._row.button.disabled
    panel.close()
    with pytest.raises(InvalidRequest, match="the panel is closed: open another"):
        panel.compare()


def test_steps_that_the_space_does_not_take_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "fetch_description", lambda _settings: describe(steps=(1, 8)))
    panel = make(compare_steps="4,8,12,16")
    settle()
    with pytest.raises(InvalidRequest, match=r"^Steps 12: this Space takes 1 to 8$"):
        panel.compare()


def test_the_fields_and_the_traits_follow_each_other_and_a_press_compares(provider: type[Scripted]) -> None:
    panel = make()
    panel._row.values[0].value = "1,2"
    panel.compare_steps = "1,2"
    assert (panel.compare_seeds, panel._row.values[1].value) == ("1,2", "1,2")
    panel._row.button.click()
    until(lambda: panel.generations is not None)
    panel.wait(PATIENCE)
    assert panel._extras is not None
    panel._extras._handle_custom_msg("compared", [])
    until(lambda: len(requests(provider)) == 8)
    panel.wait(PATIENCE)
    with holding(panel):
        panel._row.button.click()
        panel.cancel()
    panel._extras._handle_custom_msg("pressed", [])
    until(lambda: len(requests(provider)) == 9)
    panel.wait(PATIENCE)


def test_as_many_are_made_at_once_as_is_configured_and_the_status_line_tells_of_them(
    provider: type[Scripted], scripted: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "BAR_DELAY", 0)
    running: set[int] = set()
    most: list[int] = []
    first, rest = threading.Event(), threading.Event()

    def script(asked: ImageRequest) -> list[Any]:
        running.add(asked.seed)
        most.append(len(running - {one.requests[0].seed for one in provider.made if one.requests and one.closed}))
        return [Running(1, 4), first if asked.seed < 3 else rest, answer()]

    scripted(script)
    settings.configure_by(lambda: {"concurrency": 2})
    try:
        panel = make(steps=4, compare_seeds="1..4")
        seen: list[str] = []
        panel._status.widget.observe(lambda change: seen.append(change["new"]), "value")
        panel.compare()
        assert panel.busy
        until(lambda: any(re.search(r'max="4".*0 of 4 images; seed [12]: step 1 of 4', said) for said in seen))
        first.set()
        until(lambda: any('value="2" max="4"' in said and "2 of 4 images; " in said for said in seen))
        rest.set()
        sheet(panel)
    finally:
        settings.configure_by(dict)
    assert max(most) == 2
    assert "0 of 4 images; connecting" in seen[0]


def test_jobs_queue_behind_each_other(provider: type[Scripted], scripted: Callable[[Script], None]) -> None:
    go = threading.Event()
    scripted(lambda _asked: [go, answer()])
    panel = make(seed=7, compare_seeds="1,2")
    on_view: list[object] = []
    panel.observe(lambda change: on_view.append(change["new"]), ["generation", "generations"])
    panel.generate()
    panel.compare()
    panel.generate()
    until(lambda: any("; 2 more behind it" in said for said in told[panel]))
    go.set()
    last = panel.wait(PATIENCE)
    assert isinstance(last, Generation)
    assert panel.generations is None
    assert [type(one) for one in on_view] == [Generation, Generations, type(None), Generation]
    seeds = [one.seed for one in requests(provider)]
    assert (seeds[0], sorted(seeds[1:3]), seeds[3]) == (7, [1, 2], 7)


def test_traits_are_set_on_the_panels_own_thread_where_an_observer_may_fail() -> None:
    panel = make(compare_seeds="1,2")
    threads: list[str] = []

    def fail(_change: object) -> None:
        threads.append(threading.current_thread().name)
        raise ZeroDivisionError

    panel.observe(fail, "generations")
    panel.compare()
    with pytest.raises(ZeroDivisionError):
        panel.wait(PATIENCE)
    assert threads == ["flux_magic panel"]
    assert panel.generations is not None
    assert "sheet of 2\nseed" in strip(panel)


def test_what_failed_is_told_and_the_others_are_on_the_sheet(scripted: Callable[[Script], None]) -> None:
    scripted(lambda asked: [SpaceError("it broke") if asked.seed == 2 else answer()])
    panel = make(compare_seeds="1..3")
    panel.compare()
    with pytest.raises(Incomplete) as told:
        panel.wait(PATIENCE)
    assert text(panel) == (
        "2 of 3 images were made\nIncomplete: 1 of 3 images failed; it broke\n"
        "The others are on the sheet: to request only the missing ones, copy its cell and run it."
    )
    assert list(told.value.failures) == [1]
    assert panel.generations is not None
    assert panel.generations.missing == {1: "failed: it broke"}
    assert "failed: it broke" in panel._view.widget.value
    assert panel._keeper.cell.value == "%%flux --seed 1..3 --steps 2 --size 768x768\na fox"


def test_what_would_fail_for_all_ends_the_comparison(provider: type[Scripted]) -> None:
    provider.script = [QuotaExceeded("no GPU time is left")]
    panel = make(generation(encoded(), prompt="a hen"), compare_seeds="1..9")
    panel.compare()
    with pytest.raises(QuotaExceeded):
        panel.wait(PATIENCE)
    assert text(panel) == "QuotaExceeded: no GPU time is left"
    assert len(requests(provider)) < 9
    assert panel.generations is None
    assert 'alt="a hen"' in panel._view.widget.value  # what was on view before
    assert not panel._keeper.copy.disabled


def test_cancel_keeps_what_is_finished_on_the_sheet(
    provider: type[Scripted], scripted: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "BAR_DELAY", 0)
    scripted(lambda asked: [answer()] if asked.seed < 3 else [Running(1, 50), LONG, answer()])
    panel = make(compare_seeds="1..4")
    panel.compare()
    until(lambda: len(panel._strip) == 2 and text(panel).startswith("2 of 4 images; "))
    panel.cancel()
    made = sheet(panel)
    assert text(panel) == "cancelled: 2 of 4 images were made"
    assert [one.seed for one in made] == [1, 2]
    assert made.missing == {2: "not made", 3: "not made"}
    assert "2 of 4 images" in panel._view.widget.value
    until(lambda: all(one.closed for one in provider.made if one.requests))


def test_a_sheet_that_was_cancelled_before_it_had_an_image_leaves_what_was_there(
    scripted: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "BAR_DELAY", 0)
    scripted(lambda _asked: [Running(1, 50), LONG, answer()])
    before = generation(encoded(), prompt="a hen")
    panel = make(before, compare_seeds="1..4")
    panel.compare()
    until(lambda: "0 of 4 images" in panel._view.widget.value)
    assert (panel._keeper.copy.disabled, panel._keeper.save.disabled) == (True, True)
    panel.cancel()
    assert panel.wait(PATIENCE) is before
    assert text(panel) == "cancelled"
    assert 'alt="a hen"' in panel._view.widget.value
    assert not panel._keeper.copy.disabled


def test_closing_ends_a_comparison_and_leaves_nothing(
    provider: type[Scripted], scripted: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "BAR_DELAY", 0)
    scripted(lambda asked: [answer()] if asked.seed == 1 else [Running(1, 50), LONG, answer()])
    panel = make(compare_seeds="1..4")
    panel.compare()
    until(lambda: text(panel).startswith("1 of 4 images; "))
    panel.close()
    made = sheet(panel)
    assert len(made.missing) == 3
    until(lambda: all(one.closed for one in provider.made if one.requests))


def test_the_sheet_fills_in_until_something_else_is_brought_back(
    scripted: Callable[[Script], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "BAR_DELAY", 0)
    monkeypatch.setattr(progress, "SHEET_PAUSE", 0)
    scripted(lambda asked: [answer()] if asked.seed == 1 else [LONG, answer()])
    settings.configure_by(lambda: {"concurrency": 1})
    try:
        panel = make(compare_seeds="1,2,3")
        panel.compare()
        until(lambda: 'alt="1 of 3 images"' in panel._view.widget.value)
        assert "<table" not in panel._view.widget.value
        until(lambda: strip(panel) == ["seed 1"])
        press(panel, "seed 1")
        assert 'alt="a fox"' in panel._view.widget.value
        assert panel.generation is not None
        assert panel.seed == 1
        panel.cancel()
        made = sheet(panel)
    finally:
        settings.configure_by(dict)
    assert made.missing == {1: "not made", 2: "not made"}
    assert "1 of 3 images" in panel._view.widget.value


@pytest.mark.usefixtures("coloured")
def test_each_image_and_the_sheet_are_in_the_strip_and_come_back() -> None:
    panel = make(seed=8, steps=3, compare_seeds="1,2", compare_steps="1,2")
    panel.generate()
    panel.compare()
    made = sheet(panel)
    assert strip(panel)[0] == "sheet of 4\nseed × steps"
    assert sorted(strip(panel)[1:5]) == ["seed 1, steps 1", "seed 1, steps 2", "seed 2, steps 1", "seed 2, steps 2"]
    assert strip(panel)[5] == "seed 8, steps 3"
    assert panel._controls.keep.disabled  # there is no one seed
    press(panel, "seed 8, steps 3")
    assert (panel.generation is not None, panel.generations, panel.seed, panel.steps) == (True, None, 8, 3)
    assert panel.wait() is panel.generation
    assert (panel.compare_seeds, panel.compare_steps) == ("1,2", "1,2")
    press(panel, "seed 2, steps 1")
    assert (panel.seed, panel.steps) == (2, 1)
    panel.compare_seeds, panel.compare_steps, panel.prompt = "", "9", "a hen"
    press(panel, "sheet of 4\nseed × steps")
    assert panel.generations is made
    assert (panel.compare_seeds, panel.compare_steps, panel.prompt) == ("1,2", "1,2", "a fox")
    assert (panel.seed, panel.steps) == (2, 1)
    assert "flux-magic-shown" in panel._strip.widget.children[0]._dom_classes
    # The image that was the last on view comes back as well.
    press(panel, "seed 2, steps 1")
    assert panel.generations is None
    assert panel._view.shown is panel.generation  # type: ignore[unreachable]  # mypy narrows an attribute for good


@pytest.mark.usefixtures("coloured")
def test_the_sheet_and_its_folded_table_are_on_view() -> None:
    panel = make(compare_seeds="1,2", compare_steps="1,2,4")
    panel.compare()
    picture, table = sheet(panel).build_outputs()
    view = panel._view.widget.value
    assert view.startswith(f'<img src="data:image/jpeg;base64,{picture.data["image/jpeg"]}" alt="a fox: 6 images, seed')
    assert view.endswith(table.data["text/html"])
    assert '<details class="flux-sheet-table">' in view
    panel.generations = None
    assert panel._view.widget.value == ""


@pytest.mark.usefixtures("coloured")
def test_save_writes_all_of_a_sheet_into_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    panel = make(compare_seeds="1,2", compare_steps="1,2")
    panel.compare()
    made = sheet(panel)
    panel._keeper.save.click()
    assert text(panel) == "saved 4 images in pictures/"
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        f"a-fox-{one.seed}-{one.digest[:12]}.png" for one in made
    }
    panel._keeper.path.value = "fox.png"
    panel._keeper.save.click()
    assert text(panel).startswith("cannot save 4 images as the one file fox.png: give a folder, or a pattern such as")


def test_the_space_is_asked_anew_but_where_nothing_is_to_be_asked(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path))
    panel = make(compare_seeds="1,2")
    for _ in range(2):
        panel.compare()
        panel.wait(PATIENCE)
    assert len(requests(provider)) == 4
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    panel.compare()
    made = sheet(panel)
    assert [one.replayed for one in made] == [True, True]
    panel.compare_seeds = "2,3"
    panel.compare()
    with pytest.raises(Incomplete) as told:
        panel.wait(PATIENCE)
    assert isinstance(told.value.failures[1], NotInStore)
    assert len(requests(provider)) == 4


def made_of(
    text: str, axes: dict[str, tuple[int, ...]], **options: Any
) -> tuple[Generations, tuple[ImageRequest, ...]]:
    """Return what a panel's comparison would make, and what it would ask for."""
    base = settings.Settings(seed=5, width=256, height=200, **options)
    asked = build_sweep(Template(text, (text,)), base, axes)
    items = [
        generation(
            encoded(),
            prompt=one.prompt,
            seed=one.seed,
            steps=one.steps,
            requested_model=one.model,
            requested_space=base.space,
            requested_width=one.width,
            requested_height=one.height,
        )
        for one in asked.requests
    ]
    return Generations(items, asked.axes), asked.requests


several = st.lists(st.integers(0, 30), min_size=2, max_size=4, unique=True).map(tuple)
varied = st.fixed_dictionaries(
    {}, optional={"seed": several, "steps": several.map(lambda one: tuple(n + 1 for n in one))}
)


@given(st.text(min_size=1).filter(str.strip), varied.filter(bool))
def test_the_copied_cell_asks_for_the_same(text: str, axes: dict[str, tuple[int, ...]]) -> None:
    made, asked = made_of(text, axes)
    line, _, body = write_sheet_cell(made).partition("\n")
    if not line.startswith("%%flux "):
        assert line == "import flux_magic"
        return
    read = cell.read(line.removeprefix("%%flux "), body, {"fox": 1, "a": [1, 2]}).images
    assert not isinstance(read, list)
    assert [(one.prompt, one.seed, one.steps, one.width, one.height) for one in read.requests] == [
        (one.prompt, one.seed, one.steps, one.width, one.height) for one in asked
    ]


def test_the_cell_names_what_is_not_usual() -> None:
    made, _ = made_of("a {fox} of {a|b}", {"seed": (1, 2, 3), "steps": (1, 2)}, space="http://127.0.0.1:7860")
    assert write_sheet_cell(made) == (
        "%%flux --seed 1..3 --steps 1,2 --space http://127.0.0.1:7860 --size 256x200\na {{fox}} of {a|b}"
    )


def test_a_prompt_that_no_cell_holds_is_copied_as_python(provider: type[Scripted]) -> None:
    text = "a fox\n"
    panel = make(prompt=text, seed=4, width=256, compare_steps="1,2", compare_seeds="3,1")
    panel.compare()
    made = sheet(panel)
    code = panel._keeper.cell.value
    first, _, last = code.rpartition("\n")
    names: dict[str, Any] = {}
    exec(first, names)
    again = eval(last, names)
    assert isinstance(again, Generations)
    assert again.axes == made.axes
    before, after = requests(provider)[:4], requests(provider)[4:]
    assert sorted((one.prompt, one.seed, one.steps, one.width) for one in before) == sorted(
        (one.prompt, one.seed, one.steps, one.width) for one in after
    )


def test_a_sheet_of_prompts_is_shown_but_has_no_cell() -> None:
    panel = make()
    panel.generations = Generations(
        [generation(encoded(), prompt=word) for word in ("a", "b")], [Axis("word", ("a", "b"))]
    )
    assert (panel._keeper.copy.disabled, panel._keeper.save.disabled) == (True, False)
    assert panel._view.widget.value.startswith("<img")


@pytest.mark.parametrize(
    ("line", "given", "compared"),
    [
        pytest.param("--seed 1..4 --steps 1,2", {"seed": 1, "steps": 1}, {"seed": "1..4", "steps": "1,2"}, id="usual"),
        pytest.param("--guidance 1,3", {"guidance": 1.0}, {"guidance": "1,3"}, id="guidance"),
        pytest.param("--size 8x8,16x8", {"size": (8, 8)}, {"size": "8x8,16x8"}, id="sizes"),
        pytest.param(
            "--set shift=1,3 --set fast=true", {"parameters": {"shift": 1, "fast": True}}, {"shift": "1,3"}, id="own"
        ),
        pytest.param("--steps 4", {"steps": 4}, {}, id="nothing"),
    ],
)
def test_the_magics_line_fills_the_fields(line: str, given: dict[str, Any], compared: dict[str, str]) -> None:
    options = _parse_panel_line(f"{line} a fox")
    assert options == {**given, **({"compared": compared} if compared else {}), "prompt": "a fox"}
    panel = make(**options)
    filled = {name.value: field.value for name, field in zip(panel._row.names, panel._row.values, strict=True)}
    assert {name: text for name, text in filled.items() if text} == panel.compared == compared
    assert (panel.compare_seeds, panel.compare_steps) == (compared.get("seed", ""), compared.get("steps", ""))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("--width 256,512", "--width has several values: the panel compares whole sizes", id="side"),
        pytest.param("--seed 1,2 --steps 1,2 --set a=1,2", "3 options have several values, seed, steps, a", id="three"),
    ],
)
def test_the_magics_line_refuses(line: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        _parse_panel_line(f"{line} a fox")


@given(st.lists(st.integers(0, 99), min_size=2, max_size=9, unique=True))
def test_several_values_are_read_as_they_are_written(values: list[int]) -> None:
    assert grammar.parse_value("seed", grammar.format_values(values), "Seeds") == tuple(values)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1, 2), "1,2"),
        ((1, 2, 3), "1..3"),
        ((3, 2, 1), "3,2,1"),
        ((1, 2, 4), "1,2,4"),
        ((7,), "7"),
        (((8, 9), (9, 8)), "8x9,9x8"),
    ],
)
def test_several_values_are_written_short(values: tuple[Any, ...], text: str) -> None:
    assert grammar.format_values(values) == text
