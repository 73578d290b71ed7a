"""A cell as people type it: what is no grammar of ours is told, in one line, before an image is asked for."""

from __future__ import annotations

from collections import UserList, deque
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from traitlets import TraitError

import flux_magic
from flux_magic import errors
from flux_magic.client.async_client import AsyncClient
from flux_magic.errors import InvalidRequest, SaveError
from flux_magic.jupyter import cell
from flux_magic.jupyter.panel import Panel
from flux_magic.jupyter.panel.parameters import Parameters
from flux_magic.parameters.grammar import PANEL_OPTIONS, parse_line
from flux_magic.parameters.placeholders import expand
from flux_magic.parameters.settings import resolve
from flux_magic.results.generation import check_target
from flux_magic.results.generations import Generations
from flux_magic.sweeps.requests import Sweep, build_requests, build_sweep_call
from flux_magic.types import ImageRequest
from tests.unit.samples import generation

NAMES: dict[str, Any] = {"animals": ["fox", "hen"], "a": 1, "x": 2.0, "name": "Bo"}


def asked(line: str, body: str | None = None, names: dict[str, Any] | None = None) -> tuple[ImageRequest, list[str]]:
    read = cell.read(line, body, NAMES if names is None else names)
    images = read.images.requests if isinstance(read.images, Sweep) else read.images
    return images[0], read.notes


def refused(line: str, body: str | None = None, names: dict[str, Any] | None = None) -> str:
    with pytest.raises(errors.FluxError, match=r"^[^\n]+") as told:
        cell.read(line, body, NAMES if names is None else names)
    assert "\n" not in told.value.message
    return told.value.message


@pytest.mark.parametrize(
    ("options", "caption", "notes"),
    [
        pytest.param("--caption '{name}: {{x}}'", "Bo: {x}", [], id="a name"),
        pytest.param("--caption {who}", "{who}", ["{who} stays as typed in the caption: no such name"], id="none"),
        pytest.param("--caption '{name} {{x}}' --raw", "{name} {{x}}", [], id="raw"),
        pytest.param("--caption '{name} {seed} {{x}}' --seed 1,2", "Bo 5 {x}", [], id="an axis"),
        pytest.param("--caption '{name} {seed}' --seed 1,2 --raw", "{name} {seed}", [], id="an axis, raw"),
        pytest.param("--caption '{name} {seed}'", "Bo 5", [], id="a value of its own"),
        pytest.param("", None, [], id="no caption"),
    ],
)
def test_a_caption_has_the_values_of_names(options: str, caption: str | None, notes: list[str]) -> None:
    read = cell.read(f"{options} a fox", None, NAMES)
    shown = None if read.settings.caption is None else expand(read.settings.caption, {"seed": 5})[0]
    assert shown == caption
    assert [note[: len(start)] for note, start in zip(read.notes, notes, strict=True)] == notes


