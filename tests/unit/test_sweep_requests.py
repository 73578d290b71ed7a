"""From a prompt with places and options with several values to requests: `flux_magic.sweeps.requests`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_magic.errors import InvalidRequest
from flux_magic.parameters.grammar import Several, parse_line
from flux_magic.parameters.lists import list_items
from flux_magic.parameters.settings import Settings
from flux_magic.parameters.table import MAX_SEED
from flux_magic.sweeps.axes import Axis, get_coordinates
from flux_magic.sweeps.requests import Sweep, build_requests, build_sweep, build_sweep_call
from flux_magic.sweeps.template import escape, find_varying, read_template

SEEDED = Settings(seed=42, width=256, height=192, steps=3)


def swept(typed: str, varied: dict[str, Any] | None = None, count: int = 1, **names: object) -> Sweep:
    return build_sweep(read_template(typed, names), SEEDED, varied or {}, count)


def prompts(asked: Sweep) -> list[str]:
    return [request.prompt for request in asked.requests]


# Options with several values


@pytest.mark.parametrize(
    ("line", "name", "values"),
    [
        pytest.param("--seed 1..8 a fox", "seed", (1, 2, 3, 4, 5, 6, 7, 8), id="a range"),
        pytest.param("--seed 3..1", "seed", (3, 2, 1), id="a range down"),
        pytest.param("--seed 1..10..3", "seed", (1, 4, 7, 10), id="a range in steps"),
        pytest.param("--seed 10..1..4", "seed", (10, 6, 2), id="a range down in steps"),
        pytest.param("--steps 1,2,4,8", "steps", (1, 2, 4, 8), id="a list"),
        pytest.param("--seed=7,1..3,99", "seed", (7, 1, 2, 3, 99), id="both"),
        pytest.param("--size 512x512,768x512", "size", ((512, 512), (768, 512)), id="sizes"),
        pytest.param("--width 256,512", "width", (256, 512), id="widths"),
        pytest.param(f"--seed 0,{MAX_SEED}", "seed", (0, MAX_SEED), id="the least and the most"),
    ],
)
def test_an_option_takes_several_values(line: str, name: str, values: tuple[Any, ...]) -> None:
    options, _ = parse_line(line)
    assert options == {name: values}
    assert isinstance(options[name], Several)


@pytest.mark.parametrize(("line", "value"), [("--seed 5..5", 5), ("--seed 5", 5), ("--size 8x9", (8, 9))])
def test_one_value_is_no_axis(line: str, value: object) -> None:
    (read,) = parse_line(line)[0].values()
    assert read == value
    assert not isinstance(read, Several)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("--seed 1,1", "--seed 1,1: 1 occurs twice", id="twice"),
        pytest.param("--seed 1..3,2", "2 occurs twice", id="twice by a range"),
        pytest.param("--size 8x8,8x8", "8x8 occurs twice", id="a size twice"),
        pytest.param("--seed 1,x", "--seed x: give a whole number from 0 to 2147483647; write several", id="a word"),
        pytest.param(
            "--seed 1,", "--seed 1,: a value is missing; write several without spaces", id="a blank after a comma"
        ),
        pytest.param("--steps 0..3", "--steps 0: give a whole number from 1 up", id="out of range"),
        pytest.param("--seed 1..2..0", "steps of 0", id="no step"),
        pytest.param("--seed 0..2147483647", "2147483648 values are more than 10000", id="too many to count"),
        pytest.param("--size 1x1,2", "write several without spaces: --size 512x512,768x512", id="half a size"),
    ],
)
def test_values_that_are_not_allowed_get_one_line(line: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^[^\n]+$") as told:
        parse_line(line)
    assert words in str(told.value)


def test_options_multiply_and_the_last_one_varies_the_fastest() -> None:
    asked = swept("a fox", {"steps": (1, 2), "seed": (7, 8, 9)})
    assert [(one.steps, one.seed) for one in asked.requests] == [(1, 7), (1, 8), (1, 9), (2, 7), (2, 8), (2, 9)]
    assert str(asked) == "6 images: 2 steps × 3 seeds"
    assert asked.format_label(4) == "steps 2, seed 8"


def test_what_is_no_axis_stays_the_same_the_seed_too() -> None:
    asked = swept("a fox", {"steps": (1, 2, 4)})
    (base,) = build_requests("a fox", SEEDED)
    assert list(asked.requests) == [replace(base, steps=steps) for steps in (1, 2, 4)]


def test_a_random_seed_is_chosen_once_for_the_whole_sweep() -> None:
    asked = build_sweep(read_template("a {red|blue} fox", {}), Settings(), {"steps": (1, 2, 3)})
    assert len({one.seed for one in asked.requests}) == 1
    assert all(one.chosen for one in asked.requests)


def test_seeds_that_are_given_are_not_chosen_by_chance() -> None:
    asked = build_sweep(read_template("a fox", {}), Settings(), {"seed": (1, 2)})
    assert not any(one.chosen for one in asked.requests)


def test_sizes_vary_width_and_height_together() -> None:
    asked = swept("a fox", {"size": ((512, 256), (260, 256))})
    assert [(one.width, one.height) for one in asked.requests] == [(512, 256), (260, 256)]
    assert asked.axes == (Axis("size", ("512x256", "260x256")),)
    assert asked.format_label(0) == "512×256"


def test_a_count_is_an_axis_of_successive_seeds() -> None:
    asked = swept("a {red|blue} fox", count=2)
    assert asked.axes[-1] == Axis("seed", (42, 43))
    assert [one.seed for one in asked.requests] == [42, 43, 42, 43]


def test_a_count_beside_several_seeds_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="set the same thing twice"):
        swept("a fox", {"seed": (1, 2)}, count=2)


@pytest.mark.parametrize(
    ("most", "words"), [(5, "6 images are more than 5 in one cell: add --yes if you mean it"), (6, "")]
)
def test_more_images_than_allowed_have_to_be_meant(most: int, words: str) -> None:
    made = read_template("a fox", {})
    if words:
        with pytest.raises(InvalidRequest, match=words):
            build_sweep(made, SEEDED, {"steps": (1, 2), "seed": (1, 2, 3)}, most=most)
    else:
        assert len(build_sweep(made, SEEDED, {"steps": (1, 2), "seed": (1, 2, 3)}, most=most)) == 6


def test_ten_thousand_are_the_most_whatever_is_said() -> None:
    with pytest.raises(InvalidRequest, match="40000 images are more than 10000 in one go"):
        swept("{a|b|c|d}", {"seed": range(10_000)})
    with pytest.raises(InvalidRequest, match="are more than 10000 in one go"):
        swept("{a|b}", count=2**31)


# Alternatives and lists in the prompt


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        pytest.param("a {red|blue} fox", ["a red fox", "a blue fox"], id="alternatives"),
        pytest.param("a {|red }fox", ["a fox", "a red fox"], id="one of them empty"),
        pytest.param("{a|b}{c|d}", ["ac", "ad", "bc", "bd"], id="two of them multiply"),
        pytest.param("{{a|b}} {c|d}", ["{a|b} c", "{a|b} d"], id="doubled braces are literal"),
        pytest.param("{a|{one}}", ["a", "1"], id="a name within"),
        pytest.param("{a|{{one}}}", ["a", "{one}"], id="a literal name within"),
        pytest.param("{{one}} {one} {a|b}", ["{one} 1 a", "{one} 1 b"], id="names beside"),
        pytest.param("{a\nb|c}", ["a\nb", "c"], id="over lines"),
        pytest.param('{"x": {a|b}} \\frac{c}{d}', ['{"x": a} \\frac{c}{d}', '{"x": b} \\frac{c}{d}'], id="JSON, LaTeX"),
        pytest.param("{ names } in {places}", ["{ names } in Rome", "{ names } in Oslo"], id="a list"),
        pytest.param("{places} {places}", ["Rome Rome", "Oslo Oslo"], id="a list twice is one axis"),
    ],
)
def test_the_prompt_is_varied(typed: str, texts: list[str]) -> None:
    asked = swept(typed, one=1, places=["Rome", "Oslo"])
    assert prompts(asked) == texts
    assert {request.as_typed for request in asked.requests} == {typed}


def test_axes_are_named_after_the_list_or_as_words() -> None:
    asked = swept("{a|b} {places} {c|d} {e|f}", places=("Rome", "Oslo"))
    assert [axis.name for axis in asked.axes] == ["word", "places", "word_2", "word_3"]
    assert str(asked) == "16 images: 2 words × 2 {places} × 2 words × 2 words"


def test_the_prompts_axes_come_before_those_of_the_options() -> None:
    asked = swept("a {red|blue} fox", {"seed": (1, 2)})
    assert [(one.prompt, one.seed) for one in asked.requests] == [
        ("a red fox", 1),
        ("a red fox", 2),
        ("a blue fox", 1),
        ("a blue fox", 2),
    ]


def test_a_value_is_put_in_as_it_is() -> None:
    assert prompts(swept("{places}", places=["{one}", "{a|b}"], one=1)) == ["{one}", "{a|b}"]


@pytest.mark.parametrize(
    ("value", "items"),
    [
        pytest.param(["a", 1], ["a", 1], id="a list"),
        pytest.param(("a",), ["a"], id="a tuple"),
        pytest.param(range(3), [0, 1, 2], id="a range"),
        pytest.param(np.array([1, 2]), [1, 2], id="an array"),
        pytest.param(pd.Series(["a", "b"]), ["a", "b"], id="a column of a table"),
        pytest.param("ab", None, id="a text"),
        pytest.param({"a": 1}, None, id="a dict"),
        pytest.param({1}, None, id="a set has no order"),
        pytest.param(np.ones((2, 2)), None, id="a matrix"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_what_counts_as_a_list(value: object, items: list[Any] | None) -> None:
    assert list_items(value) == items


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        pytest.param("{none}", "{none} is empty: give one value or more", id="an empty list"),
        pytest.param("{a|a}", "{a|a}: 'a' occurs twice", id="the same twice"),
        pytest.param("{ones}", "{ones}: '1' occurs twice", id="the same once it is text"),
        pytest.param("{a|a}", "'a' occurs twice; {{a|a}} is taken as typed", id="the way out"),
        pytest.param("{red|{a|b}}", "{red|{a|b}}: alternatives within others: put all in one row", id="nested"),
        pytest.param("{red|{none}}", "{none} is a list within alternatives: write its items there", id="a list within"),
        pytest.param("{seed}", "a sweep has a seed of its own: give the list another name", id="an option's name"),
        pytest.param("{word}", "a sweep has a word of its own", id="the alternatives' name"),
        pytest.param("{many}", "10001 values are more than 10000", id="too many"),
        pytest.param("{|x}", "the prompt is empty", id="an empty prompt"),
    ],
)
def test_what_cannot_be_varied_gets_one_line(typed: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^[^\n]+$") as told:
        swept(typed, none=[], ones=[1, "1"], seed=[1, 2], word=["a", "b"], many=range(10_001))
    assert words in str(told.value)


def test_names_that_are_not_there_are_told() -> None:
    assert read_template("{nope} {a|{gone}} {nope}", {}).missing == ("nope", "gone")


@pytest.mark.parametrize("value", [{1, 2}, {"a": 1}, iter([1]), np.ones((2, 2)), pd.DataFrame({"a": [1]})])
def test_a_collection_that_is_no_list_is_told(value: object) -> None:
    made = read_template("{a|b} {many}", {"many": value})
    assert [axis.name for axis in made.axes] == ["word"]
    assert made.notes == (f"{{many}} is a {type(value).__name__}, which is not varied: give a list",)


def test_a_prompt_in_a_call_has_to_be_a_text() -> None:
    with pytest.raises(InvalidRequest, match=r"the prompt is \['a fox'\]: give a string"):
        build_sweep_call(["a fox"], {"seed": [1, 2]})  # type: ignore[arg-type]


def test_what_a_sweep_would_vary_can_be_asked() -> None:
    assert find_varying("{a|b} {places} {one} {{c|d}} {a|b}", {"places": [1], "one": 1}) == ["{a|b}", "{places}"]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_coordinates_are_those_of_the_product(lengths: list[int], data: st.DataObject) -> None:
    axes = tuple(Axis(f"axis{number}", tuple(range(length))) for number, length in enumerate(lengths))
    total = int(np.prod(lengths))
    place = data.draw(st.integers(0, total - 1))
    assert get_coordinates(axes, place) == tuple(int(one) for one in np.unravel_index(place, lengths))


@given(st.text(max_size=60))
def test_any_prompt_is_a_template_or_an_error(typed: str) -> None:
    with suppress(InvalidRequest):
        made = read_template(typed, {"a": [1, 2], "b": "x"})
        assert isinstance(made.fill([axis.values[0] for axis in made.axes]), str)


@given(st.text(alphabet="{}|ab \n", max_size=30) | st.text(max_size=30))
def test_any_text_can_be_escaped(text: str) -> None:
    made = read_template(escape(text), {"a": [1, 2], "b": "x"})
    assert (made.fill(()), made.axes) == (text, ())


# From Python


def test_lists_in_a_call_are_axes() -> None:
    asked, settings, _ = build_sweep_call(
        "a {colour} {what}", {"colour": ["red", "blue"], "what": "fox", "steps": [1, 2], "seed": 7, "width": None}
    )
    assert [(one.prompt, one.steps, one.seed) for one in asked.requests] == [
        ("a red fox", 1, 7),
        ("a red fox", 2, 7),
        ("a blue fox", 1, 7),
        ("a blue fox", 2, 7),
    ]
    assert settings.seed == 7


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        pytest.param(["256x192", "64x64"], [(256, 192), (64, 64)], id="texts"),
        pytest.param([(256, 192), (64, 64)], [(256, 192), (64, 64)], id="pairs"),
        pytest.param("256x192", [(256, 192)], id="one text"),
        pytest.param((256, 192), [(256, 192)], id="one pair"),
        pytest.param(["256x192"], [(256, 192)], id="a list of one"),
    ],
)
def test_a_size_in_a_call_is_a_text_or_a_pair(size: object, sizes: list[tuple[int, int]]) -> None:
    asked, *_ = build_sweep_call("a {b|c}", {"size": size})
    assert sorted({(one.width, one.height) for one in asked.requests}) == sorted(sizes)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        pytest.param({"steps": 4}, InvalidRequest, "nothing is varied", id="no list"),
        pytest.param(
            {"colour": ["red"]}, TypeError, "unknown option: colour, and the prompt has no {colour}", id="typo"
        ),
        pytest.param({"steps": {1, 2}}, InvalidRequest, "steps is {1, 2}: give a whole number, or a list", id="a set"),
        pytest.param({"seed": "1..3"}, InvalidRequest, "seed is '1..3': give a whole number, or a list", id="a text"),
        pytest.param({"space": ["local"], "seed": [1, 2]}, InvalidRequest, "the Space is ['local']", id="some Spaces"),
        pytest.param(
            {"steps": [1, "2"]}, InvalidRequest, "steps is '2': give a whole number", id="a text for a number"
        ),
        pytest.param({"steps": [1, 1]}, InvalidRequest, "steps: 1 occurs twice", id="the same twice"),
        pytest.param({"size": ["1024"]}, InvalidRequest, "size is '1024': did you mean '1024x1024'?", id="half a size"),
        pytest.param({"size": 1024}, InvalidRequest, "size is 1024", id="a number for a size"),
        pytest.param({"seed": []}, InvalidRequest, "seed is empty", id="an empty list"),
        pytest.param({"concurrency": 0, "seed": [1, 2]}, InvalidRequest, "concurrency is 0", id="none at once"),
    ],
)
def test_a_call_that_makes_no_sweep_is_told_why(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as told:
        build_sweep_call("a fox", options)
    assert words in str(told.value)
