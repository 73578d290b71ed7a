"""`%%flux` in a real kernel: what it makes, and what the notebook gets of it."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import IPython
import pytest

from flux_magic.images import codecs, formats
from tests.support.kernel import Cell, Kernel, run_kernel

LINE = re.compile(r"<flux (\d+)×(\d+) seed=(\d+) steps=(\d+) sha256:([0-9a-f]{12})>")


def embedded(cell: Cell, mime: str = "image/png") -> bytes:
    return base64.b64decode(cell.get_shown(mime)[0])


def line_of(cell: Cell) -> str:
    return next(text for text in cell.get_shown("text/plain") if LINE.match(text))


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_loading_the_extension_prints_nothing() -> None:
    with run_kernel() as fresh:
        cell = fresh.run_ok("%load_ext flux_magic")
        assert (cell.stdout, cell.stderr, cell.outputs) == ("", "", [])
        loaded = fresh.run_ok("import sys\nprint(*{'aiohttp', 'ipywidgets', 'PIL'} & sys.modules.keys())")
        assert loaded.stdout.strip() == ""


def test_a_cell_shows_the_image_and_then_the_parameters(kernel: Kernel) -> None:
    cell = kernel.run_ok("%%flux --steps 4 --seed 42 --quiet\na red fox")
    first, second = cell.outputs
    assert set(first["data"]) == {"image/png", "text/plain"}
    assert set(second["data"]) == {"text/html", "text/markdown", "text/plain"}
    match = LINE.fullmatch(first["data"]["text/plain"])
    assert match is not None
    assert match.groups()[:4] == ("768", "768", "42", "4")
    assert codecs.describe(embedded(cell)).digest.startswith(match[5])


def test_the_image_has_alternative_text_and_its_record_beside_it(kernel: Kernel) -> None:
    cell = kernel.run_ok("%flux --steps 2 --seed 3 --quiet a lighthouse")
    metadata = cell.outputs[0]["metadata"]
    assert metadata["image/png"]["alt"] == "a lighthouse"
    run = metadata["flux_magic"]["record"]["run"]
    assert (run["prompt"], run["seed"], run["steps"]) == ("a lighthouse", 3, 2)
    assert "127.0.0.1" not in str(cell.outputs)


def test_the_same_seed_twice_gives_the_same_digest(kernel: Kernel) -> None:
    first, second = (line_of(kernel.run_ok("%%flux --steps 4 --seed 42 --quiet\na fox")) for _ in range(2))
    assert first == second
    assert line_of(kernel.run_ok("%%flux --steps 4 --seed 43 --quiet\na fox")) != first


def test_without_a_seed_each_image_has_one_of_its_own(kernel: Kernel) -> None:
    first, second = (LINE.match(line_of(kernel.run_ok("%flux --quiet a fox"))) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first[3] != second[3]


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param("<script>alert(1)</script> & <b>bold</b>", id="html"),
        pytest.param('she said "$x^2$" & `code` | pipe *stars* [link](javascript:1)', id="markdown-and-latex"),
        pytest.param('{"json": [1, 2]}, \\frac{a}{b}, 100 % $HOME', id="json-and-latex"),
        pytest.param("two\n\n  lines, indented", id="lines"),
        pytest.param("日本の富士山 🗻 – café", id="unicode"),
    ],
)
def test_any_prompt_is_shown_as_typed_and_its_cell_makes_the_same_image(
    kernel: Kernel, space: str, prompt: str
) -> None:
    kernel.run_ok("a = b = json = 7")
    cell = kernel.run_ok(f"%%flux --raw --quiet --seed 5 --size 256x256 --output made\n{prompt}")
    words = Words()
    words.feed(cell.get_shown("text/html")[0])
    assert prompt in words.text
    assert not {"script", "b", "a", "img"} & set(words.tags)
    sent = kernel.run_ok("print(made.prompt == %r)" % prompt)  # noqa: UP031 - braces stay as they are
    assert sent.stdout.strip() == "True"
    there = f".replace('--space local', '--space {space}')"  # which is the same
    again = kernel.run_ok(f"get_ipython().run_cell(made.command(){there}).raise_error()")
    assert line_of(again) == line_of(cell)


def test_options_reach_the_image(kernel: Kernel) -> None:
    cell = kernel.run_ok("%%flux --size 521x383 --steps=3 --seed 9 --output fox --quiet\na fox")
    assert line_of(cell).startswith("<flux 520×376 seed=9 steps=3")
    assert "520×376 (asked for 521×383)" in cell.get_shown("text/plain")[1]
    values = kernel.run_ok("print(fox.prompt, fox.seed, fox.steps, fox.width, fox.height, _ is fox)")
    assert values.stdout.strip() == "a fox 9 3 520 376 True"


def test_a_count_makes_successive_seeds_each_with_its_own_cell(kernel: Kernel) -> None:
    cell = kernel.run_ok("%%flux -n 3 --seed 42 --size 256x256 --output foxes --quiet\na fox")
    assert len(cell.get_shown("image/png")) == 3
    made = kernel.run_ok(
        "cell = foxes[1].command(); print([fox.seed for fox in foxes], '--seed 43 ' in cell, '-n' in cell)"
    )
    assert made.stdout.strip() == "[42, 43, 44] True False"


@pytest.mark.parametrize(
    ("inline", "mime"),
    [pytest.param("png", "image/png", id="png"), pytest.param("jpeg", "image/jpeg", id="jpeg")],
)
def test_inline_chooses_how_the_picture_is_kept(kernel: Kernel, inline: str, mime: str) -> None:
    cell = kernel.run_ok(f"%flux --inline {inline} --size 256x256 --quiet a fox")
    assert formats.detect_media_type(embedded(cell, mime)) == mime


def test_a_link_keeps_the_address_alone(kernel: Kernel, space: str) -> None:
    cell = kernel.run_ok("%flux --inline link --size 256x256 --quiet a fox")
    assert not cell.get_shown("image/png")
    assert f'<img src="{space}/gradio_api/file=' in cell.get_shown("text/html")[0]


def test_saving_is_part_of_the_cell(kernel: Kernel) -> None:
    once = "%flux --save fox.png --seed 1 --size 256x256 --quiet a fox"
    kernel.run_ok(once)
    kernel.run_ok(once)
    other = kernel.run(once.replace("--seed 1", "--seed 2"))
    assert other.status == "error"
    assert "already exists" in other.traceback
    assert other.get_shown("image/png"), "what was made is shown although it could not be saved"
    kernel.run_ok(once.replace("--seed 1", "--seed 2 --overwrite"))
    kernel.run_ok("%flux -n 2 --seed 1 --save many/ --size 256x256 --quiet a fox")
    names = kernel.run_ok("import os; print(sorted(os.listdir('many')), os.path.getsize('fox.png') > 1000)")
    assert re.fullmatch(r"\['a-fox-1-[0-9a-f]{12}\.webp', 'a-fox-2-[0-9a-f]{12}\.webp'\] True", names.stdout.strip())


def test_names_are_filled_in_and_unknown_ones_are_noted(kernel: Kernel) -> None:
    kernel.run_ok("place = 'the snow'")
    cell = kernel.run_ok("%%flux --quiet --size 256x256 --output fox\na fox in {place}, {nowhere}, {{place}}, {1+1}")
    assert ["{nowhere}" in note for note in cell.notes] == [True]
    assert kernel.run_ok("print(fox.prompt)").stdout == "a fox in the snow, {nowhere}, {place}, {1+1}\n"


def test_a_dry_run_shows_what_would_be_sent(kernel: Kernel, space: str) -> None:
    cell = kernel.run_ok("%flux --dry-run --seed 7 --size 300x300 a fox")
    assert not cell.outputs
    assert space in cell.stdout
    assert '"width": 296' in cell.stdout
    assert '"prompt": "a fox"' in cell.stdout


def test_the_help_names_every_option_with_an_example(kernel: Kernel) -> None:
    kernel.run_ok("from flux_magic.parameters import grammar as prompt")
    options = kernel.run_ok("print(*(flag for option in prompt.OPTIONS for flag in option.flags))").stdout.split()
    shown = kernel.run_ok("print(get_ipython().object_inspect_mime('%%flux')['text/plain'])").stdout
    assert len(options) > 15
    assert not [option for option in options if option not in shown]
    assert "%%flux --steps 4 --seed 42" in shown


@pytest.mark.skipif(IPython.version_info < (8,), reason="IPython 7 has no matchers that one could plug in")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param("%%flux --st", "--steps", id="option"),
        pytest.param("%flux --steps 4 --mod", "--model", id="second-option"),
        pytest.param("%%flux --model flux-", "flux-schnell", id="model"),
        pytest.param("%%flux --size 10", "1024x768", id="size"),
    ],
)
def test_tab_completes_options_and_their_values(kernel: Kernel, typed: str, offered: str) -> None:
    assert offered in kernel.complete(typed)


def test_a_result_that_could_not_be_saved_is_kept_under_its_name(kernel: Kernel) -> None:
    kernel.run_ok("late = 'old'\nfrom pathlib import Path\nPath('late.png').write_bytes(b'another file')")
    cell = kernel.run("%flux --output late --save late.png --seed 5 --size 256x256 --quiet a fox")
    assert "SaveError: late.png already exists" in cell.traceback
    assert kernel.run_ok("print(late.seed)").stdout == "5\n"


def test_what_was_saved_is_said(kernel: Kernel) -> None:
    cell = kernel.run_ok("%flux --save kept/ --seed 5 --size 256x256 --quiet a fox")
    assert re.fullmatch(r"saved kept/a-fox-5-[0-9a-f]{12}\.webp\n", cell.stdout)


def test_an_empty_setting_is_none(kernel: Kernel) -> None:
    kernel.run_ok("%config FluxMagics.model = ''")
    cell = kernel.run_ok("%flux --seed 5 --size 256x256 --quiet a fox")
    kernel.run_ok("%config FluxMagics.model = None")
    assert "--model" not in cell.get_shown("text/html")[0]
