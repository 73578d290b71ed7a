"""The panel without a page: its traits, its widgets, its jobs, over a scripted provider."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ipywidgets import IntSlider, Widget
from traitlets import Int, TraitError, link

import flux_magic
from flux_magic.client import blocking
from flux_magic.errors import InvalidRequest, QuotaExceeded, SpaceError, TimedOut
from flux_magic.jupyter.panel import Panel, thumbnails
from flux_magic.jupyter.panel.labels import format_labels
from flux_magic.parameters import settings
from flux_magic.parameters.settings import Settings
from flux_magic.parameters.table import MAX_SEED, Parameter
from flux_magic.providers.base import ModelDescription
from flux_magic.records import embedding, in_hand
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.types import ImageRequest, Queued, Running, Waiting
from tests.support.limits import PATIENCE
from tests.unit.samples import encoded, generation
from tests.unit.scripted import Scripted, answer, close, installed, settle, until


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No widget and no job is left."""
    before = set(Widget.get_manager_state()["state"])
    yield
    close(*opened)
    opened.clear()
    left = [one["model_name"] for key, one in Widget.get_manager_state()["state"].items() if key not in before]
    assert left == []


LONG = 3600.0
"""Seconds that a job takes which a test ends."""

pytestmark = pytest.mark.usefixtures("provider")
opened: list[Panel] = []
told: weakref.WeakKeyDictionary[Panel, list[str]] = weakref.WeakKeyDictionary()
"""All that the status line of each has said."""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    return installed(monkeypatch)


def make(*given: Any, **options: Any) -> Panel:
    """Return a panel that is closed at the test's end."""
    panel = Panel(*given, **{"prompt": "a fox", **options} if not given else options)
    opened.append(panel)
    said = told[panel] = [text(panel)]
    panel._status.widget.observe(lambda _: said.append(text(panel)), "value")
    return panel


def describe(**ranges: tuple[float, float]) -> ModelDescription:
    """Return the description of a model that takes numbers of these ranges."""
    rows = [Parameter(name=name, help="", least=least, most=most) for name, (least, most) in ranges.items()]
    return ModelDescription("scripted-1", "Scripted", tuple(rows))


def control(panel: Panel, name: str) -> Any:
    """Return the widget with the value of a parameter."""
    return panel._controls.fields[name].control


def text(panel: Panel) -> str:
    return panel._status.text


def requests(provider: type[Scripted]) -> list[ImageRequest]:
    """Return what the Space was asked for."""
    return [request for one in provider.made for request in one.requests]


def image(panel: Panel) -> Generation:
    """Return what it made."""
    made = panel.wait(PATIENCE)
    assert isinstance(made, Generation)
    assert made is panel.generation
    return made


@contextmanager
def holding(panel: Panel) -> Iterator[None]:
    """Hold presses up until the block ends, however busy the machine is."""
    assert panel._extras is not None
    go = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panel._extras, "settle", lambda: go.wait(PATIENCE))
        try:
            yield
        finally:
            go.set()
            settle()


def test_it_starts_with_the_defaults_and_what_is_given() -> None:
    panel = make(steps=4, seed=42)
    assert (panel.prompt, panel.steps, panel.seed, panel.width, panel.height) == ("a fox", 4, 42, 768, 768)
    assert (panel.model, panel.space, panel.count, panel.generation, panel.busy) == ("flux", "", 1, None, False)
    assert repr(panel) == "Panel(prompt='a fox', width=768, height=768, steps=4, seed=42)"


def test_what_is_configured_is_where_it_starts() -> None:
    settings.configure_by(lambda: {"steps": 7, "seed": 3, "space": "local"})
    try:
        panel, other = make(), make(seed=None)
    finally:
        settings.configure_by(dict)
    assert (panel.steps, panel.seed, panel.space) == (7, 3, "local")
    assert other.seed is None