@pytest.mark.parametrize(
    ("line", "body", "words"),
    [
        pytest.param("a fox --steps 4 --seed 3", None, "%flux --steps 4 --seed 3 a fox;", id="behind"),
        pytest.param("--size 256x256 a fox --steps=4", None, "%flux --size 256x256 --steps 4 a fox;", id="two places"),
        pytest.param("a fox, -n 4", None, "%flux -n 4 a fox; after %flux -- the prompt is sent as typed", id="short"),
        pytest.param("a fox --save 'my fox.png'", None, "%flux --save 'my fox.png' a fox;", id="a text"),
        pytest.param("a fox --raw", None, "%flux --raw a fox", id="a flag"),
        pytest.param("a fox –seed 3", None, "–seed 3 is in the prompt", id="an en dash"),
        pytest.param("—seed 3 a fox", None, "%flux --seed 3 a fox", id="an em dash in front"),
        pytest.param("a fox −−steps 4", None, "%flux --steps 4", id="minus signs"),
        pytest.param("a fox -steps 4", None, "%flux --steps 4", id="one dash"),
        pytest.param("a fox --Dry_Run", None, "%flux --dry-run a fox", id="other case"),
        pytest.param("a fox steps=4, seed=3", None, "%flux --steps 4 --seed 3 a fox", id="as in Python"),
        pytest.param('"a red fox" --steps 4', None, '%flux --steps 4 "a red fox"', id="quotes and an option"),
        pytest.param("a fox --ar 16:9 --v 6", None, "--size 1344x768;", id="a ratio"),
        pytest.param("a fox —ar 2:3", None, "--size 832x1280;", id="a ratio, long dash"),
        pytest.param("a fox --no people", None, '--negative "blurry" says what the image must not show', id="negative"),
        pytest.param("a fox -s 20", None, "--steps 4 sets the inference steps", id="another tool's short option"),
        pytest.param("a fox --step 4", None, "did you mean --steps?", id="a slip"),
        pytest.param("a fox --token hf_canary1", None, "a token never goes into a cell", id="a token"),
        pytest.param("a fox --steps 4", "x", "options come first, %flux --steps 4 a fox", id="first line"),
        pytest.param("--seed 1", "a fox\n--steps 4\n", "%%flux --seed 1 --steps 4; with -- at the end", id="last line"),
        pytest.param("", "--steps 4\na fox", "options come first, %%flux --steps 4;", id="first line of a body"),
        pytest.param('""', None, "the prompt is empty except for quotes", id="quotes around nothing"),
        pytest.param("--output print a fox", None, "a reserved word of Python", id="a builtin's name"),
    ],
)
def test_an_option_in_a_prompt_is_told_and_where_it_goes(line: str, body: str | None, words: str) -> None:
    assert words in (said := refused(line, body))
    assert "canary" not in said


@pytest.mark.parametrize(
    "prompt",
    [
        'a sign that says "--steps 4"',
        "a sign that says “use --seed 3”",
        "a fox -- b",
        "a fox—red as fire—runs",
        "a fox — red",
        "a 35-mm photo, f/2.8, -5 degrees, x-n, rock-n-roll",
        "a fox --really red",
        '"a fox" and "a hen"',
        "it's a fox, isn't it",
        "'tis a fox",
        r"\frac{q}{w}, {'k': 1}, {color: red}, H_{2}O, {12:30}",
        "2 foxes",
        "a step = 4 dance; my seed, size and width",
    ],
)
def test_a_prompt_of_words_is_sent_as_typed(prompt: str) -> None:
    for line, body in ((prompt, None), ("", prompt)):
        request, notes = asked(line, body, {})
        assert request.prompt == prompt
        assert [note for note in notes if "no such name" not in note] == []


@pytest.mark.parametrize("prompt", ["a fox --steps 4 —seed 3", '"a red fox"', "--ar 16:9 a fox", "“a fox”"])
@pytest.mark.parametrize("way", ["--", "--raw"])
def test_a_prompt_that_truly_holds_such_words_has_a_way(prompt: str, way: str) -> None:
    assert asked(f"{'--raw ' if way == '--raw' else ''}-- {prompt}")[0].prompt == prompt
    for line, body in ((f"--seed 3 {way}", prompt), (f"--seed 3 {way} {prompt}", None)):
        if body is None and way == "--raw" and prompt.startswith("--"):
            continue  # an option that is in its place
        request, notes = asked(line, body)
        assert (request.prompt, request.seed, notes) == (prompt, 3, [])


