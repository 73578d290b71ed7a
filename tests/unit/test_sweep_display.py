"""What a notebook shows of a sweep, as data: the sheet's output and the table's."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from flux_magic.errors import replace_controls
from flux_magic.records import record as records
from flux_magic.records.command import write_command
from flux_magic.results import sheet_output
from flux_magic.results.sheet_output import Place
from flux_magic.sweeps.axes import Axis
from flux_magic.types import Record, escape_markdown
from tests.unit.samples import FILE, record
from tests.unit.test_display import PROMPTS, Reader

SEEDS = Axis("seed", (1, 2, 3, 4))
STEPS = Axis("steps", (1, 2, 4))


def digest(place: int) -> str:
    return f"{place:012x}{'0' * 52}"


def made(place: int, **changes: object) -> Place:
    file = replace(FILE, digest=digest(place))
    return Place(record(files=(file,), **changes))


def steps_and_seeds(**changes: object) -> list[Place]:
    pairs = itertools.product(STEPS.values, SEEDS.values)
    return [made(place, steps=steps, seed=seed, **changes) for place, (steps, seed) in enumerate(pairs)]


def texts(axes: Sequence[Axis], places: Sequence[Place]) -> list[str]:
    return sheet_output.build_table(axes, places).data["text/plain"].split("\n")


def test_a_sheet_in_one_line_says_its_axes_and_the_digest_of_all_digests() -> None:
    whole = hashlib.sha256("".join(digest(place) for place in range(12)).encode()).hexdigest()
    shown = sheet_output.format_line([STEPS, SEEDS], steps_and_seeds())
    assert shown == f"<flux sheet steps×seed 3×4, 12 images sha256:{whole[:12]}>"


def test_the_digest_is_over_those_that_there_are_and_in_order() -> None:
    places = steps_and_seeds()
    less = [*places[:5], Place(None, missing="not made"), *places[6:]]
    assert sheet_output.format_line([STEPS, SEEDS], less).startswith(
        "<flux sheet steps×seed 3×4, 11 of 12 images sha256:"
    )
    assert len({sheet_output.compute_digest(some) for some in (places, less, places[::-1])}) == 3
    assert sheet_output.format_line([Axis("seed", (1,))], [made(1)]).startswith("<flux sheet seed 1, 1 image sha256:")


def test_the_sheet_is_embedded_with_every_record_in_its_metadata() -> None:
    places = steps_and_seeds()
    places[2] = replace(places[2], replayed=True)
    places[3] = Place(None, missing="not made")
    output = sheet_output.build_sheet([STEPS, SEEDS], places, b"a sheet")
    assert set(output.data) == {"image/jpeg", "text/plain"}
    assert base64.b64decode(output.data["image/jpeg"]) == b"a sheet"
    known = json.loads(json.dumps(output.metadata))["flux_magic"]["sheet"]
    there = [place for place in places if place.record is not None]
    assert [records.parse_carried(one).record for one in known] == [place.record for place in there]
    assert [one.get("replayed", False) for one in known] == [place.replayed for place in there]


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        pytest.param([SEEDS], "seed 1, 2, 3, 4, one after the other", id="one axis"),
        pytest.param([Axis("seed", tuple(range(12)))], "seed 0, 1, 2, … 11 (12 of them)", id="many values"),
        pytest.param([STEPS, SEEDS], "steps 1, 2, 4 from top to bottom, seed 1, 2, 3, 4 from left to right", id="two"),
        pytest.param([STEPS, SEEDS, Axis("word", ("red",))], "steps 1, 2, 4 and seed 1, 2, 3, 4 from top", id="three"),
    ],
)
def test_the_alternative_text_says_prompt_and_axes_in_words(axes: list[Axis], words: str) -> None:
    count = len(list(itertools.product(*(axis.values for axis in axes))))
    alt = sheet_output.build_sheet(axes, [made(place) for place in range(count)], b"").metadata["image/jpeg"]["alt"]
    assert alt.startswith(f"a red fox: {count} images, ")
    assert words in alt


def test_the_alternative_text_of_several_prompts_is_what_they_came_from_or_all_of_them() -> None:
    axes = [Axis("word", ("red", "blue"))]
    typed = [made(0, prompt=f"a {word} fox", requested_prompt="a {red|blue} fox") for word in ("red", "blue")]
    assert (
        sheet_output.build_sheet(axes, typed, b"")
        .metadata["image/jpeg"]["alt"]
        .startswith("a {red|blue} fox: 2 images")
    )
    plain = [made(0, prompt=f"a {word} fox", requested_prompt=f"a {word} fox") for word in ("red", "blue")]
    assert (
        sheet_output.build_sheet(axes, plain, b"")
        .metadata["image/jpeg"]["alt"]
        .startswith("a red fox, a blue fox: 2 images")
    )


def test_the_text_has_what_is_the_same_once_and_a_line_for_each_image() -> None:
    shown = texts([STEPS, SEEDS], steps_and_seeds())
    assert shown[:4] == ["prompt   a red fox", "model    black-forest-labs-flux-1-schnell", "size     256×192", ""]
    assert shown[4] == f"steps=1 seed=1 256×192 sha256:{digest(0)[:12]}"
    assert shown[-1] == f"steps=4 seed=4 256×192 sha256:{digest(11)[:12]}"
    assert len(shown) == 4 + 12


def test_the_text_names_words_and_sizes() -> None:
    axes = [Axis("word", ("red", "deep blue")), Axis("size", ("256x192",))]
    places = [made(0, prompt="a red fox", requested_prompt="a {red|deep blue} fox")] * 2
    assert texts(axes, places)[-2:] == [
        "word=red steps=4 seed=42 256×192 sha256:000000000000",
        'word="deep blue" steps=4 seed=42 256×192 sha256:000000000000',
    ]


def test_what_was_not_made_has_its_line_with_the_reason() -> None:
    places = [made(0, seed=1), Place(None, missing="failed: it broke\nbadly"), Place(None, missing="not made")]
    axes = [Axis("seed", (1, 2, 3))]
    output = sheet_output.build_table(axes, places)
    assert output.data["text/plain"].split("\n")[-2:] == ["seed=2 failed: it broke badly", "seed=3 not made"]
    assert "| 2 | failed: it broke badly |" in output.data["text/markdown"]
    assert "failed: it broke&#10;badly</pre></td></tr>" in output.data["text/html"]
    assert output.data["text/html"].count("<summary>1 of 3 images: seeds and cells</summary>") == 1


def test_a_table_without_any_image_says_why() -> None:
    output = sheet_output.build_table([Axis("seed", (1, 2))], [Place(None, missing="not made")] * 2)
    assert output.data["text/plain"] == "seed=1 not made\nseed=2 not made"
    assert Reader(output.data["text/html"]).tags[0] == "details"


def test_the_table_is_the_same_whenever_and_wherever_the_images_were_made() -> None:
    later = [replace(place, replayed=True) for place in steps_and_seeds(started="2030-01-01", seconds=9.0)]
    assert sheet_output.build_table([STEPS, SEEDS], later) == sheet_output.build_table(
        [STEPS, SEEDS], steps_and_seeds()
    )


def test_the_html_is_folded_and_has_a_row_for_each_image_with_its_cell() -> None:
    places = steps_and_seeds()
    shown = sheet_output.build_table([STEPS, SEEDS], places).data["text/html"]
    read = Reader(shown)
    assert read.tags[read.tags.index("/table") + 1 :][:4] == ["details", "summary", "/summary", "table"]
    assert '<details class="flux-sheet-table"><summary>12 images: seeds and cells</summary>' in shown
    rows = shown.partition("<details")[2].partition("<tbody>")[2].split("<tr>")[1:]
    assert len(rows) == 12
    for row, place in zip(rows, places, strict=True):
        assert isinstance(place.record, Record)
        values = Reader(row)
        said = [text.removeprefix("\n") for text in values.texts if text]
        assert said == [
            str(place.record.steps),
            str(place.record.seed),
            place.record.files[0].digest[:12],
            write_command(place.record),
        ]
    assert shown.count("user-select:all") == 12


def test_the_columns_are_the_axes_and_what_else_differs() -> None:
    axes = [Axis("names", ("Ann", "Bo"))]
    places = [made(0, seed=1), made(1, seed=2)]
    names = re.findall(r'<th scope="col"[^>]*>(\w+)</th>', sheet_output.build_table(axes, places).data["text/html"])
    assert names == ["names", "seed", "digest", "cell"]
    again = re.findall(
        r'<th scope="col"[^>]*>(\w+)</th>',
        sheet_output.build_table([STEPS, SEEDS], steps_and_seeds()).data["text/html"],
    )
    assert again == ["steps", "seed", "digest", "cell"]


def test_a_size_says_what_came_back_and_what_was_asked_for() -> None:
    axes = [Axis("size", ("260x192", "256x192"))]
    shown = sheet_output.build_table(axes, [made(0, requested_width=260), made(1)]).data["text/markdown"]
    assert r"| 256×192 \(asked for 260×192\) | 000000000000 |" in shown
    assert "| 256×192 | 000000000001 |" in shown


def test_a_value_that_the_sheet_calls_by_a_number_is_told_with_it() -> None:
    axes = [Axis("word", ("red", "\U0010a7f5"))]
    output = sheet_output.build_table(axes, [made(0, prompt="red"), made(1, prompt="\U0010a7f5")])
    assert "| \U0010a7f5 \\(word 2\\) |" in output.data["text/markdown"]
    assert "\U0010a7f5 (word 2)" in output.data["text/html"]
    assert 'word="\\udbe9\\udff5" ' in output.data["text/plain"]
    assert "(word 1)" not in output.data["text/html"]


def test_the_stand_in_is_told_from_flux() -> None:
    local = [made(place, seed=seed, space="local:1", model="flux_magic stand-in") for place, seed in enumerate((1, 2))]
    for shown in sheet_output.build_table([Axis("seed", (1, 2))], local).data.values():
        assert "drawing, not FLUX" in html.unescape(shown)


@given(text=PROMPTS)
def test_the_html_has_its_tags_alone_and_prompts_and_values_as_text(text: str) -> None:
    axes = [Axis("word", (text, "x"))]
    places = [made(0, prompt=text, requested_prompt=text), Place(None, missing=text)]
    shown = sheet_output.build_table(axes, places).data["text/html"]
    read = Reader(shown)
    assert set(re.findall(r"\w+", " ".join(read.tags))) <= {
        "table", "tbody", "thead", "tr", "th", "td", "pre", "details", "summary",
    }  # fmt: skip
    assert "\n" not in shown
    attributes = {name for tag in re.findall(r"<[^>]*>", shown) for name in re.findall(r' (\w[\w-]*)="', tag)}
    assert attributes <= {"class", "style", "scope"}
    pres = [part.removeprefix("\n") for tag, part in zip(read.tags, read.texts, strict=True) if tag == "pre"]
    command = write_command(places[0].record) if places[0].record else ""
    assert {html.unescape(html.escape(one)) for one in (replace_controls(text), command)} <= set(pres) | {
        html.unescape(html.escape(text)) if text.isalnum() else ""
    }


@given(text=PROMPTS)
def test_the_markdown_has_one_row_for_each_image_whatever_the_words(text: str) -> None:
    axes = [Axis("word", (text, "x"))]
    places = [made(0, prompt=text, requested_prompt=text), made(1, prompt="x")]
    shown = sheet_output.build_table(axes, places).data["text/markdown"]
    table = shown.partition("</summary>\n\n")[2].partition("\n\n")[0].split("\n")
    assert len(table) == 4
    assert escape_markdown(text) in table[2]
    assert [len(re.split(r"(?<!\\)(?:\\\\)*\|", row)) for row in table] == [4] * 4
    fence = re.search(r"^(`{3,})text$", shown, re.MULTILINE)
    assert fence is not None
    assert all(write_command(place.record) in shown for place in places if place.record)
    assert shown.endswith(f"\n{fence[1]}\n\n</details>")


@given(text=PROMPTS)
def test_the_text_has_a_line_for_each_image_whatever_the_words(text: str) -> None:
    axes = [Axis("word", (text, "x"))]
    shown = sheet_output.build_table(axes, [made(0, prompt=text), Place(None, missing=text)]).data["text/plain"]
    images = shown.partition("\n\n")[2].split("\n")
    assert len(images) == 2
    assert all(line.startswith("word=") for line in images)
