"""The names of saved files: by the prompt, as in a store, or by a pattern; and what is said before an image is made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_magic.errors import InvalidRequest
from flux_magic.jupyter import cell
from flux_magic.results.file_names import make_slug
from flux_magic.results.generations import Generations
from flux_magic.sweeps.axes import Axis
from tests.unit.samples import encoded, generation


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A Red Fox, in the snow!", "a-red-fox-in-the-snow"),
        ("../../etc/passwd", "etc-passwd"),
        ('a:b*c?d"e<f>g|h\\i\0j\nk', "a-b-c-d-e-f-g-h-i-j-k"),
        ("un café à Zürich", "un-café-à-zürich"),
        ("cafe\N{COMBINING ACUTE ACCENT}", "café"),
        ("画: 提灯", "画-提灯"),
        ("लाल लोमड़ी", "लाल-लोमड\u093cी"),
        ("\N{HEAVY BLACK HEART}\ufe0f fox \N{FOX FACE}", "fox"),
        ("\u202efox\ud800", "fox"),
        ("...", ""),
        ("x" * 99, "x" * 40),
        ("提" * 99, "提" * 33),
    ],
)
def test_a_prompt_becomes_words_that_every_file_system_takes(text: str, name: str) -> None:
    assert make_slug(text) == name


@given(st.text(st.characters(codec=None)))
def test_any_prompt_becomes_a_short_part_of_a_name(text: str) -> None:
    made = make_slug(text)
    assert len(made.encode()) <= 100
    assert make_slug(made) == made
    assert not set(made) & set('/\\:*?"<>|. \0')


@pytest.mark.parametrize(
    ("prompt", "path", "saved"),
    [
        pytest.param("A red fox!", "out", "out/a-red-fox-7-{digest}.png", id="a folder"),
        pytest.param("...", "out", "out/7-{digest}.png", id="a prompt without words"),
        pytest.param("A red fox!", "{prompt}-{seed}.png", "a-red-fox-7.png", id="prompt and seed"),
        pytest.param("A red fox!", "{prompt}-{seed}", "a-red-fox-7.png", id="as delivered"),
        pytest.param("a fox", "v1.{seed}", "v1.7.png", id="a field is no suffix"),
        pytest.param("a fox", "{n}/{steps}x{size}.jpg", "1/4x256x192.jpg", id="in folders"),
        pytest.param("a fox", "{prompt}/", "a-fox/a-fox-7-{digest}.png", id="a folder of the prompt"),
        pytest.param("a fox", "{prompt}/all", "a-fox/all/a-fox-7-{digest}.png", id="a folder in it"),
        pytest.param("a fox", "{width}-{height}-{digest}.png", "256-192-{digest}.png", id="digest"),
        pytest.param("a fox", "{model}.webp", "black-forest-labs-flux-1-schnell.webp", id="model"),
        pytest.param("con", "{prompt}.png", "_con.png", id="a device of Windows"),
        pytest.param("...", "{prompt}.png", "none.png", id="nothing left"),
        pytest.param("../x", "{prompt}.png", "x.png", id="no way up"),
        pytest.param("a fox", "{seed:04d}-{steps:>3}-{digest:.6}.png", "0007-4-{digest:.6}.png", id="formats"),
        pytest.param("a fox", "{{seed}}-{seed}.png", "{{seed}}-7.png", id="literal braces"),
    ],
)
def test_a_file_is_named_by_the_folder_or_the_pattern(tmp_path: Path, prompt: str, path: str, saved: str) -> None:
    fox = generation(prompt=prompt, seed=7)
    assert fox.save(path) == [Path(saved.format(digest=fox.digest[:12]))]
    assert [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*.*")] == [os.fspath(fox.save(path)[0])]


def test_the_second_file_of_a_job_has_a_number(tmp_path: Path) -> None:
    several = generation(encoded(), encoded(colour=9), seed=7)
    assert several.save("{seed}.png") == [Path("7.png"), Path("7-2.png")]
    assert len({path.name for path in several.save(tmp_path / "{seed}-{digest}.png")}) == 2


COLOURS = Axis("colour", ("red", "red!"))
FOXES = Generations([generation(encoded(colour=one), seed=one, prompt="a fox") for one in (1, 2)], [COLOURS])


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("{seed}.png", ["1.png", "2.png"]),
        ("{colour}-{n}.png", ["red-1.png", "red-2.png"]),
        ("{colour}/{seed}.png", ["red/1.png", "red/2.png"]),
    ],
)
def test_several_are_named_by_what_tells_them_apart(pattern: str, names: list[str]) -> None:
    assert [path.as_posix() for path in FOXES.save(pattern)] == names


@pytest.mark.parametrize(
    ("made", "path", "says"),
    [
        pytest.param(
            FOXES,
            "{prompt}.png",
            "cannot save 2 images as {prompt}.png: several would be a-fox.png. Add {colour} to it, or give a folder",
            id="an axis is missing",
        ),
        pytest.param(FOXES, "{colour}.png", "several would be red.png. Add {n} to it", id="values that look alike"),
        pytest.param(Generations(list(FOXES)), "{prompt}.png", "Add {seed} to it", id="no sweep"),
        pytest.param(
            FOXES,
            "sheet.png",
            "cannot save 2 images as the one file sheet.png: give a folder, or a pattern such as {prompt}-{seed}.png; "
            'their sheet is saved by .grid().save("sheet.png")',
            id="a sheet",
        ),
        pytest.param(
            FOXES[0],
            "{colour}.png",
            "cannot save as {colour}.png: {colour} is not a field. A name can have {prompt}, {seed}, {steps}, {width}, "
            "{height}, {size}, {model}, {guidance}, {negative_prompt}, {strength}, {endpoint}, {digest}, {n}",
            id="no such field",
        ),
        pytest.param(FOXES, "{x}.png", "{digest}, {n}, {colour}", id="the axes are fields"),
        pytest.param(FOXES[0], "{prompt:04d}.png", "'a fox' does not take the format '04d'", id="a format"),
        pytest.param(FOXES[0], "{seed.png", "{ is not a field", id="half a field"),
        pytest.param(FOXES[0], "{seed}.gif", "cannot save as 'image.gif'", id="no encoder"),
    ],
)
def test_what_cannot_be_named_is_said_and_nothing_is_written(tmp_path: Path, made: Any, path: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        made.save(path)
    assert says in caught.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("--save {prompt}-{seed}.png a fox", "", id="one image"),
        pytest.param("--save fox.png a fox", "", id="no pattern"),
        pytest.param("-n 3 --save {seed}.png a fox", "", id="a count, by seeds"),
        pytest.param("-n 3 --save {prompt}.png a fox", "Add {seed} to it", id="a count, by the prompt"),
        pytest.param("-n 3 --save fox.png a fox", '.grid().save("fox.png")', id="a count, one file"),
        pytest.param("--steps 1,2 --seed 1..3 --save {steps}.png a fox", "Add {seed} to it", id="one axis of two"),
        pytest.param("--steps 1,2 --seed 1..3 --save {steps}/{seed} a fox", "", id="both axes"),
        pytest.param("--size 64x64,64x72 --save {width}.png a fox", "Add {size} to it", id="one side"),
        pytest.param("--size 64x64,64x72 --save {width}x{height}.png a fox", "", id="both sides"),
        pytest.param("--sweep --save {word}.png a {red|blue} fox", "", id="alternatives"),
        pytest.param("--sweep --save {prompt}.png a {red|blue} fox", "", id="the prompts they make"),
        pytest.param("--sweep --save {seed}.png a {red|blue} fox", "Add {word} to it", id="alternatives missing"),
        pytest.param("--steps 1,2 --save {digest}.png a fox", "", id="the digest tells all apart"),
        pytest.param("--steps 1,2 --save {place}/{steps}.png a fox", "{place} is not a field", id="a notebook's name"),
        pytest.param("--save {x}/ a fox", "{x} is not a field", id="in a folder's name"),
    ],
)
def test_a_mistake_is_known_before_an_image_is_asked_for(line: str, says: str) -> None:
    if not says:
        assert cell.read(line, None, {"place": "the sea"}).options["save"]
        return
    with pytest.raises(InvalidRequest) as caught:
        cell.read(line, None, {"place": "the sea"})
    assert says in caught.value.message