@pytest.mark.parametrize("quotes", ['""', "''", "“”", "„“", "‘’", "«»", ('"""', '"""'), ('f"', '"')])
def test_a_prompt_in_quotes_is_sent_without_them_from_a_line_and_as_typed_from_a_body(quotes: Any) -> None:
    typed = f"{quotes[0]}a fox's {{a}}{quotes[1]}"
    request, notes = asked(typed)
    assert (request.prompt, notes) == (
        "a fox's 1",
        [f"the prompt is sent without the quotes around it; to send them too: %flux -- {typed}"],
    )
    request, notes = asked("", typed)
    assert request.as_typed == typed
    assert notes[0].startswith("the prompt is sent with the quotes around it")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("--seed 1-4", "--seed 1..4"),
        ("--seed 1–4", "--seed 1..4"),
        ("--seed 1 - 4", "--seed 1..4"),
        ("--seed 1 to 4", "--seed 1..4"),
        ("--seed 1:4", "--seed 1..4"),
        ("--seed 1..4..", "--seed 1..4"),
        ("--seed 1...4", "--seed 1..4"),
        ("--seed {1..4}", "--seed 1..4"),
        ("--seed range(4)", "--seed 0..3"),
        ("--seed range(1, 9, 2)", "--seed 1..8..2"),
        ("--seed 1;2", "--seed 1,2"),
        ("--seed '1 2 3'", "--seed 1,2,3"),
        ("--seed 1 2 3", "--seed 1,2,3"),
        ("--seed 1, 2, 3", "--seed 1,2,3"),
        ("--seed [1,2]", "--seed 1,2"),
        ("--seed (1, 2)", "--seed 1,2"),
        ("--seed 1|2", "--seed 1,2"),
        ("--seed 1e3", "--seed 1000"),
        ("--seed 1_000", "--seed 1000"),
        ("--seed 1,000", "write a number without commas"),
        ("--seed 42.0", "--seed 42"),
        ("--seed ４２", "--seed 42"),
        ("--seed -1", "leave --seed out"),
        ("--seed random", "leave --seed out"),
        ("--seed None", "leave --seed out"),
        ("--steps '4 steps'", "--steps 4"),
        ("--steps 1-4", "--steps 1..4"),
        ("--size 1024*768", "--size 1024x768"),
        ("--size 1024,768", "--size 1024x768"),
        ("--size 1024 x 768", "--size 1024x768"),
        ("--size 1024 × 768", "--size 1024x768"),
        ("--size 16:9", "--size 1344x768"),
        ("--size 512", "--size 512x512"),
        ("--size square", "--size 1024x1024"),
        ("--output fox.png", "--save writes a file"),
    ],
)
def test_a_value_in_another_spelling_is_told_ours(value: str, meant: str) -> None:
    assert meant in refused(f"{value} a fox")


def test_numbers_before_a_prompt_are_told_from_a_prompt_that_begins_with_one() -> None:
    assert asked("--seed 1 2 foxes")[0].prompt == "2 foxes"
    assert asked("--seed 1 -- 2 3 foxes")[0].prompt == "2 3 foxes"
    assert "--seed 1,2;" in refused("--seed 1 2")
    assert asked("--seed=“42” --save “my foxes/” a fox")[0].seed == 42


