"""The cell that `prompt.command` gives, run the way IPython runs it."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from flux_magic.jupyter import cell
from flux_magic.parameters import grammar
from flux_magic.parameters.settings import resolve
from flux_magic.records.command import write_call, write_command
from flux_magic.records.record import build_request
from flux_magic.sweeps.requests import build_requests
from flux_magic.types import ImageRequest
from tests.unit.samples import record


def asked_by(code: str) -> dict[str, Any]:
    """Return what a cell asks for, as `flux` or `generate` receives it; every name in it is defined as X."""
    called = ast.parse(TransformerManager().transform_cell(code)).body[-1]
    assert isinstance(called, ast.Expr)
    assert isinstance(called.value, ast.Call)
    assert isinstance(called.value.func, ast.Attribute)
    arguments = [ast.literal_eval(argument) for argument in called.value.args]
    if called.value.func.attr == "generate":
        return {"prompt": arguments[0]} | {
            str(word.arg): ast.literal_eval(word.value) for word in called.value.keywords
        }
    assert (called.value.func.attr, arguments[0]) == ("run_cell_magic", "flux")
    options, rest = grammar.parse_line(arguments[1])
    named = {name: options.pop(name) for name in ("model", "space") if name in options}  # there may be no such ones
    line = re.sub(r"--(model|space) (\".*?\"|'.*?'|\S+) ?", "", arguments[1])
    assert grammar.parse_line(line) == (options, rest)
    read = cell.read(line, arguments[2], dict.fromkeys(re.findall(r"[^\W\d]\w*", arguments[2]), "X"))
    assert isinstance(read.images, list)
    (asked,) = read.images
    return {name: getattr(asked, name) for name in ("prompt", "steps", "seed", "width", "height")} | named


def asked_for(text: str) -> dict[str, Any]:
    """Return what the cell for the sample record with this prompt has to ask for."""
    return {"prompt": text, "steps": 4, "seed": 42, "width": 256, "height": 192}


@pytest.mark.parametrize(
    ("changes", "code"),
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
def test_a_records_command(changes: dict[str, Any], code: str) -> None:
    assert write_command(record(**changes)) == code


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
    pytest.param("a fox --steps 4 —seed 3 -n 4 seed=3", id="options of ours"),
    pytest.param("a fox --ar 16:9 --no people", id="options of others"),
    pytest.param('"a red fox"', id="in quotes"),
    pytest.param(" “a red fox”\n", id="in other quotes"),
    pytest.param("{2$$a|b} {a[0]} {a:.2f} ${a}", id="templates of others"),
    pytest.param("{seed} {{seed}} {a.b} {", id="braces"),
]


@pytest.mark.parametrize("text", TRICKY)
def test_the_command_asks_for_the_same_image_again(text: str) -> None:
    assert asked_by(write_command(record(prompt=text))) == asked_for(text)


@pytest.mark.parametrize("text", ["a fox", ">>> a fox"], ids=["a cell", "a call"])
def test_the_command_names_what_is_not_the_default(text: str) -> None:
    made = record(prompt=text, requested_model="flux-schnell", requested_space="http://127.0.0.1:7860/a?b=c")
    unusual = {"model": "flux-schnell", "space": "http://127.0.0.1:7860/a?b=c"}
    assert asked_by(write_command(made)) == asked_for(text) | unusual


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
    "a --steps 4",
    "-n 4 ",
    "– — ‑seed 3",
    "—seed 3",
    "--ar 16:9",
    "--size=1x1 --frob 3",
    "seed=3",
    " -- ",
    "--",
]
LINES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", " ", "\t", "\x0c"]),
    st.sampled_from(MARKS),
    st.one_of(st.just(""), st.text(max_size=4), st.text(st.characters(codec=None), max_size=2)),
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\x0b", "\x1c", "\u2028", "\\\n"])
QUOTED = st.builds("{}{}{}".format, *(st.sampled_from(["", '"', "'", "“", "”", "«", "f'"]) for _ in range(3)))
PROMPTS = st.one_of(
    st.text(min_size=1),
    st.lists(st.builds("{}{}".format, LINES, ENDS), min_size=1, max_size=6).map("".join),
    st.builds("{0}{2}{1}".format, QUOTED, QUOTED, LINES),
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
    made = write_command(record(prompt=text))
    assert made.startswith("import flux_magic")
    assert asked_by(made) == asked_for(text)


@given(text=PROMPTS.filter(str.strip))
def test_whatever_the_prompt_the_command_asks_for_the_same_image_again(text: str) -> None:
    assert asked_by(write_command(record(prompt=text))) == asked_for(text)


def read_request(code: str) -> ImageRequest:
    """Return the request that a cell sends, or that the call in it sends."""
    called = ast.parse(TransformerManager().transform_cell(code)).body[-1]
    assert isinstance(called, ast.Expr)
    assert isinstance(called.value, ast.Call)
    arguments = [ast.literal_eval(argument) for argument in called.value.args]
    if called.value.keywords:
        options = {str(word.arg): ast.literal_eval(word.value) for word in called.value.keywords}
        return build_requests(arguments[0], resolve(**options))[0]
    images = cell.read(arguments[1], arguments[2], {}).images
    assert isinstance(images, list)
    return images[0]


FORMS = [
    *("4", "4.0", "-1", "+5", "1e-05", "1e999", "nan", "true", "False", "None", "", " x", "x ", "a, b", "1,2", ","),
    *("a=b", "“x”", "„x“", '"x"', "'", "it's", "{seed}", "{a|b}", "--steps 4", "-n 4", "--", "(a", "[1 - 4", "8"),
    *("1..4", "\\", "ä\u2028b", "a\\\nb", "a\r\nb", "\0", "x\x1b", "\xa0", "🦊\u200d", "Steps: 4", "%%flux", "a?"),
    *("512 x 768", "~", "#"),
]  # fmt: skip
STRINGS = st.one_of(st.sampled_from(FORMS), st.text(max_size=6), st.lists(st.sampled_from(FORMS)).map(" ".join))
OWN_VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    STRINGS,
)
NUMBERS = st.floats(0, 1e300)
NAMES = st.sampled_from(["shift", "use_negative_prompt", "_x1", "mode_choice", "cfg"])


@given(
    parameters=st.dictionaries(NAMES, OWN_VALUES, max_size=3),
    table=st.fixed_dictionaries(
        {}, optional={"guidance": NUMBERS, "negative_prompt": STRINGS, "strength": st.floats(0, 1)}
    ),
    text=st.sampled_from(["a fox", ">>> a fox", "a fox --steps 4"]),
    changes=st.sampled_from([{}, {"requested_steps": None, "steps": None}]),
)
def test_whatever_the_parameters_the_command_sends_them_again(
    parameters: dict[str, Any], table: dict[str, Any], text: str, changes: dict[str, Any]
) -> None:
    made = record(prompt=text, parameters={**table, **parameters}, **changes)
    wanted = build_request(made)
    sent = dict(wanted.parameters)
    for code in (write_command(made), write_call(text, parameters=sent, steps=4, seed=42)):
        again = read_request(code)
        assert again.prompt == text
        assert dict(again.parameters) == sent
        assert {name: type(value) for name, value in again.parameters.items()} == {
            name: type(value) for name, value in sent.items()
        }
