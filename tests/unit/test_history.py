"""The store as a gallery: what it shows of whatever is there, and what is deleted."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import flux_magic
from flux_magic.cli import main
from flux_magic.errors import InvalidRequest, replace_controls
from flux_magic.images import codecs
from flux_magic.parameters.settings import Settings
from flux_magic.records import embedding
from flux_magic.records.marks import NONE, Marks
from flux_magic.records.query import Query
from flux_magic.records.store import BESIDE, Store, Stored, get_export_path, write
from flux_magic.results import history
from flux_magic.results.generation import Generation
from flux_magic.results.generations import Generations
from flux_magic.results.history import LONGEST, History
from tests.unit.samples import encoded, generation, opened

VOID = {"img", "br"}

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def settings(folder: Path) -> Settings:
    return Settings(store=str(folder))


def put(folder: Path, *data: bytes, **changes: Any) -> Stored:
    made = generation(*data, **changes)
    return Store(folder, None).put(made.record, [file.data for file in made.files])


class Page(HTMLParser):
    """What a browser sees: tags, attributes and text, and whether each tag is closed where it must be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.images: list[dict[str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = {name: value or "" for name, value in attrs}
        assert not [name for name in given if name.startswith("on")]
        if tag == "img":
            self.images.append(given)
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data


def page(shown: History) -> Page:
    text = shown._repr_html_()
    assert "\n" not in text, "within Markdown, a blank line would end the HTML"
    return Page(text)


def test_a_gallery_has_the_picture_the_prompt_the_facts_and_the_cell_of_each(folder: Path, settings: Settings) -> None:
    first = put(folder, encoded(size=(400, 200)), prompt="a hen", seed=1)
    second = put(folder, encoded("webp"), prompt="a red fox\n\nin the snow", seed=2)
    shown = history.read_history(settings)
    assert [one.seed for one in shown] == [2, 1]
    assert [one.path for one in shown] == [*second.files, *first.files]
    seen = page(shown)
    assert [image["alt"] for image in seen.images] == ["a red fox\n\nin the snow", "a hen"]
    prompts, cells = seen.texts["pre"][::2], seen.texts["pre"][1::2]
    assert prompts == ["\na red fox\n\nin the snow", "\na hen"]
    assert cells == [f"\n{one.command()}" for one in shown]
    assert cells[1] == "\n%%flux --steps 4 --seed 1 --size 256x192\na hen"
    assert seen.texts["summary"] == ["cell", "cell"]
    head, _, data = seen.images[1]["src"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert opened(base64.b64decode(data)).size == (LONGEST, LONGEST // 2), "they are small"
    assert seen.texts["span"][3:] == ["400×200,", "seed 1,", "4 steps"], "no line begins with a comma"
    assert f"<br>2026-01-01 00:00<br>{shown[1].digest[:12]}</small>" in shown._repr_html_()
    assert seen.texts["p"] == ["the store: 4 files, under 0.1 MB"]
    assert str(folder) not in shown._repr_html_()


HOSTILE = [
    "<script>alert(1)</script>",
    '" onerror="alert(1)',
    "' onload='x",
    "</pre></details></li></ul><h1>out",
    "<!-- -->",
    "]]>&lt;&amp;&#10;",
    "$x^2$ `code` *stars*",
    "\x1b[31m\x00",
]


@pytest.mark.parametrize("prompt", HOSTILE)
def test_a_hostile_prompt_is_shown_as_text(folder: Path, settings: Settings, prompt: str) -> None:
    put(folder, prompt=prompt)
    seen = page(history.read_history(settings))
    assert set(seen.tags) == {"ul", "li", "img", "pre", "small", "br", "span", "details", "summary", "p"}
    readable = replace_controls(prompt)
    assert [seen.images[0]["alt"]] == [readable]
    assert seen.texts["pre"][0] == f"\n{readable}"


def test_a_long_prompt_is_cut_between_letters_and_whole_in_the_cell(folder: Path, settings: Settings) -> None:
    prompt = "<" * 500
    put(folder, prompt=prompt)
    seen = page(history.read_history(settings))
    assert seen.texts["pre"][0] == f"\n{'<' * 299}…"
    assert prompt in seen.texts["pre"][1]
    assert seen.images[0]["alt"] == prompt


def test_what_is_not_known_is_called_so(folder: Path, settings: Settings) -> None:
    put(folder, seed=None, started="unknown")
    shown = history.read_history(settings)
    assert shown[0].seed is None
    assert shown[0].request.randomize_seed
    assert page(shown).texts["span"][1:] == ["seed unknown,", "4 steps"]
    assert "<br>date unknown<br>" in shown._repr_html_()
    assert "--seed" not in page(shown).texts["pre"][1]


def test_an_image_that_is_gone_is_said_in_its_place(folder: Path, settings: Settings) -> None:
    gone, damaged, there = put(folder, seed=1), put(folder, seed=2), put(folder, seed=3)
    gone.files[0].unlink()
    damaged.files[0].write_bytes(b"x")
    shown = history.read_history(settings)
    assert len(shown) == 3
    seen = page(shown)
    assert len(seen.images) == 1
    says = " ".join(seen.texts["p"])
    assert f"the image {gone.files[0].name} is not in the store any more" in says
    assert f"the image {damaged.files[0].name} in the store is not what was delivered" in says
    assert str(folder) not in shown._repr_html_()
    assert len(seen.texts["summary"]) == 3, "their cells make them again"
    assert there.read() == shown[0].data


def test_a_picture_that_cannot_be_decoded_is_said_in_its_place(folder: Path, settings: Settings) -> None:
    stored = put(folder)
    made = json.loads(stored.path.read_text())
    broken = encoded()[:40]
    made["files"][0]["sha256"] = embedding.compute_sha256(broken)
    stored.path.write_text(json.dumps(made))
    stored.files[0].write_bytes(broken)
    assert "damaged" in " ".join(page(history.read_history(settings)).texts["p"])


@pytest.mark.parametrize(
    ("search", "last", "found"),
    [
        pytest.param("", 20, [5, 4, 3, 2, 1], id="all"),
        pytest.param("", 2, [5, 4], id="the last two"),
        pytest.param("fox", 20, [5, 3, 1], id="a word"),
        pytest.param("FOX snow", 20, [5], id="two words"),
        pytest.param("fox", 1, [5], id="the last with a word"),
        pytest.param("zebra", 20, [], id="none"),
        pytest.param("  ", 20, [5, 4, 3, 2, 1], id="blanks"),
    ],
)
def test_the_last_and_those_with_all_words(
    folder: Path, settings: Settings, search: str, last: int, found: list[int]
) -> None:
    for seed, prompt in enumerate(["a fox", "a hen", "Fox", "a dog", "snow, a fox"], 1):
        put(folder, prompt=prompt, seed=seed)
    assert [one.seed for one in history.read_history(settings, last=last, query=Query(search))] == found


def test_it_is_a_sequence_of_generations(folder: Path, settings: Settings) -> None:
    for seed in (1, 2, 3):
        put(folder, seed=seed, prompt=f"fox\n{seed}")
    shown = history.read_history(settings)
    assert isinstance(shown[0], Generation)
    assert shown[0].replayed
    assert (shown[0].seed, shown[-1].seed, len(shown)) == (3, 1, 3)
    assert isinstance(shown[:2], Generations)
    assert [one.seed for one in shown[:2]] == [3, 2]
    with pytest.raises(IndexError):
        shown[3]
    digest = codecs.describe(encoded()).digest[:12]
    assert repr(shown).split("\n") == [
        *(f"2026-01-01 00:00  <flux 8×6 seed={seed} steps=4 sha256:{digest}> fox {seed}" for seed in (3, 2, 1)),
        "the store: 6 files, under 0.1 MB",
    ]


def test_how_it_is_embedded_and_what_is_saved_is_as_it_is_set_now(folder: Path) -> None:
    put(folder)
    [one] = history.read_history(Settings(store=str(folder), inline="jpeg", metadata=False))
    assert (one.inline, one.metadata) == ("jpeg", False)


def test_an_empty_store_says_so(settings: Settings) -> None:
    shown = history.read_history(settings)
    assert repr(shown) == "no images in the store"
    assert shown._repr_html_() == "<p>no images in the store</p>"
    assert len(shown) == 0
    assert not history.read_history(Settings(store=False))


def spoil(stored: Stored, content: bytes) -> None:
    stored.path.write_bytes(content)


def test_what_is_skipped_is_noted_the_first_five_of_it(folder: Path, settings: Settings) -> None:
    for seed in range(7):
        spoil(put(folder, seed=seed), b'{"schema": 1, "<b>": 1}')
    put(folder, seed=9)
    shown = history.read_history(settings)
    assert len(shown) == 1
    assert len(shown.notes) == 7
    assert all(re.fullmatch(r"\S+\.json is skipped: the record is not whole: .+", note) for note in shown.notes)
    told = page(shown).texts["p"]
    assert [*told] == [*shown.notes[:5], "and 2 more", "the store: 16 files, under 0.1 MB"]
    assert repr(shown).split("\n")[1:] == told


def test_notes_are_told_although_there_is_no_image(folder: Path, settings: Settings) -> None:
    spoil(put(folder), b"<b>")
    shown = history.read_history(settings)
    first, second, _ = page(shown).texts["p"]
    assert first == "no images in the store"
    assert "is skipped: the record is no JSON" in second


def test_a_record_that_no_request_can_have_made_is_skipped(folder: Path, settings: Settings) -> None:
    stored = put(folder)
    made = json.loads(stored.path.read_text())
    made["run"]["prompt"] = " "
    stored.path.write_text(json.dumps(made))
    shown = history.read_history(settings)
    assert list(shown) == []
    assert shown.notes == (f"{stored.path.name} is skipped: the prompt is empty: say in words what the image shows",)


def test_what_is_beside_the_notebook_is_shown_and_never_deleted(folder: Path, settings: Settings) -> None:
    made = generation(prompt="a shared fox")
    write(get_export_path(BESIDE, made.record), made.record, [made.data])
    assert [one.prompt for one in history.read_history(settings)] == ["a shared fox"]
    with pytest.raises(InvalidRequest, match="is in flux_images or in a shared store"):
        history.delete(settings, made.digest)
    put(folder, encoded(), prompt="a shared fox")
    assert len(history.read_history(settings)) == 1
    assert history.delete(settings, made.digest) == 1
    assert len(history.read_history(settings)) == 1


def test_all_jobs_that_made_the_same_picture_go_with_it(folder: Path, settings: Settings) -> None:
    for seed in (1, 2):
        put(folder, seed=seed)
    assert history.delete(settings, codecs.describe(encoded()).digest) == 2
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_digest_that_several_images_share_deletes_none(folder: Path, settings: Settings) -> None:
    for seed, digest in enumerate(["abcdef1" + "0" * 57, "abcdef2" + "0" * 57]):
        made = generation(seed=seed)
        files = (replace(made.record.files[0], digest=digest),)
        Store(folder, None).put(replace(made.record, files=files), [made.data])
    with pytest.raises(InvalidRequest, match=r"^2 images .*: give more digits of abcdef1000000000, abcdef2000000000$"):
        history.delete(settings, "abcdef")
    assert len(history.read_history(settings)) == 2
    assert history.delete(settings, "abcdef2") == 1


@pytest.mark.parametrize(
    ("digest", "says"),
    [
        pytest.param("123456", "no image in the store has the digest 123456", id="of no image"),
        pytest.param("a" * 500, "is no digest", id="a long one"),
    ],
)
def test_what_cannot_be_deleted_is_a_mistake(settings: Settings, digest: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        history.delete(settings, digest)
    assert len(caught.value.message) < 250


def test_an_image_of_a_shared_store_is_not_said_to_be_missing(tmp_path: Path) -> None:
    made = generation()
    stored = Store(tmp_path / "class", None).put(made.record, [file.data for file in made.files])
    with pytest.raises(InvalidRequest, match="is in flux_images or in a shared store, where nothing is deleted"):
        history.delete(Settings(store=tmp_path / "own", shared_store=tmp_path / "class"), made.digest[:12])
    assert stored.path.exists()


def test_a_condition_searches_the_store_and_without_one_the_process_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(folder))
    for seed, prompt in enumerate(["a fox", "a hen", "Füchse, a fox"], 1):
        put(folder, prompt=prompt, seed=seed, started=f"2026-01-0{seed}T00:00:00+00:00", parameters={"guidance": seed})
    client = flux_magic.Client()
    assert not client.history()
    found = {
        "search": client.history(search="FOX"),
        "all": client.history(search=""),
        "last": client.history(1, search=""),
        "seed": client.history(seed=2),
        "named": client.history(search="Seed:2 size:8x6 steps:4 model:flux before:2026-01-03 h"),
        "size": client.history(size="8x6", search="hen"),
        "guidance": client.history(guidance=2),
        "days": client.history(after=date(2026, 1, 2), before="2026-01-03"),
        "starred": client.history(starred=True),
        "tags": client.history(tags="x"),
        "own store": flux_magic.Client(store=False).history(search=""),
    }
    assert {name: [one.seed for one in shown] for name, shown in found.items()} == {
        "search": [3, 1],
        "all": [3, 2, 1],
        "last": [3],
        "seed": [2],
        "named": [2],
        "size": [2],
        "guidance": [2],
        "days": [2],
        "starred": [],
        "tags": [],
        "own store": [],
    }
    assert repr(found["starred"]).startswith("no image in the store with a star\n")
    assert list(found["search"].to_pandas()["seed"]) == [3, 1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"serach": "x"},
            "no image in the store has a parameter serach: did you mean search? Give search, model, seed",
        ),
        ({"tag": "x"}, "no image in the store has a parameter tag: did you mean tags? Give search, model, seed, width"),
        ({"nosuch": 3}, "no image in the store has a parameter nosuch: give search, model, seed, width, height, steps"),
        ({"search": "seed:x"}, "seed is 'x': give a whole number"),
        ({"search": "fox size:512"}, "size is '512': "),
        ({"search": "after:never"}, "after is 'never': give a day such as 2026-11-26"),
        ({"search": "\0"}, "which no prompt can have: leave it out"),
        ({"model": "\u0301"}, "which no prompt can have: leave it out"),
        ({"seed": "fox"}, "seed is 'fox': give a whole number"),
        ({"seed": True}, "seed is True: give a whole number"),
        ({"after": "yesterday"}, "after is 'yesterday': give a day such as 2026-11-26"),
        ({"after": 5}, "after is 5: give a string"),
        ({"tags": ["two words"]}, "'two words' is no tag"),
        ({"size": "8x6", "width": 8}, "size and width set the same thing twice"),
        ({"parameters": 3}, "parameters is 3: give values by name"),
        ({"starred": "yes"}, "starred is 'yes': give True or False"),
        ({"starred": 2}, "starred is 2: give True or False"),
        ({"search": " ".join(map(str, range(999)))}, "the search has 999 words and 3,885 characters: give at most 500"),
        ({"scheduler": "x" * 20_001}, "the search has 1 words and 20,001 characters: give at most 500 and 20,000"),
    ],
)
def test_a_condition_that_cannot_be_is_one_clear_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], says: str
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(folder))
    put(folder)
    with pytest.raises(InvalidRequest, match=re.escape(says)):
        flux_magic.history(**given)