def test_it_opens_with_an_image_and_what_made_it() -> None:
    made = generation(encoded(), prompt="a hen", seed=9, requested_space="a/b")
    panel = make(made)
    assert panel.generation is made
    assert (panel.prompt, panel.seed, panel.space, panel.steps) == ("a hen", 9, "a/b", made.steps)
    assert panel._controls.random.value is False
    assert make(Generations([made, made]), steps=8).steps == 8
    own = make(generation(encoded(), requested_space=None))
    assert own.space == "https://scripted.example"


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        pytest.param(("a fox",), {}, "opens with a Generation, not with 'a fox'; a prompt is given as", id="a text"),
        pytest.param((), {"step": 4}, "a Panel has no option step; did you mean steps", id="misspelt"),
        pytest.param((), {"generation": 4}, "opens with a Generation, not with 4", id="no image"),
    ],
)
def test_what_it_cannot_open_with_is_a_type_error(given: Any, options: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        Panel(*given, **options)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        pytest.param("steps", 0, "steps", id="steps"),
        pytest.param("width", 4, "width", id="width"),
        pytest.param("seed", -1, "seed", id="seed"),
        pytest.param("seed", MAX_SEED + 1, "seed", id="large seed"),
        pytest.param("count", 17, "count", id="count"),
        pytest.param("seed", True, "seed is True: give a whole number from 0 to", id="no number"),
        pytest.param("model", "nope", "there is no model 'nope': choose one of", id="model"),
        pytest.param("prompt", 7, "prompt", id="prompt"),
    ],
)
def test_a_value_that_is_not_allowed_changes_nothing(name: str, value: Any, says: str) -> None:
    panel = make()
    before = getattr(panel, name)
    with pytest.raises(TraitError, match=says):
        setattr(panel, name, value)
    assert getattr(panel, name) == before
    with pytest.raises(TraitError, match=says):
        Panel(**{name: value})


def test_a_press_makes_an_image_and_tells_how_it_went(provider: type[Scripted]) -> None:
    queued, running = threading.Event(), threading.Event()
    provider.script = [Queued(2, 3), queued, Running(1, 4), running, answer()]
    panel = make(seed=5)
    seen: list[str] = []
    panel._status.widget.observe(lambda change: seen.append(change["new"]), "value")
    busy = [panel.busy]
    panel.observe(lambda change: busy.append(change["new"]), "busy")
    cancel = [panel._cancel.disabled]
    panel._cancel.observe(lambda change: cancel.append(change["new"]), "disabled")
    panel.generate()
    until(lambda: any("2nd of 3 in the queue" in said for said in seen))
    queued.set()
    until(lambda: any('<progress value="1" max="4"' in said for said in seen))
    running.set()
    made = image(panel)
    assert requests(provider)[0].seed == made.seed == 5
    assert list(blocking.history) == [made]
    assert busy == [False, True, False]
    assert cancel == [True, False, True]
    assert re.fullmatch(r"done in \d+\.\d s", text(panel))


def test_several_images_have_seeds_that_follow_each_other() -> None:
    panel = make(seed=5, count=3)
    seen: list[int] = []
    panel.observe(lambda change: seen.append(change["new"].seed), "generation")
    panel.generate()
    panel.wait(PATIENCE)
    assert seen == [5, 6, 7]
    assert len(panel._strip) == 3


def test_random_means_another_seed_for_each_press_which_is_shown(provider: type[Scripted]) -> None:
    settings.configure_by(lambda: {"seed": 3})
    try:
        panel = make(seed=None)
        for _ in range(2):
            panel.generate()
            panel.wait(PATIENCE)
    finally:
        settings.configure_by(dict)
    first, second = (one.seed for one in requests(provider))
    assert first != second
    assert 3 not in {first, second}
    assert panel._controls.seed.value == str(second)
    assert panel._controls.seed.disabled


def test_the_kept_seed_makes_a_new_image_each_time(provider: type[Scripted]) -> None:
    panel = make(seed=None)
    assert panel._controls.keep.disabled
    panel.generate()
    panel.wait(PATIENCE)
    panel._controls.keep.click()
    kept = panel.seed
    assert kept == image(panel).seed
    assert panel._controls.random.value is False
    for _ in range(2):
        panel.generate()
        panel.wait(PATIENCE)
    assert [one.seed for one in requests(provider)] == [kept] * 3
    panel._controls.random.value = True
    assert panel.seed is None


def test_pressing_again_queues_behind(provider: type[Scripted]) -> None:
    go = threading.Event()
    provider.script = [Waiting("sending the request"), go, answer()]
    panel = make(seed=1)
    panel.generate()
    panel.seed = 2
    panel.generate()
    panel.seed = 3
    until(lambda: "sending the request; 1 more behind it" in told[panel])
    go.set()
    panel.wait(PATIENCE)
    assert [one.seed for one in requests(provider)] == [1, 2]


