"""Sweeps in a real kernel: what `%%flux` makes of several values, and what the notebook gets of it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from flux_magic.errors import describe_made
from flux_magic.images import codecs
from tests.support.hostile import COMPLETED, answer_stream, format_finished, run_hostile_beside
from tests.support.kernel import Cell, Kernel, run_kernel

SMALL = "--size 256x256 --quiet"
QUOTA = "You have exceeded your free ZeroGPU quota (60s requested vs. 0s left). Try again in 1:02:03."
SHEET = re.compile(r"<flux sheet (?P<axes>\S+) (?P<shape>\S+), (?P<count>.*) images sha256:(?P<digest>[0-9a-f]{12})>")


def sheet_of(cell: Cell) -> re.Match[str]:
    """Return the one sheet among a cell's outputs, by its line of text."""
    (line,) = [text for text in cell.get_shown("text/plain") if text.startswith("<flux sheet")]
    match = SHEET.fullmatch(line)
    assert match is not None, line
    return match


def told(kernel: Kernel, expression: str) -> Any:
    """Return what an expression is in the kernel, as JSON."""
    return json.loads(kernel.run_ok(f"import json\nprint(json.dumps({expression}))").stdout)


def test_several_values_give_one_sheet_and_a_table_that_is_folded(kernel: Kernel) -> None:
    cell = kernel.run_ok(f"%%flux --steps 1,2 --seed 1..3 {SMALL}\na red fox")
    sheet, table = cell.outputs
    assert cell.stdout == "6 images: 2 steps × 3 seeds\n"
    assert set(sheet["data"]) == {"image/jpeg", "text/plain"}
    assert sheet_of(cell)["axes"] == "steps×seed"
    assert sheet_of(cell)["shape"] == "2×3"
    assert sheet_of(cell)["count"] == "6"
    image = codecs.decode(base64.b64decode(sheet["data"]["image/jpeg"]))
    assert image.width > image.height > 300
    assert '<details class="flux-sheet-table">' in table["data"]["text/html"]
    assert table["data"]["text/html"].count("%%flux") == 6
    assert len(sheet["metadata"]["flux_magic"]["sheet"]) == 6
    assert cell.updates == []


def test_the_same_sweep_gives_the_same_text_again(kernel: Kernel) -> None:
    line = f"%flux --steps 1,2 --seed 8,9 {SMALL} a hen"
    first, second = kernel.run_ok(line), kernel.run_ok(line.replace("--quiet", "--quiet --fresh"))
    assert [one["data"]["text/plain"] for one in first.outputs] == [one["data"]["text/plain"] for one in second.outputs]


def test_the_value_is_indexed_by_position_and_by_axis(kernel: Kernel) -> None:
    kernel.run_ok(f"%flux --steps 1,2 --seed 1..3 --output foxes {SMALL} a red fox")
    assert told(kernel, "[len(foxes), foxes[4].seed, foxes[4].steps]") == [6, 2, 2]
    assert told(kernel, "foxes.sel(steps=2, seed=2) is foxes[4]") is True
    assert told(kernel, "[one.seed for one in foxes[{'steps': 1}]]") == [1, 2, 3]
    assert told(kernel, "foxes.to_pandas()[['steps', 'seed']].values.tolist()")[3] == [2, 1]
    assert told(kernel, "foxes.grid().size")[0] > 500


def test_each_image_is_in_the_store_at_full_size_and_can_be_saved(kernel: Kernel) -> None:
    cell = kernel.run_ok(f"%flux --seed 1..3 --output foxes --save foxes/ {SMALL} a red fox")
    assert cell.stdout.splitlines() == ["3 images: 3 seeds", "saved 3 images in foxes/"]
    assert told(kernel, "[one.path.exists() and one.images[0].size for one in foxes]") == [[256, 256]] * 3
    assert len(told(kernel, "__import__('os').listdir('foxes')")) == 3


def test_alternatives_and_lists_are_axes_with_the_option_sweep(kernel: Kernel) -> None:
    kernel.run_ok("places, colour = ['snow', 'sand'], 'grey'")
    cell = kernel.run_ok(f"%%flux --sweep --seed 4 --output foxes {SMALL}\na {{red|{{colour}}}} fox in {{places}}")
    assert cell.stdout == "4 images: 2 words × 2 {places}\n"
    assert told(kernel, "[one.prompt for one in foxes]") == [
        "a red fox in snow",
        "a red fox in sand",
        "a grey fox in snow",
        "a grey fox in sand",
    ]
    assert told(kernel, "foxes.sel(word='grey', places='sand').prompt") == "a grey fox in sand"
    assert told(kernel, "{one.seed for one in foxes} == {4}") is True


