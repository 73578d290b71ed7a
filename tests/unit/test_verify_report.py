"""What a check tells: the table, JSON, the page, the command's exit codes."""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from flux_magic import verify
from flux_magic.capsules.check import Checked
from flux_magic.capsules.manifest import Manifest
from flux_magic.capsules.report import Reproduction
from flux_magic.errors import Stopped
from flux_magic.records.signing import Credentials, Ingredient
from flux_magic.types import fit_one_line
from flux_magic.verify import Grade, Outcome, Report, Status, Verdict, add_arguments, live, main, report_html
from flux_magic.verify.verdict import describe_credentials
from tests.unit.samples import encoded, generation, python, record
from tests.unit.scripted import ADDRESS, Scripted, installed
from tests.unit.test_verify import cell, edited, one_pixel_changed, shown, written

OWN = "https://scripted.example"
HOSTILE = "<script>alert('fox')</script> \"quoted\" & \x1b[31m\u202e\n| `more`"


def verdict(status: Status = Status.PASS, static: Outcome = Outcome.INTACT, **more: Any) -> Verdict:
    known: dict[str, Any] = {"label": "fox.ipynb, cell 1", "why": "", "record": record(), **more}
    return Verdict(status=status, static=static, **known)


def graded(grade: Grade, distance: float = 0.0, status: Status = Status.PASS, **more: Any) -> Verdict:
    return verdict(status, grade=grade, distance=distance, **more)


EVERY = (
    graded(Grade.SAME_BYTES),
    graded(Grade.SAME_PIXELS, label="fox.ipynb, cell 2", why="re-encoded since, the same pixels"),
    graded(Grade.SAME_TO_THE_EYE, 0.0123, label="pictures/a fox in the mist.png"),
    graded(Grade.DIFFERENT, 1.25, Status.FAIL, why="the local Space's drawing was 1, is 2"),
    graded(Grade.SAME_TO_THE_EYE, 0.001, Status.FAIL, static=Outcome.ALTERED, why="altered since it was made"),
    graded(Grade.DIFFERENT, 1.0, Status.FAIL, static=Outcome.EDITED, why="the record was edited"),
    verdict(Status.UNCHECKED, Outcome.UNTOLD, why="its record has no seed", record=replace(record(), seed=None)),
    verdict(Status.UNCHECKED, Outcome.UNTOLD, why="the file holds no record of it", record=None),
)


EVERY_COUNTED = (
    "3 of 8 pass: 1 same bytes, 1 same pixels, 1 same to the eye; "
    "1 different, 1 altered, 1 record edited, 2 cannot be checked; 1 with a problem"
)


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLUX_MAGIC_SPACE", raising=False)


def test_the_table_names_each_picture_its_figure_its_prompt_and_below_it_the_reasons() -> None:
    report = Report(EVERY, 2, ("a.png: broken",), live=True)
    assert str(report) == repr(report), "a notebook shows it as text"
    assert str(report).splitlines() == [
        "same bytes                fox.ipynb, cell 1               seed 42: a red fox",
        "same pixels               fox.ipynb, cell 2               seed 42: a red fox",
        "                   re-encoded since, the same pixels",
        "same to the eye    0.012  pictures/a fox in the mist.png  seed 42: a red fox",
        "different          1.250  fox.ipynb, cell 1               seed 42: a red fox",
        "                   the local Space's drawing was 1, is 2",
        "altered            0.001  fox.ipynb, cell 1               seed 42: a red fox",
        "                   altered since it was made",
        "record edited      1.000  fox.ipynb, cell 1               seed 42: a red fox",
        "                   the record was edited",
        "cannot be checked         fox.ipynb, cell 1               a red fox",
        "                   its record has no seed",
        "cannot be checked         fox.ipynb, cell 1",
        "                   the file holds no record of it",
        "",
        "a.png: broken",
        "2 other images are not from flux_magic",
        EVERY_COUNTED,
    ]