def test_cancel_ends_the_job_and_those_behind_it(provider: type[Scripted]) -> None:
    provider.script = [Running(1, 50), LONG, answer()]
    panel = make()
    panel.generate()
    panel.generate()
    until(lambda: text(panel).startswith("step 1 of 50"))
    assert panel.cancel() == 2
    assert text(panel) == "cancelling"
    panel.wait(PATIENCE)
    assert text(panel) == "cancelled"
    until(lambda: [one.closed for one in provider.made if one.requests] == [True])
    assert panel.cancel() == 0
    assert text(panel) == "cancelled"


def test_a_press_that_was_cancelled_at_once_is_not_made(provider: type[Scripted]) -> None:
    panel = make()
    with holding(panel):
        panel._on_press(panel.generate)
        panel.cancel()
    settle()
    assert requests(provider) == []
    panel._on_press(panel.generate)
    until(lambda: len(requests(provider)) == 1)
    image(panel)


def test_a_press_waits_for_what_the_page_still_has_to_send(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = make(prompt="a")
    assert panel._extras is not None
    sent = threading.Event()
    monkeypatch.setattr(panel._extras, "send", lambda _message: sent.set())
    panel._extras._handle_custom_msg("there", [])
    panel._generate.click()
    assert sent.wait(PATIENCE)
    panel._controls.prompt.value = "a lighthouse in a storm"
    panel._extras._handle_custom_msg("settled", [])
    until(lambda: len(requests(provider)) == 1)
    assert image(panel).prompt == "a lighthouse in a storm"


@pytest.mark.parametrize("press", [False, True])
def test_the_space_of_a_strangers_image_is_not_asked_before_a_press(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch, *, press: bool
) -> None:
    asked: list[str | None] = []

    def bounds(settings: Settings) -> ModelDescription:
        asked.append(settings.space)
        return describe(steps=(1, 10**308))

    monkeypatch.setattr(blocking, "fetch_description", bounds)
    stranger = make(generation(encoded(), requested_space="stranger/space"))
    make(generation(encoded(), requested_space="stranger/space"), space="stranger/space")
    until(lambda: len(asked) == 1)
    stranger.model = "black-forest-labs-flux-1-schnell"
    if press:
        stranger.generate()
        stranger.wait(PATIENCE)
    elif provider is not None:
        stranger.space = "mine/space"
    until(lambda: len(asked) == 2)
    assert asked == ["stranger/space", "stranger/space" if press else "mine/space"]
    until(lambda: control(stranger, "steps").max == 10_000)


def test_another_panel_is_not_disturbed(provider: type[Scripted]) -> None:
    provider.script = [Running(1, 50), LONG, answer()]
    panel, other = make(), make()
    panel.generate()
    until(lambda: text(panel).startswith("step"))
    go = threading.Event()
    provider.script = [Running(1, 50), go, answer()]
    other.generate()
    panel.cancel()
    go.set()
    assert panel.wait(PATIENCE) is None
    assert other.wait(PATIENCE) is not None


def test_an_error_is_on_the_status_line_and_raised_by_wait(provider: type[Scripted]) -> None:
    provider.script = [QuotaExceeded("no GPU time is left", "Try <again> later.")]
    panel = make()
    panel.generate()
    with pytest.raises(QuotaExceeded):
        panel.wait(PATIENCE)
    assert text(panel) == "QuotaExceeded: no GPU time is left\nTry <again> later."
    assert "Try &lt;again&gt; later." in panel._status.widget.value
    assert 'role="alert"' in panel._status.widget.value
    provider.script = [answer()]
    panel.generate()
    assert panel.wait(PATIENCE) is not None
    assert text(panel).startswith("done in")


def test_what_went_wrong_stays_to_be_read_until_the_next_press(
    provider: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails, ends = threading.Event(), threading.Event()
    scripts: list[list[Any]] = [[fails, SpaceError("it broke")], [Running(1, 4), ends, answer()], [answer()]]
    monkeypatch.setattr(provider, "script", property(lambda _one: scripts[len(requests(provider)) - 1]))
    panel = make()
    panel.generate()
    panel.generate()
    fails.set()
    until(lambda: any(said.startswith("step 1 of 4\nSpaceError: it broke") for said in told[panel]))
    ends.set()
    panel.wait(PATIENCE)
    assert re.fullmatch(r"done in \d+\.\d s\nSpaceError: it broke", text(panel))
    panel.generate()
    assert "SpaceError" not in text(panel)
    panel.wait(PATIENCE)
    assert re.fullmatch(r"done in \d+\.\d s", text(panel))


def test_what_was_made_before_the_end_is_said(provider: type[Scripted], monkeypatch: pytest.MonkeyPatch) -> None:
    def script(_provider: Scripted) -> list[Any]:
        return [answer()] if len(requests(provider)) < 3 else [Running(), LONG, answer()]

    monkeypatch.setattr(provider, "script", property(script))
    panel = make(count=4)
    panel.generate()
    until(lambda: len(panel._strip) == 2 and text(panel) == "image 3 of 4: started")
    panel.cancel()
    panel.wait(PATIENCE)
    assert text(panel) == "cancelled: 2 of 4 images were made"


def test_what_cannot_be_asked_for_is_told_at_once() -> None:
    panel = make(prompt="  ", space="nope")
    assert panel._generate.disabled
    settle()
    assert "'nope' is no Space" in text(panel)
    panel.space = ""
    with pytest.raises(InvalidRequest, match="the prompt is empty"):
        panel.generate()
    assert text(panel).startswith("the prompt is empty")
    panel._on_press(panel.generate)
    settle()
    assert not panel.busy
    panel.prompt = "a fox"
    assert not panel._generate.disabled


def test_no_secret_is_on_the_status_line(provider: type[Scripted]) -> None:
    provider.script = [RuntimeError("//me:secret@proxy and hf_secret")]
    panel = make()
    panel.generate()
    with pytest.raises(RuntimeError):
        panel.wait(PATIENCE)
    assert text(panel) == "RuntimeError: //***@proxy and ***"


def test_observers_may_fail_and_no_image_is_lost() -> None:
    panel = make(count=2)
    panel.observe(lambda _: 1 / 0, "generation")
    panel.generate()
    with pytest.raises(ZeroDivisionError):
        panel.wait(PATIENCE)
    assert re.fullmatch(r"done in \d+\.\d s\nZeroDivisionError: division by zero", text(panel))
    assert len(panel._strip) == 2
    panel.unobserve_all("generation")
    panel.observe(lambda _: 1 / 0, "busy")
    panel.generate()
    with pytest.raises(ZeroDivisionError):
        panel.wait(PATIENCE)
    assert not panel.busy


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, KeyboardInterrupt])
def test_no_observer_ends_the_panel(provider: type[Scripted], error: type[BaseException]) -> None:
    def fail(_change: object) -> None:
        raise error

    panel = make()
    panel.observe(fail, "generation")
    panel.generate()
    with pytest.raises(error):
        panel.wait(PATIENCE)
    assert not panel.busy
    panel.unobserve_all("generation")
    panel.generate()
    image(panel)
    assert len(requests(provider)) == 2


