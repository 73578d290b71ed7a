from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_magic.errors import InvalidRequest
from flux_magic.jupyter import choices
from flux_magic.jupyter.completion import complete
from flux_magic.jupyter.lines import _parse_status_line
from flux_magic.parameters import grammar
from flux_magic.parameters.grammar import OPTIONS, VERIFY_OPTIONS, parse_around, parse_line, take_prompt
from flux_magic.parameters.placeholders import escape, expand
from flux_magic.parameters.table import Parameter
from flux_magic.providers.base import ModelDescription
from flux_magic.providers.gradio.any_space import AnySpace
from flux_magic.results.generations import Generations
from tests.unit.samples import drawing, encoded, generation


@pytest.mark.parametrize(
    ("line", "options", "rest"),
    [
        pytest.param("", {}, "", id="nothing"),
        pytest.param("  a red fox", {}, "a red fox", id="no option"),
        pytest.param("--steps 4 a  fox ", {"steps": 4}, "a  fox ", id="the prompt is raw"),
        pytest.param("--steps=4 a fox", {"steps": 4}, "a fox", id="an equals sign"),
        pytest.param("--seed 0", {"seed": 0}, "", id="seed 0"),
        pytest.param("--seed 2147483647", {"seed": 2147483647}, "", id="the largest seed"),
        pytest.param("--size 1024x768", {"size": (1024, 768)}, "", id="a size"),
        pytest.param("--size 64×64 --size 8X9", {"size": (8, 9)}, "", id="the last one counts"),
        pytest.param("--width 512 --height 256", {"width": 512, "height": 256}, "", id="width and height"),
        pytest.param("-n 4 a fox", {"count": 4}, "a fox", id="the short flag"),
        pytest.param("-n=4", {"count": 4}, "", id="the short flag with an equals sign"),
        pytest.param("--timeout 1.5 --timeout .5", {"timeout": 0.5}, "", id="seconds"),
        pytest.param("--save 'my pictures/' a fox", {"save": "my pictures/"}, "a fox", id="single quotes"),
        pytest.param('--save="my pictures/" a fox', {"save": "my pictures/"}, "a fox", id="double quotes"),
        pytest.param("--save my' 'pictures a", {"save": "my pictures"}, "a", id="quotes within a value"),
        pytest.param("--space=a=b x", {"space": "a=b"}, "x", id="a value with an equals sign"),
        pytest.param("--raw --quiet --yes", {"raw": True, "quiet": True, "yes": True}, "", id="flags"),
        pytest.param("--dry-run --overwrite x", {"dry_run": True, "overwrite": True}, "x", id="flags and a prompt"),
        pytest.param("--output fox x", {"output": "fox"}, "x", id="a name"),
        pytest.param("--inline link x", {"inline": "link"}, "x", id="a choice"),
        pytest.param("--proxy http://p:1 --model flux", {"proxy": "http://p:1", "model": "flux"}, "", id="texts"),
        pytest.param("--steps 4 -- --seed 1", {"steps": 4}, "--seed 1", id="two dashes end the options"),
        pytest.param("--  a fox", {}, " a fox", id="one space belongs to the dashes"),
        pytest.param("- a fox", {}, "- a fox", id="one dash is a prompt"),
        pytest.param("a fox --seed 1", {}, "a fox --seed 1", id="options come first"),
        pytest.param("it's a fox", {}, "it's a fox", id="an apostrophe"),
        pytest.param('"a fox', {}, '"a fox', id="a lone quote"),
        pytest.param("--raw 'a fox' x", {"raw": True}, "'a fox' x", id="a prompt in quotes keeps them"),
    ],
)
def test_a_line_is_options_and_then_the_raw_prompt(line: str, options: dict[str, Any], rest: str) -> None:
    assert parse_line(line) == (options, rest)