def test_a_capsules_report_has_a_line_for_each_image_and_says_once_who_signed_them() -> None:
    def signed(at: int, state: str = "intact", part: str = "intact") -> Verdict:
        fox = Ingredient("fox.png", "inputTo", part, "Ada")
        known = Credentials(state, "Ada", trusted=True, signed=f"2026-01-0{at}", ingredients=(fox,))
        why = "; ".join(["re-encoded", *describe_credentials(known)])
        return verdict(label=f"a{at}.png", why=why, credentials=known)

    images = Report((signed(1), signed(2), signed(3, part="altered"), signed(4, "altered"), verdict()))
    report = Reproduction("x.zip", Manifest("", "", "", {}), Checked(5, (), images), not_run="--static")
    lines = str(report).splitlines()
    assert [line.strip() for line in lines if "seed 42" not in line and "a3" not in line][:2] == ["re-encoded"] * 2
    assert "2 images signed by Ada, unchanged since; you trust its certificate" in lines
    assert str(report).count("ingredient: fox.png") == 2, "what is not in order is said in full"
    assert report.format_html().count("ingredient: fox.png") == 4


def test_a_line_has_room_for_a_long_prompt_to_be_cut_and_for_nothing_that_steers_a_terminal() -> None:
    long = verdict(record=record(prompt=HOSTILE * 5), label="a\nb\x1b[0m.png", why="word " * 60)
    head, *reasons, _, last = str(Report((long,))).splitlines()
    assert len(head) == 100
    assert head.endswith("...")
    assert all(len(line) <= 100 for line in reasons)
    assert last == "1 of 1 pass: 1 intact"
    assert all(letter.isprintable() for letter in "".join(str(Report((long,))).splitlines()))


@pytest.mark.parametrize(
    ("report", "code"),
    [
        pytest.param(Report((verdict(), verdict())), 0, id="all pass"),
        pytest.param(Report((verdict(),), others=3), 0, id="pictures of others"),
        pytest.param(Report(()), 1, id="nothing found"),
        pytest.param(Report((verdict(), verdict(Status.FAIL, Outcome.ALTERED))), 1, id="one fails"),
        pytest.param(Report((verdict(), verdict(Status.UNCHECKED, Outcome.UNTOLD))), 1, id="one cannot be checked"),
        pytest.param(Report((verdict(),), problems=("a.png: broken",)), 1, id="one cannot be read"),
    ],
)
def test_the_exit_code_is_0_where_there_is_something_and_all_of_it_passes(report: Report, code: int) -> None:
    assert (report.exit_code, report.passed) == (code, code == 0)


def validated(value: dict[str, Any]) -> dict[str, Any]:
    schema = json.loads(Path(str(verify.__file__)).with_name("report-1.json").read_text())
    fastjsonschema.compile(schema)(value)
    return value


def test_as_json_it_keeps_to_its_schema_and_tells_all() -> None:
    report = Report(EVERY, 2, ("a.png: broken",), live=True)
    told = validated(json.loads(report.format_json()))
    assert told == report.as_dict()
    assert (told["live"], told["passed"], told["others"], told["problems"]) == (True, False, 2, ["a.png: broken"])
    assert told["counts"]["cannot be checked"] == 2
    image = told["images"][3]
    assert image["record"] == record().as_dict()
    del image["record"]
    assert image == {
        "label": "fox.ipynb, cell 1",
        "status": "fail",
        "called": "different",
        "static": "intact",
        "grade": "different",
        "distance": 1.25,
        "why": "the local Space's drawing was 1, is 2",
    }
    validated(Report(()).as_dict())


