"""The blocking calls for several images: `flux_magic.client.many`, and what a tally makes of them."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flux_magic
from flux_magic.client import blocking, client, many, progress
from flux_magic.client.batch import Tally
from flux_magic.errors import Incomplete, InvalidRequest, QuotaExceeded, SpaceError, StoreError
from flux_magic.parameters import settings
from flux_magic.parameters.settings import Settings
from flux_magic.results.generation import Generation, ImageFile
from flux_magic.results.generations import Generations
from flux_magic.sweeps.requests import build_sweep
from flux_magic.sweeps.template import read_template
from flux_magic.types import ImageRequest, Running
from tests.support.limits import PATIENCE
from tests.unit.samples import generation, opened
from tests.unit.scripted import Painter, painting, until
from tests.unit.test_progress import Paper


@pytest.fixture(autouse=True)
def _no_layers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("FLUX_MAGIC_SPACE", raising=False)
    settings.configure_by(dict)
    yield
    settings.configure_by(dict)


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> type[Painter]:
    return painting(monkeypatch)


def requests(count: int) -> Iterator[ImageRequest]:
    return (ImageRequest("a fox", seed=seed % 256) for seed in range(count))


# generate_many


@pytest.mark.usefixtures("painter")
def test_many_are_given_as_they_finish_and_are_in_the_history() -> None:
    blocking.history.clear()
    made = list(client.generate_many(requests(9)))
    assert sorted(one.request.seed for one in made) == list(range(9))
    assert list(blocking.history) == made


def test_a_slow_caller_holds_the_others_up(painter: type[Painter]) -> None:
    made = client.generate_many(requests(10_000), concurrency=2, store=False)
    next(made)
    time.sleep(0.5)
    assert len(painter.painted) <= 1 + 2 * 2 + 2
    made.close()
    until(lambda: painter.at_work == 0)


def test_some_that_fail_are_told_after_the_others(painter: type[Painter]) -> None:
    painter.failing = {2: SpaceError("no: by design")}
    made: list[int] = []
    with pytest.raises(Incomplete, match="1 of 5 images failed; no: by design"):
        made.extend(one.request.seed for one in client.generate_many(requests(5)))
    assert sorted(made) == [0, 1, 3, 4]


def test_a_mistake_is_told_at_the_call_and_not_later() -> None:
    with pytest.raises(InvalidRequest, match="concurrency is 0"):
        client.generate_many([], concurrency=0)
    with pytest.raises(TypeError, match="has no argument step: did you mean steps"):
        client.generate_many([], step=4)  # type: ignore[call-arg]  # the mistake


@pytest.mark.parametrize(
    ("wanted", "options", "words"),
    [
        pytest.param([3], {}, """a request is 3: give, for example, ImageRequest("a fox", seed=42)""", id="a number"),
        pytest.param(None, {}, "the requests are None: give a list of prompts, of dicts or of ImageReq", id="nothing"),
        pytest.param("a fox", {}, "the requests are the string 'a fox': give a list of prompts", id="a string"),
        pytest.param("p.csv", {}, "the requests are the file p.csv: flux-magic batch FILE", id="a name of a file"),
        pytest.param(Path("p"), {}, "the requests are the file p: flux-magic batch FILE", id="a path"),
        pytest.param({"prompt": "a"}, {}, "the requests are {'prompt': 'a'}: give a list of prompts", id="one dict"),
    ],
)
def test_what_are_no_requests_is_told_in_one_line(
    painter: type[Painter], wanted: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=f"^{re.escape(words)}[^\n]*$"):
        list(client.generate_many(wanted, **options))
    assert not painter.painted


def test_an_interrupt_ends_all_of_them(painter: type[Painter]) -> None:
    painter.pause = 600

    def interrupt() -> None:
        until(lambda: painter.at_work)
        signal.raise_signal(signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may come at any moment from the thread's start
        interrupting.start()
        list(client.generate_many(requests(8)))
    interrupting.join(PATIENCE)
    until(lambda: painter.at_work == 0)


# sweep


@pytest.mark.usefixtures("painter")
def test_a_sweep_gives_every_combination_by_its_axes() -> None:
    made = client.sweep("a {colour} fox", colour=["red", "blue"], seed=[1, 2, 3], steps=4, quiet=True)
    assert isinstance(made, Generations)
    assert [(one.prompt, one.request.seed, one.steps) for one in made] == [
        (f"a {colour} fox", seed, 4) for colour in ("red", "blue") for seed in (1, 2, 3)
    ]
    assert made.sel(colour="blue", seed=2) is made[4]


@pytest.mark.usefixtures("painter")
def test_a_caption_and_an_alternative_text_name_the_values_of_their_image() -> None:
    words: dict[str, Any] = {"caption": "{colour}, seed {seed}", "alt": "{{x}} {colour} {y} {steps}"}
    words |= {"quiet": True, "only_image": True, "on_event": lambda event: seen.append(getattr(event, "caption", None))}
    seen: list[str | None] = []
    made = client.sweep("a {colour} fox", colour=["red", "blue"], seed=[1, 2], **words)
    assert {*seen} == {None, *(one.caption for one in made)}
    padded = client.sweep("a fox", seed=[1, 2], quiet=True, caption="{seed:03d} {prompt:d} {{seed:03d}}")
    assert [one.caption for one in padded] == [f"00{seed} a fox {{seed:03d}}" for seed in (1, 2)]
    assert padded.caption == "001, 002 a fox {seed:03d}"
    assert client.generate("a fox", seed=7, caption="{seed:>3}", quiet=True).caption == "  7"
    blocking.history.clear()
    made = client.sweep("a {colour} fox", colour=["red", "blue"], seed=[1, 2], **words)
    assert (made.caption, made.alt) == ("red, blue, seed 1, 2", "{x} red, blue {y} 2")
    assert (made[1].caption, made[1].alt) == ("red, seed 2", "{x} red {y} 2")
    blue = made.sel(colour="blue")
    assert (blue.caption, blue.alt) == ("blue, seed 1, 2", "{x} blue {y} 2")
    assert [one.data["text/plain"] for one in blue.build_outputs()][1:] == ["blue, seed 1, 2"]
    assert {one.caption for one in flux_magic.history()} == {one.caption for one in made}
    bare = client.sweep("a fox", seed=[1, 2], quiet=True)
    assert (bare.caption, bare[0].caption, bare[0].alt) == (None, None, "a fox")
    assert bare.alt == "a fox: 2 images, seed 1, 2, one after the other"
    assert (bare[:1].caption, bare[:1].alt) == (None, "a fox: 1 image, seed 1, one after the other")


@pytest.mark.usefixtures("painter")
def test_what_a_sweep_has_in_the_store_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLUX_MAGIC_REPLAY", raising=False)
    first = client.sweep("a hare", seed=[1, 2], quiet=True)
    second = client.sweep("a hare", seed=[1, 2, 3], quiet=True)
    fresh = client.sweep("a hare", seed=[1, 2], quiet=True, fresh=True)
    assert [[one.replayed for one in made] for made in (first, second, fresh)] == [
        [False, False],
        [True, True, False],
        [False, False],
    ]


def test_a_sweep_of_which_some_failed_has_the_others_on_its_error(painter: type[Painter]) -> None:
    painter.failing = {2: SpaceError("no", "Try it.")}
    with pytest.raises(Incomplete) as told:
        client.sweep("a fox that limps", seed=[1, 2, 3], quiet=True, replay="auto")
    assert str(told.value) == (
        "1 of 3 images failed; no\nThe others are finished: run it again, to request only what is missing."
    )
    assert [one.request.seed for one in told.value.made] == [1, 3]
    assert told.value.failures == {1: painter.failing[2]}


def test_no_quota_is_raised_as_it_is(painter: type[Painter]) -> None:
    painter.failing = {1: QuotaExceeded("none left")}
    with pytest.raises(QuotaExceeded, match="none left"):
        client.sweep("a fox", seed=range(100), quiet=True)


@pytest.mark.usefixtures("painter")
def test_what_a_person_should_know_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    client.sweep("a fox", seed=[1, 2, 3], store=tmp_path / "file", quiet=True)
    assert capsys.readouterr().err.count("note: ") == 1


@pytest.mark.usefixtures("painter")
def test_the_bar_sees_every_event_and_the_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    papers: list[Paper] = []

    class Kept(Paper):
        def __init__(self) -> None:
            super().__init__()
            papers.append(self)

    for pause in ("BAR_DELAY", "PAUSE"):
        monkeypatch.setattr(progress, pause, 0)
    monkeypatch.setattr(progress, "_choose_screen", Kept)
    client.sweep("a fox", seed=[1, 2], steps=[3])
    (paper,) = papers
    assert "0 of 2 images; seed 1: step 1 of 4" in paper.texts
    assert paper.texts[-1].startswith("2 of 2 images; seed ")
    assert paper.cleared == 1


def test_how_many_there_will_be_is_said(painter: type[Painter]) -> None:
    asked = build_sweep(read_template("a {red|blue} fox", {}), Settings(), {"steps": (1, 2, 4)})
    assert many.announce(asked, Settings()) == "6 images: 2 words × 3 steps"
    assert not painter.painted


def test_what_ends_a_sweep_has_what_is_finished_and_tells_how_to_go_on(
    painter: type[Painter], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("random.randrange", lambda _most: 77)
    painter.pause = 0.05
    seen: list[object] = []

    def interrupt(event: object) -> None:
        seen.extend([event] * isinstance(event, Generation))
        if len(seen) == 2:
            signal.raise_signal(signal.SIGINT)

    several: dict[str, Any] = {"steps": range(1, 100), "quiet": True, "replay": "auto", "concurrency": 1}
    with pytest.raises(KeyboardInterrupt) as told:
        client.sweep("a fox", **several, on_event=interrupt)
    assert list(vars(told.value)["made"]) == seen
    assert capsys.readouterr().err == (
        "note: 2 of 99 images were made; run it again, with seed=77, to request only what is missing\n"
    )


@pytest.mark.usefixtures("painter")
def test_a_name_that_is_not_given_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    made = client.sweep("a {colour} fox", steps=[1, 2], quiet=True)
    assert made[0].prompt == "a {colour} fox"
    assert capsys.readouterr().err == "note: {colour} is sent as typed: it has no value\n"


# A tally


def tally(**varied: tuple[int, ...]) -> Tally:
    settings = Settings(seed=5, width=256, height=192)
    return Tally(build_sweep(read_template("a fox", {}), settings, varied), settings)


def test_a_tally_knows_what_is_made_what_failed_and_what_is_missing() -> None:
    counted = tally(steps=(1, 2, 4))
    counted.take(0, Running(1, 4))
    counted.take(1, SpaceError("no"))
    counted.take(2, generation())
    assert counted.made == 1
    assert counted.collect_generations().missing == {0: "not made", 1: "failed: no"}
    failure = counted.build_failure()
    assert failure is not None
    assert failure.message == "1 of 3 images failed; no"
    assert tally(steps=(1, 2)).build_failure() is None


def test_a_tallys_sheet_fills_in() -> None:
    counted = tally(seed=(1, 2))
    empty = counted.encode_sheet()
    counted.take(1, generation())
    assert counted.encode_sheet() != empty
    assert opened(counted.encode_sheet()).size == opened(empty).size


def test_an_image_whose_file_is_gone_is_told_on_the_sheet() -> None:
    counted, made = tally(seed=(1, 2)), generation()
    before = counted.encode_sheet()
    gone = ImageFile(made.record.files[0], Path("nowhere.png"))
    counted.take(0, type(made)(made.request, made.record, (gone,)))
    assert counted.encode_sheet() != before
    with pytest.raises(StoreError):
        _ = gone.data


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"seed": 5}, "1 of 2 images was made; run it again, to request only what is missing", id="a seed"),
        pytest.param(
            {}, "1 of 2 images was made; run it again, with --seed 5, to request only what is missing", id="chosen"
        ),
        pytest.param({"seed": 5, "store": False}, "1 of 2 images was made", id="nothing is kept"),
        pytest.param({"seed": 5, "replay": "off"}, "1 of 2 images was made", id="always fresh"),
        pytest.param({"seed": 5, "replay": "only"}, "1 of 2 images was made", id="nothing is asked"),
    ],
)
def test_how_to_go_on_with_an_ended_sweep_is_told(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, object], words: str
) -> None:
    monkeypatch.setattr("random.randrange", lambda _most: 5)
    monkeypatch.delenv("FLUX_MAGIC_REPLAY", raising=False)
    given = Settings(**options)  # type: ignore[arg-type]
    counted = Tally(build_sweep(read_template("a fox", {}), given, {"steps": (1, 2)}), given)
    counted.take(1, generation())
    assert counted.describe_progress() == words
    counted.take(0, SpaceError("no"))
    failure = counted.build_failure()
    assert failure is not None
    assert ("run it again" in failure.hint) == ("run it again" in words)