def test_an_observers_failure_does_not_keep_an_earlier_result_from_coming_back() -> None:
    panel = make(seed=1)
    panel.generate()
    image(panel)
    panel.seed = 2
    panel.observe(lambda _: 1 / 0, "generation")
    old = generation(encoded(colour=9), prompt="a hen", seed=9)
    panel._strip.add(old)
    panel._strip.widget.children[0].children[1].click()
    assert (panel.generation, panel.prompt, panel.seed) == (old, "a hen", 9)
    assert text(panel) == "ZeroDivisionError: division by zero"


def test_observers_run_where_they_may_block_but_cannot_wait_for_the_panel() -> None:
    panel = make()
    done: list[Any] = []

    def more(_change: object) -> None:
        done.append(threading.current_thread() is threading.main_thread())
        done.append(flux_magic.generate("a hen", quiet=True))
        with pytest.raises(RuntimeError, match="an observer of the panel would wait for itself"):
            panel.wait()

    panel.observe(more, "generation")
    panel.generate()
    panel.wait(PATIENCE)
    assert done[0] is False
    assert done[1].prompt == "a hen"


def test_a_wait_has_an_end(provider: type[Scripted]) -> None:
    provider.script = [LONG, answer()]
    panel = make()
    panel.generate()
    with pytest.raises(TimedOut, match=r"the panel is still busy after 0\.1 s"):
        panel.wait(0.1)
    panel.cancel()


