"""The cell that `prompt.command` gives, run the way IPython runs it."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from flux_magic.prompt import command, expand, parse_line, prompt_of
from tests.unit.samples import record


def asked_by(cell: str) -> dict[str, Any]:
    """What a cell asks for, as `flux` or `generate` receives it; every name in it is defined as X."""
    called = ast.parse(TransformerManager().transform_cell(cell)).body[-1]
    assert isinstance(called, ast.Expr)
    assert isinstance(called.value, ast.Call)
    assert isinstance(called.value.func, ast.Attribute)
    arguments = [ast.literal_eval(argument) for argument in called.value.args]
    if called.value.func.attr == "generate":
        return {"prompt": arguments[0]} | {
            str(word.arg): ast.literal_eval(word.value) for word in called.value.keywords
        }
    assert (called.value.func.attr, arguments[0]) == ("run_cell_magic", "flux")
    options, rest = parse_line(arguments[1])
    typed = prompt_of(rest, arguments[2])
    options["width"], options["height"] = options.pop("size")
    return {"prompt": expand(typed, dict.fromkeys(re.findall(r"[^\W\d]\w*", typed), "X"))[0]} | options


def asked_for(text: str) -> dict[str, Any]:
    """What the cell for the sample record with this prompt has to ask for."""
    return {"prompt": text, "steps": 4, "seed": 42, "width": 256, "height": 192}


@pytest.mark.parametrize(
    ("changes", "cell"),
    [
        pytest.param({}, "%%flux --steps 4 --seed 42 --size 256x192\na red fox", id="a plain record"),
        pytest.param(
            {"prompt": "a {b} {{c}}"}, "%%flux --steps 4 --seed 42 --size 256x192\na {{b}} {{{c}}}", id="braces"
        ),
        pytest.param(
            {"requested_width": 260, "width": 256},
            "%%flux --steps 4 --seed 42 --size 260x192\na red fox",
            id="the size as asked for",
        ),
        pytest.param(
            {"requested_model": "flux-schnell", "requested_space": "local"},
            "%%flux --steps 4 --seed 42 --size 256x192 --model flux-schnell --space local\na red fox",
            id="another model and Space",
        ),
        pytest.param(
            {"prompt": ">>> fox\0", "requested_space": "local"},
            "import flux_magic\n\n"
            "flux_magic.generate('>>> fox\\x00', steps=4, seed=42, width=256, height=192, space='local')",
            id="no cell can hold it",
        ),
    ],
)
def test_a_records_command(changes: dict[str, Any], cell: str) -> None:
    assert command(record(**changes)) == cell


TRICKY = [
    pytest.param(">>> a fox", id="a Python prompt"),
    pytest.param("a\n  >>> fox\n... in the mist", id="a Python prompt further down"),
    pytest.param("...: fox", id="IPython's dots"),
    pytest.param("In [7]: fox", id="an IPython prompt"),
    pytest.param("a\0fox", id="NUL"),
    pytest.param("\n\n  a fox", id="blank lines first"),
    pytest.param("a fox\n\n\n", id="blank lines last"),
    pytest.param("  a\n    fox\n\tin\n", id="indented"),
    pytest.param("a\r\nfox\r", id="carriage returns"),
    pytest.param("a\u2028fox\x0b\x0c\x85", id="other line separators"),
    pytest.param("a fox?", id="a question"),
    pytest.param("?fox", id="help"),
    pytest.param("%%flux\n%flux x\n!ls", id="magics"),
    pytest.param("fox \\\nhen", id="a backslash before a line end"),
    pytest.param("'''\"\"\"\\'", id="quotes"),
    pytest.param("--seed 1", id="an option"),
    pytest.param("{seed} {{seed}} {a.b} {", id="braces"),
]


@pytest.mark.parametrize("text", TRICKY)
def test_the_command_asks_for_the_same_image_again(text: str) -> None:
    assert asked_by(command(record(prompt=text))) == asked_for(text)


@pytest.mark.parametrize("text", ["a fox", ">>> a fox"], ids=["a cell", "a call"])
def test_the_command_names_what_is_not_the_default(text: str) -> None:
    made = record(prompt=text, requested_model="flux-schnell", requested_space="http://127.0.0.1:7860/a?b=c")
    unusual = {"model": "flux-schnell", "space": "http://127.0.0.1:7860/a?b=c"}
    assert asked_by(command(made)) == asked_for(text) | unusual


MARKS = [
    "",
    "",
    ">>> ",
    ">>>",
    "...",
    "...: ",
    "In [1]: ",
    "[ins] In [1]: ",
    "%%flux",
    "{a}",
    "{{a}}",
    "?",
    '"""',
    "\\",
]
LINES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", " ", "\t", "\x0c"]),
    st.sampled_from(MARKS),
    st.one_of(st.just(""), st.text(max_size=4), st.text(st.characters(codec=None), max_size=2)),
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\x0b", "\x1c", "\u2028", "\\\n"])
PROMPTS = st.one_of(
    st.text(min_size=1), st.lists(st.builds("{}{}".format, LINES, ENDS), min_size=1, max_size=6).map("".join)
)


@pytest.mark.parametrize(
    "text",
    [
        "a\n   \nb",
        "a fox\n  ",
        "  \na fox",
        "[ins] In [1]: fox",
        "x\r>>> y",
        "x\u2028>>> y",
        "fox\n",
        "a\xa0fox",
        "a\r\nb",
    ],
)
def test_what_ipython_would_change_in_a_cell_is_asked_for_in_python(text: str) -> None:
    made = command(record(prompt=text))
    assert made.startswith("import flux_magic")
    assert asked_by(made) == asked_for(text)


@given(text=PROMPTS.filter(str.strip))
def test_whatever_the_prompt_the_command_asks_for_the_same_image_again(text: str) -> None:
    assert asked_by(command(record(prompt=text))) == asked_for(text)