def test_without_the_option_they_are_text_and_a_note_tells_so(kernel: Kernel) -> None:
    kernel.run_ok("places = ['snow', 'sand']")
    cell = kernel.run_ok(f"%flux --seed 4 {SMALL} a {{red|blue}} fox in {{places}}")
    assert cell.notes == [
        "note: {red|blue} sent as a whole: --sweep makes an image of each",
        "note: {places} sent as a whole: --sweep makes an image of each",
    ]
    assert kernel.run_ok("print(_.prompt)").stdout == "a {red|blue} fox in ['snow', 'sand']\n"


def test_a_random_seed_is_the_same_for_the_whole_sweep(kernel: Kernel) -> None:
    kernel.run_ok(f"%flux --steps 1..3 --output foxes {SMALL} a fox")
    assert told(kernel, "len({one.seed for one in foxes})") == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--seed 1..17 a fox", "17 images are more than 16 in one cell: add --yes if you mean it"),
        ("--seed 1..9 --steps 1,2 a fox", "18 images are more than 16 in one cell"),
        ("--seed 1..10000 --steps 1,2 --yes a fox", "20000 images are more than 10000 in one go"),
        ("--sweep a fox", "--sweep finds nothing to vary"),
        ("--sweep --raw {a|b}", "--raw takes what is in braces as typed, and --sweep varies it"),
        ("--seed 1,2 -n 2 a fox", "a count (-n) and several seeds set the same thing twice"),
        ("--size 64x64,72x72 --width 64 a fox", "set the same thing twice"),
        ("--seed 1,2 --save fox.png a fox", "cannot save 2 images as the one file fox.png: give a folder"),
        ("--sweep a {nothing}", "--sweep finds nothing to vary: there is no {nothing} in this notebook"),
        ("--sweep a {pair}", "--sweep finds nothing to vary: {pair} is a set, which is not varied: give a list"),
        ("--seed 1,2 --space 'no space' a fox", "'no space' is no Space: give a Hugging Face id"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_sent(kernel: Kernel, line: str, words: str) -> None:
    kernel.run_ok("pair = {1, 2}")
    cell = kernel.run(f"%flux {line}")
    assert cell.status == "error"
    assert words in cell.error
    assert "\n" not in cell.error
    assert cell.outputs == []


def test_a_dry_run_tells_every_request(kernel: Kernel) -> None:
    cell = kernel.run_ok("%flux --dry-run --seed 1..9 --steps 3,4 a fox")
    assert cell.stdout.splitlines()[1] == "18 images: 9 seeds × 2 steps"
    assert cell.stdout.count('"steps": 3') == 9


def test_one_image_that_fails_is_marked_and_the_cell_fails_at_the_end(kernel: Kernel) -> None:
    cell = kernel.run(f"%flux --steps 2,60 --seed 1,2 --output foxes {SMALL} a red fox")
    assert cell.status == "error"
    assert cell.error.startswith("Incomplete: 2 of 4 images failed; each: steps is 60: this Space takes 1 to 50")
    assert cell.traceback.count("\n") <= 2
    assert sheet_of(cell)["count"] == "2 of 4"
    assert "failed: steps is 60: this Space takes 1 to 50" in cell.outputs[1]["data"]["text/plain"]
    assert told(kernel, "[[one.steps, one.seed] for one in foxes]") == [[2, 1], [2, 2]]


def test_a_sheet_is_shown_whatever_becomes_of_saving_it(kernel: Kernel) -> None:
    line = f"%flux --seed 1..3 --output foxes --save kept/ {SMALL} a red fox"
    kernel.run_ok(line)
    kernel.run_ok("import glob\nwith open(glob.glob('kept/a-red-fox-2-*')[0], 'wb') as file: file.write(b'mine')")
    cell = kernel.run(line)
    assert cell.error.startswith("SaveError: kept/a-red-fox-2-")
    assert sheet_of(cell)["count"] == "3"
    assert told(kernel, "len(foxes)") == 3
    cell = kernel.run(line.replace("--seed 1..3", "--seed 1..3 --steps 2,60"))
    assert cell.error.startswith("Incomplete: ")
    assert cell.notes[0].startswith("note: kept/a-red-fox-2-")
    assert sheet_of(cell)["count"] == "3 of 6"


def test_where_all_images_fail_the_name_has_none(kernel: Kernel) -> None:
    kernel.run_ok(f"%flux --seed 1..2 --output foxes {SMALL} a red fox")
    cell = kernel.run(f"%flux --steps 60,61 --seed 1 --output foxes {SMALL} a red fox")
    assert cell.error.startswith("Incomplete: 2 of 2 images failed; the first: steps is 60")
    assert "The others" not in cell.error
    assert told(kernel, "len(foxes)") == 0


def test_no_quota_stops_the_rest_at_once() -> None:
    refused = answer_stream(format_finished({"error": QUOTA, "title": "ZeroGPU quota exceeded"}, success=False))

    with (
        run_hostile_beside(queue=[answer_stream(COMPLETED), answer_stream(COMPLETED), refused]) as server,
        run_kernel(FLUX_MAGIC_SPACE=server.address) as fresh,
    ):
        fresh.run_ok("%load_ext flux_magic")
        cell = fresh.run(f"%flux --seed 1..16 --concurrency 1 --output foxes {SMALL} a fox")
    assert cell.error.startswith("QuotaExceeded: ")
    assert server.seen.count("post") == 3
    assert sheet_of(cell)["count"] == "2 of 16"
    assert cell.notes == ["note: 2 of 16 images were made"]


def test_where_nothing_is_made_there_is_no_empty_sheet(kernel: Kernel) -> None:
    cell = kernel.run(f"%flux --seed 1,2 --space http://127.0.0.1:9 {SMALL} a fox")
    assert cell.error.startswith("ConnectionFailed: no connection to 127.0.0.1:9")
    assert cell.notes == ["note: 0 of 2 images were made"]
    assert cell.outputs == []


def test_an_interrupt_keeps_what_is_finished_and_the_cell_run_again_makes_the_rest(
    slow_space: str, tmp_path: Path
) -> None:
    line = f"%flux --seed 1..12 --steps 1 --output foxes --space {slow_space} --size 256x256 a fox"
    with run_kernel(tmp_path, FLUX_MAGIC_REPLAY="auto", FLUX_MAGIC_STORE=str(tmp_path / "store")) as fresh:
        fresh.run_ok("%load_ext flux_magic")
        fresh.run_ok(f"%flux --seed 99 --steps 1 --space {slow_space} --size 256x256 a fox")
        cell = fresh.run_interrupted(line, when=lambda cell: re.search("[1-5] of 12 images", str(cell.updates)))
        assert cell.status == "error"
        assert cell.error.startswith("KeyboardInterrupt")
        made = told(fresh, "[one.seed for one in foxes]")
        assert 1 <= len(made) < 12
        told_so = f"note: {describe_made(len(made), 12)}; run it again, to request only what is missing"
        assert cell.notes == [told_so]
        assert "not made" in cell.outputs[-1]["data"]["text/plain"]
        assert sheet_of(cell)["count"] == f"{len(made)} of 12"
        again = fresh.run_ok(line)
        assert sheet_of(again)["count"] == "12"
        assert told(fresh, "[one.seed for one in foxes if one.replayed]") == made


def test_the_sheet_fills_in_while_images_arrive_and_nothing_of_that_stays(slow_space: str, tmp_path: Path) -> None:
    with run_kernel(tmp_path) as fresh:
        fresh.run_ok("%load_ext flux_magic")
        cell = fresh.run_ok(f"%flux --seed 1..4 --steps 2 --space {slow_space} --size 256x256 a fox")
    sheets = [one["metadata"]["image/jpeg"]["alt"] for one in cell.updates if "image/jpeg" in one["data"]]
    assert sheets, "how many there are is a matter of time: drawing takes a tenth of it"
    assert all(re.fullmatch(r"\d of 4 images", alt) for alt in sheets)
    texts = [one["data"].get("text/plain", "") for one in cell.updates]
    assert any(re.fullmatch(r"\d of 4 images; seed \d: step \d of 2", text) for text in texts), texts
    slots = {one["transient"]["display_id"]: one["data"] for one in (*cell.outputs, *cell.updates) if one["transient"]}
    assert list(slots.values()) == [{}, {}]
    assert [one["data"] for one in cell.outputs if one["transient"]] == [{}, {}]
