"""What `ipywidgets.interact` sees of a function of many options."""

from __future__ import annotations

import inspect

import pytest
from ipywidgets import Checkbox, IntSlider, interactive

from flux_magic.client.interact import make_interactable
from tests.unit.samples import python

SIGNATURE = "import inspect, flux_magic; print(inspect.signature(flux_magic.generate))"


@make_interactable
def make(prompt: str, *, steps: int | None = None, count: int = 1, quiet: bool = False) -> list[object]:
    return [prompt, steps, count, quiet]


def test_a_widget_is_made_for_what_is_given_alone() -> None:
    shown = interactive(make, prompt="a fox", steps=(1, 4))
    assert [type(child).__name__ for child in shown.children] == ["Text", "IntSlider", "Output"]
    shown.update()
    assert shown.result == ["a fox", 2, 1, False]


def test_any_option_can_have_one() -> None:
    shown = interactive(make, prompt="a fox", count=IntSlider(3), quiet=Checkbox(value=True))
    shown.update()
    assert shown.result == ["a fox", None, 3, True]


def test_what_has_no_default_has_to_be_given() -> None:
    with pytest.raises(ValueError, match="cannot find widget or abbreviation for argument: 'prompt'"):
        interactive(make, steps=(1, 4))


def test_the_function_is_the_same_to_everybody_else() -> None:
    assert make("a fox") == ["a fox", None, 1, False]
    assert str(inspect.signature(make)).startswith("(prompt, *, steps=None, count=1, quiet=False) -> ")
    assert inspect.signature(make).bind("x", count=2).arguments == {"prompt": "x", "count": 2}


def test_it_costs_no_import_and_shows_the_types_until_ipywidgets_is_there() -> None:
    said = python(f"{SIGNATURE}; import sys; print('ipywidgets' in sys.modules)")
    assert said.startswith("(prompt: 'str', *, count: 'int' = 1, steps: 'int | None' = None,")
    assert said.endswith("False\n")
    assert python(f"import ipywidgets; {SIGNATURE}").startswith("(prompt, *, count=1, steps=None, seed=None,")