@pytest.mark.parametrize(
    ("line", "read"),
    [
        pytest.param("--seed {seed} --steps={n} -n {n}", {"seed": 7, "steps": 4, "count": 4}, id="numbers"),
        pytest.param("--seed {seeds}", {"seed": (1, 5)}, id="a list is several"),
        pytest.param("--seed {few},{seed} --steps {n}..6", {"seed": (1, 2, 3, 7), "steps": (4, 5, 6)}, id="parts"),
        pytest.param("--size {size} --timeout {t}", {"size": (512, 384), "timeout": 2.5}, id="a size and seconds"),
        pytest.param("--size {w}x{w}", {"size": (256, 256)}, id="sides"),
        pytest.param("--space {space} --save {n}.png", {"space": "{space}", "save": "{n}.png"}, id="no number"),
    ],
)
def test_a_number_may_be_a_name_and_nothing_else_is(line: str, read: dict[str, Any]) -> None:
    """Return a cell out of somebody's image may name a Space, and must not send what a name holds there."""
    names = {
        "seed": 7,
        "n": 4,
        "seeds": [1, 5],
        "few": range(1, 4),
        "size": "512x384",
        "t": 2.5,
        "w": 256,
        "space": "x",
    }
    assert parse_line(line, names=names) == (read, "")
    assert parse_line("--save {n}") == ({"save": "{n}"}, "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("--seed {sed}", "--seed {sed}: there is no {sed} in this notebook", id="no such name"),
        pytest.param("--steps {word}", "--steps four: give a whole number from 1 up", id="no number"),
        pytest.param("--seed {none}", "--seed None: give a whole number", id="nothing"),
        pytest.param("--seed {empty}", "--seed : a value is missing", id="an empty list"),
        pytest.param("--steps {n}}", "--steps 4}: give a whole number", id="a brace too many"),
    ],
)
def test_a_name_that_is_no_number_is_a_mistake(line: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_line(line, names={"n": 4, "word": "four", "none": None, "empty": []})
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("--steps 0", "--steps 0: give a whole number from 1 up", id="no steps"),
        pytest.param("--steps four", "--steps four: give a whole number", id="a word for a number"),
        pytest.param("--steps 4.0", "--steps 4.0: give a whole number", id="a float for a number"),
        pytest.param("--steps ४", "--steps ४: give a whole number", id="other digits"),
        pytest.param("--seed -1", "--seed -1: give a whole number from 0 to 2147483647", id="a negative seed"),
        pytest.param("--seed 2147483648", "from 0 to 2147483647", id="too large a seed"),
        pytest.param(f"--width {'9' * 19}", "give a whole number", id="too many digits"),
        pytest.param("--size 1024", "--size 1024: give width x height", id="half a size"),
        pytest.param("--size 1024x768x3", "give width x height", id="three sizes"),
        pytest.param("--timeout 0", "--timeout 0: give seconds above 0", id="no time"),
        pytest.param("--timeout nan", "--timeout nan: give seconds above 0", id="NaN"),
        pytest.param("--timeout -5", "--timeout -5: give seconds above 0", id="negative time"),
        pytest.param("--timeout 2e9", "--timeout 2e9: give seconds above 0 and below 1000000000", id="too long a time"),
        pytest.param("--output 2fox", "--output 2fox: give a name that Python takes", id="no name"),
        pytest.param("--inline gif", "--inline gif: choose one of png, jpeg, link", id="no choice"),
        pytest.param("--save ''", "--save is empty", id="an empty text"),
        pytest.param("--save=", "--save is empty", id="an empty text after the equals sign"),
        pytest.param("--steps", "--steps needs a value, for example --steps 4", id="no value"),
        pytest.param(
            "--space --seed 1", "--space needs a value, for example --space local", id="an option for a value"
        ),
        pytest.param("--raw=yes", "--raw takes no value: write --raw alone", id="a value for a flag"),
        pytest.param("--sead 1", "unknown option --sead: did you mean --seed?", id="a slip"),
        pytest.param("--xyzzy", "unknown option --xyzzy: There are --steps", id="nothing like it"),
        pytest.param("-5 degrees", "a prompt that begins with a dash comes after --", id="a prompt with a dash"),
        pytest.param("--raw---quiet", "unknown option", id="two flags in one"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_says_what_can(line: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_line(line)
    assert words in str(caught.value)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_options_example_is_read(option: grammar.Option) -> None:
    for flag in option.flags:
        options, rest = parse_line(f"{flag} {option.metavar} a fox")
        assert list(options) == [option.name]
        assert rest == "a fox"


WORDS = st.sampled_from(
    [*(flag for option in OPTIONS for flag in option.flags), "--", "-", "=", "'", '"', " ", "1", "64x64", "fox", "\n"]
)


@given(line=st.one_of(st.text(), st.lists(st.one_of(WORDS, st.text(max_size=3)), max_size=12).map("".join)))
def test_whatever_the_line_it_is_read_or_refused_in_our_own_words(line: str) -> None:
    try:
        options, rest = parse_line(line)
    except InvalidRequest as error:
        assert str(error)  # noqa: PT017 - either end is right
    else:
        assert line.endswith(rest)
        assert options.keys() <= {option.name for option in OPTIONS}


@pytest.mark.parametrize(
    ("line", "body", "typed"),
    [
        pytest.param("a fox ", None, "a fox ", id="the line"),
        pytest.param("a fox", "  \n", "a fox", id="the line of a cell with an empty body"),
        pytest.param("", "a fox\n", "a fox", id="the body"),
        pytest.param(" ", "\n a\n\nfox \n\n", "\n a\n\nfox \n", id="the body but for one line end"),
        pytest.param("", "a fox", "a fox", id="a body without a line end"),
    ],
)
def test_the_prompt_is_the_body_or_the_rest_of_the_line(line: str, body: str | None, typed: str) -> None:
    assert take_prompt(line, body) == typed


@pytest.mark.parametrize(("line", "body"), [("", None), (" \t", "\n \n"), ("", "")])
def test_an_empty_prompt_is_refused(line: str, body: str | None) -> None:
    with pytest.raises(InvalidRequest, match="the prompt is empty"):
        take_prompt(line, body)


def test_a_prompt_in_two_places_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"in two places: put 'a fox' into the cell's body"):
        take_prompt(" a fox", "a hen\n")


@pytest.mark.parametrize(
    ("text", "sent", "missing"),
    [
        pytest.param("a fox in {place}", "a fox in Kyōto", [], id="a name"),
        pytest.param("{n}{n} {place}", "77 Kyōto", [], id="names side by side"),
        pytest.param(
            "a {colour} {kind} {colour}", "a {colour} {kind} {colour}", ["colour", "kind"], id="unknown names"
        ),
        pytest.param("{{place}}", "{place}", [], id="a literal name"),
        pytest.param("{{{place}}}", "{{place}}", [], id="a literal name in braces"),
        pytest.param("{place", "{place", [], id="half a pair"),
        pytest.param("{{place}", "{Kyōto", [], id="a brace too many"),
        pytest.param('{"a": 1} {} {0} {n.real} {n!r} {n:>3} { n }', None, [], id="other things in braces"),
        pytest.param(r"\frac{1}{2} $n %n %(n)s 50%", None, [], id="LaTeX, dollars and percents"),
        pytest.param("{größe}", "XL", [], id="a name with other letters"),
        pytest.param("{tricky}", "{place} {{n}}", [], id="a value is not read again"),
    ],
)
def test_names_in_braces_become_their_values_and_nothing_else_changes(
    text: str, sent: str | None, missing: list[str]
) -> None:
    names = {"place": "Kyōto", "n": 7, "größe": "XL", "tricky": "{place} {{n}}"}
    assert expand(text, names) == (text if sent is None else sent, missing)


BRACES = st.one_of(
    st.text(),
    st.lists(st.sampled_from(["{", "}", "{a}", "{{a}}", "a", "é1", "_", " ", "\n"]), max_size=12).map("".join),
)


@given(text=BRACES, names=st.dictionaries(st.sampled_from(["a", "é1", "_", "aa"]), st.text(max_size=5)))
def test_expand_takes_back_what_escape_did_whatever_names_there_are(text: str, names: dict[str, str]) -> None:
    assert expand(escape(text), names) == (text, [])


@pytest.mark.parametrize("line", ["--save -- a fox", "--space --steps=4 a fox", "--output --quiet a fox"])
def test_an_option_is_no_other_options_value(line: str) -> None:
    with pytest.raises(InvalidRequest, match="needs a value"):
        parse_line(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('--save "fox.png a fox', "the quote is not closed"),
        ("--help", "%flux? shows every option"),
        ("-h", "%flux? shows every option"),
        ("--timeout inf x", "give seconds above 0"),
    ],
)
def test_what_cannot_be_read_is_named(line: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(said)):
        parse_line(line)


def test_seconds_may_be_written_as_any_number() -> None:
    assert parse_line("--timeout 1e3 x") == ({"timeout": 1000.0}, "x")


def test_tab_offers_what_the_panel_takes_and_nothing_that_it_refuses() -> None:
    assert complete("%flux_panel --s") == ("--s", ["--steps", "--seed", "--size", "--strength", "--set", "--space"])
    with pytest.raises(InvalidRequest, match="%flux_panel takes no --save: that is an option of %flux"):
        parse_line("--save fox.png", grammar.PANEL_OPTIONS, "%flux_panel")


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("a.png --static b/", ({"static": True}, "a.png b/")),
        ("'an -odd name.png' --html \"my page.html\"", ({"html": "my page.html"}, "'an -odd name.png'")),
        ("--space local -- -odd.png --static", ({"space": "local"}, "-odd.png --static")),
        ("a.png --json=x.json -- --static", ({"json": "x.json"}, "a.png --static")),
    ],
)
def test_verify_takes_options_on_both_sides_of_its_names(line: str, read: object) -> None:
    assert parse_around(line, VERIFY_OPTIONS, "%flux_verify") == read


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--statik a.png", "unknown option --statik: did you mean --static? There are --static --space"),
        ("a.png --steps 4", "%flux_verify takes no --steps: that is an option of %flux"),
        ("a.png --concurrency 17", "--concurrency 17: give a whole number from 1 to 16"),
        ("a.png --html", "--html needs a value, for example --html report.html"),
    ],
)
def test_verify_refuses_an_option_in_the_words_of_the_other_magics(line: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{re.escape(words)}"):
        parse_around(line, VERIFY_OPTIONS, "%flux_verify")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%flux_verify a.png --s", ("--s", ["--static", "--space"])),
        ("%flux_verify --space lo", ("lo", ["local"])),
        ("%flux_history --se", ("--se", ["--search", "--seed", "--set"])),
        ("%flux_verify pict", None),
        ("%flux_history --space lo", None),
    ],
)
def test_tab_offers_the_options_of_a_magic_that_looks_back(line: str, offered: object) -> None:
    assert complete(line) == offered