def test_closing_ends_its_job_and_its_use(provider: type[Scripted]) -> None:
    provider.script = [Running(), LONG, answer()]
    panel = make()
    panel.generate()
    until(lambda: text(panel) == "started")
    panel.close()
    until(lambda: [one.closed for one in provider.made if one.requests] == [True])
    assert repr(panel) == "<closed Panel>"
    with pytest.raises(InvalidRequest, match="the panel is closed: open another"):
        panel.generate()


def test_widgets_and_traits_follow_each_other() -> None:
    panel = make()
    controls = panel._controls
    for name, value, other in (("steps", 9, 8), ("width", 1024, 512), ("count", 3, 2), ("prompt", "a hen", "a cat")):
        widget = getattr(controls, name, None) or control(panel, name)
        kind = type(widget.value)
        setattr(panel, name, value)
        assert widget.value == kind(value)
        widget.value = kind(other)
        assert getattr(panel, name) == other
    seeds: list[int | None] = []
    panel.observe(lambda change: seeds.append(change["new"]), "seed")
    controls.random.value = False
    controls.seed.value = "8"
    controls.seed.value = ""
    assert (seeds, controls.random.value, controls.seed.disabled) == ([0, 8, None], True, True)
    mine = IntSlider(min=1, max=20)
    link((panel, "steps"), (mine, "value"))
    mine.value = 11
    assert control(panel, "steps").value == 11
    for widget in (mine.layout, mine.style, mine):
        widget.close()


def test_sizes_have_presets_with_their_shapes() -> None:
    panel = make()
    size, swap = panel._controls.size.size, panel._controls.size.swap
    labels = [label for label, _ in size.options]
    assert labels[:2] == ["512 × 512, square 1:1", "768 × 768, square 1:1"]
    assert {"1024 × 768, landscape 4:3", "768 × 1024, portrait 3:4"} <= set(labels)
    assert (size.value, swap.disabled) == ((768, 768), True)
    changes: list[tuple[int | None, int | None]] = []
    panel.observe(lambda _: changes.append((panel.width, panel.height)), ["width", "height"])
    size.value = (1024, 768)
    assert (panel.width, panel.height, swap.disabled) == (1024, 768, False)
    swap.click()
    assert size.value == (768, 1024)
    assert set(changes) == {(1024, 768), (768, 1024)}  # never half of it
    side = panel._controls.fields["width"].widget.layout
    assert side.display == "none"
    panel.width = 776
    assert (size.value, side.display) == ("other", None)
    panel.width = 1024  # while a slider moves past a listed size, it stays
    assert (size.value, side.display) == ("other", None)
    size.value = (512, 512)
    assert side.display == "none"
    size.value = "other"
    assert (panel.size, size.value, side.display) == ("512x512", "other", None)