def test_a_line_and_the_command_take_the_same_conditions(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(folder))
    put(folder, prompt="a fox", seed=1, parameters={"shift": 4.0})
    put(folder, prompt="a hen", seed=2)
    for line, count in {
        "fox --seed 1": 1,
        "--set shift=4": 1,
        "--size 8x6 --after 2026-01-01 --before 2026-01-02": 2,
        "--tag x --tag y --starred": 0,
        "--model flux --steps 4": 2,
        "a --last 1": 1,
        "seed:2": 1,
        "http://x:1": 0,
    }.items():
        assert main(["history", *line.split()]) == 0
        assert capsys.readouterr().out.count("<flux ") == count, line
    for wrong in ("--set shift=4,5", "--delete 123456 fox", "--seed x", "--delete 12"):
        assert main(["history", *wrong.split()]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("store", "line", "says"),
    [
        ("store", "history", "the store {}/store: 2 files, "),
        ("nosuch", "history", "no images in the store {}/nosuch\n"),
        ("nosuch", "history fox", "no image in the store {}/nosuch with 'fox'\n"),
        ("off", "history", "no images: the store is turned off\n"),
        ("off", "history fox", "no image in the store, which is turned off, with 'fox'\n"),
        ("store", "history --delete 123456", "digest 123456: flux-magic history lists the images\n"),
    ],
)
def test_the_command_says_which_store_it_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    store: str,
    line: str,
    says: str,
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", store if store == "off" else str(tmp_path / store))
    put(tmp_path / "store")
    main(line.split())
    assert says.format(tmp_path) in "".join(capsys.readouterr())


