"""What a panel's fields refuse, what it says then, and the parts that fold away."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from ipywidgets import Text
from traitlets import TraitError

import flux_magic
from flux_magic.client import blocking
from flux_magic.errors import InvalidRequest
from flux_magic.jupyter.panel import Panel
from flux_magic.jupyter.panel.folds import FOLDS
from flux_magic.jupyter.panel.refusals import REFUSED
from flux_magic.jupyter.panel.words import use_panel_words
from flux_magic.parameters.grammar import OPTIONS, parse_line
from flux_magic.parameters.table import ROWS
from flux_magic.providers.base import ModelDescription
from tests.support.limits import PATIENCE
from tests.unit import test_panel
from tests.unit.scripted import Scripted, settle
from tests.unit.test_panel import control, describe, image, make, requests, text

fresh, provider = test_panel.fresh, test_panel.provider
pytestmark = pytest.mark.usefixtures("provider")


def field(panel: Panel, name: str) -> Text:
    """Return the field in which a parameter is typed."""
    found = getattr(panel._controls, name, None) or panel._controls.fields[name].typed.widget  # type: ignore[attr-defined]
    assert isinstance(found, Text)
    return found


def is_marked(widget: Text) -> bool:
    return REFUSED in widget._dom_classes


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        pytest.param("seed", "-1", id="seed below"),
        pytest.param("seed", "2147483648", id="seed above"),
        pytest.param("seed", "3.7", id="seed no integer"),
        pytest.param("seed", "abc", id="seed no number"),
        pytest.param("steps", "0", id="no steps"),
        pytest.param("steps", "3.7", id="steps no integer"),
        pytest.param("width", "4", id="width below"),
        pytest.param("height", "7.5", id="height no integer"),
    ],
)
def test_a_field_refuses_what_the_magic_refuses_in_its_words(name: str, typed: str, provider: type[Scripted]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_line(f"--{name} {typed} a fox")
    panel = make(seed=7)
    before = getattr(panel, name)
    field(panel, name).value = typed
    says = refused.value.message.partition(";")[0].replace(f"--{name}", ROWS[name].label)
    assert text(panel).startswith(says)
    assert ("tick “random”" in text(panel)) == (name == "seed")
    assert (field(panel, name).value, is_marked(field(panel, name)), getattr(panel, name)) == (typed, True, before)
    for button in (panel._generate, panel._row.button):
        assert button.disabled
        assert button.tooltip.startswith(says)
    for press in (panel.generate, panel.compare):
        with pytest.raises(InvalidRequest, match=re.escape(says)):
            press()
    field(panel, name).value = "64"
    assert (text(panel), is_marked(field(panel, name)), panel._generate.disabled) == ("", False, False)
    assert panel._generate.tooltip == "Make an image"
    panel.generate()
    image(panel)
    assert getattr(requests(provider)[0], name) == 64


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        pytest.param("500", "500 images are more than 16 in one go: give 1 to 16", id="many"),
        pytest.param("0", "Images 0: give a whole number from 1 up", id="none"),
        pytest.param("3.7", "Images 3.7: give a whole number from 1 up", id="no integer"),
    ],
)
def test_a_number_of_images_is_refused(typed: str, says: str) -> None:
    panel = make(count=3)
    panel._controls.count.value = typed
    assert (text(panel), panel.count, panel._generate.disabled) == (says, 3, True)
    panel.count = 2
    assert (text(panel), panel._controls.count.value, panel._generate.disabled) == ("", "2", False)


def test_several_fields_refuse_until_each_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = describe(width=(256, 1024), height=(256, 1024), steps=(1, 8), seed=(0, 9))
    monkeypatch.setattr(blocking, "fetch_description", lambda _settings: bounds)
    panel = make(seed=3)
    settle()
    assert control(panel, "steps").max == 8
    field(panel, "width").value = "100000"
    field(panel, "seed").value = "12"
    assert text(panel).splitlines() == [
        "width is 100000: this Space takes 256 to 1024",
        "seed is 12: this Space takes 0 to 9; tick “random” for a random one",
    ]
    panel._controls.random.value = True
    assert text(panel) == "width is 100000: this Space takes 256 to 1024"
    control(panel, "width").value = 512
    assert (text(panel), field(panel, "width").value, panel._generate.disabled) == ("", "512", False)


def test_a_value_that_was_refused_is_tried_again_with_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    most = [8]
    monkeypatch.setattr(blocking, "fetch_description", lambda _settings: describe(steps=(1, most[0])))
    panel = make(steps=4)
    settle()
    assert control(panel, "steps").max == 8
    field(panel, "steps").value = "20"
    assert panel._generate.disabled
    most[0] = 50
    panel.space = "a/b"
    settle()
    assert (control(panel, "steps").max, text(panel), panel.steps, panel._generate.disabled) == (50, "", 20, False)


def test_an_empty_prompt_keeps_generate_from_a_press_and_says_so() -> None:
    panel = make(prompt=" ")
    assert panel._generate.disabled
    assert panel._generate.tooltip == text(panel) == "the prompt is empty: say in words what the image shows"
    assert "alert" not in panel._status.widget.value  # it is no mistake yet
    panel._controls.prompt.value = "a fox"
    assert (text(panel), panel._generate.disabled) == ("", False)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        pytest.param("Allow more with --timeout.", "Allow more with %config FluxMagics.timeout.", id="timeout"),
        pytest.param("give one with --image, in Python image=", "choose a file under Image", id="image"),
        pytest.param("Choose one: --endpoint /infer", "Choose one: /infer, under More parameters", id="endpoint"),
        pytest.param("ask for a larger --size", "ask for a larger Size", id="size"),
        pytest.param("The cell makes it again, with --fresh.", "Generate makes it again.", id="fresh"),
        pytest.param("17 images: add --yes if you mean it", "17 images: make fewer at once", id="yes"),
        pytest.param("pip install --upgrade pillow", "pip install --upgrade pillow", id="another program's"),
    ],
)
def test_messages_have_the_panels_words(message: str, says: str) -> None:
    assert use_panel_words(message) == says


def test_no_message_names_an_option_of_the_magics() -> None:
    flags = [flag for option in OPTIONS for flag in option.flags if flag.startswith("--")]
    said = [f"Give it with {flag}." for flag in flags]
    package = Path(flux_magic.__file__).parent
    for room in ("client", "images", "parameters", "providers", "records", "results", "sweeps"):
        for path in (package / room).rglob("*.py"):
            said += re.findall(r'"([^"\n]*)"', path.read_text(encoding="utf-8"))
    left = [one for one in said if re.search(rf"(?<![\w-])({'|'.join(flags)})(?![\w-])", use_panel_words(one))]
    assert left == []


def test_folds_are_closed_and_remember_that_one_was_opened() -> None:
    panel = make()
    bodies, buttons = panel._folds._bodies, panel._folds._buttons
    assert not panel.folds
    assert {body.layout.display for body in bodies.values()} == {"none"}
    buttons["save"].click()
    buttons["model"].click()
    assert panel.folds == ("model", "save")
    assert (bodies["model"].layout.display, buttons["model"].icon) == (None, "caret-down")
    panel.space = "a/b"
    assert buttons["model"].description == "Model and Space: flux, a/b"
    assert panel.folds == ("model", "save")
    buttons["save"].click()
    assert [*panel.folds] == ["model"]
    assert (bodies["save"].layout.display, buttons["save"].icon) == ("none", "caret-right")
    assert make(folds=("save", "compare")).folds == ("compare", "save")
    with pytest.raises(TraitError, match=f"there is no fold 'compre': choose from {', '.join(FOLDS)}"):
        panel.folds = ("compre",)


def test_until_the_space_answers_a_fold_says_that_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    go, answers = threading.Event(), [describe(steps=(1, 8), shift=(1.0, 9.0)), describe(steps=(1, 8)), None]

    def ask(_settings: object) -> ModelDescription | None:
        go.wait(PATIENCE)
        return answers.pop(0)

    monkeypatch.setattr(blocking, "fetch_description", ask)
    panel = make(folds=("parameters",))
    box, button = panel._folds._boxes["parameters"], panel._folds._buttons["parameters"]
    seen = []
    for space in ("", "a/b", "c/d"):
        go.clear()
        panel.space = space
        seen.append((button.description, box.layout.display))
        go.set()
        settle()
        seen.append((button.description, box.layout.display))
    asking, known, none = ("More parameters: asking the Space what it takes", None), "More parameters", "none"
    assert seen == [asking, (known, None), asking, (known, none), asking, (known, none)]


def list_controls(widget: Any) -> list[Any]:
    """Return the widgets in a widget that hold no others."""
    inside = getattr(widget, "children", ())
    return [one for child in inside for one in list_controls(child)] if inside else [widget]


def test_the_prompt_and_generate_come_first_and_each_control_is_there_once() -> None:
    panel = make()
    controls = list_controls(panel)
    assert controls.index(panel._controls.prompt) < controls.index(panel._generate) < controls.index(panel._cancel)
    assert controls.index(panel._cancel) < min(controls.index(field(panel, name)) for name in ("steps", "seed"))
    assert len(controls) == len(set(controls))