def test_a_spaces_bounds_are_the_sliders(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def bounds(resolved: settings.Settings) -> ModelDescription:
        if resolved.space:  # and is not the last test's panel that asks
            asked.append(resolved.space)
        return describe(width=(250, 1030), height=(250, 1030), steps=(1, 8), seed=(0, 9))

    monkeypatch.setattr(blocking, "fetch_description", bounds)
    panel = make(width=2048, steps=20, space="c/d")
    settle()
    assert (control(panel, "width").min, control(panel, "width").max) == (256, 1024)
    assert (panel.width, panel.steps) == (1024, 8)
    assert "steps is now 8: this Space takes 1 to 8; width is now 1024: this Space" in text(panel)
    assert not [label for label, _ in panel._controls.size.size.options if "2048" in label]
    with pytest.raises(TraitError, match=r"^width is 2048: this Space takes 256 to 1024$"):
        panel.width = 2048
    control(panel, "width").value = 512
    assert asked == ["c/d"]  # a slider's move asks no one
    panel.space = "a/b"
    settle()
    assert asked == ["c/d", "a/b"]


def test_what_was_wrong_with_a_space_is_gone_with_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def bounds(resolved: settings.Settings) -> ModelDescription:
        if resolved.space == "gone/one":
            raise SpaceError("it is not there")
        return describe(width=(300, 301), height=(256, 1024), steps=(1, 50))

    monkeypatch.setattr(blocking, "fetch_description", bounds)
    panel = make(space="gone/one")
    settle()
    assert text(panel) == "SpaceError: it is not there"
    panel.space = "a/b"
    settle()
    assert text(panel) == ""
    assert control(panel, "width").max == 2048  # no size is between 300 and 301
    assert (control(panel, "height").max, control(panel, "steps").max) == (1024, 50)


def test_an_observer_that_fails_keeps_no_slider_from_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def bounds(_resolved: settings.Settings) -> ModelDescription:
        go.wait(PATIENCE)
        return describe(steps=(1, 8))

    monkeypatch.setattr(blocking, "fetch_description", bounds)
    panel = make(steps=20)
    panel.observe(lambda _: 1 / 0, "steps")
    go.set()
    settle()
    assert text(panel) == "ZeroDivisionError: division by zero"
    assert (panel.steps, control(panel, "steps").max) == (8, 8)


def test_while_no_bounds_are_known_a_slider_makes_room() -> None:
    panel = make(width=4096, steps=99)
    assert (control(panel, "width").max, control(panel, "steps").max) == (4096, 99)
    assert panel.width == 4096


def test_an_earlier_result_comes_back_with_what_made_it() -> None:
    panel = make(seed=1)
    panel.generate()
    first = panel.wait(PATIENCE)
    panel.prompt, panel.seed, panel.width = "a hen", 2, 512
    panel.generate()
    panel.wait(PATIENCE)
    newest, oldest = panel._strip.widget.children
    assert [one.children[1].description for one in (newest, oldest)] == ["a hen\nseed 2", "a fox\nseed 1"]
    assert ("flux-magic-shown" in newest._dom_classes, "flux-magic-shown" in oldest._dom_classes) == (True, False)
    oldest.children[1].click()
    assert panel.generation is first
    assert (panel.prompt, panel.seed, panel.width) == ("a fox", 1, 768)
    assert ("flux-magic-shown" in newest._dom_classes, "flux-magic-shown" in oldest._dom_classes) == (False, True)
    assert 'alt="a fox"' in oldest.children[0].value


BEFORE = "a watercolour of a red fox"


@pytest.mark.parametrize(
    ("several", "labels"),
    [
        pytest.param([{"seed": 4}], ["seed 4"], id="one"),
        pytest.param([{"seed": 4}, {"seed": 4}], ["seed 4", "seed 4"], id="no difference"),
        pytest.param([{"seed": None}, {"seed": 4}], ["seed unknown", "seed 4"], id="an unknown seed"),
        pytest.param([{"steps": 2}, {"steps": 4}], ["steps 2", "steps 4"], id="not the seed"),
        pytest.param(
            [{"requested_parameters": {"guidance": 3.0, "style": "x" * 40}}, {}],
            [f"guidance 3, style {'x' * 22}…", "seed 42"],
            id="left to the model",
        ),
        pytest.param([{"prompt": "a hen"}, {"prompt": "a\nfox"}], ["a hen\nseed 42", "a fox\nseed 42"], id="prompts"),
        pytest.param(
            [{"prompt": f"{BEFORE} in the snow"}, {"prompt": f"{BEFORE} in the mist, {'x' * 60}", "seed": 3}],
            ["…snow\nseed 42", f"…mist, {'x' * 32}…\nseed 3"],
            id="the ends of long prompts",
        ),
    ],
)
def test_a_label_says_in_what_an_image_differs(several: list[dict[str, Any]], labels: list[str]) -> None:
    assert format_labels([generation(encoded(), **one) for one in several]) == labels


def test_a_result_whose_model_is_gone_is_shown_all_the_same() -> None:
    panel = make()
    old = generation(encoded(), requested_model="gone-1")
    panel._strip.add(old)
    panel._strip.widget.children[0].children[1].click()
    assert panel.generation is old
    assert text(panel).startswith("there is no model 'gone-1'")


def test_a_strip_starts_with_the_sessions_images_and_holds_fifty() -> None:
    for number in range(thumbnails.MOST + 5):
        flux_magic.generate("a hen", seed=number, quiet=True)
    panel = make(seed=7)
    settle()
    assert len(panel._strip) == thumbnails.MOST == 50
    seeds = [item.children[1].description for item in panel._strip.widget.children]
    assert (seeds[0], seeds[-1]) == ("seed 54", "seed 5")
    models = len(Widget.get_manager_state()["state"])
    panel.generate()
    panel.wait(PATIENCE)
    assert panel._strip.widget.children[0].children[1].description == "a fox\nseed 7"
    assert len(Widget.get_manager_state()["state"]) == models  # as many went as came


def test_no_panel_is_kept_once_it_is_closed() -> None:
    panel = Panel(prompt="a fox")
    panel.generate()
    assert panel.wait(PATIENCE) is not None
    panel.close()
    gone = weakref.ref(panel)
    del panel
    blocking.history.clear()

    def collected() -> bool:
        gc.collect()
        return gone() is None

    until(collected)


def test_a_panel_that_is_closed_while_its_strip_fills_leaves_nothing() -> None:
    made = flux_magic.generate("a hen", quiet=True)
    assert isinstance(made, Generation)
    for _ in range(10):
        blocking.history.extend([made] * 20)
        Panel(prompt="a fox").close()


def test_a_subclass_may_have_traits_of_its_own() -> None:
    class Mine(Panel):
        mine = Int(1)

    panel = Mine(prompt="a fox", mine=4)
    opened.append(panel)
    assert (panel.mine, panel.prompt) == (4, "a fox")


def test_in_colab_it_is_of_stock_widgets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))  # Colab itself runs nowhere else
    assert make()._extras is None