DESCRIBED = ModelDescription(
    "m",
    "p",
    parameters=(
        Parameter(name="prompt", help=""),
        Parameter(name="guidance", help="", kind=float, default=3.5),
        Parameter(name="negative_prompt", help="", kind=str, default=""),
        Parameter(name="steps", help="", choices=(1, 2, 4, 8)),
        Parameter(name="shift", help="", kind=float, least=1, most=10, default=3.0),
        Parameter(
            name="mode_choice", help="", kind=str, choices=("Distilled (4 steps)", "Base, slow", "a,b", 'say "x"')
        ),
        Parameter(name="enhance", help="", kind=bool, default=False),
    ),
    sizes=((1024, 1024), (1152, 896)),
    endpoints=("/generate", "/generate_1"),
)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%flux --space a/b --set ", ["shift=", "mode_choice=", "enhance="]),
        ("%flux --space=a/b --set sh", ["shift="]),
        ("%%flux --space a/b --set=sh", ["--set=shift="]),
        ("%%flux --space a/b --set shift=", ["shift=3.0"]),
        (
            "%flux --space a/b --set shift=4 --set mode_choice=",
            ['mode_choice="Distilled (4 steps)"', 'mode_choice="Base, slow"', "mode_choice='say \"x\"'"],
        ),
        ("%flux --space a/b --set enhance=", ["enhance=true", "enhance=false"]),
        ("%flux --space a/b --set steps=", []),
        ("%flux --space a/b --guidance ", ["3.5"]),
        ("%flux --space a/b --guidance=", ["--guidance=3.5"]),
        ("%flux --space a/b --negative ", []),
        ("%flux --space a/b --steps ", ["1", "2", "4", "8"]),
        ("%flux --space a/b --size 11", ["1152x896"]),
        ("%flux --space a/b --endpoint ", ["/generate", "/generate_1"]),
        ("%flux --set ", []),
        ("%flux --space ://: --set ", []),
        ("%flux --guidance ", []),
        ("%flux --size 11", []),
        ("%flux --model flux-", ["flux-schnell", "flux-dev"]),
        ("%flux_status black-forest-labs/FLUX.1-sch", ["black-forest-labs/FLUX.1-schnell"]),
        ("%flux_status --space lo", ["local"]),
        ("%flux --image ", ["pixels", "drawn", "made", "foxes[0]", "foxes[1]", "raw"]),
        ("%flux --image foxes[1", ["foxes[1]"]),
    ],
)
def test_tab_offers_what_a_space_takes_once_it_was_asked_and_the_images_of_the_notebook(
    monkeypatch: pytest.MonkeyPatch, line: str, offered: list[str]
) -> None:
    monkeypatch.setattr(AnySpace, "recall_description", lambda *_: DESCRIBED)
    monkeypatch.setitem(choices._FLAGS, "flux", [*choices._FLAGS["flux"], "--image"])
    one = generation()
    names = {"pixels": np.zeros((8, 8, 3)), "drawn": drawing(), "made": one, "foxes": Generations([one, one])}
    found = complete(line, {**names, "raw": encoded(), "n": 3, "text": "a fox", "blob": b"no image", "row": np.ones(3)})
    assert found is not None
    assert found[1] == offered


def test_a_models_name_stands_for_its_space() -> None:
    assert [_parse_status_line(one)["space"] for one in ("kontext", "a/b", "")] == [
        "black-forest-labs/FLUX.1-Kontext-Dev",
        "a/b",
        None,
    ]