def test_a_line_a_command_and_a_call_mark_an_image_which_is_found_by_that(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(folder))
    stored = [put(folder, encoded(colour=seed), prompt=f"a fox {seed}", seed=seed) for seed in (1, 2)]
    before = [one.path.read_bytes() for one in stored]
    [two] = flux_magic.history(search="fox", seed=2)
    one = stored[0].record.files[0].digest

    def run(line: str) -> str:
        code = main(["history", *line.split()])
        told = capsys.readouterr()
        assert code == (2 if told.err else 0)
        return told.err or told.out

    assert run(f"--mark {one[:8]} --mark {two.digest} --starred --tag Best") == "".join(
        f"{digest[:12]} a fox {seed}: a star, #best\n" for digest, seed in ((one, 1), (two.digest, 2))
    )
    assert two.mark("#winter", starred=False) == two.marks == Marks(tags=("best", "winter"))
    frame = flux_magic.history(tags="best").to_pandas()
    assert frame[["seed", "starred", "tags"]].values.tolist() == [[2, False, "best winter"], [1, True, "best"]]
    assert run(f"--unmark {two.digest} --tag best") == f"{two.digest[:12]} a fox 2: #winter\n"
    assert run(f"--unmark {one} --starred") == f"{one[:12]} a fox 1: #best\n"
    assert (two.unmark("winter"), two.mark(starred=True), two.unmark(starred=True)) == (NONE, Marks(starred=True), NONE)
    assert run(f"--unmark {one}").endswith(": no star, no tags\n")
    for wrong, why in {
        f"--mark {one}": "--mark sets --starred, --tag or both: flux-magic history --mark",
        f"--mark {one} --starred fox": "--mark takes --starred and --tag, and no words",
        f"--mark {one} --unmark {one}": "--mark takes --starred and --tag",
        f"--mark {one} --tag a/b": "'a/b' is no tag",
        "--mark 123456 --starred": "no image in the store has the digest 123456",
        "--mark fox --starred": "'fox' is no digest",
    }.items():
        assert why in (told := run(wrong))
        assert told.count("\n") == 1
    with pytest.raises(InvalidRequest, match="is in no store"):
        generation().mark("best")
    assert [one.path.read_bytes() for one in stored] == before
    assert not [*folder.rglob("*.marks.json")]


def test_an_image_of_a_clients_own_store_has_its_marks_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_MAGIC_STORE", str(tmp_path / "usual"))
    put(tmp_path / "own", seed=3)
    client = flux_magic.Client(store=str(tmp_path / "own"))
    [fox] = client.history(search="")
    fox.mark("best")
    assert [one.seed for one in client.history(tags="best")] == [3]
    assert not (tmp_path / "usual").exists()