def test_the_cell_is_shown_to_copy(provider: type[Scripted]) -> None:
    panel = make(prompt="a {{fox}}", seed=1)
    assert (panel._keeper.copy.disabled, panel._keeper.save.disabled) == (True, True)
    panel.generate()
    made = image(panel)
    panel._keeper.copy.click()
    assert panel._keeper.cell.layout.display is None
    assert panel._extras is not None
    assert panel._keeper.cell.value == panel._extras.cell == made.command()
    assert "{{fox}}" in panel._keeper.cell.value
    panel._extras._handle_custom_msg("copied", [])
    assert text(panel) == "the cell is on the clipboard: paste it into the notebook"
    panel._extras._handle_custom_msg("pressed", [])
    until(lambda: len(requests(provider)) == 2)
    panel.wait(PATIENCE)


def test_save_writes_the_image_on_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    panel = make(seed=1)
    panel._keeper.save.click()  # a page that is late
    panel.generate()
    made = image(panel)
    panel._keeper.save.click()
    assert text(panel) == f"saved pictures/a-fox-1-{made.digest[:12]}.png"
    assert (tmp_path / "pictures" / f"a-fox-1-{made.digest[:12]}.png").read_bytes() == embedding.embed_record(
        made.data, made.record, 0
    )[0]
    panel._keeper.path.value = "fox.bmp"
    panel._keeper.save.click()
    assert text(panel).startswith("cannot save as 'fox.bmp': give a name that ends in")


def test_without_a_page_of_its_own_the_result_is_in_the_panel() -> None:
    panel = make(prompt='a "fox" <b>', seed=1)
    view = panel._view.widget
    assert (view.layout.display, view.value) == ("none", "")
    panel.generate()
    panel.wait(PATIENCE)
    assert str(view.layout.display) == "None"
    assert 'alt="a &quot;fox&quot; &lt;b&gt;"' in view.value
    assert "%%flux" in view.value
    panel.generation = None
    assert (view.layout.display, panel._keeper.copy.disabled) == ("none", True)


def test_a_link_is_shown_as_a_link() -> None:
    panel = make(generation(encoded(), inline="link"))
    assert '<a href="http' in panel._view.widget.value


def test_an_error_of_a_space_that_is_no_more_asked_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, go = threading.Event(), threading.Event()

    def bounds(resolved: settings.Settings) -> ModelDescription:
        if resolved.space == "slow/one":
            asked.set()
            go.wait(PATIENCE)
            raise SpaceError("too late")
        return describe()

    monkeypatch.setattr(blocking, "fetch_description", bounds)
    panel = make(space="slow/one")
    assert asked.wait(PATIENCE)
    panel.space = "other/one"
    go.set()
    settle()
    assert text(panel) == ""


def test_a_strip_leaves_out_what_the_store_has_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path))
    gone, there = (flux_magic.generate("a fox", seed=seed, quiet=True) for seed in (1, 2))
    assert isinstance(gone, flux_magic.Generation)
    assert isinstance(there, flux_magic.Generation)
    assert gone.path is not None
    gone.path.unlink()
    in_hand.drop(gone.path)
    panel = make()
    settle()
    assert [one for one, _ in panel._strip._items] == [there]