class Page(HTMLParser):
    """A page's elements: each tag with its attributes; `text` is all that is to be read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def pictured(**more: Any) -> Verdict:
    return graded(Grade.DIFFERENT, 1.0, Status.FAIL, embedded=encoded(), remade=encoded("jpeg"), **more)


def test_the_page_shows_the_pairs_side_by_side_and_loads_nothing() -> None:
    page = Page(report_html(Report((pictured(), graded(Grade.SAME_BYTES, embedded=encoded())), live=True)))
    first, second, third = page.all("img")
    assert str(first["src"]).startswith("data:image/png;base64,")
    assert str(second["src"]).startswith("data:image/jpeg;base64,")
    assert str(third["src"]).startswith("data:image/jpeg;base64,"), "where nothing is to be seen it is a thumbnail"
    assert (first["alt"], second["alt"]) == ("as it is here: a red fox", "regenerated: a red fox")
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) == 1
    assert [header["scope"] for header in page.all("th")] == ["col"] * 6 + ["row"] * 2
    assert "color-scheme: light dark" in page.text
    assert not {"script", "link", "iframe", "object", "form", "a"} & {tag for tag, _ in page.tags}
    assert page.all("meta")[2]["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "1 of 2 pass: 1 same bytes; 1 different" in page.text


def test_everything_in_the_page_is_escaped() -> None:
    hostile = replace(pictured(record=record(prompt=HOSTILE, model=HOSTILE)), label=HOSTILE, why=HOSTILE)
    report = Report((hostile, verdict(record=None, label=HOSTILE)), problems=(HOSTILE,), live=True)
    for page in (report_html(report), report._repr_html_()):
        read = Page(page)
        assert "script" not in {tag for tag, _ in read.tags}
        assert "<script" not in page
        assert "\x1b" not in page
        for image in read.all("img"):
            assert set(image) == {"src", "alt"}


def test_a_static_report_has_one_picture_a_row() -> None:
    page = Page(re.sub("(?s)<style>.*</style>", "", report_html(Report((verdict(embedded=encoded()),)))))
    assert len(page.all("img")) == 1
    assert "regenerated" not in page.text
    assert "1 of 1 pass: 1 intact" in page.text


@pytest.mark.parametrize("data", [b"nothing", encoded()[:-30], b"<svg/>"], ids=["nothing", "cut", "SVG"])
def test_a_picture_that_cannot_be_read_is_said_so_on_the_page(data: bytes) -> None:
    for status in (Status.PASS, Status.FAIL):
        page = Page(report_html(Report((verdict(status, Outcome.INTACT, embedded=data),))))
        said = "an image that cannot be read" in page.text
        assert said or page.all("img")
    assert "an image that cannot be read" in report_html(Report((verdict(embedded=data),)))


def test_in_a_notebook_it_is_a_part_of_a_page_with_small_pictures() -> None:
    shown_there = Report((pictured(),), 1, live=True)._repr_html_()
    page = Page(shown_there)
    assert not {"html", "body", "style", "title"} & {tag for tag, _ in page.tags}
    assert {str(image["src"])[:22] for image in page.all("img")} == {"data:image/jpeg;base64"}
    assert "1 other image is not from flux_magic" in page.text
    assert "no image from flux_magic found" in Report(())._repr_html_()


def test_words_of_others_are_on_one_line_without_secrets() -> None:
    assert (
        fit_one_line("a\n b\x1b[0m\u202e https://me:word@x.example hf_abc123")
        == "a b\ufffd[0m\ufffd https://***@x.example ***"
    )
    assert fit_one_line("abcdefghij", 8) == "abcde..."


# The command


def command(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="flux-magic verify")
    add_arguments(parser)
    return main(parser.parse_args(arguments))


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    return installed(monkeypatch)


@pytest.fixture
def fox(tmp_path: Path) -> Path:
    """Return a notebook with one image."""
    return written(tmp_path / "fox.ipynb", cell(*shown(generation(space=OWN, model="scripted-1"))))


@pytest.mark.usefixtures("fox", "provider")
def test_the_command_prints_the_table_and_returns_0_where_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("fox.ipynb") == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "1 of 1 pass: 1 same bytes"
    assert told.err == ""
    assert command("fox.ipynb", "--static") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 pass: 1 intact"


def test_the_command_returns_1_for_whatever_does_not_pass(
    fox: Path, provider: type[Scripted], capsys: pytest.CaptureFixture[str]
) -> None:
    provider.pictures = {ADDRESS: encoded(colour=255)}
    assert command("fox.ipynb") == 1
    assert command(str(fox), "nowhere.png", "--static") == 1
    assert "nowhere.png: there is no such file or folder" in capsys.readouterr().out
    (image,) = generation().save("fox.png")
    image.write_bytes(one_pixel_changed(image.read_bytes()))
    assert command("fox.png", "--static") == 1
    image.write_bytes(edited(seed=None)(image.read_bytes()))
    assert command("fox.png") == 1
    assert command("fox.png", "--static") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(["fox.ipynb", "--static", "--space", "local"], "--static asks no Space", id="a Space for nothing"),
        pytest.param(["fox.ipynb", "--space", "nowhere"], "'nowhere' is no Space", id="no Space"),
        pytest.param(["fox.ipynb", "--concurrency", "17"], "concurrency is 17: give a whole", id="too many at once"),
        pytest.param(["fox.ipynb", "--html", "no/where.html"], "cannot write no/where.html", id="no folder"),
        pytest.param(["fox.ipynb", "--json", "."], "cannot write .: give a file", id="a folder"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    fox: Path, provider: type[Scripted], capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert fox.exists()
    assert command(*arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"flux-magic: {line}")
    assert len(told.err.splitlines()) == 1
    assert provider.made == []


@pytest.mark.parametrize("arguments", [[], ["fox.ipynb", "--concurrency", "many"], ["fox.ipynb", "--colour"]])
def test_what_the_parser_refuses_is_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command(*arguments)
    assert caught.value.code == 2
    assert "usage: flux-magic verify" in capsys.readouterr().err


@pytest.mark.usefixtures("fox")
def test_offline_the_command_says_what_can_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_REPLAY", "only")
    assert command("fox.ipynb") == 2
    assert capsys.readouterr().err == (
        "flux-magic: no Space is asked with FLUX_MAGIC_REPLAY=only: add --static to compare with the records\n"
    )
    assert command("fox.ipynb", "--static") == 0


@pytest.mark.usefixtures("fox", "provider")
def test_page_and_json_are_written_whole_and_replace_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.html").write_text("old" * 10_000)
    assert command("fox.ipynb", "--html", "report.html", "--json", "report.json") == 0
    assert len(Page((tmp_path / "report.html").read_text("utf-8")).all("img")) == 2
    told = validated(json.loads((tmp_path / "report.json").read_text()))
    assert told["images"][0]["label"] == "fox.ipynb, cell 1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fox.ipynb", "report.html", "report.json"]
    assert "1 of 1 pass" in capsys.readouterr().out
    assert str(tmp_path) not in json.dumps(told)
    assert str(tmp_path) not in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("fox")
def test_json_on_standard_output_is_there_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("fox.ipynb", "--static", "--json", "-") == 0
    assert validated(json.loads(capsys.readouterr().out))["passed"] is True


@pytest.mark.usefixtures("fox")
def test_a_file_that_cannot_be_written_is_told_after_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from flux_magic.verify import command as module

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_whole", full)
    assert command("fox.ipynb", "--static", "--json", "report.json") == 1
    told = capsys.readouterr()
    assert "1 of 1 pass" in told.out
    assert told.err == "flux-magic: cannot write the results: No space left on device\n"


class Watched(io.StringIO):
    """A stderr that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("provider")