@pytest.mark.parametrize(
    "several",
    [
        [1, 2, 3], (1, 2, 3), range(1, 4), np.array([1, 2, 3]), np.arange(1, 4, dtype=np.uint8), pd.Series([1, 2, 3]),
        pd.DataFrame({"seed": [1, 2, 3]})["seed"], pd.Index([1, 2, 3]), deque([1, 2, 3]), UserList([1, 2, 3]),
        dict.fromkeys([1, 2, 3]).keys(), {"a": 1, "b": 2, "c": 3}.values(),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_whatever_is_a_list_counts_as_several(several: Any) -> None:
    read = cell.read("--seed {several} --steps {n} a fox", None, {"several": several, "n": np.int64(4)})
    assert [(request.seed, request.steps) for request in list(getattr(read.images, "requests", []))] == [
        (1, 4), (2, 4), (3, 4)
    ]  # fmt: skip
    assert len(build_sweep_call("a fox", {"seed": several})[0]) == 3
    assert len(cell.read("--sweep a {several}", None, {"several": several}).images) == 3


def test_a_generator_is_read_once_and_what_has_no_order_is_told() -> None:
    assert len(build_sweep_call("a {colour}", {"seed": iter([1, 2]), "colour": (c for c in "ab")})[0]) == 4
    for value, words in (({1, 2}, "{v} is a set; give a list"), (np.ones((2, 2)), "{v} is a 2-dimensional ndarray")):
        assert words in refused("--seed {v} a fox", None, {"v": value})


ANSWERS = {
    "-n makes several": "--num-images --num_images --batch-size --n_iter --repeat",
    "did you mean --guidance?": "--guidance-scale --guidance_scale --cfg --scale --true_cfg_scale --guidence",
    "did you mean --negative?": "--neg --neg_prompt --no --uc",
    "did you mean --negative-prompt?": "--negative_prompt",
    "did you mean --strength?": "--denoise --denoising_strength --image-strength",
    "--set shift=4 sets a parameter of the model's own": "--shift",
    "sets a parameter of the model's own": "--sampler --scheduler --lora --loras",
    "did you mean --image?": "--init-image --images-in",
    "--size says width x height": "--ar --aspect-ratio --ratio --resolution",
    "--alt": "--alt-text",
    "--caption": "--title --label",
    "--only-image": "--image-only --no-table",
    "the prompt needs no option": "--prompt -p",
    "--save fox.png": "--out --outdir --filename -o",
    "--steps 4 sets the inference steps": "--num_inference_steps --ddim_steps -s",
    "--seed 42 sets the seed": "-S --random-seed",
    "--width 1024": "-W",
    "--height 768": "-H",
    "the model is named with --model": "--checkpoint --v",
    "HF_TOKEN": "--token --api-key --hf-token --key",
    "--space local": "--local",
    "asks no Space": "--offline",
    "where the Space runs": "--device --dtype",
    "--fresh": "--no-cache --force",
    "verbose_errors": "--verbose",
    "? shows every option": "--help -h",
    "did you mean --steps?": "--step -steps --Steps --stpes",
    "did you mean --dry-run?": "--dry_run --dryrun",
}


@pytest.mark.parametrize(
    ("flag", "answer"), [(flag, answer) for answer, flags in ANSWERS.items() for flag in flags.split()]
)
def test_another_tools_word_gets_its_answer(flag: str, answer: str) -> None:
    assert answer in refused(f"{flag} 4 a fox")
    with pytest.raises(InvalidRequest) as told:
        parse_line(f"{flag} 4", PANEL_OPTIONS, "%flux_panel")
    assert answer in told.value.message or "--dry-run" in answer


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("{animals[0]}", "write x = animals[0] and {x}"),
        ("{a.name}", "write x = a.name and {x}"),
        ("{x:.2f}", "braces take a name alone: {x}"),
        ("{x!r}", "a name alone: {x}"),
        ("{f(x)}", "write x = f(x)"),
        ("{ a }", "a name alone: {a}"),
        ("{a + 1}", "write x = a + 1"),
        ("{2$$red|blue}", "{2$$red|blue} is sent as typed: {red|blue} with --sweep makes an image of each"),
        ("{0.5::red|2::blue}", "is sent as typed"),
        ("__colour__", "there are no wildcards"),
        ("<lora:fox:0.8>", "this model takes no LoRA"),
        ("$name", "$name is sent as typed: a name is written {name}"),
        ("%(name)s", "a name is written {name}"),
    ],
)
def test_a_template_of_another_kind_stays_as_typed_and_a_note_says_so(prompt: str, words: str) -> None:
    for line in (f"a {prompt} b", f"--sweep {{red|blue}} a {prompt} b"):
        request, notes = asked(line)
        assert f"a {prompt} b" in request.prompt
        assert len(notes) == 1
        assert words in notes[0]
    assert asked(f"--raw a {prompt} b")[1] == []


def test_a_size_is_one_word_in_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in ("1024x768", " 1024 X 768 ", (1024, 768), [np.int64(1024), 768], np.array([1024, 768])):
        settings = resolve(size=size)
        assert (settings.width, settings.height) == (1024, 768)
    panel = Parameters(prompt="a fox", width=768, height=768, size="1024x512")
    assert (panel.width, panel.height) == (1024, 512)
    panel.size = (320, 640)
    panel.width = np.int64(512)
    assert (panel.width, panel.height, panel.size) == (512, 640, "512x640")
    with pytest.raises(TraitError, match="width is 4: give a whole number from 8 up"):
        panel.size = "4x512"
    assert (panel.width, panel.height, panel.size) == (512, 640, "512x640")
    both: dict[str, Any] = {"size": "512x512", "width": 512}
    for call in (
        lambda: resolve(**both),
        lambda: build_sweep_call("x", both),
        lambda: AsyncClient(**both),
        lambda: Panel(**both),
    ):
        with pytest.raises(InvalidRequest, match="size and width set the same thing twice"):
            call()
    with pytest.raises(InvalidRequest, match=r"size is '16:9': did you mean '1344x768'\?"):
        resolve(size="16:9")
    monkeypatch.setenv("FLUX_MAGIC_SPACE", "lcal")
    with pytest.raises(InvalidRequest, match=r"^FLUX_MAGIC_SPACE of the environment: 'lcal' .* did you mean local\?$"):
        resolve()
    assert resolve(space="local").space == "local"


def test_what_does_not_exist_raises_and_says_what_does() -> None:
    panel = Parameters(prompt="a fox")
    for name, words in (("sise", "did you mean size"), ("prompts", "did you mean prompt"), ("warmth", "no warmth")):
        with pytest.raises(AttributeError, match=words):
            setattr(panel, name, 1)
    with pytest.raises(AttributeError):
        AsyncClient().steps = 4  # type: ignore[attr-defined]
    for name, meant in (("guidance_scale", "guidance"), ("neg", "negative_prompt"), ("denoise", "strength")):
        with pytest.raises(TypeError, match=rf"unknown option: {name}, .*did you mean {meant}\?"):
            build_sweep_call("a fox", {name: [1, 2]})
        with pytest.raises(TypeError, match=rf"no argument {name}: did you mean {meant}\?"):
            flux_magic.generate("a fox", **{name: 1})  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"unknown option: x, .*is sent as typed"):
        build_sweep_call("a {x:.2f} fox", {"x": [1, 2]})


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int32])
def test_an_integer_of_any_kind_is_one(kind: type[Any]) -> None:
    request = ImageRequest("a fox", width=kind(64), height=kind(64), steps=kind(4), seed=kind(3))
    assert (request, type(request.seed)) == (ImageRequest("a fox", width=64, height=64, steps=4, seed=3), int)
    assert resolve(concurrency=kind(2)).concurrency == 2
    for options, words in (
        ({"seed": -1}, "leave it out for a random one"),
        ({"steps": "4"}, "as in steps=4"),
        ({"steps": 4.0}, "as in steps=4"),
        ({"steps": True}, "steps is True"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            build_requests("a fox", resolve(**options))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("plain/x.png", "plain is a file, not a folder", id="a file for a folder"),
        pytest.param("plain", "plain is a file, not a folder", id="a file and no suffix"),
        pytest.param("plain/", "plain is a file, not a folder", id="a file and a slash"),
        pytest.param("/proc/x.png", "no file can be made in /proc", id="nowhere to write"),
        pytest.param("/proc/x/", "no file can be made in /proc", id="no folder can be made"),
        pytest.param("$NOPE/x.png", "the environment has no variable NOPE", id="no variable"),
        pytest.param("${NOPE}/x.png", "the environment has no variable NOPE", id="no variable in braces"),
        pytest.param("~nobody9/x.png", "cannot write ~nobody9/x.png: no such home is known", id="no user"),
        pytest.param(f"{'x' * 300}.png", "File name too long", id="too long"),
        pytest.param("a\0b.png", "NUL", id="a null"),
        pytest.param("fox.gif", ".png, .jpg, .jpeg, .webp", id="a suffix"),
        pytest.param("there.png", "this file already exists", id="another image is there"),
    ],
)
def test_a_path_that_cannot_be_written_is_known_before_the_image(
    path: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plain", "there.png"):
        Path(name).write_bytes(b"")
    assert words in refused(f"--save '{path}' a fox")
    assert sorted(one.name for one in Path().iterdir()) == ["plain", "there.png"]


def test_a_path_has_variables_and_a_new_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("$HOME/x.png", "${HOME}/x.png", "~/x.png"):
        assert check_target(path, 1) == tmp_path / "x.png"
    monkeypatch.setenv("FLUX_MAGIC_STORE", "$NOPE")
    monkeypatch.chdir(tmp_path)
    generation().save("pictures/")
    Generations([generation(seed=1), generation(seed=2)]).save("foxes")
    assert capsys.readouterr().err == ""
    (saved,) = generation().save("fig/a")
    assert capsys.readouterr().err == (
        f"note: fig/a is a new folder, with {saved.name} in it; a file's name ends in .png, .jpg or .webp\n"
    )
    with pytest.raises(SaveError, match="is a file, not a folder"):
        generation().save(saved / "x.png")