def test_progress_is_one_line_that_is_gone_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [generation(space=OWN, model="scripted-1", seed=seed) for seed in range(2)]
    written(tmp_path / "fox.ipynb", *(cell(*shown(one)) for one in made))
    screen = Watched()
    monkeypatch.setattr(sys, "stderr", screen)
    assert command("fox.ipynb", "--concurrency", "1") == 0
    *drawn, left = screen.getvalue().split("\r")
    assert any("2 of 2 regenerated  fox.ipynb, cell 2" in line for line in drawn)
    assert left == ""
    assert not drawn[-1].strip()
    assert "\n" not in screen.getvalue()


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        pytest.param(KeyboardInterrupt(), 130, "stopped", id="Ctrl-C"),
        pytest.param(Stopped("stopped by cancel_all()"), 1, "stopped by cancel_all()", id="stopped"),
    ],
)
def test_an_end_from_outside_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:

    async def ended(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(live, "check", ended)
    assert command("fox.ipynb") == code
    assert capsys.readouterr().err == f"flux-magic: {line}\n"


def test_the_options_are_known_without_a_client_and_wrong_names_are_none() -> None:
    code = """
import argparse, sys
from flux_magic.verify import add_arguments
add_arguments(argparse.ArgumentParser())
print(sorted({"aiohttp", "PIL", "numpy", "skimage"} & set(sys.modules)))
"""
    assert python(code) == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = verify.colour
    assert all(getattr(verify, name) is not None for name in verify.__all__)
